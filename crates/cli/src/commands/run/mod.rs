//! `preopen run [BROKER] -- COMMAND`: runs a command with a live session in its reach and no secret in its environment.
//!
//! The session comes first: when it cannot be had, the command is not started. Then the command finds
//!
//! - `PREOPEN_CREDENTIALS_URL`, `http://127.0.0.1:PORT/v1/session`: a GET answers JSON with the broker, the token, the headers
//!   of an authenticated call, the generation and the end. `?after=GENERATION` says that the broker refused that one and
//!   asks for a newer one. The same address with `/headers` behind it answers `name: value` lines for `curl -H @-`.
//! - `PREOPEN_CREDENTIALS_AUTH_FILE`: a file that only this user can read, with the header line that a GET must carry.
//!
//! Every answer is of the live session: it is kept warm, so that the command finds the new token after the daily end without
//! anybody being asked. The endpoint ends with the command.
//!
//! # Who is kept out, and who is not
//!
//! - Whoever reads the command's environment, arguments, core dumps or crash reports finds an address and a path, and no
//!   secret: variables with secrets that this process was given are not passed on.
//! - Other users of the machine can reach the port and not the file. Requests without its line, which holds 256 random bits
//!   made for this run, are refused; it is compared in constant time.
//! - A web page in this user's browser, DNS rebinding included, gets nothing: the Host must be this address, no request with
//!   an Origin is answered, and a page does not know the line.
//! - Requests are small, have no body, and have seconds to arrive; what is under way at once is limited.
//! - NOT kept out: programs of the same user (they can read the file, and the file store and its key as well), the
//!   administrator, and whatever the command does with what it reads. Another user who keeps opening connections can delay
//!   answers.

mod child;
mod endpoint;

use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::Args;
use preopen::{Error, EventName, Secret, Session};
use tempfile::TempDir;

use crate::output::{Failure, note};
use crate::progress;
use crate::session::{Broker, Prepared, SessionOptions};
use crate::terminal;
use endpoint::Endpoint;

const URL_VARIABLE: &str = "PREOPEN_CREDENTIALS_URL";
const FILE_VARIABLE: &str = "PREOPEN_CREDENTIALS_AUTH_FILE";

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The broker; the one whose account the credentials name by default.
    broker: Option<Broker>,
    #[command(flatten)]
    options: SessionOptions,
    /// The command and its arguments.
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let prepared = arguments.options.prepare().await?;
    let broker = only(arguments.broker, &prepared)?;
    prepared.admit(broker)?;
    prepared.asking.keep();
    let session = prepared.builder(broker)?.keep_warm(true).build()?;
    let what = format!("waiting for a session at {}", broker.as_str());
    progress::during(&what, false, session.token()).await?;
    // The terminal is the command's from here on.
    prepared.asking.end();
    warn_of_missing(&prepared, broker);
    tokio::spawn(tell_trouble(session.clone()));

    let authorization = Authorization::make()?;
    let endpoint = Endpoint::open(session.clone(), authorization.bearer.clone())
        .await
        .map_err(|error| Failure::Other(format!("the endpoint cannot be opened: {error}")))?;
    terminal::leave_signals();
    let command = child::Command {
        line: arguments.command,
        url: endpoint.url(),
        authorization: authorization.path.clone(),
    };
    let ended = tokio::select! {
        ended = child::run(command) => ended,
        () = endpoint.serve() => Err(Failure::Other("the endpoint broke".to_owned())),
    };
    session.close();
    drop(authorization);
    ended
}

fn only(broker: Option<Broker>, prepared: &Prepared) -> Result<Broker, Error> {
    if let Some(broker) = broker {
        return Ok(broker);
    }
    match prepared.accounts()[..] {
        [one] => Ok(one),
        [] => Err(Error::invalid_input(
            "broker",
            "must be named, and the variables that name its account be set",
        )),
        _ => Err(Error::invalid_input(
            "broker",
            "must be named: the credentials are of several",
        )),
    }
}

/// A secret that can be asked for now may be missing when nobody is there.
fn warn_of_missing(prepared: &Prepared, broker: Broker) {
    let missing = prepared.missing_at_renewal(broker);
    if !missing.is_empty() {
        note(&format!(
            "preopen: {} missing: when the broker ends the session, it cannot be renewed",
            missing.join(" and ")
        ));
    }
}

/// What needs a person is told where he may see it.
async fn tell_trouble(session: Session) {
    let mut events = session.events();
    drop(session);
    while let Some(event) = events.next().await {
        if matches!(event.name, EventName::Blocked | EventName::LoginNeeded) {
            note(&format!("preopen: {}: {}", event.name.as_str(), event.reason));
        }
    }
}

/// What a request must carry, and the file that says it.
struct Authorization {
    bearer: Secret,
    path: PathBuf,
    _folder: TempDir,
}

impl Authorization {
    fn make() -> Result<Self, Failure> {
        let failed =
            |error: std::io::Error| Failure::Other(format!("the authorization file cannot be made: {error}"));
        let mut random = [0_u8; 32];
        getrandom::fill(&mut random)
            .map_err(|error| Failure::Other(format!("the system gives no randomness: {error}")))?;
        let bearer = Secret::new(URL_SAFE_NO_PAD.encode(random));
        // On most systems it is in memory and ends with the login.
        let mut folder = tempfile::Builder::new();
        #[cfg(unix)]
        folder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
        let folder = folder
            .prefix("preopen-run-")
            .tempdir_in(runtime_folder())
            .map_err(failed)?;
        let path = folder.path().join("authorization");
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&path).map_err(failed)?;
        file.write_all(
            Secret::format(format_args!("Authorization: Bearer {}\n", bearer.expose()))
                .expose()
                .as_bytes(),
        )
        .map_err(failed)?;
        Ok(Self {
            bearer,
            path,
            _folder: folder,
        })
    }
}

fn runtime_folder() -> PathBuf {
    let folder = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    folder
        .filter(|folder| Path::is_absolute(folder) && folder.is_dir())
        .unwrap_or_else(std::env::temp_dir)
}
