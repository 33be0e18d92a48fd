//! The session: its settings, and its calls for who awaits and for who blocks.

use std::sync::Arc;

use preopen_ffi::preopen::core::wire::Method;
use preopen_ffi::preopen::{self, Call, Secret, Session as RustSession};
use preopen_ffi::{
    Listener, LogoutInfo, PreflightInfo, ProfileInfo, SessionConfig, StateInfo, StoreChoice, WhoAmIInfo,
    prime, seal_key, seconds_to_duration,
};

use crate::clock::VirtualClock;
use crate::consent::{LoginCode, LoginStart, SamcoLegacyCalls};
use crate::credentials::Credentials;
use crate::error::PreopenError;
use crate::events::Events;
use crate::records::{Logout, Preflight, Profile, Reply, SessionState, WhoAmI};
use crate::token::{Headers, Token};
use crate::waiting::{background, block};

/// A name and a value.
#[derive(Clone, Debug, uniffi::Record)]
pub struct NameValue {
    /// The name.
    pub name: String,
    /// The value.
    pub value: String,
}

/// Where a session is shared. Its address may hold a password, so that it shows nothing.
#[derive(uniffi::Object)]
pub struct Store {
    address: Secret,
    key: Option<Secret>,
}

#[uniffi::export]
impl Store {
    /// `memory`, `file`, `file:` and a folder, or `redis://...`; `key` is `keyring` or the text of a key, nothing for the
    /// store's own choice. It is checked when a session is made with it.
    #[uniffi::constructor(default(key = None))]
    pub fn new(address: String, key: Option<String>) -> Self {
        Self {
            address: Secret::new(address),
            key: key.map(Secret::new),
        }
    }
}

/// Settings of a session; what is left out has Rust's default.
#[derive(Clone, Default, uniffi::Record)]
pub struct SessionOptions {
    /// Another address of the broker's API.
    #[uniffi(default)]
    pub base_url: Option<String>,
    /// Hosts that it may name.
    #[uniffi(default)]
    pub allowed_hosts: Vec<String>,
    /// Seconds for one call.
    #[uniffi(default)]
    pub timeout: Option<f64>,
    /// 4, 6, or 0 for whatever the system prefers.
    #[uniffi(default)]
    pub ip_version: Option<u32>,
    /// The address of this machine that calls come from.
    #[uniffi(default)]
    pub source_ip: Option<String>,
    /// A proxy.
    #[uniffi(default)]
    pub proxy: Option<String>,
    /// A file with further certificate authorities.
    #[uniffi(default)]
    pub ca_file: Option<String>,
    /// Whether it logs in again by itself.
    #[uniffi(default)]
    pub keep_warm: bool,
    /// Where it is shared; nowhere by default.
    #[uniffi(default)]
    pub store: Option<Arc<Store>>,
    /// `refuse` or `login`.
    #[uniffi(default)]
    pub on_store_loss: Option<String>,
    /// Limits by group, as JSON text.
    #[uniffi(default)]
    pub rate_limits: Option<String>,
    /// A file to which logins, refusals and logouts are appended, a JSON line each.
    #[uniffi(default)]
    pub audit: Option<String>,
    /// A clock to follow, in tests.
    #[uniffi(default)]
    pub clock: Option<Arc<VirtualClock>>,
}

impl SessionOptions {
    fn into_config(self) -> SessionConfig {
        let store = self.store.as_ref();
        SessionConfig {
            base_url: self.base_url,
            allowed_hosts: self.allowed_hosts,
            timeout: self.timeout,
            ip_version: self.ip_version,
            source_ip: self.source_ip,
            proxy: self.proxy,
            ca_file: self.ca_file,
            keep_warm: self.keep_warm,
            store_key: store.and_then(|store| store.key.clone()),
            store: store.map(|store| StoreChoice::Address(store.address.clone())),
            on_store_loss: self.on_store_loss,
            rate_limits: self.rate_limits,
            audit: self.audit,
            clock: self.clock.map(|clock| Arc::clone(&clock.inner)),
        }
    }
}

/// What a call to the broker may have beside method and path.
#[derive(Clone, Debug, Default, uniffi::Record)]
pub struct CallOptions {
    /// The query.
    #[uniffi(default)]
    pub params: Vec<NameValue>,
    /// Further headers.
    #[uniffi(default)]
    pub headers: Vec<NameValue>,
    /// The body, as JSON text.
    #[uniffi(default)]
    pub json: Option<String>,
    /// Whether the call may be repeated; by default the broker's table of endpoints says so.
    #[uniffi(default)]
    pub replay_safe: Option<bool>,
    /// Seconds.
    #[uniffi(default)]
    pub timeout: Option<f64>,
}

impl CallOptions {
    fn on(self, session: &RustSession, method: Method, path: String) -> preopen::Result<Call> {
        let mut call = session.request(method, path);
        for one in self.params {
            call = call.query(one.name, one.value);
        }
        for one in self.headers {
            call = call.header(one.name, one.value);
        }
        if let Some(text) = self.json {
            call = call.json_text(text);
        }
        if let Some(safe) = self.replay_safe {
            call = call.replay_safe(safe);
        }
        if let Some(seconds) = self.timeout {
            call = call.timeout(seconds_to_duration(seconds)?);
        }
        Ok(call)
    }
}

/// A session that keeps itself valid; its calls are asynchronous. Making one does no I/O.
#[derive(uniffi::Object)]
#[uniffi::export(Debug, Display)]
pub struct Session {
    inner: RustSession,
}

/// The same session for who blocks.
#[derive(uniffi::Object)]
#[uniffi::export(Debug, Display)]
pub struct BlockingSession {
    inner: RustSession,
}

shows_inner!(Session, inner);
shows_inner!(BlockingSession, inner);

#[uniffi::export]
impl Session {
    /// Checks everything and makes a session. Errors: `InvalidInput` with the field.
    #[uniffi::constructor(default(options))]
    pub fn new(credentials: &Credentials, options: SessionOptions) -> Result<Self, PreopenError> {
        let inner = options.into_config().build(credentials.inner.clone())?;
        Ok(Self { inner })
    }

    /// The same session for who blocks.
    pub fn blocking(&self) -> BlockingSession {
        let inner = self.inner.clone();
        BlockingSession { inner }
    }

    /// The broker's name.
    pub fn broker(&self) -> String {
        self.inner.broker().to_owned()
    }

    /// `live`, `sandbox` or `custom`.
    pub fn environment(&self) -> String {
        self.inner.environment().as_str().to_owned()
    }

    /// The store that the session is shared through, in a few words.
    pub fn store(&self) -> Option<String> {
        self.inner.store()
    }

    /// The live token, if there is one; no I/O.
    pub fn try_token(&self) -> Option<Arc<Token>> {
        let token = self.inner.try_fresh_token();
        token.map(|token| Arc::new(Token(token)))
    }

    /// What the session is doing; no I/O.
    pub fn state(&self) -> SessionState {
        StateInfo::from(self.inner.state()).into()
    }

    /// What happens from now on.
    pub fn events(&self) -> Events {
        Events::new(Listener::new(self.inner.events()))
    }

    /// Takes over an exported session; a sealed one is opened with `key`, or that of the environment. Errors:
    /// `InvalidInput`.
    #[uniffi::method(default(key = None))]
    pub fn prime(&self, record: String, key: Option<String>) -> Result<(), PreopenError> {
        let record = Secret::new(record);
        Ok(prime(&self.inner, record.expose(), key)?)
    }

    /// Says that the broker refused the token of this generation.
    pub fn invalidate(&self, generation: u64) {
        self.inner.invalidate(generation);
    }

    /// Lets a blocked session try again.
    pub fn reset(&self) {
        self.inner.reset();
    }

    /// Forgets the token in this process; it never logs out.
    pub fn close(&self) {
        self.inner.close();
    }

    /// Samco's deprecated calls. Errors: `InvalidInput` for other credentials.
    pub fn samco_legacy(&self) -> Result<SamcoLegacyCalls, PreopenError> {
        #[allow(deprecated, reason = "the documentation says so")]
        let calls = self.inner.samco_legacy()?;
        Ok(SamcoLegacyCalls(calls))
    }
}

/// Each call once, for both kinds of session.
macro_rules! calls {
    ($(
        $(#[$meta:meta])+
        fn $name:ident(&$session:ident $(, $argument:ident: $type:ty)*) -> $out:ty $body:block
    )+) => {
        #[uniffi::export]
        impl Session {
            $(
                $(#[$meta])+
                pub async fn $name(&self $(, $argument: $type)*) -> Result<$out, PreopenError> {
                    let $session = self.inner.clone();
                    background(async move $body).await
                }
            )+
        }

        #[uniffi::export]
        impl BlockingSession {
            $(
                $(#[$meta])+
                pub fn $name(&self $(, $argument: $type)*) -> Result<$out, PreopenError> {
                    let $session = self.inner.clone();
                    block(async move $body)
                }
            )+
        }
    };
}

calls! {
    /// A live token. It logs in when there is none. Errors: those of a login.
    fn token(&session) -> Token { session.token().await.map(Token) }

    /// The headers of an authenticated call. Errors: as `token`.
    fn headers(&session) -> Headers { session.headers().await.map(Headers) }

    /// The headers of a stream's handshake; `stream` names one, nothing for the broker's usual one.
    #[uniffi::method(default(stream = None))]
    fn stream_headers(&session, stream: Option<String>) -> Headers {
        session.stream_headers(stream.as_deref()).await.map(Headers)
    }

    /// The feed token.
    fn feed_token(&session) -> String { session.feed_token().await.map(|token| token.expose().to_owned()) }

    /// Which address the broker sees.
    fn whoami(&session) -> WhoAmI { session.whoami().await.map(|who| WhoAmIInfo::from(who).into()) }

    /// Who the session belongs to.
    fn profile(&session) -> Profile { session.profile().await.map(|profile| ProfileInfo::from(profile).into()) }

    /// Whether this host can place orders now; `strict` wants every check to pass.
    #[uniffi::method(default(strict = false))]
    fn preflight(&session, strict: bool) -> Preflight {
        let found = session.preflight().await;
        Ok(PreflightInfo::from(if strict { found.strict() } else { found }).into())
    }

    /// A read.
    #[uniffi::method(default(options))]
    fn get(&session, path: String, options: CallOptions) -> Reply {
        options.on(&session, Method::Get, path)?.send().await.map(Reply::from)
    }

    /// A call with a body; a write is never repeated.
    #[uniffi::method(default(options))]
    fn post(&session, path: String, options: CallOptions) -> Reply {
        options.on(&session, Method::Post, path)?.send().await.map(Reply::from)
    }

    /// A call with any method: `GET`, `POST`, `PUT` or `DELETE`.
    #[uniffi::method(default(options))]
    fn request(&session, method: String, path: String, options: CallOptions) -> Reply {
        let method = Method::parse(&method)?;
        options.on(&session, method, path)?.send().await.map(Reply::from)
    }

    /// Begins a login at the broker's page.
    fn begin_login(&session) -> LoginStart { session.begin_login().await.map(LoginStart) }

    /// Completes a login with the address that the browser ended on.
    fn complete_login(&session, url: String) -> () {
        let url = Secret::new(url);
        session.complete_login(url.expose()).await
    }

    /// A code for another login, at Samco.
    fn web_login_code(&session) -> LoginCode { session.web_login_code().await.map(LoginCode) }

    /// The live session, sealed with `key` or that of the environment.
    #[uniffi::method(default(key = None))]
    fn export(&session, key: Option<String>) -> String { session.export(&seal_key(key)?).await }

    /// The live session as JSON text with its tokens in clear.
    fn export_exposed(&session) -> String {
        session.export_exposed().await.map(|record| record.expose().to_owned())
    }

    /// Logs the account out.
    fn logout(&session) -> Logout { session.logout().await.map(|logout| LogoutInfo::from(logout).into()) }
}
