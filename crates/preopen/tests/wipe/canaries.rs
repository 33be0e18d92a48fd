//! The secrets that the tests plant, and the credentials that are made of them.

use preopen::totp::TotpSecret;
use preopen::{AngelOne, Samco, SamcoOAuth, Secret, Timestamp};

use crate::allocator::{Canary, unwatched};

pub(crate) const API_KEY: &str = "canary-api-key-6f1d0b7a93e2";
pub(crate) const API_SECRET: &str = "canary-api-secret-84c7&e05b 2a91";
/// A secret that JSON must escape.
pub(crate) const QUOTED: &str = "canary-\"quoted-b3907c5de1a8";
pub(crate) const PIN: &str = "739184620517";
pub(crate) const TOTP: &str = "jbsw-y3dp ehpk3pxp gezdgnbvgy3tqojq=";
pub(crate) const SESSION: &str = "canary-session-token-51e8d3f0c6";
/// With a claim that is no secret: when it ends, at 2026-11-23T23:30:00Z.
pub(crate) const JWT: &str = "canaryjwtheader0b72.eyJleHAiOjE3OTU0NzY2MDB9.canaryjwtsignature94d1";
pub(crate) const REFRESH: &str = "canary-refresh-token-a7c25e90f1";
pub(crate) const FEED: &str = "canary-feed-token-3d86b1f4e0";
pub(crate) const NUMERIC_FEED: &str = "918273645546372819";

pub(crate) const CODE: &str = "canary-login-code-b82f60d49ac3";

/// When the scripted sessions live.
pub(crate) const NOW: &str = "2026-11-23T09:00:00+05:30";

/// Every secret, in every form that it is held in.
pub(crate) fn all() -> Vec<Canary> {
    unwatched(|| {
        let text = |name, text: &str| (name, text.as_bytes().to_vec());
        let clean = "JBSWY3DPEHPK3PXPGEZDGNBVGY3TQOJQ";
        let key = base32::decode(base32::Alphabet::Rfc4648 { padding: false }, clean).unwrap();
        let (header, rest) = JWT.split_once('.').unwrap();
        vec![
            text("api key", API_KEY),
            text("api secret", API_SECRET),
            text("api secret in a URL", "canary-api-secret-84c7%26e05b+2a91"),
            text("quoted secret", QUOTED),
            text("quoted secret as JSON", r#"canary-\"quoted-b3907c5de1a8"#),
            text("pin", PIN),
            text("totp secret", TOTP),
            text("totp secret, cleaned", clean),
            ("totp key", key),
            text("one-time code", code().expose()),
            text("session token", SESSION),
            text("jwt header", header),
            text("jwt rest", rest),
            text("refresh token", REFRESH),
            text("feed token", FEED),
            text("login code", CODE),
            text("feed token, a number", NUMERIC_FEED),
        ]
    })
}

/// The code that the TOTP secret makes then.
pub(crate) fn code() -> Secret {
    let at = Timestamp::parse_rfc3339(NOW).unwrap();
    TotpSecret::new(TOTP).code_at(at).unwrap().spend()
}

pub(crate) fn oauth() -> SamcoOAuth {
    SamcoOAuth::new(API_KEY, "http://127.0.0.1:8765/callback")
}

/// What the token call answers, for a code and for a refresh.
pub(crate) fn oauth_login() -> String {
    format!(
        r#"{{"status":"Success","message":"ok","data":{{"access_token":"{JWT}","token_type":"Bearer","expires_in":86400,"refresh_token":"{REFRESH}","refresh_token_expires_in":604800,"accountID":"A1"}}}}"#
    )
}

pub(crate) fn samco() -> Samco {
    Samco::new(API_KEY, API_SECRET)
}

pub(crate) fn angel_one() -> AngelOne {
    AngelOne::new(API_KEY, "C1", PIN, TOTP)
}

/// What a broker may say back of what Samco or SmartAPI was sent.
pub(crate) fn echo(broker: &str) -> String {
    let other = if broker == "samco" { API_SECRET } else { PIN };
    format!("{API_KEY} {other}")
}

/// Samco's reply to a good login.
pub(crate) fn samco_login() -> String {
    format!(
        r#"{{"serverTime":"23/11/26 09:00:00","msgId":"m","status":"Success","statusMessage":"for {API_KEY}",
        "sessionToken":"{SESSION}","accountID":"C1","accountName":"{API_KEY}","exchangeList":["NSE","{SESSION}"]}}"#
    )
}

/// SmartAPI's reply to a good login; `feed` is JSON.
pub(crate) fn angel_login(feed: &str) -> String {
    format!(
        r#"{{"status":true,"message":"for {PIN}","errorcode":"","data":{{"jwtToken":"Bearer {JWT}",
        "refreshToken":"{REFRESH}","feedToken":{feed},"state":"{REFRESH}"}}}}"#
    )
}

/// Replies to a login that give no session, with tokens in them that nobody knows yet, or with an echo of secrets
/// that were sent.
pub(crate) fn bad_logins(echo: &str) -> Vec<(u16, String)> {
    let login = angel_login(&format!("\"{FEED}\""));
    let padding = "x".repeat(600);
    [
        (200, format!(r#"{{"status":"Failure","statusMessage":"bad key {echo}","errorCode":"EOAUTH001"}}"#)),
        (200, format!(r#"{{"status":false,"message":"Login id or password is invalid: {echo}","errorcode":"AB1007"}}"#)),
        (400, format!(r#"{{"status":false,"message":"{padding} {echo} {padding}","errorcode":"{echo}"}}"#)),
        (400, format!(r#"{{"status":"Failure","validationErrors":["{echo}","and {echo}"],"msgId":"{echo}"}}"#)),
        (200, format!(r#"{{"status":"Success","sessionToken":"{SESSION} has a space","x":"{SESSION}"}}"#)),
        (200, format!(r#"{{"status":true,"data":{{"jwtToken":"","refreshToken":"{REFRESH}","y":["{JWT}"]}}}}"#)),
        (200, format!(r#"{{"status":7,"data":"{SESSION}","data":"{JWT}"}}"#)),
        (200, format!(r#"["{SESSION}",{{"a":"{JWT}"}}]"#)),
        (200, login[..login.len() - 30].to_owned()),
        (200, login.replace("\"state\"", "state")),
        (200, format!("<html><body>{echo} {SESSION}</body></html>")),
        (200, format!("{{\"{SESSION}\":1}} <html>")),
        (502, format!("<html>{echo}</html>")),
        (200, format!("{SESSION} {JWT}")),
        (403, format!("Access denied for {echo}")),
        (403, format!("Access denied because of exceeding access rate {echo}")),
        (500, format!("{{\"status\":false,\"message\":\"{echo}\"}}")),
        (302, login.clone()),
    ]
    .into()
}
