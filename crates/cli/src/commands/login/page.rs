//! A login at the broker's page: the browser of this machine and a listener, or an address that a person pastes.

use std::io::Write as _;
use std::time::Duration;

use clap::Args;
use preopen::{Error, ErrorKind, LoginOptions, LoginStart, Result, Secret, Session, Token};

use crate::credentials::Way;
use crate::output::note;
use crate::progress;
use crate::session::{Broker, Prepared};
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
    /// How long to listen for the person, in seconds, at most a day [default: 300]
    #[arg(long, value_name = "SECONDS")]
    wait: Option<f64>,
}

/// How long to listen, unless the user says otherwise.
const WAIT: Duration = Duration::from_mins(5);
const LONGEST_WAIT: Duration = Duration::from_hours(24);

/// How often a person is asked for the address.
const TRIES: usize = 3;

impl Options {
    /// Whoever gives an option of a page expects one. Errors: `InvalidInput`.
    pub(super) fn check(&self, broker: Broker, way: Way) -> Result<()> {
        let given = [
            ("paste", self.paste),
            ("no-browser", self.no_browser),
            ("wait", self.wait.is_some()),
        ];
        let given = given.into_iter().find(|(_, given)| *given);
        let (Some((option, _)), true) = (given, way != Way::Page) else {
            return Ok(());
        };
        let page = match broker {
            Broker::Samco => "--oauth",
            Broker::Angelone => "--publisher",
        };
        let problem = format!(
            "is for a login at the broker's page, and these credentials need none: add {page} for it"
        );
        Err(Error::invalid_input(option, &problem))
    }

    fn timeout(&self) -> Result<Duration> {
        let wait = self.wait.map_or(Ok(WAIT), Duration::try_from_secs_f64);
        wait.ok()
            .filter(|wait| !wait.is_zero() && *wait <= LONGEST_WAIT)
            .ok_or_else(|| {
                Error::invalid_input(
                    "wait",
                    "must be a number of seconds above 0 and up to 86400, a day",
                )
            })
    }
}

/// The session, or its refresh, if there is one; otherwise a person logs in.
pub(super) async fn log_in(
    session: &Session,
    options: &Options,
    anew: bool,
    prepared: &Prepared,
    broker: Broker,
) -> Result<Token> {
    let timeout = options.timeout()?;
    let may_ask = prepared.asking.may_ask();
    // The address would come from where the credentials came from.
    let silent = prepared.has_read_stdin() && !terminal::asks(may_ask);
    if options.paste && silent {
        return Err(no_more_input());
    }
    if !anew {
        match session.token().await {
            Err(error) if error.kind() == ErrorKind::LoginRequired => {}
            other => return other,
        }
    }
    // Where no listener can be, a person brings the address.
    if !options.paste && session.receives_logins() {
        let place = prepared.values.redirect_authority(broker);
        let opens = !options.no_browser;
        let when = within(timeout, opens);
        let then = place.map(|place| comes_back(&place)).unwrap_or_default();
        let listening = LoginOptions::new()
            .open_browser(opens)
            .timeout(timeout)
            .show(move |start| show(start, &when, &then));
        session.login(listening).await?;
        return session.token().await;
    }
    if silent {
        return Err(no_more_input());
    }
    let start = session.begin_login().await?;
    show(
        &start,
        &format!("until {}", start.expires_at.to_ist()),
        "The browser ends at the app's redirect URL. There need be no page: only the address counts.",
    );
    let mut tries = if terminal::asks(may_ask) { TRIES } else { 1 };
    loop {
        tries -= 1;
        let completed = match pasted(may_ask)? {
            Some(address) => session.complete_login(address.expose()).await,
            None => Err(of_the_paste(
                "the address is empty: paste all of the one that the browser ended on",
            )),
        };
        match completed {
            // Nothing was sent, and the login that was begun can still be completed.
            Err(error) if tries > 0 && is_of_the_paste(&error) => note(&error.to_string()),
            Err(error) => return Err(error),
            Ok(()) => return session.token().await,
        }
    }
}

fn no_more_input() -> Error {
    Error::invalid_input(
        "paste",
        "reads the address from standard input, which --env-file - has read for the credentials: name a file, or use a \
         terminal",
    )
}

/// What is wrong with the address that a person gave. The field is the library's name for it.
fn of_the_paste(sentence: &str) -> Error {
    Error::new(ErrorKind::InvalidInput, sentence).with(|context| context.field = Some("url".to_owned()))
}

fn is_of_the_paste(error: &Error) -> bool {
    error.kind() == ErrorKind::InvalidInput && matches!(error.field(), Some("url" | "state"))
}

/// The one deadline that holds while the answer is waited for. Whether a browser opened is not known for sure.
fn within(timeout: Duration, opens: bool) -> String {
    let wait = timeout.as_secs_f64();
    let opens = if opens {
        " (if no browser opens, open it yourself)"
    } else {
        ""
    };
    format!("within {wait} s{opens}")
}

/// Where the answer is waited for, and what to do when the browser is not on this machine.
fn comes_back(place: &str) -> String {
    let (_, port) = place.rsplit_once(':').unwrap_or_default();
    format!(
        "The browser then comes back to {place}. If it is on another machine, use --paste, or first run there: \
         ssh -L {port}:127.0.0.1:{port} THIS-HOST"
    )
}

/// On standard error: what is on standard output is for scripts.
fn show(start: &LoginStart, when: &str, then: &str) {
    progress::aside(|| {
        let mut stderr = std::io::stderr().lock();
        let _ = writeln!(
            stderr,
            "Log in at this page {when}. It is for you alone: whoever has it can complete the login.\n{then}\n\n{}\n",
            start.url()
        );
    });
    progress::now("waiting for the login in the browser");
}

fn pasted(may_ask: bool) -> Result<Option<Secret>> {
    let prompt = "Then paste the address that the browser ended on (it is not shown): ";
    let answer = terminal::answer(prompt, may_ask);
    answer.map_err(|problem| of_the_paste(&format!("the address could not be read: {problem}")))
}
