//! `preopen login BROKER`: sees to it that the store holds a live session, and tells whose it is, until when, and where.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use preopen::{Addresses, Environment, Session, StateName, Timestamp, Verdict, WhoAmI};
use serde_json::json;

use crate::credentials::Way;
use crate::output::{BAD, BOLD, Failure, GOOD, Output, json_line, line};
use crate::progress;
use crate::sandbox_clock;
use crate::session::SessionArguments;

mod page;

/// How long a login that is done waits to hear which address the broker sees.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    session: SessionArguments,
    /// Log in anew although there is a live session. Programs that use it take the new one over; the broker may end
    /// the old one at once.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    page: page::Options,
}

pub(crate) async fn run(arguments: Arguments, output: Output) -> Result<ExitCode, Failure> {
    let (broker, prepared) = arguments.session.prepare().await?;
    let way = prepared.way(broker);
    arguments.page.check(broker, way)?;
    let session = prepared.session(broker)?;
    // What cannot be read is replaced, and what to do without a store is the login's business.
    let before = session.stored_state().await.ok();
    let live = before.is_some_and(|state| state.name == StateName::Active);
    // Whatever blocks this account, a person asks for one attempt.
    session.reset();
    let name = broker.as_str();
    progress::now(&format!("logging in at {name}"));
    let mut token = if way == Way::Page {
        page::log_in(&session, &arguments.page, arguments.force, &prepared, broker).await?
    } else {
        session.token().await?
    };
    if arguments.force && live && way != Way::Page {
        session.pass_over(token.generation());
        // The first one went to the session that is there.
        session.reset();
        token = session.token().await?;
    }
    let fresh = arguments.force || !live;
    progress::now(&format!("asking {name} whose account it is"));
    let profile = session.profile().await.unwrap_or_default();
    progress::now(&format!("asking {name} which address it sees"));
    let seen = if fresh { static_ip(&session).await } else { None };
    let until = token.expires_at();
    if output.is_json() {
        json_line(&json!({
            "broker": session.broker(),
            "environment": session.environment().as_str(),
            "logged_in": fresh,
            "account": profile.account_id,
            "name": profile.name,
            "generation": token.generation(),
            "expires_at": Timestamp::to_rfc3339(until),
            "store": session.store(),
            "static_ip": seen.as_ref().map(|who| json!({
                "verdict": who.verdict.as_str(),
                "source_ip": who.addresses.source,
                "primary_ip": who.addresses.primary,
                "secondary_ip": who.addresses.secondary,
            })),
        }));
    } else {
        let did = if fresh {
            "logged in"
        } else {
            "there is a live session"
        };
        let who = [profile.account_id, profile.name];
        let who: Vec<String> = who.into_iter().flatten().collect();
        line(&format!("{GOOD}{did}{GOOD:#}"));
        if !who.is_empty() {
            line(&format!("account    {BOLD}{}{BOLD:#}", who.join(", ")));
        }
        line(&format!("until      {}", until.to_ist()));
        line(&format!("stored in  {}", prepared.store()));
        if let Some(skew) = session.state().clock_skew.filter(|skew| skew.is_suspect()) {
            let advice = match session.environment() {
                Environment::Sandbox => format!(
                    "{} lets commands follow the broker's clock, and `preopen sandbox` prints it",
                    sandbox_clock::VARIABLE
                ),
                _ => "set it by NTP: one-time codes and the daily end depend on it".to_owned(),
            };
            line(&format!(
                "{BAD}warning{BAD:#}    this machine's clock is {skew}: {advice}"
            ));
        }
        if let Some(warning) = seen.as_ref().and_then(warning) {
            line(&format!("{BAD}warning{BAD:#}    {warning}"));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Which address the broker sees, where it tells: nobody should learn at 09:15 that orders from here are refused. The login
/// is done whatever comes of this, and does not wait for it for long.
async fn static_ip(session: &Session) -> Option<WhoAmI> {
    let asked = tokio::time::timeout(PATIENCE, session.whoami()).await;
    asked.ok()?.ok().filter(|who| who.verdict != Verdict::Unsupported)
}

fn warning(who: &WhoAmI) -> Option<String> {
    let text = |address: &Option<String>| address.clone().unwrap_or_else(|| "none".to_owned());
    let Addresses {
        source,
        primary,
        secondary,
        ..
    } = &who.addresses;
    let seen = format!(
        "orders from this host will be refused: the broker sees {}",
        text(source)
    );
    match who.verdict {
        Verdict::Mismatch => Some(format!(
            "{seen}, registered are {} (primary) and {} (secondary)",
            text(primary),
            text(secondary)
        )),
        Verdict::Unregistered => Some(format!("{seen}, and no address is registered")),
        _ => None,
    }
}
