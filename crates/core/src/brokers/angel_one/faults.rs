//! What SmartAPI's refusals mean: one table over (call, code, text). A code alone is not enough: several mean
//! more than one thing. Each row has a vector in `tests/vectors/angelone`.

use crate::envelope::{On, Row, Verdict, row};
use crate::error::{AccountAction, Credential, LoginReason};

/// Codes first, then known texts; the status decides what is not listed.
#[rustfmt::skip]
pub(in crate::brokers) static ROWS: &[Row] = &[
    // Documented codes of a session that is gone.
    row(On::Session, "AG8001", "", Verdict::SessionExpired),
    row(On::Session, "AG8002", "", Verdict::SessionExpired),
    row(On::Session, "AG8003", "", Verdict::SessionExpired),
    row(On::Session, "AB1010", "", Verdict::SessionExpired),
    row(On::Session, "AB1011", "", Verdict::SessionExpired),
    row(On::Session, "AB9005", "", Verdict::SessionExpired),
    row(On::Any, "AB8050", "", Verdict::Login(LoginReason::RefreshRejected)),
    row(On::Any, "AB8051", "", Verdict::Login(LoginReason::RefreshExpired)),
    // Observed: the address of an order is not registered.
    row(On::Any, "AG7002", "", Verdict::StaticIp),
    // Observed: the key is not accepted, or is of the wrong app type.
    row(On::Any, "AG8004", "", Verdict::Credentials(Credential::ApiKey)),
    row(On::Any, "AB1053", "", Verdict::Credentials(Credential::ApiKey)),
    // Observed: wrong or late code; also seen with a wrong PIN, which the message says.
    row(On::Login, "AB1050", "", Verdict::Credentials(Credential::Totp)),
    // AB1007 is documented as "AMX Error" and observed for wrong credentials: the text decides.
    row(On::Login, "AB1007", "login id or password is invalid", Verdict::Credentials(Credential::Pin)),
    row(On::Login, "AB1007", "", Verdict::Unavailable),
    row(On::Login, "AB1000", "", Verdict::Credentials(Credential::Pin)),
    row(On::Login, "AB1001", "", Verdict::Credentials(Credential::Pin)),
    row(On::Login, "AB1002", "", Verdict::Credentials(Credential::Pin)),
    row(On::Login, "AB1031", "", Verdict::Credentials(Credential::Pin)),
    row(On::Login, "AB1032", "", Verdict::Credentials(Credential::Pin)),
    row(On::Any, "AB1006", "", Verdict::Account(AccountAction::Blocked)),
    // AB1004 means both a malformed body and a server fault (observed): never terminal.
    row(On::Any, "AB1004", "", Verdict::Unavailable),
    row(On::Any, "AB2001", "", Verdict::Unavailable),
    // "Error not specified" (documented): says nothing about what became of the request.
    row(On::Any, "AB2000", "", Verdict::Unavailable),
    row(On::Any, "AB1021", "", Verdict::RateLimited),
    // The gateway's rate limit is an HTTP 403 in plain text; wording varies between documents and wire.
    row(On::Any, "", "access denied because of exceeding", Verdict::RateLimited),
];
