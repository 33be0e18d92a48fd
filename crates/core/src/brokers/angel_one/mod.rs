//! Angel One SmartAPI: credentials of the direct login and the adapter over the other files here.

pub(super) mod faults;
mod policy;
pub(super) mod replies;
mod requests;

use std::fmt;

use crate::broker::{
    Adapter, Login, Policy, Profile, ProfileSource, Tokens, check_credential, fingerprint, variable,
};
use crate::clock::Timestamp;
use crate::envelope::Reply;
use crate::error::{Error, Result};
use crate::secret::Secret;
use crate::static_ip::WhoAmI;
use crate::totp::{OneTimeCode, TotpSecret};
use crate::wire::{Endpoint, Method, RawReply, Request};

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
    pin: Secret,
    totp: TotpSecret,
}

impl AngelOne {
    /// Credentials from `ANGELONE_API_KEY`, `ANGELONE_CLIENT_CODE`, `ANGELONE_PIN` and `ANGELONE_TOTP_SECRET`.
    /// Errors: `InvalidInput` with the variable that is missing.
    pub fn from_env() -> Result<Self> {
        Self::from_lookup(|name| std::env::var(name).ok())
    }

    /// Credentials from variables of the same names that `look_up` finds. Errors: `InvalidInput`.
    pub fn from_lookup(look_up: impl Fn(&str) -> Option<String>) -> Result<Self> {
        Ok(Self::new(
            variable("ANGELONE_API_KEY", &look_up)?,
            variable("ANGELONE_CLIENT_CODE", &look_up)?.expose(),
            variable("ANGELONE_PIN", &look_up)?,
            variable("ANGELONE_TOTP_SECRET", &look_up)?,
        ))
    }

    /// Credentials of one client. They are checked when a session is built.
    pub fn new(
        api_key: impl Into<Secret>,
        client_code: impl Into<String>,
        pin: impl Into<Secret>,
        totp_secret: impl Into<Secret>,
    ) -> Self {
        Self {
            api_key: api_key.into().trimmed(),
            client_code: client_code.into().trim().to_owned(),
            pin: pin.into().trimmed(),
            totp: TotpSecret::new(totp_secret),
        }
    }
}

impl fmt::Debug for AngelOne {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AngelOne(**redacted**)")
    }
}

impl Adapter for AngelOne {
    fn policy(&self) -> &'static Policy {
        &policy::POLICY
    }

    fn validate(&self) -> Result<()> {
        check_credential("api_key", &self.api_key)?;
        check_credential("client_code", &Secret::new(self.client_code.as_str()))?;
        check_credential("pin", &self.pin)?;
        if !self.pin.expose().chars().all(|c| c.is_ascii_digit()) {
            return Err(Error::invalid_input(
                "pin",
                "must be digits: the broker wants the PIN, not the web password",
            ));
        }
        self.totp.validate()
    }

    fn fingerprint(&self) -> String {
        fingerprint(&[self.api_key.expose(), &self.client_code])
    }

    fn secrets(&self) -> Vec<Secret> {
        vec![self.api_key.clone(), self.pin.clone(), self.totp.secret().clone()]
    }

    fn one_time_code(&self, now: Timestamp) -> Result<Option<OneTimeCode>> {
        self.totp.code_at(now).map(Some)
    }

    fn login(&self, code: Option<OneTimeCode>) -> Request {
        requests::login(&self.api_key, &self.client_code, &self.pin, code)
    }

    fn read_login(&self, endpoint: &Endpoint, raw: &RawReply) -> Result<Login> {
        let mut login = replies::login(endpoint, raw)?;
        login.profile.account_id = Some(self.client_code.clone());
        Ok(login)
    }

    fn refresh(&self, tokens: &Tokens) -> Option<Request> {
        requests::refresh(&self.api_key, tokens)
    }

    fn endpoint(&self, method: Method, path: &str) -> Endpoint {
        requests::endpoint(method, path)
    }

    fn headers(&self, tokens: &Tokens) -> Vec<(String, Secret)> {
        requests::headers(&self.api_key, tokens)
    }

    fn read(&self, endpoint: &Endpoint, raw: &RawReply) -> Result<Reply> {
        replies::read(endpoint, raw)
    }

    fn whoami(&self) -> Option<Request> {
        None
    }

    fn read_whoami(&self, _reply: &Reply) -> Result<WhoAmI> {
        Ok(WhoAmI::unsupported(replies::NO_WHOAMI))
    }

    fn profile(&self) -> ProfileSource {
        ProfileSource::Call(Request::new(requests::endpoint(Method::Get, requests::PROFILE)))
    }

    fn read_profile(&self, reply: &Reply) -> Profile {
        replies::profile(&reply.data)
    }

    fn logout(&self) -> Request {
        Request::new(requests::endpoint(Method::Post, requests::LOGOUT))
            .json(&serde_json::json!({"clientcode": self.client_code}))
    }
}
