//! The session, one method a call.

use napi::bindgen_prelude::{ClassInstance, Function, Object};
use napi::{Either, Env};
use napi_derive::napi;
use preopen_ffi::preopen::{Result, SealKey, Secret, Session};
use preopen_ffi::{LogoutInfo, PreflightInfo, ProfileInfo, StateInfo, WhoAmIInfo};

use crate::call::{NativeCall, NativeOptions};
use crate::clock::NativeClock;
use crate::credentials::NativeCredentials;
use crate::events::NativeEvents;
use crate::live;
use crate::outcome::{HeadersRecord, NativeCancel, Outcome, SecretText, TokenRecord, json, run};
use crate::reply::ReplyRecord;
use crate::store::{NativeStore, choice};

/// A broker session.
#[napi]
#[derive(Debug)]
pub struct NativeSession {
    pub(crate) inner: Session,
}

/// Checks everything and makes a session; no I/O.
#[napi]
pub(crate) fn open_session(
    credentials: &NativeCredentials,
    options: NativeOptions,
    store: Option<Either<String, NativeStore<'_>>>,
    clock: Option<ClassInstance<'_, NativeClock>>,
) -> napi::Result<Outcome<NativeSession>> {
    let mut config = options.into_config();
    config.clock = clock.map(|clock| clock.inner.clone());
    let store = store.map(choice).transpose()?.transpose();
    let open = |store| {
        config.store = store;
        config.build(credentials.inner.clone())
    };
    Ok(Outcome(store.and_then(open).map(|inner| NativeSession { inner })))
}

/// A new key to seal sessions with.
#[napi]
pub(crate) fn generate_key() -> Outcome<SecretText> {
    Outcome(SealKey::generate().map(|key| SecretText(key.to_text())))
}

#[napi]
impl NativeSession {
    /// The broker's name.
    #[napi(getter)]
    pub fn broker(&self) -> &'static str {
        self.inner.broker()
    }

    /// `live`, `sandbox` or `custom`.
    #[napi(getter)]
    pub fn environment(&self) -> &'static str {
        self.inner.environment().as_str()
    }

    /// The store that the session is shared through, in a few words.
    #[napi(getter)]
    pub fn store(&self) -> Option<String> {
        self.inner.store()
    }

    /// A function that tells the generation of the live token, or 0 when there is none: the cheap check before a
    /// value that was kept is used. A bare function is several times as fast to call as a method.
    #[napi]
    pub fn live_check<'env>(&self, env: &'env Env) -> napi::Result<Function<'env, (), f64>> {
        live::check(env, self.inner.clone())
    }

    /// A live token.
    #[napi]
    pub fn token<'env>(
        &self,
        env: &'env Env,
        cancel: Option<&mut NativeCancel>,
    ) -> napi::Result<Object<'env>> {
        let session = self.inner.clone();
        run(env, cancel, async move { session.token().await.map(TokenRecord) })
    }

    /// The headers of an authenticated call, with the generation of their token.
    #[napi]
    pub fn headers<'env>(
        &self,
        env: &'env Env,
        cancel: Option<&mut NativeCancel>,
    ) -> napi::Result<Object<'env>> {
        let session = self.inner.clone();
        run(env, cancel, async move { HeadersRecord::of(&session).await })
    }

    /// Which address the broker sees.
    #[napi]
    pub fn whoami<'env>(
        &self,
        env: &'env Env,
        cancel: Option<&mut NativeCancel>,
    ) -> napi::Result<Object<'env>> {
        let session = self.inner.clone();
        run(env, cancel, async move {
            session.whoami().await.map(|who| json(&WhoAmIInfo::from(who)))
        })
    }

    /// Whether this host can place orders now.
    #[napi]
    pub fn preflight<'env>(
        &self,
        env: &'env Env,
        strict: bool,
        cancel: Option<&mut NativeCancel>,
    ) -> napi::Result<Object<'env>> {
        let session = self.inner.clone();
        run(env, cancel, async move {
            let found = session.preflight().await;
            let found = if strict { found.strict() } else { found };
            Ok(json(&PreflightInfo::from(found)))
        })
    }

    /// Who the session belongs to.
    #[napi]
    pub fn profile<'env>(
        &self,
        env: &'env Env,
        cancel: Option<&mut NativeCancel>,
    ) -> napi::Result<Object<'env>> {
        let session = self.inner.clone();
        run(env, cancel, async move {
            let profile = session.profile().await?;
            Ok(json(&ProfileInfo::from(profile)))
        })
    }

    /// A call to the broker.
    #[napi]
    pub fn request<'env>(
        &self,
        env: &'env Env,
        call: NativeCall,
        cancel: Option<&mut NativeCancel>,
    ) -> napi::Result<Object<'env>> {
        let call = call.on(&self.inner);
        run(env, cancel, async move {
            let reply = call?.send().await?;
            Ok(ReplyRecord::from(reply))
        })
    }

    /// A listener of what happens from now on.
    #[napi]
    pub fn events(&self) -> NativeEvents {
        NativeEvents::new(self.inner.events())
    }

    /// The live session, sealed with `key`.
    #[napi]
    pub fn export<'env>(
        &self,
        env: &'env Env,
        key: String,
        cancel: Option<&mut NativeCancel>,
    ) -> napi::Result<Object<'env>> {
        let session = self.inner.clone();
        let key = SealKey::from_text(key);
        run(env, cancel, async move { session.export(&key?).await })
    }

    /// The live session as JSON text with its tokens in clear.
    #[napi]
    pub fn export_exposed<'env>(
        &self,
        env: &'env Env,
        cancel: Option<&mut NativeCancel>,
    ) -> napi::Result<Object<'env>> {
        let session = self.inner.clone();
        run(env, cancel, async move {
            session.export_exposed().await.map(SecretText)
        })
    }

    /// Takes over an exported session.
    #[napi]
    pub fn prime(&self, record: String, key: Option<String>) -> Outcome<()> {
        let record = Secret::new(record);
        let key = key.map(SealKey::from_text).transpose();
        Outcome(key.and_then(|key| self.inner.prime(record.expose(), key.as_ref())))
    }

    /// What the session is doing, as JSON text.
    #[napi]
    pub fn state(&self) -> String {
        json(&StateInfo::from(self.inner.state()))
    }

    /// Says that the broker refused the token of this generation.
    #[napi]
    pub fn invalidate(&self, generation: i64) {
        if let Ok(generation) = u64::try_from(generation) {
            self.inner.invalidate(generation);
        }
    }

    /// Lets a blocked session try again.
    #[napi]
    pub fn reset(&self) {
        self.inner.reset();
    }

    /// Logs the account out.
    #[napi]
    pub fn logout<'env>(
        &self,
        env: &'env Env,
        cancel: Option<&mut NativeCancel>,
    ) -> napi::Result<Object<'env>> {
        let session = self.inner.clone();
        run(env, cancel, async move {
            let logout: Result<_> = session.logout().await;
            Ok(json(&LogoutInfo::from(logout?)))
        })
    }

    /// Forgets the token in this process.
    #[napi]
    pub fn close(&self) {
        self.inner.close();
    }
}
