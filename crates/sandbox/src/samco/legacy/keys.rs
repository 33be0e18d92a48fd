//! The keys of the deprecated login: a one-time code, the secret key that it buys, and the access token of a
//! day that the key buys.

use std::time::Duration;

use http::StatusCode;
use serde_json::json;

use super::{failed, field};
use crate::digest::{self, Salted};
use crate::inbox::{Channel, MessageKind};
use crate::random;
use crate::samco::envelope::{irregular, success, timed};
use crate::samco::session;
use crate::state::State;
use crate::switch::Switch;
use crate::wire::{Reply, Request};

/// The documents say a few minutes.
const OTP_LIFE: Duration = Duration::from_mins(5);

/// `POST /otp/generateOtp`.
pub(crate) fn generate_otp(state: &State, request: &Request) -> Reply {
    let uid = field(&request.json().unwrap_or_default(), "uid");
    let now = state.now();
    let mut samco = state.samco();
    let Some(&index) = samco.by_account.get(&uid) else {
        // The spelling is the broker's.
        return failed(
            state,
            StatusCode::BAD_REQUEST,
            "Failed to genererate otp for user",
        );
    };
    let otp = random::of_alphabet("0123456789", 4);
    samco.members[index].legacy.otp = Some((Salted::of(&otp), now));
    let channels = [Channel::Sms, Channel::Email];
    state
        .inbox()
        .send(now, &uid, &channels, MessageKind::Otp, &otp, "");
    drop(samco);
    success(state, "OTP sent to your mobile and email.", json!({})).for_account(&uid)
}

/// `POST /otp/secretKeyGenerator`: a code counts once, and a new key takes the place of the old one.
pub(crate) fn generate_secret_key(state: &State, request: &Request) -> Reply {
    let body = request.json().unwrap_or_default();
    let (uid, otp) = (field(&body, "uid"), field(&body, "otp"));
    let now = state.now();
    let mut samco = state.samco();
    let index = samco.by_account.get(&uid).copied();
    let right = |(sent, at): &(Salted, _)| sent.is_of(&otp) && now.since(*at) < OTP_LIFE;
    let waits = |at: &usize| samco.members[*at].legacy.otp.as_ref().is_some_and(right);
    let Some(index) = index.filter(waits) else {
        return failed(state, StatusCode::BAD_REQUEST, "Invalid OTP.");
    };
    let member = &mut samco.members[index];
    member.legacy.otp = None;
    let key = random::text::<12>();
    member.secret_api_key.clone_from(&key);
    state
        .inbox()
        .send(now, &uid, &[Channel::Email], MessageKind::SecretApiKey, &key, "");
    drop(samco);
    success(
        state,
        "The secret API key has been sent to your email.",
        json!({}),
    )
    .for_account(&uid)
}

/// `POST /accessToken/token`: the token ends before 08:00.
pub(crate) fn access_token(state: &State, request: &Request) -> Reply {
    let body = request.json().unwrap_or_default();
    let (uid, key) = (field(&body, "uid"), field(&body, "secretApiKey"));
    let now = state.now();
    let mut samco = state.samco();
    let index = samco.by_account.get(&uid).copied();
    let right = |at: &usize| !key.is_empty() && samco.members[*at].secret_api_key == key;
    let Some(index) = index.filter(right) else {
        let fields = json!({"status": "Failure", "statusMessage": "Secret key does not match"});
        return timed(state, StatusCode::BAD_REQUEST, fields);
    };
    let lead = state.switches.number(Switch::SamcoAccessTokenLead);
    let lead = lead.saturating_mul(1000);
    // Of a token that is made within the lead, the next morning counts.
    let ends = session::BOUNDARY
        .next_after(now.plus_millis(lead))
        .plus_millis(-lead);
    let token = random::text::<21>();
    samco.members[index].legacy.access_token = Some((digest::of_token(&token), ends));
    drop(samco);
    irregular(state, json!({"status": "Success", "accessToken": token})).for_account(&uid)
}
