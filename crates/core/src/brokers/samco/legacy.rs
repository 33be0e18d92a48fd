//! Samco's deprecated calls: the login in two steps with a user id and a password, one-time codes, and the registration of
//! static IPs. They still work and are to be removed (documented); each names what replaces it.

use std::sync::Arc;

use super::{replies, requests};
use crate::ask::{Question, SecretSource};
use crate::broker::{
    AccountCall, Adapter, Login, Policy, Profile, ProfileSource, Tokens, check_credential, check_source,
    fingerprint, variable,
};
use crate::envelope::Reply;
use crate::error::{Error, Result};
use crate::secret::Secret;
use crate::static_ip::WhoAmI;
use crate::totp::OneTimeCode;
use crate::wire::{CallClass, Endpoint, Method, RawReply, Request};

const ACCESS_TOKEN: &str = "/accessToken/token";
const LOGIN: &str = "/login";
const GENERATE_OTP: &str = "/otp/generateOtp";
const SECRET_KEY: &str = "/otp/secretKeyGenerator";
const REGISTER_IPS: &str = "/ip/ipRegistration";
const UPDATE_IPS: &str = "/ip/ipUpdate";

/// Credentials of Samco's deprecated login: user id, password and the secret API key that Samco mailed. A session opened
/// with them ends at 08:00 IST like any other (documented; an older page says 24 hours).
///
/// Use [`Samco`](super::Samco) instead: an app's key and secret log in without the account's password.
///
/// ```
/// # #![allow(deprecated)]
/// use preopen_core::brokers::SamcoLegacy;
///
/// let credentials = SamcoLegacy::new("DM00001", "password", "secret-api-key").year_of_birth("1990");
/// assert!(!format!("{credentials:?}").contains("password"));
/// ```
#[derive(Clone)]
pub struct SamcoLegacy {
    user_id: String,
    password: SecretSource,
    secret_api_key: SecretSource,
    year_of_birth: Option<String>,
    /// What the first step gave.
    access_token: Option<Secret>,
}

impl SamcoLegacy {
    /// Credentials from `SAMCO_USER_ID`, `SAMCO_PASSWORD` and `SAMCO_SECRET_API_KEY`. Errors: `InvalidInput` with the
    /// variable that is missing.
    #[deprecated(note = "Samco will remove this login: use Samco::from_env()")]
    pub fn from_env() -> Result<Self> {
        #[allow(deprecated)]
        Self::from_lookup(|name| std::env::var(name).ok())
    }

    /// Credentials from variables of the same names that `look_up` finds. Errors: `InvalidInput`.
    #[deprecated(note = "Samco will remove this login: use Samco::from_lookup()")]
    pub fn from_lookup(look_up: impl Fn(&str) -> Option<String>) -> Result<Self> {
        #[allow(deprecated)]
        Ok(Self::new(
            variable("SAMCO_USER_ID", &look_up)?.expose(),
            variable("SAMCO_PASSWORD", &look_up)?,
            variable("SAMCO_SECRET_API_KEY", &look_up)?,
        ))
    }

    /// Credentials of one user. They are checked when a session is built.
    #[deprecated(note = "Samco will remove this login: use Samco::new() with an app's key and secret")]
    pub fn new(
        user_id: impl Into<String>,
        password: impl Into<SecretSource>,
        secret_api_key: impl Into<SecretSource>,
    ) -> Self {
        Self {
            user_id: user_id.into().trim().to_owned(),
            password: password.into(),
            secret_api_key: secret_api_key.into().trimmed(),
            year_of_birth: None,
            access_token: None,
        }
    }

    /// The year of birth, which the login may want.
    #[must_use]
    pub fn year_of_birth(mut self, year: impl Into<String>) -> Self {
        self.year_of_birth = Some(year.into().trim().to_owned());
        self
    }

    fn ips(&self, path: &str, primary: &str, secondary: Option<&str>) -> Result<Request> {
        let password = self.password.given().ok_or_else(|| {
            Error::invalid_input("password", "must be given, not asked for, to change addresses")
        })?;
        let mut fields = vec![
            ("clientId", self.user_id.as_str()),
            ("password", password.expose()),
            ("primaryIp", primary),
        ];
        fields.extend(secondary.map(|secondary| ("secondaryIp", secondary)));
        Ok(call(path, CallClass::Write, &fields))
    }
}

/// A call without a session.
fn call(path: &str, class: CallClass, fields: &[(&str, &str)]) -> Request {
    Request::new(Endpoint::new(Method::Post, path, class).sensitive(true))
        .headers(requests::content_headers())
        .json_texts(fields)
}

crate::brokers::shows_nothing!(SamcoLegacy);

impl Adapter for SamcoLegacy {
    super::samco_calls!();

    fn validate(&self) -> Result<()> {
        check_credential("user_id", &Secret::new(self.user_id.as_str()))?;
        check_source("password", &self.password)?;
        check_source("secret_api_key", &self.secret_api_key)?;
        match &self.year_of_birth {
            Some(year) if year.len() != 4 || !year.chars().all(|c| c.is_ascii_digit()) => Err(
                Error::invalid_input("year_of_birth", "must be a year of four digits"),
            ),
            _ => Ok(()),
        }
    }

    fn questions(&self) -> Vec<Question> {
        let question =
            |field, source: &SecretSource| source.ask().cloned().map(|ask| Question { field, ask });
        let asked = [
            question("password", &self.password),
            question("secret_api_key", &self.secret_api_key),
        ];
        asked.into_iter().flatten().collect()
    }

    fn answered(&self, answers: Vec<Secret>) -> Result<Arc<dyn Adapter>> {
        let mut complete = self.clone();
        for (question, answer) in self.questions().iter().zip(answers) {
            match question.field {
                "password" => complete.password = answer.into(),
                _ => complete.secret_api_key = SecretSource::from(answer).trimmed(),
            }
        }
        complete.validate()?;
        Ok(Arc::new(complete))
    }

    fn fingerprint(&self) -> String {
        fingerprint(&["legacy", &self.user_id])
    }

    fn secrets(&self) -> Vec<Secret> {
        let given = [self.password.given(), self.secret_api_key.given()];
        let all = given.into_iter().flatten().chain(&self.access_token);
        all.cloned().collect()
    }

    /// `POST /accessToken/token` gives the token that the login wants (documented).
    fn first_step(&self) -> Option<Request> {
        let key = self.secret_api_key.or_empty();
        let fields = [("uid", self.user_id.as_str()), ("secretApiKey", key.expose())];
        Some(call(ACCESS_TOKEN, CallClass::Login, &fields))
    }

    fn after_first_step(&self, endpoint: &Endpoint, raw: &RawReply) -> Result<Arc<dyn Adapter>> {
        let mut complete = self.clone();
        complete.access_token = Some(replies::legacy_access_token(endpoint, raw)?);
        Ok(Arc::new(complete))
    }

    fn login(&self, _code: Option<OneTimeCode>) -> Request {
        let (password, none) = (self.password.or_empty(), Secret::new(""));
        let access_token = self.access_token.as_ref().unwrap_or(&none);
        let mut fields = vec![
            ("userId", self.user_id.as_str()),
            ("password", password.expose()),
            ("accessToken", access_token.expose()),
        ];
        fields.extend(self.year_of_birth.as_deref().map(|year| ("yob", year)));
        call(LOGIN, CallClass::Login, &fields)
    }

    fn read_login(&self, endpoint: &Endpoint, raw: &RawReply) -> Result<Login> {
        replies::login(endpoint, raw)
    }

    fn logout_call(&self) -> Request {
        Request::new(requests::endpoint(Method::Delete, requests::LOGOUT))
    }

    fn account_call(&self, what: &AccountCall) -> Option<Result<Request>> {
        Some(match what {
            AccountCall::GenerateOtp => Ok(call(GENERATE_OTP, CallClass::Write, &[("uid", &self.user_id)])),
            AccountCall::GenerateSecretKey { otp } => check_credential("otp", otp).map(|()| {
                let fields = [("uid", self.user_id.as_str()), ("otp", otp.expose().trim())];
                call(SECRET_KEY, CallClass::Write, &fields)
            }),
            AccountCall::RegisterIps { primary, secondary } => {
                self.ips(REGISTER_IPS, primary, secondary.as_deref())
            }
            AccountCall::UpdateIps { primary, secondary } => {
                self.ips(UPDATE_IPS, primary, secondary.as_deref())
            }
        })
    }
}
