//! Running futures from languages that are not async Rust: blocking calls on a small runtime per thread, others
//! on the background thread. Both notice a fork.

use std::cell::RefCell;
use std::ops::ControlFlow;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use futures_util::FutureExt as _;
use preopen::{Error, ErrorKind, Result};
use tokio::runtime::{Builder, Handle, Runtime};

/// How often a blocking call looks whether its thread has a signal to handle, and when it looks first.
pub const SIGNAL_INTERVAL: Duration = Duration::from_millis(50);

/// What a look for signals found: one that ends the wait, or when to look next.
pub type Look = ControlFlow<(), Duration>;

/// There is nothing to look for.
pub const NEVER: Look = Look::Continue(Duration::MAX);

/// A thread's runtime, with the process that made it: a forked child must not touch its parent's.
struct PerThread {
    process: u32,
    runtime: Option<Runtime>,
}

impl Drop for PerThread {
    fn drop(&mut self) {
        let Some(runtime) = self.runtime.take() else {
            return;
        };
        if self.process == std::process::id() {
            runtime.shutdown_background();
        } else {
            std::mem::forget(runtime);
        }
    }
}

thread_local! {
    static RUNTIME: RefCell<Option<PerThread>> = const { RefCell::new(None) };
}

/// Blocks this thread on `future`, which runs here. `look` is asked after [`SIGNAL_INTERVAL`], then whenever it said; when
/// it breaks off, the future is dropped (a login it waited for goes on) and `None` is returned.
pub fn block_on<T: Send + 'static>(
    future: impl Future<Output = Result<T>> + Send + 'static,
    mut look: impl FnMut() -> Look,
) -> Option<Result<T>> {
    // That runtime must not be blocked on.
    if Handle::try_current().is_ok() {
        return wait_for_worker(future, look);
    }
    let mine = match take() {
        Ok(mine) => mine,
        Err(error) => return Some(Err(error)),
    };
    let runtime = mine.runtime.as_ref()?;
    let result = runtime.block_on(async {
        let mut future = pin!(future);
        let mut interval = SIGNAL_INTERVAL;
        loop {
            match tokio::time::timeout(interval, &mut future).await {
                Ok(result) => return Some(result),
                Err(_) => match look() {
                    Look::Break(()) => return None,
                    Look::Continue(next) => interval = next,
                },
            }
        }
    });
    RUNTIME.with_borrow_mut(|slot| *slot = Some(mine));
    result
}

/// This thread's runtime, taken out of its slot for the length of a call.
fn take() -> Result<PerThread> {
    let process = std::process::id();
    let kept = RUNTIME
        .with_borrow_mut(Option::take)
        .filter(|kept| kept.process == process);
    if let Some(kept) = kept {
        return Ok(kept);
    }
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| {
            Error::new(
                ErrorKind::Internal,
                format!("this thread's runtime cannot be made: {error}"),
            )
        })?;
    Ok(PerThread {
        process,
        runtime: Some(runtime),
    })
}

/// The same, but `future` runs on the background thread: this one needs no runtime, and is woken once.
pub fn wait_for_worker<T: Send + 'static>(
    future: impl Future<Output = Result<T>> + Send + 'static,
    mut look: impl FnMut() -> Look,
) -> Option<Result<T>> {
    let (sender, receiver) = channel();
    let task = match spawn(future, move |result| drop(sender.send(result))) {
        Ok(task) => task,
        Err(error) => return Some(Err(error)),
    };
    let mut interval = SIGNAL_INTERVAL;
    loop {
        match receiver.recv_timeout(interval) {
            Ok(result) => return Some(result),
            Err(RecvTimeoutError::Timeout) => match look() {
                Look::Break(()) => {
                    task.abort();
                    return None;
                }
                Look::Continue(next) => interval = next,
            },
            Err(RecvTimeoutError::Disconnected) => {
                return Some(Err(Error::new(
                    ErrorKind::Internal,
                    "a background task ended early",
                )));
            }
        }
    }
}

/// A running task; dropping it lets the task go on.
#[derive(Debug)]
pub struct Task(tokio::task::AbortHandle);

impl Task {
    /// Stops the task at its next await. A login that it waited for goes on.
    pub fn abort(&self) {
        self.0.abort();
    }
}

/// Runs `future` on the background thread and calls `done` there with its result, unless it is aborted.
/// Errors: `Internal` when there is no background thread to be had.
pub fn spawn<T: Send + 'static>(
    future: impl Future<Output = Result<T>> + Send + 'static,
    done: impl FnOnce(Result<T>) + Send + 'static,
) -> Result<Task> {
    let worker = preopen::runtime::worker()?;
    let task = worker.spawn(async move {
        // A bug must not leave the caller waiting for ever.
        let result = AssertUnwindSafe(future).catch_unwind().await;
        done(result.unwrap_or_else(|_| Err(Error::new(ErrorKind::Internal, "a call ended in a panic"))));
    });
    Ok(Task(task.abort_handle()))
}

#[cfg(test)]
mod tests {
    use super::{Look, NEVER, block_on, spawn, wait_for_worker};
    use preopen::{Error, ErrorKind};
    use std::sync::mpsc::channel;
    use std::time::{Duration, Instant};

    #[test]
    fn a_blocking_call_returns_its_result_again_and_again() {
        for n in 0..3 {
            assert_eq!(block_on(async move { Ok(n) }, || NEVER).unwrap().unwrap(), n);
        }
        let failed = block_on(
            async { Err::<(), _>(Error::new(ErrorKind::Internal, "x")) },
            || NEVER,
        )
        .unwrap();
        assert_eq!(failed.unwrap_err().kind(), ErrorKind::Internal);
    }

    #[test]
    fn an_interrupt_ends_a_blocking_call_in_time() {
        let started = Instant::now();
        let never = async { std::future::pending::<preopen::Result<()>>().await };
        assert!(block_on(never, || Look::Break(())).is_none());
        assert!(started.elapsed() < Duration::from_millis(200));
    }

    #[test]
    fn a_look_says_when_to_look_again() {
        type Wait = fn(std::future::Pending<preopen::Result<()>>, &mut dyn FnMut() -> Look) -> bool;
        let waits: [Wait; 2] = [
            |never, look| block_on(never, look).is_none(),
            |never, look| wait_for_worker(never, look).is_none(),
        ];
        for wait in waits {
            let mut looks = Vec::new();
            let ended = wait(std::future::pending(), &mut || {
                looks.push(Instant::now());
                match looks.len() {
                    1 => Look::Continue(Duration::from_millis(400)),
                    _ => Look::Break(()),
                }
            });
            assert!(ended);
            assert!(looks[1] - looks[0] >= Duration::from_millis(400));
        }
    }

    #[test]
    fn a_call_that_the_worker_does_returns_its_result() {
        for n in 0..3 {
            assert_eq!(
                wait_for_worker(async move { Ok(n) }, || NEVER).unwrap().unwrap(),
                n
            );
        }
    }

    #[test]
    fn a_blocking_call_inside_a_runtime_uses_the_worker() {
        let outer = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let inner = outer.block_on(async { block_on(async { Ok(7) }, || NEVER) });
        assert_eq!(inner.unwrap().unwrap(), 7);
    }

    #[test]
    fn a_task_that_panics_reports_too() {
        let (sender, receiver) = channel();
        let bug = async {
            if receiver_is_there() {
                panic!("a bug")
            } else {
                Ok(1)
            }
        };
        spawn(bug, move |result| {
            sender.send(result.unwrap_err().kind()).unwrap();
        })
        .unwrap();
        assert_eq!(
            receiver.recv_timeout(Duration::from_secs(5)),
            Ok(ErrorKind::Internal)
        );
    }

    fn receiver_is_there() -> bool {
        true
    }

    #[test]
    fn a_spawned_task_reports_and_an_aborted_one_does_not() {
        let (sender, receiver) = channel();
        spawn(async { Ok(1) }, move |result| {
            sender.send(result.unwrap()).unwrap();
        })
        .unwrap();
        assert_eq!(receiver.recv_timeout(Duration::from_secs(5)), Ok(1));
        let (sender, receiver) = channel::<()>();
        let pending = spawn(std::future::pending::<preopen::Result<()>>(), move |_| {
            drop(sender);
        })
        .unwrap();
        pending.abort();
        assert!(receiver.recv_timeout(Duration::from_secs(5)).is_err());
    }
}
