//! Samco orders: enough of an order system to show the static-IP gate and what became of an order.

use std::ops::RangeInclusive;

use preopen_core::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Samco;
use super::data::{is_symbol, price_of, rupees};
use super::envelope::{failure, invalid, irregular, success};
use super::session::{Caller, ordering, reading_orders};
use crate::state::State;
use crate::wire::{Reply, Request, text_field};

/// How many orders of an account are kept.
const KEPT: usize = 5000;
/// How long a text of an order may be.
const TEXT: usize = 20;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Order {
    number: String,
    placed_at: Timestamp,
    symbol: String,
    exchange: String,
    side: String,
    kind: String,
    product: String,
    validity: String,
    quantity: u32,
    disclosed: String,
    price: String,
    trigger: String,
    cancelled: bool,
}

/// `POST /order/placeOrder`.
pub(super) fn place(state: &State, request: &Request) -> Reply {
    ordering(state, request, |samco, caller| {
        let Some(body @ Value::Object(_)) = request.json() else {
            return invalid(state, &["the body must be a JSON object".to_owned()]);
        };
        let order = match read_order(&body) {
            Ok(order) => order,
            Err(problems) => return invalid(state, &problems),
        };
        if !is_symbol(&order.symbol) {
            return failure(
                state,
                "No Symbol found for the provided symbol name and exchange.",
                json!({}),
            );
        }
        let serial = samco.orders_placed.next();
        let now = state.now();
        let number = format!("{}{serial:09}", now.format_ist("%y%m%d"));
        let order = Order {
            number,
            placed_at: now,
            ..order
        };
        let payload = json!({
            "orderNumber": order.number, "exchangeOrderStatus": "PENDING", "rejectionReason": "--",
            "orderDetails": details(&order, &caller.account),
        });
        let text = format!("Requested {} Order placed successfully", order.product);
        let known = samco.orders.range(all_of(caller));
        if let Some(oldest) = known.map(|(key, _)| *key).rev().nth(KEPT - 1) {
            samco.orders.remove(&oldest);
        }
        samco.orders.insert((caller.member, serial), order);
        success(state, &text, payload)
    })
}

/// What is wrong with texts that are kept as they come, since no document says what they may be.
fn too_long(body: &Value) -> Option<String> {
    let kept = [
        "exchange",
        "orderType",
        "orderValidity",
        "disclosedQuantity",
        "price",
        "triggerPrice",
    ];
    let is_long = |name: &&str| text_field(body, name).is_some_and(|text| text.len() > TEXT);
    let found = kept.into_iter().find(is_long);
    found.map(|name| format!("{name} has more than {TEXT} characters"))
}

fn read_order(body: &Value) -> Result<Order, Vec<String>> {
    let mut problems = Vec::new();
    let mut needed = |name: &str, allowed: &[&str]| {
        let text = text_field(body, name).unwrap_or_default();
        if text.is_empty() {
            problems.push(format!("{name} is required"));
        } else if !allowed.is_empty() && !allowed.contains(&text.as_str()) {
            problems.push(format!("{name} must be one of {}", allowed.join(", ")));
        }
        text
    };
    let symbol = needed("symbolName", &[]);
    let side = needed("transactionType", &["BUY", "SELL"]);
    let kind = needed("orderType", &["L", "MKT", "SL", "SL-M"]);
    let product = needed("productType", &["MIS", "CNC", "NRML"]);
    let validity = needed("orderValidity", &["DAY", "IOC"]);
    let quantity = needed("quantity", &[]).parse().unwrap_or(0);
    if quantity == 0 && problems.is_empty() {
        problems.push("quantity must be a whole number above 0".to_owned());
    }
    problems.extend(too_long(body));
    if !problems.is_empty() {
        return Err(problems);
    }
    let optional = |name: &str, default: &str| text_field(body, name).unwrap_or_else(|| default.to_owned());
    let price = optional("price", &rupees(price_of(&symbol).0));
    Ok(Order {
        number: String::new(),
        placed_at: Timestamp::from_millis(0),
        exchange: optional("exchange", "NSE"),
        symbol,
        side,
        kind,
        product,
        validity,
        quantity,
        disclosed: optional("disclosedQuantity", "0"),
        price,
        trigger: optional("triggerPrice", "0.00"),
        cancelled: false,
    })
}

/// `PUT /order/modifyOrder/{orderNumber}`.
pub(super) fn modify(state: &State, request: &Request) -> Reply {
    let number = request.path.rsplit('/').next().unwrap_or_default();
    ordering(state, request, |samco, caller| {
        let Some(body @ Value::Object(_)) = request.json() else {
            return invalid(state, &["the body must be a JSON object".to_owned()]);
        };
        // The documents spell this one field with a lower-case n.
        let payload = json!({"ordernumber": number});
        let Some(order) = open_order(samco, caller, number) else {
            return failure(state, "Invalid Order number.", payload);
        };
        if let Some(quantity) = text_field(&body, "quantity") {
            match quantity.parse() {
                Ok(quantity) if quantity > 0 => order.quantity = quantity,
                _ => return invalid(state, &["quantity must be a whole number above 0".to_owned()]),
            }
        }
        if let Some(problem) = too_long(&body) {
            return invalid(state, &[problem]);
        }
        let change = |name: &str, field: &mut String| {
            if let Some(text) = text_field(&body, name).filter(|text| !text.is_empty()) {
                *field = text;
            }
        };
        change("orderType", &mut order.kind);
        change("orderValidity", &mut order.validity);
        change("disclosedQuantity", &mut order.disclosed);
        change("price", &mut order.price);
        change("triggerPrice", &mut order.trigger);
        success(state, "Order modified successfully.", payload)
    })
}

/// `DELETE /order/cancelOrder?orderNumber=`.
pub(super) fn cancel(state: &State, request: &Request) -> Reply {
    ordering(state, request, |samco, caller| {
        let Some(number) = request.query("orderNumber").filter(|number| !number.is_empty()) else {
            return invalid(state, &["orderNumber is required".to_owned()]);
        };
        let Some(order) = open_order(samco, caller, &number) else {
            return failure(state, "Invalid Order number.", json!({"orderNumber": number}));
        };
        order.cancelled = true;
        success(
            state,
            "Order cancellation request placed successfully",
            json!({"orderNumber": number}),
        )
    })
}

/// `GET /order/getOrderStatus?orderNumber=`. The documented reply has no `status`.
pub(super) fn status(state: &State, request: &Request) -> Reply {
    reading_orders(state, request, |samco, caller| {
        let number = request.query("orderNumber").unwrap_or_default();
        let mut orders = samco.orders.range(all_of(caller));
        let Some((_, order)) = orders.find(|(_, order)| order.number == number) else {
            return failure(state, "Invalid Order number.", json!({"orderNumber": number}));
        };
        irregular(
            state,
            json!({
                "orderNumber": order.number, "orderStatus": if order.cancelled { "CANCELLED" } else { "PENDING" },
                "statusMessage": format!("Requested {} Order placed successfully", order.product),
                "orderDetails": details(order, &caller.account),
            }),
        )
    })
}

/// `GET /order/orderBook`.
pub(super) fn book(state: &State, request: &Request) -> Reply {
    reading_orders(state, request, |samco, caller| {
        let id = &caller.account;
        let orders = samco.orders.range(all_of(caller));
        let rows: Vec<_> = orders.map(|(_, order)| row(order, id)).collect();
        if rows.is_empty() {
            return failure(state, "No orders found.", json!({}));
        }
        success(state, "Request successful", json!({"orderBookDetails": rows}))
    })
}

/// The keys of a caller's orders.
fn all_of(caller: &Caller) -> RangeInclusive<(usize, u64)> {
    (caller.member, 0)..=(caller.member, u64::MAX)
}

fn open_order<'a>(samco: &'a mut Samco, caller: &Caller, number: &str) -> Option<&'a mut Order> {
    let mut orders = samco.orders.range(all_of(caller));
    let (key, _) = orders.find(|(_, order)| order.number == number && !order.cancelled)?;
    let key = *key;
    samco.orders.get_mut(&key)
}

fn details(order: &Order, account: &str) -> Value {
    json!({
        "pendingQuantity": order.quantity.to_string(), "avgExecutionPrice": "0.00", "orderPlacedBy": account,
        "tradingSymbol": order.symbol, "triggerPrice": order.trigger, "exchange": order.exchange,
        "totalQuantity": order.quantity.to_string(), "expiry": "--", "transactionType": order.side,
        "productType": order.product, "orderType": order.kind, "quantity": order.quantity.to_string(),
        "filledQuantity": "0", "orderPrice": order.price, "filledPrice": "0.0",
        "exchangeOrderNo": format!("99{}", order.number), "orderValidity": order.validity,
        "orderTime": order.placed_at.format_ist("%d/%m/%Y %H:%M:%S"),
    })
}

fn row(order: &Order, account: &str) -> Value {
    let state = if order.cancelled { "cancelled" } else { "pending" };
    let time = order.placed_at.format_ist("%d-%b-%Y %H:%M:%S");
    let quantity = order.quantity.to_string();
    let open = if order.cancelled { "0" } else { &quantity };
    json!({
        "orderNumber": order.number, "exchange": order.exchange, "tradingSymbol": order.symbol,
        "symbolDescription": "SANDBOX INDUSTRIES LTD", "transactionType": order.side,
        "productCode": order.product, "orderType": order.kind, "orderPrice": order.price, "quantity": quantity,
        "disclosedQuantity": order.disclosed, "triggerPrice": order.trigger, "marketProtection": "3",
        "orderValidity": order.validity, "orderStatus": if order.cancelled { "Cancelled" } else { "Pending" },
        "orderValue": "0.00", "instrumentName": "NA", "orderTime": time, "userId": account, "filledQuantity": "0",
        "fillPrice": "0.00", "averagePrice": "0.00", "unfilledQuantity": open,
        "exchangeOrderId": format!("99{}", order.number), "rejectionReason": "NA", "exchangeConfirmationTime": time,
        "cancelledQuantity": if order.cancelled { &quantity } else { "0" }, "referenceLimitPrice": "0.00",
        "coverOrderPercentage": "0.00", "orderRemarks": "--", "exchangeOrderNumber": format!("99{}", order.number),
        "symbol": format!("{}_{}", price_of(&order.symbol).1, order.exchange), "displayStrikePrice": "0.00",
        "displayNetQuantity": quantity, "status": state, "exchangeStatus": state, "expiry": "--",
        "pendingQuantity": open, "instrument": "--", "scripName": "--", "totalQuanity": quantity,
        "optionType": "--", "orderPlaceBy": account, "lotQuantity": "1", "parentOrderId": "",
    })
}
