//! What arrived: exact counts by broker and path, and the last requests without a secret in them.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use preopen_core::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::account::Broker;
use crate::data::{Damage, Pass};
use crate::table::Single;

/// How many requests are kept; counts go on past it.
const KEPT: usize = 10_000;
/// How many different paths are counted by themselves, so that a scanner cannot fill the memory.
const PATHS: usize = 20_000;
/// How much of a path is kept.
const PATH_LENGTH: usize = 256;

/// Query parameters whose values say nothing secret. Every other value is redacted: a client may put
/// anything into a URL.
const HARMLESS: &[&str] = &[
    "exchange",
    "symbolName",
    "tradingSymbol",
    "symbol",
    "orderNumber",
    "positionType",
    "searchSymbolName",
    "fromDate",
    "toDate",
    "interval",
    "indexName",
    "strikePrice",
    "optionType",
    "expiryDate",
];

/// One request that arrived at a broker. It holds no header, no body and no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RequestRecord {
    /// Its number, from 1, over both brokers.
    pub seq: u64,
    /// When it arrived, on the virtual clock.
    pub at: Timestamp,
    /// The broker it was for.
    pub broker: Broker,
    /// The HTTP method.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// The query with all values redacted that are not known to be harmless.
    pub query: String,
    /// The status of the reply; `None` when there was none (yet).
    pub status: Option<u16>,
    /// The address that the broker saw.
    pub source_ip: String,
    /// The fault that was applied.
    pub fault: Option<u64>,
    /// The account it acted for, once known.
    pub account: Option<String>,
}

impl RequestRecord {
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "seq": self.seq, "at": self.at.to_rfc3339(), "ist": self.at.to_ist(), "broker": self.broker.as_str(),
            "method": self.method, "path": self.path, "query": self.query, "status": self.status,
            "source_ip": self.source_ip, "fault": self.fault, "account": self.account,
        })
    }
}

/// How many requests matched, and the latest of them, oldest first.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RequestReport {
    /// The exact number since the start or the last clearing.
    pub count: u64,
    /// Those that are still kept.
    pub requests: Vec<RequestRecord>,
}

impl RequestReport {
    pub(crate) fn to_json(&self) -> Value {
        let requests: Vec<_> = self.requests.iter().map(RequestRecord::to_json).collect();
        json!({"count": self.count, "requests": requests})
    }
}

/// What is known of a request when it arrives.
pub(crate) struct Arrival<'a> {
    pub(crate) at: Timestamp,
    pub(crate) broker: Broker,
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
    pub(crate) source_ip: String,
    pub(crate) fault: Option<u64>,
}

#[derive(Debug, Default)]
pub(crate) struct RequestLog(Mutex<Log>);

#[derive(Debug, Default)]
struct Log {
    arrived: u64,
    counts: [Counts; 2],
    recent: VecDeque<RequestRecord>,
    kept: Single<Kept>,
}

/// What of it is kept in a data file: the counts as they were when they were last noted.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Kept {
    /// A sandbox has had the file before.
    is_used: bool,
    arrived: u64,
    counts: [Counts; 2],
}

/// Numbers go on after the next multiple of it, since those of the moment before a restart may not have been written.
const LEAP: u64 = 1_000_000;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Counts {
    total: u64,
    by_path: HashMap<String, u64>,
}

impl RequestLog {
    fn lock(&self) -> MutexGuard<'_, Log> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the counts as they are now go into the file. There may be many thousands, so that is for once a second and not
    /// for each change of something else.
    pub(crate) fn note(&self) {
        let mut log = self.lock();
        if log.kept.arrived != log.arrived {
            let now = log.now_kept();
            log.kept.set_later(now);
        }
    }

    /// Puts into the file what was noted.
    pub(crate) fn keep(&self, pass: &mut Pass<'_>) -> Result<(), Damage> {
        let mut log = self.lock();
        let log = &mut *log;
        pass.single("requests", &mut log.kept)?;
        if matches!(pass, Pass::Load(..)) {
            if log.kept.is_used {
                log.arrived = (log.kept.arrived / LEAP + 1).saturating_mul(LEAP);
            }
            log.counts = log.kept.counts.clone();
            let now = log.now_kept();
            log.kept.set(now);
        }
        Ok(())
    }

    /// Counts a request before it is answered, so that a stalled one is counted too. Gives its number.
    pub(crate) fn arrive(&self, arrival: Arrival<'_>) -> u64 {
        let path = shortened(arrival.path);
        let query = redacted(arrival.query);
        let mut log = self.lock();
        log.arrived = log.arrived.saturating_add(1);
        let seq = log.arrived;
        let counts = &mut log.counts[arrival.broker as usize];
        counts.total = counts.total.saturating_add(1);
        if let Some(count) = counts.by_path.get_mut(path) {
            *count = count.saturating_add(1);
        } else if counts.by_path.len() < PATHS {
            counts.by_path.insert(path.to_owned(), 1);
        }
        if log.recent.len() >= KEPT {
            log.recent.pop_front();
        }
        log.recent.push_back(RequestRecord {
            seq,
            at: arrival.at,
            broker: arrival.broker,
            method: arrival.method.chars().take(16).collect(),
            path: path.to_owned(),
            query,
            status: None,
            source_ip: arrival.source_ip,
            fault: arrival.fault,
            account: None,
        });
        seq
    }

    /// Adds what came of request `seq`, unless it has been dropped meanwhile.
    pub(crate) fn finish(
        &self,
        seq: u64,
        status: Option<u16>,
        account: Option<String>,
        source_ip: Option<String>,
    ) {
        let mut log = self.lock();
        let Some(first) = log.recent.front().map(|record| record.seq) else {
            return;
        };
        let at = seq.checked_sub(first).and_then(|at| usize::try_from(at).ok());
        if let Some(record) = at.and_then(|at| log.recent.get_mut(at)) {
            record.status = status;
            record.account = account;
            if let Some(source_ip) = source_ip {
                record.source_ip = source_ip;
            }
        }
    }

    /// What matches a broker and a path; a path that ends in `*` is a prefix.
    pub(crate) fn report(&self, broker: Option<Broker>, path: Option<&str>) -> RequestReport {
        let log = self.lock();
        let wanted = |of: Broker| broker.is_none_or(|broker| broker == of);
        let count = [Broker::Samco, Broker::AngelOne]
            .into_iter()
            .filter(|of| wanted(*of))
            .map(|of| log.counts[of as usize].matching(path))
            .fold(0, u64::saturating_add);
        let requests = log
            .recent
            .iter()
            .filter(|r| wanted(r.broker) && path.is_none_or(|p| matches(p, &r.path)))
            .cloned()
            .collect();
        RequestReport { count, requests }
    }

    /// Forgets all requests and counts; numbers go on.
    pub(crate) fn clear(&self) {
        let mut log = self.lock();
        log.counts = Default::default();
        log.recent.clear();
        let cleared = log.now_kept();
        log.kept.set(cleared);
    }
}

impl Log {
    fn now_kept(&self) -> Kept {
        Kept {
            is_used: true,
            arrived: self.arrived,
            counts: self.counts.clone(),
        }
    }
}

impl Counts {
    fn matching(&self, path: Option<&str>) -> u64 {
        match path {
            None => self.total,
            Some(path) if path.ends_with('*') => self
                .by_path
                .iter()
                .filter(|(known, _)| matches(path, known))
                .fold(0, |sum: u64, (_, count)| sum.saturating_add(*count)),
            Some(path) => self.by_path.get(shortened(path)).copied().unwrap_or(0),
        }
    }
}

/// Whether `path` is the pattern, or begins with it when it ends in `*`.
pub(crate) fn matches(pattern: &str, path: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => path.starts_with(prefix),
        None => shortened(pattern) == path,
    }
}

fn shortened(path: &str) -> &str {
    let end = (0..=PATH_LENGTH.min(path.len()))
        .rev()
        .find(|end| path.is_char_boundary(*end));
    &path[..end.unwrap_or(0)]
}

fn redacted(query: &str) -> String {
    if query.is_empty() {
        return String::new();
    }
    let shown: Vec<String> = form_urlencoded::parse(query.as_bytes())
        .take(20)
        .map(|(key, value)| {
            if HARMLESS.contains(&&*key) {
                format!(
                    "{key}={}",
                    value
                        .chars()
                        .filter(|c| !c.is_control())
                        .take(60)
                        .collect::<String>()
                )
            } else if !key.is_empty()
                && !value.is_empty()
                && key.len() <= 30
                && key.bytes().all(|b| b.is_ascii_alphabetic() || b == b'_')
            {
                format!("{key}=**redacted**")
            } else {
                "**redacted**".to_owned()
            }
        })
        .collect();
    shown.join("&")
}

#[cfg(test)]
mod tests {
    use super::{Arrival, KEPT, RequestLog, redacted};
    use crate::account::Broker;
    use preopen_core::Timestamp;

    fn arrive(log: &RequestLog, path: &str) -> u64 {
        log.arrive(Arrival {
            at: Timestamp::from_seconds(1),
            broker: Broker::Samco,
            method: "GET",
            path,
            query: "",
            source_ip: String::new(),
            fault: None,
        })
    }

    #[test]
    fn counts_stay_exact_past_the_ring() {
        let log = RequestLog::default();
        for _ in 0..KEPT + 7 {
            arrive(&log, "/a");
        }
        let last = arrive(&log, "/ab");
        log.finish(last, Some(200), Some("SBX001".into()), None);
        log.finish(1, Some(500), None, None);
        assert_eq!(
            log.report(None, Some("/a")).count,
            u64::try_from(KEPT).unwrap() + 7
        );
        assert_eq!(
            log.report(Some(Broker::Samco), Some("/a*")).count,
            u64::try_from(KEPT).unwrap() + 8
        );
        let all = log.report(None, None);
        assert_eq!(
            (all.requests.len(), all.requests.last().unwrap().status),
            (KEPT, Some(200))
        );
        log.clear();
        assert_eq!(log.report(None, None).count, 0);
        assert_eq!(arrive(&log, "/a"), last + 1);
    }

    #[test]
    fn only_harmless_values_survive() {
        assert_eq!(
            redacted("symbolName=TCS&api_key=CANARY&x9=CANARY"),
            "symbolName=TCS&api_key=**redacted**&**redacted**"
        );
        assert_eq!(
            redacted("%7B%22refreshToken%22%3A%22CANARY%22%7D"),
            "**redacted**"
        );
    }
}
