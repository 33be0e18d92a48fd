//! What becomes of one login attempt: when a refused code is made once more, and when a session came too late.

use std::time::Duration;

use preopen_core::broker::{Login, Tokens};
use preopen_core::error::{Credential, Error, ErrorKind};
use preopen_core::expiry::{DailyBoundary, Evidence, EvidenceSource, ExpiryPolicy};
use preopen_core::lifecycle::{dead_on_arrival, retries_in_next_totp_step};
use preopen_core::{Now, Timestamp};

const POLICY: ExpiryPolicy = ExpiryPolicy {
    boundary: DailyBoundary::at(8, 0),
    maximum_age: None,
    note: "test",
};

fn refused(kind: ErrorKind, which: Option<Credential>) -> Error {
    Error::new(kind, "x").with(|context| context.credential = which)
}

#[test]
fn a_refused_code_is_made_once_more_and_nothing_else_is() {
    let code = refused(ErrorKind::CredentialsRejected, Some(Credential::Totp));
    assert!(retries_in_next_totp_step(0, &code));
    assert!(!retries_in_next_totp_step(1, &code), "the second refusal counts");
    let others = [
        refused(ErrorKind::CredentialsRejected, Some(Credential::Pin)),
        refused(ErrorKind::CredentialsRejected, None),
        refused(ErrorKind::BrokerUnavailable, Some(Credential::Totp)),
        refused(ErrorKind::BrokerUnavailable, None),
    ];
    for other in others {
        assert!(!retries_in_next_totp_step(0, &other), "{other:?}");
        assert!(!retries_in_next_totp_step(1, &other), "{other:?}");
    }
}

#[test]
fn a_session_that_ended_before_its_reply_came_is_an_error() {
    let sent = Now {
        wall: Timestamp::parse_rfc3339("2026-11-22T07:59:59+05:30").unwrap(),
        monotonic: Duration::from_secs(100),
    };
    let after = |milliseconds: u64| Now {
        wall: sent.wall.plus(Duration::from_millis(milliseconds)),
        monotonic: sent.monotonic + Duration::from_millis(milliseconds),
    };
    let mut login = Login::new(Tokens::new("token"));
    assert!(dead_on_arrival(&login, sent, after(999), &POLICY).is_none());
    assert!(dead_on_arrival(&login, sent, after(1000), &POLICY).is_some());
    login.evidence.push(Evidence {
        source: EvidenceSource::ExpiresIn,
        at: sent.wall.plus(Duration::from_millis(500)),
    });
    assert!(dead_on_arrival(&login, sent, after(499), &POLICY).is_none());
    assert!(dead_on_arrival(&login, sent, after(500), &POLICY).is_some());
}
