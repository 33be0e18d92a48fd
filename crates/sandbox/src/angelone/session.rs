//! SmartAPI sessions: login with PIN and TOTP, refresh, logout.

use std::time::Duration;

use preopen_core::expiry::DailyBoundary;
use preopen_core::totp::{TotpSecret, step_at, step_start};
use preopen_core::{Clock as _, Secret, SystemClock, Timestamp};
use serde_json::{Value, json};

use super::envelope::{backend_failure, gateway_failure, success, too_fast};
use super::gate::{bearer, check_user_type, reading};
use super::{AngelOne, Session};
use crate::digest;
use crate::random;
use crate::state::State;
use crate::switch::Switch;
use crate::wire::{Reply, Request, text_field};

/// Every session ends at the first 00:00 IST after the login.
const BOUNDARY: DailyBoundary = DailyBoundary::at(0, 0);

/// `POST loginByPassword`.
pub(super) fn login(state: &State, request: &Request) -> Reply {
    if let Err(refusal) = check_user_type(state, request) {
        return *refusal;
    }
    let Some(body @ Value::Object(_)) = request.json() else {
        return backend_failure(state, "AB1004", "Something Went Wrong, Please Try After Sometime");
    };
    let field = |name| text_field(&body, name).unwrap_or_default();
    let (code, pin, totp) = (field("clientcode"), field("password"), field("totp"));
    let now = state.now();
    let mut angelone = state.angelone();
    let Some(index) = angelone.position(&code) else {
        let (error, text) = Refused::Login.shown();
        return backend_failure(state, error, text);
    };
    if is_too_fast(state, &mut angelone, index) {
        return too_fast().for_account(&code);
    }
    let member = &angelone.members[index];
    if request.header("x-privatekey") != member.account.api_key || !member.app_active {
        return backend_failure(state, "AB1053", "Invalid apiKey").for_account(&code);
    }
    if let Err(refused) = check_person(state, &mut angelone, index, &pin, &totp, now) {
        let (error, text) = refused.shown();
        let reply = match refused {
            Refused::Blocked => gateway_failure(state, error, text),
            _ => backend_failure(state, error, text),
        };
        return reply.for_account(&code);
    }
    let number = open(state, &mut angelone, index, index, now);
    let mut tokens = issue(state, &mut angelone, number, now);
    if let Some(echo) = body.get("state").filter(|echo| !echo.is_null()) {
        tokens["state"] = echo.clone();
    }
    success(&tokens).for_account(&code)
}

/// Why a person is not let in.
#[derive(Clone, Copy, Debug)]
pub(super) enum Refused {
    Login,
    Totp,
    Blocked,
}

impl Refused {
    /// Code and text.
    pub(super) const fn shown(self) -> (&'static str, &'static str) {
        match self {
            Self::Login => ("AB1007", "Login Id or password is invalid"),
            Self::Totp => ("AB1050", "Invalid totp"),
            Self::Blocked => ("AB1006", "Client Is Block For Trading"),
        }
    }
}

/// Checks what a person knows; the code counts as used then.
pub(super) fn check_person(
    state: &State,
    angelone: &mut AngelOne,
    index: usize,
    pin: &str,
    totp: &str,
    now: Timestamp,
) -> Result<(), Refused> {
    let member = &angelone.members[index];
    if pin != member.account.pin {
        let other = pin.is_empty() || state.switches.word(Switch::AngeloneWrongPin) == "AB1050";
        return Err(if other { Refused::Totp } else { Refused::Login });
    }
    if member.blocked {
        return Err(Refused::Blocked);
    }
    let step = matching_step(state, &member.account.totp_secret, totp, now).ok_or(Refused::Totp)?;
    if state.switches.is_on(Switch::TotpReuseRefused) && member.used_steps.contains(&step) {
        return Err(Refused::Totp);
    }
    let member = &mut angelone.members[index];
    member.used_steps.push_back(step);
    if member.used_steps.len() > 50 {
        member.used_steps.pop_front();
    }
    member.last_login = Some(now);
    Ok(())
}

/// Opens a session for a member with the app of a member; gives its number.
pub(super) fn open(state: &State, angelone: &mut AngelOne, member: usize, app: usize, now: Timestamp) -> u64 {
    if state.switches.is_on(Switch::AngeloneSecondLoginRevokesFirst) {
        angelone.members[member].end_sessions();
    }
    angelone.forget_when_full(now);
    let number = angelone.sessions_opened.next();
    let session = Session {
        member,
        app,
        era: angelone.members[member].era,
        expires_at: BOUNDARY.next_after(now),
        ended: false,
    };
    angelone.sessions.insert(number, session);
    number
}

/// Counts a login attempt and says whether there were too many in the last second.
fn is_too_fast(state: &State, angelone: &mut AngelOne, index: usize) -> bool {
    let limit = usize::try_from(state.switches.number(Switch::AngeloneLoginRate)).unwrap_or(0);
    if limit == 0 {
        return false;
    }
    let now = state.clock.now().monotonic;
    let logins = angelone.logins.entry(index).or_default();
    while logins
        .front()
        .is_some_and(|at| now.saturating_sub(*at) >= Duration::from_secs(1))
    {
        logins.pop_front();
    }
    if logins.len() >= limit {
        return true;
    }
    logins.push_back(now);
    false
}

/// The time step whose code this is, on the clocks and within the window that the switches allow.
fn matching_step(state: &State, secret: &str, code: &str, now: Timestamp) -> Option<i64> {
    if code.len() != 6 {
        return None;
    }
    let secret = TotpSecret::new(secret);
    let window = state.switches.number(Switch::TotpWindowSteps);
    let real = SystemClock.now().wall;
    let clocks: &[Timestamp] = match state.switches.word(Switch::TotpClock) {
        "virtual" => &[now],
        "real" => &[real],
        _ => &[now, real],
    };
    let steps = clocks
        .iter()
        .flat_map(|at| (-window..=window).map(|offset| step_at(*at) + offset));
    let code = Secret::from(code);
    let mut steps = steps.into_iter();
    steps.find(|step| {
        secret
            .code_at(step_start(*step))
            .is_ok_and(|made| made.spend() == code)
    })
}

/// New tokens for a session, one to refresh it with among them.
fn issue(state: &State, angelone: &mut AngelOne, number: u64, now: Timestamp) -> Value {
    let Some((access, feed)) = access_and_feed(state, angelone, number, now) else {
        return Value::Null;
    };
    let claims = json!({"token": random::text::<16>(), "iat": now.as_seconds()});
    let refresh = random::jwt("HS512", &claims);
    angelone.refresh.insert(digest::of_token(&refresh), number);
    json!({"jwtToken": access, "refreshToken": refresh, "feedToken": feed})
}

/// A new access token for a session, and a feed token.
pub(super) fn access_and_feed(
    state: &State,
    angelone: &mut AngelOne,
    number: u64,
    now: Timestamp,
) -> Option<(String, String)> {
    let session = angelone.sessions.get(&number)?;
    let client = &angelone.members[session.member].account.client_code;
    let mut claims = json!({
        "username": client, "roles": 0, "usertype": "USER", "token": random::text::<24>(), "iat": now.as_seconds(),
    });
    let feed = random::jwt("HS512", &json!({"username": client, "iat": now.as_seconds()}));
    match state.switches.word(Switch::AngeloneJwtExp) {
        "years" => claims["exp"] = (now.as_seconds() + 3 * 365 * 86_400).into(),
        "midnight" => claims["exp"] = session.expires_at.as_seconds().into(),
        _ => {}
    }
    let access = random::jwt("HS512", &claims);
    angelone.access.insert(digest::of_token(&access), number);
    Some((access, feed))
}

/// `POST generateTokens`. A bearer is not needed, but one that is sent must be known.
pub(super) fn refresh(state: &State, request: &Request) -> Reply {
    if let Err(refusal) = check_user_type(state, request) {
        return *refusal;
    }
    let Some(body @ Value::Object(_)) = request.json() else {
        return backend_failure(state, "AB1004", "Something Went Wrong, Please Try After Sometime");
    };
    let token = digest::of_token(&text_field(&body, "refreshToken").unwrap_or_default());
    let now = state.now();
    let mut angelone = state.angelone();
    if bearer(request).is_some_and(|bearer| angelone.session_of(bearer).is_none()) {
        return gateway_failure(state, "AG8001", "Invalid Token");
    }
    let invalid = || backend_failure(state, "AB8050", "Invalid Refresh Token");
    let Some(number) = angelone.refresh.get(&token).copied() else {
        return invalid();
    };
    let Some(session) = angelone.sessions.get(&number) else {
        return invalid();
    };
    let account = &angelone.members[session.member].account;
    let client = account.client_code.clone();
    if request.header("x-privatekey") != account.api_key {
        return backend_failure(state, "AB1053", "Invalid apiKey").for_account(&client);
    }
    if angelone.is_ended(session) {
        return invalid().for_account(&client);
    }
    if now >= session.expires_at {
        return backend_failure(state, "AB8051", "Refresh Token Expired").for_account(&client);
    }
    if state.switches.is_on(Switch::AngeloneRefreshRotates) {
        angelone.refresh.remove(&token);
    }
    if state.switches.is_on(Switch::AngeloneRefreshEndsOldJwt) {
        angelone.access.retain(|_, session| *session != number);
    }
    angelone.forget_when_full(now);
    let tokens = issue(state, &mut angelone, number, now);
    success(&tokens).for_account(&client)
}

/// `POST logout`. It ends the session of the bearer, and no other one of the client.
pub(super) fn logout(state: &State, request: &Request) -> Reply {
    reading(state, request, |angelone, caller| {
        let body = request.json().unwrap_or_default();
        if text_field(&body, "clientcode").is_none_or(|code| code != caller.account.client_code) {
            return backend_failure(state, "AB1011", "Client not login");
        }
        if state.switches.is_on(Switch::AngeloneLogoutEndsSession)
            && let Some(session) = angelone.sessions.get_mut(&caller.session)
        {
            session.ended = true;
        }
        success(&Value::from(""))
    })
}
