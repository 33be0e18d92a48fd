//! What the pages do for a person: the sandbox's own, and Samco's dashboard from signing in to a change in seven days.

#![allow(clippy::unwrap_used)] // helpers of tests may unwrap

mod common;

use common::{Browser, Harness, location, samco_order, start};
use preopen_core::totp::TotpSecret;
use preopen_sandbox::{Broker, SourceIp};
use reqwest::{Method, Response};
use serde_json::{Value, json};

const BACK: &str = "http://127.0.0.1:8765/callback";

async fn text(reply: Response) -> String {
    reply.text().await.unwrap()
}

fn now(h: &Harness) -> String {
    preopen_core::Clock::now(&*h.sandbox.clock()).wall.to_ist()
}

/// Sends a form and follows to the page after it.
async fn done(browser: &Browser<'_>, path: &str, fields: &[(&str, &str)]) -> String {
    let reply = browser.send(path, fields).await;
    assert_eq!(reply.status(), 303, "{path} {}", text(reply).await);
    browser.text(location(&reply)).await
}

/// Sends a form and gives what is wrong, which must stand beside its field.
async fn wrong(browser: &Browser<'_>, path: &str, fields: &[(&str, &str)], field: &str) -> String {
    let reply = browser.send(path, fields).await;
    let status = reply.status();
    let page = text(reply).await;
    assert_eq!(status, 400, "{page}");
    let mark = format!("id=\"problem-{field}\">");
    assert!(page.contains(&mark), "{page}");
    let (_, rest) = page.split_once(&mark).unwrap();
    assert!(
        page.contains("aria-invalid=\"true\"")
            && page.contains(&format!("aria-describedby=\"problem-{field}"))
    );
    rest.split('<').next().unwrap().to_owned()
}

#[tokio::test]
async fn the_overview_is_enough_to_begin_with() {
    let h = start().await;
    let browser = Browser::new(&h);
    h.samco_login(0).await;
    let page = browser.text("/").await;
    for shown in [
        h.sandbox.samco_url(),
        "2026-11-20 10:00:00 IST",
        "sandbox-samco-key-1",
        "sandbox-password-2",
        &h.samco(0).api_secret,
        "1 live session<",
        "SBX102",
        "data-copy=\"0417\"",
    ] {
        assert!(page.contains(shown), "{shown}");
    }
    // The code that is shown signs in; those that follow it are the next ones.
    let at = preopen_core::Clock::now(&*h.sandbox.clock()).wall;
    let secret = TotpSecret::new(h.angelone(0).totp_secret.as_str());
    let code = |at| secret.code_at(at).unwrap().spend().expose().to_owned();
    assert!(page.contains(&format!(">{}</output>", code(at))));
    assert!(page.contains(&format!(
        "data-codes=\"{} {} ",
        code(at.plus_millis(30_000)),
        code(at.plus_millis(60_000))
    )));
    assert!(page.contains("<span data-seconds>30</span> s left, stands still"));
    // Many accounts do not make a page that nobody can open.
    h.sandbox.add_accounts(Broker::Samco, 300).unwrap();
    assert!(browser.text("/").await.contains("254 more"));
}

#[tokio::test]
async fn the_source_address_is_chosen_on_the_overview() {
    let h = start().await;
    let browser = Browser::new(&h);
    let token = h.samco_login(0).await;
    let page = done(&browser, "/", &[("from", "fixed"), ("ip", " 198.51.100.7 ")]).await;
    assert!(
        page.contains("role=\"status\">The source address is set.")
            && page.contains("value=\"198.51.100.7\"")
    );
    let (status, _) = h
        .with_token(Method::POST, "/order/placeOrder", &token, Some(&samco_order()))
        .await;
    assert_eq!(status, 403);
    done(&browser, "/", &[("from", "peer"), ("ip", "")]).await;
    assert_eq!(
        h.control("GET", "/source-ip", Value::Null).await.1,
        json!({"ip": null})
    );
    done(&browser, "/", &[("from", "home"), ("ip", "nonsense")]).await;
    assert_eq!(
        h.control("GET", "/source-ip", Value::Null).await.1,
        json!({"ip": "home"})
    );
    assert_eq!(
        wrong(&browser, "/", &[("from", "fixed"), ("ip", "1.2.3")], "ip").await,
        "This is not an IP address."
    );
    assert_eq!(
        wrong(&browser, "/", &[("from", "fixed"), ("ip", "")], "ip").await,
        "Give the address, for example 198.51.100.7."
    );
    assert_eq!(browser.send("/", &[("from", "nowhere")]).await.status(), 400);
}

#[tokio::test]
async fn the_clock_is_read_set_and_moved() {
    let h = start().await;
    let browser = Browser::new(&h);
    let page = browser.text("/clock").await;
    assert!(page.contains("2026-11-20 10:00:00 IST") && page.contains("2026-11-20 04:30:00 UTC"));
    assert!(page.contains("stands still"));
    for (fields, then) in [
        (
            [("do", "to"), ("to", "08:00"), ("", "")],
            "2026-11-21 08:00:00 IST",
        ),
        (
            [("do", "to"), ("to", "00:00"), ("", "")],
            "2026-11-22 00:00:00 IST",
        ),
        (
            [("do", "seconds"), ("seconds", "7"), ("unit", "days")],
            "2026-11-29 00:00:00 IST",
        ),
        (
            [("do", "seconds"), ("seconds", "1.5"), ("unit", "minutes")],
            "2026-11-29 00:01:30 IST",
        ),
        (
            [("do", "set"), ("now", "2026-12-01T09:14"), ("", "")],
            "2026-12-01 09:14:00 IST",
        ),
        (
            [("do", "set"), ("now", "2026-12-01T09:14:59"), ("", "")],
            "2026-12-01 09:14:59 IST",
        ),
    ] {
        let page = done(&browser, "/clock", &fields).await;
        assert!(page.contains(then) && now(&h) == then, "{then} {}", now(&h));
        assert!(page.contains("role=\"status\""));
    }
    let page = done(&browser, "/clock", &[("do", "rate"), ("rate", "60")]).await;
    assert!(page.contains("60 × real time"));
    done(&browser, "/clock", &[("do", "rate"), ("rate", "0")]).await;
    for (fields, field, text) in [
        (
            [("do", "set"), ("now", "tomorrow")],
            "now",
            "This is not an RFC 3339 time such as 2026-11-22T07:59:00+05:30.",
        ),
        (
            [("do", "set"), ("now", "")],
            "now",
            "This is missing: give a date and a time.",
        ),
        (
            [("do", "rate"), ("rate", "-1")],
            "rate",
            "This must be from 0 (stands still) to 1000000.",
        ),
        (
            [("do", "rate"), ("rate", "fast")],
            "rate",
            "This must be a number.",
        ),
        (
            [("do", "seconds"), ("seconds", "NaN")],
            "seconds",
            "This must be a number.",
        ),
        (
            [("do", "seconds"), ("seconds", "-5")],
            "seconds",
            "This must be from 0 to 100 years.",
        ),
        (
            [("do", "to"), ("to", "8 am")],
            "to",
            "This must be a time of day in India such as &#34;08:00 IST&#34;.",
        ),
    ] {
        assert_eq!(wrong(&browser, "/clock", &fields, field).await, text);
    }
    assert_eq!(browser.send("/clock", &[("do", "dance")]).await.status(), 400);
}

#[tokio::test]
async fn faults_are_added_seen_at_work_and_cleared() {
    let h = start().await;
    let browser = Browser::new(&h);
    let fields = [
        ("do", "add"),
        ("broker", "samco"),
        ("path", "/quote/*"),
        ("times", "2"),
        ("status", "503"),
        ("body", "busy"),
        ("headers", "Retry-After: 5\r\nX-Two: b"),
        ("body_kind", ""),
    ];
    let page = done(&browser, "/faults", &fields).await;
    assert!(
        page.contains("any /quote/*") && page.contains("status 503") && page.contains("Retry-After"),
        "{page}"
    );
    let reply = h.request(Method::GET, "/quote/getQuote").send().await.unwrap();
    assert_eq!(
        (reply.status().as_u16(), &reply.headers()["retry-after"]),
        (503, &"5".parse().unwrap())
    );
    assert_eq!(text(reply).await, "busy");
    let faults = h.sandbox.faults();
    assert_eq!((faults[0].remaining, faults[0].hits), (Some(1), 1));
    // Every kind of trouble goes through the form.
    for more in [
        ("delay_ms", "1"),
        ("drip_ms", "1"),
        ("stall", "before"),
        ("stall", "middle"),
        ("reset", "before"),
        ("reset", "after"),
        ("duplicate", "yes"),
        ("redirect_to", "https://elsewhere.example/"),
        ("body_kind", "html"),
        ("body_kind", "empty"),
        ("body_kind", "truncated"),
        ("body_kind", "malformed"),
        ("body_kind", "large"),
        ("body_kind", "gzip_bomb"),
    ] {
        let base = [
            ("do", "add"),
            ("broker", "angelone"),
            ("path", "/x"),
            ("probability", "0.5"),
            ("size", ""),
        ];
        let fields: Vec<_> = base.into_iter().chain([more]).collect();
        done(&browser, "/faults", &fields).await;
    }
    assert_eq!(h.sandbox.faults().len(), 15);
    for (field, value, problem) in [
        ("status", "99", "This must be an HTTP status from 200 to 599."),
        ("status", "teapot", "This must be a whole number, 0 or more."),
        (
            "path",
            "quote",
            "This must begin with / (and may end in * for a prefix).",
        ),
        ("times", "0", "This must be at least 1."),
        ("probability", "2", "This must be above 0 and at most 1."),
        (
            "headers",
            "no colon",
            "This must be lines such as Retry-After: 5.",
        ),
        ("size", "10", "This needs body_kind large or gzip_bomb."),
    ] {
        let base = [
            ("do", "add"),
            ("broker", "samco"),
            ("path", "/x"),
            ("delay_ms", "7"),
            ("body", "kept"),
        ];
        let fields: Vec<_> = base
            .into_iter()
            .filter(|(name, _)| *name != field)
            .chain([(field, value)])
            .collect();
        assert_eq!(wrong(&browser, "/faults", &fields, field).await, problem);
        // What was typed is not lost.
        assert!(
            text(browser.send("/faults", &fields).await)
                .await
                .contains(">kept</textarea>")
        );
    }
    // One that lasts is told in India's time.
    let lasting = json!({"broker": "samco", "path": "/z", "status": 503,
        "from": "2026-11-20T05:30:00Z", "until": "2026-11-20T05:35:00Z"});
    h.control("POST", "/faults", lasting).await;
    let page = browser.text("/faults").await;
    assert!(
        page.contains("from 2026-11-20 11:00:00 IST") && page.contains(">until 2026-11-20 11:05:00 IST<")
    );
    assert!(!page.contains("05:30:00Z"));
    // The common ones fill the form in with something that is taken as it is.
    let common: Vec<_> = page
        .split("href=\"/faults?fill=")
        .skip(1)
        .map(|rest| rest.split('#').next().unwrap())
        .collect();
    assert_eq!(common.len(), 7);
    assert!(
        browser
            .text(&format!("/faults?fill={}", common[0]))
            .await
            .contains("value=\"503\"")
    );
    let nothing = browser
        .send("/faults", &[("do", "add"), ("broker", "samco"), ("path", "/x")])
        .await;
    let page = text(nothing).await;
    assert!(
        page.contains("role=\"alert\">This does nothing: give status"),
        "{page}"
    );
    let page = done(&browser, "/faults", &[("do", "clear")]).await;
    assert!(page.contains("No faults.") && h.sandbox.faults().is_empty());
}

#[tokio::test]
async fn requests_are_filtered_counted_and_cleared() {
    let h = start().await;
    let browser = Browser::new(&h);
    h.samco_login(0).await;
    for path in [
        "/ip/whoami",
        "/quote/getQuote?symbolName=INFY&api_key=CANARY",
        "/rest/nothing",
    ] {
        h.request(Method::GET, path).send().await.unwrap();
    }
    let page = browser.text("/requests").await;
    for shown in [
        "POST /session/token",
        "symbolName=INFY&#38;<wbr>api_key=…<wbr>",
        "GET /rest/nothing",
        "<dd>3</dd>",
        "<dd>4</dd>",
        "SBX001",
    ] {
        assert!(page.contains(shown), "{shown} {page}");
    }
    assert!(!page.contains("CANARY"));
    let newest = page.find("/rest/nothing").unwrap();
    assert!(newest < page.find("/session/token").unwrap());
    let page = browser.text("/requests?broker=samco&path=%2Fquote%2F*").await;
    assert!(page.contains("getQuote") && !page.contains("whoami") && page.contains("<dd>1</dd>"));
    assert!(
        browser
            .text("/requests?broker=angelone&path=/ip/whoami")
            .await
            .contains("No requests.")
    );
    let page = done(&browser, "/requests", &[("do", "clear")]).await;
    assert!(page.contains("The log is empty again.") && h.sandbox.requests(None, None).count == 0);
}

#[tokio::test]
async fn switches_are_explained_set_and_set_back() {
    let h = start().await;
    let browser = Browser::new(&h);
    let page = browser.text("/switches").await;
    let (_, all) = h.control("GET", "/switches", Value::Null).await;
    for (name, switch) in all.as_object().unwrap() {
        assert!(page.contains(&format!("id=\"{name}\"")), "{name}");
        let why = switch["why"]
            .as_str()
            .unwrap()
            .split(['\'', '`', '"', '<', '&'])
            .next()
            .unwrap();
        assert!(page.contains(why), "{why}");
    }
    assert!(!page.contains("not the default"));
    let page = done(
        &browser,
        "/switches",
        &[("do", "set"), ("name", "samco_ip_scope"), ("value", "all")],
    )
    .await;
    assert!(page.contains("samco_ip_scope is set.") && page.contains("1 is not at its default"));
    assert_eq!(page.matches("not the default").count(), 1);
    done(
        &browser,
        "/switches",
        &[("do", "set"), ("name", "samco_jwt_exp"), ("value", "true")],
    )
    .await;
    done(
        &browser,
        "/switches",
        &[("do", "set"), ("name", "server_clock_skew"), ("value", "-30")],
    )
    .await;
    let page = done(
        &browser,
        "/switches",
        &[("do", "reset"), ("name", "samco_ip_scope")],
    )
    .await;
    assert!(page.contains("2 are not at their defaults"));
    let fields = [("do", "set"), ("name", "totp_window_steps"), ("value", "99")];
    assert_eq!(
        wrong(&browser, "/switches", &fields, "totp_window_steps").await,
        "This must be a whole number from 0 to 10."
    );
    done(&browser, "/switches", &[("do", "reset-all")]).await;
    assert_eq!(h.control("GET", "/switches", Value::Null).await.1, all);
    for fields in [
        [("do", "set"), ("name", "nothing")],
        [("do", "reset"), ("name", "")],
        [("do", ""), ("name", "")],
    ] {
        assert_eq!(browser.send("/switches", &fields).await.status(), 400);
    }
}

#[tokio::test]
async fn an_app_is_made_and_its_secret_shown_once() {
    let h = start().await;
    let browser = Browser::new(&h);
    browser.sign_in(0).await;
    let form = "/app/api-keys/new";
    let reply = browser
        .send(form, &[("name", "  Opening range  "), ("redirect_url", BACK)])
        .await;
    let confirm = location(&reply).to_owned();
    let page = browser.text(&confirm).await;
    assert!(
        page.contains("Opening range")
            && page.contains("autocomplete=\"one-time-code\" maxlength=\"20\" required autofocus")
    );
    assert!(page.contains("inputmode=\"numeric\"") && page.contains("href=\"/inbox?account=SBX001\""));
    assert!(
        wrong(&browser, &confirm, &[("otp", "000000x")], "otp")
            .await
            .contains("code")
    );
    assert!(
        wrong(&browser, &confirm, &[], "otp")
            .await
            .contains("Enter the code")
    );
    // The code is in the inbox, for whoever looks for this account.
    let otp = h.sandbox.inbox().pop().unwrap().value;
    assert!(
        browser
            .text("/inbox?account=SBX001")
            .await
            .contains(&format!("<code>{otp}</code>"))
    );
    assert!(!browser.text("/inbox?account=SBX002").await.contains(&otp));
    let reply = browser.send(&confirm, &[("otp", &otp)]).await;
    assert_eq!(
        (reply.status().as_u16(), &reply.headers()["cache-control"]),
        (200, &"no-store".parse().unwrap())
    );
    let page = text(reply).await;
    assert!(
        page.contains("will not be shown again")
            && page.contains("The secret of <strong>Opening range</strong>")
    );
    let (_, rest) = page.split_once("data-once>").unwrap();
    let secret = rest.split('<').next().unwrap().to_owned();
    // Neither by loading the page again nor by sending the form again.
    for reply in [
        browser.look(&confirm).await,
        browser.send(&confirm, &[("otp", &otp)]).await,
    ] {
        assert!([403, 404].contains(&reply.status().as_u16()));
        assert!(!text(reply).await.contains(&secret));
    }
    for path in ["/", "/inbox", "/app/api-keys", "/app/api-keys/2", "/requests"] {
        assert!(!browser.text(path).await.contains(&secret), "{path}");
    }
    // Key and secret open a session.
    let key = h.sandbox.inbox().pop().unwrap().value;
    let (status, reply) = h
        .post("/session/token", &json!({"apiKey": key, "apiSecret": secret}))
        .await;
    assert_eq!(status, 200, "{reply}");
    let page = browser.text("/app/api-keys").await.replace("<wbr>", "");
    assert!(page.contains("3 of 5 places are free") && page.contains("Opening range") && page.contains(BACK));
    // Names and addresses that cannot be are told beside their fields.
    for (name, back, field) in [
        ("ab", BACK, "name"),
        ("opening RANGE", BACK, "name"),
        ("", BACK, "name"),
        ("Another", "http://strategy.example/", "redirect_url"),
        ("Another", "", "redirect_url"),
    ] {
        let problem = wrong(&browser, form, &[("name", name), ("redirect_url", back)], field).await;
        assert!(problem.len() > 10, "{problem}");
    }
    // Missing fields are a problem of the form, unknown ones none.
    assert_eq!(browser.send(form, &[("unknown", "x")]).await.status(), 400);
    for name in ["Three", "Four", "Five"] {
        assert_eq!(
            browser
                .change(form, &[("name", name), ("redirect_url", BACK), ("app", "1")])
                .await
                .status(),
            200
        );
    }
    let page = browser.text("/app/api-keys").await;
    assert!(
        page.contains("aria-disabled=\"true\" aria-describedby=\"room\"")
            && page.contains("All five places are taken")
    );
    assert!(
        !page.contains("href=\"/app/api-keys/new\"") && browser.text(form).await.contains("All five places")
    );
    assert_eq!(
        browser.send("/app/api-keys", &[("name", "Six")]).await.status(),
        400
    );
}

#[tokio::test]
async fn an_app_is_edited_renewed_and_switched_off_and_on() {
    let h = start().await;
    let browser = Browser::new(&h);
    browser.sign_in(0).await;
    let (app, list) = ("/app/api-keys/1", "/app/api-keys?done=1");
    let is_live = async |token: &str| h.with_token(Method::GET, "/ip/whoami", token, None).await.0 == 200;
    let reply = browser
        .change(
            app,
            &[("do", "edit"), ("name", "Renamed"), ("redirect_url", BACK)],
        )
        .await;
    assert_eq!(location(&reply), list);
    let page = browser.text(list).await;
    assert!(page.contains("role=\"status\"") && page.contains("Renamed"));
    assert!(
        !browser.text("/app/api-keys").await.contains("role=\"status\">"),
        "a notice is said once"
    );

    let token = h.samco_login(0).await;
    let page = browser.text(app).await;
    assert!(page.contains("sessions, codes and refresh tokens of this app"));
    let reply = browser.send(app, &[("do", "regenerate-key")]).await;
    let confirm = location(&reply).to_owned();
    assert!(browser.text(&confirm).await.contains("sessions end"));
    assert!(is_live(&token).await, "nothing happens before the code");
    let otp = h.sandbox.inbox().pop().unwrap().value;
    assert_eq!(location(&browser.send(&confirm, &[("otp", &otp)]).await), list);
    assert!(!is_live(&token).await);

    let page = text(browser.change(app, &[("do", "regenerate-secret")]).await).await;
    assert!(page.contains("data-once>"));
    assert_eq!(
        location(&browser.change(app, &[("do", "deactivate")]).await),
        list
    );
    assert!(browser.text("/app/api-keys").await.contains("Deactivated"));
    let page = browser.text("/app/static-ips").await;
    assert!(page.contains("It has no addresses while it is deactivated") && !page.contains("Edit primary"));
    let page = browser.text(app).await;
    assert!(page.contains("Activate app") && !page.contains("Regenerate"));
    // What a deactivated app cannot do is said, also to a form that is older than its page.
    let page = text(browser.send(app, &[("do", "regenerate-key")]).await).await;
    assert!(page.contains("role=\"alert\">") && page.contains("Activate it first"));
    assert_eq!(location(&browser.change(app, &[("do", "activate")]).await), list);
    assert!(!browser.text("/app/api-keys").await.contains("Deactivated"));
    assert_eq!(browser.look("/app/api-keys/9").await.status(), 404);
    assert_eq!(browser.send(app, &[("do", "delete")]).await.status(), 400);
}

#[tokio::test]
async fn addresses_change_once_in_seven_days_and_the_page_says_when() {
    let h = start().await;
    let browser = Browser::new(&h);
    browser.sign_in(0).await;
    let (list, primary, secondary) = (
        "/app/static-ips",
        "/app/static-ips/1/primary",
        "/app/static-ips/1/secondary",
    );
    let page = browser.text(list).await;
    assert!(page.contains("A change is possible now.") && !page.contains("aria-disabled"));
    // "Use my current IP" fills the form in.
    h.sandbox
        .set_source_ip(SourceIp::Fixed("203.0.113.44".parse().unwrap()));
    assert!(
        browser
            .text(&format!("{primary}?ip=current"))
            .await
            .contains("value=\"203.0.113.44\"")
    );
    assert!(browser.text(primary).await.contains("value=\"203.0.113.10\""));
    for (ip, problem) in [
        ("10.0.0.1", "private"),
        ("203.0.113.20", "another client"),
        ("x", "This"),
        ("203.0.113.11", "different"),
    ] {
        let said = wrong(&browser, primary, &[("ip", ip)], "ip").await;
        assert!(said.contains(problem), "{said}");
    }
    let reply = browser.change(primary, &[("ip", "203.0.113.44")]).await;
    assert_eq!(location(&reply), "/app/static-ips?done=1");
    let page = browser.text("/app/static-ips?done=1").await;
    assert!(page.contains("203.0.113.44") && page.contains("Last updated 2026-11-20 10:00:00 IST"));
    assert!(!page.contains("203.0.113.10</code>"));
    // Edit and Delete of both addresses are there, say why not now, and do nothing.
    let opens = "2026-11-27 10:00:00 IST";
    assert_eq!(
        page.matches("type=\"button\" class=\"small\" aria-disabled=\"true\"")
            .count(),
        4
    );
    assert_eq!(
        page.matches(&format!("Possible again from {opens} on")).count(),
        4
    );
    for (name, tip) in [
        ("Edit primary IP of", "tip-edit-1-primary"),
        ("Delete secondary IP of", "tip-delete-1-secondary"),
    ] {
        assert!(page.contains(name));
        assert!(
            page.contains(&format!("aria-describedby=\"{tip}\""))
                && page.contains(&format!("role=\"tooltip\" id=\"{tip}\""))
        );
    }
    assert!(!page.contains("href=\"/app/static-ips/1/primary\""));
    // Whoever sends the form all the same is told the same time.
    assert!(
        wrong(&browser, secondary, &[("ip", "203.0.113.45")], "ip")
            .await
            .contains(opens)
    );
    let page = text(
        browser
            .send(list, &[("do", "delete"), ("app", "1"), ("slot", "secondary")])
            .await,
    )
    .await;
    assert!(page.contains("role=\"alert\">") && page.contains(opens));
    // A second before the seven days are over, and then.
    done(
        &browser,
        "/clock",
        &[("do", "set"), ("now", "2026-11-27T09:59:59")],
    )
    .await;
    assert!(browser.text(list).await.contains("aria-disabled"));
    done(
        &browser,
        "/clock",
        &[("do", "seconds"), ("seconds", "1"), ("unit", "seconds")],
    )
    .await;
    let page = browser.text(list).await;
    assert!(page.contains("A change is possible now.") && !page.contains("aria-disabled"));
    let reply = browser
        .change(list, &[("do", "delete"), ("app", "1"), ("slot", "secondary")])
        .await;
    assert_eq!(location(&reply), "/app/static-ips?done=1");
    let page = browser.text(list).await;
    assert!(
        page.contains("not registered") && page.contains("2026-12-04 10:00:00 IST"),
        "a deletion counts"
    );
    for fields in [
        [("do", "delete"), ("app", "x"), ("slot", "primary")],
        [("do", "delete"), ("app", "1"), ("slot", "third")],
        [("do", "other"), ("app", "1"), ("slot", "primary")],
    ] {
        assert_eq!(browser.send(list, &fields).await.status(), 400);
    }
    assert_eq!(browser.look("/app/static-ips/9/primary").await.status(), 404);
}

#[tokio::test]
async fn a_proposal_belongs_to_its_account() {
    let h = start().await;
    let (mine, other) = (Browser::new(&h), Browser::new(&h));
    mine.sign_in(0).await;
    other.sign_in(1).await;
    let reply = mine.send("/app/api-keys/1", &[("do", "deactivate")]).await;
    let confirm = location(&reply).to_owned();
    let otp = h.sandbox.inbox().pop().unwrap().value;
    assert_eq!(other.look(&confirm).await.status(), 404);
    let token = other.token("/clock").await;
    let form = format!("token={token}&otp={otp}");
    assert_eq!(other.ask(other.post(&confirm).body(form)).await.status(), 404);
    assert!(mine.text("/app/api-keys").await.contains(">Active<"));
    assert_eq!(mine.send(&confirm, &[("otp", &otp)]).await.status(), 303);
}

#[tokio::test]
async fn a_code_that_is_over_leaves_nothing_to_type_and_the_inbox_says_what_codes_are_for() {
    let h = start().await;
    let browser = Browser::new(&h);
    browser.sign_in(0).await;
    let fields = [("name", "Gap fill"), ("redirect_url", BACK)];
    let confirm = location(&browser.send("/app/api-keys/new", &fields).await).to_owned();
    let inbox = browser.text("/inbox").await;
    assert!(
        inbox.contains("One-time code: create \u{201c}Gap fill\u{201d}") && inbox.contains("SMS and email")
    );
    let otp = h.sandbox.inbox().pop().unwrap().value;
    let guess = if otp == "000000" { "111111" } else { "000000" };
    for (said, open) in [
        ("2 tries", true),
        ("One try", true),
        ("Too many wrong ones", false),
    ] {
        let page = text(browser.send(&confirm, &[("otp", guess)]).await).await;
        assert!(page.contains(said));
        assert_eq!(
            (page.contains("id=\"otp\""), page.contains("Start again")),
            (open, !open)
        );
    }
    let page = browser.text(&confirm).await;
    assert!(page.contains("Its code is over") && !page.contains("id=\"otp\""));
    let late = text(browser.send(&confirm, &[("otp", &otp)]).await).await;
    assert!(late.contains("Too many wrong codes") && !late.contains("will not be shown again"));
    assert!(!browser.text("/app/api-keys").await.contains("Gap fill"));
}
