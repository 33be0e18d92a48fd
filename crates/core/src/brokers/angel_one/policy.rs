//! SmartAPI's rules as data.

use std::time::Duration;

use crate::broker::Policy;
use crate::expiry::{DailyBoundary, ExpiryPolicy};

pub(super) static POLICY: Policy = Policy {
    broker: "angelone",
    base_url: "https://apiconnect.angelone.in",
    hosts: &["apiconnect.angelone.in", "apiconnect.angelbroking.com"],
    expiry: ExpiryPolicy {
        boundary: DailyBoundary::at(0, 0),
        maximum_age: Some(Duration::from_hours(28)),
        note: "sessions end at midnight (documented 2026; Indian time inferred); older documents say up to 28 hours, \
               and the earlier end is used",
    },
    // Whether a code may be sent twice inside its step is not documented: unknown counts as refused.
    totp_single_use: true,
    // The documents allow one login a second.
    login_interval: Duration::from_secs(1),
};
