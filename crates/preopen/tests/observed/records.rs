//! The same entries as log records, spans of logins and calls, and no secret in any of them.

use std::io::Write;
use std::sync::{Arc, Mutex, OnceLock};

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider};
use preopen_sandbox::Account;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::common::{angel, angel_account, quote, samco, samco_account, sandbox};

/// Everything that was logged in this process.
#[derive(Clone, Default)]
pub(crate) struct Seen(Arc<Mutex<Vec<u8>>>);

impl Write for Seen {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Seen {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

/// Logins run on a thread of their own, so that all tests of this process share what hears them: a log, and the spans that
/// `tracing-opentelemetry` hands on.
fn hear() -> &'static (Seen, InMemorySpanExporter) {
    static HEARD: OnceLock<(Seen, InMemorySpanExporter)> = OnceLock::new();
    HEARD.get_or_init(|| {
        let (seen, spans) = (Seen::default(), InMemorySpanExporter::default());
        let writer = seen.clone();
        let log = tracing_subscriber::fmt::layer()
            .with_span_events(FmtSpan::CLOSE)
            .with_writer(move || writer.clone())
            .with_ansi(false);
        let provider = SdkTracerProvider::builder()
            .with_simple_exporter(spans.clone())
            .build();
        let handed_on = tracing_opentelemetry::layer()
            .with_tracer(provider.tracer("test"))
            .with_filter(Targets::new().with_target("preopen", LevelFilter::TRACE));
        tracing_subscriber::registry().with(log).with(handed_on).init();
        (seen, spans)
    })
}

pub(crate) fn listen() -> Seen {
    hear().0.clone()
}

pub(crate) fn spans() -> InMemorySpanExporter {
    hear().1.clone()
}

#[tokio::test]
async fn logins_and_calls_are_records_and_spans() {
    let seen = listen();
    let sandbox = sandbox().await;
    let session = samco(&sandbox).build().unwrap();
    quote(&session).await.unwrap();
    let account = {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("audit.jsonl");
        let other = samco(&sandbox).audit_file(&file).build().unwrap();
        other.token().await.unwrap();
        crate::entries::entries(&file)[0].account.clone()
    };
    let text = seen.text();
    let mine: Vec<&str> = text.lines().filter(|line| line.contains(&account)).collect();
    let has = |parts: &[&str]| {
        mine.iter()
            .any(|line| parts.iter().all(|part| line.contains(part)))
    };
    assert!(
        has(&[
            "INFO",
            "preopen.audit: samco login: ok",
            "action=\"login\"",
            "why=\"first_use\""
        ]),
        "{text}"
    );
    assert!(
        has(&["INFO", "preopen: a new session, until", "event=\"renewed\""]),
        "{text}"
    );
    // Spans end with their outcome, in words of closed sets.
    let span = |parts: &[&str]| {
        text.lines()
            .any(|line| line.contains("close") && parts.iter().all(|part| line.contains(part)))
    };
    assert!(
        span(&["login{broker=\"samco\" why=\"first_use\" outcome=\"ok\"}"]),
        "{text}"
    );
    assert!(
        span(&["call{broker=\"samco\" class=\"read\" outcome=\"ok\"}"]),
        "{text}"
    );
}

#[tokio::test]
async fn no_secret_is_in_an_entry_or_a_record() {
    let seen = listen();
    let sandbox = sandbox().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("audit.jsonl");
    let mut secrets = Vec::new();
    for session in [
        samco(&sandbox).audit_file(&file).build().unwrap(),
        angel(&sandbox).audit_file(&file).build().unwrap(),
    ] {
        secrets.push(session.token().await.unwrap().expose().to_owned());
        let generation = session.token().await.unwrap().generation();
        session.invalidate(generation);
        secrets.push(session.token().await.unwrap().expose().to_owned());
        // A read that fails, too.
        session.get("/no/such/path").send().await.unwrap_err();
        session.logout().await.unwrap();
    }
    let (samco, angel) = (samco_account(&sandbox), angel_account(&sandbox));
    secrets.extend([&samco.api_key, &samco.api_secret].map(ToString::to_string));
    secrets.extend([&angel.api_key, &angel.client_code, &angel.totp_secret].map(ToString::to_string));
    secrets.extend(
        sandbox
            .accounts()
            .iter()
            .filter_map(Account::as_samco)
            .map(|a| a.account.clone()),
    );
    let written = std::fs::read_to_string(&file).unwrap();
    assert!(written.lines().count() >= 6, "{written}");
    let logged = seen.text();
    let ours = |line: &&str| line.contains("preopen");
    let logged: Vec<&str> = logged.lines().filter(ours).collect();
    for secret in &secrets {
        assert!(
            secret.len() > 3 && !written.contains(secret.as_str()),
            "{written}"
        );
        let found = logged.iter().find(|line| line.contains(secret.as_str()));
        assert!(found.is_none(), "{found:?}");
    }
}
