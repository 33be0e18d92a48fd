//! The one thread of a process that drives its connections to Redis, and the connections themselves. Callers come
//! from runtimes that may stop being polled at any moment; a lease must be renewed all the same.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use arc_swap::ArcSwapOption;
use preopen_core::error::Cause;
use preopen_core::{Error, ErrorKind, Result};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinHandle;

use super::pool::{Address, Pool};

/// The runtime, the connections, and the process that they belong to.
pub(super) struct Hub {
    process: u32,
    handle: Handle,
    pools: Mutex<Vec<Arc<Pool>>>,
}

/// Without a lock: a process may be forked while another of its threads is in here.
static HUB: ArcSwapOption<Hub> = ArcSwapOption::const_empty();

impl Hub {
    /// This process's hub. A forked child gets its own and never touches its parent's: neither the thread that drives
    /// those connections nor the right to speak on them exists there. Errors: `Internal` when no thread can be made.
    pub(super) fn current() -> Result<Arc<Self>> {
        let process = std::process::id();
        let seen = HUB.load();
        if let Some(hub) = seen.as_ref().filter(|hub| hub.process == process) {
            return Ok(Arc::clone(hub));
        }
        let runtime = build()?;
        let mine = Arc::new(Self {
            process,
            handle: runtime.handle().clone(),
            pools: Mutex::default(),
        });
        let before = HUB.compare_and_swap(&*seen, Some(Arc::clone(&mine)));
        if let Some(winner) = before.as_ref().filter(|winner| winner.process == process) {
            // Another thread was first.
            runtime.shutdown_background();
            return Ok(Arc::clone(winner));
        }
        // Both live as long as the process, and are not dropped in a forked child either: a connection that is dropped
        // there would be closed for its parent too.
        std::mem::forget(runtime);
        std::mem::forget(Arc::clone(&mine));
        Ok(mine)
    }

    /// The connections to this address, shared by everybody in the process.
    pub(super) fn pool(&self, address: &Arc<Address>) -> Arc<Pool> {
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pool) = pools.iter().find(|pool| *pool.address == **address) {
            return Arc::clone(pool);
        }
        let pool = Arc::new(Pool::new(Arc::clone(address)));
        pools.push(Arc::clone(&pool));
        pool
    }

    /// Runs `task` on the hub's thread, to its end whether or not somebody still waits for it.
    pub(super) fn run<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> Running<T> {
        Running {
            task: Some(self.handle.spawn(task)),
            stops: false,
            process: self.process,
        }
    }
}

/// A task of the hub, to be awaited anywhere. In a forked child it never ends, and its handle would touch the parent's
/// runtime. Errors: `StoreUnavailable` there, `Internal` when it ended in a panic.
pub(super) struct Running<T> {
    task: Option<JoinHandle<T>>,
    stops: bool,
    process: u32,
}

impl<T> Running<T> {
    /// Stops the task when nobody waits for it any more.
    pub(super) fn while_awaited(mut self) -> Self {
        self.stops = true;
        self
    }
}

impl<T> Future for Running<T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<T>> {
        let ours = self.process == std::process::id();
        let Some(task) = self.task.as_mut().filter(|_| ours) else {
            let forked = "the session store was asked before this process was forked from another";
            return Poll::Ready(Err(Error::new(ErrorKind::StoreUnavailable, forked)));
        };
        Pin::new(task).poll(context).map_err(|error| {
            Error::new(ErrorKind::Internal, "a task of the session store ended early")
                .with_source(Cause::from_chain(&error))
        })
    }
}

impl<T> Drop for Running<T> {
    fn drop(&mut self) {
        let task = self.task.take();
        if self.process != std::process::id() {
            std::mem::forget(task);
        } else if let Some(task) = task.filter(|_| self.stops) {
            task.abort();
        }
    }
}

fn build() -> Result<Runtime> {
    let mut builder = Builder::new_multi_thread();
    builder
        .worker_threads(1)
        .thread_name("preopen-redis")
        .enable_all()
        .build()
        .map_err(|error| {
            Error::new(
                ErrorKind::Internal,
                "the thread of the session store cannot be started",
            )
            .with_source(Cause::from_chain(&error))
        })
}
