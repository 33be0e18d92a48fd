//! A small HTTP server for requests without bodies, on a port that was opened before: what `run` and `serve-metrics` answer on.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

/// The largest request line and headers.
const LARGEST: usize = 16 * 1024;
/// How long they may take.
const ARRIVAL: Duration = Duration::from_secs(5);
/// How many requests may be under way.
const AT_ONCE: usize = 256;

/// What answers a request.
pub(crate) trait Answer: Send + Sync + 'static {
    fn answer(&self, request: Request<Incoming>) -> impl Future<Output = Response<Full<Bytes>>> + Send;
}

/// Answers until it is dropped.
pub(crate) async fn serve(listener: &TcpListener, answers: &Arc<impl Answer>) {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        let Ok((stream, _)) = listener.accept().await else {
            // For example too many open files.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let answers = Arc::clone(answers);
        tokio::spawn(async move {
            answer_on(stream, answers).await;
            drop(place);
        });
    }
}

async fn answer_on(stream: TcpStream, answers: Arc<impl Answer>) {
    let service = service_fn(|request| {
        let answers = Arc::clone(&answers);
        async move { Ok::<_, Infallible>(answers.answer(request).await) }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(ARRIVAL)
        .max_buf_size(LARGEST)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    // Whoever broke it off knows.
    drop(served.await);
}
