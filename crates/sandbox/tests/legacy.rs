//! Samco's deprecated endpoints and the web login code over real HTTP: each documented row, by its own status.

#![allow(clippy::unwrap_used)] // helpers of tests may unwrap

mod common;

use common::{Harness, same_fields, start, start_at};
use preopen_sandbox::{Broker, Channel, Fault, MessageKind};
use reqwest::Method;
use serde_json::{Value, json};

const FAILURE: [&str; 4] = ["serverTime", "msgId", "status", "statusMessage"];

fn refused((status, reply): (u16, Value), expected: u16, text: &str) {
    assert_eq!(
        (status, &reply["status"], &reply["statusMessage"]),
        (expected, &json!("Failure"), &json!(text)),
        "{reply}"
    );
    same_fields(&reply, &FAILURE);
}

async fn access_token(h: &Harness) -> String {
    let body = json!({"uid": "SBX001", "secretApiKey": h.samco(0).secret_api_key});
    let (status, reply) = h.post("/accessToken/token", &body).await;
    assert_eq!(status, 200, "{reply}");
    same_fields(&reply, &["serverTime", "msgId", "status", "accessToken"]);
    reply["accessToken"].as_str().unwrap().to_owned()
}

fn login_body(h: &Harness, access: &str) -> Value {
    json!({"userId": "SBX001", "password": h.samco(0).password, "accessToken": access, "yob": "1990"})
}

async fn is_alive(h: &Harness, token: &str) -> bool {
    h.with_token(Method::GET, "/limit/getLimits", token, None).await.0 == 200
}

#[tokio::test]
async fn from_the_one_time_code_to_the_session() {
    let h = start().await;
    let (status, reply) = h.post("/otp/generateOtp", &json!({"uid": "SBX001"})).await;
    assert_eq!(
        (status, &reply["statusMessage"]),
        (200, &json!("OTP sent to your mobile and email."))
    );
    same_fields(&reply, &FAILURE);
    let inbox = h.sandbox.inbox();
    let seen: Vec<_> = inbox
        .iter()
        .map(|m| (m.channel, m.kind, m.account.as_str()))
        .collect();
    assert_eq!(
        seen,
        [
            (Channel::Sms, MessageKind::Otp, "SBX001"),
            (Channel::Email, MessageKind::Otp, "SBX001")
        ]
    );
    assert!(!reply.to_string().contains(&inbox[0].value));
    let body = json!({"uid": "SBX001", "otp": inbox[0].value});
    let (status, reply) = h.post("/otp/secretKeyGenerator", &body).await;
    let text = json!("The secret API key has been sent to your email.");
    assert_eq!((status, &reply["statusMessage"]), (200, &text));
    let (status, shown) = h.control("GET", "/inbox?account=SBX001", Value::Null).await;
    assert_eq!(status, 200);
    let mail = &shown["messages"][2];
    let fields = [
        "seq", "at", "broker", "account", "channel", "kind", "value", "about", "text",
    ];
    same_fields(mail, &fields);
    assert_eq!(
        (&mail["channel"], &mail["kind"], &mail["at"]),
        (
            &json!("email"),
            &json!("secret_api_key"),
            &json!("2026-11-20T04:30:00Z")
        )
    );
    let key = mail["value"].as_str().unwrap();
    assert_eq!((key.len(), reply.to_string().contains(key)), (16, false));
    // The code counted once, and the new key took the place of the old one.
    refused(
        h.post("/otp/secretKeyGenerator", &body).await,
        400,
        "Invalid OTP.",
    );
    let old = json!({"uid": "SBX001", "secretApiKey": h.samco(0).secret_api_key});
    assert_eq!(h.post("/accessToken/token", &old).await.0, 400);
    let body = json!({"uid": "SBX001", "secretApiKey": key});
    let (_, reply) = h.post("/accessToken/token", &body).await;
    let body = login_body(&h, reply["accessToken"].as_str().unwrap());
    let (status, reply) = h.post("/login", &body).await;
    assert_eq!(status, 200, "{reply}");
    let documented = [
        "serverTime",
        "msgId",
        "status",
        "statusMessage",
        "sessionToken",
        "accountID",
        "accountName",
        "exchangeList",
        "orderTypeList",
        "productList",
    ];
    same_fields(&reply, &documented);
    let token = reply["sessionToken"].as_str().unwrap();
    assert!(token.len() == 32 && token.bytes().all(|b| b.is_ascii_hexdigit()));
    assert!(is_alive(&h, token).await);

    let (_, shown) = h.control("GET", "/inbox?account=SBX002", Value::Null).await;
    assert_eq!(shown, json!({"messages": []}));
    h.control("PATCH", "/accounts/SBX002", json!({"api_key": "sandbox-new-key"}))
        .await;
    let inbox = h.sandbox.inbox();
    assert_eq!(inbox.last().unwrap().kind, MessageKind::ApiKey);
    h.control("DELETE", "/inbox", Value::Null).await;
    assert!(h.sandbox.inbox().is_empty());
}

#[tokio::test]
async fn every_documented_refusal_has_its_own_status() {
    let h = start().await;
    for body in [json!({"uid": "SBX999"}), json!({})] {
        let text = "Failed to genererate otp for user";
        refused(h.post("/otp/generateOtp", &body).await, 400, text);
    }
    for body in [
        json!({"uid": "SBX001", "otp": "0000"}),
        json!({"uid": "SBX999", "otp": ""}),
    ] {
        refused(
            h.post("/otp/secretKeyGenerator", &body).await,
            400,
            "Invalid OTP.",
        );
    }
    h.post("/otp/generateOtp", &json!({"uid": "SBX001"})).await;
    let otp = h.sandbox.inbox()[0].value.clone();
    h.control("POST", "/clock/advance", json!({"seconds": 300})).await;
    let late = json!({"uid": "SBX001", "otp": otp});
    refused(
        h.post("/otp/secretKeyGenerator", &late).await,
        400,
        "Invalid OTP.",
    );

    let (status, reply) = h
        .post(
            "/accessToken/token",
            &json!({"uid": "SBX001", "secretApiKey": "x"}),
        )
        .await;
    assert_eq!(
        (status, &reply["statusMessage"]),
        (400, &json!("Secret key does not match"))
    );
    same_fields(&reply, &["serverTime", "status", "statusMessage"]);

    let access = access_token(&h).await;
    let mut body = login_body(&h, &access);
    body["password"] = json!("wrong");
    refused(h.post("/login", &body).await, 400, "Invalid Password");
    body["userId"] = json!("SBX999");
    refused(h.post("/login", &body).await, 400, "Invalid Password");
    let wrong = login_body(&h, "wrong");
    refused(h.post("/login", &wrong).await, 400, "Invalid access token");
    let (status, reply) = h.post("/login", &json!({"userId": "SBX001"})).await;
    assert_eq!(
        (status, &reply["validationErrors"]),
        (400, &json!(["password is required", "accessToken is required"]))
    );
    h.control("PATCH", "/accounts/SBX001", json!({"blocked": true}))
        .await;
    let (status, reply) = h.post("/login", &login_body(&h, &access)).await;
    assert_eq!(
        (status, &reply["statusMessage"]),
        (403, &json!("User account is blocked"))
    );
}

#[tokio::test]
async fn the_access_token_dies_before_eight_and_the_session_at_eight() {
    let h = start().await;
    let access = access_token(&h).await;
    h.sandbox.advance_to("07:54 IST").unwrap();
    let (status, reply) = h.post("/login", &login_body(&h, &access)).await;
    assert_eq!(status, 200);
    let session = reply["sessionToken"].as_str().unwrap();
    h.sandbox.advance_to("07:55 IST").unwrap();
    let (status, reply) = h.post("/login", &login_body(&h, &access)).await;
    assert_eq!((status, &reply["status"]), (400, &json!("Failure")));
    assert!(is_alive(&h, session).await);
    // One that is made in those minutes is for the next day.
    let access = access_token(&h).await;
    h.sandbox.advance_to("08:00 IST").unwrap();
    assert!(!is_alive(&h, session).await);
    h.sandbox.switch("samco_legacy_session_life", "day").unwrap();
    let (status, reply) = h.post("/login", &login_body(&h, &access)).await;
    assert_eq!(status, 200);
    let session = reply["sessionToken"].as_str().unwrap();
    h.control("POST", "/clock/advance", json!({"seconds": 3600}))
        .await;
    h.sandbox.advance_to("08:00 IST").unwrap();
    assert!(!is_alive(&h, session).await);

    let h = start_at("2026-11-20T10:00:00+05:30").await;
    h.sandbox.switch("samco_legacy_session_life", "day").unwrap();
    h.sandbox.switch("samco_access_token_lead", 0).unwrap();
    let access = access_token(&h).await;
    let (_, reply) = h.post("/login", &login_body(&h, &access)).await;
    let session = reply["sessionToken"].as_str().unwrap();
    h.sandbox.advance_to("08:00 IST").unwrap();
    assert!(is_alive(&h, session).await);
    assert_eq!(h.post("/login", &login_body(&h, &access)).await.0, 400);
    h.sandbox.advance_to("10:00 IST").unwrap();
    h.sandbox.switch("samco_expired_status", 403).unwrap();
    assert_eq!(
        h.with_token(Method::GET, "/limit/getLimits", session, None)
            .await
            .0,
        403
    );
}

fn addresses(h: &Harness, primary: &str, secondary: &str) -> Value {
    json!({
        "clientId": "SBX001", "password": h.samco(0).password, "primaryIp": primary, "secondaryIp": secondary,
    })
}

#[tokio::test]
async fn addresses_are_registered_and_changed_once_in_seven_days() {
    let h = start().await;
    let needed = "clientId and primaryIp are required";
    for path in ["/ip/ipRegistration", "/ip/ipUpdate"] {
        refused(h.post(path, &json!({"clientId": "SBX001"})).await, 400, needed);
        let mut wrong = addresses(&h, "203.0.113.10", "203.0.113.11");
        wrong["password"] = json!("wrong");
        refused(h.post(path, &wrong).await, 401, "Incorrect Password");
    }
    let full = addresses(&h, "203.0.113.10", "203.0.113.11");
    let text = "Both primary and secondary IP already registered";
    refused(h.post("/ip/ipRegistration", &full).await, 409, text);

    // What is registered already is free, in either order.
    for (primary, secondary) in [("203.0.113.11", "203.0.113.10"), ("203.0.113.10", "203.0.113.11")] {
        let same = addresses(&h, primary, secondary);
        let (status, reply) = h.post("/ip/ipUpdate", &same).await;
        assert_eq!(
            (status, &reply["statusMessage"]),
            (200, &json!("Client IPs updated successfully"))
        );
    }
    let (status, reply) = h.post("/ip/ipUpdate", &addresses(&h, "203.0.113.12", "")).await;
    assert_eq!(status, 200, "{reply}");
    same_fields(
        &reply,
        &["serverTime", "msgId", "status", "statusMessage", "data"],
    );
    assert_eq!(
        reply["data"],
        json!({
            "user_id": "SBX001", "primary_ip": "203.0.113.12", "secondary_ip": "203.0.113.11",
            "ip_updated_at": "2026-11-20T04:30:00.000Z",
        })
    );
    let token = h.samco_login(0).await;
    let (_, whoami) = h.with_token(Method::GET, "/ip/whoami", &token, None).await;
    assert_eq!(whoami["primaryIp"], "203.0.113.12");

    let next = addresses(&h, "203.0.113.13", "203.0.113.11");
    let at = |time: &str| json!({"now": time});
    let week = "IP update allowed only once per calendar week";
    h.control("PUT", "/clock", at("2026-11-27T09:59:59.999+05:30"))
        .await;
    refused(h.post("/ip/ipUpdate", &next).await, 400, week);
    h.control("PUT", "/clock", at("2026-11-27T10:00:00+05:30")).await;
    assert_eq!(h.post("/ip/ipUpdate", &next).await.0, 200);

    for (primary, secondary) in [
        ("10.0.0.1", ""),
        ("2001:db8::1", ""),
        ("127.0.0.1", ""),
        ("203.0.113.14", "192.168.1.1"),
        ("203.0.113.14", "203.0.113.14"),
    ] {
        let (status, _) = h.post("/ip/ipUpdate", &addresses(&h, primary, secondary)).await;
        assert_eq!(status, 400, "{primary} {secondary}");
    }
}

#[tokio::test]
async fn an_account_without_addresses_registers_them() {
    let h = start().await;
    let none = json!({"primary_ip": "", "secondary_ip": ""});
    h.control("PATCH", "/accounts/SBX001", none).await;
    let (status, reply) = h
        .post(
            "/ip/ipRegistration",
            &addresses(&h, "203.0.113.30", "203.0.113.31"),
        )
        .await;
    assert_eq!(
        (status, &reply["statusMessage"]),
        (200, &json!("Client IPs registered successfully"))
    );
    let data = &reply["data"];
    assert_eq!(
        (&data["primary_ip"], &data["secondary_ip"]),
        (&json!("203.0.113.30"), &json!("203.0.113.31"))
    );
}

#[tokio::test]
async fn a_web_login_code_counts_once_and_for_two_minutes() {
    let h = start().await;
    let session = h.samco_login(0).await;
    assert_eq!(
        common::read(h.request(Method::GET, "/webSecretCode").send().await.unwrap())
            .await
            .0,
        401
    );
    let code = async || {
        let (status, reply) = h.with_token(Method::GET, "/webSecretCode", &session, None).await;
        assert_eq!(status, 200);
        same_fields(
            &reply,
            &["serverTime", "msgId", "status", "statusMessage", "data"],
        );
        assert_eq!(reply["statusMessage"], "Secret code genererated successfully.");
        assert_eq!(reply["data"]["timeRemainingInSeconds"], 120);
        let code = reply["data"]["OTP"].as_str().unwrap().to_owned();
        let (letters, digits) = code.split_at(4);
        assert!(
            letters.bytes().all(|b| b.is_ascii_uppercase()) && digits.bytes().all(|b| b.is_ascii_digit())
        );
        assert_eq!(digits.len(), 4);
        code
    };
    let first = code().await;
    let validate = async |otp: &str| h.post("/webSecretCodeValidation", &json!({"otp": otp})).await;
    let (status, reply) = validate(&first).await;
    assert_eq!(status, 200);
    let documented = [
        "serverTime",
        "status",
        "statusMessage",
        "sessionToken",
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
    let token = reply["sessionToken"].as_str().unwrap();
    assert!(token.len() == 32 && token.bytes().all(|b| b.is_ascii_hexdigit()));
    // It stands beside the session that asked.
    assert!(is_alive(&h, token).await && is_alive(&h, &session).await);

    let second = code().await;
    h.control("POST", "/clock/advance", json!({"seconds": 120})).await;
    for otp in [first.as_str(), &second, "AAAA0000", ""] {
        let (status, reply) = validate(otp).await;
        assert_eq!(status, 400);
        same_fields(&reply, &["serverTime", "status", "validationErrors"]);
        assert_eq!(reply["status"], "Failure");
        assert_eq!(reply["validationErrors"].as_array().unwrap().len(), 1);
    }
    let third = code().await;
    h.control("POST", "/clock/advance", json!({"seconds": 119})).await;
    assert_eq!(validate(&third).await.0, 200);
    let fourth = code().await;
    h.control("DELETE", "/sessions", Value::Null).await;
    assert_eq!(validate(&fourth).await.0, 400);
}

#[tokio::test]
async fn faults_work_on_the_old_paths_too_and_the_log_keeps_no_secret() {
    let h = start().await;
    for path in [
        "/login",
        "/otp/generateOtp",
        "/otp/secretKeyGenerator",
        "/accessToken/token",
        "/ip/ipRegistration",
        "/ip/ipUpdate",
        "/webSecretCodeValidation",
    ] {
        h.sandbox
            .fault(Fault::on(Broker::Samco, path).status(503))
            .unwrap();
        assert_eq!(h.post(path, &json!({})).await.0, 503, "{path}");
        let query = "?otp=CANARY&secretApiKey=CANARY&password=CANARY&accessToken=CANARY";
        h.post(&format!("{path}{query}"), &json!({"password": "CANARY"}))
            .await;
    }
    access_token(&h).await;
    let seen = h.sandbox.requests(None, None).requests;
    assert!(!format!("{seen:?}").contains("CANARY"));
    assert_eq!(seen.last().unwrap().account.as_deref(), Some("SBX001"));
}
