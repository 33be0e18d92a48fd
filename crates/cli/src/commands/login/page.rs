//! A login at the broker's page: the browser of this machine and a listener, or an address that a person pastes.

use std::io::Write as _;
use std::time::Duration;

use clap::Args;
use preopen::{Error, ErrorKind, LoginOptions, LoginStart, Result, Secret, Session, Token};

use crate::terminal;

#[derive(Clone, Debug, Args)]
pub(super) struct Options {
    /// Print the page of a login that a person completes, and open no browser.
    #[arg(long)]
    no_browser: bool,
    /// Ask for the address that the browser ended on, in place of listening for it: for a browser on another machine.
    /// Without a terminal it is read from standard input.
    #[arg(long)]
    paste: bool,
    /// How long to wait for the person, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 300.0)]
    wait: f64,
}

/// The session, or its refresh, if there is one; otherwise a person logs in.
pub(super) async fn log_in(session: &Session, options: &Options, anew: bool, may_ask: bool) -> Result<Token> {
    if !anew {
        match session.token().await {
            Err(error) if error.kind() == ErrorKind::LoginRequired => {}
            other => return other,
        }
    }
    let timeout = Duration::try_from_secs_f64(options.wait)
        .ok()
        .filter(|wait| !wait.is_zero())
        .ok_or_else(|| Error::invalid_input("wait", "must be a positive number of seconds"))?;
    // Where no listener can be, a person brings the address.
    if !options.paste && session.receives_logins() {
        let listening = LoginOptions::new()
            .open_browser(!options.no_browser)
            .timeout(timeout)
            .show(show);
        session.login(listening).await?;
        return session.token().await;
    }
    let start = session.begin_login().await?;
    show(&start);
    let address = pasted(may_ask)?;
    session.complete_login(address.expose()).await?;
    session.token().await
}

/// On standard error: what is on standard output is for scripts.
fn show(start: &LoginStart) {
    let mut stderr = std::io::stderr().lock();
    let _ = writeln!(
        stderr,
        "Log in at this page, until {}. It is for you alone: whoever has it can complete the login.\n\n{}\n",
        start.expires_at.to_ist(),
        start.url()
    );
}

fn pasted(may_ask: bool) -> Result<Secret> {
    let prompt = "Then paste the address that the browser ended on (it is not shown): ";
    let answer = terminal::answer(prompt, may_ask);
    let answer =
        answer.map_err(|problem| Error::invalid_input("url", &format!("could not be read: {problem}")))?;
    answer.ok_or_else(|| {
        Error::invalid_input(
            "url",
            "is empty: paste the whole address that the browser ended on",
        )
    })
}
