//! What Samco's refusals mean: one table over (call, code, text). Codes and texts are documented; each row
//! has a vector in `tests/vectors/samco`.

use crate::envelope::{On, Row, Verdict};
use crate::error::{AccountAction, Credential};

const fn row(on: On, code: &'static str, text: &'static str, verdict: Verdict) -> Row {
    Row {
        on,
        code,
        text,
        verdict,
    }
}

/// Codes first, then known texts; the status decides what is not listed.
pub(in crate::brokers) static ROWS: &[Row] = &[
    row(On::Any, "EOAUTH001", "", Verdict::Credentials(Credential::ApiKey)),
    row(
        On::Any,
        "EOAUTH008",
        "",
        Verdict::Credentials(Credential::ApiSecret),
    ),
    row(On::Any, "EOAUTH009", "", Verdict::StaticIp),
    row(
        On::Any,
        "EOAUTH999",
        "",
        Verdict::Account(AccountAction::AppLogin),
    ),
    row(On::Any, "", "not the registered static ip", Verdict::StaticIp),
    row(
        On::Any,
        "",
        "unable to start your trading session",
        Verdict::Account(AccountAction::AppLogin),
    ),
    row(
        On::Any,
        "",
        "user not subscribed",
        Verdict::Account(AccountAction::NotSubscribed),
    ),
    row(
        On::Any,
        "",
        "user account is blocked",
        Verdict::Account(AccountAction::Blocked),
    ),
    row(
        On::Session,
        "",
        "session token is mandatory",
        Verdict::SessionExpired,
    ),
    row(
        On::Session,
        "",
        "unauthorized - invalid token",
        Verdict::SessionExpired,
    ),
    row(On::Session, "", "session expired", Verdict::SessionExpired),
];
