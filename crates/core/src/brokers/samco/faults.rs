//! What Samco's refusals mean: one table over (call, code, text). Codes and texts are documented, but for the one
//! that says otherwise. Each row has a vector in `tests/vectors/samco`.

use crate::envelope::{On, Row, Verdict, row};
use crate::error::{AccountAction, Credential};

/// Codes first, then known texts; the status decides what is not listed.
#[rustfmt::skip]
pub(in crate::brokers) static ROWS: &[Row] = &[
    row(On::Any, "EOAUTH001", "", Verdict::Credentials(Credential::ApiKey)),
    row(On::Any, "EOAUTH008", "", Verdict::Credentials(Credential::ApiSecret)),
    row(On::Any, "EOAUTH009", "", Verdict::StaticIp),
    row(On::Any, "EOAUTH999", "", Verdict::Account(AccountAction::AppLogin)),
    row(On::Any, "", "the ip is not the registered static ip", Verdict::StaticIp),
    row(On::Any, "", "unable to start your trading session", Verdict::Account(AccountAction::AppLogin)),
    row(On::Any, "", "user not subscribed", Verdict::Account(AccountAction::NotSubscribed)),
    row(On::Any, "", "user account is blocked", Verdict::Account(AccountAction::Blocked)),
    row(On::Session, "", "unauthorized - session token is mandatory", Verdict::SessionExpired),
    row(On::Session, "", "unauthorized - invalid token", Verdict::SessionExpired),
    // From a third-party table; the text of an expired token is not documented.
    row(On::Session, "", "session expired", Verdict::SessionExpired),
];
