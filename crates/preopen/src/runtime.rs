//! The one background thread: made on first use, once per process, for logins that must outlive their callers
//! and for callers that have no async runtime of their own.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use futures_util::future::Either;
use tokio::runtime::{Builder, Handle, Runtime};

use crate::alarm::Alarms;
pub use crate::ask::Asking;
use preopen_core::error::Cause;
use preopen_core::wire::BoxFuture;
use preopen_core::{Error, ErrorKind, Result};

/// The background runtime, what waits on it, and the process that it belongs to.
pub(crate) struct Worker {
    process: u32,
    pub(crate) handle: Handle,
    pub(crate) alarms: Arc<Alarms>,
}

/// Without a lock: a process may be forked while another of its threads is in here, and a lock that this
/// thread held would stay locked in the child for ever.
static WORKER: ArcSwapOption<Worker> = ArcSwapOption::const_empty();

/// A handle to this process's background runtime. Errors: `Internal` when no thread can be made.
pub fn worker() -> Result<Handle> {
    current().map(|worker| worker.handle.clone())
}

/// This process's worker. A forked child gets its own: the parent's is never touched there, since its thread does
/// not exist in the child. Errors: `Internal` when no thread can be made.
pub(crate) fn current() -> Result<Arc<Worker>> {
    let process = std::process::id();
    let seen = WORKER.load();
    if let Some(worker) = seen.as_ref().filter(|worker| worker.process == process) {
        return Ok(Arc::clone(worker));
    }
    let runtime = build()?;
    let mine = Arc::new(Worker {
        process,
        handle: runtime.handle().clone(),
        alarms: Arc::default(),
    });
    let before = WORKER.compare_and_swap(&*seen, Some(Arc::clone(&mine)));
    if let Some(winner) = before.as_ref().filter(|winner| winner.process == process) {
        // Another thread was first.
        runtime.shutdown_background();
        return Ok(Arc::clone(winner));
    }
    // It lives as long as the process: dropping it could block, and in a forked child it must not be dropped.
    std::mem::forget(runtime);
    Ok(mine)
}

fn build() -> Result<Runtime> {
    let mut builder = Builder::new_multi_thread();
    builder
        .worker_threads(1)
        .thread_name("preopen")
        .enable_all()
        .build()
        .map_err(|error| {
            Error::new(ErrorKind::Internal, "the background thread cannot be started")
                .with_source(Cause::from_chain(&error))
        })
}

/// Where logins run, apart from whoever asked for them.
pub trait Spawn: Send + Sync + fmt::Debug {
    /// Runs `task` to its end; what is given back ends with it. Errors: `Internal` when there is no place to run.
    fn spawn(&self, task: BoxFuture<'static, ()>) -> Result<BoxFuture<'static, ()>>;
}

/// The one background thread.
#[derive(Debug)]
pub(crate) struct Background;

impl Spawn for Background {
    fn spawn(&self, task: BoxFuture<'static, ()>) -> Result<BoxFuture<'static, ()>> {
        let running = worker()?.spawn(task);
        Ok(Box::pin(async move { drop(running.await) }))
    }
}

/// Runs `future` on the caller's tokio runtime, or on the background one when there is none, so that Preopen
/// works under any executor. It must be awaited at once: which of them it is, is decided here.
pub(crate) fn anywhere<T: Send + 'static>(
    future: impl Future<Output = Result<T>> + Send + 'static,
) -> impl Future<Output = Result<T>> {
    if Handle::try_current().is_ok() {
        Either::Left(future)
    } else {
        Either::Right(in_background(Box::pin(future)))
    }
}

async fn in_background<T: Send + 'static>(future: BoxFuture<'static, Result<T>>) -> Result<T> {
    match worker()?.spawn(future).await {
        Ok(result) => result,
        Err(error) => Err(Error::new(ErrorKind::Internal, "a background task ended early")
            .with_source(Cause::from_chain(&error))),
    }
}
