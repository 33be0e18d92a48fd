//! Samco Trade API v3.2: credentials of the direct login and the adapter over the other files here.

pub(super) mod catalogue;
pub(super) mod faults;
mod legacy;
mod login_code;
mod oauth;
mod policy;
pub(super) mod replies;
mod requests;

use std::sync::Arc;

use crate::ask::{Question, SecretSource};
use crate::broker::{
    Adapter, Login, Policy, Profile, ProfileSource, Tokens, check_credential, check_source, fingerprint,
    variable,
};
use crate::envelope::Reply;
use crate::error::Result;
use crate::secret::Secret;
use crate::static_ip::WhoAmI;
use crate::totp::OneTimeCode;
use crate::wire::{Endpoint, Method, RawReply, Request};

pub use legacy::SamcoLegacy;
pub use login_code::SamcoLoginCode;
pub use oauth::SamcoOAuth;

/// What all of Samco's credentials have in common: every call of a session.
macro_rules! samco_calls {
    () => {
        fn policy(&self) -> &'static Policy {
            &crate::brokers::samco::policy::POLICY
        }

        fn endpoint(&self, method: Method, path: &str) -> Endpoint {
            requests::endpoint(method, path)
        }

        fn headers(&self, tokens: &Tokens) -> Vec<(String, Secret)> {
            requests::headers(tokens)
        }

        fn read(&self, endpoint: &Endpoint, raw: &RawReply) -> Result<Reply> {
            replies::read(endpoint, raw)
        }

        fn read_lazily(&self, endpoint: &Endpoint, raw: RawReply) -> Result<Reply> {
            replies::read_lazily(endpoint, raw)
        }

        fn whoami(&self) -> Option<Request> {
            Some(Request::new(requests::endpoint(
                Method::Get,
                requests::WHOAMI,
            )))
        }

        fn read_whoami(&self, reply: &Reply) -> Result<WhoAmI> {
            replies::whoami(reply)
        }

        fn profile(&self) -> ProfileSource {
            ProfileSource::Login
        }

        fn read_profile(&self, reply: &Reply) -> Profile {
            replies::profile(reply.data())
        }

        fn login_code(&self) -> Option<Request> {
            Some(Request::new(requests::endpoint(
                Method::Get,
                requests::LOGIN_CODE,
            )))
        }

        fn read_login_code(&self, reply: &Reply) -> Result<(Secret, std::time::Duration)> {
            replies::login_code(reply)
        }

        fn is_own(&self, endpoint: &Endpoint) -> bool {
            requests::is_own(endpoint)
        }

        fn streams(&self) -> &'static [&'static str] {
            &[requests::STREAM]
        }

        fn stream_headers(&self, _stream: &str, tokens: &Tokens) -> Option<Vec<(String, Secret)>> {
            Some(vec![requests::session_header(tokens)])
        }
    };
}
use samco_calls;

/// Credentials of Samco's direct login: the API key and API secret of an app, exactly as Samco delivered
/// them. Both arrive already encrypted and are sent as they are (documented); white space around them is
/// dropped.
///
/// ```
/// use preopen_core::{broker::Adapter, brokers::Samco};
/// assert!(Samco::new("key", "secret").validate().is_ok());
/// assert_eq!(Samco::new("", "secret").validate().unwrap_err().field(), Some("api_key"));
/// ```
#[derive(Clone)]
pub struct Samco {
    api_key: Secret,
    api_secret: SecretSource,
}

impl Samco {
    /// Credentials from `SAMCO_API_KEY` and `SAMCO_API_SECRET`. Errors: `InvalidInput` with the variable that
    /// is missing.
    pub fn from_env() -> Result<Self> {
        Self::from_lookup(|name| std::env::var(name).ok())
    }

    /// Credentials from variables of the same names that `look_up` finds. Errors: `InvalidInput`.
    pub fn from_lookup(look_up: impl Fn(&str) -> Option<String>) -> Result<Self> {
        Ok(Self::new(
            variable("SAMCO_API_KEY", &look_up)?,
            variable("SAMCO_API_SECRET", &look_up)?,
        ))
    }

    /// Credentials from the app's key and secret. They are checked when a session is built; a secret that is asked
    /// for ([`Ask`](crate::ask::Ask)) is checked when it was answered, before anything is sent.
    pub fn new(api_key: impl Into<Secret>, api_secret: impl Into<SecretSource>) -> Self {
        Self {
            api_key: api_key.into().trimmed(),
            api_secret: api_secret.into().trimmed(),
        }
    }
}

crate::brokers::shows_nothing!(Samco);

impl Adapter for Samco {
    samco_calls!();

    fn validate(&self) -> Result<()> {
        check_credential("api_key", &self.api_key)?;
        check_source("api_secret", &self.api_secret)
    }

    fn questions(&self) -> Vec<Question> {
        let ask = self.api_secret.ask().cloned();
        let field = "api_secret";
        ask.map(|ask| Question { field, ask }).into_iter().collect()
    }

    fn answered(&self, answers: Vec<Secret>) -> Result<Arc<dyn Adapter>> {
        let mut complete = self.clone();
        for answer in answers {
            complete.api_secret = SecretSource::from(answer).trimmed();
        }
        complete.validate()?;
        Ok(Arc::new(complete))
    }

    fn fingerprint(&self) -> String {
        fingerprint(&[self.api_key.expose()])
    }

    fn secrets(&self) -> Vec<Secret> {
        let secret = self.api_secret.given();
        std::iter::once(&self.api_key).chain(secret).cloned().collect()
    }

    fn login(&self, _code: Option<OneTimeCode>) -> Request {
        requests::login(&self.api_key, &self.api_secret.or_empty())
    }

    fn read_login(&self, endpoint: &Endpoint, raw: &RawReply) -> Result<Login> {
        replies::login(endpoint, raw)
    }

    fn logout_call(&self) -> Request {
        Request::new(requests::endpoint(Method::Delete, requests::LOGOUT))
    }
}
