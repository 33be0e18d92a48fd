//! Samco's OAuth flow: its own parameter names, a JSON token call, and a refresh token that outlives the session.
//!
//! Compared with OAuth as others do it, three protections are missing at the broker: there is no PKCE, the exchange is
//! not tied to the redirect URL, and the app does not prove who it is when it exchanges the code (all documented).
//! What is left is `state`, the exact redirect URL and the static IP; nothing that the broker does not know is sent.

use std::time::Duration;

use super::{replies, requests};
use crate::broker::{
    Adapter, Login, Policy, Profile, ProfileSource, Tokens, check_credential, fingerprint, variable,
};
use crate::clock::Timestamp;
use crate::consent::{Consent, Granted, Redirect, check_redirect_url, page_url};
use crate::envelope::Reply;
use crate::error::{Error, ErrorKind, LoginReason, Result};
use crate::secret::Secret;
use crate::static_ip::WhoAmI;
use crate::target::Target;
use crate::totp::OneTimeCode;
use crate::wire::{CallClass, Endpoint, Method, RawReply, Request};

/// The page at which a person consents.
const PAGE: &str = "/app/oauth/authorize";
const TOKEN: &str = "/oauth/token";
const REVOKE: &str = "/oauth/revoke";

/// Another exchange of the same code is under way: one more try is documented as safe, after a wait.
const CONCURRENT: &str = "EOAUTH030";
const CONCURRENT_WAIT: Duration = Duration::from_secs(2);

/// Credentials of Samco's OAuth flow: the app's API key, and the redirect URL that is registered for it. The API secret
/// is typed by a person at the broker's page, once in up to seven days, and never seen here.
///
/// The redirect URL is either `http://127.0.0.1` with a port, for a login on this machine, or the https address of your
/// own server (documented). Both must be registered with the broker exactly as they are given here.
///
/// ```
/// use preopen_core::{broker::Adapter, brokers::SamcoOAuth};
/// assert!(SamcoOAuth::new("key", "http://127.0.0.1:8765/callback").validate().is_ok());
/// let error = SamcoOAuth::new("key", "http://localhost:8765/callback").validate().unwrap_err();
/// assert_eq!(error.field(), Some("redirect_url"));
/// ```
#[derive(Clone)]
pub struct SamcoOAuth {
    api_key: Secret,
    redirect_url: String,
}

impl SamcoOAuth {
    /// Credentials from `SAMCO_API_KEY` and `SAMCO_REDIRECT_URL`. Errors: `InvalidInput` with the variable that is
    /// missing.
    pub fn from_env() -> Result<Self> {
        Self::from_lookup(|name| std::env::var(name).ok())
    }

    /// Credentials from variables of the same names that `look_up` finds. Errors: `InvalidInput`.
    pub fn from_lookup(look_up: impl Fn(&str) -> Option<String>) -> Result<Self> {
        Ok(Self::new(
            variable("SAMCO_API_KEY", &look_up)?,
            variable("SAMCO_REDIRECT_URL", &look_up)?.expose(),
        ))
    }

    /// Credentials from the app's key and its registered redirect URL. They are checked when a session is built.
    pub fn new(api_key: impl Into<Secret>, redirect_url: impl Into<String>) -> Self {
        Self {
            api_key: api_key.into().trimmed(),
            redirect_url: redirect_url.into().trim().to_owned(),
        }
    }
}

crate::brokers::shows_nothing!(SamcoOAuth);

/// A call of the token endpoint: JSON, and neither key nor session header (documented).
fn token_call(fields: &[(&str, &str)]) -> Request {
    Request::new(Endpoint::new(Method::Post, TOKEN, CallClass::Login))
        .headers(requests::content_headers())
        .json_texts(fields)
}

impl Adapter for SamcoOAuth {
    super::samco_calls!();

    fn validate(&self) -> Result<()> {
        check_credential("api_key", &self.api_key)?;
        check_redirect_url(&self.redirect_url, true)
    }

    fn fingerprint(&self) -> String {
        fingerprint(&["oauth", self.api_key.expose()])
    }

    fn secrets(&self) -> Vec<Secret> {
        vec![self.api_key.clone()]
    }

    /// Never sent: a person must consent first.
    fn login(&self, _code: Option<OneTimeCode>) -> Request {
        token_call(&[])
    }

    fn read_login(&self, endpoint: &Endpoint, raw: &RawReply) -> Result<Login> {
        replies::oauth_login(endpoint, raw)
    }

    fn refresh(&self, tokens: &Tokens) -> Option<Request> {
        let token = tokens.get("refresh")?;
        Some(token_call(&[
            ("grant_type", "refresh_token"),
            ("refresh_token", token.expose()),
        ]))
    }

    /// Revoking either token ends the whole session (documented). The name of a refresh token's type is not documented;
    /// the one used here is inferred.
    fn logout(&self, tokens: &Tokens, live: bool, _now: Timestamp) -> Request {
        let refresh = tokens.get("refresh").filter(|_| !live);
        let (token, kind) = match refresh {
            Some(token) => (token, "refresh_token"),
            None => (tokens.access(), "access_token"),
        };
        Request::new(Endpoint::new(Method::Post, REVOKE, CallClass::Logout))
            .headers(requests::content_headers())
            .json_texts(&[("token", token.expose()), ("token_type", kind)])
    }

    fn logout_call(&self) -> Request {
        Request::new(Endpoint::new(Method::Post, REVOKE, CallClass::Logout))
    }

    fn consent(&self) -> Option<&dyn Consent> {
        Some(self)
    }
}

impl Consent for SamcoOAuth {
    fn redirect_url(&self) -> Option<&str> {
        Some(&self.redirect_url)
    }

    fn page(&self, target: &Target, state: &Secret) -> Secret {
        let page = format!("{}{PAGE}", target.base_url());
        page_url(
            &page,
            &[
                ("api_key", self.api_key.expose()),
                ("redirect_url", &self.redirect_url),
                ("state", state.expose()),
                ("scopes", "all"),
            ],
        )
    }

    fn granted(&self, redirect: &Redirect) -> Result<Granted> {
        if let Some(refused) = redirect.refusal("errorMessage") {
            return Err(refused);
        }
        let Some(code) = redirect.get("code") else {
            return Err(Error::new(
                ErrorKind::LoginRequired,
                "the address holds no code: begin the login again",
            )
            .with(|context| context.login_reason = Some(LoginReason::CodeInvalid)));
        };
        let request = token_call(&[("grant_type", "authorization_code"), ("code", code.expose())]);
        Ok(Granted::Code {
            code: code.clone(),
            request: Box::new(request),
        })
    }

    fn sends_again_after(&self, error: &Error) -> Option<Duration> {
        (error.context().broker_code.as_deref() == Some(CONCURRENT)).then_some(CONCURRENT_WAIT)
    }
}

#[cfg(test)]
mod tests {
    use super::SamcoOAuth;
    use crate::broker::{Adapter as _, Tokens};
    use crate::clock::Timestamp;
    use crate::consent::{Consent as _, Granted, Redirect};
    use crate::secret::Secret;
    use crate::target::Target;

    fn app() -> SamcoOAuth {
        SamcoOAuth::new(" k&1 ", "http://127.0.0.1:8765/callback")
    }

    #[test]
    fn the_page_has_the_broker_s_own_names_and_nothing_of_pkce() {
        let target = Target::resolve(app().policy(), None, &[]).unwrap();
        let page = app().page(&target, &Secret::new("s"));
        assert_eq!(
            page.expose(),
            "https://tradeapi.samco.in/app/oauth/authorize?api_key=k%261\
             &redirect_url=http%3A%2F%2F127.0.0.1%3A8765%2Fcallback&state=s&scopes=all"
        );
    }

    #[test]
    fn a_code_is_exchanged_with_two_fields_and_no_key() {
        let redirect = Redirect::parse("/callback?code=c-1&state=s", None).unwrap();
        let Granted::Code { request, .. } = app().granted(&redirect).unwrap() else {
            panic!("a code")
        };
        assert_eq!(
            request.body.unwrap().expose(),
            r#"{"grant_type":"authorization_code","code":"c-1"}"#
        );
        assert!(!request.headers.iter().any(|(_, value)| value.expose() == "k&1"));
        assert!(request.query.is_empty(), "no secret in a URL");
    }

    #[test]
    fn a_live_session_is_revoked_by_its_access_token_and_an_ended_one_by_its_refresh_token() {
        let tokens = Tokens::new("a-1").with("refresh", Some(Secret::new("r-1")));
        let body = |live| {
            let request = app().logout(&tokens, live, Timestamp::from_seconds(0));
            request.body.unwrap().expose().to_owned()
        };
        assert_eq!(body(true), r#"{"token":"a-1","token_type":"access_token"}"#);
        assert_eq!(body(false), r#"{"token":"r-1","token_type":"refresh_token"}"#);
    }
}
