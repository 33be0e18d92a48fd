//! The command that runs: its environment, the signals that it gets, and the exit code that it leaves.

use std::ffi::{OsStr, OsString};
use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::{ExitCode, ExitStatus};

use tokio::process::Child;

use super::{FILE_VARIABLE, URL_VARIABLE};
use crate::credentials::{
    ANGELONE_API_KEY, ANGELONE_PIN, ANGELONE_TOTP_SECRET, SAMCO_API_KEY, SAMCO_API_SECRET,
};
use crate::output::Failure;
use crate::sandbox_clock;
use crate::session::{STORE_VARIABLE, has_password};

/// Variables that hold secrets: the command gets none of them.
const SECRETS: [&str; 7] = [
    SAMCO_API_KEY,
    SAMCO_API_SECRET,
    ANGELONE_API_KEY,
    ANGELONE_PIN,
    ANGELONE_TOTP_SECRET,
    "PREOPEN_KEY",
    sandbox_clock::VARIABLE,
];

/// Exit codes that shells have for a command that cannot be started.
const NOT_RUNNABLE: u8 = 126;
const NOT_FOUND: u8 = 127;

/// What to run, and where it finds its session.
pub(super) struct Command {
    pub(super) line: Vec<OsString>,
    pub(super) url: String,
    pub(super) authorization: PathBuf,
}

/// Runs the command to its end. Signals that are sent to this process are passed on.
pub(super) async fn run(command: Command) -> Result<ExitCode, Failure> {
    let (program, arguments) = command
        .line
        .split_first()
        .unwrap_or((const { &OsString::new() }, &[]));
    let mut signals = signals::Signals::receive()?;
    let mut prepared = tokio::process::Command::new(program);
    prepared
        .args(arguments)
        .env(URL_VARIABLE, &command.url)
        .env(FILE_VARIABLE, &command.authorization);
    for name in SECRETS {
        prepared.env_remove(name);
    }
    if std::env::var(STORE_VARIABLE).is_ok_and(|address| has_password(&address)) {
        prepared.env_remove(STORE_VARIABLE);
    }
    for (name, value) in without_proxy() {
        prepared.env(name, value);
    }
    let mut child = prepared.spawn().map_err(|error| {
        let code = match error.kind() {
            ErrorKind::NotFound => NOT_FOUND,
            _ => NOT_RUNNABLE,
        };
        Failure::Command(format!("{}: {error}", program.display()), code)
    })?;
    let ended = loop {
        tokio::select! {
            ended = child.wait() => break ended,
            signal = signals.next() => pass_on(&child, signal),
        }
    };
    let ended = ended.map_err(|error| Failure::Other(format!("the command was lost: {error}")))?;
    Ok(ExitCode::from(exit_code(ended)))
}

/// No proxy may see a request to this machine: its clients take one from these variables.
fn without_proxy() -> Vec<(&'static str, OsString)> {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let proxies = ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"];
    if !proxies.into_iter().any(is_set) {
        return Vec::new();
    }
    ["no_proxy", "NO_PROXY"]
        .into_iter()
        .map(|name| {
            let mut value = std::env::var_os(name).unwrap_or_default();
            if !value.is_empty() {
                value.push(",");
            }
            value.push(OsStr::new("127.0.0.1"));
            (name, value)
        })
        .collect()
}

#[cfg(unix)]
fn exit_code(ended: ExitStatus) -> u8 {
    use std::os::unix::process::ExitStatusExt as _;
    let code = ended.code().or_else(|| Some(128 + ended.signal()?));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)
}

#[cfg(not(unix))]
fn exit_code(ended: ExitStatus) -> u8 {
    let code = ended.code().unwrap_or(1);
    u8::try_from(code).unwrap_or(u8::MAX)
}

/// The child was not waited for to its end: its number is still its own.
#[cfg(unix)]
fn pass_on(child: &Child, signal: rustix::process::Signal) {
    let pid = child.id().and_then(|id| i32::try_from(id).ok());
    if let Some(pid) = pid.and_then(rustix::process::Pid::from_raw) {
        // One that has ended needs it no more.
        let _ = rustix::process::kill_process(pid, signal);
    }
}

#[cfg(not(unix))]
fn pass_on(_child: &Child, (): ()) {}

#[cfg(unix)]
mod signals {
    use rustix::process::Signal;
    use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
    use signal_hook::iterator::SignalsInfo;
    use signal_hook::iterator::exfiltrator::WithOrigin;
    use signal_hook::low_level::siginfo::Cause;
    use tokio::sync::mpsc;

    use crate::output::Failure;

    /// Signals for this process that the command must get too.
    pub(super) struct Signals(mpsc::UnboundedReceiver<Signal>);

    impl Signals {
        /// From here on they do not end this process.
        pub(super) fn receive() -> Result<Self, Failure> {
            let failed =
                |error: std::io::Error| Failure::Other(format!("signals cannot be listened for: {error}"));
            // What `nohup` or a shell's `&` made this process ignore, the command ignores too.
            let ignored = ignored();
            let all = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2];
            let wanted = all
                .into_iter()
                .filter(|signal| ignored & (1 << (signal - 1)) == 0);
            let mut signals = SignalsInfo::<WithOrigin>::new(wanted).map_err(failed)?;
            let (tell, told) = mpsc::unbounded_channel();
            let pass = move || {
                for origin in signals.forever() {
                    // The terminal's own, for example of Ctrl-C, go to the command as well: it would get them twice.
                    let by_terminal = matches!(origin.cause, Cause::Kernel);
                    if let (Some(signal), false) = (Signal::from_named_raw(origin.signal), by_terminal)
                        && tell.send(signal).is_err()
                    {
                        return;
                    }
                }
            };
            std::thread::Builder::new()
                .name("preopen-signals".to_owned())
                .spawn(pass)
                .map_err(failed)?;
            Ok(Self(told))
        }

        pub(super) async fn next(&mut self) -> Signal {
            match self.0.recv().await {
                Some(signal) => signal,
                None => std::future::pending().await,
            }
        }
    }

    /// The signals that this process ignores, a bit each; as far as the system tells.
    fn ignored() -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
            .unwrap_or_default()
    }
}

#[cfg(not(unix))]
mod signals {
    use crate::output::Failure;

    /// The console tells every program on it by itself; this one waits for the command.
    pub(super) struct Signals(tokio::signal::windows::CtrlC);

    impl Signals {
        pub(super) fn receive() -> Result<Self, Failure> {
            tokio::signal::windows::ctrl_c()
                .map(Self)
                .map_err(|error| Failure::Other(format!("Ctrl-C cannot be listened for: {error}")))
        }

        pub(super) async fn next(&mut self) {
            self.0.recv().await;
        }
    }
}
