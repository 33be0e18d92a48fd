//! What is said of a session's logins, refusals, logouts, renewals and calls: in its metrics, to `tracing`, and, if asked,
//! in a file. Everything here is in words of closed sets, but for the account's label and this host's name.

mod file;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use preopen_core::Error;
use preopen_core::audit::is_refusal;
pub use preopen_core::audit::{Action, Entry, Outcome, Why};
use preopen_core::broker::Policy;
use preopen_core::clock::Clock;
use preopen_core::error::safe_text;
use preopen_core::lifecycle::{EventName, SessionEvent};
use preopen_core::wire::CallClass;
use tracing::field::Empty;
use tracing::{Span, debug, debug_span, info, info_span, warn};

use crate::metrics;
use file::AuditFile;

/// The longest host name that is written.
const LONGEST_NAME: usize = 255;

/// Says what a session does, by the name of its account.
#[derive(Clone)]
pub(crate) struct Auditor {
    policy: &'static Policy,
    account: Arc<str>,
    clock: Arc<dyn Clock>,
    file: Option<Arc<AuditFile>>,
}

impl Auditor {
    pub(crate) fn new(
        policy: &'static Policy,
        account: Arc<str>,
        clock: Arc<dyn Clock>,
        path: Option<PathBuf>,
    ) -> Self {
        Self {
            policy,
            account,
            clock,
            file: path.map(|path| Arc::new(AuditFile::new(path))),
        }
    }

    /// The label of the account.
    pub(crate) fn account(&self) -> &Arc<str> {
        &self.account
    }

    fn broker(&self) -> &'static str {
        self.policy.broker
    }

    pub(crate) fn login_span(&self, why: Why) -> Span {
        info_span!(target: "preopen", "login", broker = self.broker(), why = why.as_str(), outcome = Empty)
    }

    pub(crate) fn refresh_span(&self) -> Span {
        info_span!(target: "preopen", "refresh", broker = self.broker(), outcome = Empty)
    }

    pub(crate) fn call_span(&self, class: CallClass) -> Span {
        let class = match class {
            CallClass::Read => "read",
            _ => "write",
        };
        debug_span!(target: "preopen", "call", broker = self.broker(), class, outcome = Empty)
    }

    /// A login has ended; the current span is its own.
    pub(crate) fn login(&self, why: Why, outcome: Outcome, took: Duration) {
        Span::current().record("outcome", outcome.as_str());
        let action = match outcome {
            Outcome::Failed(kind) if is_refusal(kind) => Action::Refusal,
            _ => Action::Login,
        };
        self.record(action, why, outcome, took);
    }

    /// Why a login failed, in words.
    pub(crate) fn login_failed(&self, error: &Error) {
        let (broker, account, kind) = (self.broker(), &*self.account, error.code());
        warn!(target: "preopen", broker, account, kind, "a login failed: {error}");
    }

    pub(crate) fn logout(&self, why: Why, outcome: Outcome, took: Duration) {
        self.record(Action::Logout, why, outcome, took);
    }

    pub(crate) fn renewal(&self, span: &Span, outcome: Outcome) {
        span.record("outcome", outcome.as_str());
        metrics::of(self.broker()).renewed(outcome);
    }

    /// A call has ended, whatever its login did.
    pub(crate) fn call(&self, span: &Span, outcome: Outcome, took: Duration) {
        span.record("outcome", outcome.as_str());
        metrics::of(self.broker()).called(outcome);
        let (outcome, took) = (outcome.as_str(), millis(took));
        debug!(target: "preopen", broker = self.broker(), outcome, duration_ms = took, "call");
    }

    /// The broker's own answer to a call; it counts when it is a refusal.
    pub(crate) fn answered(&self, error: &Error, took: Duration) {
        if is_refusal(error.kind()) {
            self.record(Action::Refusal, Why::Call, Outcome::Failed(error.kind()), took);
        }
    }

    /// A caller waited for a login.
    pub(crate) fn waited(&self, time: Duration) {
        metrics::of(self.broker()).waited(time);
    }

    /// What those who watch the session are told is logged, too.
    pub(crate) fn tell(&self, event: &SessionEvent) {
        let (broker, account) = (self.broker(), &*self.account);
        let (name, generation) = (event.name.as_str(), event.generation);
        let kind = event.error.as_ref().map(Error::code);
        match event.name {
            EventName::LoginNeeded | EventName::Blocked | EventName::IpMismatch | EventName::Failing => {
                warn!(target: "preopen", broker, account, event = name, generation, kind, "{}", event.reason);
            }
            EventName::Expiring | EventName::Lagged => {
                debug!(target: "preopen", broker, account, event = name, generation, kind, "{}", event.reason);
            }
            _ => {
                info!(target: "preopen", broker, account, event = name, generation, kind, "{}", event.reason);
            }
        }
    }

    fn record(&self, action: Action, why: Why, outcome: Outcome, duration: Duration) {
        let entry = Entry {
            at: self.clock.now().wall,
            broker: self.broker().to_owned(),
            account: self.account.as_ref().to_owned(),
            host: host(),
            action,
            why,
            outcome,
            duration,
        };
        metrics::of(self.broker()).record(&entry);
        info!(
            target: "preopen.audit",
            at = entry.at.to_ist_rfc3339(),
            broker = entry.broker,
            account = entry.account,
            host = entry.host,
            action = entry.action.as_str(),
            why = entry.why.as_str(),
            outcome = entry.outcome.as_str(),
            duration_ms = millis(entry.duration),
            "{} {}: {}", self.broker(), entry.action, entry.outcome
        );
        if let Some(file) = &self.file {
            file.append(&entry.to_line());
        }
    }
}

/// Checks the path of an audit file. Errors: `InvalidInput` (`audit`).
pub(crate) fn check(path: Option<&PathBuf>) -> Result<(), Error> {
    match path {
        Some(path) if path.as_os_str().is_empty() => {
            Err(Error::invalid_input("audit", "must be the path of a file"))
        }
        _ => Ok(()),
    }
}

/// This host's name. It is asked for when it is written: a process may have ten thousand sessions, which are cheaper without.
fn host() -> String {
    let mut host = safe_text(&gethostname::gethostname().to_string_lossy());
    host.truncate(host.floor_char_boundary(LONGEST_NAME));
    host
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
