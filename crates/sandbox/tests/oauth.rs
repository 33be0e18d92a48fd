//! Samco's OAuth over real HTTP: every code of the broker, single use, rotation, revocation.

#![allow(clippy::unwrap_used)] // helpers of tests may unwrap

mod common;

use common::{Harness, samco_order, same_fields, start, start_at};
use preopen_sandbox::{Broker, Fault, Reset, SourceIp};
use reqwest::Method;
use serde_json::{Value, json};

const REDIRECT: &str = "http://127.0.0.1:8765/callback";

fn query(h: &Harness, state: &str) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query
        .append_pair("api_key", &h.samco(0).api_key)
        .append_pair("redirect_url", REDIRECT)
        .append_pair("state", state);
    query.finish()
}

fn page(h: &Harness) -> String {
    format!(
        "{}/app/oauth/authorize?{}",
        h.sandbox.samco_url(),
        query(h, "st&te =1")
    )
}

/// The value of a parameter of an address.
fn parameter(address: &str, name: &str) -> Option<String> {
    let (_, query) = address.split_once('?').unwrap();
    form_urlencoded::parse(query.as_bytes())
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}

fn code(h: &Harness) -> String {
    let back = h.sandbox.consent(&page(h), true, None).unwrap();
    assert!(back.starts_with(&format!("{REDIRECT}?code=")), "{back}");
    assert_eq!(parameter(&back, "state").as_deref(), Some("st&te =1"));
    let code = parameter(&back, "code").unwrap();
    assert_eq!(code.len(), 43);
    code
}

async fn exchange(h: &Harness, code: &str) -> (u16, Value) {
    let body = json!({"grant_type": "authorization_code", "code": code});
    h.post("/oauth/token", &body).await
}

async fn refresh(h: &Harness, token: &str) -> (u16, Value) {
    let body = json!({"grant_type": "refresh_token", "refresh_token": token});
    h.post("/oauth/token", &body).await
}

async fn granted(h: &Harness) -> (String, String) {
    tokens(exchange(h, &code(h)).await)
}

fn tokens((status, reply): (u16, Value)) -> (String, String) {
    assert_eq!((status, &reply["status"]), (200, &json!("Success")), "{reply}");
    let text = |name: &str| reply["data"][name].as_str().unwrap().to_owned();
    (text("access_token"), text("refresh_token"))
}

fn refused((status, reply): (u16, Value), code: &str) {
    assert_eq!(
        (status, &reply["status"], &reply["errorCode"]),
        (401, &json!("Failure"), &json!(code)),
        "{reply}"
    );
    same_fields(&reply, &["status", "message", "errorCode"]);
}

async fn whoami(h: &Harness, token: &str) -> u16 {
    h.with_token(Method::GET, "/ip/whoami", token, None).await.0
}

#[tokio::test]
async fn the_request_is_validated_in_the_documented_shape() {
    let h = start().await;
    let ask = |query: String| h.request(Method::GET, &format!("/oauth/authorize?{query}"));
    let (status, reply) = common::read(ask(query(&h, "x")).send().await.unwrap()).await;
    assert_eq!(status, 200);
    same_fields(&reply, &["status", "message", "data"]);
    let account = h.samco(0);
    let data = json!({
        "appName": "Sandbox app of SBX001", "apiKey": account.api_key, "redirectUrl": REDIRECT, "state": "x",
        "scopes": "all", "clientUid": "SBX001", "nextAction": "/oauth/authenticate",
    });
    assert_eq!(reply["data"], data);
    for (key, redirect, scopes, expected) in [
        ("nobody", REDIRECT, "all", "EOAUTH001"),
        (
            &account.api_key,
            "http://127.0.0.1:8766/callback",
            "all",
            "EOAUTH002",
        ),
        (
            &account.api_key,
            "http://127.0.0.1:8765/callback/",
            "all",
            "EOAUTH002",
        ),
        (&account.api_key, "", "all", "EOAUTH002"),
        (&account.api_key, REDIRECT, "all,admin", "EOAUTH003"),
    ] {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query
            .append_pair("api_key", key)
            .append_pair("redirect_url", redirect)
            .append_pair("scopes", scopes);
        refused(
            common::read(ask(query.finish()).send().await.unwrap()).await,
            expected,
        );
    }
    h.control("PATCH", "/accounts/SBX001", json!({"app_active": false}))
        .await;
    let (_, reply) = common::read(ask(query(&h, "x")).send().await.unwrap()).await;
    assert_eq!(
        (&reply["errorCode"], &reply["message"]),
        (&json!("EOAUTH001"), &json!("Invalid or inactive API key"))
    );
}

#[tokio::test]
async fn authenticate_checks_in_the_documented_order() {
    let h = start().await;
    let account = h.samco(0).clone();
    // Everything is wrong at first; each step mends what was named.
    let mut body = json!({
        "api_key": "nobody", "redirect_url": "https://evil.example/", "api_secret": "short", "state": "s",
        "scopes": "admin",
    });
    h.sandbox
        .set_source_ip(SourceIp::Fixed("198.51.100.7".parse().unwrap()));
    let steps = [
        ("api_key", json!(account.api_key), "EOAUTH001"),
        ("redirect_url", json!(REDIRECT), "EOAUTH002"),
        ("api_secret", json!(h.samco(1).api_secret), "EOAUTH008"),
        ("api_secret", json!(account.api_secret), "EOAUTH008"),
    ];
    for (field, mended, expected) in steps {
        refused(h.post("/oauth/authenticate", &body).await, expected);
        body[field] = mended;
    }
    refused(h.post("/oauth/authenticate", &body).await, "EOAUTH009");
    h.sandbox.set_source_ip(SourceIp::Home);
    refused(h.post("/oauth/authenticate", &body).await, "EOAUTH003");
    body["scopes"] = json!("all");
    let (status, reply) = h.post("/oauth/authenticate", &body).await;
    assert_eq!(status, 200, "{reply}");
    same_fields(&reply, &["status", "data"]);
    let back = reply["data"]["redirectTo"].as_str().unwrap();
    tokens(exchange(&h, &parameter(back, "code").unwrap()).await);

    // Without a list of addresses there is nothing to check.
    let none = json!({"primary_ip": "", "secondary_ip": ""});
    h.control("PATCH", "/accounts/SBX001", none).await;
    h.sandbox
        .set_source_ip(SourceIp::Fixed("198.51.100.7".parse().unwrap()));
    let (access, _) = granted(&h).await;
    assert_eq!(whoami(&h, &access).await, 200);
}

#[tokio::test]
async fn a_code_becomes_a_session() {
    let h = start().await;
    let (status, reply) = exchange(&h, &code(&h)).await;
    assert_eq!(status, 200);
    same_fields(&reply, &["status", "data"]);
    let data = &reply["data"];
    let documented = [
        "access_token",
        "token_type",
        "expires_in",
        "refresh_token",
        "refresh_token_expires_in",
        "session_id",
        "user_id",
        "scopes",
        "accountID",
        "accountName",
        "exchangeList",
        "orderTypeList",
        "productList",
        "srcIp",
        "primaryIp",
        "secondaryIp",
    ];
    same_fields(data, &documented);
    assert_eq!(
        (
            &data["token_type"],
            &data["expires_in"],
            &data["refresh_token_expires_in"],
            &data["scopes"]
        ),
        (&json!("Bearer"), &json!(86_400), &json!(604_800), &json!("all"))
    );
    assert_eq!(
        (&data["user_id"], &data["srcIp"], &data["secondaryIp"]),
        (&json!("SBX001"), &json!("203.0.113.10"), &json!("203.0.113.11"))
    );
    let access = data["access_token"].as_str().unwrap();
    assert!(access.starts_with("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."));
    assert_eq!(whoami(&h, access).await, 200);
    let order = samco_order();
    let (status, _) = h
        .with_token(Method::POST, "/order/placeOrder", access, Some(&order))
        .await;
    assert_eq!(status, 200);
    // It says 24 hours and dies at 08:00.
    h.sandbox.advance_to("08:00 IST").unwrap();
    assert_eq!(whoami(&h, access).await, 401);
}

#[tokio::test]
async fn a_code_counts_once_and_a_replay_revokes_everything() {
    let h = start().await;
    for (body, expected) in [
        (json!({"grant_type": "authorization_code"}), "EOAUTH010"),
        (
            json!({"grant_type": "authorization_code", "code": " "}),
            "EOAUTH010",
        ),
        (
            json!({"grant_type": "authorization_code", "code": "made-up"}),
            "EOAUTH011",
        ),
        (json!({"grant_type": "refresh_token"}), "EOAUTH015"),
        (
            json!({"grant_type": "refresh_token", "refresh_token": "made-up"}),
            "EOAUTH016",
        ),
    ] {
        refused(h.post("/oauth/token", &body).await, expected);
    }
    for body in [json!({}), json!({"grant_type": "password"}), json!([1])] {
        let (status, reply) = h.post("/oauth/token", &body).await;
        assert_eq!((status, &reply["status"]), (400, &json!("Failure")));
        assert!(reply.get("errorCode").is_none());
    }
    // Both grants of the account end when one code is replayed; another account's does not.
    h.sandbox
        .switch("samco_second_login_revokes_first", false)
        .unwrap();
    let other = h.samco_login(1).await;
    let (first_access, first_refresh) = granted(&h).await;
    let replayed = code(&h);
    let (second_access, second_refresh) = tokens(exchange(&h, &replayed).await);
    let unused = code(&h);
    refused(exchange(&h, &replayed).await, "EOAUTH012");
    for access in [first_access, second_access] {
        assert_eq!(whoami(&h, &access).await, 401);
    }
    for token in [first_refresh, second_refresh] {
        refused(refresh(&h, &token).await, "EOAUTH016");
    }
    refused(exchange(&h, &unused).await, "EOAUTH011");
    assert_eq!(whoami(&h, &other).await, 200);
    // A new consent mends it; the old code stays spent, and revokes again.
    let (access, _) = granted(&h).await;
    refused(exchange(&h, &replayed).await, "EOAUTH012");
    assert_eq!(whoami(&h, &access).await, 401);
}

#[tokio::test]
async fn a_code_lives_ten_minutes() {
    let h = start().await;
    let (young, old) = (code(&h), code(&h));
    let at = |time: &str| json!({"now": time});
    h.control("PUT", "/clock", at("2026-11-20T10:09:59.999+05:30"))
        .await;
    tokens(exchange(&h, &young).await);
    h.control("PUT", "/clock", at("2026-11-20T10:10:00+05:30")).await;
    refused(exchange(&h, &old).await, "EOAUTH013");
}

#[tokio::test]
async fn a_second_exchange_during_the_first_is_told_apart() {
    let h = start().await;
    h.sandbox.switch("oauth_exchange_hold_ms", 1500).unwrap();
    let held = code(&h);
    let (first, second) = tokio::join!(exchange(&h, &held), async {
        let seen = || h.sandbox.requests(None, Some("/oauth/token")).count;
        while seen() == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        exchange(&h, &held).await
    });
    refused(second, "EOAUTH030");
    let (access, _) = tokens(first);
    assert_eq!(whoami(&h, &access).await, 200);
    // After the first is through, the code had been claimed.
    refused(exchange(&h, &held).await, "EOAUTH012");
    assert_eq!(whoami(&h, &access).await, 401);
}

#[tokio::test]
async fn the_address_and_the_standing_of_the_account_decide_too() {
    let h = start().await;
    let waiting = code(&h);
    let away = SourceIp::Fixed("198.51.100.7".parse().unwrap());
    h.sandbox.set_source_ip(away);
    refused(exchange(&h, &waiting).await, "EOAUTH009");
    h.sandbox.set_source_ip(SourceIp::Home);
    for (change, mended) in [
        (
            json!({"needs_app_login": true}),
            json!({"needs_app_login": false}),
        ),
        (json!({"subscribed": false}), json!({"subscribed": true})),
        (json!({"blocked": true}), json!({"blocked": false})),
    ] {
        h.control("PATCH", "/accounts/SBX001", change).await;
        refused(exchange(&h, &waiting).await, "EOAUTH999");
        h.control("PATCH", "/accounts/SBX001", mended).await;
    }
    // None of the refusals used the code up.
    let (_, token) = tokens(exchange(&h, &waiting).await);
    h.sandbox.set_source_ip(away);
    refused(refresh(&h, &token).await, "EOAUTH009");
    h.sandbox.set_source_ip(SourceIp::Home);
    h.control("PATCH", "/accounts/SBX001", json!({"needs_app_login": true}))
        .await;
    refused(refresh(&h, &token).await, "EOAUTH999");
    h.control("PATCH", "/accounts/SBX001", json!({"needs_app_login": false}))
        .await;
    let (_, token) = tokens(refresh(&h, &token).await);
    // New credentials, and an app that is switched off, end everything.
    let other = "sandbox-secret-other-not-a-real-secret";
    h.control("PATCH", "/accounts/SBX001", json!({"api_secret": other}))
        .await;
    refused(refresh(&h, &token).await, "EOAUTH016");
}

#[tokio::test]
async fn refresh_tokens_rotate_and_live_seven_days() {
    let h = start_at("2026-11-20T10:00:00+05:30").await;
    let (_, first) = granted(&h).await;
    // It outlives the session.
    h.sandbox.advance_to("08:00 IST").unwrap();
    let (access, second) = tokens(refresh(&h, &first).await);
    assert_ne!(first, second);
    assert_eq!(whoami(&h, &access).await, 200);
    refused(refresh(&h, &first).await, "EOAUTH016");
    // The seven days count from the rotation, to the millisecond.
    let at = |time: &str| json!({"now": time});
    h.control("PUT", "/clock", at("2026-11-28T07:59:59.999+05:30"))
        .await;
    let (_, third) = tokens(refresh(&h, &second).await);
    h.control("PUT", "/clock", at("2026-12-05T07:59:59.999+05:30"))
        .await;
    refused(refresh(&h, &third).await, "EOAUTH017");

    // With the switch off they count from the consent.
    h.sandbox
        .switch("oauth_refresh_resets_seven_days", false)
        .unwrap();
    let (_, token) = granted(&h).await;
    h.control("PUT", "/clock", at("2026-12-10T08:00:00+05:30")).await;
    let (_, reply) = refresh(&h, &token).await;
    assert!(reply["data"]["refresh_token_expires_in"].as_i64().unwrap() < 3 * 86_400);
    h.control("PUT", "/clock", at("2026-12-12T08:00:00+05:30")).await;
    let token = reply["data"]["refresh_token"].as_str().unwrap();
    refused(refresh(&h, token).await, "EOAUTH017");
}

#[tokio::test]
async fn what_is_unknown_of_refreshing_can_be_switched() {
    let h = start().await;
    h.sandbox.switch("oauth_refresh_grace_seconds", 30).unwrap();
    let (_, first) = granted(&h).await;
    let (_, second) = tokens(refresh(&h, &first).await);
    let (_, third) = tokens(refresh(&h, &first).await);
    tokens(refresh(&h, &second).await);
    h.control("POST", "/clock/advance", json!({"seconds": 30})).await;
    refused(refresh(&h, &first).await, "EOAUTH016");
    h.sandbox.switch("oauth_refresh_survives_eight", false).unwrap();
    h.sandbox.advance_to("07:59 IST").unwrap();
    let (_, fourth) = tokens(refresh(&h, &third).await);
    h.sandbox.advance_to("08:00 IST").unwrap();
    refused(refresh(&h, &fourth).await, "EOAUTH016");

    let (access, token) = granted(&h).await;
    assert_eq!(
        h.with_token(Method::DELETE, "/logout", &access, None).await.0,
        200
    );
    refused(refresh(&h, &token).await, "EOAUTH016");
    h.sandbox.switch("oauth_logout_ends_grant", false).unwrap();
    let (access, token) = granted(&h).await;
    assert_eq!(
        h.with_token(Method::DELETE, "/logout", &access, None).await.0,
        200
    );
    tokens(refresh(&h, &token).await);

    for (name, value) in [
        ("oauth_error_text", "statusMessage"),
        ("oauth_error_code", "code"),
    ] {
        h.sandbox.switch(name, value).unwrap();
    }
    h.sandbox.switch("oauth_error_status", 400).unwrap();
    let (status, reply) = refresh(&h, "made-up").await;
    assert_eq!(
        (status, reply),
        (
            400,
            json!({"status": "Failure", "statusMessage": "Invalid refresh token", "code": "EOAUTH016"})
        )
    );
}

#[tokio::test]
async fn either_token_revokes_the_whole_session_and_unknown_ones_are_fine() {
    let h = start().await;
    let done = json!({"status": "Success", "message": "Token revoked successfully"});
    for by_refresh in [false, true] {
        let (access, token) = granted(&h).await;
        let body = if by_refresh {
            json!({"token": token, "token_type": "refresh_token"})
        } else {
            json!({"token": access, "token_type": "access_token"})
        };
        for _ in 0..2 {
            assert_eq!(h.post("/oauth/revoke", &body).await, (200, done.clone()));
        }
        assert_eq!(whoami(&h, &access).await, 401);
        refused(refresh(&h, &token).await, "EOAUTH016");
    }
    let unknown = json!({"token": "made-up", "token_type": "access_token"});
    assert_eq!(h.post("/oauth/revoke", &unknown).await, (200, done));
    // A session that no grant made is not touched.
    let session = h.samco_login(0).await;
    h.post("/oauth/revoke", &json!({"token": session})).await;
    assert_eq!(whoami(&h, &session).await, 200);
    assert_eq!(h.post("/oauth/revoke", &json!({})).await.0, 400);
    h.sandbox
        .switch("oauth_revoke_token_type", "access_token")
        .unwrap();
    let body = json!({"token": "made-up", "token_type": "refresh_token"});
    assert_eq!(h.post("/oauth/revoke", &body).await.0, 400);
}

#[tokio::test]
async fn faults_and_the_log_know_the_new_paths() {
    let h = start().await;
    let lost = Fault::on(Broker::Samco, "/oauth/token").reset(Reset::After);
    h.sandbox.fault(lost).unwrap();
    let once = code(&h);
    let body = json!({"grant_type": "authorization_code", "code": once});
    let answer = h.request(Method::POST, "/oauth/token").json(&body).send().await;
    assert!(answer.is_err());
    refused(exchange(&h, &once).await, "EOAUTH012");
    h.sandbox
        .fault(Fault::on(Broker::Samco, "/oauth/*").status(503))
        .unwrap();
    assert_eq!(exchange(&h, "x").await.0, 503);

    let secret = h.samco(0).api_secret.clone();
    let address = format!("{}?{}", "/app/oauth/authorize", query(&h, "CANARY-state"));
    let form = [("api_secret", secret.as_str()), ("decision", "approve")];
    let reply = h.post_form(&address, &form).await;
    assert_eq!(reply.status(), 303);
    h.request(
        Method::GET,
        "/oauth/authorize?code=CANARY&state=CANARY&api_secret=CANARY&refresh_token=CANARY",
    )
    .send()
    .await
    .unwrap();
    let seen = h.sandbox.requests(Some(Broker::Samco), None).requests;
    assert_eq!(seen[0].account.as_deref(), Some("SBX001"));
    let shown = format!("{seen:?}");
    for canary in ["CANARY", &secret, &once, &h.samco(0).api_key] {
        assert!(!shown.contains(canary), "{canary}");
    }
    assert!(shown.contains("state=**redacted**"));
}
