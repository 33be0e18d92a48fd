//! Callbacks that know a secret: how Rust asks JavaScript, and how JavaScript answers.

use std::sync::Arc;

use napi::Either;
use napi::bindgen_prelude::Function;
use napi::threadsafe_function::UnknownReturnValue;
use napi_derive::napi;
use preopen_ffi::preopen::runtime::Asking;
use preopen_ffi::preopen::{Answer, Ask, Secret, SecretSource, callback_failed};
use tokio::sync::oneshot;

use crate::caller::Caller;

/// JavaScript's function that gets the question and answers it when it can.
pub(crate) type Answerer<'env> = Function<'env, NativeQuestion, UnknownReturnValue>;

/// One question, to be answered once. One that is dropped without an answer fails.
#[napi]
#[derive(Debug)]
pub struct NativeQuestion {
    pub(crate) asking: Asking,
    field: &'static str,
    answer: Option<oneshot::Sender<Answer>>,
}

#[napi]
impl NativeQuestion {
    /// The secret; `null` when nobody is there to give it.
    #[napi]
    pub fn answer(&mut self, secret: Option<String>) {
        self.send(Ok(secret.map(Secret::new)));
    }

    /// The callback failed; `how` completes a sentence, for example `threw TypeError`.
    #[napi]
    pub fn fail(&mut self, how: String) {
        self.send(Err(callback_failed(self.field, &how)));
    }

    fn send(&mut self, answer: Answer) {
        if let Some(sender) = self.answer.take() {
            // Nobody waits any more after a logout.
            drop(sender.send(answer));
        }
    }
}

/// A secret that was given, or a function to ask for it.
pub(crate) fn source(field: &'static str, given: Either<String, Answerer<'_>>) -> napi::Result<SecretSource> {
    Ok(match given {
        Either::A(secret) => secret.into(),
        Either::B(function) => ask(field, &function)?.into(),
    })
}

/// A callback over a function of JavaScript's.
pub(crate) fn ask(field: &'static str, function: &Answerer<'_>) -> napi::Result<Ask> {
    let caller = Arc::new(Caller::new(function)?);
    Ok(Ask::new(move || answered(field, Arc::clone(&caller))))
}

async fn answered(field: &'static str, caller: Arc<Caller<NativeQuestion>>) -> Answer {
    let (sender, answer) = oneshot::channel();
    let question = NativeQuestion {
        asking: Asking::here(),
        field,
        answer: Some(sender),
    };
    tokio::select! {
        biased;
        answer = answer => answer.unwrap_or_else(|_| Err(callback_failed(field, "cannot answer any more"))),
        () = caller.ask(question) => Err(callback_failed(field, "belongs to a thread that has ended")),
    }
}
