//! SmartAPI orders: enough of an order system to show the static-IP gate and what became of an order.

use std::ops::RangeInclusive;

use preopen_core::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::AngelOne;
use super::envelope::{backend_failure, success};
use super::gate::{Caller, ordering, reading};
use crate::random;
use crate::samco::is_symbol;
use crate::state::State;
use crate::wire::{Reply, Request, text_field};

/// The path of one order's details; the unique order id follows.
pub(super) const DETAILS: &str = "/rest/secure/angelbroking/order/v1/details/";

/// How many orders of an account are kept.
const KEPT: usize = 5000;
/// How long a text of an order may be that no document says more of.
const TEXT: usize = 20;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Order {
    id: String,
    unique_id: String,
    placed_at: Timestamp,
    variety: String,
    symbol: String,
    token: String,
    side: String,
    exchange: String,
    kind: String,
    product: String,
    duration: String,
    price: f64,
    quantity: u32,
    tag: String,
    cancelled: bool,
}

/// `POST placeOrder`.
pub(super) fn place(state: &State, request: &Request) -> Reply {
    ordering(state, request, |angelone, caller| {
        let Some(body @ Value::Object(_)) = request.json() else {
            return backend_failure(state, "AB1004", "Something Went Wrong, Please Try After Sometime");
        };
        let order = match read_order(&body) {
            Ok(order) => order,
            Err((code, message)) => return backend_failure(state, code, message),
        };
        let number = angelone.orders_placed.next();
        let now = state.now();
        let id = format!("{}{number:09}", now.format_ist("%y%m%d"));
        let order = Order {
            id,
            unique_id: random::uuid(),
            placed_at: now,
            ..order
        };
        let data = json!({"script": order.symbol, "orderid": order.id, "uniqueorderid": order.unique_id});
        if let Some(member) = angelone.position(&caller.account.client_code) {
            let known = angelone.orders.range(all_of(member));
            if let Some(oldest) = known.map(|(key, _)| *key).rev().nth(KEPT - 1) {
                angelone.orders.remove(&oldest);
            }
            angelone.orders.insert((member, number), order);
        }
        success(&data)
    })
}

fn read_order(body: &Value) -> Result<Order, (&'static str, &'static str)> {
    let field = |name| text_field(body, name).unwrap_or_default();
    let one_of = |name, allowed: &[&str], code, message| {
        let text = field(name);
        if allowed.contains(&text.as_str()) {
            Ok(text)
        } else {
            Err((code, message))
        }
    };
    // Invalid parameters of an order come back under this overloaded code.
    let invalid = ("AB1007", "AMX Error");
    let variety = one_of(
        "variety",
        &["NORMAL", "STOPLOSS", "AMO", "ROBO"],
        "AB1008",
        "Invalid Order Variety",
    )?;
    let products = ["DELIVERY", "CARRYFORWARD", "MARGIN", "INTRADAY", "BO"];
    let product = one_of("producttype", &products, "AB1012", "Invalid Product Type")?;
    let symbol = field("tradingsymbol");
    if !is_symbol(&symbol) || field("symboltoken").is_empty() {
        return Err(("AB1009", "Symbol Not Found"));
    }
    let kinds = ["MARKET", "LIMIT", "STOPLOSS_LIMIT", "STOPLOSS_MARKET"];
    let side = one_of("transactiontype", &["BUY", "SELL"], invalid.0, invalid.1)?;
    let kind = one_of("ordertype", &kinds, invalid.0, invalid.1)?;
    let duration = one_of("duration", &["DAY", "IOC"], invalid.0, invalid.1)?;
    let quantity = field("quantity")
        .parse()
        .ok()
        .filter(|quantity| *quantity > 0)
        .ok_or(invalid)?;
    let (token, exchange) = (field("symboltoken"), field("exchange"));
    if token.len() > TEXT || exchange.len() > TEXT {
        return Err(invalid);
    }
    let tag = field("ordertag");
    if tag.len() >= 20 {
        return Err(("AB4008", "ordertag length should be less than 20 characters"));
    }
    Ok(Order {
        id: String::new(),
        unique_id: String::new(),
        placed_at: Timestamp::from_millis(0),
        variety,
        token,
        symbol,
        side,
        exchange,
        kind,
        product,
        duration,
        price: price(&field("price")).unwrap_or(0.0),
        quantity,
        tag,
        cancelled: false,
    })
}

/// A price: a number that JSON can tell.
fn price(text: &str) -> Option<f64> {
    text.parse().ok().filter(|price: &f64| price.is_finite())
}

/// `POST modifyOrder`.
pub(super) fn modify(state: &State, request: &Request) -> Reply {
    change(state, request, |order, body| {
        if let Some(quantity) = text_field(body, "quantity").and_then(|text| text.parse().ok()) {
            order.quantity = quantity;
        }
        if let Some(price) = text_field(body, "price").and_then(|text| price(&text)) {
            order.price = price;
        }
        let replace = |name: &str, text: &mut String| {
            if let Some(new) = text_field(body, name).filter(|new| !new.is_empty() && new.len() <= TEXT) {
                *text = new;
            }
        };
        replace("ordertype", &mut order.kind);
        replace("producttype", &mut order.product);
        replace("duration", &mut order.duration);
    })
}

/// `POST cancelOrder`.
pub(super) fn cancel(state: &State, request: &Request) -> Reply {
    change(state, request, |order, _| order.cancelled = true)
}

fn change(state: &State, request: &Request, edit: impl FnOnce(&mut Order, &Value)) -> Reply {
    ordering(state, request, |angelone, caller| {
        let body = request.json().unwrap_or_default();
        let id = text_field(&body, "orderid").unwrap_or_default();
        let mut orders = orders_of(angelone, caller);
        let open = orders.find(|(_, order)| order.id == id && !order.cancelled);
        let key = open.map(|(key, _)| *key);
        drop(orders);
        let Some(order) = key.and_then(|key| angelone.orders.get_mut(&key)) else {
            return backend_failure(state, "AB1013", "Order not found");
        };
        edit(order, &body);
        success(&json!({"orderid": order.id, "uniqueorderid": order.unique_id}))
    })
}

/// `GET getOrderBook`; `data` is null when there is no order.
pub(super) fn book(state: &State, request: &Request) -> Reply {
    reading(state, request, |angelone, caller| {
        let rows: Vec<_> = orders_of(angelone, caller).map(|(_, order)| row(order)).collect();
        if rows.is_empty() {
            success(&Value::Null)
        } else {
            success(&rows.into())
        }
    })
}

/// `GET details/{uniqueorderid}`.
pub(super) fn details(state: &State, request: &Request) -> Reply {
    reading(state, request, |angelone, caller| {
        let id = request.path.strip_prefix(DETAILS).unwrap_or_default();
        let found = orders_of(angelone, caller).find(|(_, order)| order.unique_id == id);
        found.map_or_else(
            || backend_failure(state, "AB1013", "Order not found"),
            |(_, order)| success(&row(order)),
        )
    })
}

fn all_of(member: usize) -> RangeInclusive<(usize, u64)> {
    (member, 0)..=(member, u64::MAX)
}

/// The caller's orders, oldest first.
fn orders_of<'a>(
    angelone: &'a AngelOne,
    caller: &Caller,
) -> impl DoubleEndedIterator<Item = (&'a (usize, u64), &'a Order)> + use<'a> {
    let member = angelone.position(&caller.account.client_code);
    member
        .into_iter()
        .flat_map(|member| angelone.orders.range(all_of(member)))
}

fn row(order: &Order) -> Value {
    let status = if order.cancelled { "cancelled" } else { "open" };
    json!({
        "variety": order.variety, "ordertype": order.kind, "producttype": order.product, "duration": order.duration,
        "price": order.price, "triggerprice": 0, "quantity": order.quantity.to_string(), "disclosedquantity": "0",
        "squareoff": 0, "stoploss": 0, "trailingstoploss": 0, "tradingsymbol": order.symbol,
        "transactiontype": order.side, "exchange": order.exchange, "symboltoken": order.token, "instrumenttype": "",
        "strikeprice": -1, "optiontype": "", "expirydate": "", "lotsize": "1",
        "cancelsize": if order.cancelled { order.quantity.to_string() } else { "0".to_owned() }, "averageprice": 0,
        "filledshares": "0", "unfilledshares": order.quantity.to_string(), "orderid": order.id, "text": "",
        "status": status, "orderstatus": status,
        "updatetime": order.placed_at.format_ist("%d-%b-%Y %H:%M:%S"), "exchtime": "", "exchorderupdatetime": "",
        "fillid": "", "filltime": "", "parentorderid": "", "ordertag": order.tag, "uniqueorderid": order.unique_id,
    })
}
