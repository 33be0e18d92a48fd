//! SmartAPI's endpoints. What they do and answer is documented; paths that the documents at hand name without their
//! beginning are those of the official SDKs.

use crate::catalogue::{Confidence, Entry};
use crate::wire::CallClass::{Login, Logout, Read, Write};
use crate::wire::Method::{Get, Post};

/// Orders and their relatives: refusals by address are observed there, and documented for orders and GTT writes.
const fn order(entry: Entry) -> Entry {
    entry.gated(Confidence::Observed)
}

const fn sdk(entry: Entry) -> Entry {
    entry.known_by(Confidence::SdkCode)
}

#[rustfmt::skip]
pub(in crate::brokers) static ENTRIES: &[Entry] = &[
    Entry::new(Login, Post, "/rest/auth/angelbroking/user/v1/loginByPassword", &["jwtToken", "refreshToken", "feedToken", "state"], "4.1").sensitive(),
    Entry::new(Login, Post, "/rest/auth/angelbroking/jwt/v1/generateTokens", &["jwtToken", "refreshToken", "feedToken"], "4.3").sensitive(),
    Entry::new(Read, Get, "/rest/secure/angelbroking/user/v1/getProfile", &["clientcode", "name", "email", "mobileno", "exchanges", "products", "lastlogintime", "brokerid"], "4.4"),
    Entry::new(Read, Get, "/rest/secure/angelbroking/user/v1/getRMS", &["net", "availablecash", "availableintradaypayin", "availablelimitmargin", "collateral", "m2munrealized", "m2mrealized", "utiliseddebits"], "4.5"),
    Entry::new(Logout, Post, "/rest/secure/angelbroking/user/v1/logout", &[], "4.6"),
    // Orders.
    order(sdk(Entry::new(Write, Post, "/rest/secure/angelbroking/order/v1/placeOrder", &["script", "orderid", "uniqueorderid"], "8"))),
    order(sdk(Entry::new(Write, Post, "/rest/secure/angelbroking/order/v1/modifyOrder", &["orderid", "uniqueorderid"], "8"))),
    order(sdk(Entry::new(Write, Post, "/rest/secure/angelbroking/order/v1/cancelOrder", &["orderid", "uniqueorderid"], "8"))),
    sdk(Entry::new(Read, Get, "/rest/secure/angelbroking/order/v1/getOrderBook", &[], "8")),
    sdk(Entry::new(Read, Get, "/rest/secure/angelbroking/order/v1/getTradeBook", &[], "8")),
    sdk(Entry::new(Read, Get, "/rest/secure/angelbroking/order/v1/details/{}", &["orderid", "orderstatus"], "8")),
    sdk(Entry::new(Read, Post, "/rest/secure/angelbroking/order/v1/getLtpData", &["exchange", "tradingsymbol", "symboltoken", "ltp"], "8")),
    sdk(Entry::new(Read, Post, "/rest/secure/angelbroking/order/v1/searchScrip", &[], "8")),
    // Portfolio.
    sdk(Entry::new(Read, Get, "/rest/secure/angelbroking/order/v1/getPosition", &[], "8")),
    sdk(Entry::new(Read, Get, "/rest/secure/angelbroking/portfolio/v1/getHolding", &[], "8")),
    sdk(Entry::new(Read, Get, "/rest/secure/angelbroking/portfolio/v1/getAllHolding", &["holdings", "totalholding"], "8")),
    order(sdk(Entry::new(Write, Post, "/rest/secure/angelbroking/order/v1/convertPosition", &[], "8"))).gated(Confidence::Inferred),
    // Good till triggered.
    order(sdk(Entry::new(Write, Post, "/rest/secure/angelbroking/gtt/v1/createRule", &["id"], "8"))).gated(Confidence::Documented),
    order(sdk(Entry::new(Write, Post, "/rest/secure/angelbroking/gtt/v1/modifyRule", &["id"], "8"))).gated(Confidence::Documented),
    order(sdk(Entry::new(Write, Post, "/rest/secure/angelbroking/gtt/v1/cancelRule", &["id"], "8"))).gated(Confidence::Documented),
    sdk(Entry::new(Read, Post, "/rest/secure/angelbroking/gtt/v1/ruleDetails", &["status", "id"], "8")),
    sdk(Entry::new(Read, Post, "/rest/secure/angelbroking/gtt/v1/ruleList", &[], "8")),
    // Market data and calculators.
    sdk(Entry::new(Read, Post, "/rest/secure/angelbroking/market/v1/quote", &["fetched", "unfetched"], "8")),
    sdk(Entry::new(Read, Post, "/rest/secure/angelbroking/historical/v1/getCandleData", &[], "8")),
    sdk(Entry::new(Read, Post, "/rest/secure/angelbroking/historical/v1/getOIData", &[], "8")),
    sdk(Entry::new(Read, Post, "/rest/secure/angelbroking/marketData/v1/optionGreek", &[], "8")),
    sdk(Entry::new(Read, Post, "/rest/secure/angelbroking/marketData/v1/gainersLosers", &[], "8")),
    sdk(Entry::new(Read, Post, "/rest/secure/angelbroking/marketData/v1/OIBuildup", &[], "8")),
    sdk(Entry::new(Read, Get, "/rest/secure/angelbroking/marketData/v1/putCallRatio", &[], "8")),
    sdk(Entry::new(Read, Post, "/rest/secure/angelbroking/margin/v1/batch", &["totalMarginRequired", "marginComponents"], "8")),
    sdk(Entry::new(Read, Post, "/rest/secure/angelbroking/brokerage/v1/estimateCharges", &["summary", "charges"], "8")),
    // Electronic delivery slips.
    sdk(Entry::new(Write, Post, "/rest/secure/angelbroking/edis/v1/verifyDis", &["ReqId", "ReturnURL", "DPId", "BOID", "TransDtls"], "samples")),
    sdk(Entry::new(Write, Post, "/rest/secure/angelbroking/edis/v1/generateTPIN", &[], "samples")),
    sdk(Entry::new(Write, Post, "/rest/secure/angelbroking/edis/v1/getTranStatus", &["TransResDtls"], "samples")),
];
