//! `POST /oauth/token` and `POST /oauth/revoke`: codes and refresh tokens become sessions, and end.

use std::time::{Duration, Instant};

use http::StatusCode;
use preopen_core::Timestamp;
use preopen_core::static_ip::Verdict;
use serde_json::{Value, json};

use super::refusal::{
    ADDRESS, CONCURRENT, NO_CODE, NO_REFRESH, NO_SESSION, OLD_CODE, OLD_REFRESH, Refusal, UNKNOWN_CODE,
    UNKNOWN_REFRESH, USED_CODE, unreadable,
};
use super::{CODE_LIFE, Claim, REFRESH_LIFE, Refresh};
use crate::digest;
use crate::random;
use crate::samco::{AppAt, Member, Samco, session};
use crate::source::Source;
use crate::state::State;
use crate::switch::Switch;
use crate::wire::{Reply, Request, text_field};

/// What the broker says of every access token, although 08:00 comes sooner.
const ACCESS_LIFE: Duration = Duration::from_hours(24);

/// `POST /oauth/token`.
pub(crate) fn token(state: &State, request: &Request) -> Reply {
    let body = request.json().unwrap_or_default();
    let field = |name| text_field(&body, name).unwrap_or_default();
    let mut account = None;
    let given = match field("grant_type").as_str() {
        "authorization_code" => exchange(state, request.source, &field("code"), &mut account),
        "refresh_token" => refresh(state, request.source, &field("refresh_token"), &mut account),
        _ => return unreadable(state, "grant_type must be authorization_code or refresh_token"),
    };
    let mut reply = match given {
        Ok((data, hold)) => {
            let mut reply = Reply::json(StatusCode::OK, &json!({"status": "Success", "data": data}));
            reply.hold = hold;
            reply.seen = data["srcIp"].as_str().map(str::to_owned);
            reply
        }
        Err(refusal) => refusal.reply(state),
    };
    reply.account = account;
    reply
}

/// The code grant. The account is told as soon as it is known.
fn exchange(
    state: &State,
    source: Source,
    code: &str,
    account: &mut Option<String>,
) -> Result<(Value, Duration), Refusal> {
    if code.is_empty() {
        return Err(NO_CODE);
    }
    let now = state.now();
    let mut guard = state.samco();
    let samco = &mut *guard;
    let key = digest::of_token(code);
    let Some(entry) = samco.oauth.codes.get(&key).copied() else {
        return Err(UNKNOWN_CODE);
    };
    let at = entry.at;
    let member = &samco.members[at.member];
    *account = Some(member.id.clone());
    if let Claim::Taken(until) = entry.claim {
        if Instant::now() < until {
            return Err(CONCURRENT);
        }
        let member = &mut samco.members[at.member];
        match state.switches.word(Switch::OauthReplayEnds) {
            "app" => member.apps[at.app].revoke(),
            _ => member.revoke_all(),
        }
        return Err(USED_CODE);
    }
    if entry.era != member.grants_era(at.app) {
        return Err(UNKNOWN_CODE);
    }
    if now.since(entry.issued_at) >= CODE_LIFE {
        return Err(OLD_CODE);
    }
    may_open(source, member, at.app)?;
    let hold = u64::try_from(state.switches.number(Switch::OauthExchangeHold)).unwrap_or(0);
    let hold = Duration::from_millis(hold);
    if let Some(entry) = samco.oauth.codes.get_mut(&key) {
        entry.claim = Claim::Taken(Instant::now() + hold);
    }
    let grant = samco.oauth.grants_opened.next();
    let data = issue(state, source, samco, at, grant, now);
    Ok((data, hold))
}

/// The refresh grant: the token is replaced by a new one.
fn refresh(
    state: &State,
    source: Source,
    token: &str,
    account: &mut Option<String>,
) -> Result<(Value, Duration), Refusal> {
    if token.is_empty() {
        return Err(NO_REFRESH);
    }
    let now = state.now();
    let mut guard = state.samco();
    let samco = &mut *guard;
    let key = digest::of_token(token);
    let Some(entry) = samco.oauth.refresh.get(&key).copied() else {
        return Err(UNKNOWN_REFRESH);
    };
    let at = entry.at;
    let member = &samco.members[at.member];
    *account = Some(member.id.clone());
    let grace = u64::try_from(state.switches.number(Switch::OauthRefreshGraceSeconds)).unwrap_or(0);
    let replaced = entry
        .replaced_at
        .is_some_and(|at| now.since(at) >= Duration::from_secs(grace));
    let swept = !state.switches.is_on(Switch::OauthRefreshSurvivesEight)
        && now >= session::BOUNDARY.next_after(entry.issued_at);
    if replaced || swept || entry.era != member.grants_era(at.app) {
        return Err(UNKNOWN_REFRESH);
    }
    if now.since(entry.counts_from) >= REFRESH_LIFE {
        return Err(OLD_REFRESH);
    }
    may_open(source, member, at.app)?;
    if let Some(entry) = samco.oauth.refresh.get_mut(&key) {
        entry.replaced_at.get_or_insert(now);
    }
    let grant = entry.grant;
    let counts_from = if state.switches.is_on(Switch::OauthRefreshResetsSevenDays) {
        now
    } else {
        entry.counts_from
    };
    let data = issue(state, source, samco, at, grant, counts_from);
    Ok((data, Duration::ZERO))
}

/// Whether the address is on the app's list, if there is one, and the trading backend opens a session.
fn may_open(source: Source, member: &Member, app: usize) -> Result<(), Refusal> {
    let addresses = &member.apps[app].addresses;
    if addresses.verdict(&source.seen(&addresses.primary)) == Verdict::Mismatch {
        return Err(ADDRESS);
    }
    session::standing_problem(member).map_or(Ok(()), |_| Err(NO_SESSION))
}

/// New tokens for an app; `counts_from` is when the seven days of the refresh token began.
fn issue(
    state: &State,
    source: Source,
    samco: &mut Samco,
    at: AppAt,
    grant: u64,
    counts_from: Timestamp,
) -> Value {
    let now = state.now();
    let expires_at = session::BOUNDARY.next_after(now).min(now.plus(ACCESS_LIFE));
    let session_id = random::hex::<16>();
    let access = session::access_jwt(state, now, expires_at, &session_id);
    let opener = session::Opener::grant(at, grant);
    session::open(state, samco, opener, &access, expires_at);
    let refresh = random::text::<32>();
    let entry = Refresh {
        at,
        era: samco.members[at.member].grants_era(at.app),
        grant,
        issued_at: now,
        counts_from,
        replaced_at: None,
    };
    samco.oauth.remember_refresh(&samco.members, &refresh, entry);
    let member = &samco.members[at.member];
    let (id, addresses) = (&member.id, &member.apps[at.app].addresses);
    json!({
        "access_token": access, "token_type": "Bearer", "expires_in": ACCESS_LIFE.as_secs(),
        "refresh_token": refresh, "refresh_token_expires_in": REFRESH_LIFE.saturating_sub(now.since(counts_from)).as_secs(),
        "session_id": session_id, "user_id": id, "scopes": "all", "accountID": id,
        "accountName": session::account_name(id), "exchangeList": ["NSE", "BSE", "NFO", "CDS", "MCX"],
        "orderTypeList": ["LIMIT", "MARKET", "SL", "SL-M"], "productList": ["CNC", "MIS", "NRML"],
        "srcIp": source.seen(&addresses.primary), "primaryIp": addresses.primary,
        "secondaryIp": addresses.secondary,
    })
}

/// `POST /oauth/revoke`: either token ends the whole grant; an unknown one is a success too.
pub(crate) fn revoke(state: &State, request: &Request) -> Reply {
    let body = request.json().unwrap_or_default();
    let Some(token) = text_field(&body, "token").filter(|token| !token.is_empty()) else {
        return unreadable(state, "token is required");
    };
    let kind = text_field(&body, "token_type");
    if state.switches.word(Switch::OauthRevokeTokenType) != "any" && kind.as_deref() != Some("access_token") {
        return unreadable(state, "token_type must be access_token");
    }
    let mut samco = state.samco();
    let key = digest::of_token(&token);
    let session = samco.sessions.get(&key).copied();
    let refresh = samco.oauth.refresh.get(&key).copied();
    let (grant, member) = match (session, refresh) {
        (Some(session), _) => (session.grant, Some(session.member)),
        (None, Some(refresh)) => (Some(refresh.grant), Some(refresh.at.member)),
        (None, None) => (None, None),
    };
    if let Some(grant) = grant {
        samco.end_grant(grant);
    }
    let account = member.map(|at| samco.members[at].id.clone());
    drop(samco);
    let mut reply = Reply::json(
        StatusCode::OK,
        &json!({"status": "Success", "message": "Token revoked successfully"}),
    );
    reply.account = account;
    reply
}
