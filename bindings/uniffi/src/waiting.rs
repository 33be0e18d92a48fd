//! How calls wait: asynchronous ones on Preopen's background thread, whatever executor the language has; blocking ones here.

use preopen_ffi::preopen::{Error, ErrorKind, Result};
use preopen_ffi::runtime::{self, Task};
use tokio::sync::oneshot;

use crate::error::PreopenError;

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
    let _stop = Stop(runtime::spawn(future, move |result| drop(sender.send(result)))?);
    Ok(result.await.unwrap_or_else(|_| Err(given_up()))?)
}

/// Blocks this thread until `future` is done.
pub(crate) fn block<T: Send + 'static>(
    future: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T, PreopenError> {
    Ok(runtime::block_on(future, || false).unwrap_or_else(|| Err(given_up()))?)
}

fn given_up() -> Error {
    Error::new(ErrorKind::Cancelled, "the call was given up")
}
