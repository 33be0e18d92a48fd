//! Calls that another HTTP client of JavaScript's sends with the session's token.

use std::sync::Arc;

use napi::Env;
use napi::bindgen_prelude::{Object, Uint8Array};
use napi_derive::napi;
use preopen_ffi::{ErrorInfo, ForeignCall, SignedCall, raw_reply};
use serde::Serialize;

use crate::call::pairs;
use crate::outcome::{HeadersRecord, NativeCancel, Outcome, json, run};
use crate::session::NativeSession;

/// A call that another HTTP client sends.
#[napi]
#[derive(Debug)]
pub struct NativeForeignCall {
    inner: Arc<ForeignCall>,
}

/// The same with the session that it is sent with.
#[napi]
#[derive(Debug)]
pub struct NativeSignedCall {
    inner: SignedCall,
}

#[derive(Serialize)]
struct Answer {
    repeat: bool,
    error: Option<ErrorInfo>,
}

#[napi]
impl NativeSession {
    /// The address of the API.
    #[napi(getter)]
    pub fn base_url(&self) -> &str {
        self.inner.base_url()
    }

    /// Looks at a call before it is sent: what is refused must not get the token.
    #[napi]
    pub fn foreign(&self, method: String, url: String) -> Outcome<NativeForeignCall> {
        Outcome(
            self.inner
                .foreign(&method, &url)
                .map(|inner| NativeForeignCall { inner }),
        )
    }
}

#[napi]
impl NativeForeignCall {
    /// The call with the live session, if there is one; `null` when that takes waiting.
    #[napi]
    pub fn try_sign(&self) -> Outcome<Option<NativeSignedCall>> {
        let signed = self.inner.try_sign();
        Outcome(signed.map(|signed| signed.map(|inner| NativeSignedCall { inner })))
    }

    /// The call with a live session; logs in if there is none.
    #[napi]
    pub fn sign<'env>(
        &self,
        env: &'env Env,
        cancel: Option<&mut NativeCancel>,
    ) -> napi::Result<Object<'env>> {
        let call = Arc::clone(&self.inner);
        run(env, cancel, async move {
            call.sign().await.map(|inner| NativeSignedCall { inner })
        })
    }
}

#[napi]
impl NativeSignedCall {
    /// Whether the body of a reply can tell anything about the session.
    #[napi]
    pub fn is_telling(status: u16, content_type: Option<String>) -> bool {
        SignedCall::is_telling(status, content_type.as_deref())
    }

    /// Every header of the call; they belong to no generation that is kept.
    #[napi]
    pub fn headers(&self) -> Outcome<HeadersRecord> {
        Outcome(Ok(HeadersRecord::passing(self.inner.headers())))
    }

    /// Takes in a reply; `headers` are names and values in turn. Gives what it means as JSON text.
    #[napi]
    pub fn answered(&self, status: u16, headers: Vec<String>, body: Uint8Array, sendable: bool) -> String {
        let headers: Vec<_> = pairs(headers).collect();
        let headers = headers.iter().map(|(name, value)| (&**name, &**value));
        let answered = self
            .inner
            .answered(raw_reply(status, headers, body.to_vec()), sendable);
        json(&Answer {
            repeat: answered.repeat,
            error: answered.error.map(ErrorInfo::from),
        })
    }
}
