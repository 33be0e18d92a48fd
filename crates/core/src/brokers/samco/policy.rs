//! Samco's rules as data.

use std::time::Duration;

use crate::broker::Policy;
use crate::expiry::{DailyBoundary, ExpiryPolicy};
use crate::limits::{GATEWAY, LimitGroup, Rates};
use crate::wire::Method;

pub(super) static POLICY: Policy = Policy {
    broker: "samco",
    base_url: "https://tradeapi.samco.in",
    hosts: &["tradeapi.samco.in"],
    expiry: ExpiryPolicy {
        boundary: DailyBoundary::at(8, 0),
        maximum_age: None,
        note: "forced logout at 08:00 IST (documented); for a token issued between 00:00 and 08:00 the documents \
               can be read two ways, and the earlier end is used (inferred)",
    },
    totp_single_use: false,
    // No limit is documented.
    login_interval: Duration::ZERO,
    logout_note: "",
    limits: LIMITS,
    transient: GATEWAY,
};

/// Samco documents no limit for calls: there is none unless the user sets one.
const LIMITS: &[LimitGroup] = &[LimitGroup::new(
    "orders",
    &[
        (Method::Post, "/order/*"),
        (Method::Put, "/order/*"),
        (Method::Delete, "/order/*"),
        (Method::Post, "/basket/executeBasketOrder"),
        (Method::Post, "/position/squareOff"),
    ],
    Rates::NONE,
)];
