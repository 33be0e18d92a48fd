//! Whether a request went out on a connection of its own, or on a kept one: only the client's connector knows.

use std::cell::Cell;
use std::task::{Context, Poll};

use futures_util::FutureExt as _;
use futures_util::future::Inspect;
use tower_layer::Layer;
use tower_service::Service;

tokio::task_local! {
    /// Whether a new connection was made for the request of this task.
    static CONNECTED: Cell<bool>;
}

/// Runs a request to its end, and tells whether it used a connection that was kept from an earlier one. A request that has
/// begun to connect takes a kept connection that comes back first, and the new one is made elsewhere.
pub(crate) async fn watch<F: Future>(request: F) -> (F::Output, bool) {
    CONNECTED
        .scope(Cell::new(false), async move {
            let done = request.await;
            (done, CONNECTED.with(|connected| !connected.get()))
        })
        .await
}

/// Notes each connection that a client has made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Notes;

/// A connector that notes what it made.
#[derive(Clone, Debug)]
pub(crate) struct Noting<S>(S);

impl<S> Layer<S> for Notes {
    type Service = Noting<S>;

    fn layer(&self, connector: S) -> Noting<S> {
        Noting(connector)
    }
}

impl<S: Service<R>, R> Service<R> for Noting<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = Inspect<S::Future, fn(&Result<S::Response, S::Error>)>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: R) -> Self::Future {
        self.0.call(request).inspect(|_| {
            // A connection that nobody waits for any more is made outside of a request.
            let _ = CONNECTED.try_with(|connected| connected.set(true));
        })
    }
}
