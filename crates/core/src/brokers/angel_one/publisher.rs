//! SmartAPI's publisher login: a person logs in at the broker's page, and the tokens come in the address that the browser
//! ends on. There is no refresh token, so a person logs in each day.

use std::sync::Arc;

use super::{replies, requests};
use crate::broker::{
    Adapter, Login, Policy, Profile, ProfileSource, Tokens, check_credential, fingerprint, variable,
};
use crate::consent::{Consent, Granted, Redirect, check_redirect_url, page_url};
use crate::envelope::{self, Reply};
use crate::error::{Error, ErrorKind, Result};
use crate::expiry::{Evidence, EvidenceSource, jwt_expiry, jwt_issued};
use crate::secret::Secret;
use crate::static_ip::WhoAmI;
use crate::target::{Environment, Target};
use crate::totp::OneTimeCode;
use crate::wire::{Endpoint, Method, RawReply, Request};

/// The page of the live broker (documented, and in the official SDKs).
const PAGE: &str = "https://smartapi.angelone.in/publisher-login";

/// Credentials of SmartAPI's publisher login: API key of a publisher app, client code, and, where it is known, the
/// redirect URL that is registered for the app. That must be https on a public host: the broker refuses localhost and
/// bare addresses (by its staff), so the address that the browser ended on is pasted, or received by your own server.
///
/// Whether this login still works for the apps of 2026 that have static IPs is disputed (a user of the broker's forum says
/// it does not; the documents still show it).
///
/// ```
/// use preopen_core::{broker::Adapter, brokers::AngelOnePublisher};
/// let app = AngelOnePublisher::new("key", "A123456").redirect_url("https://app.example/callback");
/// assert!(app.validate().is_ok());
/// ```
#[derive(Clone)]
pub struct AngelOnePublisher {
    api_key: Secret,
    client_code: String,
    redirect_url: Option<String>,
    trusts_missing_state: bool,
    about: Arc<requests::About>,
}

impl AngelOnePublisher {
    /// Credentials from `ANGELONE_API_KEY`, `ANGELONE_CLIENT_CODE`, and, if they are set, `ANGELONE_REDIRECT_URL` and those of
    /// [`AngelOnePublisher::told_by`]. Errors: `InvalidInput` with the variable that is missing.
    pub fn from_env() -> Result<Self> {
        Self::from_lookup(|name| std::env::var(name).ok())
    }

    /// Credentials from variables of the same names that `look_up` finds. Errors: `InvalidInput`.
    pub fn from_lookup(look_up: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let app = Self::new(
            variable("ANGELONE_API_KEY", &look_up)?,
            variable("ANGELONE_CLIENT_CODE", &look_up)?.expose(),
        );
        let redirect_url = variable("ANGELONE_REDIRECT_URL", &look_up).ok();
        let app = match redirect_url {
            Some(url) => app.redirect_url(url.expose()),
            None => app,
        };
        Ok(app.told_by(look_up))
    }

    /// Credentials of one client. They are checked when a session is built.
    pub fn new(api_key: impl Into<Secret>, client_code: impl Into<String>) -> Self {
        Self {
            api_key: api_key.into().trimmed(),
            client_code: client_code.into().trim().to_owned(),
            redirect_url: None,
            trusts_missing_state: false,
            about: Arc::default(),
        }
    }

    /// The redirect URL that is registered for the app; it is sent to the page, as the documents of 2026 want.
    #[must_use]
    pub fn redirect_url(mut self, url: impl Into<String>) -> Self {
        self.redirect_url = Some(url.into().trim().to_owned());
        self
    }

    /// Accepts an address without `state` while exactly one login is under way. One integrator saw the broker drop it
    /// (observed). Without a state nothing proves that the login was begun here: leave it off unless yours is dropped.
    #[must_use]
    pub fn trust_missing_state(mut self, trust: bool) -> Self {
        self.trusts_missing_state = trust;
        self
    }

    super::tells_about!();
}

crate::brokers::shows_nothing!(AngelOnePublisher);

impl Adapter for AngelOnePublisher {
    super::angel_one_calls!();

    fn validate(&self) -> Result<()> {
        check_credential("api_key", &self.api_key)?;
        check_credential("client_code", &Secret::new(self.client_code.as_str()))?;
        self.about.validate()?;
        match &self.redirect_url {
            Some(url) => check_redirect_url(url, false),
            None => Ok(()),
        }
    }

    fn fingerprint(&self) -> String {
        fingerprint(&["publisher", self.api_key.expose(), &self.client_code])
    }

    fn secrets(&self) -> Vec<Secret> {
        vec![self.api_key.clone()]
    }

    /// Never sent: a person logs in.
    fn login(&self, _code: Option<OneTimeCode>) -> Request {
        Request::new(requests::endpoint(Method::Post, requests::LOGIN))
    }

    fn read_login(&self, endpoint: &Endpoint, raw: &RawReply) -> Result<Login> {
        replies::login(endpoint, raw, None)
    }

    fn consent(&self) -> Option<&dyn Consent> {
        Some(self)
    }
}

impl Consent for AngelOnePublisher {
    fn redirect_url(&self) -> Option<&str> {
        self.redirect_url.as_deref()
    }

    fn page(&self, target: &Target, state: &Secret) -> Secret {
        let own = format!("{}/publisher-login", target.base_url());
        let sandbox = target.environment() == Environment::Sandbox;
        let page = if sandbox { own.as_str() } else { PAGE };
        let mut fields = vec![("api_key", self.api_key.expose()), ("state", state.expose())];
        fields.extend(self.redirect_url.as_deref().map(|url| ("redirect_url", url)));
        page_url(page, &fields)
    }

    fn trusts_missing_state(&self) -> bool {
        self.trusts_missing_state
    }

    /// `auth_token` and `feed_token` come in the query (documented).
    fn granted(&self, redirect: &Redirect) -> Result<Granted> {
        if let Some(refused) = redirect.refusal("message") {
            return Err(refused);
        }
        let token = |name: &str| {
            let token = requests::without_bearer(redirect.get(name)?.expose());
            envelope::is_token(token).then(|| Secret::new(token))
        };
        let Some(access) = token("auth_token") else {
            return Err(Error::new(
                ErrorKind::MalformedResponse,
                "the address holds no usable auth_token: begin the login again",
            ));
        };
        let issued_at = jwt_issued(access.expose());
        let evidence = jwt_expiry(access.expose()).map(|at| Evidence {
            source: EvidenceSource::JwtExpiry,
            at,
        });
        let mut login = Login::new(Tokens::new(access).with("feed", token("feed_token")));
        login.evidence.extend(evidence);
        login.profile.account_id = Some(self.client_code.clone());
        Ok(Granted::Tokens {
            login: Box::new(login),
            issued_at,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::AngelOnePublisher;
    use crate::broker::Adapter as _;
    use crate::consent::{Consent as _, Granted, Redirect};
    use crate::error::ErrorKind;
    use crate::secret::Secret;
    use crate::target::Target;

    fn app() -> AngelOnePublisher {
        AngelOnePublisher::new("k", "A1").redirect_url("https://app.example/callback")
    }

    #[test]
    fn the_page_is_the_broker_s_or_the_sandbox_s() {
        let page = |url| {
            let target = Target::resolve(app().policy(), url, &[]).unwrap();
            app().page(&target, &Secret::new("s")).expose().to_owned()
        };
        let query = "?api_key=k&state=s&redirect_url=https%3A%2F%2Fapp.example%2Fcallback";
        assert_eq!(page(None), format!("{}{query}", super::PAGE));
        let sandbox = page(Some("http://127.0.0.1:8800"));
        assert_eq!(sandbox, format!("http://127.0.0.1:8800/publisher-login{query}"));
    }

    #[test]
    fn the_address_holds_the_tokens() {
        let granted =
            |text: &str| app().granted(&Redirect::parse(text, app().redirect_url.as_deref()).unwrap());
        let Granted::Tokens { login, .. } =
            granted("/callback?auth_token=Bearer+j-1&feed_token=f-1&state=s").unwrap()
        else {
            panic!("tokens")
        };
        assert_eq!(login.tokens.access().expose(), "j-1");
        assert_eq!(login.tokens.get("feed").unwrap().expose(), "f-1");
        assert!(app().refresh(&login.tokens).is_none());
        let misled = "https://smartapi.angelone.in/publisher-login/undefined?auth_token=j-1&feed_token=f-1";
        assert!(granted(misled).is_ok(), "observed");
        for text in [
            "/callback?state=s",
            "/callback?auth_token=a+b",
            "/callback?auth_token=",
        ] {
            assert_eq!(
                granted(text).unwrap_err().kind(),
                ErrorKind::MalformedResponse,
                "{text}"
            );
        }
    }
}
