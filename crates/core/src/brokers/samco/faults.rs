//! What Samco's refusals mean: one table over (call, code, text). Codes and texts are documented, but for the rows
//! that say otherwise. Each row has a vector in `tests/vectors/samco`.

use crate::catalogue::{Confidence, On, Row, Verdict, row};
use crate::error::{AccountAction, Credential, LoginReason};

/// Codes first, then known texts; the status decides what is not listed.
#[rustfmt::skip]
pub(in crate::brokers) static ROWS: &[Row] = &[
    row(On::Any, "EOAUTH001", "", Verdict::Credentials(Credential::ApiKey), "4.8"),
    row(On::Any, "EOAUTH002", "", Verdict::Rejected, "4.8")
        .says("the redirect URL must equal the one that is registered for the app, to the letter: "),
    row(On::Any, "EOAUTH003", "", Verdict::Rejected, "4.8")
        .says("the scopes are more than the app has (the dashboard gives only `all`): "),
    row(On::Any, "EOAUTH008", "", Verdict::Credentials(Credential::ApiSecret), "4.8"),
    row(On::Any, "EOAUTH009", "", Verdict::StaticIp, "4.8"),
    row(On::Any, "EOAUTH010", "", Verdict::Login(LoginReason::CodeInvalid), "4.8"),
    row(On::Any, "EOAUTH011", "", Verdict::Login(LoginReason::CodeInvalid), "4.8"),
    row(On::Any, "EOAUTH012", "", Verdict::Login(LoginReason::CodeReplayed), "4.8"),
    row(On::Any, "EOAUTH013", "", Verdict::Login(LoginReason::CodeExpired), "4.8"),
    // Documented as "refresh token missing": what was sent as one was none.
    row(On::Any, "EOAUTH015", "", Verdict::Login(LoginReason::RefreshRejected), "4.8"),
    row(On::Any, "EOAUTH016", "", Verdict::Login(LoginReason::RefreshRejected), "4.8"),
    row(On::Any, "EOAUTH017", "", Verdict::Login(LoginReason::RefreshExpired), "4.8"),
    // The same code is being exchanged at this moment, by somebody else or by a request that was given up.
    row(On::Any, "EOAUTH030", "", Verdict::Unavailable, "4.8"),
    row(On::Any, "EOAUTH999", "", Verdict::Account(AccountAction::AppLogin), "4.8"),

    row(On::Any, "", "apikey and apisecret are required", Verdict::Rejected, "3"),
    row(On::Any, "", "unable to start your trading session", Verdict::Account(AccountAction::AppLogin), "3"),
    row(On::Any, "", "user not subscribed", Verdict::Account(AccountAction::NotSubscribed), "3"),
    row(On::Any, "", "user account is blocked", Verdict::Account(AccountAction::Blocked), "3"),

    row(On::Session, "", "unauthorized - session token is mandatory", Verdict::SessionExpired, "5"),
    row(On::Session, "", "unauthorized - invalid token", Verdict::SessionExpired, "5"),
    // From a third-party table; the text of an expired token is not documented.
    row(On::Session, "", "session expired", Verdict::SessionExpired, "5").known_by(Confidence::Inferred),
    row(On::Any, "", "the ip is not the registered static ip", Verdict::StaticIp, "6"),

    // Deprecated calls and the web login code. A wrong password is a 400 here and a 401 there.
    row(On::Path("/login"), "", "invalid password", Verdict::Credentials(Credential::Password), "8"),
    row(On::Path("/otp/generateOtp"), "", "failed to genererate otp", Verdict::Rejected, "8")
        .says("check the user id: "),
    row(On::Path("/otp/secretKeyGenerator"), "", "invalid otp", Verdict::Rejected, "8")
        .says("the one-time password is wrong or old, ask for a new one: "),
    row(On::Path("/accessToken/token"), "", "secret key does not match", Verdict::Credentials(Credential::ApiSecret), "8"),
    row(On::Path("/ip/ipRegistration"), "", "clientid and primaryip are required", Verdict::Rejected, "8"),
    row(On::Path("/ip/ipRegistration"), "", "incorrect password", Verdict::Credentials(Credential::Password), "8"),
    row(On::Path("/ip/ipRegistration"), "", "both primary and secondary ip already registered", Verdict::Rejected, "8")
        .says("change them in the dashboard: "),
    row(On::Path("/ip/ipUpdate"), "", "ip update allowed only once", Verdict::Rejected, "8")
        .says("addresses may change once in seven days: "),
    row(On::Path("/ip/ipUpdate"), "", "incorrect password", Verdict::Credentials(Credential::Password), "8"),
    row(On::Path("/webSecretCodeValidation"), "", "otp expired", Verdict::Login(LoginReason::CodeExpired), "8"),
];
