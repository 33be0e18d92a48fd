//! `preopen login BROKER`: sees to it that the store holds a live session, and tells whose it is, until when, and where.

use std::process::ExitCode;

use clap::Args;
use preopen::{StateName, Timestamp};
use serde_json::json;

use crate::credentials::Way;
use crate::output::{BOLD, Failure, GOOD, Output, json_line, line};
use crate::session::SessionArguments;

mod page;

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
    let session = prepared.session(broker)?;
    // What cannot be read is replaced, and what to do without a store is the login's business.
    let before = session.stored_state().await.ok();
    let live = before.is_some_and(|state| state.name == StateName::Active);
    // Whatever blocks this account, a person asks for one attempt.
    session.reset();
    let mut token = if prepared.way(broker) == Way::Page {
        page::log_in(
            &session,
            &arguments.page,
            arguments.force,
            prepared.asking.may_ask(),
        )
        .await?
    } else {
        session.token().await?
    };
    if arguments.force && live && prepared.way(broker) != Way::Page {
        session.invalidate(token.generation());
        token = session.token().await?;
    }
    let fresh = arguments.force || !live;
    let profile = session.profile().await.unwrap_or_default();
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
    }
    Ok(ExitCode::SUCCESS)
}
