//! The envelopes of SmartAPI replies: success, failure of a backend, failure of the gateway, rate limit.

use http::StatusCode;
use serde_json::{Value, json};

use crate::state::State;
use crate::switch::Switch;
use crate::wire::Reply;

/// Success of a backend.
pub(super) fn success(data: &Value) -> Reply {
    Reply::json(
        StatusCode::OK,
        &json!({"status": true, "message": "SUCCESS", "errorcode": "", "data": data}),
    )
}

fn failure_status(state: &State) -> StatusCode {
    let status = u16::try_from(state.switches.number(Switch::AngeloneFailureStatus)).unwrap_or(200);
    StatusCode::from_u16(status).unwrap_or(StatusCode::OK)
}

/// Failure of a backend: `errorcode` in lower case and `data` null.
pub(super) fn backend_failure(state: &State, code: &str, message: &str) -> Reply {
    let body = json!({"status": false, "message": message, "errorcode": code, "data": null});
    Reply::json(failure_status(state), &body)
}

/// Failure of the gateway: no `status`, `errorCode` in camel case and `data` an empty string.
pub(super) fn gateway_failure(state: &State, code: &str, message: &str) -> Reply {
    let body = json!({"success": false, "message": message, "errorCode": code, "data": ""});
    Reply::json(failure_status(state), &body)
}

/// The rate limit: plain text with HTTP 403.
pub(super) fn too_fast() -> Reply {
    Reply::text(
        StatusCode::FORBIDDEN,
        "Access denied because of exceeding access rate",
    )
}

/// A refusal outside of any endpoint: unknown path, wrong method, unreadable body.
pub(crate) fn refuse(status: StatusCode, message: &str) -> Reply {
    Reply::json(
        status,
        &json!({"success": false, "message": message, "errorCode": "", "data": ""}),
    )
}
