//! The EOAUTH refusals. Their status and body are not documented, so switches decide both.

use http::StatusCode;
use serde_json::json;

use crate::state::State;
use crate::switch::Switch;
use crate::wire::Reply;

/// A refusal with its code and text. The codes are documented, most texts are the sandbox's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: &'static str,
    pub(crate) text: &'static str,
}

const fn refusal(code: &'static str, text: &'static str) -> Refusal {
    Refusal { code, text }
}

pub(super) const UNKNOWN_KEY: Refusal = refusal("EOAUTH001", "Invalid API key");
pub(super) const INACTIVE_KEY: Refusal = refusal("EOAUTH001", "Invalid or inactive API key");
pub(super) const REDIRECT: Refusal = refusal("EOAUTH002", "redirect_url does not match the registered URL");
pub(super) const SCOPES: Refusal = refusal("EOAUTH003", "Requested scopes are not allowed for this app");
pub(super) const SECRET_FORMAT: Refusal = refusal("EOAUTH008", "Invalid API secret format");
pub(super) const SECRET: Refusal = refusal("EOAUTH008", "Invalid API secret");
pub(super) const ADDRESS: Refusal = refusal("EOAUTH009", "The IP is not the registered static IP");
pub(super) const NO_CODE: Refusal = refusal("EOAUTH010", "code is required");
pub(super) const UNKNOWN_CODE: Refusal = refusal("EOAUTH011", "Invalid authorization code");
pub(super) const USED_CODE: Refusal = refusal(
    "EOAUTH012",
    "Authorization code has already been used. All tokens have been revoked",
);
pub(super) const OLD_CODE: Refusal = refusal("EOAUTH013", "Authorization code has expired");
pub(super) const NO_REFRESH: Refusal = refusal("EOAUTH015", "refresh_token is required");
pub(super) const UNKNOWN_REFRESH: Refusal = refusal("EOAUTH016", "Invalid refresh token");
pub(super) const OLD_REFRESH: Refusal = refusal("EOAUTH017", "Refresh token has expired");
pub(super) const CONCURRENT: Refusal =
    refusal("EOAUTH030", "Authorization code exchange is already in progress");
pub(super) const NO_SESSION: Refusal = refusal(
    "EOAUTH999",
    "Unable to start your trading session. Please open the SAMCO mobile app, sign in once, and then retry.",
);

impl Refusal {
    /// The refusal as a JSON reply.
    pub(super) fn reply(self, state: &State) -> Reply {
        let status = u16::try_from(state.switches.number(Switch::OauthErrorStatus)).ok();
        let status = status.and_then(|status| StatusCode::from_u16(status).ok());
        let mut body = json!({"status": "Failure"});
        body[state.switches.word(Switch::OauthErrorText)] = self.text.into();
        let field = state.switches.word(Switch::OauthErrorCode);
        if field != "none" {
            body[field] = self.code.into();
        }
        Reply::json(status.unwrap_or(StatusCode::UNAUTHORIZED), &body)
    }
}

/// A body that no documented row fits: HTTP 400 without a code.
pub(super) fn unreadable(state: &State, text: &str) -> Reply {
    let mut body = json!({"status": "Failure"});
    body[state.switches.word(Switch::OauthErrorText)] = text.into();
    Reply::json(StatusCode::BAD_REQUEST, &body)
}
