//! Calling the callbacks that know a secret: off the worker's thread where they block, with a limit, and with every way
//! to fail made a typed error. What they are is `preopen_core::ask`.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use preopen_core::ask::{Answer, Ask, Question};
use preopen_core::error::Phase;
use preopen_core::{Error, ErrorKind, Result, Secret};

/// The longest that a callback may take: a person needs a moment, and a forgotten prompt must not hold a session for
/// ever.
const LIMIT: Duration = Duration::from_mins(5);

/// How often it is looked whether the answer is still wanted.
const LOOK: Duration = Duration::from_millis(100);

tokio::task_local! {
    /// The session whose login waits for the callback that runs here.
    static ASKING: usize;
}

/// The session whose login waits for the callback that runs here, if there is one. A callback that goes on elsewhere (on
/// a thread or an event loop of another language) takes it along, so that it is told when it waits for itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asking(Option<usize>);

impl Asking {
    /// What runs here.
    pub fn here() -> Self {
        Self(ASKING.try_with(|asking| *asking).ok())
    }

    /// Runs `future` as a part of that callback.
    pub async fn carry<T>(self, future: impl Future<Output = T>) -> T {
        match self.0 {
            Some(session) => ASKING.scope(session, future).await,
            None => future.await,
        }
    }
}

/// Whether a callback of the session with this address runs here.
pub(crate) fn is_asked_by(session: usize) -> bool {
    Asking::here().0 == Some(session)
}

/// Calls the callback for a login of the session with this address, as long as `wanted`; `None` when it is not any
/// more. Errors: `LoginRequired`, `InvalidInput`, `Timeout`, or what the callback itself gives.
pub(crate) async fn ask(
    question: &Question,
    session: usize,
    wanted: impl Fn() -> bool,
) -> Result<Option<Secret>> {
    let mut answer = std::pin::pin!(tokio::time::timeout(LIMIT, call(question, session)));
    loop {
        tokio::select! {
            answered = &mut answer => {
                let answer = answered.unwrap_or_else(|_| Err(too_slow(question)))?;
                return answer.ok_or_else(|| question.unanswered()).map(Some);
            }
            () = tokio::time::sleep(LOOK) => if !wanted() {
                return Ok(None);
            }
        }
    }
}

async fn call(question: &Question, session: usize) -> Answer {
    let panicked = || Err(question.failed("panicked"));
    match &question.ask {
        Ask::Async(callback) => {
            let callback = Arc::clone(callback);
            let answering = ASKING.scope(session, async move { callback().await });
            AssertUnwindSafe(answering)
                .catch_unwind()
                .await
                .unwrap_or_else(|_| panicked())
        }
        Ask::Blocking(callback) => {
            let callback = Arc::clone(callback);
            let answering = move || ASKING.sync_scope(session, || callback());
            tokio::task::spawn_blocking(answering)
                .await
                .unwrap_or_else(|_| panicked())
        }
    }
}

fn too_slow(question: &Question) -> Error {
    Error::new(
        ErrorKind::Timeout,
        format!(
            "the callback for {} gave no answer within 5 minutes",
            question.field
        ),
    )
    .with(|context| context.phase = Some(Phase::Login))
}
