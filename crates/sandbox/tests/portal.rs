//! Apps and static addresses over real HTTP: the owner acts at the portal, and the endpoints of the API follow at once.

#![allow(clippy::unwrap_used)] // helpers of tests may unwrap

mod common;

use common::{Harness, samco_order, same_fields, start};
use preopen_sandbox::{MessageKind, SourceIp};
use reqwest::Method;
use serde_json::{Value, json};

const BACK: &str = "http://127.0.0.1:8765/callback";

/// An app as its owner knows it.
#[derive(Clone, Debug)]
struct App {
    id: u64,
    key: String,
    secret: String,
}

fn last(h: &Harness, account: &str, kind: MessageKind) -> String {
    let inbox = h.sandbox.inbox();
    let mut sent = inbox.iter().filter(|m| m.account == account && m.kind == kind);
    sent.next_back().unwrap().value.clone()
}

async fn propose(h: &Harness, account: &str, action: &Value) -> (u16, Value) {
    let body = json!({"account": account, "action": action});
    h.control("POST", "/portal", body).await
}

async fn confirm(h: &Harness, account: &str, proposal: &Value, otp: &str) -> (u16, Value) {
    let body = json!({"account": account, "proposal": proposal, "otp": otp});
    h.control("POST", "/portal/confirm", body).await
}

/// Proposes and confirms.
async fn act(h: &Harness, account: &str, action: Value) -> Value {
    let (status, reply) = propose(h, account, &action).await;
    assert_eq!(status, 201, "{reply}");
    let otp = last(h, account, MessageKind::Otp);
    let (status, reply) = confirm(h, account, &reply["proposal"], &otp).await;
    assert_eq!(status, 200, "{reply}");
    reply
}

/// The sentence with which the portal refuses.
async fn refused(h: &Harness, account: &str, action: Value) -> String {
    let (status, reply) = propose(h, account, &action).await;
    assert_eq!(
        (status, &reply["error"]["code"]),
        (422, &json!("refused")),
        "{reply}"
    );
    reply["error"]["message"].as_str().unwrap().to_owned()
}

async fn create(h: &Harness, account: &str, name: &str) -> App {
    let action = json!({"create_app": {"name": name, "redirect_url": BACK}});
    let reply = act(h, account, action).await;
    assert_eq!(reply["app"], name);
    let (_, portal) = h
        .control("GET", &format!("/portal?account={account}"), Value::Null)
        .await;
    App {
        id: portal["apps"].as_array().unwrap().last().unwrap()["id"]
            .as_u64()
            .unwrap(),
        key: last(h, account, MessageKind::ApiKey),
        secret: reply["secret"].as_str().unwrap().to_owned(),
    }
}

fn set(app: &App, slot: &str, ip: &str) -> Value {
    json!({"set_address": {"app": app.id, "slot": slot, "ip": ip}})
}

async fn login(h: &Harness, app: &App) -> (u16, Value) {
    let body = json!({"apiKey": app.key, "apiSecret": app.secret});
    h.post("/session/token", &body).await
}

async fn session(h: &Harness, app: &App) -> String {
    let (status, reply) = login(h, app).await;
    assert_eq!(status, 200, "{reply}");
    reply["sessionToken"].as_str().unwrap().to_owned()
}

async fn whoami(h: &Harness, token: &str) -> (u16, Value) {
    h.with_token(Method::GET, "/ip/whoami", token, None).await
}

async fn order(h: &Harness, token: &str) -> u16 {
    h.with_token(Method::POST, "/order/placeOrder", token, Some(&samco_order()))
        .await
        .0
}

fn from(h: &Harness, ip: &str) {
    h.sandbox.set_source_ip(SourceIp::Fixed(ip.parse().unwrap()));
}

fn first(h: &Harness, index: usize) -> App {
    let account = h.samco(index);
    App {
        id: 1,
        key: account.api_key.clone(),
        secret: account.api_secret.clone(),
    }
}

/// An access and a refresh token by OAuth.
async fn grant(h: &Harness, app: &App) -> (String, String) {
    let (status, reply) = exchange(h, &code(h, app, None).unwrap()).await;
    assert_eq!(status, 200, "{reply}");
    let text = |name: &str| reply["data"][name].as_str().unwrap().to_owned();
    (text("access_token"), text("refresh_token"))
}

fn code(h: &Harness, app: &App, person: Option<&str>) -> Result<String, preopen_sandbox::ControlError> {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query
        .append_pair("api_key", &app.key)
        .append_pair("redirect_url", BACK);
    let page = format!("{}/app/oauth/authorize?{}", h.sandbox.samco_url(), query.finish());
    let back = h.sandbox.consent(&page, true, person)?;
    Ok(back.split_once("code=").unwrap_or_default().1.to_owned())
}

async fn exchange(h: &Harness, code: &str) -> (u16, Value) {
    let body = json!({"grant_type": "authorization_code", "code": code});
    h.post("/oauth/token", &body).await
}

async fn refresh(h: &Harness, token: &str) -> (u16, Value) {
    let body = json!({"grant_type": "refresh_token", "refresh_token": token});
    h.post("/oauth/token", &body).await
}

#[tokio::test]
async fn a_new_app_logs_in_and_stands_beside_the_first() {
    let h = start().await;
    h.sandbox.switch("samco_second_login_scope", "app").unwrap();
    let old = session(&h, &first(&h, 0)).await;
    let app = create(&h, "SBX001", "Momentum").await;
    let (status, reply) = login(&h, &app).await;
    assert_eq!(
        (status, &reply["primaryIp"], &reply["secondaryIp"]),
        (200, &json!(""), &json!("")),
        "{reply}"
    );
    let token = reply["sessionToken"].as_str().unwrap();
    // It has no address yet, and its orders are refused; those of the first app are not.
    assert_eq!((order(&h, token).await, order(&h, &old).await), (403, 200));
    assert_eq!(whoami(&h, token).await.1["matches"], false);
    act(&h, "SBX001", set(&app, "primary", "203.0.113.30")).await;
    let (_, seen) = whoami(&h, token).await;
    assert_eq!(
        (&seen["primaryIp"], &seen["matchedAs"]),
        (&json!("203.0.113.30"), &json!("PRIMARY"))
    );
    assert_eq!(order(&h, token).await, 200);
    assert_eq!(whoami(&h, &old).await.1["primaryIp"], "203.0.113.10");
    // The log tells the address that each of them was seen to come from.
    let log = h.sandbox.requests(None, Some("/order/placeOrder")).requests;
    assert_eq!(log.last().unwrap().source_ip, "203.0.113.30");
    // Orders are the account's.
    let (_, book) = h.with_token(Method::GET, "/order/orderBook", &old, None).await;
    assert_eq!(book["orderBookDetails"].as_array().unwrap().len(), 2);
    // The other login of the same app, and by the switch of any app.
    let again = session(&h, &app).await;
    assert_eq!((whoami(&h, token).await.0, whoami(&h, &old).await.0), (401, 200));
    h.sandbox.switch("samco_second_login_scope", "account").unwrap();
    session(&h, &first(&h, 0)).await;
    assert_eq!(whoami(&h, &again).await.0, 401);
}

#[tokio::test]
async fn what_is_regenerated_ends_the_apps_sessions_codes_and_refresh_tokens() {
    let h = start().await;
    h.sandbox
        .switch("samco_second_login_revokes_first", false)
        .unwrap();
    let mut app = create(&h, "SBX001", "Momentum").await;
    for (action, stays) in [
        ("regenerate_secret", "EOAUTH008"),
        ("regenerate_key", "EOAUTH001"),
    ] {
        let other = session(&h, &first(&h, 0)).await;
        let token = session(&h, &app).await;
        let (access, refreshing) = grant(&h, &app).await;
        let pending = code(&h, &app, None).unwrap();
        let reply = act(&h, "SBX001", json!({action: {"app": app.id}})).await;
        for ended in [&token, &access] {
            assert_eq!(whoami(&h, ended).await.0, 401, "{action}");
        }
        assert_eq!(whoami(&h, &other).await.0, 200, "{action}");
        assert_eq!(refresh(&h, &refreshing).await.1["errorCode"], "EOAUTH016");
        assert_eq!(exchange(&h, &pending).await.1["errorCode"], "EOAUTH011");
        let (status, refusal) = login(&h, &app).await;
        assert_eq!((status, &refusal["errorCode"]), (401, &json!(stays)));
        match reply["secret"].as_str() {
            Some(secret) => app.secret = secret.to_owned(),
            None => app.key = last(&h, "SBX001", MessageKind::ApiKey),
        }
        session(&h, &app).await;
    }
    // At the portal the first app's secret goes out of what the account tells, and the new one works.
    let before = first(&h, 0);
    let reply = act(&h, "SBX001", json!({"regenerate_secret": {"app": 1}})).await;
    let (_, accounts) = h.control("GET", "/accounts", Value::Null).await;
    assert_eq!(accounts["accounts"][0]["api_secret"], "");
    assert_eq!(login(&h, &before).await.0, 401);
    let secret = reply["secret"].as_str().unwrap();
    assert!(!accounts.to_string().contains(secret));
    let new = App {
        secret: secret.to_owned(),
        ..before.clone()
    };
    session(&h, &new).await;
    // The person approves without having noted it.
    grant(&h, &before).await;
    // Over the control API a secret is given, and noted.
    let body = json!({"api_secret": before.secret});
    let (_, shown) = h.control("PATCH", "/accounts/SBX001", body).await;
    assert_eq!(shown["api_secret"], before.secret.as_str());
    session(&h, &before).await;
}

#[tokio::test]
async fn a_deactivated_app_is_out_until_it_is_activated() {
    let h = start().await;
    h.sandbox
        .switch("samco_second_login_revokes_first", false)
        .unwrap();
    let app = create(&h, "SBX001", "Momentum").await;
    act(&h, "SBX001", set(&app, "primary", "203.0.113.30")).await;
    let token = session(&h, &app).await;
    let (access, refreshing) = grant(&h, &app).await;
    act(&h, "SBX001", json!({"deactivate": {"app": app.id}})).await;
    assert_eq!(
        (whoami(&h, &token).await.0, whoami(&h, &access).await.0),
        (401, 401)
    );
    assert_eq!(refresh(&h, &refreshing).await.1["errorCode"], "EOAUTH016");
    let (status, reply) = login(&h, &app).await;
    assert_eq!(
        (status, &reply["statusMessage"]),
        (401, &json!("Invalid or inactive API key"))
    );
    assert!(code(&h, &app, None).unwrap().is_empty());
    // Its address is free for others.
    act(&h, "SBX002", set(&app_one(), "secondary", "203.0.113.30")).await;
    act(&h, "SBX001", json!({"activate": {"app": app.id}})).await;
    let token = session(&h, &app).await;
    assert_eq!(whoami(&h, &token).await.1["primaryIp"], "");
    assert_eq!(order(&h, &token).await, 403);
    assert_eq!(whoami(&h, &access).await.0, 401);
}

fn app_one() -> App {
    App {
        id: 1,
        key: String::new(),
        secret: String::new(),
    }
}

#[tokio::test]
async fn the_order_gate_follows_a_change_at_once_and_the_next_waits_seven_days() {
    let h = start().await;
    let app = first(&h, 1);
    let token = session(&h, &app).await;
    from(&h, "203.0.113.20");
    assert_eq!(order(&h, &token).await, 200);
    act(&h, "SBX002", set(&app, "primary", "203.0.113.30")).await;
    assert_eq!(order(&h, &token).await, 403);
    assert_eq!(whoami(&h, &token).await.1["matches"], false);
    assert_eq!(login(&h, &app).await.1["primaryIp"], "203.0.113.30");
    from(&h, "203.0.113.30");
    let token = session(&h, &app).await;
    assert_eq!(order(&h, &token).await, 200);
    // OAuth holds to the addresses of the app, too.
    from(&h, "203.0.113.20");
    let back = code(&h, &app, None).unwrap();
    assert!(back.is_empty(), "no code from a foreign address");

    let next = set(&app, "primary", "203.0.113.31");
    let at = |time: &str| json!({"now": time});
    h.control("PUT", "/clock", at("2026-11-27T09:59:59.999+05:30"))
        .await;
    let text = refused(&h, "SBX002", next.clone()).await;
    assert!(
        text.starts_with("ip: The next change is possible from 2026-11-27 10:00:00 IST on."),
        "{text}"
    );
    let (_, portal) = h.control("GET", "/portal?account=SBX002", Value::Null).await;
    same_fields(
        &portal,
        &["account", "apps", "room", "next_change", "last_change"],
    );
    assert_eq!(
        (&portal["next_change"], &portal["last_change"]),
        (&json!("2026-11-27T04:30:00Z"), &json!("2026-11-20T04:30:00Z"))
    );
    // The old endpoints hold to the same seven days, and the portal to theirs.
    let old = json!({
        "clientId": "SBX002", "password": h.samco(1).password, "primaryIp": "203.0.113.31",
    });
    assert_eq!(h.post("/ip/ipUpdate", &old).await.0, 400);
    h.control("PUT", "/clock", at("2026-11-27T10:00:00+05:30")).await;
    assert_eq!(h.post("/ip/ipUpdate", &old).await.0, 200);
    refused(&h, "SBX002", set(&app, "primary", "203.0.113.32")).await;
}

#[tokio::test]
async fn an_address_serves_many_apps_of_one_client_and_no_other_client() {
    let h = start().await;
    h.sandbox
        .switch("samco_second_login_revokes_first", false)
        .unwrap();
    let one = create(&h, "SBX001", "Momentum").await;
    let two = create(&h, "SBX001", "Arbitrage").await;
    for app in [&one, &two] {
        act(&h, "SBX001", set(app, "primary", "203.0.113.11")).await;
    }
    from(&h, "203.0.113.11");
    for app in [&one, &two] {
        let token = session(&h, app).await;
        assert_eq!(whoami(&h, &token).await.1["matchedAs"], "PRIMARY");
        assert_eq!(order(&h, &token).await, 200);
    }
    let (_, portal) = h.control("GET", "/portal?account=SBX001", Value::Null).await;
    assert_eq!(portal["next_change"], Value::Null);
    let text = refused(&h, "SBX002", set(&app_one(), "secondary", "203.0.113.11")).await;
    assert!(
        text.contains("203.0.113.11 is registered by another client"),
        "{text}"
    );
    let old = json!({
        "clientId": "SBX002", "password": h.samco(1).password, "primaryIp": "203.0.113.11",
    });
    let (status, reply) = h.post("/ip/ipUpdate", &old).await;
    assert_eq!(status, 400);
    let text = reply["statusMessage"].as_str().unwrap();
    assert!(text.contains("by another client"), "{text}");
    // A session without an app goes by the first app that is active.
    act(&h, "SBX001", json!({"deactivate": {"app": 1}})).await;
    let (_, reply) = h
        .post(
            "/accessToken/token",
            &json!({"uid": "SBX001", "secretApiKey": h.samco(0).secret_api_key}),
        )
        .await;
    let body = json!({
        "userId": "SBX001", "password": h.samco(0).password, "accessToken": reply["accessToken"],
    });
    let (_, reply) = h.post("/login", &body).await;
    let token = reply["sessionToken"].as_str().unwrap();
    let (_, seen) = whoami(&h, token).await;
    assert_eq!(
        (&seen["primaryIp"], &seen["secondaryIp"], &seen["matches"]),
        (&json!("203.0.113.11"), &json!(""), &json!(true))
    );
}

#[tokio::test]
async fn oauth_knows_each_app_and_whose_it_is() {
    let h = start().await;
    h.sandbox
        .switch("samco_second_login_revokes_first", false)
        .unwrap();
    let app = create(&h, "SBX001", "Momentum & <b>Co</b>").await;
    let (status, reply) = common::read(
        h.request(
            Method::GET,
            &format!("/oauth/authorize?api_key={}&redirect_url={BACK}", app.key),
        )
        .send()
        .await
        .unwrap(),
    )
    .await;
    assert_eq!(
        (status, &reply["data"]["appName"], &reply["data"]["clientUid"]),
        (200, &json!("Momentum & <b>Co</b>"), &json!("SBX001"))
    );
    let page = format!("/app/oauth/authorize?api_key={}&redirect_url={BACK}", app.key);
    let page = h.request(Method::GET, &page).send().await.unwrap();
    let page = page.text().await.unwrap();
    assert!(page.contains("Momentum &#38; &#60;b&#62;Co") && !page.contains("<b>Co</b>"));
    // The owner has the secret of any own app, and nobody else's.
    grant(&h, &app).await;
    grant(&h, &first(&h, 0)).await;
    for app in [&app, &first(&h, 0)] {
        let error = code(&h, app, Some("SBX002")).unwrap_err();
        assert!(error.message().contains("EOAUTH008"), "{error}");
    }
    // Another address is registered with a code.
    let edit = json!({"edit_app": {"app": app.id, "redirect_url": "https://app.example/back"}});
    act(&h, "SBX001", edit).await;
    assert!(code(&h, &app, None).is_err());

    // A code that comes twice ends the account's sessions, or by the switch the app's.
    let edit = json!({"edit_app": {"app": app.id, "redirect_url": BACK}});
    act(&h, "SBX001", edit).await;
    for (word, status) in [("app", 200), ("account", 401)] {
        h.sandbox.switch("oauth_replay_ends", word).unwrap();
        let (other, other_refresh) = grant(&h, &first(&h, 0)).await;
        let replayed = code(&h, &app, None).unwrap();
        let (_, reply) = exchange(&h, &replayed).await;
        let access = reply["data"]["access_token"].as_str().unwrap();
        assert_eq!(exchange(&h, &replayed).await.1["errorCode"], "EOAUTH012");
        assert_eq!(whoami(&h, access).await.0, 401, "{word}");
        assert_eq!(whoami(&h, &other).await.0, status, "{word}");
        assert_eq!(refresh(&h, &other_refresh).await.0, status, "{word}");
    }
}

#[tokio::test]
async fn codes_names_and_places_are_limited() {
    let h = start().await;
    let action = json!({"create_app": {"name": "Momentum", "redirect_url": BACK}});
    let (_, reply) = propose(&h, "SBX001", &action).await;
    let text = reply["text"].as_str().unwrap();
    assert!(
        text.contains("“Momentum”") && !text.contains("sandbox-"),
        "{text}"
    );
    let otp = last(&h, "SBX001", MessageKind::Otp);
    let wrong = if otp == "000000" { "000001" } else { "000000" };
    let (status, error) = confirm(&h, "SBX001", &reply["proposal"], wrong).await;
    assert_eq!(status, 422);
    assert_eq!(
        error["error"]["message"],
        "otp: That is not the code. 2 tries are left."
    );
    // Somebody else's proposal, with its right code.
    assert_eq!(confirm(&h, "SBX002", &reply["proposal"], &otp).await.0, 422);
    assert_eq!(confirm(&h, "SBX001", &reply["proposal"], &otp).await.0, 200);
    let (_, error) = confirm(&h, "SBX001", &reply["proposal"], &otp).await;
    let text = error["error"]["message"].as_str().unwrap();
    assert!(text.contains("used already"), "{text}");
    for name in ["MOMENTUM ", "ab"] {
        let action = json!({"create_app": {"name": name, "redirect_url": BACK}});
        assert!(refused(&h, "SBX001", action).await.starts_with("name: "));
    }
    for name in ["Second", "Third", "Fourth"] {
        create(&h, "SBX001", name).await;
    }
    let sixth = json!({"create_app": {"name": "Sixth", "redirect_url": BACK}});
    assert!(
        refused(&h, "SBX001", sixth.clone())
            .await
            .contains("at most 5 apps")
    );
    let (_, accounts) = h.control("GET", "/accounts", Value::Null).await;
    let apps = accounts["accounts"][0]["apps"].as_array().unwrap();
    assert_eq!(apps.len(), 5);
    let fields = [
        "id",
        "name",
        "redirect_url",
        "active",
        "api_key",
        "primary_ip",
        "secondary_ip",
        "created_at",
        "updated_at",
    ];
    same_fields(&apps[4], &fields);

    // An old code, and a limit by the day.
    let (_, reply) = propose(&h, "SBX002", &sixth).await;
    let otp = last(&h, "SBX002", MessageKind::Otp);
    h.control("POST", "/clock/advance", json!({"seconds": 300})).await;
    let (_, error) = confirm(&h, "SBX002", &reply["proposal"], &otp).await;
    let text = error["error"]["message"].as_str().unwrap();
    assert!(text.contains("ended at 2026-11-20 10:05:00 IST"), "{text}");
    h.sandbox.switch("samco_otp_daily_limit", 1).unwrap();
    let text = refused(&h, "SBX002", sixth).await;
    assert!(text.contains("from 2026-11-21 00:00:00 IST on"), "{text}");
}

#[tokio::test]
async fn the_control_calls_name_what_is_wrong() {
    let h = start().await;
    let unknown = json!({"account": "SBX101", "action": {"activate": {"app": 1}}});
    assert_eq!(h.control("POST", "/portal", unknown).await.0, 404);
    assert_eq!(
        h.control("GET", "/portal?account=SBX999", Value::Null).await.0,
        404
    );
    for (path, body) in [
        ("/portal", json!({"account": "SBX001"})),
        ("/portal", json!({"account": "SBX001", "action": {"fly": {}}})),
        (
            "/portal",
            json!({"account": "SBX001", "action": {"activate": {}}}),
        ),
        (
            "/portal",
            json!({"account": "SBX001", "action": {"activate": {"app": 1, "x": 1}}}),
        ),
        (
            "/portal",
            json!({"account": "SBX001", "action": {"delete_address": {"app": 1, "slot": "third"}}}),
        ),
        (
            "/portal/confirm",
            json!({"account": "SBX001", "proposal": -1, "otp": ""}),
        ),
        ("/portal/sign-in", json!({"account": "SBX001"})),
    ] {
        let (status, reply) = h.control("POST", path, body).await;
        assert_eq!(
            (status, &reply["error"]["code"]),
            (400, &json!("invalid_field")),
            "{reply}"
        );
    }
    assert_eq!(h.control("GET", "/portal", Value::Null).await.0, 400);
    assert_eq!(h.control("DELETE", "/portal", Value::Null).await.0, 405);
    let mut body = json!({"account": "SBX001", "password": h.samco(0).password});
    let (status, reply) = h.control("POST", "/portal/sign-in", body.clone()).await;
    assert_eq!((status, &reply["account"]), (200, &json!("SBX001")));
    body["password"] = json!("wrong");
    assert_eq!(h.control("POST", "/portal/sign-in", body).await.0, 422);
}
