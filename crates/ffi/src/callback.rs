//! Callbacks of another language that give a secret: started on a thread that may block, answered from any thread. When
//! they are called, and what follows from a failure, is decided in `preopen`.

use std::fmt;
use std::sync::Arc;

use preopen::runtime::Asking;
use preopen::{Answer, Ask, Secret, callback_failed};
use tokio::sync::oneshot;

/// A question under way: it is answered once, or dropped, which is a failure too.
pub struct Prompt {
    field: &'static str,
    asking: Asking,
    answer: oneshot::Sender<Answer>,
}

impl Prompt {
    /// The credential that is asked for, for example `pin`.
    pub fn field(&self) -> &'static str {
        self.field
    }

    /// Which login waits, for the calls that the callback makes.
    pub fn asking(&self) -> Asking {
        self.asking
    }

    /// Answers: the secret, or `None` when nobody is there to give it.
    pub fn give(self, secret: Option<Secret>) {
        drop(self.answer.send(Ok(secret)));
    }

    /// Says that the callback failed; `how` completes the sentence, for example `raised KeyError`, and holds nothing that
    /// the callback itself said.
    pub fn fail(self, how: &str) {
        drop(self.answer.send(Err(callback_failed(self.field, how))));
    }
}

impl fmt::Debug for Prompt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Prompt({})", self.field)
    }
}

/// A callback for `field`. `start` has it called; it may take the other language's lock, and returns without waiting for
/// the answer.
pub fn ask(field: &'static str, start: impl Fn(Prompt) + Send + Sync + 'static) -> Ask {
    let start = Arc::new(start);
    Ask::new(move || {
        let start = Arc::clone(&start);
        let asking = Asking::here();
        async move {
            let (answer, coming) = oneshot::channel();
            let prompt = Prompt {
                field,
                asking,
                answer,
            };
            let answer = answered(coming, on_own_thread(move || start(prompt))).await;
            answer.unwrap_or_else(|| Err(callback_failed(field, "gave no answer")))
        }
    })
}

/// Waits for an answer; `None` when there will be none: `gone` ends, or the question is dropped.
pub(crate) async fn answered<T>(coming: oneshot::Receiver<T>, gone: impl Future<Output = ()>) -> Option<T> {
    tokio::select! {
        biased;
        answer = coming => answer.ok(),
        () = gone => None,
    }
}

/// Runs `start` on a thread that may block. It never ends: the answer comes later, from elsewhere.
pub async fn on_own_thread(start: impl FnOnce() + Send + 'static) {
    // Nothing is left to be done with a failure of its own: the question is dropped, and that is one.
    drop(tokio::task::spawn_blocking(start).await);
    std::future::pending::<()>().await;
}

#[cfg(test)]
mod tests {
    use super::{Prompt, ask};
    use crate::runtime::{NEVER, block_on};
    use preopen::{Answer, Ask, Secret};

    fn answer(start: impl Fn(Prompt) + Send + Sync + 'static) -> Answer {
        let Ask::Async(callback) = ask("pin", start) else {
            panic!("a callback that blocks")
        };
        block_on(async move { callback().await }, || NEVER).unwrap()
    }

    #[test]
    fn a_question_is_answered_from_any_thread() {
        let elsewhere = |prompt: Prompt| {
            assert_eq!(prompt.field(), "pin");
            drop(std::thread::spawn(move || prompt.give(Some(Secret::new("0000")))));
        };
        assert_eq!(answer(elsewhere).unwrap(), Some(Secret::new("0000")));
        assert_eq!(answer(|prompt| prompt.give(None)).unwrap(), None);
    }

    #[test]
    fn a_question_that_fails_or_is_dropped_is_a_typed_error() {
        let failed = answer(|prompt| prompt.fail("raised KeyError")).unwrap_err();
        assert_eq!(
            failed.message(),
            "the callback for pin raised KeyError: nothing was sent"
        );
        for lost in [answer(drop), answer(|_| panic!("a bug"))] {
            assert_eq!(
                lost.unwrap_err().message(),
                "the callback for pin gave no answer: nothing was sent"
            );
        }
    }
}
