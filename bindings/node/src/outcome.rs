//! How results cross the border: as tagged objects, at once or through a promise that always settles.

use napi::bindgen_prelude::{Object, ToNapiValue};
use napi::{Env, sys};
use napi_derive::napi;
use preopen_ffi::ErrorInfo;
use preopen_ffi::preopen::runtime::Asking;
use preopen_ffi::preopen::{Error, ErrorKind, Headers, Result, Secret, Session, Token};
use preopen_ffi::runtime::{self, Task};
use serde::Serialize;

use crate::ask::NativeQuestion;
use crate::promises::Deferred;

/// `{ok}` or `{error}`, where `error` is an `ErrorInfo` as JSON text.
pub struct Outcome<T>(pub(crate) Result<T>);

impl<T: ToNapiValue> ToNapiValue for Outcome<T> {
    #[allow(unsafe_code, reason = "the trait's only method is unsafe")]
    unsafe fn to_napi_value(env: sys::napi_env, outcome: Self) -> napi::Result<sys::napi_value> {
        let mut object = Object::new(&Env::from_raw(env))?;
        match outcome.0 {
            Ok(value) => object.set("ok", value)?,
            Err(error) => object.set("error", json(&ErrorInfo::from(error)))?,
        }
        // SAFETY: `env` is the environment that this call was given.
        unsafe { Object::to_napi_value(env, object) }
    }
}

/// JSON text. The records are plain data, so writing them cannot fail; if it did, the text says so.
pub(crate) fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned())
}

/// A token on its way out: its text goes straight into JavaScript, without a copy that Rust could not wipe.
pub(crate) struct TokenRecord(pub(crate) Token);

impl ToNapiValue for TokenRecord {
    #[allow(unsafe_code, reason = "the trait's only method is unsafe")]
    unsafe fn to_napi_value(env: sys::napi_env, record: Self) -> napi::Result<sys::napi_value> {
        let token = record.0;
        let mut object = Object::new(&Env::from_raw(env))?;
        object.set("value", token.expose())?;
        object.set("expiresAtMs", token.expires_at().as_millis())?;
        object.set("generation", number(token.generation()))?;
        // SAFETY: `env` is the environment that this call was given.
        unsafe { Object::to_napi_value(env, object) }
    }
}

/// A secret on its way out, likewise.
pub(crate) struct SecretText(pub(crate) Secret);

impl ToNapiValue for SecretText {
    #[allow(unsafe_code, reason = "the trait's only method is unsafe")]
    unsafe fn to_napi_value(env: sys::napi_env, secret: Self) -> napi::Result<sys::napi_value> {
        // SAFETY: `env` is the environment that this call was given.
        unsafe { <&str>::to_napi_value(env, secret.0.expose()) }
    }
}

/// Headers on their way out, likewise, with the generation that they belong to.
pub struct HeadersRecord {
    generation: u64,
    headers: Headers,
}

impl HeadersRecord {
    /// The headers of a live token. Their generation is 0, which nobody keeps, when the session changed meanwhile.
    pub(crate) async fn of(session: &Session) -> Result<Self> {
        let before = session.token().await?.generation();
        let headers = session.headers().await?;
        let after = session.try_token().map(|token| token.generation());
        let generation = if after == Some(before) { before } else { 0 };
        Ok(Self { generation, headers })
    }

    /// Headers that nobody keeps.
    pub(crate) fn passing(headers: Headers) -> Self {
        let generation = 0;
        Self { generation, headers }
    }
}

impl ToNapiValue for HeadersRecord {
    #[allow(unsafe_code, reason = "the trait's only method is unsafe")]
    unsafe fn to_napi_value(env: sys::napi_env, record: Self) -> napi::Result<sys::napi_value> {
        let mut values = Object::new(&Env::from_raw(env))?;
        for (name, value) in record.headers.expose() {
            values.set(name, value)?;
        }
        let mut object = Object::new(&Env::from_raw(env))?;
        object.set("values", values)?;
        object.set("generation", number(record.generation))?;
        // SAFETY: `env` is the environment that this call was given.
        unsafe { Object::to_napi_value(env, object) }
    }
}

/// A generation as JavaScript's number; it counts logins, so it never reaches 2^53.
#[allow(clippy::cast_precision_loss, reason = "a count of logins")]
pub(crate) fn number(generation: u64) -> f64 {
    generation as f64
}

/// A promise that settles even if its task is stopped or panics.
struct Pending<T: ToNapiValue + Send + 'static>(Option<Deferred<Outcome<T>>>);

impl<T: ToNapiValue + Send + 'static> Pending<T> {
    fn settle(mut self, result: Result<T>) {
        self.resolve(result);
    }

    fn resolve(&mut self, result: Result<T>) {
        if let Some(deferred) = self.0.take() {
            deferred.resolve(Outcome(result));
        }
    }
}

impl<T: ToNapiValue + Send + 'static> Drop for Pending<T> {
    fn drop(&mut self) {
        self.resolve(Err(if std::thread::panicking() {
            Error::new(ErrorKind::Internal, "the call ended without a result")
        } else {
            Error::new(ErrorKind::Cancelled, "the call was given up")
        }));
    }
}

/// Stops a call: make one, hand it to the call, and call `abort` when its result is not wanted any more. A login
/// that the call waited for goes on.
#[napi]
#[derive(Debug, Default)]
pub struct NativeCancel {
    task: Option<Task>,
    asking: Asking,
}

#[napi]
impl NativeCancel {
    /// A handle that belongs to no call yet; `question` is the one whose callback makes the call, if one does.
    #[napi(constructor)]
    pub fn new(question: Option<&NativeQuestion>) -> Self {
        Self {
            task: None,
            asking: question.map_or_else(Asking::default, |question| question.asking),
        }
    }

    /// The login that waits for whoever makes the call.
    pub(crate) fn asking(&self) -> Asking {
        self.asking
    }

    /// Stops the call.
    #[napi]
    pub fn abort(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
    }
}

/// Runs `future` on the background thread. The promise resolves to its outcome.
pub(crate) fn run<'env, T: ToNapiValue + Send + 'static>(
    env: &'env Env,
    cancel: Option<&mut NativeCancel>,
    future: impl Future<Output = Result<T>> + Send + 'static,
) -> napi::Result<Object<'env>> {
    let (deferred, promise) = Deferred::open(env)?;
    let pending = Pending(Some(deferred));
    let asking = cancel.as_ref().map(|cancel| cancel.asking).unwrap_or_default();
    let future = asking.carry(future);
    if let Ok(task) = runtime::spawn(future, move |result| pending.settle(result))
        && let Some(cancel) = cancel
    {
        cancel.task = Some(task);
    }
    Ok(promise)
}
