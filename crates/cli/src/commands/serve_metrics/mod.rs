//! `preopen serve-metrics [BROKER...]`: what Prometheus asks for. Sessions are read from the store, logins from an audit file; the
//! broker is not asked.

mod tail;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use clap::Args;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE, HOST, HeaderValue, ORIGIN};
use hyper::http::uri::Authority;
use hyper::{Method, Request, Response, StatusCode};
use preopen::core::metrics::Counters;
use preopen::metrics::{Family, Kind, Sample, TOKEN_AGE, to_text};
use preopen::{Error, Session, SessionState, StateName};
use serde_json::json;
use tokio::net::TcpListener;

use crate::commands::sandbox::signalled;
use crate::credentials::SAMCO_API_KEY;
use crate::http_server::{Answer, serve};
use crate::output::{Failure, Output, advise, json_line, line};
use crate::session::{Broker, Prepared, SessionOptions};
use tail::Tail;

const METRICS: &str = "/metrics";
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The brokers; every one whose account the credentials name by default.
    #[arg(value_name = "BROKER")]
    brokers: Vec<Broker>,
    /// Where to answer. Port 0 is any free port.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9464")]
    listen: SocketAddr,
    /// Answer other machines, too: whoever reaches the port learns when this account logs in.
    #[arg(long)]
    allow_remote: bool,
    #[command(flatten)]
    options: SessionOptions,
}

/// Whether the store could be read.
static STORE_UP: Family = gauge(
    "preopen_store_up",
    "",
    "1 when the session store could be read, else 0.",
);
static LIVE: Family = gauge(
    "preopen_session_live",
    "",
    "1 when the store holds a live session, else 0.",
);
static BLOCKED: Family = gauge(
    "preopen_session_blocked",
    "",
    "1 when a refused login keeps every program from logging in, else 0.",
);
static TO_END: Family = gauge(
    "preopen_session_seconds_to_end",
    "s",
    "Seconds until the live session ends.",
);
static AUDIT_UP: Family = gauge(
    "preopen_audit_up",
    "",
    "1 unless the audit file is there and cannot be read.",
);
static UNREADABLE: Family = Family {
    name: "preopen_audit_unreadable_lines_total",
    kind: Kind::Counter,
    unit: "{line}",
    help: "Lines of the audit file that are no entries.",
};

const fn gauge(name: &'static str, unit: &'static str, help: &'static str) -> Family {
    Family {
        name,
        kind: Kind::Gauge,
        unit,
        help,
    }
}

pub(crate) async fn run(arguments: Arguments, output: Output) -> Result<ExitCode, Failure> {
    if !arguments.listen.ip().is_loopback() && !arguments.allow_remote {
        return Err(Error::invalid_input(
            "listen",
            "is an address that other machines reach: add --allow-remote if they may ask",
        )
        .into());
    }
    arguments.options.admit(None)?;
    let prepared = arguments.options.prepare().await?;
    let brokers = if arguments.brokers.is_empty() {
        prepared.accounts()
    } else {
        arguments.brokers
    };
    if let Some(file) = prepared.audit_file().filter(|file| !file.exists()) {
        advise(&format!(
            "{} is not there yet: the first login with it makes it",
            file.display()
        ));
    }
    let audit = prepared.audit_file().map(|file| Audit::new(file.to_owned()));
    if brokers.is_empty() && audit.is_none() {
        return Err(Error::invalid_input(
            SAMCO_API_KEY,
            "is not set, and neither are ANGELONE_API_KEY and ANGELONE_CLIENT_CODE: they name the account to look for",
        )
        .into());
    }
    let mut sessions = Vec::new();
    for broker in brokers {
        prepared.admit(broker)?;
        sessions.push((broker, prepared.session(broker)?));
    }
    let cannot = |error| Failure::Other(format!("{} cannot be opened: {error}", arguments.listen));
    let listener = TcpListener::bind(arguments.listen).await.map_err(cannot)?;
    let url = format!("http://{}{METRICS}", listener.local_addr().map_err(cannot)?);
    let ended = signalled()?;
    if output.is_json() {
        json_line(&json!({"url": url}));
    } else {
        line(&format!("metrics     {url}"));
    }
    let serving = Arc::new(Serving {
        prepared,
        sessions,
        audit: audit.map(|audit| Arc::new(Mutex::new(audit))),
        any_name: arguments.allow_remote,
    });
    tokio::select! {
        () = serve(&listener, &serving) => {}
        () = ended => {}
    }
    Ok(ExitCode::SUCCESS)
}

/// The logins that an audit file holds.
struct Audit {
    tail: Tail,
    counters: [Counters; 3],
    unreadable: u64,
}

/// A broker that only a program of its own knows.
const OTHER: &str = "other";

impl Audit {
    fn new(path: PathBuf) -> Self {
        let [samco, angelone] = Broker::ALL.map(|broker| Counters::new(broker.as_str()));
        Self {
            tail: Tail::new(path),
            counters: [samco, angelone, Counters::new(OTHER)],
            unreadable: 0,
        }
    }

    fn samples(&mut self) -> Vec<Sample> {
        let news = self.tail.read();
        let up = news.is_ok();
        let news = news.unwrap_or_default();
        self.unreadable += news.unreadable;
        for entry in &news.entries {
            let known = self
                .counters
                .iter()
                .position(|counters| counters.broker() == entry.broker);
            self.counters[known.unwrap_or(self.counters.len() - 1)].record(entry);
        }
        let mut samples: Vec<Sample> = self.counters.iter().flat_map(Counters::samples).collect();
        samples.push(Sample::count(&UNREADABLE, Vec::new(), self.unreadable));
        samples.push(level(&AUDIT_UP, Vec::new(), up));
        samples
    }
}

struct Serving {
    prepared: Prepared,
    sessions: Vec<(Broker, Session)>,
    audit: Option<Arc<Mutex<Audit>>>,
    /// This machine may have a name for those who ask.
    any_name: bool,
}

impl Answer for Serving {
    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let refused = |status, why: &'static str| reply(status, format!("{why}\n"));
        if request.headers().contains_key(ORIGIN) || !(self.any_name || is_asked_by_address(&request)) {
            return refused(StatusCode::FORBIDDEN, "web pages are not answered");
        }
        if request.uri().path() != METRICS {
            return refused(StatusCode::NOT_FOUND, "the metrics are at /metrics");
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut response = refused(StatusCode::METHOD_NOT_ALLOWED, "only GET is answered");
            let allowed = HeaderValue::from_static("GET, HEAD");
            response.headers_mut().insert(ALLOW, allowed);
            return response;
        }
        reply(StatusCode::OK, to_text(&self.samples().await))
    }
}

/// A web page whose name was made to lead here says that name.
fn is_asked_by_address(request: &Request<Incoming>) -> bool {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    let authority = host.and_then(|host| host.parse::<Authority>().ok());
    authority.is_some_and(|authority| {
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok()
    })
}

impl Serving {
    async fn samples(&self) -> Vec<Sample> {
        let mut samples = Vec::new();
        for (broker, session) in &self.sessions {
            self.look(broker.as_str(), session.stored_state().await.ok(), &mut samples);
        }
        if let Some(audit) = &self.audit {
            let audit = Arc::clone(audit);
            let read = move || audit.lock().unwrap_or_else(PoisonError::into_inner).samples();
            samples.extend(tokio::task::spawn_blocking(read).await.unwrap_or_default());
        }
        // Those of one family stand together, in the order in which they were first told.
        let order: Vec<&Family> = samples.iter().map(|sample| sample.family).collect();
        samples.sort_by_key(|sample| order.iter().position(|family| *family == sample.family));
        samples
    }

    /// What the store holds of one account.
    fn look(&self, broker: &'static str, state: Option<SessionState>, samples: &mut Vec<Sample>) {
        let of = || vec![("broker", broker)];
        samples.push(level(&STORE_UP, of(), state.is_some()));
        let Some(state) = state else { return };
        let live = state.name == StateName::Active;
        samples.push(level(&LIVE, of(), live));
        samples.push(level(&BLOCKED, of(), state.blocked_by.is_some()));
        if !live {
            return;
        }
        let now = self.prepared.now();
        if let Some(expiry) = &state.expiry {
            let rest = expiry.at().since(now).as_secs_f64();
            samples.push(Sample::level(&TO_END, broker, rest));
        }
        if let Some(issued_at) = state.issued_at {
            let age = now.since(issued_at).as_secs_f64();
            samples.push(Sample::level(&TOKEN_AGE, broker, age));
        }
    }
}

fn level(family: &'static Family, labels: Vec<(&'static str, &'static str)>, yes: bool) -> Sample {
    Sample {
        family,
        labels,
        value: preopen::metrics::Value::Level(f64::from(u8::from(yes))),
    }
}

fn reply(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(TEXT));
    response
}
