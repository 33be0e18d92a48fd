//! The virtual clock over the control API.

use std::time::Duration;

use preopen_core::expiry::DailyBoundary;
use preopen_core::{Timestamp, VirtualClock};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, ok, read};
use crate::error::ControlError;
use crate::state::State;
use crate::wire::Request;

pub(super) fn show(state: &State) -> Value {
    let now = state.here();
    let rate = state.clock.rate();
    // A whole rate is shown without a fraction.
    let rate = rate
        .to_string()
        .parse::<u64>()
        .map_or_else(|_| json!(rate), |whole| json!(whole));
    json!({"now": now.to_rfc3339(), "ist": now.to_ist(), "rate": rate})
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Setting {
    #[serde(default)]
    now: Option<String>,
    #[serde(default)]
    rate: Option<f64>,
}

pub(super) fn set(state: &State, request: &Request) -> Answer {
    let setting: Setting = read(request)?;
    if setting.now.is_none() && setting.rate.is_none() {
        return Err(ControlError::field("now", "or rate is needed"));
    }
    let now = match setting.now.as_deref().map(Timestamp::parse_rfc3339) {
        Some(None) => {
            let problem = "is not an RFC 3339 time such as 2026-11-22T07:59:00+05:30";
            return Err(ControlError::field("now", problem));
        }
        Some(Some(at)) if at.as_millis() < 0 => return Err(ControlError::field("now", "is before 1970")),
        Some(Some(at)) if at > VirtualClock::LAST => {
            return Err(ControlError::field("now", "is after the year 9999"));
        }
        now => now.flatten(),
    };
    if setting
        .rate
        .is_some_and(|rate| !(0.0..=1_000_000.0).contains(&rate))
    {
        return Err(ControlError::field(
            "rate",
            "must be from 0 (stands still) to 1000000",
        ));
    }
    if let Some(rate) = setting.rate {
        state.clock.set_rate(rate);
    }
    if let Some(now) = now {
        state.clock.set(now);
    }
    state.follow_script();
    ok(show(state))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    #[serde(default)]
    to: Option<String>,
    #[serde(default)]
    seconds: Option<f64>,
}

pub(super) fn advance(state: &State, request: &Request) -> Answer {
    let advance: Advance = read(request)?;
    match (advance.to, advance.seconds) {
        (Some(to), None) => state.clock.set(next_occurrence(&to, state.here())?),
        (None, Some(seconds)) => {
            let by = Duration::try_from_secs_f64(seconds)
                .ok()
                .filter(|by| by.as_secs() <= 100 * 366 * 86_400);
            let by = by.ok_or_else(|| ControlError::field("seconds", "must be from 0 to 100 years"))?;
            if state.here().plus(by) > VirtualClock::LAST {
                return Err(ControlError::field("seconds", "would go past the year 9999"));
            }
            state.clock.advance(by);
        }
        _ => return Err(ControlError::field("to", "or seconds is needed, and not both")),
    }
    state.follow_script();
    ok(show(state))
}

/// The next `HH:MM IST` strictly after `now`.
pub(crate) fn next_occurrence(text: &str, now: Timestamp) -> Result<Timestamp, ControlError> {
    let wrong = || ControlError::field("to", "must be a time of day in India such as \"08:00 IST\"");
    let time = text.trim().strip_suffix("IST").ok_or_else(wrong)?.trim();
    let (hour, minute) = time.split_once(':').ok_or_else(wrong)?;
    let number = |text: &str, below: u8| {
        let digits = text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
        text.parse::<u8>()
            .ok()
            .filter(|n| digits && *n < below)
            .ok_or_else(wrong)
    };
    Ok(DailyBoundary::at(number(hour, 24)?, number(minute, 60)?).next_after(now))
}

#[cfg(test)]
mod tests {
    use super::next_occurrence;
    use preopen_core::Timestamp;

    #[test]
    fn the_next_occurrence_is_strictly_after_now() {
        let eight = Timestamp::parse_rfc3339("2026-11-22T08:00:00+05:30").unwrap();
        assert_eq!(
            next_occurrence("08:00 IST", eight.plus_millis(-1)).unwrap(),
            eight
        );
        assert_eq!(
            next_occurrence("08:00 IST", eight).unwrap(),
            eight.plus_millis(86_400_000)
        );
        for wrong in [
            "8:00 IST",
            "08:00",
            "24:00 IST",
            "08:60 IST",
            "",
            "IST",
            "+8:00 IST",
        ] {
            assert!(next_occurrence(wrong, eight).is_err(), "{wrong}");
        }
    }
}
