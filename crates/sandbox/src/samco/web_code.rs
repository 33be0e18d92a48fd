//! The web login code: a signed-in client asks for a code of eight characters, and whoever enters it within
//! two minutes gets a session.

use std::time::Duration;

use http::StatusCode;
use preopen_core::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::envelope::{success, timed};
use super::session::{self, signed_in};
use crate::data::{Damage, Pass};
use crate::digest;
use crate::random;
use crate::state::State;
use crate::table::Table;
use crate::wire::{Reply, Request, text_field};

const LIFE: Duration = Duration::from_mins(2);
/// How many codes are remembered before those that are over are forgotten.
const REMEMBERED: usize = 50_000;
const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const DIGITS: &str = "0123456789";

/// Codes by their digest.
#[derive(Debug, Default)]
pub(super) struct WebCodes(Table<String, WebCode>);

impl WebCodes {
    pub(super) fn keep(&mut self, pass: &mut Pass<'_>) -> Result<(), Damage> {
        pass.table("samco.web_code", &mut self.0)
    }

    /// Whose codes they are.
    pub(super) fn members(&self) -> impl Iterator<Item = usize> {
        self.0.values().map(|code| code.member)
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct WebCode {
    member: usize,
    /// The account's era: codes die with its sessions.
    era: u64,
    issued_at: Timestamp,
}

/// `GET /webSecretCode`. Asked again within two minutes, it gives a new code; both work once.
pub(super) fn issue(state: &State, request: &Request) -> Reply {
    let caller = match signed_in(state, request) {
        Ok(caller) => caller,
        Err(refusal) => return *refusal,
    };
    let now = state.now();
    let code = random::of_alphabet(LETTERS, 4) + &random::of_alphabet(DIGITS, 4);
    let mut samco = state.samco();
    let era = samco.members[caller.member].era;
    let codes = &mut samco.web_codes.0;
    if codes.len() >= REMEMBERED {
        codes.retain(|_, code| now.since(code.issued_at) < LIFE);
        if codes.len() >= REMEMBERED / 2 {
            codes.clear();
        }
    }
    let entry = WebCode {
        member: caller.member,
        era,
        issued_at: now,
    };
    codes.insert(digest::of_token(&code), entry);
    drop(samco);
    let data = json!({"timeRemainingInSeconds": LIFE.as_secs(), "OTP": code});
    // The spelling is the broker's.
    success(
        state,
        "Secret code genererated successfully.",
        json!({"data": data}),
    )
    .for_account(&caller.account)
}

/// `POST /webSecretCodeValidation`: no header, the code is the whole credential, and it counts once.
pub(super) fn validate(state: &State, request: &Request) -> Reply {
    let body = request.json().unwrap_or_default();
    let given = text_field(&body, "otp").unwrap_or_default();
    let now = state.now();
    let mut samco = state.samco();
    let samco = &mut *samco;
    let found = samco
        .web_codes
        .0
        .remove(&digest::of_token(&given))
        .filter(|code| {
            now.since(code.issued_at) < LIFE
                && now >= code.issued_at
                && code.era == samco.members[code.member].era
        });
    let Some(code) = found else {
        let problem = if given.is_empty() {
            "otp is required."
        } else {
            "OTP expired. Please generate a new OTP."
        };
        let fields = json!({"status": "Failure", "validationErrors": [problem]});
        return timed(state, StatusCode::BAD_REQUEST, fields);
    };
    let member = &samco.members[code.member];
    let (id, addresses) = (member.id.clone(), member.addresses_of(None));
    let token = random::hex::<16>();
    // A session in the browser stands beside the one that asked for the code.
    let expires_at = session::BOUNDARY.next_after(now);
    let opener = session::Opener::person(code.member);
    session::add(state, samco, opener, &token, expires_at);
    let fields = json!({
        "status": "Success", "statusMessage": "Login session token generated successfully", "sessionToken": token,
        "accountID": id, "accountName": session::account_name(&id),
        "exchangeList": ["BFO", "BSE", "CDS", "MCX", "NSE", "NFO"], "orderTypeList": ["MKT", "L", "SL", "SL-M"],
        "productList": ["MIS", "CNC", "NRML", "CO", "BO"], "srcIp": request.source.seen(&addresses.primary),
        "primaryIp": addresses.primary, "secondaryIp": addresses.secondary,
    });
    timed(state, StatusCode::OK, fields).for_account(&id)
}
