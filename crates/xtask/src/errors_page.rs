//! `cargo xtask errors`: writes `docs/errors.md` from the core's kinds of error and the brokers' fault tables; `--check` only
//! says whether the page is that. What a person should do about each kind is said here, and nowhere else.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use preopen_core::brokers::TABLES;
use preopen_core::catalogue::{On, Row};
use preopen_core::error::{AccountAction, Credential, Error, ErrorKind, LoginReason, Phase};

use crate::workspace::Workspace;

const PAGE: &str = "docs/errors.md";
/// Whose classes name Python's builtin parents.
const PYTHON: &str = "python/preopen/errors.py";

const OPENING: &str = "\
# Errors and what to do

<!-- Written by `cargo xtask errors`; change crates/xtask/src/errors_page.rs or crates/core, not this page. -->

There is one error with sixteen kinds, the same in Python, Node, Rust and on the command line. The kind says what you should do, not which layer failed: a rate
limit that a broker answers as HTTP 403 is `rate_limited`, and a web page in place of JSON is `broker_unavailable`, never a wrong password. The message is
one line without a secret, so that it may be logged.

=== \"Python\"

    ```python
    import preopen
    from preopen.sandbox import Sandbox

    with Sandbox() as broker:
        broker.set_source_ip(\"198.51.100.7\")          # an address that nobody registered
        try:
            broker.session(\"samco\").post(\"/order/placeOrder\", json={\"symbolName\": \"INFY\"})
        except preopen.StaticIpMismatchError as error:
            print(error.source_ip, error.primary_ip)  # what the broker saw, what is registered
        except preopen.PreopenError as error:
            print(error.code, error.advice, error)    # for all others
    ```

=== \"Node\"

    ```js
    import { PreopenError } from \"preopen\";
    import { Sandbox } from \"preopen/sandbox\";

    const broker = await Sandbox.start();
    try {
      await broker.setSourceIp(\"198.51.100.7\"); // an address that nobody registered
      await broker.session(\"samco\").post(\"/order/placeOrder\", { json: { symbolName: \"INFY\" } });
    } catch (error) {
      if (!(error instanceof PreopenError)) throw error;
      console.log(error.code, error.advice, error.sourceIp, error.message);
    } finally {
      await broker.stop();
    }
    ```

=== \"Rust\"

    ```rust
    use preopen::{ErrorKind, Samco, Session};

    # async fn example() -> preopen::Result<()> {
    let session = Session::builder(Samco::from_env()?).build()?;
    match session.get(\"/quote/getQuote\").query(\"symbolName\", \"INFY\").query(\"exchange\", \"NSE\").send().await {
        Ok(quote) => println!(\"{}\", quote.data()),
        Err(error) if error.kind() == ErrorKind::RateLimited => println!(\"wait {:?}\", error.context().retry_after),
        Err(error) => return Err(error),
    }
    # Ok(()) }
    ```

=== \"Command line\"

    ```console
    $ preopen request samco GET /quote/getQuote -p symbolName=INFY -p exchange=NSE --json
    $ echo $?                                  # 0; else the number that stands with each kind below
    0
    ```

`advice` is for programs: `never` (the same call fails again), `now`, `after` (with the seconds to wait, if known), `after_login` (the session logs in by itself on
the next call). What a session repeats by itself is in [Calls](calls.md#what-is-repeated).

## At a glance

";

/// What a person or program should do, by kind.
const DO: [(ErrorKind, &str); 16] = [
    (
        ErrorKind::InvalidInput,
        "Fix the field that `field` names. Nothing was sent, so there is nothing to undo.",
    ),
    (
        ErrorKind::CredentialsRejected,
        "Look at `which`, correct that credential, and start the program anew or call `reset()`. The refused one is not sent again, by any program that shares the store: \
        waiting changes nothing, and no further login is spent on it. For `totp`, look at `clock_skew` first: [TOTP safely](totp.md).",
    ),
    (
        ErrorKind::AccountActionRequired,
        "A person has to act at the broker: `which` says what. Then call `reset()`, or `preopen login`.",
    ),
    (
        ErrorKind::LoginRequired,
        "Let a person log in again: `session.login()`, `begin_login()` or `preopen login`. `reason` says why: [Logins at the broker's page](oauth.md).",
    ),
    (
        ErrorKind::SessionExpired,
        "The broker refused the token, so it did not do what you asked. If it was an order, decide whether you still want it, and send it again: the session logs in first.",
    ),
    (
        ErrorKind::StaticIpMismatch,
        "Send from `primary_ip` or `secondary_ip`, or register `source_ip`: [Static IP and whoami](static-ip.md) tells when that is possible.",
    ),
    (
        ErrorKind::RateLimited,
        "Wait `retry_after` seconds and send less. No slot was used when the refusal is a limit of this session: [Limits](calls.md#limits).",
    ),
    (
        ErrorKind::Timeout,
        "Try again; `phase` says how far it came. A write whose bytes may have left is never a timeout: it is `outcome_unknown`.",
    ),
    (
        ErrorKind::Network,
        "Look at this host's network, name service and proxy (`preopen doctor`), then try again. Nothing reached the broker when `phase` is `connect`.",
    ),
    (
        ErrorKind::BrokerUnavailable,
        "Wait and try again. Reads were repeated already where that is safe.",
    ),
    (
        ErrorKind::OutcomeUnknown,
        "Look at the order book before you do anything else. Nothing here repeats the order, and neither should a retry loop.",
    ),
    (
        ErrorKind::BrokerRejected,
        "Read the broker's message and `validation_errors`, and change the request.",
    ),
    (
        ErrorKind::MalformedResponse,
        "Try again later. If it stays, report it with `body`, which has been cleaned of this session's secrets.",
    ),
    (
        ErrorKind::StoreUnavailable,
        "See to Redis or the state folder: [Stores](stores.md#when-something-is-wrong). A live session is served meanwhile; only a new login is refused, unless you chose `on_store_loss=\"login\"`.",
    ),
    (
        ErrorKind::Cancelled,
        "Nothing: you gave up. The login that the call waited for goes on and serves the next one. Python raises its own `CancelledError`, Node the reason of the signal.",
    ),
    (
        ErrorKind::Internal,
        "It is a bug of Preopen: report it with the message.",
    ),
];

/// The exit code of the command; `crates/cli/src/output.rs` decides, and its tests hold it.
fn exit_code(kind: ErrorKind) -> u8 {
    match kind {
        ErrorKind::InvalidInput => 2,
        ErrorKind::CredentialsRejected | ErrorKind::AccountActionRequired => 3,
        ErrorKind::StaticIpMismatch => 4,
        ErrorKind::LoginRequired | ErrorKind::SessionExpired => 6,
        _ => 5,
    }
}

/// What the command may be told.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Write nothing; fail when the page is not up to date.
    #[arg(long)]
    check: bool,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let workspace = Workspace::load()?;
    let page = page(&workspace.root)?;
    if workspace.write_or_compare(PAGE, &page, args.check)? {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("{PAGE} is not what `cargo xtask errors` writes");
    Ok(ExitCode::FAILURE)
}

fn page(root: &Path) -> Result<String> {
    let classes = fs::read_to_string(root.join(PYTHON)).with_context(|| format!("no {PYTHON}"))?;
    let mut page = OPENING.to_owned();
    page.push_str("| kind | what it says | advice | exit code |\n| --- | --- | --- | --- |\n");
    for &kind in ErrorKind::ALL {
        let _ = writeln!(
            page,
            "| [`{kind}`](#{kind}) | {} | `{}` | {} |",
            kind.about(),
            Error::new(kind, "").advice().as_str(),
            exit_code(kind),
        );
    }
    for &kind in ErrorKind::ALL {
        let (_, what) = DO
            .iter()
            .find(|(other, _)| *other == kind)
            .with_context(|| format!("nothing is said about {kind}"))?;
        let class = class(kind);
        let _ = write!(
            page,
            "\n## `{kind}` {{#{kind}}}\n\n{}\n\n**What to do.** {what}\n\nPython `{class}{}`, Node `{class}`, Rust `ErrorKind::{kind:?}`.\n",
            kind.about(),
            parents(&classes, &class)?,
        );
        details(&mut page, kind);
        refusals(&mut page, kind);
    }
    Ok(page)
}

/// The name of the class in Python and Node.
fn class(kind: ErrorKind) -> String {
    format!("{kind:?}Error")
}

/// The builtin parent of Python's class, in brackets.
fn parents(classes: &str, class: &str) -> Result<String> {
    let start = format!("class {class}(PreopenError");
    let line = classes.lines().find(|line| line.starts_with(&start));
    let line = line.with_context(|| format!("{PYTHON} has no {class}"))?;
    let rest = line[start.len()..].split(')').next().unwrap_or_default();
    let parent = rest.trim_start_matches(", ").trim_start_matches("builtins.");
    Ok(if parent.is_empty() {
        String::new()
    } else {
        format!(" ({parent})")
    })
}

/// The closed set of words that a kind comes with.
fn details(page: &mut String, kind: ErrorKind) {
    let words: (&str, Vec<(&str, &str)>) = match kind {
        ErrorKind::CredentialsRejected => {
            ("which", words(Credential::ALL, |one| (one.as_str(), one.about())))
        }
        ErrorKind::AccountActionRequired => (
            "which",
            words(AccountAction::ALL, |one| (one.as_str(), one.about())),
        ),
        ErrorKind::LoginRequired => (
            "reason",
            words(LoginReason::ALL, |one| (one.as_str(), one.about())),
        ),
        ErrorKind::Timeout | ErrorKind::Network => {
            ("phase", words(Phase::ALL, |one| (one.as_str(), one.about())))
        }
        _ => return,
    };
    let (field, words) = words;
    let _ = write!(page, "\n| `{field}` | |\n| --- | --- |\n");
    for (word, about) in words {
        let _ = writeln!(page, "| `{word}` | {about} |");
    }
}

fn words<T: Copy>(
    all: &[T],
    word: impl Fn(T) -> (&'static str, &'static str),
) -> Vec<(&'static str, &'static str)> {
    all.iter().map(|one| word(*one)).collect()
}

/// The brokers' own words that become this kind.
fn refusals(page: &mut String, kind: ErrorKind) {
    let mut rows = String::new();
    for tables in &TABLES {
        for row in tables.faults {
            let (code, detail) = row.verdict.error();
            if code == kind.as_str() {
                let _ = writeln!(
                    rows,
                    "| {} | {} | {} | {} | {} |",
                    tables.broker,
                    said(row),
                    on(row),
                    detail.map_or_else(String::new, |word| format!("`{word}`")),
                    row.confidence.as_str(),
                );
            }
        }
    }
    if !rows.is_empty() {
        let _ = write!(
            page,
            "\n??? note \"Refusals of the brokers that become it\"\n\n    | broker | says | on | | known by |\n    | --- | --- | --- | --- | --- |\n"
        );
        for row in rows.lines() {
            let _ = writeln!(page, "    {row}");
        }
    }
}

fn said(row: &Row) -> String {
    let text = row.text.replace('|', "\\|");
    match (row.code, text.as_str()) {
        (code, "") => format!("`{code}`"),
        ("", text) => format!("\"{text}...\""),
        (code, text) => format!("`{code}` with \"{text}...\""),
    }
}

fn on(row: &Row) -> String {
    match row.on {
        On::Login => "logins".to_owned(),
        On::Session => "other calls".to_owned(),
        On::Path(path) => format!("`{path}`"),
        _ => "any".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use preopen_core::error::ErrorKind;

    #[test]
    fn every_kind_is_spoken_of_once() {
        for kind in ErrorKind::ALL {
            let times = super::DO.iter().filter(|(other, _)| other == kind).count();
            assert_eq!(times, 1, "{kind}");
        }
    }

    #[test]
    fn a_class_is_named_after_its_kind_and_knows_its_builtin_parent() {
        let classes = "class TimeoutError(PreopenError, builtins.TimeoutError):  # noqa\nclass NetworkError(PreopenError):\n";
        let parents = |kind| super::parents(classes, &super::class(kind)).unwrap_or_default();
        assert_eq!(parents(ErrorKind::Timeout), " (TimeoutError)");
        assert_eq!(parents(ErrorKind::Network), "");
        assert!(super::parents(classes, "InternalError").is_err());
    }
}
