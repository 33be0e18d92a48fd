//! Logins at the broker's page, login codes, and Samco's deprecated calls.

use std::sync::Arc;

use napi::bindgen_prelude::{Object, ToNapiValue};
use napi::{Env, sys};
use napi_derive::napi;
use preopen_ffi::preopen::{LoginCode, LoginStart, Reply, Result, SamcoLegacyCalls, Secret};
use preopen_ffi::{LoginSettings, LoginUnderWay};

use crate::outcome::{NativeCancel, Outcome, run};
use crate::reply::ReplyRecord;
use crate::session::NativeSession;

/// A login that was begun, on its way out: the page goes straight into JavaScript, without a copy that Rust could not wipe.
pub(crate) struct StartRecord(LoginStart);

impl ToNapiValue for StartRecord {
    #[allow(unsafe_code, reason = "the trait's only method is unsafe")]
    unsafe fn to_napi_value(env: sys::napi_env, record: Self) -> napi::Result<sys::napi_value> {
        let mut object = Object::new(&Env::from_raw(env))?;
        object.set("url", record.0.url())?;
        object.set("expiresAtMs", record.0.expires_at.as_millis())?;
        // SAFETY: `env` is the environment that this call was given.
        unsafe { Object::to_napi_value(env, object) }
    }
}

/// A code for another login, likewise.
pub(crate) struct CodeRecord(LoginCode);

impl ToNapiValue for CodeRecord {
    #[allow(unsafe_code, reason = "the trait's only method is unsafe")]
    unsafe fn to_napi_value(env: sys::napi_env, record: Self) -> napi::Result<sys::napi_value> {
        let mut object = Object::new(&Env::from_raw(env))?;
        object.set("value", record.0.code.expose())?;
        object.set("expiresAtMs", record.0.expires_at.as_millis())?;
        // SAFETY: `env` is the environment that this call was given.
        unsafe { Object::to_napi_value(env, object) }
    }
}

/// A login that is under way in the background.
#[napi]
#[derive(Debug)]
pub struct NativeLogin {
    inner: Arc<LoginUnderWay>,
}

#[napi]
impl NativeLogin {
    /// Waits for what is to be shown; `null` when the login ended before.
    #[napi]
    pub fn started<'env>(&self, env: &'env Env) -> napi::Result<Object<'env>> {
        let login = Arc::clone(&self.inner);
        run(
            env,
            None,
            async move { Ok(login.started().await?.map(StartRecord)) },
        )
    }

    /// Waits for its end.
    #[napi]
    pub fn outcome<'env>(&self, env: &'env Env) -> napi::Result<Object<'env>> {
        let login = Arc::clone(&self.inner);
        run(env, None, async move { login.outcome().await })
    }

    /// Gives it up, if it is not over; its port is free when this returns.
    #[napi]
    pub fn close(&self) {
        self.inner.close();
    }
}

#[napi]
impl NativeSession {
    /// Begins a login at the broker's page.
    #[napi]
    pub fn begin_login<'env>(
        &self,
        env: &'env Env,
        cancel: Option<&mut NativeCancel>,
    ) -> napi::Result<Object<'env>> {
        let session = self.inner.clone();
        run(env, cancel, async move {
            session.begin_login().await.map(StartRecord)
        })
    }

    /// Completes a login with the address that the browser ended on.
    #[napi]
    pub fn complete_login<'env>(
        &self,
        env: &'env Env,
        address: String,
        cancel: Option<&mut NativeCancel>,
    ) -> napi::Result<Object<'env>> {
        let session = self.inner.clone();
        let address = Secret::new(address);
        run(env, cancel, async move {
            session.complete_login(address.expose()).await
        })
    }

    /// Begins a login in the background; `shows` tells that somebody waits for the page to show. `cancel` tells of the
    /// callback that asks for it.
    #[napi]
    pub fn login(
        &self,
        open_browser: Option<bool>,
        timeout: Option<f64>,
        shows: bool,
        cancel: Option<&NativeCancel>,
    ) -> Outcome<NativeLogin> {
        let settings = LoginSettings {
            open_browser,
            timeout,
            shows,
        };
        let asking = cancel.map(NativeCancel::asking).unwrap_or_default();
        let login = LoginUnderWay::start(&self.inner, settings, asking);
        Outcome(login.map(|login| NativeLogin {
            inner: Arc::new(login),
        }))
    }

    /// A code for another login.
    #[napi]
    pub fn web_login_code<'env>(
        &self,
        env: &'env Env,
        cancel: Option<&mut NativeCancel>,
    ) -> napi::Result<Object<'env>> {
        let session = self.inner.clone();
        run(env, cancel, async move {
            session.web_login_code().await.map(CodeRecord)
        })
    }

    /// Samco's deprecated calls.
    #[napi]
    #[allow(deprecated, reason = "the TypeScript around it is tagged")]
    pub fn samco_legacy(&self) -> Outcome<NativeLegacy> {
        Outcome(self.inner.samco_legacy().map(|inner| NativeLegacy { inner }))
    }
}

/// Samco's deprecated calls.
#[napi]
#[derive(Debug)]
pub struct NativeLegacy {
    inner: SamcoLegacyCalls,
}

#[napi]
#[allow(deprecated, reason = "the TypeScript around it is tagged")]
impl NativeLegacy {
    /// Has a one-time code sent.
    #[napi]
    pub fn generate_otp<'env>(
        &self,
        env: &'env Env,
        cancel: Option<&mut NativeCancel>,
    ) -> napi::Result<Object<'env>> {
        let calls = self.inner.clone();
        run(env, cancel, async move { record(calls.generate_otp().await) })
    }

    /// Has the secret API key mailed.
    #[napi]
    pub fn generate_secret_key<'env>(
        &self,
        env: &'env Env,
        otp: String,
        cancel: Option<&mut NativeCancel>,
    ) -> napi::Result<Object<'env>> {
        let calls = self.inner.clone();
        let otp = Secret::new(otp);
        run(env, cancel, async move {
            record(calls.generate_secret_key(otp).await)
        })
    }

    /// Registers the addresses.
    #[napi]
    pub fn register_ips<'env>(
        &self,
        env: &'env Env,
        primary: String,
        secondary: Option<String>,
        cancel: Option<&mut NativeCancel>,
    ) -> napi::Result<Object<'env>> {
        let calls = self.inner.clone();
        run(env, cancel, async move {
            record(calls.register_ips(&primary, secondary.as_deref()).await)
        })
    }

    /// Changes the addresses.
    #[napi]
    pub fn update_ips<'env>(
        &self,
        env: &'env Env,
        primary: String,
        secondary: Option<String>,
        cancel: Option<&mut NativeCancel>,
    ) -> napi::Result<Object<'env>> {
        let calls = self.inner.clone();
        run(env, cancel, async move {
            record(calls.update_ips(&primary, secondary.as_deref()).await)
        })
    }
}

fn record(reply: Result<Reply>) -> Result<ReplyRecord> {
    reply.map(ReplyRecord::from)
}
