//! Promises of what runs on the background thread. All that ended there since JavaScript last looked crosses together, over
//! one thread-safe function for each of JavaScript's threads: making one for each call costs more than the call.

use std::cell::Cell;
use std::marker::PhantomData;
use std::mem;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use napi::bindgen_prelude::{Object, ToNapiValue};
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi::{Env, JsError, Status, check_status, sys};

/// Settles one promise, on the thread that it belongs to.
type Settle = Box<dyn FnOnce(&Env) + Send>;

/// What ended on other threads and is not settled yet.
struct Ended {
    queue: Mutex<Vec<Settle>>,
    wake: ThreadsafeFunction<(), (), (), Status, false, true>,
}

impl Ended {
    fn queue(&self) -> MutexGuard<'_, Vec<Settle>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, settle: Settle) {
        let mut queue = self.queue();
        queue.push(settle);
        let first = queue.len() == 1;
        drop(queue);
        // Whoever comes later is settled by the same wake-up.
        if first && self.wake.call((), ThreadsafeFunctionCallMode::NonBlocking) != Status::Ok {
            // JavaScript's thread has ended, and its promises with it.
            let gone = mem::take(&mut *self.queue());
            drop(gone);
        }
    }
}

/// The promises of one of JavaScript's threads.
struct Promises {
    ended: Arc<Ended>,
    /// How many are not settled; they keep the process alive.
    open: Cell<usize>,
}

impl Promises {
    fn of(env: Env) -> napi::Result<Rc<Self>> {
        if let Some(kept) = env.get_instance_data::<Rc<Self>>()? {
            return Ok(Rc::clone(kept));
        }
        let settle = env
            .create_function_from_closure("settle", |context| Self::of(*context.env)?.settle(*context.env))?;
        let made = Rc::new(Self {
            ended: Arc::new(Ended {
                queue: Mutex::default(),
                wake: settle.build_threadsafe_function().weak::<true>().build()?,
            }),
            open: Cell::new(0),
        });
        env.set_instance_data(Rc::clone(&made), (), |_| {})?;
        Ok(made)
    }

    fn settle(&self, env: Env) -> napi::Result<()> {
        let all = mem::take(&mut *self.ended.queue());
        self.count(env, self.open.get() - all.len())?;
        for settle in all {
            settle(&env);
        }
        Ok(())
    }

    /// Keeps the process alive while there are `open` promises, and no longer.
    #[allow(unsafe_code, reason = "napi's own methods want the function for themselves")]
    fn count(&self, env: Env, open: usize) -> napi::Result<()> {
        let before = self.open.replace(open);
        let (env, wake) = (env.raw(), &self.ended.wake);
        if (before == 0) == (open == 0) || wake.aborted() {
            return Ok(());
        }
        // SAFETY: this is the thread of `env`, and the function is not finalised before its environment ends, which it
        // notes by `aborted`.
        check_status!(unsafe {
            if open == 0 {
                sys::napi_unref_threadsafe_function(env, wake.raw())
            } else {
                sys::napi_ref_threadsafe_function(env, wake.raw())
            }
        })
    }
}

/// The other end of a promise, which any thread may resolve.
pub(crate) struct Deferred<T> {
    raw: RawDeferred,
    ended: Arc<Ended>,
    value: PhantomData<fn(T)>,
}

impl<T: ToNapiValue + Send + 'static> Deferred<T> {
    /// A promise, and its other end. While it is open it keeps the process alive: each must be resolved once.
    #[allow(
        unsafe_code,
        reason = "napi's own deferred makes a thread-safe function for each promise"
    )]
    pub(crate) fn open(env: &Env) -> napi::Result<(Self, Object<'_>)> {
        let promises = Promises::of(*env)?;
        let (mut raw, mut promise) = (std::ptr::null_mut(), std::ptr::null_mut());
        // SAFETY: both are written before they are read, or the call has failed.
        check_status!(unsafe { sys::napi_create_promise(env.raw(), &raw mut raw, &raw mut promise) })?;
        promises.count(*env, promises.open.get() + 1)?;
        let deferred = Self {
            raw: RawDeferred(raw),
            ended: Arc::clone(&promises.ended),
            value: PhantomData,
        };
        Ok((deferred, Object::from_raw(env.raw(), promise)))
    }

    /// Resolves the promise to `value`, which is converted on its thread.
    pub(crate) fn resolve(self, value: T) {
        let raw = self.raw;
        self.ended.push(Box::new(move |env| raw.settle(env, value)));
    }
}

/// Node's handle of a promise that is open.
struct RawDeferred(sys::napi_deferred);

#[allow(unsafe_code, reason = "a pointer says nothing of threads")]
// SAFETY: it is only handed over; `settle` runs on the thread of its environment.
unsafe impl Send for RawDeferred {}

impl RawDeferred {
    #[allow(unsafe_code, reason = "a promise is settled by Node-API alone")]
    fn settle(self, env: &Env, value: impl ToNapiValue) {
        let raw = env.raw();
        // SAFETY: `raw` is the environment that the promise was made in, on its thread; a promise is settled once, since
        // this takes its handle away.
        unsafe {
            match ToNapiValue::to_napi_value(raw, value) {
                Ok(value) => sys::napi_resolve_deferred(raw, self.0, value),
                Err(error) => sys::napi_reject_deferred(raw, self.0, JsError::from(error).into_value(raw)),
            };
        }
    }
}
