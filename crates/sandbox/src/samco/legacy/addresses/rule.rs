//! When an account may change its addresses: once in any seven days. `check` is the one place that decides;
//! it is to become a call of the pure checker in `preopen_core::static_ip::rules`.

use std::time::Duration;

use preopen_core::Timestamp;

/// The window in which one change is allowed.
const WINDOW: Duration = Duration::from_hours(7 * 24);

/// Whether a change counts. An address that the account has already is free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counted {
    Yes,
    No,
}

/// The last change that counted was less than seven days ago.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooSoon;

/// Whether `registered` may become `wanted` now. Empty text is no address.
pub(super) fn check(
    last_counted: Option<Timestamp>,
    registered: [&str; 2],
    wanted: [&str; 2],
    now: Timestamp,
) -> Result<Counted, TooSoon> {
    let covers = |some: [&str; 2], all: [&str; 2]| some.iter().all(|ip| ip.is_empty() || all.contains(ip));
    if covers(wanted, registered) && covers(registered, wanted) {
        return Ok(Counted::No);
    }
    match last_counted {
        Some(last) if now.since(last) < WINDOW => Err(TooSoon),
        _ => Ok(Counted::Yes),
    }
}

/// `2026-01-29T05:16:07.000Z`, the form of `ip_updated_at`.
pub(super) fn iso_millis(at: Timestamp) -> String {
    let whole = Timestamp::from_seconds(at.as_seconds()).to_rfc3339();
    let millis = at.as_millis().rem_euclid(1000);
    format!("{}.{millis:03}Z", whole.trim_end_matches('Z'))
}

#[cfg(test)]
mod tests {
    use super::{Counted, TooSoon, check, iso_millis};
    use preopen_core::Timestamp;

    const WEEK: i64 = 7 * 86_400_000;

    #[test]
    fn one_change_in_any_seven_days() {
        let (old, new) = (["a", "b"], ["a", "c"]);
        let last = Some(Timestamp::from_millis(1000));
        let at = |millis| Timestamp::from_millis(1000 + millis);
        assert_eq!(check(None, old, new, at(0)), Ok(Counted::Yes));
        assert_eq!(check(last, old, new, at(WEEK - 1)), Err(TooSoon));
        assert_eq!(check(last, old, new, at(WEEK)), Ok(Counted::Yes));
        for free in [["a", "b"], ["b", "a"]] {
            assert_eq!(check(last, old, free, at(1)), Ok(Counted::No));
        }
        assert_eq!(check(last, old, ["a", ""], at(1)), Err(TooSoon));
    }

    #[test]
    fn the_time_has_three_decimals() {
        let at = Timestamp::parse_rfc3339("2026-01-29T05:16:07Z").unwrap();
        assert_eq!(iso_millis(at.plus_millis(40)), "2026-01-29T05:16:07.040Z");
    }
}
