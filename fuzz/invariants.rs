//! What must hold of any bytes that a broker may answer with. The fuzz targets and `crates/core/tests/fuzzed.rs` share it.
//!
//! An input is a broker's reply: a byte that picks the call, one that picks the status, one the content type, then the body.
#![allow(dead_code, reason = "each target uses its own part")]
#![allow(
    clippy::panic,
    clippy::expect_used,
    reason = "what is checked here ends the run"
)]

use preopen_core::broker::Adapter;
use preopen_core::brokers::{AngelOne, Samco, TABLES};
use preopen_core::catalogue::{On, Tables};
use preopen_core::envelope::Reply;
use preopen_core::error::{AccountAction, Credential, LoginReason, MESSAGE_LIMIT, Redactor};
use preopen_core::static_ip::Verdict;
use preopen_core::wire::{CallClass, Endpoint, RawReply};
use preopen_core::{Error, ErrorKind};
use serde_json::Value;

pub(crate) const SAMCO: usize = 0;
pub(crate) const ANGEL_ONE: usize = 1;

/// The statuses that an input can name.
pub(crate) const STATUSES: [u16; 16] = [
    200, 201, 204, 299, 302, 400, 401, 403, 404, 409, 422, 429, 500, 502, 503, 504,
];

/// The content types that an input can name.
pub(crate) const TYPES: [Option<&str>; 4] = [
    None,
    Some("application/json"),
    Some("text/html; charset=utf-8"),
    Some("text/plain"),
];

fn adapter(broker: usize) -> Box<dyn Adapter> {
    if broker == SAMCO {
        Box::new(Samco::new("fuzz-key", "fuzz-secret"))
    } else {
        Box::new(AngelOne::new(
            "fuzz-key",
            "FUZZ1",
            "0000",
            "JBSWY3DPEHPK3PXPJBSWY3DPEH",
        ))
    }
}

/// The call's byte, and the reply.
fn input(data: &[u8]) -> Option<(usize, RawReply)> {
    let [call, status, kind, body @ ..] = data else {
        return None;
    };
    let mut raw = RawReply::new(STATUSES[usize::from(*status) % STATUSES.len()], body);
    raw.content_type = TYPES[usize::from(*kind) % TYPES.len()].map(str::to_owned);
    Some((usize::from(*call), raw))
}

/// The reply to any call of a broker's catalogue.
pub(crate) fn envelope(broker: usize, data: &[u8]) {
    let Some((call, raw)) = input(data) else { return };
    let tables = &TABLES[broker];
    let entry = &tables.endpoints[call % tables.endpoints.len()];
    let adapter = adapter(broker);
    let endpoint = adapter.endpoint(entry.method, &entry.path.replace("{}", "1"));
    let lazily = Reply::read_lazily(adapter.as_ref(), &endpoint, raw.clone());
    match Reply::read(adapter.as_ref(), &endpoint, raw.clone()) {
        Ok(mut reply) => {
            let lazy = lazily.expect("what is a success is one lazily, too");
            assert_eq!(lazy, reply, "read lazily");
            assert!(
                (200..300).contains(&raw.status),
                "a success with HTTP {}",
                raw.status
            );
            assert_eq!(reply.text().as_bytes(), &*raw.body, "the text is what was sent");
            reply.clean(&Redactor::new([]));
            for one in &reply.rejections {
                assert!(one.reason.chars().count() <= MESSAGE_LIMIT);
                assert!(
                    reply.data().pointer(&one.at).is_some(),
                    "{} points nowhere",
                    one.at
                );
            }
            assert!(format!("{reply:?}").len() < 16 * (MESSAGE_LIMIT + raw.body.len()));
        }
        Err(error) => {
            let lazy = lazily.expect_err("what is refused is refused lazily, too");
            let told = |error: &Error| format!("{error:?} {:?}", error.context());
            assert_eq!(told(&lazy), told(&error), "refused lazily");
            refused(tables, &endpoint, &raw, error);
        }
    }
}

/// The reply to a login.
pub(crate) fn login(data: &[u8]) {
    let Some((call, raw)) = input(data) else { return };
    let broker = call % TABLES.len();
    let adapter = adapter(broker);
    let endpoint = adapter.login(None).endpoint;
    match adapter.read_login(&endpoint, &raw) {
        Ok(login) => {
            let token = login.tokens.access().expose();
            assert!(!token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic()));
            assert!(
                (200..300).contains(&raw.status),
                "a session with HTTP {}",
                raw.status
            );
        }
        Err(error) => {
            assert!(
                error.context().body.is_none(),
                "the body of a login is kept nowhere"
            );
            refused(&TABLES[broker], &endpoint, &raw, error);
        }
    }
}

/// The reply to whoami.
pub(crate) fn whoami(data: &[u8]) {
    let Some((_, raw)) = input(data) else { return };
    let adapter = adapter(SAMCO);
    let endpoint = adapter.whoami().expect("Samco has one").endpoint;
    let reply = match adapter.read(&endpoint, &raw) {
        Ok(reply) => reply,
        Err(error) => return refused(&TABLES[SAMCO], &endpoint, &raw, error),
    };
    match adapter.read_whoami(&reply) {
        Ok(who) => {
            // Where nothing is registered it does not matter which one it saw.
            let seen = who.addresses.source.is_some() || who.verdict == Verdict::Unregistered;
            assert!(seen, "a verdict on no address");
            if let Verdict::Match(slot) = who.verdict {
                assert_eq!(who.matched_as(), Some(slot));
            }
        }
        Err(error) => assert_eq!(error.kind(), ErrorKind::MalformedResponse),
    }
}

/// Only a row of the table sends a person to the broker or to a login page, and only if the body says it.
fn refused(tables: &Tables, endpoint: &Endpoint, raw: &RawReply, error: Error) {
    let error = error.redacted(&Redactor::new([]));
    let context = error.context();
    let texts = [&context.body, &context.broker_code, &context.message_id];
    let lines = texts.into_iter().flatten().chain(&context.validation_errors);
    for line in lines.map(String::as_str).chain([error.message()]) {
        assert!(
            line.chars().count() <= MESSAGE_LIMIT,
            "{} characters",
            line.chars().count()
        );
        assert!(!line.contains(char::is_control), "more than one line: {line:?}");
    }
    assert_ne!(error.kind(), ErrorKind::Internal);
    assert_ne!(error.kind(), ErrorKind::InvalidInput);
    if endpoint.class != CallClass::Write {
        assert_ne!(error.kind(), ErrorKind::OutcomeUnknown);
    }
    let blocking = matches!(
        error.kind(),
        ErrorKind::CredentialsRejected | ErrorKind::AccountActionRequired
    );
    if !blocking && error.kind() != ErrorKind::LoginRequired {
        return;
    }
    assert!(
        !blocking || raw.status < 500,
        "a broken server knows nothing: {error:?}"
    );
    let body: Value = serde_json::from_slice(&raw.body).expect("a verdict is drawn from JSON");
    assert!(body.is_object(), "a verdict is drawn from an envelope: {body}");
    let said = body.to_string().to_lowercase();
    let listed = tables.faults.iter().any(|row| {
        let here = match row.on {
            On::Login => endpoint.class == CallClass::Login,
            On::Session => endpoint.class != CallClass::Login,
            On::Path(path) => endpoint.path.eq_ignore_ascii_case(path),
            _ => true,
        };
        let (code, which) = row.verdict.error();
        let context = error.context();
        let found = context
            .credential
            .map(Credential::as_str)
            .or(context.account_action.map(AccountAction::as_str))
            .or(context.login_reason.map(LoginReason::as_str));
        here && code == error.code()
            && which == found
            && said.contains(&row.code.to_lowercase())
            && said.contains(row.text)
    });
    assert!(listed, "no row says {error:?} of {body}");
}
