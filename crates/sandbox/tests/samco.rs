//! Samco over real HTTP: documented shapes, every documented refusal, the 08:00 logout, the static-IP gate.

#![allow(clippy::unwrap_used)] // helpers of tests may unwrap

mod common;

use common::{Harness, keys, read, samco_order, same_fields, start, start_at};
use preopen_sandbox::SourceIp;
use reqwest::Method;
use serde_json::{Value, json};

const MANDATORY: &str =
    "Unauthorized - Session token is mandatory. Please provide session token in 'x-session-token' header";
const INVALID: &str = "Unauthorized - Invalid token. sessId missing.";

#[tokio::test]
async fn login_has_the_documented_shape() {
    let h = start().await;
    let account = h.samco(0);
    let body = json!({"apiKey": account.api_key, "apiSecret": account.api_secret});
    let (status, reply) = h.post("/session/token", &body).await;
    assert_eq!(status, 200);
    let documented = [
        "serverTime",
        "msgId",
        "status",
        "statusMessage",
        "sessionToken",
        "tokenId",
        "accountID",
        "accountName",
        "exchangeList",
        "orderTypeList",
        "productList",
        "srcIp",
        "primaryIp",
        "secondaryIp",
    ];
    same_fields(&reply, &documented);
    assert_eq!(reply["serverTime"], "20/11/26 10:00:00");
    assert_eq!(reply["accountID"], "SBX001");
    assert_eq!(reply["srcIp"], reply["primaryIp"]);
    let token = reply["sessionToken"].as_str().unwrap();
    assert!(token.starts_with("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."));
    assert_eq!(preopen_core::expiry::jwt_expiry(token), None);
    h.sandbox.switch("samco_jwt_exp", true).unwrap();
    let token = h.samco_login(0).await;
    assert_eq!(
        preopen_core::expiry::jwt_expiry(&token).unwrap().to_ist(),
        "2026-11-21 08:00:00 IST"
    );
}

async fn refused(h: &Harness, body: Value) -> (u16, String, Value) {
    let (status, reply) = h.post("/session/token", &body).await;
    assert_eq!(reply["status"], "Failure", "{reply}");
    assert!(reply.get("serverTime").is_none() && reply.get("msgId").is_none());
    (
        status,
        reply["statusMessage"].as_str().unwrap().to_owned(),
        reply["errorCode"].clone(),
    )
}

#[tokio::test]
async fn every_documented_login_refusal() {
    let h = start().await;
    let account = h.samco(0);
    let (key, secret) = (&account.api_key, &account.api_secret);
    let right = || json!({"apiKey": key, "apiSecret": secret});
    let missing = (400, "apiKey and apiSecret are required".to_owned(), Value::Null);
    for body in [
        json!({}),
        json!({"apiKey": key}),
        json!({"apiKey": key, "apiSecret": " "}),
        json!([1]),
    ] {
        assert_eq!(refused(&h, body).await, missing);
    }
    let coded = |text: &str, code: &str| (401, text.to_owned(), json!(code));
    let body = json!({"apiKey": "sandbox-nobody", "apiSecret": secret});
    assert_eq!(refused(&h, body).await, coded("Invalid API key", "EOAUTH001"));
    let body = json!({"apiKey": key, "apiSecret": "plain text"});
    assert_eq!(
        refused(&h, body).await,
        coded("Invalid API secret format", "EOAUTH008")
    );
    let body = json!({"apiKey": key, "apiSecret": h.samco(1).api_secret});
    assert_eq!(refused(&h, body).await, coded("Invalid API secret", "EOAUTH008"));

    let bare = |status: u16, text: &str| (status, text.to_owned(), Value::Null);
    let not_subscribed = "User not subscribed. Please subscribe to access trade API";
    let cases = [
        (
            json!({"app_active": false}),
            coded("Invalid or inactive API key", "EOAUTH001"),
        ),
        (
            json!({"app_active": true, "subscribed": false}),
            bare(403, not_subscribed),
        ),
        (
            json!({"subscribed": true, "blocked": true}),
            bare(403, "User account is blocked"),
        ),
    ];
    for (change, expected) in cases {
        let (status, shown) = h.control("PATCH", "/accounts/SBX001", change).await;
        assert_eq!(status, 200, "{shown}");
        assert_eq!(refused(&h, right()).await, expected);
    }
    h.control(
        "PATCH",
        "/accounts/SBX001",
        json!({"blocked": false, "needs_app_login": true}),
    )
    .await;
    let (status, text, code) = refused(&h, right()).await;
    assert!(status == 401 && text.starts_with("Unable to start your trading session.") && code.is_null());
    h.control("PATCH", "/accounts/SBX001", json!({"needs_app_login": false}))
        .await;
    h.samco_login(0).await;
}

#[tokio::test]
async fn whoami_knows_both_addresses_and_a_mismatch_is_a_success() {
    let h = start().await;
    let token = h.samco_login(0).await;
    let documented = [
        "serverTime",
        "msgId",
        "status",
        "statusMessage",
        "srcIp",
        "primaryIp",
        "secondaryIp",
        "matches",
        "matchedAs",
    ];
    let (status, reply) = h.with_token(Method::GET, "/ip/whoami", &token, None).await;
    assert_eq!(status, 200);
    same_fields(&reply, &documented);
    assert_eq!(
        (&reply["matches"], &reply["matchedAs"]),
        (&json!(true), &json!("PRIMARY"))
    );
    assert_eq!(
        reply["statusMessage"],
        "Calling from registered PRIMARY IP (203.0.113.10)."
    );

    let (status, shown) = h
        .control("PUT", "/source-ip", json!({"ip": "203.0.113.11"}))
        .await;
    assert_eq!((status, shown), (200, json!({"ip": "203.0.113.11"})));
    let (_, reply) = h.with_token(Method::GET, "/ip/whoami", &token, None).await;
    assert_eq!(reply["matchedAs"], "SECONDARY");

    h.sandbox
        .set_source_ip(SourceIp::Fixed("198.51.100.7".parse().unwrap()));
    let (status, reply) = h.with_token(Method::GET, "/ip/whoami", &token, None).await;
    assert_eq!((status, &reply["status"]), (200, &json!("Success")));
    assert_eq!(
        (&reply["matches"], &reply["matchedAs"]),
        (&json!(false), &Value::Null)
    );
    assert_eq!(reply["srcIp"], "198.51.100.7");

    // The header goes before the setting, unless its switch is off.
    let ask = || {
        h.request(Method::GET, "/ip/whoami")
            .header("x-session-token", &token)
    };
    let (_, reply) = read(
        ask()
            .header("X-Sandbox-Source-IP", "203.0.113.10")
            .send()
            .await
            .unwrap(),
    )
    .await;
    assert_eq!(reply["matchedAs"], "PRIMARY");
    h.sandbox.switch("source_ip_header", false).unwrap();
    let (_, reply) = read(
        ask()
            .header("X-Sandbox-Source-IP", "203.0.113.10")
            .send()
            .await
            .unwrap(),
    )
    .await;
    assert_eq!(reply["matches"], false);

    h.control("PUT", "/source-ip", json!({"ip": null})).await;
    let (_, reply) = h.with_token(Method::GET, "/ip/whoami", &token, None).await;
    assert_eq!(reply["srcIp"], "127.0.0.1");
    // At home every account calls from its own primary address.
    h.control("PUT", "/source-ip", json!({"ip": "home"})).await;
    let token = h.samco_login(1).await;
    let (_, reply) = h.with_token(Method::GET, "/ip/whoami", &token, None).await;
    assert_eq!(
        (&reply["srcIp"], &reply["matchedAs"]),
        (&json!("203.0.113.20"), &json!("PRIMARY"))
    );
    assert_eq!(reply["secondaryIp"], "");
    h.sandbox.switch("samco_unset_ip", "null").unwrap();
    let (_, reply) = h.with_token(Method::GET, "/ip/whoami", &token, None).await;
    assert_eq!(reply["secondaryIp"], Value::Null);
}

#[tokio::test]
async fn sessions_end_at_the_first_eight_o_clock() {
    for (login, alive, over) in [
        (
            "2026-11-20T10:00:00+05:30",
            "2026-11-21T07:59:59.999+05:30",
            "2026-11-21T08:00:00+05:30",
        ),
        (
            "2026-11-20T07:59:00+05:30",
            "2026-11-20T07:59:59.999+05:30",
            "2026-11-20T08:00:00+05:30",
        ),
        (
            "2026-11-20T08:00:00+05:30",
            "2026-11-21T07:59:59+05:30",
            "2026-11-21T08:00:00+05:30",
        ),
    ] {
        let h = start_at(login).await;
        let token = h.samco_login(0).await;
        let at = |time: &str| json!({"now": time});
        let (status, clock) = h.control("PUT", "/clock", at(alive)).await;
        assert_eq!(status, 200, "{clock}");
        assert_eq!(
            h.with_token(Method::GET, "/limit/getLimits", &token, None)
                .await
                .0,
            200,
            "{alive}"
        );
        h.control("PUT", "/clock", at(over)).await;
        let (status, reply) = h.with_token(Method::GET, "/limit/getLimits", &token, None).await;
        assert_eq!(
            (status, reply["statusMessage"].as_str().unwrap()),
            (401, INVALID),
            "{over}"
        );
        let fresh = h.samco_login(0).await;
        assert_eq!(
            h.with_token(Method::GET, "/limit/getLimits", &fresh, None)
                .await
                .0,
            200
        );
    }
}

#[tokio::test]
async fn tokens_that_do_not_count() {
    let h = start().await;
    let (status, reply) = read(h.request(Method::GET, "/ip/whoami").send().await.unwrap()).await;
    assert_eq!(
        (status, reply),
        (401, json!({"status": "Failure", "statusMessage": MANDATORY}))
    );
    let (status, reply) = h
        .with_token(Method::GET, "/ip/whoami", "made.up.token", None)
        .await;
    assert_eq!((status, reply["statusMessage"].as_str().unwrap()), (401, INVALID));

    // A second login ends the first session, unless the switch is off.
    let first = h.samco_login(0).await;
    let second = h.samco_login(0).await;
    assert_eq!(h.with_token(Method::GET, "/ip/whoami", &first, None).await.0, 401);
    h.sandbox
        .switch("samco_second_login_revokes_first", false)
        .unwrap();
    let third = h.samco_login(0).await;
    assert_eq!(
        h.with_token(Method::GET, "/ip/whoami", &second, None).await.0,
        200
    );

    let (status, reply) = h.with_token(Method::DELETE, "/logout", &second, None).await;
    assert_eq!(
        (status, keys(&reply)),
        (200, vec!["msgId", "serverTime", "status", "statusMessage"])
    );
    h.sandbox.switch("samco_expired_text", "session_expired").unwrap();
    let (status, reply) = h.with_token(Method::GET, "/ip/whoami", &second, None).await;
    assert_eq!(
        (status, &reply["statusMessage"]),
        (401, &json!("Session Expired"))
    );
    assert_eq!(h.with_token(Method::GET, "/ip/whoami", &third, None).await.0, 200);

    // A broker may end a session at any time.
    let (status, ended) = h.control("DELETE", "/sessions?account=SBX001", Value::Null).await;
    assert_eq!((status, ended), (200, json!({"ended": 1})));
    assert_eq!(h.with_token(Method::GET, "/ip/whoami", &third, None).await.0, 401);
    // New credentials end sessions too.
    let token = h.samco_login(1).await;
    h.control("PATCH", "/accounts/SBX002", json!({"api_key": "sandbox-new-key"}))
        .await;
    assert_eq!(h.with_token(Method::GET, "/ip/whoami", &token, None).await.0, 401);
}

#[tokio::test]
async fn orders_pass_only_from_a_registered_address() {
    let h = start().await;
    let token = h.samco_login(0).await;
    let (status, placed) = h
        .with_token(Method::POST, "/order/placeOrder", &token, Some(&samco_order()))
        .await;
    assert_eq!(status, 200, "{placed}");
    let documented = [
        "serverTime",
        "msgId",
        "orderNumber",
        "status",
        "exchangeOrderStatus",
        "rejectionReason",
        "statusMessage",
        "orderDetails",
    ];
    same_fields(&placed, &documented);
    let number = placed["orderNumber"].as_str().unwrap();
    let modify = format!("/order/modifyOrder/{number}");
    let change = json!({"orderType": "L", "quantity": "3", "orderValidity": "DAY", "price": "14.00"});
    let cancel = format!("/order/cancelOrder?orderNumber={number}");

    h.control("PUT", "/source-ip", json!({"ip": "198.51.100.7"}))
        .await;
    let refusal = json!({"status": "Failure", "statusMessage": "The IP is not the registered static IP"});
    for (method, path, body) in [
        (Method::POST, "/order/placeOrder", Some(samco_order())),
        (Method::PUT, &modify, Some(change.clone())),
        (Method::DELETE, &cancel, None),
    ] {
        let answered = h.with_token(method, path, &token, body.as_ref()).await;
        assert_eq!(answered, (403, refusal.clone()), "{path}");
    }
    for path in [
        "/ip/whoami",
        "/order/orderBook",
        "/limit/getLimits",
        "/holding/getHoldings",
    ] {
        assert_eq!(
            h.with_token(Method::GET, path, &token, None).await.0,
            200,
            "{path}"
        );
    }
    h.sandbox.switch("samco_ip_scope", "order_reads").unwrap();
    for (path, expected) in [("/order/orderBook", 403), ("/limit/getLimits", 200)] {
        assert_eq!(
            h.with_token(Method::GET, path, &token, None).await.0,
            expected,
            "{path}"
        );
    }
    h.sandbox.switch("samco_ip_scope", "all").unwrap();
    assert_eq!(
        h.with_token(Method::GET, "/limit/getLimits", &token, None)
            .await
            .0,
        403
    );
    assert_eq!(h.with_token(Method::GET, "/ip/whoami", &token, None).await.0, 200);
    h.sandbox.switch("samco_ip_error_code", true).unwrap();
    let (_, reply) = h.with_token(Method::DELETE, &cancel, &token, None).await;
    assert_eq!(reply["errorCode"], "EOAUTH009");

    h.control("PUT", "/source-ip", json!({"ip": "home"})).await;
    let (status, reply) = h.with_token(Method::PUT, &modify, &token, Some(&change)).await;
    assert_eq!((status, &reply["ordernumber"]), (200, &placed["orderNumber"]));
    let (_, reply) = h
        .with_token(
            Method::GET,
            &format!("/order/getOrderStatus?orderNumber={number}"),
            &token,
            None,
        )
        .await;
    assert!(reply.get("status").is_none());
    assert_eq!(reply["orderDetails"]["quantity"], "3");
    assert_eq!(h.with_token(Method::DELETE, &cancel, &token, None).await.0, 200);
    let (status, reply) = h.with_token(Method::DELETE, &cancel, &token, None).await;
    assert_eq!(
        (status, &reply["statusMessage"]),
        (400, &json!("Invalid Order number."))
    );
    let (_, book) = h.with_token(Method::GET, "/order/orderBook", &token, None).await;
    assert_eq!(book["orderBookDetails"].as_array().unwrap().len(), 1);
    assert_eq!(book["orderBookDetails"][0]["orderStatus"], "Cancelled");
}

#[tokio::test]
async fn wrong_orders_and_quotes_are_explained() {
    let h = start().await;
    let token = h.samco_login(0).await;
    let (status, reply) = h
        .with_token(Method::POST, "/order/placeOrder", &token, Some(&json!({})))
        .await;
    assert_eq!(status, 400);
    assert!(reply["validationErrors"].as_array().unwrap().len() > 3 && reply.get("statusMessage").is_none());
    let (status, quote) = h
        .with_token(
            Method::GET,
            "/quote/getQuote?symbolName=TCS&exchange=NSE",
            &token,
            None,
        )
        .await;
    assert_eq!(status, 200);
    assert_eq!(quote["quoteDetails"]["symbolName"], "TCS");
    let unknown = "/quote/getQuote?symbolName=UNKNOWN1";
    let (status, reply) = h.with_token(Method::GET, unknown, &token, None).await;
    assert_eq!((status, &reply["status"]), (400, &json!("Failure")));
    h.sandbox.switch("samco_http_ok_failures", true).unwrap();
    assert_eq!(h.with_token(Method::GET, unknown, &token, None).await.0, 200);
    let wanted = json!({"NSE": ["TCS", "INFY"], "BSE": ["SBIN"]});
    let (status, quotes) = h
        .with_token(Method::POST, "/quote/multiQuote", &token, Some(&wanted))
        .await;
    assert_eq!(
        (status, quotes["multiQuotes"].as_array().unwrap().len()),
        (200, 3)
    );
    for (method, path, expected) in [
        (Method::GET, "/nowhere", 404),
        (Method::GET, "/session/token", 405),
    ] {
        let (status, reply) = h.with_token(method, path, &token, None).await;
        assert_eq!((status, &reply["status"]), (expected, &json!("Failure")));
    }
}
