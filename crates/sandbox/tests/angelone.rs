//! SmartAPI over real HTTP: documented shapes, refusals of backend and gateway, the midnight end, switches.

#![allow(clippy::unwrap_used)] // helpers of tests may unwrap

mod common;

use common::{Harness, LOGIN, REST, TOKENS, angelone_order, keys, read, same_fields, start, start_at};
use reqwest::Method;
use serde_json::{Value, json};

async fn login(h: &Harness, body: &Value) -> (u16, Value) {
    read(
        h.smartapi(Method::POST, LOGIN, 0)
            .json(body)
            .send()
            .await
            .unwrap(),
    )
    .await
}

fn backend(code: &str, message: &str) -> (u16, Value) {
    (
        200,
        json!({"status": false, "message": message, "errorcode": code, "data": null}),
    )
}

fn gateway(code: &str, message: &str) -> (u16, Value) {
    (
        200,
        json!({"success": false, "message": message, "errorCode": code, "data": ""}),
    )
}

#[tokio::test]
async fn login_and_its_refusals() {
    let h = start().await;
    let mut body = h.login_body(0);
    body["state"] = "my-state".into();
    let (status, reply) = login(&h, &body).await;
    assert_eq!(
        (status, &reply["message"], &reply["errorcode"]),
        (200, &json!("SUCCESS"), &json!(""))
    );
    same_fields(
        &reply["data"],
        &["jwtToken", "refreshToken", "feedToken", "state"],
    );
    assert!(
        reply["data"]["jwtToken"]
            .as_str()
            .unwrap()
            .starts_with("eyJhbGciOiJIUzUxMiJ9.")
    );

    let with = |name: &str, value: &str| {
        let mut body = h.login_body(0);
        body[name] = value.into();
        body
    };
    let wrong_login = backend("AB1007", "Login Id or password is invalid");
    assert_eq!(login(&h, &with("password", "9999")).await, wrong_login);
    assert_eq!(login(&h, &with("clientcode", "NOBODY")).await, wrong_login);
    assert_eq!(
        login(&h, &with("totp", "000000")).await,
        backend("AB1050", "Invalid totp")
    );
    assert_eq!(
        login(&h, &with("totp", "")).await,
        backend("AB1050", "Invalid totp")
    );
    h.sandbox.switch("angelone_wrong_pin", "AB1050").unwrap();
    assert_eq!(
        login(&h, &with("password", "9999")).await,
        backend("AB1050", "Invalid totp")
    );

    let bare = || h.request(Method::POST, LOGIN).json(&h.login_body(0));
    let answered = read(
        bare()
            .header("X-UserType", "USER")
            .header("X-PrivateKey", "nope")
            .send()
            .await
            .unwrap(),
    )
    .await;
    assert_eq!(answered, backend("AB1053", "Invalid apiKey"));
    let answered = read(
        bare()
            .header("X-PrivateKey", &h.angelone(0).api_key)
            .send()
            .await
            .unwrap(),
    )
    .await;
    assert_eq!(answered, backend("AB1005", "User Type Must Be USER"));
    let sent = h
        .smartapi(Method::POST, LOGIN, 0)
        .body("{not json")
        .send()
        .await
        .unwrap();
    assert_eq!(read(sent).await.1["errorcode"], "AB1004");
    h.control("PATCH", "/accounts/SBX101", json!({"blocked": true}))
        .await;
    assert_eq!(
        login(&h, &h.login_body(0)).await,
        gateway("AB1006", "Client Is Block For Trading")
    );
    h.sandbox.switch("angelone_failure_status", 401).unwrap();
    assert_eq!(login(&h, &h.login_body(0)).await.0, 401);
}

#[tokio::test]
async fn totp_follows_the_clocks_and_the_window() {
    // Far from real time, so that the two clocks cannot agree by accident.
    let h = start_at("2031-01-01T10:00:00+05:30").await;
    let code_of = |at: preopen_core::Timestamp| {
        let secret = preopen_core::totp::TotpSecret::new(h.angelone(0).totp_secret.as_str());
        secret.code_at(at).unwrap().spend().expose().to_owned()
    };
    let now = preopen_core::Clock::now(&*h.sandbox.clock()).wall;
    let real = preopen_core::Clock::now(&preopen_core::SystemClock).wall;
    let try_code = async |code: String| {
        let mut body = h.login_body(0);
        body["totp"] = code.into();
        login(&h, &body).await.1["status"] == true
    };
    assert!(try_code(code_of(now)).await && try_code(code_of(real)).await);
    assert!(
        try_code(code_of(now.plus_millis(-30_000))).await && try_code(code_of(now.plus_millis(30_000))).await
    );
    assert!(!try_code(code_of(now.plus_millis(-90_000))).await);
    h.sandbox.switch("totp_window_steps", 0).unwrap();
    assert!(!try_code(code_of(now.plus_millis(-30_000))).await);
    h.sandbox.switch("totp_clock", "virtual").unwrap();
    assert!(!try_code(code_of(real)).await);
    h.sandbox.switch("totp_clock", "real").unwrap();
    assert!(!try_code(code_of(now)).await);
    h.sandbox.switch("totp_clock", "virtual").unwrap();
    h.sandbox.switch("totp_reuse_refused", true).unwrap();
    assert!(!try_code(code_of(now)).await);
    h.control("POST", "/clock/advance", json!({"seconds": 60})).await;
    let next = code_of(now.plus_millis(60_000));
    assert!(try_code(next.clone()).await && !try_code(next).await);
}

#[tokio::test]
async fn gateway_refusals() {
    let h = start().await;
    let data = h.angelone_login(0).await;
    let jwt = data["jwtToken"].as_str().unwrap();
    let path = format!("{REST}/user/v1/getProfile");
    let profile = || h.smartapi(Method::GET, &path, 0);
    let (_, reply) = read(profile().bearer_auth(jwt).send().await.unwrap()).await;
    let fields = [
        "clientcode",
        "name",
        "email",
        "mobileno",
        "exchanges",
        "products",
        "lastlogintime",
        "brokerid",
    ];
    same_fields(&reply["data"], &fields);
    // An official client appends its refresh token as JSON; it must not reach the request log.
    let refresh = data["refreshToken"].as_str().unwrap();
    let query = format!("{path}?%7B%22refreshToken%22%3A%20%22{refresh}%22%7D");
    let sent = h
        .smartapi(Method::GET, &query, 0)
        .bearer_auth(jwt)
        .send()
        .await
        .unwrap();
    assert_eq!(read(sent).await.1["status"], true);
    assert!(!format!("{:?}", h.sandbox.requests(None, None)).contains(refresh));

    assert_eq!(
        read(profile().send().await.unwrap()).await,
        gateway("AG8003", "Token missing")
    );
    let doubled = profile().header("Authorization", format!("Bearer Bearer {jwt}"));
    assert_eq!(
        read(doubled.send().await.unwrap()).await,
        gateway("AG8001", "Invalid Token")
    );
    let other_key = h
        .request(Method::GET, &path)
        .header("X-UserType", "USER")
        .bearer_auth(jwt);
    let other_key = other_key
        .header("X-PrivateKey", &h.angelone(1).api_key)
        .send()
        .await
        .unwrap();
    assert_eq!(read(other_key).await, gateway("AG8004", "Invalid API Key"));
    let (_, reply) = h.secure(Method::GET, "/user/v1/getRMS", jwt, None).await;
    assert_eq!(keys(&reply["data"]).len(), 14);
    assert!(reply["data"].as_object().unwrap().values().all(Value::is_string));
}

#[tokio::test]
async fn sessions_end_at_midnight_and_cannot_be_refreshed_after() {
    let h = start_at("2026-11-20T23:59:00+05:30").await;
    let data = h.angelone_login(0).await;
    let jwt = data["jwtToken"].as_str().unwrap();
    h.control("PUT", "/clock", json!({"now": "2026-11-20T23:59:59.999+05:30"}))
        .await;
    assert_eq!(
        h.secure(Method::GET, "/user/v1/getRMS", jwt, None).await.1["status"],
        true
    );
    let (_, clock) = h
        .control("POST", "/clock/advance", json!({"to": "00:00 IST"}))
        .await;
    assert_eq!(
        clock,
        json!({"now": "2026-11-20T18:30:00Z", "ist": "2026-11-21 00:00:00 IST", "rate": 0})
    );
    assert_eq!(
        h.secure(Method::GET, "/user/v1/getRMS", jwt, None).await,
        gateway("AG8002", "Token Expired")
    );
    h.sandbox.switch("angelone_expired_code", "AB1010").unwrap();
    let expired = h.secure(Method::GET, "/user/v1/getRMS", jwt, None).await;
    assert_eq!(expired, backend("AB1010", "AMX Session Expired"));
    let body = json!({"refreshToken": data["refreshToken"]});
    let sent = h
        .smartapi(Method::POST, TOKENS, 0)
        .json(&body)
        .send()
        .await
        .unwrap();
    assert_eq!(read(sent).await, backend("AB8051", "Refresh Token Expired"));
    h.angelone_login(0).await;
}

#[tokio::test]
async fn refresh_gives_new_tokens() {
    let h = start().await;
    let data = h.angelone_login(0).await;
    let refresh = async |token: &Value, bearer: Option<&str>| {
        let mut request = h
            .smartapi(Method::POST, TOKENS, 0)
            .json(&json!({"refreshToken": token}));
        if let Some(bearer) = bearer {
            request = request.bearer_auth(bearer);
        }
        read(request.send().await.unwrap()).await
    };
    let (_, reply) = refresh(&data["refreshToken"], data["jwtToken"].as_str()).await;
    same_fields(&reply["data"], &["jwtToken", "refreshToken", "feedToken"]);
    let jwt = reply["data"]["jwtToken"].as_str().unwrap().to_owned();
    assert_ne!(jwt, data["jwtToken"]);
    assert_eq!(
        h.secure(Method::GET, "/user/v1/getRMS", &jwt, None).await.1["status"],
        true
    );
    assert_eq!(refresh(&data["refreshToken"], None).await.1["status"], true);
    assert_eq!(
        refresh(&data["refreshToken"], Some("made-up")).await,
        gateway("AG8001", "Invalid Token")
    );
    assert_eq!(
        refresh(&json!("made-up"), None).await,
        backend("AB8050", "Invalid Refresh Token")
    );

    h.sandbox.switch("angelone_refresh_rotates", true).unwrap();
    h.sandbox.switch("angelone_refresh_ends_old_jwt", true).unwrap();
    assert_eq!(refresh(&data["refreshToken"], None).await.1["status"], true);
    assert_eq!(
        refresh(&data["refreshToken"], None).await,
        backend("AB8050", "Invalid Refresh Token")
    );
    assert_eq!(
        h.secure(Method::GET, "/user/v1/getRMS", &jwt, None).await,
        gateway("AG8001", "Invalid Token")
    );
}

#[tokio::test]
async fn logout_and_second_logins() {
    let h = start().await;
    let jwt = async || h.angelone_login(0).await["jwtToken"].as_str().unwrap().to_owned();
    let alive =
        async |jwt: &str| h.secure(Method::GET, "/user/v1/getRMS", jwt, None).await.1["status"] == true;
    let (first, second) = (jwt().await, jwt().await);
    assert!(alive(&first).await);
    let wrong = json!({"clientcode": "NOBODY"});
    assert_eq!(
        h.secure(Method::POST, "/user/v1/logout", &first, Some(&wrong))
            .await
            .1["errorcode"],
        "AB1011"
    );
    let body = json!({"clientcode": "SBX101"});
    let (_, reply) = h
        .secure(Method::POST, "/user/v1/logout", &first, Some(&body))
        .await;
    assert_eq!((&reply["status"], &reply["data"]), (&json!(true), &json!("")));
    assert!(!alive(&first).await && alive(&second).await);
    h.sandbox.switch("angelone_logout_ends_session", false).unwrap();
    h.secure(Method::POST, "/user/v1/logout", &second, Some(&body))
        .await;
    assert!(alive(&second).await);
    h.sandbox
        .switch("angelone_second_login_revokes_first", true)
        .unwrap();
    assert!(alive(&jwt().await).await);
    assert!(!alive(&second).await);
}

#[tokio::test]
async fn login_rate_is_a_plain_text_403() {
    let h = start().await;
    h.angelone_login(0).await;
    h.sandbox.switch("angelone_login_rate", 1).unwrap();
    h.angelone_login(0).await;
    let refused = login(&h, &h.login_body(0)).await;
    assert_eq!(
        refused,
        (403, json!("Access denied because of exceeding access rate"))
    );
    h.angelone_login(1).await;
    h.control("POST", "/clock/advance", json!({"seconds": 1})).await;
    h.angelone_login(0).await;
}

#[tokio::test]
async fn the_documented_limits_hold_per_client_code_when_they_are_switched_on() {
    let h = start().await;
    h.control("PUT", "/clock", json!({"rate": 0})).await;
    h.sandbox.switch("angelone_rate_limits", true).unwrap();
    let first = h.angelone_login(0).await["jwtToken"].as_str().unwrap().to_owned();
    let other = h.angelone_login(0).await["jwtToken"].as_str().unwrap().to_owned();
    let stranger = h.angelone_login(1).await["jwtToken"].as_str().unwrap().to_owned();
    let order = angelone_order();
    let place = async |jwt: &str| {
        h.secure(Method::POST, "/order/v1/placeOrder", jwt, Some(&order))
            .await
    };
    let too_fast = (403, json!("Access denied because of exceeding access rate"));
    // Nine orders in a second, over all sessions and kinds of order calls of a client code.
    for number in 0..9 {
        let jwt = if number % 2 == 0 { &first } else { &other };
        assert_eq!(place(jwt).await.1["status"], true);
    }
    assert_eq!(place(&first).await, too_fast);
    let cancel = json!({"variety": "NORMAL", "orderid": "1"});
    let path = "/order/v1/cancelOrder";
    assert_eq!(
        h.secure(Method::POST, path, &other, Some(&cancel)).await,
        too_fast
    );
    // Other calls and other clients have limits of their own, and a refused call does not count.
    assert_eq!(
        h.secure(Method::GET, "/user/v1/getRMS", &first, None).await.0,
        200
    );
    assert_eq!(place(&stranger).await.0, 200);
    h.control("POST", "/clock/advance", json!({"seconds": 1})).await;
    assert_eq!(place(&first).await.0, 200);
    // A thousand calls an hour.
    let profile = async || h.secure(Method::GET, "/user/v1/getProfile", &first, None).await;
    for _ in 0..1000 {
        h.control("POST", "/clock/advance", json!({"seconds": 1})).await;
        assert_eq!(profile().await.0, 200);
    }
    h.control("POST", "/clock/advance", json!({"seconds": 1})).await;
    assert_eq!(profile().await, too_fast);
    h.control("POST", "/clock/advance", json!({"seconds": 2600}))
        .await;
    assert_eq!(profile().await.0, 200);
}

#[tokio::test]
async fn orders_and_prices() {
    let h = start().await;
    let data = h.angelone_login(0).await;
    let jwt = data["jwtToken"].as_str().unwrap();
    let order = angelone_order();
    let (_, placed) = h
        .secure(Method::POST, "/order/v1/placeOrder", jwt, Some(&order))
        .await;
    same_fields(&placed["data"], &["script", "orderid", "uniqueorderid"]);
    let id = &placed["data"]["orderid"];
    let cancel = json!({"variety": "NORMAL", "orderid": id});
    let change = json!({"variety": "NORMAL", "orderid": id, "quantity": "7"});

    h.control("PUT", "/source-ip", json!({"ip": "198.51.100.7"}))
        .await;
    let text = "Access denied: Unregistered IP address. Register your IP before retrying.";
    for (path, body) in [
        ("placeOrder", &order),
        ("modifyOrder", &change),
        ("cancelOrder", &cancel),
    ] {
        let answered = h
            .secure(Method::POST, &format!("/order/v1/{path}"), jwt, Some(body))
            .await;
        assert_eq!(answered, gateway("AG7002", text));
    }
    assert_eq!(
        h.secure(Method::GET, "/user/v1/getProfile", jwt, None).await.1["status"],
        true
    );
    h.control("PUT", "/source-ip", json!({"ip": "203.0.113.11"}))
        .await;
    assert_eq!(
        h.secure(Method::POST, "/order/v1/modifyOrder", jwt, Some(&change))
            .await
            .1["status"],
        true
    );
    assert_eq!(
        h.secure(Method::POST, "/order/v1/cancelOrder", jwt, Some(&cancel))
            .await
            .1["status"],
        true
    );
    let (_, book) = h.secure(Method::GET, "/order/v1/getOrderBook", jwt, None).await;
    let row = &book["data"][0];
    assert_eq!(
        (&row["status"], &row["quantity"]),
        (&json!("cancelled"), &json!("7"))
    );
    let details = format!(
        "/order/v1/details/{}",
        placed["data"]["uniqueorderid"].as_str().unwrap()
    );
    assert_eq!(&h.secure(Method::GET, &details, jwt, None).await.1["data"], row);
    let mut wrong = order.clone();
    wrong["producttype"] = "CNC".into();
    assert_eq!(
        h.secure(Method::POST, "/order/v1/placeOrder", jwt, Some(&wrong))
            .await,
        backend("AB1012", "Invalid Product Type")
    );

    let body = json!({"exchange": "NSE", "tradingsymbol": "SBIN-EQ", "symboltoken": "3045"});
    let (_, price) = h
        .secure(Method::POST, "/order/v1/getLtpData", jwt, Some(&body))
        .await;
    assert!(price["data"]["ltp"].is_f64());
    let body = json!({"mode": "FULL", "exchangeTokens": {"NSE": ["3045", ""]}});
    let (_, quote) = h
        .secure(Method::POST, "/market/v1/quote/", jwt, Some(&body))
        .await;
    assert_eq!(quote["data"]["fetched"][0]["symbolToken"], "3045");
    assert_eq!(quote["data"]["unfetched"][0]["errorCode"], "AB4018");
}
