//! What SmartAPI's refusals mean: one table over (call, code, text). A code alone is not enough: several mean
//! more than one thing. Each row has a vector in `tests/vectors/angelone`.

use crate::catalogue::{Confidence, On, Row, Verdict, row};
use crate::error::{AccountAction, Credential, LoginReason};

/// Codes first, then known texts; the status decides what is not listed.
#[rustfmt::skip]
pub(in crate::brokers) static ROWS: &[Row] = &[
    // Codes of a session that is gone. AG8001 is also what a doubled `Bearer` or a missing header gets.
    row(On::Session, "AG8001", "", Verdict::SessionExpired, "5"),
    row(On::Session, "AG8002", "", Verdict::SessionExpired, "5"),
    row(On::Session, "AG8003", "", Verdict::SessionExpired, "5"),
    row(On::Session, "AB1010", "", Verdict::SessionExpired, "5"),
    row(On::Session, "AB1011", "", Verdict::SessionExpired, "5"),
    row(On::Session, "AB9005", "", Verdict::SessionExpired, "5"),
    row(On::Any, "AB8050", "", Verdict::Login(LoginReason::RefreshRejected), "4.3"),
    row(On::Any, "AB8051", "", Verdict::Login(LoginReason::RefreshExpired), "4.3"),
    // The address of an order is not registered.
    row(On::Any, "AG7002", "", Verdict::StaticIp, "4.7").known_by(Confidence::Observed),
    // The key is not accepted, or is of the wrong app type.
    row(On::Any, "AG8004", "", Verdict::Credentials(Credential::ApiKey), "5").known_by(Confidence::Observed),
    row(On::Any, "AB1053", "", Verdict::Credentials(Credential::ApiKey), "5").known_by(Confidence::Observed),
    // Wrong or late code; also seen with a wrong PIN, which the message says.
    row(On::Login, "AB1050", "", Verdict::Credentials(Credential::Totp), "4.1").known_by(Confidence::Observed),
    // AB1007 is documented as "AMX Error", and observed for wrong credentials and for wrong orders: call and text decide.
    row(On::Login, "AB1007", "login id or password is invalid", Verdict::Credentials(Credential::Pin), "4.1"),
    row(On::Login, "AB1007", "", Verdict::Unavailable, "5"),
    row(On::Session, "AB1007", "", Verdict::Rejected, "5").known_by(Confidence::Observed),
    row(On::Login, "AB1000", "", Verdict::Credentials(Credential::Pin), "4.1"),
    row(On::Login, "AB1001", "", Verdict::Credentials(Credential::Pin), "4.1"),
    row(On::Login, "AB1002", "", Verdict::Credentials(Credential::Pin), "4.1"),
    row(On::Login, "AB1031", "", Verdict::Credentials(Credential::Pin), "4.1"),
    row(On::Login, "AB1032", "", Verdict::Credentials(Credential::Pin), "4.1"),
    row(On::Any, "AB1003", "", Verdict::Rejected, "5"),
    row(On::Any, "AB1005", "", Verdict::Rejected, "5")
        .says("the header X-UserType must be USER: "),
    row(On::Any, "AB1006", "", Verdict::Account(AccountAction::Blocked), "4.1"),
    // AB1004 means both a malformed body and a server fault (observed): never terminal.
    row(On::Any, "AB1004", "", Verdict::Unavailable, "4.1"),
    row(On::Any, "AB2001", "", Verdict::Unavailable, "5"),
    // "Error not specified": says nothing about what became of the request.
    row(On::Any, "AB2000", "", Verdict::Unavailable, "5"),
    // "Something went wrong", of the delivery slips (documents' samples).
    row(On::Any, "AG2001", "", Verdict::Unavailable, "samples"),
    row(On::Any, "AG1000", "", Verdict::Rejected, "samples"),
    row(On::Any, "AB1021", "", Verdict::RateLimited, "5").known_by(Confidence::Observed),
    // Observed as a rate limit and as a stale symbol token: only a text that speaks of the rate makes it one.
    row(On::Any, "AB1019", "too many requests", Verdict::RateLimited, "5").known_by(Confidence::Observed),
    row(On::Any, "AB1019", "access denied because of exceeding", Verdict::RateLimited, "5").known_by(Confidence::Observed),
    row(On::Any, "AB1019", "", Verdict::Rejected, "5")
        .says("a stale symbol token, or too many calls (the broker uses this code for both): ")
        .known_by(Confidence::Observed),
    row(On::Any, "AB1008", "", Verdict::Rejected, "5"),
    row(On::Any, "AB1009", "", Verdict::Rejected, "5"),
    row(On::Any, "AB1012", "", Verdict::Rejected, "5"),
    // Usually an empty list, which is inferred: an error that says so, for a guess must not make a success.
    row(On::Any, "AB1013", "", Verdict::Rejected, "5")
        .says("nothing is there (usually an empty list and no failure): "),
    row(On::Any, "AB1014", "", Verdict::Rejected, "5")
        .says("nothing is there (usually an empty list and no failure): "),
    row(On::Any, "AB1015", "", Verdict::Rejected, "5")
        .says("nothing is there (usually an empty list and no failure): "),
    row(On::Any, "AB1016", "", Verdict::Rejected, "5")
        .says("nothing is there (usually an empty list and no failure): "),
    row(On::Any, "AB1017", "", Verdict::Rejected, "5"),
    row(On::Any, "AB1018", "", Verdict::Rejected, "5"),
    row(On::Any, "AB2002", "", Verdict::Rejected, "5"),
    row(On::Any, "AB2020", "", Verdict::Rejected, "5").known_by(Confidence::Observed),
    row(On::Any, "AB4008", "", Verdict::Rejected, "5"),
    row(On::Any, "AB4036", "", Verdict::Rejected, "5")
        .says("the scrip is under surveillance: read the caution, then send `scripconsent` with the order: ")
        .known_by(Confidence::Observed),
    // Good till triggered. AB9000 is the service's own fault, AB9005 is above.
    row(On::Any, "AB9000", "", Verdict::Unavailable, "5"),
    row(On::Any, "AB9001", "", Verdict::Rejected, "5"),
    row(On::Any, "AB9002", "", Verdict::Rejected, "5"),
    row(On::Any, "AB9003", "", Verdict::Rejected, "5"),
    row(On::Any, "AB9004", "", Verdict::Rejected, "5"),
    row(On::Any, "AB9006", "", Verdict::Rejected, "5"),
    row(On::Any, "AB9007", "", Verdict::Rejected, "5"),
    row(On::Any, "AB9008", "", Verdict::Rejected, "5"),
    row(On::Any, "AB9009", "", Verdict::Rejected, "5"),
    row(On::Any, "AB9010", "", Verdict::Rejected, "5"),
    row(On::Any, "AB9011", "", Verdict::Rejected, "5"),
    row(On::Any, "AB9012", "", Verdict::Rejected, "5"),
    row(On::Any, "AB9013", "", Verdict::Rejected, "5"),
    row(On::Any, "AB9014", "", Verdict::Rejected, "5"),
    row(On::Any, "AB9015", "", Verdict::Rejected, "5"),
    row(On::Any, "AB9016", "", Verdict::Rejected, "5"),
    row(On::Any, "AB9017", "", Verdict::Rejected, "5"),
    row(On::Any, "AB9018", "", Verdict::Rejected, "5"),
    // The gateway's rate limit is an HTTP 403 in plain text; wording varies between documents and wire.
    row(On::Any, "", "access denied because of exceeding", Verdict::RateLimited, "3"),
];
