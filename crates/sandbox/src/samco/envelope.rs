//! The envelopes of Samco replies.

use http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};

use crate::random;
use crate::state::State;
use crate::switch::Switch;
use crate::wire::Reply;

/// The documented form of `serverTime`: India's time without a zone.
const SERVER_TIME: &str = "%d/%m/%y %H:%M:%S";

fn opening(state: &State) -> Value {
    json!({"serverTime": state.now().format_ist(SERVER_TIME), "msgId": random::uuid()})
}

fn extended(mut base: Value, fields: Value) -> Value {
    if let (Value::Object(base), Value::Object(fields)) = (&mut base, fields) {
        base.extend(fields);
    }
    base
}

/// HTTP 200 with the four common fields and the payload, which is an object, beside them.
pub(super) fn success(state: &State, message: &str, payload: impl Serialize) -> Reply {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Success<'a, P> {
        server_time: String,
        msg_id: String,
        status: &'static str,
        status_message: &'a str,
        #[serde(flatten)]
        payload: P,
    }
    let reply = Success {
        server_time: state.now().format_ist(SERVER_TIME),
        msg_id: random::uuid(),
        status: "Success",
        status_message: message,
        payload,
    };
    Reply::json(StatusCode::OK, &reply)
}

/// A reply with its time, without an id, and with exactly these other fields.
pub(super) fn timed(state: &State, status: StatusCode, fields: Value) -> Reply {
    let time = json!({"serverTime": state.now().format_ist(SERVER_TIME)});
    Reply::json(status, &extended(time, fields))
}

/// HTTP 200 with the time and id of a reply and exactly these other fields.
pub(super) fn irregular(state: &State, fields: Value) -> Reply {
    Reply::json(StatusCode::OK, &extended(opening(state), fields))
}

/// A failure of a data or order call: HTTP 400 with the common fields.
pub(super) fn failure(state: &State, message: &str, payload: Value) -> Reply {
    let ok = state.switches.is_on(Switch::SamcoHttpOkFailures);
    let status = if ok {
        StatusCode::OK
    } else {
        StatusCode::BAD_REQUEST
    };
    let common = extended(
        opening(state),
        json!({"status": "Failure", "statusMessage": message}),
    );
    Reply::json(status, &extended(common, payload))
}

/// A failure that carries neither time nor id, as the session endpoints show it.
pub(super) fn bare_failure(status: StatusCode, message: &str, code: Option<&str>) -> Reply {
    let mut body = json!({"status": "Failure", "statusMessage": message});
    if let Some(code) = code {
        body["errorCode"] = code.into();
    }
    Reply::json(status, &body)
}

/// A failure of input validation: a list, and no `statusMessage`.
pub(super) fn invalid(state: &State, problems: &[String]) -> Reply {
    let body = extended(
        opening(state),
        json!({"status": "Failure", "validationErrors": problems}),
    );
    Reply::json(StatusCode::BAD_REQUEST, &body)
}

/// A refusal outside of any endpoint: unknown path, wrong method, unreadable body.
pub(crate) fn refuse(state: &State, status: StatusCode, message: &str) -> Reply {
    Reply::json(
        status,
        &extended(
            opening(state),
            json!({"status": "Failure", "statusMessage": message}),
        ),
    )
}
