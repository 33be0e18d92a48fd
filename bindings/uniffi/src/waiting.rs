//! How calls wait: asynchronous ones on Preopen's background thread, whatever executor the language has; blocking ones here.

use std::cell::Cell;

use preopen_ffi::preopen::runtime::Asking;
use preopen_ffi::preopen::{Error, ErrorKind, Result};
use preopen_ffi::runtime::{self, NEVER, Task};
use tokio::sync::oneshot;

use crate::error::PreopenError;

thread_local! {
    /// The login that waits for the callback which runs on this thread: a call that waits for that login would wait for ever.
    static ASKING: Cell<Asking> = Cell::default();
}

/// Runs a callback that a login waits for.
pub(crate) fn answering<T>(asking: Asking, callback: impl FnOnce() -> T) -> T {
    let before = ASKING.replace(asking);
    let answer = callback();
    ASKING.set(before);
    answer
}

/// Stops a call that nobody waits for any more. A login that it waited for goes on.
struct Stop(Task);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Runs `future` on the background thread; giving up the wait gives up the call.
pub(crate) async fn background<T: Send + 'static>(
    future: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T, PreopenError> {
    let (sender, result) = oneshot::channel();
    let future = ASKING.get().carry(future);
    let _stop = Stop(runtime::spawn(future, move |result| drop(sender.send(result)))?);
    Ok(result.await.unwrap_or_else(|_| Err(given_up()))?)
}

/// Blocks this thread until `future` is done.
pub(crate) fn block<T: Send + 'static>(
    future: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T, PreopenError> {
    let future = ASKING.get().carry(future);
    Ok(runtime::block_on(future, || NEVER).unwrap_or_else(|| Err(given_up()))?)
}

fn given_up() -> Error {
    Error::new(ErrorKind::Cancelled, "the call was given up")
}
