//! Samco's endpoints. Documented, but for what says otherwise. Which calls are gated by the static IP is documented
//! only as "order-related": which those are is inferred.

use crate::catalogue::{Confidence, Entry};
use crate::wire::CallClass::{Login, Logout, Read, Write};
use crate::wire::Method::{Delete, Get, Post, Put};

/// The calls that place, change or end orders: documented as gated, without a list of them.
const fn order(entry: Entry) -> Entry {
    entry.gated(Confidence::Inferred)
}

#[rustfmt::skip]
pub(in crate::brokers) static ENTRIES: &[Entry] = &[
    // Signing in and out.
    Entry::new(Login, Post, "/session/token", &["sessionToken", "tokenId", "accountID", "accountName", "exchangeList", "orderTypeList", "productList", "srcIp", "primaryIp", "secondaryIp"], "3").sensitive(),
    Entry::new(Read, Get, "/oauth/authorize", &["appName", "apiKey", "redirectUrl", "state", "scopes", "clientUid", "nextAction"], "4.2"),
    Entry::new(Write, Post, "/oauth/authenticate", &["redirectTo"], "4.2").gated(Confidence::Documented).sensitive(),
    Entry::new(Login, Post, "/oauth/token", &["access_token", "token_type", "expires_in", "refresh_token", "refresh_token_expires_in", "session_id", "user_id", "scopes"], "4.4").gated(Confidence::Documented).sensitive(),
    Entry::new(Logout, Post, "/oauth/revoke", &[], "4.7"),
    Entry::new(Logout, Delete, "/logout", &[], "8"),
    Entry::new(Read, Get, "/ip/whoami", &["srcIp", "primaryIp", "secondaryIp", "matches", "matchedAs"], "5"),
    Entry::new(Read, Get, "/webSecretCode", &["timeRemainingInSeconds", "OTP"], "8").sensitive(),
    Entry::new(Login, Post, "/webSecretCodeValidation", &["sessionToken", "accountID", "accountName", "exchangeList", "orderTypeList", "productList"], "8").sensitive(),
    // Deprecated.
    Entry::new(Login, Post, "/login", &["sessionToken", "accountID", "accountName", "exchangeList", "orderTypeList", "productList"], "8").sensitive(),
    Entry::new(Write, Post, "/otp/generateOtp", &[], "8"),
    Entry::new(Write, Post, "/otp/secretKeyGenerator", &[], "8"),
    Entry::new(Login, Post, "/accessToken/token", &["accessToken"], "8").sensitive(),
    Entry::new(Write, Post, "/ip/ipRegistration", &["user_id", "primary_ip", "secondary_ip", "ip_updated_at"], "8"),
    Entry::new(Write, Post, "/ip/ipUpdate", &["user_id", "primary_ip", "secondary_ip", "ip_updated_at"], "8"),
    // Account and market.
    Entry::new(Read, Get, "/limit/getLimits", &["equityLimit", "commodityLimit"], "12"),
    Entry::new(Read, Get, "/indexData", &["indexData"], "12"),
    Entry::new(Read, Post, "/marketDepth", &["MarketDepthDetails"], "12"),
    Entry::new(Read, Post, "/contractsAnalyser", &["analyseReport"], "12"),
    Entry::new(Read, Get, "/eqDervSearch/search", &["searchResults"], "12"),
    Entry::new(Read, Get, "/option/optionChain", &["optionChainDetails"], "12"),
    Entry::new(Read, Get, "/future/futureChain", &["futureChainDetails"], "12"),
    Entry::new(Read, Get, "/quote/indexQuote", &["indexDetails"], "12"),
    Entry::new(Read, Get, "/quote/getQuote", &["quoteDetails"], "12"),
    Entry::new(Read, Post, "/quote/multiQuote", &["multiQuotes"], "12"),
    Entry::new(Read, Post, "/spanMargin", &["spanDetails"], "12"),
    // Orders.
    order(Entry::new(Write, Post, "/order/placeOrder", &["orderNumber", "exchangeOrderStatus", "rejectionReason", "orderDetails"], "12")),
    order(Entry::new(Write, Post, "/order/placeOrderBO", &["orderNumber", "exchangeOrderStatus", "rejectionReason", "orderDetails"], "12")),
    order(Entry::new(Write, Post, "/order/placeOrderCO", &["orderNumber", "exchangeOrderStatus", "rejectionReason", "orderDetails"], "12")),
    order(Entry::new(Write, Put, "/order/modifyOrder/{}", &["ordernumber"], "12")),
    order(Entry::new(Write, Delete, "/order/cancelOrder", &["orderNumber"], "12")),
    order(Entry::new(Write, Delete, "/order/exitBO", &["orderNumber"], "12")),
    order(Entry::new(Write, Delete, "/order/exitCO", &["orderNumber"], "12")),
    Entry::new(Read, Get, "/order/getOrderStatus", &["orderNumber", "orderStatus", "orderDetails"], "12"),
    Entry::new(Read, Get, "/order/orderBook", &["orderBookDetails"], "12"),
    Entry::new(Read, Get, "/order/getTriggerOrders", &["triggerOrders"], "12"),
    order(Entry::new(Write, Post, "/order/bulkOrder", &["orders"], "12")),
    // Good till triggered, and one cancels the other.
    order(Entry::new(Write, Post, "/gttoco/addGtt", &["gttSummaryId", "orderDetails"], "12")),
    order(Entry::new(Write, Put, "/gttoco/modifyGtt", &["gttSummaryId", "orderDetails"], "12")),
    order(Entry::new(Write, Delete, "/gttoco/deleteGtt", &["gttSummaryId", "orderDetails"], "12")),
    order(Entry::new(Write, Post, "/gttoco/addOco", &["orderDetails"], "12")),
    order(Entry::new(Write, Put, "/gttoco/modifyOco", &["gttSummaryId", "orderDetails"], "12")),
    order(Entry::new(Write, Delete, "/gttoco/deleteOco", &["gttSummaryId", "orderDetails"], "12")),
    Entry::new(Read, Get, "/gttoco/listGttOco", &["orderDetails"], "12"),
    // Baskets.
    Entry::new(Write, Post, "/basket/createBasket", &["basketDetails"], "12"),
    Entry::new(Write, Put, "/basket/modifyBasket", &["basketDetails"], "12"),
    Entry::new(Write, Delete, "/basket/deleteBasket", &[], "12"),
    Entry::new(Read, Get, "/basket/listBasket", &["basketList"], "12"),
    Entry::new(Write, Post, "/basket/createOrder", &["basketDetails"], "12"),
    Entry::new(Write, Put, "/basket/modifyBasketOrder", &[], "12"),
    Entry::new(Write, Delete, "/basket/deleteBasketOrder", &[], "12"),
    order(Entry::new(Write, Post, "/basket/executeBasketOrder", &[], "12")),
    Entry::new(Read, Get, "/basket/listBasketOrder", &["basketDetails"], "12"),
    Entry::new(Write, Post, "/basket/rearrangeBasketOrder", &["rearrangeOrderList"], "12"),
    Entry::new(Read, Post, "/basket/spanCalculator", &["spanDetails"], "12"),
    order(Entry::new(Write, Post, "/basket/squareOff", &[], "12").known_by(Confidence::SdkCode)),
    order(Entry::new(Write, Put, "/basket/modifyAndretry", &[], "12").known_by(Confidence::SdkCode)),
    // Portfolio.
    Entry::new(Read, Get, "/position/getPositions", &["positionSummary", "positionDetails"], "12"),
    order(Entry::new(Write, Post, "/position/convertPosition", &[], "12")),
    order(Entry::new(Write, Post, "/position/squareOff", &["positionSquareOffResponseList"], "12")),
    Entry::new(Read, Get, "/holding/getHoldings", &["holdingSummary", "holdingDetails"], "12"),
    Entry::new(Read, Get, "/trade/tradeBook", &["tradeBookDetails"], "12"),
    // Candles.
    Entry::new(Read, Get, "/intraday/candleData", &["intradayCandleData"], "12"),
    Entry::new(Read, Get, "/intraday/indexCandleData", &["indexIntraDayCandleData"], "12"),
    Entry::new(Read, Get, "/history/candleData", &["historicalCandleData"], "12"),
    Entry::new(Read, Get, "/history/indexCandleData", &["indexCandleData"], "12"),
    // Analytics, and the publisher's key.
    Entry::new(Read, Post, "/tradeview/analyticsSummary", &["analyticsSummary"], "12"),
    Entry::new(Read, Post, "/tradeview/analyticsDetails", &["analyticsDetails"], "12"),
    Entry::new(Read, Post, "/tradeview/gainLoss", &["gainLossValue"], "12"),
    Entry::new(Write, Post, "/publisher/createApp", &["apiKey"], "12").sensitive(),
];
