//! The pages in the browser and the person who plays at them: Samco's authorize page and SmartAPI's publisher
//! login, over real HTTP and by the control API.

#![allow(clippy::unwrap_used)] // helpers of tests may unwrap

mod common;

use common::{Harness, REST, TOKENS, read, start};
use preopen_sandbox::{Broker, Fault, SourceIp};
use reqwest::{Method, Response};
use serde_json::{Value, json};

const AUTHORIZE: &str = "/app/oauth/authorize";
const PUBLISHER: &str = "/publisher-login";
const SAMCO_BACK: &str = "http://127.0.0.1:8765/callback";
const ANGEL_BACK: &str = "https://strategy.example/callback";

fn address(path: &str, parameters: &[(&str, &str)]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(parameters);
    format!("{path}?{}", query.finish())
}

fn authorize(h: &Harness, state: &str) -> String {
    let parameters = [
        ("api_key", h.samco(0).api_key.as_str()),
        ("redirect_url", SAMCO_BACK),
        ("state", state),
    ];
    address(AUTHORIZE, &parameters)
}

fn publisher(h: &Harness) -> String {
    let key = h.angelone(0).api_key.as_str();
    address(PUBLISHER, &[("api_key", key), ("state", "s1")])
}

fn parameters(address: &str) -> Vec<(String, String)> {
    let (_, query) = address.split_once('?').unwrap();
    form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

fn pairs(parameters: &[(String, String)]) -> Vec<(&str, &str)> {
    parameters.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect()
}

async fn look(h: &Harness, path: &str) -> Response {
    h.request(Method::GET, path).send().await.unwrap()
}

fn location(reply: &Response) -> String {
    assert_eq!(reply.status(), 303);
    reply.headers()["location"].to_str().unwrap().to_owned()
}

async fn consent(h: &Harness, path: &str, decision: &str, account: Option<&str>) -> (u16, Value) {
    let url = format!("{}{path}", h.sandbox.samco_url());
    let mut body = json!({"url": url, "decision": decision});
    if let Some(account) = account {
        body["account"] = account.into();
    }
    h.control("POST", "/consent", body).await
}

fn redirect((status, reply): (u16, Value)) -> String {
    assert_eq!(status, 200, "{reply}");
    common::same_fields(&reply, &["redirect_to"]);
    reply["redirect_to"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_page_shows_who_asks_and_keeps_others_out() {
    let h = start().await;
    let reply = look(&h, &authorize(&h, "<script>\"&")).await;
    assert_eq!(reply.status(), 200);
    let policy = reply.headers()["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'self'"));
    assert!(policy.contains("form-action 'self' http://127.0.0.1:8765; frame-ancestors 'none'"));
    assert_eq!(reply.headers()["referrer-policy"], "same-origin");
    assert_eq!(reply.headers()["cache-control"], "no-store");
    let text = reply.text().await.unwrap().replace("<wbr>", "");
    for shown in [
        "Sandbox app of SBX001",
        SAMCO_BACK,
        "api_secret",
        "Approve",
        "Cancel",
    ] {
        assert!(text.contains(shown), "{shown}");
    }
    assert!(!text.contains("<script") && !text.contains(&h.samco(0).api_secret));

    // A page from elsewhere that points a name of its own here, or posts its own form, gets nothing.
    for path in [authorize(&h, "s"), publisher(&h)] {
        let foreign = h.request(Method::GET, &path).header("host", "evil.example");
        assert_eq!(foreign.send().await.unwrap().status(), 403);
        let form = h
            .request(Method::POST, &path)
            .header("origin", "https://evil.example");
        let form = form.body(format!("decision=approve&api_secret={}", h.samco(0).api_secret));
        assert_eq!(form.send().await.unwrap().status(), 403);
        assert_eq!(h.request(Method::PUT, &path).send().await.unwrap().status(), 405);
    }
}

#[tokio::test]
async fn a_person_approves_or_cancels_in_the_browser() {
    let h = start().await;
    let path = authorize(&h, "a b&c");
    let secret = h.samco(0).api_secret.clone();
    let reply = h
        .post_form(&path, &[("api_secret", &secret), ("decision", "approve")])
        .await;
    let back = parameters(&location(&reply));
    assert_eq!((back[0].0.as_str(), back[0].1.len()), ("code", 43));
    assert_eq!(pairs(&back)[1], ("state", "a b&c"));
    let body = json!({"grant_type": "authorization_code", "code": back[0].1});
    assert_eq!(h.post("/oauth/token", &body).await.0, 200);

    let reply = h.post_form(&path, &[("decision", "cancel")]).await;
    let back = parameters(&location(&reply));
    assert_eq!(
        pairs(&back),
        [
            ("error", "access_denied"),
            ("errorMessage", "The user cancelled the authorization"),
            ("state", "a b&c")
        ]
    );
    // Who pastes the wrong thing stays on the page and tries again.
    let other = h.samco(1).api_secret.clone();
    for wrong in ["", "plain text", &other] {
        let form = [("api_secret", wrong), ("decision", "approve")];
        let reply = h.post_form(&path, &form).await;
        assert_eq!(reply.status(), 401);
        assert!(reply.text().await.unwrap().contains("(EOAUTH008)"));
    }
    assert_eq!(h.post_form(&path, &[("decision", "?")]).await.status(), 400);
}

#[tokio::test]
async fn refused_requests_go_back_only_to_the_registered_address() {
    let h = start().await;
    let key = h.samco(0).api_key.clone();
    let ask = |key: &str, back: &str, scopes: &str| {
        address(
            AUTHORIZE,
            &[
                ("api_key", key),
                ("redirect_url", back),
                ("state", "s"),
                ("scopes", scopes),
            ],
        )
    };
    let path = ask(&key, SAMCO_BACK, "admin");
    let back = parameters(&location(&look(&h, &path).await));
    assert_eq!(
        pairs(&back),
        [
            ("error", "invalid_request"),
            (
                "errorMessage",
                "EOAUTH003: Requested scopes are not allowed for this app"
            ),
            ("state", "s")
        ]
    );
    for (path, code) in [
        (ask("nobody", "https://evil.example/", "all"), "EOAUTH001"),
        (ask("nobody", SAMCO_BACK, "all"), "EOAUTH001"),
        (ask(&key, "https://evil.example/", "all"), "EOAUTH002"),
        (ask(&key, "javascript:alert(1)", "all"), "EOAUTH002"),
    ] {
        let reply = look(&h, &path).await;
        assert_eq!(reply.status(), 400, "{path}");
        assert!(reply.text().await.unwrap().contains(code));
        let (status, reply) = consent(&h, &path, "approve", None).await;
        assert_eq!(
            (status, &reply["error"]["code"]),
            (422, &json!("no_redirect")),
            "{reply}"
        );
        assert!(reply["error"]["message"].as_str().unwrap().contains(code));
    }
    // As documented, any valid http(s) address is told.
    h.sandbox.switch("oauth_error_redirect", "any").unwrap();
    let path = ask("nobody", "https://elsewhere.example/cb", "all");
    let back = redirect(consent(&h, &path, "approve", None).await);
    assert!(back.starts_with("https://elsewhere.example/cb?error=invalid_request&errorMessage=EOAUTH001"));
    let path = ask("nobody", "javascript:alert(1)", "all");
    assert_eq!(look(&h, &path).await.status(), 400);

    // A browser at another address than the app's list.
    h.sandbox
        .set_source_ip(SourceIp::Fixed("198.51.100.7".parse().unwrap()));
    let back = redirect(consent(&h, &authorize(&h, "s"), "approve", None).await);
    assert!(parameters(&back)[1].1.starts_with("EOAUTH009"), "{back}");
}

#[tokio::test]
async fn the_control_api_plays_the_person() {
    let h = start().await;
    let path = authorize(&h, "s1");
    let back = redirect(consent(&h, &path, "approve", None).await);
    assert!(back.starts_with(&format!("{SAMCO_BACK}?code=")) && back.ends_with("&state=s1"));
    let back = redirect(consent(&h, &path, "cancel", Some("SBX001")).await);
    assert!(back.starts_with(&format!("{SAMCO_BACK}?error=access_denied&errorMessage=")));
    let cases = [
        (
            consent(&h, &path, "approve", Some("SBX002")).await,
            422,
            "EOAUTH008",
        ),
        (consent(&h, &path, "approve", Some("SBX999")).await, 404, "SBX999"),
        (consent(&h, &path, "perhaps", None).await, 400, "decision"),
        (consent(&h, "/oauth/authorize", "approve", None).await, 400, "url"),
    ];
    for ((status, reply), expected, named) in cases {
        assert_eq!(status, expected, "{reply}");
        assert!(
            reply["error"]["message"].as_str().unwrap().contains(named),
            "{reply}"
        );
    }
    for url in [
        "nonsense",
        "https://tradeapi.samco.in/app/oauth/authorize?api_key=CANARY",
    ] {
        let error = h.sandbox.consent(url, true, None).unwrap_err();
        assert!(error.message().starts_with("url ") && !error.message().contains("CANARY"));
    }
    // The browser is at the address that the header names, or that is set.
    let url = format!("{}{path}", h.sandbox.samco_url());
    let body = json!({"url": url, "decision": "approve"});
    let reply = h
        .client
        .post(format!("{}/consent", h.sandbox.control_url()))
        .header("x-sandbox-token", h.sandbox.control_token())
        .header("x-sandbox-source-ip", "198.51.100.7")
        .json(&body);
    let back = redirect(read(reply.send().await.unwrap()).await);
    assert!(back.contains("EOAUTH009"));
    // It is no request to the broker.
    assert_eq!(h.sandbox.requests(None, None).count, 0);
}

#[tokio::test]
async fn addresses_of_apps_can_be_set() {
    let h = start().await;
    let set = |address: &str| json!({"redirect_url": address});
    for (account, bad) in [
        ("SBX001", "http://a.example/cb"),
        ("SBX001", "http://localhost:8765/cb"),
        ("SBX001", "http://192.0.2.1/cb"),
        ("SBX001", "my-app://cb"),
        ("SBX101", "/callback"),
    ] {
        let path = format!("/accounts/{account}");
        let (status, reply) = h.control("PATCH", &path, set(bad)).await;
        assert_eq!(status, 400, "{bad}");
        assert!(
            reply["error"]["message"]
                .as_str()
                .unwrap()
                .starts_with("redirect_url")
        );
    }
    h.sandbox.switch("oauth_localhost_redirect", true).unwrap();
    for good in ["http://localhost:8765/cb", "https://a.example/cb?x=1"] {
        let (status, shown) = h.control("PATCH", "/accounts/SBX001", set(good)).await;
        assert_eq!((status, &shown["redirect_url"]), (200, &json!(good)));
    }
    let parameters = [
        ("api_key", h.samco(0).api_key.as_str()),
        ("redirect_url", "https://a.example/cb?x=1"),
    ];
    let back = redirect(consent(&h, &address(AUTHORIZE, &parameters), "approve", None).await);
    assert!(back.starts_with("https://a.example/cb?x=1&code=") && !back.contains("state"));
    let back = json!({"redirect_url": SAMCO_BACK});
    let shown = h.sandbox.change_account("SBX001", &back).unwrap();
    assert_eq!(shown["redirect_url"], SAMCO_BACK);
    for (account, change) in [
        ("SBX999", json!({})),
        ("SBX001", json!({"nonsense": 1})),
        ("SBX001", json!([])),
        ("SBX001", json!({"redirect_url": "ftp://x/"})),
    ] {
        assert!(h.sandbox.change_account(account, &change).is_err(), "{change}");
    }
    let new = json!({"broker": "samco", "redirect_url": "http://127.0.0.1:9/x", "secret_api_key": "key"});
    let (status, shown) = h.control("POST", "/accounts", new).await;
    assert_eq!(
        (status, &shown["redirect_url"], &shown["secret_api_key"]),
        (201, &json!("http://127.0.0.1:9/x"), &json!("key"))
    );
    let new = json!({"broker": "angelone", "secret_api_key": "key"});
    assert_eq!(h.control("POST", "/accounts", new).await.0, 400);
}

#[tokio::test]
async fn a_publisher_login_gives_tokens_and_no_refresh_token() {
    let h = start().await;
    let path = publisher(&h);
    let reply = look(&h, &path).await;
    assert_eq!(reply.status(), 200);
    let policy = reply.headers()["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("form-action 'self' https://strategy.example;"));
    let text = reply.text().await.unwrap().replace("<wbr>", "");
    assert!(text.contains(ANGEL_BACK) && !text.contains("<script"));

    let account = h.angelone(0).clone();
    let right = h.totp(0);
    for (client, pin, totp, code) in [
        ("SBX999", account.pin.as_str(), right.as_str(), "AB1007"),
        (&account.client_code, "9999", &right, "AB1007"),
        (&account.client_code, &account.pin, "000000x", "AB1050"),
    ] {
        let form = [("client_code", client), ("pin", pin), ("totp", totp)];
        let reply = h.post_form(&path, &form).await;
        assert_eq!(reply.status(), 401);
        assert!(reply.text().await.unwrap().contains(code));
    }
    let form = [
        ("client_code", account.client_code.as_str()),
        ("pin", &account.pin),
        ("totp", &right),
    ];
    let sent = location(&h.post_form(&path, &form).await);
    assert!(sent.starts_with(&format!("{ANGEL_BACK}?")));
    let back = parameters(&sent);
    let names: Vec<_> = back.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["auth_token", "feed_token", "state"]);
    assert_eq!(back[2].1, "s1");
    let (status, reply) = h
        .secure(Method::GET, "/user/v1/getProfile", &back[0].1, None)
        .await;
    assert_eq!((status, &reply["status"]), (200, &json!(true)), "{reply}");
    // Nothing of it refreshes the session.
    for (_, token) in &back[..2] {
        let body = json!({"refreshToken": token});
        let asked = h
            .smartapi(Method::POST, TOKENS, 0)
            .json(&body)
            .send()
            .await
            .unwrap();
        let (_, reply) = read(asked).await;
        assert_eq!(reply["errorcode"], "AB8050", "{reply}");
    }
    // It ends at midnight like every session.
    h.sandbox.advance_to("00:00 IST").unwrap();
    let (_, reply) = h
        .secure(Method::GET, "/user/v1/getProfile", &back[0].1, None)
        .await;
    assert_ne!(reply["status"], true);
    // No secret of it is in the log, whichever way it came.
    look(
        &h,
        &address(&format!("{PUBLISHER}/undefined"), &[("auth_token", "CANARY")]),
    )
    .await;
    let shown = format!("{:?}", h.sandbox.requests(Some(Broker::AngelOne), None).requests);
    for canary in ["CANARY", back[0].1.as_str(), &account.api_key, &account.pin, "s1"] {
        assert!(!shown.contains(&format!("={canary}")), "{canary}");
    }
}

#[tokio::test]
async fn the_publisher_page_refuses_what_the_broker_refuses() {
    let h = start().await;
    let key = h.angelone(0).api_key.clone();
    let ask = |parameters: &[(&str, &str)]| address(PUBLISHER, parameters);
    for path in [
        ask(&[]),
        ask(&[("api_key", "nobody")]),
        ask(&[
            ("api_key", &key),
            ("redirect_url", "https://other.example/callback"),
        ]),
    ] {
        assert_eq!(look(&h, &path).await.status(), 403, "{path}");
        assert_eq!(consent(&h, &path, "approve", None).await.0, 422);
    }
    let registered = ask(&[("api_key", &key), ("redirect_url", ANGEL_BACK)]);
    assert_eq!(look(&h, &registered).await.status(), 200);
    for refused in [
        "http://strategy.example/callback",
        "https://localhost/callback",
        "https://203.0.113.10/callback",
        "",
    ] {
        let (status, reply) = h
            .control("PATCH", "/accounts/SBX101", json!({"redirect_url": refused}))
            .await;
        assert_eq!(status, 200, "{reply}");
        for path in [
            ask(&[("api_key", &key)]),
            ask(&[("api_key", &key), ("redirect_url", refused)]),
        ] {
            assert_eq!(look(&h, &path).await.status(), 403, "{refused}");
        }
    }
    h.sandbox
        .fault(Fault::on(Broker::AngelOne, PUBLISHER).status(502))
        .unwrap();
    assert_eq!(look(&h, &registered).await.status(), 502);
}

#[tokio::test]
async fn a_publisher_session_belongs_to_the_person_and_the_app() {
    let h = start().await;
    let path = publisher(&h);
    let (status, reply) = consent(&h, &path, "cancel", None).await;
    assert_eq!(status, 400, "{reply}");
    let back = parameters(&redirect(consent(&h, &path, "approve", Some("SBX102")).await));
    let profile = |key: String| {
        h.request(Method::GET, &format!("{REST}/user/v1/getProfile"))
            .header("X-PrivateKey", key)
            .header("X-UserType", "USER")
            .bearer_auth(&back[0].1)
    };
    let (_, reply) = read(profile(h.angelone(0).api_key.clone()).send().await.unwrap()).await;
    assert_eq!(reply["data"]["clientcode"], "SBX102");
    let (_, reply) = read(profile(h.angelone(1).api_key.clone()).send().await.unwrap()).await;
    assert_ne!(reply["status"], true);
    // A person who is blocked, and a code that was used, are told.
    h.sandbox.switch("totp_reuse_refused", true).unwrap();
    let (status, reply) = consent(&h, &path, "approve", Some("SBX102")).await;
    assert_eq!(status, 422);
    assert!(reply["error"]["message"].as_str().unwrap().contains("AB1050"));
    h.control("PATCH", "/accounts/SBX101", json!({"blocked": true}))
        .await;
    let (_, reply) = consent(&h, &path, "approve", None).await;
    assert!(reply["error"]["message"].as_str().unwrap().contains("AB1006"));
}

#[tokio::test]
async fn what_users_saw_of_the_publisher_login_can_be_switched_on() {
    let h = start().await;
    h.sandbox.switch("publisher_echoes_state", false).unwrap();
    let back = redirect(consent(&h, &publisher(&h), "approve", None).await);
    assert!(!back.contains("state="));
    h.sandbox
        .switch("publisher_redirects_to_undefined", true)
        .unwrap();
    let back = redirect(consent(&h, &publisher(&h), "approve", None).await);
    let start = format!(
        "{}/publisher-login/undefined?auth_token=",
        h.sandbox.angelone_url()
    );
    assert!(back.starts_with(&start), "{back}");
    assert_eq!(
        h.client.get(&back).send().await.unwrap().status(),
        404,
        "the browser ends there"
    );
}
