//! Samco's reads that show a session at work: funds, holdings and quotes. All values are made up; a symbol
//! always has the same price.

use preopen_core::Timestamp;
use serde_json::{Value, json};

use super::envelope::{failure, invalid, success};
use super::session::reading;
use crate::state::State;
use crate::wire::{Reply, Request};

/// `GET /limit/getLimits`.
pub(super) fn limits(state: &State, request: &Request) -> Reply {
    reading(state, request, |_, _| {
        let limit = json!({
            "grossAvailableMargin": "100000.00", "payInToday": "0", "notionalCash": "0", "marginUsed": "2500.00",
            "netAvailableMargin": "97500.00",
        });
        let payload = json!({"equityLimit": limit, "commodityLimit": limit});
        success(state, "User Limit details retrieved successfully", payload)
    })
}

/// `GET /holding/getHoldings`.
pub(super) fn holdings(state: &State, request: &Request) -> Reply {
    reading(state, request, |_, _| {
        let payload = json!({
            "holdingSummary": {
                "gainingTodayCount": "1", "losingTodayCount": "0", "totalGainAndLossAmount": "120.00",
                "dayGainAndLossAmount": "15.00", "portfolioValue": "1,320.00",
            },
            "holdingDetails": [{
                "averagePrice": "120.00", "exchange": "NSE", "markToMarketPrice": "15.00",
                "lastTradedPrice": "132.00", "previousClose": "130.50", "productCode": "CNC",
                "symbolDescription": "SANDBOX INDUSTRIES LTD", "tradingSymbol": "SANDBOX-EQ",
                "totalGainAndLoss": "120.00", "calculatedNetQuantity": "10.0", "holdingsQuantity": "10",
                "collateralQuantity": "0", "holdingsValue": "1320.00", "isin": "INE000S01010",
                "sellableQuantity": "10", "totalMarketToMarketPrice": "15.00",
            }],
        });
        success(state, "Request successful", payload)
    })
}

/// `GET /quote/getQuote?symbolName=&exchange=`.
pub(super) fn quote(state: &State, request: &Request) -> Reply {
    reading(state, request, |_, _| {
        let Some(symbol) = request.query("symbolName").filter(|symbol| !symbol.is_empty()) else {
            return invalid(state, &["symbolName is required".to_owned()]);
        };
        let exchange = request
            .query("exchange")
            .filter(|e| !e.is_empty())
            .unwrap_or_else(|| "NSE".to_owned());
        if !is_symbol(&symbol) {
            return failure(
                state,
                "No Symbol found for the provided symbol name and exchange.",
                json!({}),
            );
        }
        let details = quote_of(&symbol, &exchange, state.now());
        success(
            state,
            "Quote details retrieved successfully",
            json!({"quoteDetails": details}),
        )
    })
}

/// `POST /quote/multiQuote` with lists of symbols by exchange.
pub(super) fn multi_quote(state: &State, request: &Request) -> Reply {
    reading(state, request, |_, _| {
        let Some(Value::Object(wanted)) = request.json() else {
            return invalid(state, &["a list of symbols by exchange is required".to_owned()]);
        };
        let mut quotes = Vec::new();
        for (exchange, symbols) in &wanted {
            for symbol in symbols
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .take(100)
            {
                if is_symbol(symbol) {
                    quotes.push(short_quote(symbol, exchange, state.now()));
                }
            }
        }
        if quotes.is_empty() {
            return failure(
                state,
                "No Symbol found for the provided symbol name and exchange.",
                json!({}),
            );
        }
        success(
            state,
            "Multiquotes data retrieved successfully",
            json!({"multiQuotes": quotes}),
        )
    })
}

/// Whether the sandbox knows a symbol: all that look like one, except those that begin with `UNKNOWN`.
pub(crate) fn is_symbol(symbol: &str) -> bool {
    let plain = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'-' || b == b'&' || b == b'_';
    !symbol.is_empty() && symbol.len() <= 40 && symbol.bytes().all(plain) && !symbol.starts_with("UNKNOWN")
}

/// The price of a symbol in paise, and its number.
pub(crate) fn price_of(symbol: &str) -> (u32, u32) {
    let number = symbol.bytes().fold(2_166_136_261_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(16_777_619)
    });
    (10_000 + number % 200_000 / 5 * 5, number % 90_000 + 1000)
}

/// Paise as rupees with two decimals.
pub(crate) fn rupees(paise: u32) -> String {
    format!("{}.{:02}", paise / 100, paise % 100)
}

fn quote_of(symbol: &str, exchange: &str, now: Timestamp) -> Value {
    let (price, number) = price_of(symbol);
    let side = |step: i64| {
        let level = |at: i64| {
            let price = u32::try_from(i64::from(price) + step * at * 5).unwrap_or(price);
            json!({"number": at.to_string(), "quantity": (at * 100).to_string(), "price": rupees(price)})
        };
        (1..=5).map(level).collect::<Vec<_>>()
    };
    json!({
        "symbolName": symbol, "tradingSymbol": symbol, "exchange": exchange,
        "lastTradedTime": now.format_ist("%d/%m/%Y %H:%M:%S"), "lastTradedPrice": rupees(price),
        "previousClose": rupees(price - 150), "changeValue": "1.50", "changePercentage": "0.50",
        "lastTradedQuantity": "10", "lowerCircuitLimit": rupees(price * 9 / 10),
        "upperCircuitLimit": rupees(price * 11 / 10), "averagePrice": rupees(price - 20),
        "openValue": rupees(price - 100), "highValue": rupees(price + 200), "lowValue": rupees(price - 250),
        "closeValue": rupees(price - 150), "totalBuyQuantity": "15000", "totalSellQuantity": "12000",
        "totalTradedValue": "42.0000000 (Lacs)", "totalTradedVolume": "263600",
        "yearlyHighPrice": rupees(price + 5000), "yearlyLowPrice": rupees(price - 5000), "tickSize": "0.05",
        "bestBids": side(-1), "bestAsks": side(1), "listingId": format!("{number}_{exchange}"),
        "openInterestChange": "0", "instrument": "EQ", "expiryDate": "", "lotQuantity": "1", "oIChangePer": "0.00",
    })
}

fn short_quote(symbol: &str, exchange: &str, now: Timestamp) -> Value {
    let (price, number) = price_of(symbol);
    json!({
        "exchange": exchange, "symbolName": symbol, "tradingSymbol": symbol,
        "companyName": "SANDBOX INDUSTRIES LTD", "isin": "INE000S01010", "lotSize": "1",
        "averagePrice": rupees(price - 20), "totalTradeVolume": "263600", "symbol": format!("{number}_{exchange}"),
        "lastTradeTime": now.format_ist("%d %b %Y, %I:%M:%S %p"), "lastTradeQuantity": "10",
        "lastTradePrice": rupees(price), "misMultiplier": "4.00", "change": "1.50", "changePercent": "0.50",
        "open": rupees(price - 100), "close": rupees(price - 150), "previousClose": rupees(price - 150),
        "low": rupees(price - 250), "high": rupees(price + 200), "tickSize": "0.05", "bidSize": "100",
        "bidPrice": rupees(price - 5), "totalTradedValue": "4200000.00", "askSize": "100",
        "askPrice": rupees(price + 5), "iv": "0.00",
    })
}
