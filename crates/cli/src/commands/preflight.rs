//! `preopen preflight BROKER`: whether this host can place orders now, with an exit code for a readiness probe.

use std::process::ExitCode;

use clap::Args;
use preopen::{Check, CheckStatus, ErrorKind, Json, Preflight, Timestamp};
use serde_json::json;

use crate::commands::status;
use crate::output::{
    BAD, BOLD, DIM, EXIT_LOGIN_NEEDED, EXIT_STATIC_IP, Failure, GOOD, Output, error_json, exit_code,
    json_line, line,
};
use crate::session::{Broker, SessionArguments};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    session: SessionArguments,
    /// Be ready only if every check passed, without a warning. SmartAPI never is: it cannot be asked which address it
    /// sees.
    #[arg(long)]
    strict: bool,
}

pub(crate) async fn run(arguments: Arguments, output: Output) -> Result<ExitCode, Failure> {
    let (broker, prepared) = arguments.session.prepare().await?;
    let session = prepared.session(broker)?;
    let mut preflight = session.preflight().await;
    if arguments.strict {
        preflight = preflight.strict();
    }
    let preflight = for_a_terminal(preflight, broker);
    if output.is_json() {
        let mut told = to_json(&preflight);
        told["environment"] = session.environment().as_str().into();
        told["strict"] = arguments.strict.into();
        json_line(&told);
    } else {
        tell(&preflight, arguments.strict);
    }
    Ok(ExitCode::from(exit_of(&preflight)))
}

/// The library's advice in the words of this command.
pub(crate) fn for_a_terminal(mut preflight: Preflight, broker: Broker) -> Preflight {
    for check in preflight
        .checks
        .iter_mut()
        .filter(|check| check.name == "session")
    {
        let error = check.error.as_ref().filter(|error| {
            let kind = error.kind();
            matches!(
                kind,
                ErrorKind::CredentialsRejected | ErrorKind::AccountActionRequired | ErrorKind::LoginRequired
            )
        });
        if let Some(fix) = error.and_then(|error| status::fix(broker, error)) {
            check.fix = Some(fix);
        }
    }
    preflight
}

/// 0 when ready, else the code of the first thing that stands in the way.
pub(crate) fn exit_of(preflight: &Preflight) -> u8 {
    let Some(check) = preflight.obstacle() else {
        return 0;
    };
    match (&check.error, check.name) {
        (Some(error), _) => exit_code(error.kind()),
        (None, "static_ip" | "network") => EXIT_STATIC_IP,
        (None, "session_end") => EXIT_LOGIN_NEEDED,
        (None, _) => exit_code(ErrorKind::Internal),
    }
}

pub(crate) fn to_json(preflight: &Preflight) -> Json {
    let addresses = preflight.addresses.clone().unwrap_or_default();
    json!({
        "broker": preflight.broker,
        "ready": preflight.ready,
        "at": Timestamp::to_rfc3339(preflight.at),
        "source_ip": addresses.source, "primary_ip": addresses.primary, "secondary_ip": addresses.secondary,
        "checks": preflight.checks.iter().map(check_json).collect::<Vec<_>>(),
    })
}

pub(crate) fn check_json(check: &Check) -> Json {
    json!({
        "name": check.name,
        "status": check.status.as_str(),
        "message": check.message,
        "fix": check.fix,
        "error": check.error.as_ref().map(error_json),
    })
}

pub(crate) fn tell(preflight: &Preflight, strict: bool) {
    preflight.checks.iter().for_each(tell_check);
    let broker = preflight.broker;
    line(&if preflight.ready {
        let ip_unknown = preflight
            .check("static_ip")
            .is_some_and(|check| check.status == CheckStatus::Unknown);
        // Nobody must take "nothing is wrong" for "orders are accepted".
        let what = if ip_unknown {
            format!(
                "nothing was found against orders at {broker}; whether this host's address is registered is unknown until \
                 the first order"
            )
        } else {
            format!("this host can place orders at {broker} now")
        };
        format!("{GOOD}ready{GOOD:#}    {what}")
    } else {
        let stopped = stopped_by(preflight, strict);
        format!("{BAD}not ready{BAD:#}  {broker}: {BOLD}{stopped}{BOLD:#}")
    });
}

/// Every check that stands in the way, those that only `--strict` minds last.
fn stopped_by(preflight: &Preflight, strict: bool) -> String {
    let named = |stops: &dyn Fn(CheckStatus) -> bool| {
        let checks = preflight.checks.iter().filter(|check| stops(check.status));
        checks.map(|check| check.name).collect::<Vec<_>>().join(", ")
    };
    let failed = named(&|status| status == CheckStatus::Fail);
    let minded = named(&|status| strict && !matches!(status, CheckStatus::Pass | CheckStatus::Fail));
    match (failed.is_empty(), minded.is_empty()) {
        (_, true) => failed,
        (true, false) => format!("{minded} (--strict)"),
        (false, false) => format!("{failed}; with --strict also {minded}"),
    }
}

pub(crate) fn tell_check(check: &Check) {
    let (name, message) = (check.name, &check.message);
    let status = format!("{:<8}", check.status.as_str());
    line(&match check.status {
        CheckStatus::Pass => format!("{GOOD}{status}{GOOD:#} {name:<12} {message}"),
        CheckStatus::Fail => format!("{BAD}{status}{BAD:#} {name:<12} {message}"),
        _ => format!("{BOLD}{status}{BOLD:#} {name:<12} {message}"),
    });
    if let Some(fix) = &check.fix {
        line(&format!("{DIM}{:<22}to fix it: {fix}{DIM:#}", ""));
    }
}
