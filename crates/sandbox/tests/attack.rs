//! What an attacker tried against the sandbox with its dashboard: each test is one thing that must not be possible.

#![allow(clippy::unwrap_used)] // helpers of tests may unwrap

mod common;

use common::{Browser, Harness, read, start, start_at};
use reqwest::Method;
use serde_json::{Value, json};

const BACK: &str = "http://127.0.0.1:8765/callback";

async fn act(h: &Harness, account: &str, action: Value) -> Value {
    let body = json!({"account": account, "action": action});
    let (status, reply) = h.control("POST", "/portal", body).await;
    assert_eq!(status, 201, "{reply}");
    let otp = h.sandbox.inbox().pop().unwrap().value;
    let body = json!({"account": account, "proposal": reply["proposal"], "otp": otp});
    let (status, reply) = h.control("POST", "/portal/confirm", body).await;
    assert_eq!(status, 200, "{reply}");
    reply
}

/// The action that creates an app.
fn app(name: &str) -> Value {
    json!({"create_app": {"name": name, "redirect_url": BACK}})
}

async fn apps(h: &Harness, id: &str) -> Vec<Value> {
    let (_, list) = h.control("GET", "/accounts", Value::Null).await;
    let all = list["accounts"].as_array().unwrap();
    let found = all.iter().find(|one| one["account"] == id).unwrap();
    found["apps"].as_array().unwrap().clone()
}

/// Browsers leave a `SameSite=Strict` cookie out when another site sends them to a page, and keep what that page sets.
#[tokio::test]
async fn an_app_that_sends_a_browser_to_its_page_signs_nobody_out() {
    let h = start().await;
    let browser = Browser::new(&h);
    browser.sign_in(0).await;
    let account = h.samco(0);
    let mut query = form_urlencoded::Serializer::new(String::new());
    query
        .append_pair("api_key", &account.api_key)
        .append_pair("redirect_url", BACK);
    for path in [
        format!("/app/oauth/authorize?{}", query.finish()),
        "/app/oauth/authorize".to_owned(),
        "/publisher-login".to_owned(),
    ] {
        // Without the cookie, as a browser that comes from elsewhere.
        let request = h
            .request(Method::GET, &path)
            .header("sec-fetch-site", "cross-site");
        let reply = request.send().await.unwrap();
        let Some(set) = reply.headers().get("set-cookie") else {
            continue;
        };
        let set = set.to_str().unwrap().split(';').next().unwrap();
        let name = |cookie: &str| cookie.split('=').next().unwrap().to_owned();
        assert_ne!(
            name(set),
            name(&browser.cookie()),
            "{path} takes the place of the dashboard's cookie"
        );
    }
}

#[tokio::test]
async fn a_key_belongs_to_one_app_of_an_account_too() {
    let h = start().await;
    let id = h.samco(0).account.clone();
    act(&h, &id, app("Second")).await;
    let second = apps(&h, &id).await[1]["api_key"].as_str().unwrap().to_owned();
    let (status, reply) = h
        .control("PATCH", &format!("/accounts/{id}"), json!({"api_key": second}))
        .await;
    assert_eq!(status, 409, "{reply}");
}

/// Calls at the same moment find the same id free.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_id_is_given_to_one_account_however_many_ask_at_once() {
    let h = start().await;
    let before = h.sandbox.accounts().len();
    let body = json!({"broker": "samco", "count": 150});
    let calls = (0..8).map(|_| h.control("POST", "/accounts", body.clone()));
    let made = futures_join(calls).await;
    let problems: Vec<_> = made.iter().filter(|(status, _)| *status != 201).collect();
    let (_, list) = h.control("GET", "/accounts", Value::Null).await;
    let ids: Vec<_> = list["accounts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["account"].to_string())
        .collect();
    let mut different = ids.clone();
    different.sort();
    different.dedup();
    let ids_of_samco = ids.iter().filter(|id| *id != "null").count();
    let different = different.iter().filter(|id| *id != "null").count();
    assert!(
        problems.is_empty(),
        "{} of 8 calls failed: {:?}",
        problems.len(),
        problems[0]
    );
    assert_eq!((ids_of_samco, ids.len()), (different, before + 1200));
}

async fn futures_join<F: Future<Output = (u16, Value)>>(calls: impl Iterator<Item = F>) -> Vec<(u16, Value)> {
    let mut calls: Vec<_> = calls.map(Box::pin).collect();
    let mut done: Vec<Option<(u16, Value)>> = calls.iter().map(|_| None).collect();
    std::future::poll_fn(|cx| {
        for (call, done) in calls.iter_mut().zip(&mut done) {
            if done.is_none()
                && let std::task::Poll::Ready(reply) = call.as_mut().poll(cx)
            {
                *done = Some(reply);
            }
        }
        if done.iter().all(Option::is_some) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    done.into_iter().flatten().collect()
}

/// `PATCH` (and so a script) switches an app off and leaves its addresses registered.
#[tokio::test]
async fn an_address_is_never_registered_by_two_clients() {
    let h = start().await;
    let (one, other) = (h.samco(0).account.clone(), "OTHER1");
    h.control(
        "PATCH",
        &format!("/accounts/{one}"),
        json!({"primary_ip": "198.51.100.7"}),
    )
    .await;
    let body = json!({"broker": "samco", "account": other, "primary_ip": "198.51.100.8"});
    assert_eq!(h.control("POST", "/accounts", body).await.0, 201);
    h.control("PATCH", &format!("/accounts/{one}"), json!({"app_active": false}))
        .await;
    let set = json!({"set_address": {"app": 1, "slot": "primary", "ip": "198.51.100.7"}});
    let body = json!({"account": other, "action": set});
    let (status, reply) = h.control("POST", "/portal", body).await;
    assert_eq!(status, 422, "{reply}");
    h.control(
        "PATCH",
        "/switches",
        json!({"samco_activation_restores_ips": true}),
    )
    .await;
    act(&h, &one, json!({"activate": {"app": 1}})).await;
    assert_eq!(apps(&h, &one).await[0]["primary_ip"], "198.51.100.7");
    let has = |apps: Vec<Value>| {
        apps.iter()
            .filter(|app| app["primary_ip"] == "198.51.100.7")
            .count()
    };
    let both = has(apps(&h, &one).await) + has(apps(&h, other).await);
    assert_eq!(both, 1);
}

/// An id that can be given can be named in an address.
#[tokio::test]
async fn every_account_that_can_be_made_can_be_changed_and_signs_in() {
    let h = start().await;
    for id in ["A B", "100%", "Ä1", "A?B", "A#B", " A", "A\u{7}", ".."] {
        let body = json!({"broker": "samco", "account": id});
        let (status, made) = h.control("POST", "/accounts", body).await;
        if status != 201 {
            continue;
        }
        let named: String = form_urlencoded::byte_serialize(id.as_bytes())
            .collect::<String>()
            .replace('+', "%20");
        let (status, reply) = h
            .control("PATCH", &format!("/accounts/{named}"), json!({"blocked": false}))
            .await;
        assert_eq!(status, 200, "{id:?} {reply}");
        let body = json!({"account": id, "password": made["password"]});
        let (status, reply) = h.control("POST", "/portal/sign-in", body).await;
        assert_eq!(status, 200, "{id:?} {reply}");
    }
}

/// The accounts' passwords are known to everybody who reads this repository, and browsers send `text/plain` anywhere.
#[tokio::test]
async fn a_page_elsewhere_changes_nothing_through_the_brokers_own_calls() {
    let h = start().await;
    let account = h.samco(0);
    let body = json!({
        "clientId": account.account, "password": account.password,
        "primaryIp": "198.51.100.66", "secondaryIp": "198.51.100.67",
    });
    let call = |headers: &[(&str, &str)]| {
        let request = h.request(Method::POST, "/ip/ipUpdate").body(body.to_string());
        headers
            .iter()
            .fold(request, |request, (name, value)| request.header(*name, *value))
    };
    let before = apps(&h, &account.account).await;
    for headers in [
        [
            ("origin", "https://evil.example"),
            ("sec-fetch-site", "cross-site"),
        ]
        .as_slice(),
        // A name of somebody's own that points at this machine.
        &[
            ("origin", "http://evil.example:80"),
            ("sec-fetch-site", "same-origin"),
        ],
        &[("origin", "null"), ("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "cross-site")],
    ] {
        let (status, reply) = read(call(headers).send().await.unwrap()).await;
        assert_eq!(status, 403, "{headers:?} {reply}");
        assert_eq!(apps(&h, &account.account).await, before, "{headers:?}");
    }
    let login = h
        .smartapi(Method::POST, common::LOGIN, 0)
        .json(&h.login_body(0))
        .header("origin", "https://evil.example");
    let (status, reply) = read(login.send().await.unwrap()).await;
    assert_eq!((status, &reply["success"]), (403, &json!(false)), "{reply}");
    // A developer's own page, on another port, is at home.
    let own = [
        ("origin", "http://localhost:3000"),
        ("sec-fetch-site", "cross-site"),
    ];
    assert_eq!(call(&own).send().await.unwrap().status(), 200);
    assert_eq!(apps(&h, &account.account).await[0]["primary_ip"], "198.51.100.66");
}

/// At the end of the calendar the clock goes on, and nothing panics.
#[tokio::test]
async fn the_last_day_of_the_calendar_is_survived() {
    let h = start_at("2026-11-20T10:00:00+05:30").await;
    let set = json!({"now": "9999-12-29T23:59:59Z", "rate": 1_000_000});
    let (status, reply) = h.control("PUT", "/clock", set).await;
    assert_eq!(status, 200, "{reply}");
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    let (status, reply) = h.control("GET", "/clock", Value::Null).await;
    assert_eq!(status, 200, "{reply}");
    h.control("PUT", "/clock", json!({"rate": 0})).await;
    let account = h.samco(0);
    let login = json!({"apiKey": account.api_key, "apiSecret": account.api_secret});
    let (status, reply) = h.post("/session/token", &login).await;
    assert_eq!(status, 200, "{reply}");
    let (status, reply) = h
        .with_token(
            Method::GET,
            "/ip/whoami",
            reply["sessionToken"].as_str().unwrap(),
            None,
        )
        .await;
    assert_eq!(status, 200, "{reply}");
    assert!(h.angelone_login(0).await["jwtToken"].is_string());
    let browser = Browser::new(&h);
    for path in ["/", "/clock", "/inbox", "/faults", "/requests", "/switches"] {
        assert_eq!(browser.look(path).await.status(), 200, "{path}");
    }
    let now = h.control("GET", "/clock", Value::Null).await.1;
    let shown = now["now"].as_str().unwrap();
    assert!(preopen_core::Timestamp::parse_rfc3339(shown).is_some(), "{now}");
}

/// A name that nobody can read or that turns the text after it around.
#[tokio::test]
async fn an_apps_name_is_what_is_seen() {
    let h = start().await;
    let id = h.samco(0).account.clone();
    act(&h, &id, app("Momentum")).await;
    for name in [
        "\u{200b}\u{200b}\u{200b}",
        "Momentum\u{200b}",
        "\u{202e}mutnemoM",
        "\u{feff}Momentum",
        "Momentum\u{2060}",
        "\u{2066}abc",
        "a\u{2028}b c",
        "Momentum\u{200d}",
        "क\u{200d}\u{200d}ष",
    ] {
        let body = json!({"account": id, "action": app(name)});
        let (status, reply) = h.control("POST", "/portal", body).await;
        assert_eq!(status, 422, "{name:?} {reply}");
    }
    // As Marathi is written.
    let action = app("दर\u{94d}\u{200d}या");
    act(&h, &id, action).await;
}

/// A person who is signed in is still only one whose account is not blocked.
#[tokio::test]
async fn a_blocked_account_does_nothing_at_the_dashboard() {
    let h = start().await;
    let browser = Browser::new(&h);
    browser.sign_in(0).await;
    let id = h.samco(0).account.clone();
    h.control("PATCH", &format!("/accounts/{id}"), json!({"blocked": true}))
        .await;
    let fields = [("name", "Blocked app"), ("redirect_url", BACK)];
    let reply = browser.send("/app/api-keys/new", &fields).await;
    let to = reply
        .headers()
        .get("location")
        .map(|to| to.to_str().unwrap().to_owned());
    assert!(
        !to.unwrap_or_default().starts_with("/app/confirm"),
        "a code was sent"
    );
}

/// Two apps asked for at once, with room for one: the rules are checked again with the code.
#[tokio::test]
async fn there_is_no_sixth_app_and_no_second_change_however_many_codes_are_out() {
    let h = start().await;
    let id = h.samco(0).account.clone();
    for name in ["Two", "Three and", "Four and"] {
        act(&h, &id, app(name)).await;
    }
    let mut out = Vec::new();
    for name in ["Five and", "Sixth"] {
        let action = app(name);
        let (status, reply) = h
            .control("POST", "/portal", json!({"account": id, "action": action}))
            .await;
        assert_eq!(status, 201, "{reply}");
        out.push((reply["proposal"].clone(), h.sandbox.inbox().pop().unwrap().value));
    }
    // A code of another proposal is none of this one.
    let crossed = json!({"account": id, "proposal": out[0].0, "otp": out[1].1});
    if out[0].1 != out[1].1 {
        assert_eq!(h.control("POST", "/portal/confirm", crossed).await.0, 422);
    }
    let calls = out.iter().map(|(proposal, otp)| {
        h.control(
            "POST",
            "/portal/confirm",
            json!({"account": id, "proposal": proposal, "otp": otp}),
        )
    });
    let made = futures_join(calls).await;
    assert_eq!(made.iter().filter(|(status, _)| *status == 200).count(), 1);
    assert_eq!(apps(&h, &id).await.len(), 5);
    let mut out = Vec::new();
    for ip in ["198.51.100.21", "198.51.100.22"] {
        let action = json!({"set_address": {"app": 1, "slot": "primary", "ip": ip}});
        let (status, reply) = h
            .control("POST", "/portal", json!({"account": id, "action": action}))
            .await;
        assert_eq!(status, 201, "{reply}");
        out.push((reply["proposal"].clone(), h.sandbox.inbox().pop().unwrap().value));
    }
    let calls = out.iter().map(|(proposal, otp)| {
        h.control(
            "POST",
            "/portal/confirm",
            json!({"account": id, "proposal": proposal, "otp": otp}),
        )
    });
    let made = futures_join(calls).await;
    assert_eq!(made.iter().filter(|(status, _)| *status == 200).count(), 1);
}

/// Wrong codes at once count each.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_code_has_its_few_tries_however_many_come_at_once() {
    let h = start().await;
    let id = h.samco(0).account.clone();
    let action = app("Guessed");
    let (_, reply) = h
        .control("POST", "/portal", json!({"account": id, "action": action}))
        .await;
    let otp = h.sandbox.inbox().pop().unwrap().value;
    let wrong = if otp == "000000" { "000001" } else { "000000" };
    let guess = |otp: &str| json!({"account": id, "proposal": reply["proposal"], "otp": otp});
    let calls = (0..16).map(|_| h.control("POST", "/portal/confirm", guess(wrong)));
    futures_join(calls).await;
    let (status, said) = h.control("POST", "/portal/confirm", guess(&otp)).await;
    assert_eq!(status, 422, "{said}");
}

/// The window of seven days is a matter of the last counted change, not of how the clock came here.
#[tokio::test]
async fn a_clock_set_back_opens_no_window() {
    let h = start().await;
    let id = h.samco(0).account.clone();
    act(
        &h,
        &id,
        json!({"set_address": {"app": 1, "slot": "primary", "ip": "198.51.100.31"}}),
    )
    .await;
    h.control("PUT", "/clock", json!({"now": "2026-10-01T10:00:00+05:30"}))
        .await;
    let body = json!({"account": id, "action": {"set_address": {"app": 1, "slot": "primary", "ip": "198.51.100.32"}}});
    assert_eq!(h.control("POST", "/portal", body.clone()).await.0, 422);
    for (time, status) in [
        ("2026-11-27T09:59:59.999+05:30", 422),
        ("2026-11-27T10:00:00+05:30", 201),
    ] {
        h.control("PUT", "/clock", json!({"now": time})).await;
        let (given, reply) = h.control("POST", "/portal", body.clone()).await;
        assert_eq!(given, status, "{time} {reply}");
    }
}

/// What an account is given with is what `Host` on the usual ports looks like: hosts without port are refused elsewhere.
#[tokio::test]
async fn a_host_is_this_sandbox_in_one_spelling_alone() {
    let h = start().await;
    let port = h.sandbox.samco_url().rsplit(':').next().unwrap().to_owned();
    for host in [
        format!("127.0.0.1.:{port}"),
        format!("localhost.:{port}"),
        format!("127.1:{port}"),
        format!("2130706433:{port}"),
        format!("[::ffff:127.0.0.1]:{port}"),
        format!("a@127.0.0.1:{port}"),
        format!("127.0.0.1:+{port}"),
        format!("127.0.0.1:0{port}"),
        format!("0.0.0.0:{port}"),
        "127.0.0.1:".to_owned(),
    ] {
        let reply = h
            .request(Method::GET, "/")
            .header("host", &host)
            .send()
            .await
            .unwrap();
        assert!(
            [400, 403].contains(&reply.status().as_u16()),
            "{host} {}",
            reply.status()
        );
    }
}

/// Orders are kept, in memory and in the data file: nothing in them may be as long as somebody likes.
#[tokio::test]
async fn an_order_keeps_no_text_of_any_length() {
    let h = start().await;
    let token = h.samco_login(0).await;
    let long = "9".repeat(100_000);
    for name in ["exchange", "price", "triggerPrice", "disclosedQuantity"] {
        let mut order = common::samco_order();
        order[name] = long.clone().into();
        h.with_token(Method::POST, "/order/placeOrder", &token, Some(&order))
            .await;
    }
    let (_, book) = h.with_token(Method::GET, "/order/orderBook", &token, None).await;
    assert!(
        book.to_string().len() < 10_000,
        "Samco: {}",
        book.to_string().len()
    );
    let jwt = h.angelone_login(0).await["jwtToken"].as_str().unwrap().to_owned();
    for name in ["exchange", "symboltoken"] {
        let mut order = common::angelone_order();
        order[name] = long.clone().into();
        h.secure(Method::POST, "/order/v1/placeOrder", &jwt, Some(&order))
            .await;
    }
    let order = common::angelone_order();
    let (_, placed) = h
        .secure(Method::POST, "/order/v1/placeOrder", &jwt, Some(&order))
        .await;
    let mut change = order.clone();
    change["orderid"] = placed["data"]["orderid"].clone();
    for name in ["ordertype", "producttype", "duration"] {
        change[name] = long.clone().into();
    }
    h.secure(Method::POST, "/order/v1/modifyOrder", &jwt, Some(&change))
        .await;
    let (_, book) = h.secure(Method::GET, "/order/v1/getOrderBook", &jwt, None).await;
    assert!(
        book.to_string().len() < 10_000,
        "SmartAPI: {}",
        book.to_string().len()
    );
}
