//! What every SmartAPI call must pass: headers, the access token, and for orders the registered address.

use preopen_core::Clock as _;
use preopen_core::static_ip::{Addresses, Verdict};

use super::AngelOne;
use super::envelope::{backend_failure, gateway_failure, too_fast};
use crate::account::AngelOneAccount;
use crate::state::State;
use crate::switch::Switch;
use crate::wire::{Reply, Request};

/// A caller with a live session.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) account: AngelOneAccount,
    /// The session that the token belongs to.
    pub(super) session: u64,
}

/// `X-UserType` must be USER on every call, the login included.
pub(super) fn check_user_type(state: &State, request: &Request) -> Result<(), Box<Reply>> {
    if request.header("x-usertype").eq_ignore_ascii_case("user") {
        Ok(())
    } else {
        Err(Box::new(backend_failure(
            state,
            "AB1005",
            "User Type Must Be USER",
        )))
    }
}

/// The access token of the Authorization header. A doubled `Bearer` is left in and makes it unknown.
pub(super) fn bearer(request: &Request) -> Option<&str> {
    let value = request.header("authorization");
    let token = value
        .strip_prefix("Bearer ")
        .or_else(|| value.strip_prefix("bearer "))
        .unwrap_or(value)
        .trim();
    (!token.is_empty()).then_some(token)
}

/// The caller of a secured endpoint, or the gateway's refusal.
fn caller(state: &State, request: &Request) -> Result<Caller, Box<Reply>> {
    check_user_type(state, request)?;
    let refused = |code, message| Box::new(gateway_failure(state, code, message));
    let key = request.header("x-privatekey");
    if key.is_empty() {
        return Err(refused("AG8004", "Invalid API Key"));
    }
    let token = bearer(request).ok_or_else(|| refused("AG8003", "Token missing"))?;
    let now = state.now();
    let angelone = state.angelone();
    let number = angelone.session_of(token);
    let session = number.and_then(|number| angelone.sessions.get(&number));
    let (Some(number), Some(session)) = (number, session) else {
        return Err(refused("AG8001", "Invalid Token"));
    };
    let member = &angelone.members[session.member];
    let named = |reply: Box<Reply>| Box::new(reply.for_account(&member.account.client_code));
    if angelone.is_ended(session) {
        return Err(named(refused("AG8001", "Invalid Token")));
    }
    if now >= session.expires_at {
        return Err(named(Box::new(expired(state))));
    }
    let app = &angelone.members[session.app];
    if key != app.account.api_key || !app.app_active {
        return Err(named(refused("AG8004", "Invalid API Key")));
    }
    Ok(Caller {
        account: member.account.clone(),
        session: number,
    })
}

fn expired(state: &State) -> Reply {
    match state.switches.word(Switch::AngeloneExpiredCode) {
        "AG8001" => gateway_failure(state, "AG8001", "Invalid Token"),
        "AB1010" => backend_failure(state, "AB1010", "AMX Session Expired"),
        "AB1011" => backend_failure(state, "AB1011", "Client not login"),
        _ => gateway_failure(state, "AG8002", "Token Expired"),
    }
}

/// Counts a call by the documented limits, if the switch says so, and says whether it is one too many. That comes before
/// the address is looked at: not documented.
fn is_too_fast(state: &State, angelone: &mut AngelOne, caller: &Caller, request: &Request) -> bool {
    if !state.switches.is_on(Switch::AngeloneRateLimits) {
        return false;
    }
    let now = state.clock.now().monotonic;
    let member = angelone.position(&caller.account.client_code);
    member.is_some_and(|member| angelone.rates.is_too_fast(member, request, now))
}

/// Runs `act` for the caller of a call that may come from any address.
pub(super) fn reading(
    state: &State,
    request: &Request,
    act: impl FnOnce(&mut AngelOne, &Caller) -> Reply,
) -> Reply {
    match caller(state, request) {
        Ok(caller) => {
            let mut angelone = state.angelone();
            let reply = if is_too_fast(state, &mut angelone, &caller, request) {
                too_fast()
            } else {
                act(&mut angelone, &caller)
            };
            reply.for_account(&caller.account.client_code)
        }
        Err(refusal) => *refusal,
    }
}

/// Runs `act` for the caller of an order call: only from a registered address.
pub(super) fn ordering(
    state: &State,
    request: &Request,
    act: impl FnOnce(&mut AngelOne, &Caller) -> Reply,
) -> Reply {
    reading(state, request, |angelone, caller| {
        let account = &caller.account;
        let seen = request.source.seen(&account.primary_ip);
        let addresses = Addresses::new(
            Some(&seen),
            Some(&account.primary_ip),
            Some(&account.secondary_ip),
        );
        if matches!(addresses.verdict(), Some(Verdict::Match(_))) {
            act(angelone, caller)
        } else {
            let text = "Access denied: Unregistered IP address. Register your IP before retrying.";
            gateway_failure(state, "AG7002", text)
        }
    })
}
