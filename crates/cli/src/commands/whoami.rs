//! `preopen whoami BROKER`: the address that the broker sees, and the verdict.

use std::process::ExitCode;

use preopen::{Slot, Verdict};
use serde_json::json;

use crate::output::{BAD, BOLD, EXIT_STATIC_IP, Failure, GOOD, Output, json_line, line};
use crate::session::SessionArguments;

pub(crate) async fn run(arguments: SessionArguments, output: Output) -> Result<ExitCode, Failure> {
    let session = arguments.session().await?;
    // Also where the broker has no such call: credentials that no login takes must not look like a good morning.
    session.token().await?;
    let who = session.whoami().await?;
    let seen = &who.addresses;
    if output.is_json() {
        json_line(&json!({
            "broker": session.broker(),
            "verdict": who.verdict.as_str(),
            "matched_as": who.matched_as().map(Slot::as_str),
            "source_ip": seen.source, "primary_ip": seen.primary, "secondary_ip": seen.secondary,
            "message": who.message,
        }));
    } else {
        let text = |address: &Option<String>| address.clone().unwrap_or_else(|| "-".to_owned());
        if who.verdict != Verdict::Unsupported {
            line(&format!("seen       {BOLD}{}{BOLD:#}", text(&seen.source)));
            line(&format!("primary    {}", text(&seen.primary)));
            line(&format!("secondary  {}", text(&seen.secondary)));
        }
        line(&match who.verdict {
            Verdict::Match(slot) => {
                format!(
                    "{GOOD}match{GOOD:#}      orders from here are accepted ({})",
                    slot.as_str()
                )
            }
            Verdict::Mismatch => {
                format!(
                    "{BAD}mismatch{BAD:#}   orders from here will be refused: register this address or use that host"
                )
            }
            Verdict::Unregistered => {
                format!("{BAD}unregistered{BAD:#}  no address is registered: orders will be refused")
            }
            _ => format!("logged in; {}", who.message),
        });
    }
    Ok(match who.verdict {
        Verdict::Mismatch | Verdict::Unregistered => ExitCode::from(EXIT_STATIC_IP),
        _ => ExitCode::SUCCESS,
    })
}
