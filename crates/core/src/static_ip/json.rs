//! The rule checker for programs that have their history as JSON: the command line, the bindings and the vectors. One
//! reader for all of them, so that they cannot differ.

use serde_json::{Map, Value, json};

use super::public::check_public;
use super::rules::{Answer, Change, Edit, Entry, Rule};
use crate::clock::Timestamp;
use crate::error::{Error, Result};

/// What is asked, as JSON text:
///
/// ```json
/// {"broker": "samco", "rule": "calendar_week", "now": "2026-11-23T10:00:00+05:30",
///  "history": [{"at": "2026-11-20T10:00:00+05:30", "app": "bot", "primary": "1.1.1.1"},
///              {"at": "2026-11-21T10:00:00+05:30", "app": "old", "deactivated": true}],
///  "wanted": {"app": "bot", "primary": "8.8.8.8", "secondary": null}}
/// ```
///
/// An address that is left out stays as it is, `null` deletes it. `rule` is the broker's own and `now` the time of the
/// call when they are left out; `history` is empty then, `wanted` any change that counts, and an `app` the account's
/// only one. Times carry an offset.
///
/// Gives `{"allowed", "free", "at", "last_counted", "reason", "rule"}`, times in RFC 3339, UTC. The wanted addresses must
/// be public ones, those of the history need not.
///
/// Errors: `InvalidInput` with the field that is wrong, `history[1].at` for one in the history.
pub fn may_change(asked: &str, now: Timestamp) -> Result<Value> {
    let asked: Value =
        serde_json::from_str(asked).map_err(|_| Error::invalid_input("question", "is not JSON"))?;
    let asked = object(
        "question",
        &asked,
        &["broker", "rule", "now", "history", "wanted"],
    )?;
    let broker = text("broker", asked.get("broker"))?
        .ok_or_else(|| Error::invalid_input("broker", "is missing: samco or angelone"))?;
    let mut rule =
        Rule::of(broker).ok_or_else(|| Error::invalid_input("broker", "must be samco or angelone"))?;
    if let Some(name) = text("rule", asked.get("rule"))? {
        rule = rule
            .counting_by(name)
            .ok_or_else(|| Error::invalid_input("rule", "must be rolling_7_days or calendar_week"))?;
    }
    let now = time("now", asked.get("now"))?.unwrap_or(now);
    let history = match asked.get("history") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(entries)) => entries.iter().enumerate().map(change).collect::<Result<_>>()?,
        Some(_) => return Err(Error::invalid_input("history", "must be a list of changes")),
    };
    let answer = match asked.get("wanted") {
        None | Some(Value::Null) => rule.next_change(&history, now),
        Some(wanted) => {
            let wanted = object("wanted", wanted, &["app", "primary", "secondary"])?;
            rule.may_change(&history, now, &edit("", wanted, check_public)?)?
        }
    };
    Ok(told(&answer, &rule))
}

fn told(answer: &Answer, rule: &Rule) -> Value {
    json!({
        "allowed": answer.allowed,
        "free": answer.free,
        "at": answer.at.map(Timestamp::to_rfc3339),
        "last_counted": answer.last_counted.map(Timestamp::to_rfc3339),
        "reason": answer.reason,
        "rule": rule.name,
    })
}

fn change((number, entry): (usize, &Value)) -> Result<Change> {
    let here = format!("history[{number}]");
    let entry = object(
        &here,
        entry,
        &["at", "app", "primary", "secondary", "deactivated"],
    )?;
    let at = format!("{here}.at");
    let when = time(&at, entry.get("at"))?.ok_or_else(|| Error::invalid_input(&at, "is missing"))?;
    let prefix = format!("{here}.");
    let mut done = edit(&prefix, entry, |field, text| {
        let problem = "is not an IPv4 address: give four numbers, for example 1.2.3.4";
        text.trim()
            .parse()
            .map_err(|_| Error::invalid_input(field, problem))
    })?;
    match entry.get("deactivated") {
        None | Some(Value::Null | Value::Bool(false)) => {}
        Some(Value::Bool(true)) if done.primary == Entry::Keep && done.secondary == Entry::Keep => {
            done.deactivated = true;
        }
        Some(_) => {
            let problem = "must be true, in an entry without addresses";
            return Err(Error::invalid_input(&format!("{prefix}deactivated"), problem));
        }
    }
    Ok(Change::new(when, done))
}

fn edit(
    prefix: &str,
    entry: &Map<String, Value>,
    read: impl Fn(&str, &str) -> Result<std::net::Ipv4Addr>,
) -> Result<Edit> {
    let address = |name: &str| -> Result<Entry> {
        let field = format!("{prefix}{name}");
        Ok(match entry.get(name) {
            None => Entry::Keep,
            Some(Value::Null) => Entry::Delete,
            Some(Value::String(text)) => Entry::Set(read(&field, text)?),
            Some(_) => return Err(Error::invalid_input(&field, "must be an address or null")),
        })
    };
    let app = text(&format!("{prefix}app"), entry.get("app"))?.unwrap_or_default();
    Ok(Edit::new(app, address("primary")?, address("secondary")?))
}

/// An object with these keys alone: a mistyped one must not be taken for one that was left out.
fn object<'a>(field: &str, value: &'a Value, keys: &[&str]) -> Result<&'a Map<String, Value>> {
    let Some(object) = value.as_object() else {
        return Err(Error::invalid_input(field, "must be a JSON object"));
    };
    match object.keys().find(|key| !keys.contains(&key.as_str())) {
        None => Ok(object),
        Some(key) => {
            let key: String = key.chars().take(64).collect();
            let problem = format!("has no key {key:?}: there are {}", keys.join(", "));
            Err(Error::invalid_input(field, &problem))
        }
    }
}

fn text<'a>(field: &str, value: Option<&'a Value>) -> Result<Option<&'a str>> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Error::invalid_input(field, "must be text")),
    }
}

fn time(field: &str, value: Option<&Value>) -> Result<Option<Timestamp>> {
    let problem = "must be an RFC 3339 time with an offset, for example 2026-11-23T10:00:00+05:30";
    text(field, value)?
        .map(|text| Timestamp::parse_rfc3339(text).ok_or_else(|| Error::invalid_input(field, problem)))
        .transpose()
}
