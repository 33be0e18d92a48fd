//! Who gets at the pages: no other site, no foreign name, no form without its token; and what every page keeps out.

#![allow(clippy::unwrap_used)] // helpers of tests may unwrap

mod common;

use common::{Browser, Harness, location, start};
use preopen_sandbox::{Broker, Fault, Options, SourceIp};
use reqwest::Method;
use serde_json::json;

/// Every page that anybody can look at.
const OPEN: [&str; 7] = [
    "/",
    "/inbox",
    "/clock",
    "/faults",
    "/requests",
    "/switches",
    "/app/login",
];
/// Every page for whoever is signed in; the account of the tests has one app with the number 1.
const SIGNED_IN: [&str; 6] = [
    "/app/api-keys",
    "/app/api-keys/new",
    "/app/api-keys/1",
    "/app/static-ips",
    "/app/static-ips/1/primary",
    "/app/static-ips/1/secondary",
];

fn brokers(h: &Harness) -> [String; 2] {
    [
        format!(
            "/app/oauth/authorize?api_key={}&redirect_url=http%3A%2F%2F127.0.0.1%3A8765%2Fcallback",
            h.samco(0).api_key
        ),
        format!("/publisher-login?api_key={}", h.angelone(0).api_key),
    ]
}

/// What forms of pages do, and what of it the sandbox would show.
const FORMS: [(&str, &str); 7] = [
    ("/", "from=peer"),
    ("/inbox", "do=clear"),
    ("/clock", "do=seconds&seconds=60&unit=seconds"),
    ("/faults", "do=add&broker=samco&path=%2F*&status=500"),
    ("/requests", "do=clear"),
    ("/switches", "do=set&name=samco_jwt_exp&value=true"),
    ("/app/login", "user_id=SBX001&password=sandbox-password-1"),
];

/// All that a form could have changed.
async fn all_of_it(h: &Harness) -> String {
    let mut all = String::new();
    for path in [
        "/clock",
        "/faults",
        "/requests",
        "/switches",
        "/source-ip",
        "/inbox",
        "/accounts",
    ] {
        all.push_str(
            &h.control("GET", path, serde_json::Value::Null)
                .await
                .1
                .to_string(),
        );
    }
    all
}

#[tokio::test]
async fn every_page_keeps_scripts_frames_caches_and_readers_out() {
    let h = start().await;
    let browser = Browser::new(&h);
    let first = browser.look("/").await;
    let set = first.headers()["set-cookie"].to_str().unwrap();
    assert!(set.ends_with("; Path=/; HttpOnly; SameSite=Strict"), "{set}");
    browser.sign_in(0).await;
    let mut paths: Vec<String> = OPEN[..6]
        .iter()
        .chain(&SIGNED_IN)
        .map(|path| (*path).to_owned())
        .collect();
    paths.extend(brokers(&h));
    for path in &paths {
        let reply = browser.look(path).await;
        assert_eq!(reply.status(), 200, "{path}");
        let headers = reply.headers();
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(
            policy.starts_with(
                "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; base-uri 'none'"
            ),
            "{policy}"
        );
        assert!(policy.ends_with("; frame-ancestors 'none'") && policy.contains("; form-action 'self'"));
        for (name, value) in [
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("content-type", "text/html; charset=utf-8"),
        ] {
            assert_eq!(headers[name], value, "{path}");
        }
        let is_apps = path.contains("?api_key=");
        assert_eq!(
            headers.contains_key("cross-origin-opener-policy"),
            !is_apps,
            "{path}"
        );
        let text = reply.text().await.unwrap();
        assert!(
            text.contains("<html lang=\"en\">") && text.contains("Skip to content"),
            "{path}"
        );
        assert!(
            text.contains("no account, price, order or message here is real"),
            "{path}"
        );
        assert!(
            text.contains("Your IP: <span>203.0.113.10</span>") && text.contains("role=\"tooltip\""),
            "{path}"
        );
        for never in [
            "<script>",
            " style=",
            " onclick",
            "javascript:",
            h.sandbox.control_token(),
        ] {
            assert!(!text.contains(never), "{path} has {never}");
        }
        // One language of links and files: nothing comes from elsewhere.
        for source in text.split("src=\"").skip(1) {
            assert!(source.starts_with("/assets/"), "{path}");
        }
        let current = text.matches("aria-current=\"page\"").count();
        // The navigation is there twice, for wide and for narrow windows.
        assert_eq!(
            current,
            if path.contains("8765") || path.starts_with("/publisher") {
                0
            } else {
                2
            },
            "{path}"
        );
    }
    for file in [
        "/assets/sandbox.css",
        "/assets/sandbox.js",
        "/assets/sandbox.svg",
        "/favicon.ico",
    ] {
        let reply = browser.look(file).await;
        assert_eq!(
            (
                reply.status().as_u16(),
                &reply.headers()["x-content-type-options"]
            ),
            (200, &"nosniff".parse().unwrap())
        );
    }
}

#[tokio::test]
async fn a_form_needs_the_token_of_its_own_browser() {
    let h = start().await;
    let before = all_of_it(&h).await;
    let (mine, other) = (Browser::new(&h), Browser::new(&h));
    let token = mine.token("/clock").await;
    let foreign = other.token("/clock").await;
    assert!(token.len() == 43 && foreign.len() == 43 && token != foreign);
    for (path, form) in FORMS {
        for body in [
            form.to_owned(),
            format!("{form}&token="),
            format!("{form}&token={foreign}"),
            format!("{form}&token={token}x"),
        ] {
            let reply = mine.ask(mine.post(path).body(body)).await;
            assert_eq!(reply.status(), 403, "{path}");
            assert!(reply.text().await.unwrap().contains("reload the page"));
        }
        // Without its cookie the right token is worth nothing.
        let reply = mine
            .post(path)
            .body(format!("{form}&token={token}"))
            .send()
            .await
            .unwrap();
        assert_eq!(reply.status(), 403, "{path}");
    }
    assert_eq!(all_of_it(&h).await, before);
    for path in brokers(&h) {
        let secret = &h.samco(0).api_secret;
        let reply = mine
            .ask(
                mine.post(&path)
                    .body(format!("decision=approve&api_secret={secret}")),
            )
            .await;
        assert_eq!(reply.status(), 403);
    }
}

#[tokio::test]
async fn a_page_of_another_site_drives_nothing_and_sees_nothing() {
    let h = start().await;
    let before = all_of_it(&h).await;
    let browser = Browser::new(&h);
    let token = browser.token("/clock").await;
    let post = |path: &str, form: &str| {
        h.request(Method::POST, path)
            .body(format!("{form}&token={token}"))
            .header("cookie", browser.cookie())
    };
    for (path, form) in FORMS {
        for origin in [
            "https://evil.example",
            "null",
            "http://127.0.0.1:1",
            "http://localhost",
            "file://",
        ] {
            let reply = post(path, form).header("origin", origin).send().await.unwrap();
            assert_eq!(reply.status(), 403, "{path} {origin}");
        }
        for site in ["cross-site", "same-site", "anything"] {
            let reply = post(path, form)
                .header("sec-fetch-site", site)
                .send()
                .await
                .unwrap();
            assert_eq!(reply.status(), 403, "{path} {site}");
        }
        // A name that points here is not the sandbox's own.
        for host in ["evil.example", "evil.example:80", "127.0.0.1", "127.0.0.1:1", ""] {
            let reply = post(path, form).header("host", host).send().await.unwrap();
            assert!([400, 403].contains(&reply.status().as_u16()), "{path} {host}");
            let reply = h
                .request(Method::GET, path)
                .header("host", host)
                .send()
                .await
                .unwrap();
            assert!([400, 403].contains(&reply.status().as_u16()), "{path} {host}");
            assert!(!reply.text().await.unwrap().contains("sandbox-"), "{path} {host}");
        }
        // A link from elsewhere leads to a page that says so and shows nothing.
        let reply = h
            .request(Method::GET, path)
            .header("sec-fetch-site", "cross-site")
            .send()
            .await
            .unwrap();
        assert_eq!(reply.status(), 403);
        assert!(!reply.text().await.unwrap().contains("sandbox-"));
    }
    assert_eq!(all_of_it(&h).await, before);
    // The pages that apps send browsers to are opened from elsewhere, their forms are not sent from there.
    for path in brokers(&h) {
        let look = h
            .request(Method::GET, &path)
            .header("sec-fetch-site", "cross-site");
        assert_eq!(look.send().await.unwrap().status(), 200);
        let reply = post(&path, "decision=cancel")
            .header("sec-fetch-site", "cross-site")
            .send()
            .await
            .unwrap();
        assert_eq!(reply.status(), 403);
    }
}

#[tokio::test]
async fn looking_changes_nothing() {
    let h = start().await;
    let before = all_of_it(&h).await;
    let browser = Browser::new(&h);
    browser.sign_in(0).await;
    for (path, form) in FORMS {
        for method in [Method::GET, Method::HEAD] {
            let reply = browser.ask(h.request(method, &format!("{path}?{form}"))).await;
            assert!(reply.status() == 200 || path == "/app/login", "{path}");
        }
        for method in [Method::PUT, Method::DELETE, Method::PATCH, Method::OPTIONS] {
            let reply = browser.ask(h.request(method, path)).await;
            assert_eq!(
                (reply.status().as_u16(), &reply.headers()["allow"]),
                (405, &"GET, HEAD, POST".parse().unwrap())
            );
            assert!(reply.text().await.unwrap().contains("<h1>Not possible here</h1>"));
        }
    }
    for path in SIGNED_IN {
        let query = "?do=deactivate&name=Another+name&ip=198.51.100.1&app=1&slot=primary";
        assert_eq!(browser.look(&format!("{path}{query}")).await.status(), 200);
    }
    assert_eq!(all_of_it(&h).await, before);
    assert!(h.sandbox.inbox().is_empty());
}

#[tokio::test]
async fn addresses_without_a_page_and_calls_without_an_endpoint_are_told_apart() {
    let h = start().await;
    let browser = Browser::new(&h);
    for path in [
        "/app/nothing",
        "/app/api-keys/1/more",
        "/app/confirm/x",
        "/assets/nothing",
        "/app/static-ips/1/third",
    ] {
        let reply = browser.look(path).await;
        assert_eq!(
            (reply.status().as_u16(), &reply.headers()["content-type"]),
            (404, &"text/html; charset=utf-8".parse().unwrap())
        );
    }
    for path in [
        "/nothing",
        "/inbox2",
        "/clock/now",
        "/order/nothing",
        "/oauth/nothing",
    ] {
        let reply = browser.look(path).await;
        assert_eq!(
            (reply.status().as_u16(), &reply.headers()["content-type"]),
            (404, &"application/json".parse().unwrap())
        );
    }
}

#[tokio::test]
async fn forms_and_addresses_are_bounded() {
    let h = start().await;
    let browser = Browser::new(&h);
    let token = browser.token("/clock").await;
    let large = format!("token={token}&do=set&now={}", "x".repeat(70_000));
    assert_eq!(
        browser.ask(browser.post("/clock").body(large)).await.status(),
        413
    );
    assert_eq!(
        browser
            .ask(browser.post("/clock").body("x".repeat(2 << 20)))
            .await
            .status(),
        413
    );
    let long = format!("/requests?path={}", "x".repeat(9000));
    assert_eq!(browser.look(&long).await.status(), 414);
    // A form with fields that nobody asked for is none the worse, one with a thousand is read in part.
    let many: Vec<String> = (0..1000).map(|n| format!("f{n}=v")).collect();
    let form = format!("token={token}&do=seconds&seconds=1&unit=days&{}", many.join("&"));
    let reply = browser.ask(browser.post("/clock").body(form)).await;
    assert_eq!(reply.status(), 303);
    for body in ["", "%", "=", "&&&", "do", "do=%ff%fe", "do=set", "\u{0}"] {
        let reply = browser
            .ask(browser.post("/clock").body(format!("token={token}&{body}")))
            .await;
        assert_eq!(reply.status(), 400, "{body:?}");
    }
}

/// What would run if a page wrote it as it is.
const HOSTILE: &str = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>";

/// The pages that come back when it is typed into forms which refuse it.
async fn mistyped(browser: &Browser<'_>) -> Vec<String> {
    let mut texts = Vec::new();
    for (path, fields) in [
        ("/", vec![("from", "fixed"), ("ip", HOSTILE)]),
        ("/clock", vec![("do", "set"), ("now", HOSTILE)]),
        (
            "/clock",
            vec![("do", "seconds"), ("seconds", HOSTILE), ("unit", HOSTILE)],
        ),
        (
            "/faults",
            vec![
                ("do", "add"),
                ("path", HOSTILE),
                ("status", HOSTILE),
                ("body", HOSTILE),
                ("headers", HOSTILE),
            ],
        ),
        (
            "/switches",
            vec![
                ("do", "set"),
                ("name", "samco_expired_status"),
                ("value", HOSTILE),
            ],
        ),
        (
            "/app/login",
            vec![("user_id", HOSTILE), ("password", HOSTILE), ("next", HOSTILE)],
        ),
    ] {
        let reply = browser.send(path, &fields).await;
        assert!([400, 401].contains(&reply.status().as_u16()), "{path}");
        texts.push(reply.text().await.unwrap());
    }
    texts
}

#[tokio::test]
async fn nothing_that_somebody_typed_becomes_markup() {
    let h = start().await;
    let browser = Browser::new(&h);
    let new = json!({
        "broker": "samco", "account": "<b>'\"&", "password": HOSTILE, "api_key": HOSTILE,
    });
    assert_eq!(h.control("POST", "/accounts", new).await.0, 201);
    let new = json!({"broker": "angelone", "client_code": "<i>'\"&", "api_key": HOSTILE});
    assert_eq!(h.control("POST", "/accounts", new).await.0, 201);
    // Requests with hostile paths, queries and addresses; faults with hostile bodies, headers and paths.
    h.request(
        Method::GET,
        "/%3Cscript%3Ealert(1)%3C/script%3E?symbolName=%3Cscript%3Ealert(1)",
    )
    .send()
    .await
    .unwrap();
    let fault = Fault::on(Broker::Samco, format!("/{HOSTILE}"))
        .status(500)
        .body(HOSTILE);
    h.sandbox
        .fault(fault.header("x-h", "<script>alert(1)</script>"))
        .unwrap();
    let code = json!({"uid": "<b>'\"&"});
    h.post("/otp/generateOtp", &code).await;
    // And the same typed into the forms of the pages, sent and sent again.
    browser
        .send("/app/login", &[("user_id", HOSTILE), ("password", HOSTILE)])
        .await;
    let mut texts = mistyped(&browser).await;
    browser.sign_in(0).await;
    let name = [
        ("name", HOSTILE),
        ("redirect_url", "http://127.0.0.1:8765/callback?x='"),
    ];
    let reply = browser.change("/app/api-keys/new", &name).await;
    assert_eq!(reply.status(), 200);
    texts.push(reply.text().await.unwrap());
    let reply = browser
        .send("/app/static-ips/1/primary", &[("ip", HOSTILE)])
        .await;
    assert_eq!(reply.status(), 400);
    texts.push(reply.text().await.unwrap());
    let reply = browser
        .send(
            "/app/api-keys/new",
            &[("name", HOSTILE), ("redirect_url", HOSTILE)],
        )
        .await;
    assert_eq!(reply.status(), 400);
    texts.push(reply.text().await.unwrap());
    for path in OPEN[..6].iter().chain(&SIGNED_IN) {
        texts.push(browser.text(path).await);
    }
    for path in [
        "/app/api-keys/2",
        "/inbox?account=%3Cscript%3E",
        "/requests?path=%22%3E%3Cscript%3E&broker=%3Cscript%3E",
        "/switches?done=%3Cscript%3E",
    ] {
        texts.push(browser.text(path).await);
    }
    let query = "&state=%22%3E%3Cscript%3E";
    for path in brokers(&h) {
        texts.push(browser.text(&format!("{path}{query}")).await);
    }
    texts.push(
        browser
            .text("/app/oauth/authorize?api_key=%3Cscript%3E&redirect_url=%3Cscript%3E")
            .await,
    );
    let all = texts.join("\n");
    assert!(!all.contains("<script>") && !all.contains("<img src=x") && !all.contains("<b>'"));
    assert!(!all.contains("onerror=alert(1)>"));
    // They are there, as text.
    assert!(
        all.matches("&#60;script&#62;alert(1)").count() > 10
            || all.matches("&lt;script&gt;alert(1)").count() > 10
    );
}

#[tokio::test]
async fn a_session_is_the_browsers_own_and_ends_when_it_is_told_to() {
    let h = start().await;
    let browser = Browser::new(&h);
    for path in SIGNED_IN.iter().chain(&["/app/confirm/1"]) {
        let reply = browser.look(path).await;
        let next = if path.contains("static") {
            "static-ips"
        } else {
            "api-keys"
        };
        assert_eq!(
            (reply.status().as_u16(), location(&reply)),
            (303, format!("/app/login?next=/app/{next}").as_str())
        );
        let reply = browser.send(path, &[("do", "deactivate")]).await;
        assert!([303, 403].contains(&reply.status().as_u16()), "{path}");
    }
    // Wrong tries are answered alike, whether the user exists or not: the first, and those after too many.
    let mut answers = Vec::new();
    for user in ["SBX002", "NOBODY"] {
        let mut said = String::new();
        for _ in 0..7 {
            let reply = browser
                .send("/app/login", &[("user_id", user), ("password", "wrong")])
                .await;
            assert_eq!(reply.status(), 401);
            let text = reply.text().await.unwrap();
            assert!(!text.contains("value=\"wrong\""));
            // The made-up accounts below the form are there for both.
            said.push_str(text.split_once("Made-up accounts").unwrap().0);
        }
        assert!(said.contains("aria-invalid=\"true\" autofocus aria-describedby=\"problem-password\""));
        assert_eq!(said.matches("Too many wrong passwords").count(), 2);
        answers.push(said.replace(user, "USER"));
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(
        h.control("PATCH", "/switches", json!({"samco_sign_in_tries": 0}))
            .await
            .0,
        200
    );
    h.control("POST", "/clock/advance", json!({"seconds": 900})).await;
    assert_eq!(browser.send("/app/login", &[]).await.status(), 401);
    // The cookie from before is not the one of the session: nobody can plant one.
    let planted = browser.cookie();
    browser.sign_in(0).await;
    let mine = browser.cookie();
    assert_ne!(planted, mine);
    let with = |cookie: &str| h.request(Method::GET, "/app/api-keys").header("cookie", cookie);
    assert_eq!(with(&planted).send().await.unwrap().status(), 303);
    assert_eq!(with(&mine).send().await.unwrap().status(), 200);
    // Signing in again replaces the session, signing out ends it.
    browser.sign_out().await;
    assert_ne!(browser.cookie(), mine);
    assert_eq!(with(&mine).send().await.unwrap().status(), 303);
    assert_eq!(browser.look("/app/api-keys").await.status(), 303);
    // Nobody is sent elsewhere after signing in.
    let account = h.samco(1);
    for next in [
        "https://evil.example",
        "//evil.example",
        "/app/static-ips",
        "/\\evil.example",
    ] {
        let fields = [
            ("user_id", account.account.as_str()),
            ("password", account.password.as_str()),
            ("next", next),
        ];
        let reply = Browser::new(&h).send("/app/login", &fields).await;
        let to = if next == "/app/static-ips" {
            next
        } else {
            "/app/api-keys"
        };
        assert_eq!(location(&reply), to);
    }
}

#[tokio::test]
async fn with_tls_the_cookie_is_for_tls_alone() {
    let sandbox = preopen_sandbox::Sandbox::start(Options::default().tls(true))
        .await
        .unwrap();
    common::client();
    let ca = std::fs::read(sandbox.ca_file().unwrap()).unwrap();
    let client = reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([reqwest::Certificate::from_pem(&ca).unwrap()])
        .build()
        .unwrap();
    let reply = client.get(sandbox.dashboard_url()).send().await.unwrap();
    assert!(
        reply.headers()["set-cookie"]
            .to_str()
            .unwrap()
            .ends_with("; SameSite=Strict; Secure")
    );
}

#[tokio::test]
async fn the_footer_tells_the_address_that_brokers_see() {
    let h = start().await;
    let browser = Browser::new(&h);
    browser.sign_in(1).await;
    let shown = |ip: &str| format!("Your IP: <span>{ip}</span>");
    let text = browser.text("/app/static-ips").await;
    assert!(text.contains(&shown("203.0.113.20")) && text.contains("The primary address of SBX002"));
    h.sandbox
        .set_source_ip(SourceIp::Fixed("198.51.100.7".parse().unwrap()));
    assert!(browser.text("/").await.contains(&shown("198.51.100.7")));
    h.sandbox.set_source_ip(SourceIp::Peer);
    assert!(browser.text("/").await.contains(&shown("127.0.0.1")));
    let look = h
        .request(Method::GET, "/")
        .header("x-sandbox-source-ip", "192.0.2.9");
    assert!(
        look.send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap()
            .contains(&shown("192.0.2.9"))
    );
}
