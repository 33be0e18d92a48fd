//! Samco's deprecated endpoints, which still work: login with a password and an access token, the keys for
//! it, and changes of the registered addresses.

mod addresses;
mod keys;

use std::time::Duration;

use http::StatusCode;
use preopen_core::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::envelope::{bare_failure, invalid, success};
use super::session;
use crate::digest::{self, Salted};
use crate::random;
use crate::state::State;
use crate::switch::Switch;
use crate::wire::{Reply, Request, text_field};
pub(super) use addresses::{register as register_ip, update as update_ip};
pub(super) use keys::{access_token, generate_otp, generate_secret_key};

/// What an account has of the old ways.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Legacy {
    /// The code that was sent last, and when.
    otp: Option<(Salted, Timestamp)>,
    /// The digest of the access token that was made last, and when it ends.
    access_token: Option<(String, Timestamp)>,
}

const DAY: Duration = Duration::from_hours(24);

fn field(body: &Value, name: &str) -> String {
    text_field(body, name).unwrap_or_default()
}

/// `POST /login`.
pub(super) fn login(state: &State, request: &Request) -> Reply {
    let body = request.json().unwrap_or_default();
    let missing: Vec<String> = ["userId", "password", "accessToken"]
        .iter()
        .filter(|name| field(&body, name).is_empty())
        .map(|name| format!("{name} is required"))
        .collect();
    if !missing.is_empty() {
        return invalid(state, &missing);
    }
    let now = state.now();
    let mut samco = state.samco();
    let index = samco.by_account.get(&field(&body, "userId")).copied();
    let member = index.map(|at| &samco.members[at]);
    let (Some(index), Some(member)) = (
        index,
        member.filter(|member| member.password == field(&body, "password")),
    ) else {
        return failed(state, StatusCode::BAD_REQUEST, "Invalid Password");
    };
    let id = member.id.clone();
    let token = digest::of_token(&field(&body, "accessToken"));
    let known = member.legacy.access_token.as_ref();
    if known.is_none_or(|(known, ends)| *known != token || now >= *ends) {
        // Not documented: no row shows a wrong or old access token.
        return failed(state, StatusCode::BAD_REQUEST, "Invalid access token").for_account(&id);
    }
    if let Some((status, text)) = session::standing_problem(member) {
        return bare_failure(status, text, None).for_account(&id);
    }
    let token = random::hex::<16>();
    let expires_at = if state.switches.word(Switch::SamcoLegacySessionLife) == "day" {
        now.plus(DAY)
    } else {
        session::BOUNDARY.next_after(now)
    };
    let opener = session::Opener::person(index);
    session::open(state, &mut samco, opener, &token, expires_at);
    drop(samco);
    let payload = json!({
        "sessionToken": token, "accountID": id, "accountName": session::account_name(&id),
        "exchangeList": ["BFO", "BSE", "CDS", "MCX", "NSE", "NFO"], "orderTypeList": ["MKT", "L", "SL", "SL-M"],
        "productList": ["MIS", "CNC", "NRML", "CO", "BO"],
    });
    success(state, "Login session token generated successfully", payload).for_account(&id)
}

/// A failure with time, id and text.
fn failed(state: &State, status: StatusCode, text: &str) -> Reply {
    super::refuse(state, status, text)
}
