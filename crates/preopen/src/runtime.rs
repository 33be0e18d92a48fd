//! The one background thread: made on first use, once per process, for logins that must outlive their callers
//! and for callers that have no async runtime of their own.

use std::sync::{Mutex, PoisonError};

use tokio::runtime::{Builder, Handle, Runtime};

use preopen_core::error::Cause;
use preopen_core::{Error, ErrorKind, Result};

/// A handle to this process's background runtime. A forked child gets its own: the parent's is never touched
/// there, since its thread does not exist in the child. Errors: `Internal` when no thread can be made.
pub fn worker() -> Result<Handle> {
    static SLOT: Mutex<Option<(u32, &'static Runtime)>> = Mutex::new(None);
    let process = std::process::id();
    let mut slot = SLOT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((owner, runtime)) = *slot
        && owner == process
    {
        return Ok(runtime.handle().clone());
    }
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("preopen")
        .enable_all()
        .build()
        .map_err(|error| {
            Error::new(ErrorKind::Internal, "the background thread cannot be started")
                .with_source(Cause::from_chain(&error))
        })?;
    // It lives as long as the process: dropping it could block, and in a forked child it must not be dropped.
    let runtime: &'static Runtime = Box::leak(Box::new(runtime));
    *slot = Some((process, runtime));
    Ok(runtime.handle().clone())
}

/// Runs `future` on the caller's tokio runtime, or on the background one when there is none, so that Preopen
/// works under any executor.
pub(crate) async fn anywhere<T: Send + 'static>(
    future: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    if Handle::try_current().is_ok() {
        return future.await;
    }
    match worker()?.spawn(future).await {
        Ok(result) => result,
        Err(error) => Err(Error::new(ErrorKind::Internal, "a background task ended early")
            .with_source(Cause::from_chain(&error))),
    }
}
