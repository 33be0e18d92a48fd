//! SmartAPI's reads that show a session at work: profile, funds and prices. All values are made up; a
//! symbol always has the same price.

use serde_json::{Value, json};

use super::envelope::{backend_failure, success};
use super::gate::reading;
use crate::samco::{is_symbol, price_of};
use crate::state::State;
use crate::switch::Switch;
use crate::wire::{Reply, Request, text_field};

/// `GET getProfile`. An official client appends its refresh token to the query; it is ignored.
pub(super) fn profile(state: &State, request: &Request) -> Reply {
    reading(state, request, |angelone, caller| {
        let code = &caller.account.client_code;
        let last = angelone
            .position(code)
            .and_then(|at| angelone.members[at].last_login);
        let listed = |items: &[&str]| {
            if state.switches.word(Switch::AngeloneProfileLists) == "text" {
                Value::from(format!("[ {} ]", items.join(", ")))
            } else {
                json!(items)
            }
        };
        success(&json!({
            "clientcode": code, "name": format!("SANDBOX TRADER {code}"), "email": "", "mobileno": "",
            "exchanges": listed(&["nse_cm", "bse_cm", "nse_fo", "mcx_fo"]),
            "products": listed(&["DELIVERY", "INTRADAY", "MARGIN"]),
            "lastlogintime": last.map(|at| at.format_ist("%d-%b-%Y %H:%M:%S")).unwrap_or_default(),
            "brokerid": "B2C",
        }))
    })
}

/// `GET getRMS`.
pub(super) fn funds(state: &State, request: &Request) -> Reply {
    reading(state, request, |_, _| {
        success(&json!({
            "net": "97500.0000", "availablecash": "97500.0000", "availableintradaypayin": "0.0000",
            "availablelimitmargin": "0.0000", "collateral": "0.0000", "m2munrealized": "0.0000",
            "m2mrealized": "0.0000", "utiliseddebits": "2500.0000", "utilisedspan": "0.0000",
            "utilisedoptionpremium": "0.0000", "utilisedholdingsales": "0.0000", "utilisedexposure": "0.0000",
            "utilisedturnover": "0.0000", "utilisedpayout": "0.0000",
        }))
    })
}

fn in_rupees(paise: u32) -> f64 {
    f64::from(paise) / 100.0
}

/// `POST getLtpData`.
pub(super) fn last_price(state: &State, request: &Request) -> Reply {
    reading(state, request, |_, _| {
        let body = request.json().unwrap_or_default();
        let field = |name| text_field(&body, name).unwrap_or_default();
        let (exchange, symbol, token) = (field("exchange"), field("tradingsymbol"), field("symboltoken"));
        if exchange.is_empty() || token.is_empty() || !is_symbol(&symbol) {
            return backend_failure(state, "AB1018", "Failed to get symbol details");
        }
        let price = price_of(&symbol).0;
        success(&json!({
            "exchange": exchange, "tradingsymbol": symbol, "symboltoken": token, "open": in_rupees(price - 100),
            "high": in_rupees(price + 200), "low": in_rupees(price - 250), "close": in_rupees(price - 150),
            "ltp": in_rupees(price),
        }))
    })
}

/// `POST market/v1/quote` in the modes LTP, OHLC and FULL.
pub(super) fn quote(state: &State, request: &Request) -> Reply {
    reading(state, request, |_, _| {
        let body = request.json().unwrap_or_default();
        let mode = text_field(&body, "mode").unwrap_or_default();
        let Some(wanted) = body.get("exchangeTokens").and_then(Value::as_object) else {
            return backend_failure(state, "AB1018", "Failed to get symbol details");
        };
        if !["LTP", "OHLC", "FULL"].contains(&mode.as_str()) {
            return backend_failure(state, "AB1018", "Failed to get symbol details");
        }
        let (mut fetched, mut unfetched) = (Vec::new(), Vec::new());
        for (exchange, tokens) in wanted {
            for token in tokens.as_array().into_iter().flatten().take(50) {
                let token = token.as_str().map_or_else(|| token.to_string(), str::to_owned);
                if token.is_empty() || !token.bytes().all(|b| b.is_ascii_digit()) {
                    unfetched.push(json!({
                        "exchange": exchange, "symbolToken": token, "message": "Symbol token cannot be empty",
                        "errorCode": "AB4018",
                    }));
                } else {
                    fetched.push(row(&mode, exchange, &token, state));
                }
            }
        }
        success(&json!({"fetched": fetched, "unfetched": unfetched}))
    })
}

fn row(mode: &str, exchange: &str, token: &str, state: &State) -> Value {
    let symbol = format!("SANDBOX{token}-EQ");
    let price = price_of(&symbol).0;
    let mut row =
        json!({"exchange": exchange, "tradingSymbol": symbol, "symbolToken": token, "ltp": in_rupees(price)});
    let mut add = |fields: Value| {
        if let (Value::Object(row), Value::Object(fields)) = (&mut row, fields) {
            row.extend(fields);
        }
    };
    if mode != "LTP" {
        add(json!({
            "open": in_rupees(price - 100), "high": in_rupees(price + 200), "low": in_rupees(price - 250),
            "close": in_rupees(price - 150),
        }));
    }
    if mode == "FULL" {
        let time = state.now().format_ist("%d-%b-%Y %H:%M:%S");
        add(json!({
            "lastTradeQty": 1, "exchFeedTime": time, "exchTradeTime": time, "netChange": 1.5, "percentChange": 0.5,
            "avgPrice": in_rupees(price - 20), "tradeVolume": 263_600, "opnInterest": 0,
            "lowerCircuit": in_rupees(price * 9 / 10), "upperCircuit": in_rupees(price * 11 / 10),
            "totBuyQuan": 15_000, "totSellQuan": 12_000, "52WeekLow": in_rupees(price - 5000),
            "52WeekHigh": in_rupees(price + 5000),
            "depth": {
                "buy": [{"price": in_rupees(price - 5), "quantity": 100, "orders": 1}],
                "sell": [{"price": in_rupees(price + 5), "quantity": 100, "orders": 1}],
            },
        }));
    }
    row
}
