//! Angel One SmartAPI: credentials of the direct login and the adapter over the other files here.

pub(super) mod catalogue;
pub(super) mod faults;
mod policy;
mod publisher;
pub(super) mod replies;
mod requests;

use std::sync::Arc;

use crate::ask::{Ask, Question, SecretSource};
use crate::broker::{
    Adapter, Login, Policy, Profile, ProfileSource, Tokens, check_credential, check_source, fingerprint,
    variable,
};
use crate::clock::Timestamp;
use crate::envelope::Reply;
use crate::error::{Error, Result};
use crate::secret::Secret;
use crate::static_ip::WhoAmI;
use crate::totp::{OneTimeCode, TotpSecret};
use crate::wire::{Endpoint, Method, RawReply, Request};

pub use policy::LIMITS;
pub use publisher::AngelOnePublisher;

/// What both kinds of credentials let their user say in the headers that the documents want.
macro_rules! tells_about {
    () => {
        /// What `ANGELONE_LOCAL_IP`, `ANGELONE_PUBLIC_IP` and `ANGELONE_MAC_ADDRESS` say, if they are set, for the headers of
        /// these names.
        #[must_use]
        pub fn told_by(self, look_up: impl Fn(&str) -> Option<String>) -> Self {
            let set = |name: &str| look_up(name).filter(|value| !value.trim().is_empty());
            self.tells(|about| about.learn(set))
        }

        /// What the header `X-ClientLocalIP` says: this machine's address in its own network. `127.0.0.1` by default: nothing
        /// is looked up, and the broker does not check it (observed).
        pub fn local_ip(self, address: impl Into<String>) -> Self {
            self.tells(|about| about.local_ip = address.into())
        }

        /// What the header `X-ClientPublicIP` says: the address that this machine is seen under, likewise.
        pub fn public_ip(self, address: impl Into<String>) -> Self {
            self.tells(|about| about.public_ip = address.into())
        }

        /// What the header `X-MACAddress` says: `00:00:00:00:00:00` by default, likewise.
        pub fn mac_address(self, address: impl Into<String>) -> Self {
            self.tells(|about| about.mac_address = address.into())
        }

        /// What the header `X-UserType` says: `USER` by default, which is the only documented value; another one is refused
        /// with AB1005 (documented).
        pub fn user_type(self, name: impl Into<String>) -> Self {
            self.tells(|about| about.user_type = name.into())
        }

        /// What the header `X-SourceID` says: `WEB` by default, which is the documented value.
        pub fn source_id(self, name: impl Into<String>) -> Self {
            self.tells(|about| about.source_id = name.into())
        }

        fn tells(mut self, edit: impl FnOnce(&mut requests::About)) -> Self {
            edit(Arc::make_mut(&mut self.about));
            self
        }
    };
}
use tells_about;

/// What all of SmartAPI's credentials have in common: every call of a session.
macro_rules! angel_one_calls {
    () => {
        fn policy(&self) -> &'static Policy {
            &crate::brokers::angel_one::policy::POLICY
        }

        fn endpoint(&self, method: Method, path: &str) -> Endpoint {
            requests::endpoint(method, path)
        }

        fn headers(&self, tokens: &Tokens) -> Vec<(String, Secret)> {
            requests::headers(&self.api_key, &self.about, tokens)
        }

        fn read(&self, endpoint: &Endpoint, raw: &RawReply) -> Result<Reply> {
            replies::read(endpoint, raw)
        }

        fn read_lazily(&self, endpoint: &Endpoint, raw: RawReply) -> Result<Reply> {
            replies::read_lazily(endpoint, raw)
        }

        fn whoami(&self) -> Option<Request> {
            None
        }

        fn read_whoami(&self, _reply: &Reply) -> Result<WhoAmI> {
            Ok(WhoAmI::unsupported(replies::NO_WHOAMI))
        }

        fn profile(&self) -> ProfileSource {
            ProfileSource::Call(Request::new(requests::endpoint(
                Method::Get,
                requests::PROFILE,
            )))
        }

        fn read_profile(&self, reply: &Reply) -> Profile {
            replies::profile(reply.data())
        }

        fn logout_call(&self) -> Request {
            Request::new(requests::endpoint(Method::Post, requests::LOGOUT))
                .json_texts(&[("clientcode", &self.client_code)])
        }

        /// The limits are counted for each client code, over all of its keys (documented).
        fn counted_as(&self) -> String {
            fingerprint(&[&self.client_code])
        }

        fn streams(&self) -> &'static [&'static str] {
            &[requests::MARKET_STREAM, requests::ORDER_STREAM]
        }

        fn has_feed_token(&self) -> bool {
            true
        }

        fn stream_headers(&self, stream: &str, tokens: &Tokens) -> Option<Vec<(String, Secret)>> {
            requests::stream_headers(stream, &self.api_key, &self.client_code, tokens)
        }
    };
}
use angel_one_calls;

/// Credentials of SmartAPI's direct login: API key, client code, PIN, and the TOTP secret that makes the
/// one-time codes (Base32, as shown beside the QR code).
///
/// ```
/// use preopen_core::{broker::Adapter, brokers::AngelOne};
/// let account = AngelOne::new("key", "A123456", "0000", "JBSWY3DPEHPK3PXPJBSWY3DPEH");
/// assert!(account.validate().is_ok());
/// ```
#[derive(Clone)]
pub struct AngelOne {
    api_key: Secret,
    client_code: String,
    pin: SecretSource,
    totp: TotpSource,
    about: Arc<requests::About>,
    state: Option<String>,
}

/// Where one-time codes come from: made from the authenticator's secret, or typed by somebody who is asked.
///
/// ```
/// use preopen_core::{Secret, ask::Ask, brokers::{AngelOne, TotpSource}};
/// let typed = TotpSource::Typed(Ask::blocking(|| Ok(Some(Secret::new("123456")))));
/// let account = AngelOne::new("key", "A123456", "0000", typed);
/// ```
#[derive(Clone, Debug)]
pub enum TotpSource {
    /// The Base32 secret shown beside the QR code.
    Secret(SecretSource),
    /// The six-digit code itself.
    Typed(Ask),
}

impl<T: Into<SecretSource>> From<T> for TotpSource {
    fn from(secret: T) -> Self {
        Self::Secret(secret.into())
    }
}

impl AngelOne {
    /// Credentials from `ANGELONE_API_KEY`, `ANGELONE_CLIENT_CODE`, `ANGELONE_PIN` and `ANGELONE_TOTP_SECRET`, and from those of
    /// [`AngelOne::told_by`]. Errors: `InvalidInput` with the variable that is missing.
    pub fn from_env() -> Result<Self> {
        Self::from_lookup(|name| std::env::var(name).ok())
    }

    /// Credentials from variables of the same names that `look_up` finds. Errors: `InvalidInput`.
    pub fn from_lookup(look_up: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let account = Self::new(
            variable("ANGELONE_API_KEY", &look_up)?,
            variable("ANGELONE_CLIENT_CODE", &look_up)?.expose(),
            variable("ANGELONE_PIN", &look_up)?,
            variable("ANGELONE_TOTP_SECRET", &look_up)?,
        );
        Ok(account.told_by(look_up))
    }

    /// Credentials of one client. They are checked when a session is built; a secret that is asked for is checked when
    /// it was answered, before anything is sent.
    pub fn new(
        api_key: impl Into<Secret>,
        client_code: impl Into<String>,
        pin: impl Into<SecretSource>,
        totp: impl Into<TotpSource>,
    ) -> Self {
        Self {
            api_key: api_key.into().trimmed(),
            client_code: client_code.into().trim().to_owned(),
            pin: pin.into().trimmed(),
            totp: totp.into(),
            about: Arc::default(),
            state: None,
        }
    }

    /// A text of your own that is sent with the login (`state`, documented): the broker echoes it, and a reply that echoes
    /// another one is refused as `MalformedResponse`. 1 to 128 visible ASCII characters.
    #[must_use]
    pub fn state(mut self, state: impl Into<String>) -> Self {
        self.state = Some(state.into());
        self
    }

    tells_about!();
}

impl AngelOne {
    fn totp_secret(&self) -> Option<TotpSecret> {
        match &self.totp {
            TotpSource::Secret(secret) => secret.given().cloned().map(TotpSecret::new),
            TotpSource::Typed(_) => None,
        }
    }
}

crate::brokers::shows_nothing!(AngelOne);

impl Adapter for AngelOne {
    angel_one_calls!();

    fn validate(&self) -> Result<()> {
        check_credential("api_key", &self.api_key)?;
        check_credential("client_code", &Secret::new(self.client_code.as_str()))?;
        check_source("pin", &self.pin)?;
        if !self.pin.or_empty().expose().chars().all(|c| c.is_ascii_digit()) {
            return Err(Error::invalid_input(
                "pin",
                "must be digits: the broker wants the PIN, not the web password",
            ));
        }
        self.about.validate()?;
        if let Some(state) = &self.state
            && !(1..=128).contains(&state.len()) | !state.bytes().all(|byte| byte.is_ascii_graphic())
        {
            return Err(Error::invalid_input(
                "state",
                "must be 1 to 128 visible ASCII characters",
            ));
        }
        self.totp_secret().map_or(Ok(()), |secret| secret.validate())
    }

    fn questions(&self) -> Vec<Question> {
        let question = |field, ask: Option<&Ask>| ask.cloned().map(|ask| Question { field, ask });
        let totp = match &self.totp {
            TotpSource::Secret(secret) => secret.ask(),
            TotpSource::Typed(_) => None,
        };
        let asked = [question("pin", self.pin.ask()), question("totp_secret", totp)];
        asked.into_iter().flatten().collect()
    }

    fn answered(&self, answers: Vec<Secret>) -> Result<Arc<dyn Adapter>> {
        let mut complete = self.clone();
        for (question, answer) in self.questions().iter().zip(answers) {
            match question.field {
                "pin" => complete.pin = SecretSource::from(answer).trimmed(),
                _ => complete.totp = TotpSource::from(answer),
            }
        }
        complete.validate()?;
        Ok(Arc::new(complete))
    }

    fn code_question(&self) -> Option<Question> {
        match &self.totp {
            TotpSource::Typed(ask) => Some(Question {
                field: "totp",
                ask: ask.clone(),
            }),
            TotpSource::Secret(_) => None,
        }
    }

    fn fingerprint(&self) -> String {
        fingerprint(&[self.api_key.expose(), &self.client_code])
    }

    fn secrets(&self) -> Vec<Secret> {
        let totp = self.totp_secret();
        let others = [self.pin.given(), totp.as_ref().map(TotpSecret::secret)];
        let all = std::iter::once(&self.api_key).chain(others.into_iter().flatten());
        all.cloned().collect()
    }

    fn one_time_code(&self, now: Timestamp) -> Result<Option<OneTimeCode>> {
        self.totp_secret().map(|secret| secret.code_at(now)).transpose()
    }

    fn login(&self, code: Option<OneTimeCode>) -> Request {
        let pin = self.pin.or_empty();
        let state = self.state.as_deref();
        requests::login(&self.api_key, &self.about, &self.client_code, &pin, code, state)
    }

    fn read_login(&self, endpoint: &Endpoint, raw: &RawReply) -> Result<Login> {
        let mut login = replies::login(endpoint, raw, self.state.as_deref())?;
        login.profile.account_id = Some(self.client_code.clone());
        Ok(login)
    }

    fn refresh(&self, tokens: &Tokens) -> Option<Request> {
        requests::refresh(&self.api_key, &self.about, tokens)
    }
}
