//! Samco sessions: login with key and secret, whoami, logout, and the gates that other calls pass.

use http::StatusCode;
use preopen_core::Timestamp;
use preopen_core::expiry::DailyBoundary;
use preopen_core::static_ip::{Slot, Verdict};
use serde_json::{Value, json};

use super::envelope::{bare_failure, success};
use super::{AppAt, Member, Pair, Samco, Session};
use crate::digest;
use crate::random;
use crate::state::State;
use crate::switch::Switch;
use crate::wire::{Reply, Request, text_field};

/// Every session ends at the first 08:00 IST after its issue.
pub(super) const BOUNDARY: DailyBoundary = DailyBoundary::at(8, 0);

const MANDATORY: &str =
    "Unauthorized - Session token is mandatory. Please provide session token in 'x-session-token' header";
const INVALID: &str = "Unauthorized - Invalid token. sessId missing.";

/// `POST /session/token`.
pub(super) fn token(state: &State, request: &Request) -> Reply {
    let body = request.json().unwrap_or_default();
    let field = |name| text_field(&body, name).filter(|text| !text.is_empty());
    let (Some(key), Some(secret)) = (field("apiKey"), field("apiSecret")) else {
        return bare_failure(StatusCode::BAD_REQUEST, "apiKey and apiSecret are required", None);
    };
    let now = state.now();
    let mut samco = state.samco();
    let Some(&at) = samco.by_api_key.get(&key) else {
        return bare_failure(StatusCode::UNAUTHORIZED, "Invalid API key", Some("EOAUTH001"));
    };
    let member = &samco.members[at.member];
    let app = &member.apps[at.app];
    let id = member.id.clone();
    let refused = if !app.is_active() {
        Some((
            StatusCode::UNAUTHORIZED,
            "Invalid or inactive API key",
            Some("EOAUTH001"),
        ))
    } else if !has_secret_format(&secret) {
        Some((
            StatusCode::UNAUTHORIZED,
            "Invalid API secret format",
            Some("EOAUTH008"),
        ))
    } else if !app.secret.is_of(&secret) {
        Some((StatusCode::UNAUTHORIZED, "Invalid API secret", Some("EOAUTH008")))
    } else {
        standing_problem(member).map(|(status, message)| (status, message, None))
    };
    if let Some((status, message, code)) = refused {
        return bare_failure(status, message, code).for_account(&id);
    }
    let addresses = app.addresses.clone();
    let expires_at = BOUNDARY.next_after(now);
    let token_id = random::uuid();
    let token = access_jwt(state, now, expires_at, &token_id);
    let opener = Opener::app(at);
    open(state, &mut samco, opener, &token, expires_at);
    drop(samco);
    let seen = request.source.seen(&addresses.primary);
    let payload = json!({
        "sessionToken": token, "tokenId": token_id, "accountID": id, "accountName": account_name(&id),
        "exchangeList": ["NSE", "BSE", "NFO", "MCX"], "orderTypeList": ["L", "MKT", "SL", "SL-M"],
        "productList": ["MIS", "CNC", "NRML"], "srcIp": seen,
        "primaryIp": addresses.primary, "secondaryIp": addresses.secondary,
    });
    success(state, "Session token generated successfully", payload)
        .for_account(&id)
        .seen_from(seen)
}

/// Why an account gets no session although its credentials are right.
pub(super) fn standing_problem(member: &Member) -> Option<(StatusCode, &'static str)> {
    let standing = &member.standing;
    if !standing.subscribed {
        let text = "User not subscribed. Please subscribe to access trade API";
        Some((StatusCode::FORBIDDEN, text))
    } else if standing.blocked {
        Some((StatusCode::FORBIDDEN, "User account is blocked"))
    } else if standing.needs_app_login {
        let text = "Unable to start your trading session. Please open the SAMCO mobile app, sign in once, and then retry.";
        Some((StatusCode::UNAUTHORIZED, text))
    } else {
        None
    }
}

/// The name of the account's owner.
pub(super) fn account_name(account: &str) -> String {
    format!("SANDBOX TRADER {account}")
}

/// A token of the documented shape.
pub(super) fn access_jwt(state: &State, now: Timestamp, expires_at: Timestamp, session_id: &str) -> String {
    let mut claims = json!({"iss": "preopen-sandbox", "sessId": session_id, "iat": now.as_seconds()});
    if state.switches.is_on(Switch::SamcoJwtExp) {
        claims["exp"] = expires_at.as_seconds().into();
    }
    random::jwt("HS256", &claims)
}

/// Who opens a session.
#[derive(Clone, Copy, Debug)]
pub(super) struct Opener {
    member: usize,
    app: Option<usize>,
    grant: Option<u64>,
}

impl Opener {
    /// An app with its key and secret.
    pub(super) fn app(at: AppAt) -> Self {
        Self {
            app: Some(at.app),
            ..Self::person(at.member)
        }
    }

    /// An app by an OAuth grant.
    pub(super) fn grant(at: AppAt, grant: u64) -> Self {
        Self {
            grant: Some(grant),
            ..Self::app(at)
        }
    }

    /// A person, without an app.
    pub(super) fn person(member: usize) -> Self {
        Self {
            member,
            app: None,
            grant: None,
        }
    }
}

/// Opens a session; earlier ones of the account, or of the app, end when the switches say so.
pub(super) fn open(state: &State, samco: &mut Samco, opener: Opener, token: &str, expires_at: Timestamp) {
    if state.switches.is_on(Switch::SamcoSecondLoginRevokesFirst) {
        let member = &mut samco.members[opener.member];
        let of_app = state.switches.word(Switch::SamcoSecondLoginScope) == "app";
        match opener.app.and_then(|at| member.apps.get_mut(at)) {
            Some(app) if of_app => app.end_sessions(),
            _ => member.end_sessions(),
        }
    }
    add(state, samco, opener, token, expires_at);
}

/// Adds a session beside the others of the account.
pub(super) fn add(state: &State, samco: &mut Samco, opener: Opener, token: &str, expires_at: Timestamp) {
    let session = Session {
        member: opener.member,
        app: opener.app,
        era: samco.members[opener.member].session_era(opener.app),
        expires_at,
        grant: opener.grant,
        ended: false,
    };
    samco.remember(token, session, state.now());
}

/// Whether a secret could be one of ours. The broker says "format" when its decryption fails; here a
/// secret that is short or has foreign characters stands for that.
pub(crate) fn has_secret_format(secret: &str) -> bool {
    secret.len() >= 32
        && secret
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// `GET /ip/whoami`. A mismatch is a success too.
pub(super) fn whoami(state: &State, request: &Request) -> Reply {
    let Caller {
        account, addresses, ..
    } = match signed_in(state, request) {
        Ok(caller) => caller,
        Err(refusal) => return *refusal,
    };
    let seen = request.source.seen(&addresses.primary);
    let (matches, matched_as, message) = match addresses.verdict(&seen) {
        Verdict::Match(slot) => {
            let slot = if slot == Slot::Primary {
                "PRIMARY"
            } else {
                "SECONDARY"
            };
            (
                true,
                Value::from(slot),
                format!("Calling from registered {slot} IP ({seen})."),
            )
        }
        Verdict::Unregistered => {
            let text =
                format!("Calling IP ({seen}). No IP is registered. Order endpoints will reject this host.");
            (false, Value::Null, text)
        }
        _ => {
            let mut registered = format!("PRIMARY={}", addresses.primary);
            if !addresses.secondary.is_empty() {
                registered = format!("{registered}, SECONDARY={}", addresses.secondary);
            }
            let text = format!(
                "Calling IP ({seen}) is NOT a registered IP. Registered: {registered}. Order endpoints will reject \
                 this host."
            );
            (false, Value::Null, text)
        }
    };
    let unset_is_null = state.switches.word(Switch::SamcoUnsetIp) == "null";
    let shown = |ip: &str| {
        if ip.is_empty() && unset_is_null {
            Value::Null
        } else {
            ip.into()
        }
    };
    let payload = json!({
        "srcIp": seen, "primaryIp": shown(&addresses.primary), "secondaryIp": shown(&addresses.secondary),
        "matches": matches, "matchedAs": matched_as,
    });
    success(state, &message, payload)
        .for_account(&account)
        .seen_from(seen)
}

/// `DELETE /logout`.
pub(super) fn logout(state: &State, request: &Request) -> Reply {
    let caller = match signed_in(state, request) {
        Ok(caller) => caller,
        Err(refusal) => return *refusal,
    };
    let mut samco = state.samco();
    if let Some(session) = samco
        .sessions
        .get_mut(&digest::of_token(request.header("x-session-token")))
    {
        session.ended = true;
        if let Some(grant) = session.grant
            && state.switches.is_on(Switch::OauthLogoutEndsGrant)
        {
            samco.end_grant(grant);
        }
    }
    drop(samco);
    success(state, "Request successful", json!({})).for_account(&caller.account)
}

/// Runs `act` for the account that the session token belongs to; for calls that the IP gate lets through
/// unless the switch `samco_ip_scope` says otherwise.
pub(super) fn reading(
    state: &State,
    request: &Request,
    act: impl FnOnce(&mut Samco, &Caller) -> Reply,
) -> Reply {
    gated(
        state,
        request,
        state.switches.word(Switch::SamcoIpScope) == "all",
        act,
    )
}

/// The same for reads of orders, which may or may not count as order calls.
pub(super) fn reading_orders(
    state: &State,
    request: &Request,
    act: impl FnOnce(&mut Samco, &Caller) -> Reply,
) -> Reply {
    gated(
        state,
        request,
        state.switches.word(Switch::SamcoIpScope) != "orders",
        act,
    )
}

/// Runs `act` like [`reading`], for order calls: only from a registered address.
pub(super) fn ordering(
    state: &State,
    request: &Request,
    act: impl FnOnce(&mut Samco, &Caller) -> Reply,
) -> Reply {
    gated(state, request, true, act)
}

fn gated(
    state: &State,
    request: &Request,
    check_address: bool,
    act: impl FnOnce(&mut Samco, &Caller) -> Reply,
) -> Reply {
    let caller = match signed_in(state, request) {
        Ok(caller) => caller,
        Err(refusal) => return *refusal,
    };
    let seen = request.source.seen(&caller.addresses.primary);
    let reply = if check_address && !matches!(caller.addresses.verdict(&seen), Verdict::Match(_)) {
        let code = state
            .switches
            .is_on(Switch::SamcoIpErrorCode)
            .then_some("EOAUTH009");
        bare_failure(
            StatusCode::FORBIDDEN,
            "The IP is not the registered static IP",
            code,
        )
    } else {
        act(&mut state.samco(), &caller)
    };
    reply.for_account(&caller.account).seen_from(seen)
}

/// Whose session a request carries, and the registered addresses that count for it.
#[derive(Debug)]
pub(super) struct Caller {
    pub(super) member: usize,
    pub(super) account: String,
    pub(super) addresses: Pair,
}

/// The owner of the session token, or the refusal.
pub(super) fn signed_in(state: &State, request: &Request) -> Result<Caller, Box<Reply>> {
    let refused = |text| Err(Box::new(bare_failure(StatusCode::UNAUTHORIZED, text, None)));
    let token = request.header("x-session-token");
    if token.is_empty() {
        return refused(MANDATORY);
    }
    let now = state.now();
    let samco = state.samco();
    let Some(session) = samco.session(token) else {
        return refused(INVALID);
    };
    let member = &samco.members[session.member];
    if samco.is_alive(session, now) {
        return Ok(Caller {
            member: session.member,
            account: member.id.clone(),
            addresses: member.addresses_of(session.app),
        });
    }
    let text = match state.switches.word(Switch::SamcoExpiredText) {
        "mandatory" => MANDATORY,
        "session_expired" => "Session Expired",
        _ => INVALID,
    };
    let status = u16::try_from(state.switches.number(Switch::SamcoExpiredStatus)).ok();
    let status = status.and_then(|status| StatusCode::from_u16(status).ok());
    let reply = bare_failure(status.unwrap_or(StatusCode::UNAUTHORIZED), text, None);
    Err(Box::new(reply.for_account(&member.id)))
}
