//! Every vector of `tests/vectors`, read by the pure core. That every row of the fault tables has a vector is
//! tested beside the tables.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests"
)]

use std::path::{Path, PathBuf};
use std::time::Duration;

use preopen_core::broker::{Adapter, ProfileSource};
use preopen_core::brokers::{AngelOne, Samco};
use preopen_core::envelope::{Rejection, Reply};
use preopen_core::error::Redactor;
use preopen_core::wire::{Endpoint, Method, RawReply};
use preopen_core::{Advice, Error};
use serde_json::{Value, json};

fn adapter(broker: &str) -> Box<dyn Adapter> {
    match broker {
        "samco" => Box::new(Samco::new("vector-key", "vector-secret")),
        "angelone" => Box::new(AngelOne::new(
            "vector-key",
            "VEC100",
            "0000",
            "JBSWY3DPEHPK3PXPJBSWY3DPEH",
        )),
        other => panic!("no broker {other}"),
    }
}

fn vectors(broker: &str) -> Vec<(PathBuf, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/vectors")
        .join(broker);
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
        .into_iter()
        .map(|path| {
            let vector = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
            (path, vector)
        })
        .collect()
}

fn raw(reply: &Value) -> RawReply {
    let body = match (&reply["body"], &reply["text"]) {
        (Value::Null, Value::String(text)) => text.clone(),
        (body, _) => body.to_string(),
    };
    let mut raw = RawReply::new(u16::try_from(reply["status"].as_u64().unwrap()).unwrap(), body);
    raw.content_type = reply["content_type"].as_str().map(str::to_owned);
    raw.retry_after = reply["retry_after"].as_u64().map(Duration::from_secs);
    raw
}

/// What the adapter makes of the vector's reply, as the comparable fields of the format.
fn outcome(adapter: &dyn Adapter, vector: &Value) -> Result<Value, Error> {
    let raw = raw(&vector["reply"]);
    match vector["call"].as_str().unwrap() {
        "login" => {
            let endpoint = adapter.login(None).endpoint;
            let login = adapter.read_login(&endpoint, &raw)?;
            let addresses = login.addresses.unwrap_or_default();
            Ok(json!({
                "token": login.tokens.access().expose(), "account_id": login.profile.account_id,
                "source_ip": addresses.source, "primary_ip": addresses.primary, "secondary_ip": addresses.secondary,
            }))
        }
        "whoami" => {
            let endpoint = adapter.whoami().unwrap().endpoint;
            let who = adapter.read_whoami(&adapter.read(&endpoint, &raw)?)?;
            Ok(json!({
                "verdict": who.verdict.as_str(), "matched_as": who.matched_as().map(preopen_core::static_ip::Slot::as_str),
                "source_ip": who.addresses.source, "primary_ip": who.addresses.primary,
                "secondary_ip": who.addresses.secondary,
            }))
        }
        "profile" => {
            let ProfileSource::Call(request) = adapter.profile() else {
                panic!("no profile call")
            };
            let profile = adapter.read_profile(&adapter.read(&request.endpoint, &raw)?);
            Ok(json!({
                "account_id": profile.account_id, "name": profile.name, "exchanges": profile.exchanges,
                "products": profile.products, "order_types": profile.order_types,
            }))
        }
        call => {
            let (method, path) = call.split_once(' ').unwrap();
            let endpoint: Endpoint = adapter.endpoint(Method::parse(method).unwrap(), path);
            let body = String::from_utf8_lossy(&raw.body).into_owned();
            let mut reply = Reply::read(adapter, &endpoint, raw)?;
            reply.clean(&Redactor::new([]));
            assert_eq!(reply.text(), body);
            let rejection =
                |one: &Rejection| json!({"at": one.at, "order_id": one.order_id, "reason": one.reason});
            Ok(json!({
                "data": reply.data(), "message": reply.message, "message_id": reply.message_id,
                "server_time": reply.server_time.map(preopen_core::Timestamp::to_rfc3339),
                "status": reply.status, "validation_errors": reply.validation_errors, "text": reply.text(),
                "rejections": reply.rejections.iter().map(rejection).collect::<Vec<_>>(),
            }))
        }
    }
}

fn error_fields(error: &Error) -> Value {
    let context = error.context();
    let which = context.credential.map(preopen_core::error::Credential::as_str);
    json!({
        "code": error.code(), "message": error.message(), "advice": error.advice().as_str(),
        "which": which.or(context.account_action.map(preopen_core::error::AccountAction::as_str)),
        "reason": context.login_reason.map(preopen_core::error::LoginReason::as_str),
        "http_status": context.http_status, "broker_code": context.broker_code, "message_id": context.message_id,
        "server_time": context.server_time.map(preopen_core::Timestamp::to_rfc3339),
        "retry_after": context.retry_after.map(|wait| wait.as_secs_f64()),
        "validation_errors": context.validation_errors, "body": context.body,
    })
}

/// Every field that `expected` names is equal in `found`; objects inside are compared the same way.
fn assert_has(found: &Value, expected: &Value, at: &Path) {
    match (expected, found) {
        (Value::Object(fields), Value::Object(_)) => {
            for (name, field) in fields {
                let got = found
                    .get(name)
                    .unwrap_or_else(|| panic!("{}: no field {name}", at.display()));
                assert_has(got, field, at);
            }
        }
        _ => assert_eq!(found, expected, "{}", at.display()),
    }
}

fn run(broker: &str) -> usize {
    let adapter = adapter(broker);
    let vectors = vectors(broker);
    for (path, vector) in &vectors {
        // What a session does to every error that leaves it.
        let outcome = outcome(adapter.as_ref(), vector).map_err(|error| error.redacted(&Redactor::new([])));
        match (outcome, &vector["expect"]) {
            (Ok(found), expect) if expect.get("ok").is_some() => assert_has(&found, &expect["ok"], path),
            (Err(error), expect) if expect.get("error").is_some() => {
                assert_has(&error_fields(&error), &expect["error"], path);
                let waits = matches!(error.advice(), Advice::After(_));
                assert_eq!(waits, error.advice().as_str() == "after", "{}", path.display());
            }
            (got, expect) => panic!("{}: expected {expect}, got {got:?}", path.display()),
        }
    }
    vectors.len()
}

#[test]
fn samco_vectors() {
    assert!(run("samco") >= 150);
}

#[test]
fn angelone_vectors() {
    assert!(run("angelone") >= 120);
}
