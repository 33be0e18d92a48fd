//! A script as it is written: TOML, checked as a whole, every error with its line, its field and what to do.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use preopen_core::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use toml::Spanned;

use super::action::Action;
use super::error::ScriptError;
use super::schedule::{MOST_DAYS, Plan, Step, When, day_of};
use super::{Content, Script};
use crate::account::{Account, Broker, seeds};
use crate::fault::Fault;
use crate::options::Options;
use crate::source::SourceIp;
use crate::state::State;
use crate::switch::SwitchValue;
use crate::wording;

const DAY: i64 = 86_400_000;
const MOST_STEPS: usize = 1000;
const WEEKDAYS: [&str; 7] = [
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    about: String,
    start: Option<Spanned<String>>,
    speed: Option<Spanned<f64>>,
    days: Option<Spanned<u32>>,
    #[serde(default)]
    market_days: bool,
    holidays: Option<Spanned<Vec<String>>>,
    end: Option<Spanned<String>>,
    #[serde(default)]
    step: Vec<Spanned<WrittenStep>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenStep {
    name: Option<String>,
    at: Option<Spanned<String>>,
    from: Option<Spanned<String>>,
    until: Option<Spanned<String>>,
    on_days: Option<Spanned<Vec<u32>>>,
    on_weekdays: Option<Spanned<Vec<String>>>,
    mark: Option<Spanned<String>>,
    source_ip: Option<Spanned<String>>,
    switches: Option<Spanned<BTreeMap<String, Value>>>,
    account: Option<Spanned<BTreeMap<String, Value>>>,
    end_sessions: Option<Spanned<EndSessions>>,
    fault: Option<Spanned<Fault>>,
    rate_limit: Option<Spanned<RateLimit>>,
}

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "must be true (everybody's), or a table with `broker`, `account` or both"
)]
enum EndSessions {
    All(bool),
    Of(Sessions),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sessions {
    broker: Option<Broker>,
    account: Option<String>,
}

/// Refusals as the broker words them. Samco documents none: what others assume is played.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct RateLimit {
    broker: Broker,
    path: Option<String>,
    retry_after: Option<u32>,
}

impl RateLimit {
    fn fault(self) -> Fault {
        let fault = Fault::on(self.broker, self.path.unwrap_or_else(|| "/*".to_owned()));
        let fault = match self.broker {
            Broker::Samco => fault
                .status(429)
                .body(r#"{"status":"Failure","statusMessage":"Too many requests"}"#),
            Broker::AngelOne => fault
                .status(403)
                .body("Access denied because of exceeding access rate"),
        };
        match self.retry_after {
            Some(seconds) => fault.header("Retry-After", &seconds.to_string()),
            None => fault,
        }
    }
}

/// Turns places in the text into errors.
struct Source<'a> {
    name: &'a str,
    text: &'a str,
}

impl Source<'_> {
    fn line(&self, offset: usize) -> usize {
        let before = self.text.get(..offset).unwrap_or(self.text);
        before.bytes().filter(|byte| *byte == b'\n').count() + 1
    }

    fn wrong<T>(&self, at: &Spanned<T>, field: &str, problem: &str) -> ScriptError {
        ScriptError::at(self.name, self.line(at.span().start), field, problem)
    }

    /// Milliseconds after midnight.
    fn time(&self, field: &str, text: &Spanned<String>) -> Result<i64, ScriptError> {
        time_of_day(text.get_ref()).ok_or_else(|| {
            self.wrong(
                text,
                field,
                "must be a time of day in India such as \"09:15\" or \"15:29:30\"",
            )
        })
    }
}

fn time_of_day(text: &str) -> Option<i64> {
    let text = text.trim();
    let text = text.strip_suffix("IST").unwrap_or(text).trim();
    let mut parts = text.split(':').map(|part| {
        let digits = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        part.parse::<i64>().ok().filter(|_| digits)
    });
    let (hour, minute) = (parts.next()??, parts.next()??);
    let second = parts.next().unwrap_or(Some(0))?;
    let fits = hour < 24 && minute < 60 && second < 60 && parts.next().is_none();
    fits.then_some(((hour * 60 + minute) * 60 + second) * 1000)
}

pub(super) fn read(name: &str, text: &str) -> Result<Content, ScriptError> {
    let source = Source { name, text };
    let written = parse(&source)?;
    let plan = plan(&source, &written)?;
    let start = match &written.start {
        None => None,
        Some(start) => Some(
            Timestamp::parse_rfc3339(start.get_ref())
                .filter(|at| at.as_millis() >= 0)
                .ok_or_else(|| {
                    let problem = "must be an RFC 3339 time such as \"2026-11-23T08:55:00+05:30\"";
                    source.wrong(start, "start", problem)
                })?,
        ),
    };
    if let Some(speed) = &written.speed
        && !(0.0..=1_000_000.0).contains(speed.get_ref())
    {
        return Err(source.wrong(
            speed,
            "speed",
            "must be from 0 (the clock stands still) to 1000000",
        ));
    }
    rehearse(name, &plan)?;
    Ok(Content {
        name: name.to_owned(),
        about: written.about,
        start,
        speed: written.speed.map(Spanned::into_inner),
        plan,
    })
}

fn parse(source: &Source<'_>) -> Result<Written, ScriptError> {
    let syntax = |error: &toml::de::Error, field: &str| {
        let line = source.line(error.span().map_or(0, |span| span.start));
        let message = error.message().trim();
        let problem = wording::of_value(message).unwrap_or_else(|| message.to_owned());
        ScriptError::at(source.name, line, field, &problem)
    };
    let reader = toml::Deserializer::parse(source.text).map_err(|error| syntax(&error, ""))?;
    serde_path_to_error::deserialize(reader).map_err(|error| {
        // What the reader of places calls its own parts is no field of a script.
        let path = error.path().to_string();
        let parts: Vec<_> = path
            .split('.')
            .filter(|part| !part.starts_with('$') && !part.starts_with("step[") && !part.is_empty())
            .collect();
        let field = parts.join(".");
        let inner = error.into_inner();
        // An unknown or missing field is named by the message itself.
        let named = inner.message().contains("field `");
        syntax(&inner, if named { "" } else { &field })
    })
}

fn plan(source: &Source<'_>, written: &Written) -> Result<Plan, ScriptError> {
    let days = written.days.as_ref().map_or(1, |days| *days.get_ref());
    if let Some(field) = &written.days
        && !(1..=MOST_DAYS).contains(&days)
    {
        return Err(source.wrong(field, "days", &format!("must be from 1 to {MOST_DAYS}")));
    }
    let mut holidays = BTreeSet::new();
    if let Some(field) = &written.holidays {
        if !written.market_days {
            let problem = "are left out of market days only: add `market_days = true`";
            return Err(source.wrong(field, "holidays", problem));
        }
        for date in field.get_ref() {
            let midnight = Timestamp::parse_ist("%Y-%m-%d %H:%M", &format!("{date} 00:00"));
            let problem = || format!("must be dates such as \"2026-11-24\", not {date:?}");
            let midnight = midnight.ok_or_else(|| source.wrong(field, "holidays", &problem()))?;
            holidays.insert(day_of(midnight));
        }
    }
    if written.step.is_empty() || written.step.len() > MOST_STEPS {
        let problem = format!("must be there, at least one [[step]] and at most {MOST_STEPS}");
        return Err(ScriptError::at(source.name, 1, "step", &problem));
    }
    let steps: Vec<Step> = written
        .step
        .iter()
        .map(|step| read_step(source, step, days))
        .collect::<Result<_, _>>()?;
    let end = match &written.end {
        None => None,
        Some(end) => {
            let millis = source.time("end", end)?;
            if let Some(late) = steps.iter().find(|step| step.when.last() > millis) {
                let problem = format!("is before the step on line {} is over: make it later", late.line);
                return Err(source.wrong(end, "end", &problem));
            }
            Some(millis)
        }
    };
    Ok(Plan {
        steps,
        days,
        market_days: written.market_days,
        holidays,
        end,
    })
}

fn read_step(source: &Source<'_>, spanned: &Spanned<WrittenStep>, days: u32) -> Result<Step, ScriptError> {
    let written = spanned.get_ref();
    let mut on_days = BTreeSet::new();
    if let Some(field) = &written.on_days {
        on_days.extend(field.get_ref());
        if let Some(day) = on_days.iter().find(|day| !(1..=days).contains(day)) {
            let problem = format!("names day {day}, but the script goes from day 1 to {days} (`days`)");
            return Err(source.wrong(field, "on_days", &problem));
        }
    }
    let mut on_weekdays = BTreeSet::new();
    if let Some(field) = &written.on_weekdays {
        for name in field.get_ref() {
            let at = WEEKDAYS.iter().position(|day| day.eq_ignore_ascii_case(name));
            let problem = || format!("must be among {}, not {name:?}", WEEKDAYS.join(", "));
            let at = at.ok_or_else(|| source.wrong(field, "on_weekdays", &problem()))?;
            on_weekdays.insert(i64::try_from(at).unwrap_or_default());
        }
    }
    let (field, line, action) = read_action(source, spanned)?;
    Ok(Step {
        when: read_when(source, spanned, &action)?,
        name: written.name.clone(),
        action,
        field,
        on_days,
        on_weekdays,
        line,
    })
}

fn read_when(
    source: &Source<'_>,
    spanned: &Spanned<WrittenStep>,
    action: &Action,
) -> Result<When, ScriptError> {
    let written = spanned.get_ref();
    match (&written.at, &written.from, &written.until) {
        (Some(at), None, None) => source.time("at", at).map(When::At),
        (None, Some(from), Some(until)) => {
            if !matches!(action, Action::Fault(_)) {
                let problem = "is only for fault and rate_limit, which end by themselves: write two steps, each with `at`";
                return Err(source.wrong(from, "from", problem));
            }
            let (start, end) = (source.time("from", from)?, source.time("until", until)?);
            // Until after midnight.
            let end = if end <= start { end + DAY } else { end };
            Ok(When::Span {
                from: start,
                until: end,
            })
        }
        (None, Some(from), None) => Err(source.wrong(from, "from", "needs `until` beside it")),
        (None, None, Some(until)) => Err(source.wrong(until, "until", "needs `from` beside it")),
        (Some(at), ..) => Err(source.wrong(
            at,
            "at",
            "cannot be combined with `from` and `until`: leave one out",
        )),
        (None, None, None) => Err(source.wrong(
            spanned,
            "at",
            "is missing: add a time such as `at = \"10:00\"` to this step (or `from` and `until`)",
        )),
    }
}

const ACTIONS: &str = "mark, source_ip, switches, account, end_sessions, fault, rate_limit";

/// What a step does, with the name of its field and its line.
fn read_action(
    source: &Source<'_>,
    spanned: &Spanned<WrittenStep>,
) -> Result<(&'static str, usize, Action), ScriptError> {
    let written = spanned.get_ref();
    let mut found = Vec::new();
    let line = |span: std::ops::Range<usize>| source.line(span.start);
    if let Some(mark) = &written.mark {
        found.push(("mark", line(mark.span()), Action::Mark(mark.get_ref().clone())));
    }
    if let Some(ip) = &written.source_ip {
        let address = match ip.get_ref().as_str() {
            "home" => SourceIp::Home,
            "peer" => SourceIp::Peer,
            text => text.parse::<IpAddr>().map(SourceIp::Fixed).map_err(|_| {
                let problem = "must be an IP address, \"home\" (each account's registered one) or \"peer\" (the real one)";
                source.wrong(ip, "source_ip", problem)
            })?,
        };
        found.push(("source_ip", line(ip.span()), Action::SourceIp(address)));
    }
    if let Some(switches) = &written.switches {
        let value = |(name, value): (&String, &Value)| {
            let read = SwitchValue::from_json(value).ok_or_else(|| {
                let field = format!("switches.{name}");
                source.wrong(switches, &field, "must be true, false, a whole number or a word")
            });
            read.map(|read| (name.clone(), read))
        };
        let values = switches.get_ref().iter().map(value).collect::<Result<_, _>>()?;
        found.push(("switches", line(switches.span()), Action::Switches(values)));
    }
    if let Some(account) = &written.account {
        let mut fields = account.get_ref().clone();
        let Some(Value::String(id)) = fields.remove("id") else {
            let problem = "must say which one: `account = { id = \"SBX001\", blocked = true }`";
            return Err(source.wrong(account, "account.id", problem));
        };
        if fields.is_empty() {
            return Err(source.wrong(
                account,
                "account",
                "changes nothing: add for example `blocked = true`",
            ));
        }
        let change = fields.into_iter().collect::<serde_json::Map<_, _>>().into();
        found.push(("account", line(account.span()), Action::Account { id, change }));
    }
    if let Some(sessions) = &written.end_sessions {
        let action = match sessions.get_ref() {
            EndSessions::All(true) => Action::EndSessions {
                broker: None,
                account: None,
            },
            EndSessions::Of(Sessions { broker, account }) => Action::EndSessions {
                broker: *broker,
                account: account.clone(),
            },
            EndSessions::All(false) => {
                return Err(source.wrong(sessions, "end_sessions", "must be true, or leave the step out"));
            }
        };
        found.push(("end_sessions", line(sessions.span()), action));
    }
    if let Some(fault) = &written.fault {
        if fault.get_ref().from.is_some() || fault.get_ref().until.is_some() {
            let problem = "belongs beside the fault, not into it: `from = \"11:00\"` on a line of its own";
            return Err(source.wrong(fault, "fault.from", problem));
        }
        let action = Action::Fault(Box::new(fault.get_ref().clone()));
        found.push(("fault", line(fault.span()), action));
    }
    if let Some(limit) = &written.rate_limit {
        let action = Action::Fault(Box::new(limit.get_ref().clone().fault()));
        found.push(("rate_limit", line(limit.span()), action));
    }
    let one = found.pop();
    match one.filter(|_| found.is_empty()) {
        Some(found) => Ok(found),
        None => Err(source.wrong(
            spanned,
            "step",
            &format!("must do exactly one of {ACTIONS}; write one [[step]] for each"),
        )),
    }
}

/// Does every step on a sandbox of nobody, so that what it would refuse is refused now.
fn rehearse(name: &str, plan: &Plan) -> Result<(), ScriptError> {
    // Only a data file can keep a state from starting, and this one has none.
    let Ok(state) = State::new(Options::default(), 0, String::new()) else {
        return Ok(());
    };
    let known: Vec<String> = seeds()
        .iter()
        .map(|account: &Account| account.id().to_owned())
        .collect();
    for step in &plan.steps {
        // Accounts that are added later are checked when there is a sandbox.
        if step
            .action
            .account()
            .is_some_and(|id| !known.iter().any(|known| known == id))
        {
            continue;
        }
        let span = match step.when {
            When::At(_) => None,
            When::Span { .. } => Some((Timestamp::from_seconds(0), Timestamp::from_seconds(1))),
        };
        let done = step.action.apply(&state, span);
        state.faults.clear();
        done.map_err(|error| {
            // A message that is about the whole begins with the name that the control API has for it.
            let message = error.message();
            let whole = ["fault ", "change "]
                .iter()
                .find_map(|name| message.strip_prefix(name));
            let problem = whole.map_or_else(|| format!(".{message}"), |problem| format!(" {problem}"));
            ScriptError::at(name, step.line, "", &format!("{}{problem}", step.field))
        })?;
    }
    Ok(())
}

impl Script {
    pub(super) fn plan(&self) -> &Plan {
        &self.0.plan
    }
}

#[cfg(test)]
#[path = "spec_tests.rs"]
mod tests;
