//! Samco's reads that show a session at work: funds, holdings and quotes. All values are made up; a symbol
//! always has the same price.

use std::fmt;

use preopen_core::Timestamp;
use serde::{Serialize, Serializer};
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
        let quote_details = Quote::of(&symbol, &exchange, state.now());
        success(
            state,
            "Quote details retrieved successfully",
            Quoted { quote_details },
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
    Rupees(paise).to_string()
}

/// Paise that are told as rupees.
#[derive(Clone, Copy)]
struct Rupees(u32);

impl fmt::Display for Rupees {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.0 / 100, self.0 % 100)
    }
}

impl Serialize for Rupees {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Quoted<'a> {
    quote_details: Quote<'a>,
}

/// The reply that programs ask for most, so it is written without a tree.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Quote<'a> {
    symbol_name: &'a str,
    trading_symbol: &'a str,
    exchange: &'a str,
    last_traded_time: String,
    last_traded_price: Rupees,
    previous_close: Rupees,
    change_value: &'static str,
    change_percentage: &'static str,
    last_traded_quantity: &'static str,
    lower_circuit_limit: Rupees,
    upper_circuit_limit: Rupees,
    average_price: Rupees,
    open_value: Rupees,
    high_value: Rupees,
    low_value: Rupees,
    close_value: Rupees,
    total_buy_quantity: &'static str,
    total_sell_quantity: &'static str,
    total_traded_value: &'static str,
    total_traded_volume: &'static str,
    yearly_high_price: Rupees,
    yearly_low_price: Rupees,
    tick_size: &'static str,
    best_bids: [Level; 5],
    best_asks: [Level; 5],
    listing_id: String,
    open_interest_change: &'static str,
    instrument: &'static str,
    expiry_date: &'static str,
    lot_quantity: &'static str,
    #[serde(rename = "oIChangePer")]
    oi_change_per: &'static str,
}

/// One line of the five best bids or asks.
#[derive(Serialize)]
struct Level {
    number: String,
    quantity: String,
    price: Rupees,
}

impl Level {
    fn new(at: u32, price: u32) -> Self {
        Self {
            number: at.to_string(),
            quantity: (at * 100).to_string(),
            price: Rupees(price),
        }
    }
}

impl<'a> Quote<'a> {
    fn of(symbol: &'a str, exchange: &'a str, now: Timestamp) -> Self {
        let (price, number) = price_of(symbol);
        Self {
            symbol_name: symbol,
            trading_symbol: symbol,
            exchange,
            last_traded_time: now.format_ist("%d/%m/%Y %H:%M:%S"),
            last_traded_price: Rupees(price),
            previous_close: Rupees(price - 150),
            change_value: "1.50",
            change_percentage: "0.50",
            last_traded_quantity: "10",
            lower_circuit_limit: Rupees(price * 9 / 10),
            upper_circuit_limit: Rupees(price * 11 / 10),
            average_price: Rupees(price - 20),
            open_value: Rupees(price - 100),
            high_value: Rupees(price + 200),
            low_value: Rupees(price - 250),
            close_value: Rupees(price - 150),
            total_buy_quantity: "15000",
            total_sell_quantity: "12000",
            total_traded_value: "42.0000000 (Lacs)",
            total_traded_volume: "263600",
            yearly_high_price: Rupees(price + 5000),
            yearly_low_price: Rupees(price - 5000),
            tick_size: "0.05",
            best_bids: [1, 2, 3, 4, 5].map(|at| Level::new(at, price - at * 5)),
            best_asks: [1, 2, 3, 4, 5].map(|at| Level::new(at, price + at * 5)),
            listing_id: format!("{number}_{exchange}"),
            open_interest_change: "0",
            instrument: "EQ",
            expiry_date: "",
            lot_quantity: "1",
            oi_change_per: "0.00",
        }
    }
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
