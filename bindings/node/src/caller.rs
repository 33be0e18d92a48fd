//! Functions of JavaScript's that are called from other threads.

use napi::Status;
use napi::bindgen_prelude::{Function, JsValuesTupleIntoVec};
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode, UnknownReturnValue};
use tokio::sync::watch;

/// A function that gets questions and answers them when it can. It keeps no process alive.
pub(crate) struct Caller<T: 'static + JsValuesTupleIntoVec> {
    function: ThreadsafeFunction<T, UnknownReturnValue, T, Status, false, true>,
    over: watch::Receiver<()>,
}

impl<T: 'static + JsValuesTupleIntoVec> Caller<T> {
    pub(crate) fn new(function: &Function<'_, T, UnknownReturnValue>) -> napi::Result<Self> {
        // The closure lives as long as JavaScript can be called, so that its end of the channel tells when that is over: a
        // question that is under way when a worker thread ends is never dropped by Node.
        let (open, over) = watch::channel(());
        let function = function
            .build_threadsafe_function::<T>()
            .weak::<true>()
            .build_callback(move |context| {
                let _ = &open;
                Ok(context.value)
            })?;
        Ok(Self { function, over })
    }

    /// Asks, and ends when there will be no answer any more because JavaScript's thread has ended.
    pub(crate) async fn ask(&self, question: T) {
        let mut over = self.over.clone();
        if self
            .function
            .call(question, ThreadsafeFunctionCallMode::NonBlocking)
            == Status::Ok
        {
            drop(over.changed().await);
        }
    }
}
