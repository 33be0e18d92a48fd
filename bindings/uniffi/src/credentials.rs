//! Credentials, kept in Rust: no language reads them back. A secret is given, or asked for when a login needs it.

use std::sync::Arc;

use preopen_ffi::preopen::{
    AngelOne, AngelOnePublisher, Ask, Samco, SamcoLegacy, SamcoLoginCode, SamcoOAuth, Secret,
    SecretSource as RustSource, TotpSource,
};
use preopen_ffi::{Credentials as Flat, ask, told};

use crate::error::PreopenError;
use crate::session::NameValue;
use crate::waiting::answering;

/// A callback could not give its secret. What it says is not read: it may hold the secret.
#[derive(Debug, thiserror::Error, uniffi::Error)]
pub enum SecretCallbackError {
    /// It failed.
    #[error("the callback failed")]
    Failed,
}

impl From<uniffi::UnexpectedUniFFICallbackError> for SecretCallbackError {
    fn from(_: uniffi::UnexpectedUniFFICallbackError) -> Self {
        Self::Failed
    }
}

/// Gives a secret when a login needs it. It is called on a thread of its own and may block. A call of its own session from
/// there fails at once, instead of waiting for itself.
#[uniffi::export(with_foreign)]
pub trait SecretCallback: Send + Sync {
    /// The secret; nothing when nobody is there to give it. `field` names the credential, for example `pin`.
    fn ask(&self, field: String) -> Result<Option<String>, SecretCallbackError>;
}

/// A secret that is given, or asked for.
#[derive(uniffi::Object)]
pub struct SecretSource(Source);

#[derive(Clone)]
enum Source {
    Given(Secret),
    Asked(Arc<dyn SecretCallback>),
}

#[uniffi::export]
impl SecretSource {
    /// It is known.
    #[uniffi::constructor]
    pub fn given(secret: String) -> Self {
        Self(Source::Given(Secret::new(secret)))
    }

    /// It is asked for.
    #[uniffi::constructor]
    pub fn asked(callback: Arc<dyn SecretCallback>) -> Self {
        Self(Source::Asked(callback))
    }
}

impl SecretSource {
    fn source(&self, field: &'static str) -> RustSource {
        match &self.0 {
            Source::Given(secret) => RustSource::Given(secret.clone()),
            Source::Asked(callback) => RustSource::Asked(question(field, callback)),
        }
    }
}

fn question(field: &'static str, callback: &Arc<dyn SecretCallback>) -> Ask {
    let callback = Arc::clone(callback);
    ask(field, move |prompt| {
        match answering(prompt.asking(), || callback.ask(field.to_owned())) {
            Ok(secret) => prompt.give(secret.map(Secret::new)),
            Err(SecretCallbackError::Failed) => prompt.fail("failed"),
        }
    })
}

/// Credentials of one account.
#[derive(uniffi::Object)]
pub struct Credentials {
    pub(crate) inner: Flat,
}

impl From<Flat> for Credentials {
    fn from(inner: Flat) -> Self {
        Self { inner }
    }
}

fn pairs(told: Vec<NameValue>) -> impl Iterator<Item = (String, String)> {
    told.into_iter().map(|one| (one.name, one.value))
}

#[uniffi::export]
impl Credentials {
    /// Samco's direct login.
    #[uniffi::constructor]
    pub fn samco(api_key: String, api_secret: &SecretSource) -> Self {
        Flat::Samco(Samco::new(api_key, api_secret.source("api_secret"))).into()
    }

    /// SmartAPI's direct login with the secret that makes the one-time codes. `told` are what its headers say of the
    /// machine, by name: `local_ip`, `public_ip`, `mac_address`, `user_type`, `source_id`, `state`. Errors: `InvalidInput`.
    #[uniffi::constructor(default(told = []))]
    pub fn angel_one(
        api_key: String,
        client_code: String,
        pin: &SecretSource,
        totp_secret: &SecretSource,
        told: Vec<NameValue>,
    ) -> Result<Self, PreopenError> {
        let totp = TotpSource::Secret(totp_secret.source("totp_secret"));
        let angel_one = AngelOne::new(api_key, client_code, pin.source("pin"), totp);
        Ok(Flat::AngelOne(self::told(angel_one, pairs(told))?).into())
    }

    /// The same with codes that somebody types: `totp` is asked for the six digits of the moment. Errors: `InvalidInput`.
    #[uniffi::constructor(default(told = []))]
    pub fn angel_one_typed(
        api_key: String,
        client_code: String,
        pin: &SecretSource,
        totp: Arc<dyn SecretCallback>,
        told: Vec<NameValue>,
    ) -> Result<Self, PreopenError> {
        let totp = TotpSource::Typed(question("totp", &totp));
        let angel_one = AngelOne::new(api_key, client_code, pin.source("pin"), totp);
        Ok(Flat::AngelOne(self::told(angel_one, pairs(told))?).into())
    }

    /// Samco's OAuth login.
    #[uniffi::constructor]
    pub fn samco_oauth(api_key: String, redirect_url: String) -> Self {
        Flat::SamcoOAuth(SamcoOAuth::new(api_key, redirect_url)).into()
    }

    /// Samco's deprecated login.
    #[uniffi::constructor(default(year_of_birth = None))]
    pub fn samco_legacy(
        user_id: String,
        password: &SecretSource,
        secret_api_key: &SecretSource,
        year_of_birth: Option<String>,
    ) -> Self {
        let (password, key) = (
            password.source("password"),
            secret_api_key.source("secret_api_key"),
        );
        #[allow(deprecated, reason = "the documentation says so")]
        let samco = SamcoLegacy::new(user_id, password, key);
        Flat::SamcoLegacy(match year_of_birth {
            Some(year) => samco.year_of_birth(year),
            None => samco,
        })
        .into()
    }

    /// Samco's login with a code of another session, which is asked for: it lives two minutes.
    #[uniffi::constructor]
    pub fn samco_login_code(account: String, code: Arc<dyn SecretCallback>) -> Self {
        Flat::SamcoLoginCode(SamcoLoginCode::new(account, question("code", &code))).into()
    }

    /// SmartAPI's publisher login; `told` as in `angel_one`, without `state`. Errors: `InvalidInput`.
    #[uniffi::constructor(default(redirect_url = None, trust_missing_state = false, told = []))]
    pub fn angel_one_publisher(
        api_key: String,
        client_code: String,
        redirect_url: Option<String>,
        trust_missing_state: bool,
        told: Vec<NameValue>,
    ) -> Result<Self, PreopenError> {
        let app = AngelOnePublisher::new(api_key, client_code).trust_missing_state(trust_missing_state);
        let app = self::told(app, pairs(told))?;
        Ok(Flat::AngelOnePublisher(match redirect_url {
            Some(url) => app.redirect_url(url),
            None => app,
        })
        .into())
    }

    /// The credentials of `samco`, `angelone`, `samco_oauth`, `samco_legacy` or `angelone_publisher` from the environment.
    /// Errors: `InvalidInput`.
    #[uniffi::constructor]
    pub fn from_env(broker: &str) -> Result<Self, PreopenError> {
        Ok(Flat::from_env(broker)?.into())
    }
}
