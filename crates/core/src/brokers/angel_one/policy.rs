//! SmartAPI's rules as data.

use std::time::Duration;

use super::requests::PROFILE;
use crate::broker::Policy;
use crate::expiry::{DailyBoundary, ExpiryPolicy};
use crate::limits::{LimitGroup, Rates, Transient};
use crate::wire::Method::{Get, Post};

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
    logout_note: "not confirmed: calls with the old token were seen to work after this answer (observed by users)",
    limits: LIMITS,
    transient: &[
        Transient::Status(502),
        Transient::Status(503),
        Transient::Status(504),
        // Documented as "try after sometime". AB2000 says nothing of the kind.
        Transient::Code("AB1004"),
        Transient::Code("AB2001"),
    ],
};

/// The documented limits, which are counted for each client code over all of its keys (2026). Logins keep their own
/// distance, and renewals and logouts are too rare to meet theirs.
pub const LIMITS: &[LimitGroup] = &[
    // Documented as counted together.
    LimitGroup::new(
        "orders",
        &[
            (Post, "/rest/secure/angelbroking/order/v1/placeOrder"),
            (Post, "/rest/secure/angelbroking/order/v1/modifyOrder"),
            (Post, "/rest/secure/angelbroking/order/v1/cancelOrder"),
        ],
        Rates::each(9, 500, 1000),
    ),
    // Whether these are counted together is not said: the stricter reading.
    LimitGroup::new(
        "gtt",
        &[
            (Post, "/rest/secure/angelbroking/gtt/v1/createRule"),
            (Post, "/rest/secure/angelbroking/gtt/v1/modifyRule"),
            (Post, "/rest/secure/angelbroking/gtt/v1/cancelRule"),
        ],
        Rates::each(9, 500, 5000),
    ),
    LimitGroup::new(
        "gtt_reads",
        &[
            (Post, "/rest/secure/angelbroking/gtt/v1/ruleDetails"),
            (Post, "/rest/secure/angelbroking/gtt/v1/ruleList"),
        ],
        Rates::each(10, 500, 5000),
    ),
    LimitGroup::new(
        "profile",
        &[(Get, PROFILE)],
        Rates::per_second(3).and_per_hour(1000),
    ),
    LimitGroup::new(
        "funds",
        &[(Get, "/rest/secure/angelbroking/user/v1/getRMS")],
        Rates::per_second(2),
    ),
    LimitGroup::new(
        "order_book",
        &[(Get, "/rest/secure/angelbroking/order/v1/getOrderBook")],
        Rates::per_second(1),
    ),
    LimitGroup::new(
        "trade_book",
        &[(Get, "/rest/secure/angelbroking/order/v1/getTradeBook")],
        Rates::per_second(1),
    ),
    LimitGroup::new(
        "positions",
        &[(Get, "/rest/secure/angelbroking/order/v1/getPosition")],
        Rates::per_second(1),
    ),
    LimitGroup::new(
        "holdings",
        &[(Get, "/rest/secure/angelbroking/portfolio/v1/getHolding")],
        Rates::per_second(1),
    ),
    LimitGroup::new(
        "all_holdings",
        &[(Get, "/rest/secure/angelbroking/portfolio/v1/getAllHolding")],
        Rates::per_second(1),
    ),
    LimitGroup::new(
        "search",
        &[(Post, "/rest/secure/angelbroking/order/v1/searchScrip")],
        Rates::per_second(1),
    ),
    LimitGroup::new(
        "order_details",
        &[(Get, "/rest/secure/angelbroking/order/v1/details/*")],
        Rates::each(10, 500, 5000),
    ),
    LimitGroup::new(
        "ltp",
        &[(Post, "/rest/secure/angelbroking/order/v1/getLtpData")],
        Rates::each(10, 500, 5000),
    ),
    LimitGroup::new(
        "convert_position",
        &[(Post, "/rest/secure/angelbroking/order/v1/convertPosition")],
        Rates::each(10, 500, 5000),
    ),
    LimitGroup::new(
        "quote",
        &[(Post, "/rest/secure/angelbroking/market/v1/quote")],
        Rates::each(10, 500, 5000),
    ),
    LimitGroup::new(
        "margin",
        &[(Post, "/rest/secure/angelbroking/margin/v1/batch")],
        Rates::each(10, 500, 5000),
    ),
    // One copy of the documents allows 180 a minute, another 150.
    LimitGroup::new(
        "candles",
        &[(Post, "/rest/secure/angelbroking/historical/v1/getCandleData")],
        Rates::each(3, 150, 5000),
    ),
    LimitGroup::new(
        "option_greeks",
        &[(Post, "/rest/secure/angelbroking/marketData/v1/optionGreek")],
        Rates::per_second(1),
    ),
];
