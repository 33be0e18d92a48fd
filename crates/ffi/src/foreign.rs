//! Replies that another HTTP client received, as the core reads them.

use std::time::Duration;

use preopen::Timestamp;
use preopen::core::wire::RawReply;

pub use preopen::foreign_calls::{Answered, ForeignCall, SignedCall};

/// A reply with those of its headers that matter; a later header of the same name wins.
pub fn raw_reply<'a>(
    status: u16,
    headers: impl IntoIterator<Item = (&'a str, &'a str)>,
    body: Vec<u8>,
) -> RawReply {
    let mut raw = RawReply::new(status, body);
    let mut wait = None;
    for (name, value) in headers {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        if is("content-type") {
            raw.content_type = Some(value.to_owned());
        } else if is("retry-after") {
            wait = Some(value.trim());
        } else if is("date") {
            raw.date = Timestamp::parse_http_date(value);
        } else if is("location") {
            raw.redirect_host = host(value);
        }
    }
    raw.retry_after = wait.and_then(|wait| seconds(wait, raw.date));
    raw
}

/// Seconds, or a date, which is compared with the reply's own: two clocks of the same side.
fn seconds(wait: &str, sent: Option<Timestamp>) -> Option<Duration> {
    if let Ok(seconds) = wait.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = Timestamp::parse_http_date(wait)?.as_millis() - sent?.as_millis();
    Some(Duration::from_millis(until.max(0).unsigned_abs()))
}

/// The host of a full URL, without what may be secret in it.
fn host(location: &str) -> Option<String> {
    let (_, rest) = location.split_once("//")?;
    let authority = rest.split(['/', '?', '#', '\\']).next()?;
    let host = authority.rsplit('@').next()?;
    (!host.is_empty()).then(|| host.to_owned())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::raw_reply;

    #[test]
    fn headers_are_known_in_any_case_and_a_wait_may_be_a_date() {
        let headers = [
            ("Content-Type", "application/json"),
            ("LOCATION", "https://user:word@elsewhere.example/path?token=x"),
            ("date", "Mon, 23 Nov 2026 04:30:00 GMT"),
            ("retry-after", "Mon, 23 Nov 2026 04:30:07 GMT"),
            ("x-other", "y"),
        ];
        let raw = raw_reply(302, headers, b"{}".to_vec());
        assert_eq!(raw.status, 302);
        assert_eq!(raw.content_type.as_deref(), Some("application/json"));
        assert_eq!(raw.redirect_host.as_deref(), Some("elsewhere.example"));
        assert_eq!(raw.retry_after, Some(Duration::from_secs(7)));
        assert_eq!(&raw.body[..], b"{}");
        let plain = raw_reply(429, [("Retry-After", " 9 "), ("Location", "/here")], Vec::new());
        assert_eq!(plain.retry_after, Some(Duration::from_secs(9)));
        assert_eq!(plain.redirect_host, None);
    }
}
