//! What the brokers' streams want of a session.

use napi::Env;
use napi::bindgen_prelude::Object;
use napi_derive::napi;

use crate::outcome::{HeadersRecord, NativeCancel, SecretText, run};
use crate::session::NativeSession;

#[napi]
impl NativeSession {
    /// The headers of a handshake; they belong to no generation that is kept.
    #[napi]
    pub fn stream_headers<'env>(
        &self,
        env: &'env Env,
        stream: Option<String>,
        cancel: Option<&mut NativeCancel>,
    ) -> napi::Result<Object<'env>> {
        let session = self.inner.clone();
        run(env, cancel, async move {
            let headers = session.stream_headers(stream.as_deref()).await?;
            Ok(HeadersRecord::passing(headers))
        })
    }

    /// The feed token.
    #[napi]
    pub fn feed_token<'env>(
        &self,
        env: &'env Env,
        cancel: Option<&mut NativeCancel>,
    ) -> napi::Result<Object<'env>> {
        let session = self.inner.clone();
        run(
            env,
            cancel,
            async move { session.feed_token().await.map(SecretText) },
        )
    }
}
