//! The data file: what was answered is there after a restart, whatever ended the sandbox; and what stands in it.

#![allow(clippy::unwrap_used)] // helpers of tests may unwrap

mod common;

use std::path::{Path, PathBuf};

use common::{Harness, TOKENS, angelone_order, client, read, samco_order};
use preopen_core::{Clock as _, Timestamp};
use preopen_sandbox::{Broker, Fault, Options, Sandbox, SourceIp, StartError};
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

const REDIRECT: &str = "http://127.0.0.1:8765/callback";

fn options(file: &Path) -> Options {
    let at = Timestamp::parse_rfc3339("2026-11-20T10:00:00+05:30").unwrap();
    Options::default().data(file).start_at(at).clock_rate(0.0)
}

async fn start(file: &Path) -> Harness {
    Harness {
        sandbox: Sandbox::start(options(file)).await.unwrap(),
        client: client(),
    }
}

async fn refusal(file: &Path) -> String {
    let error = Sandbox::start(options(file)).await.unwrap_err();
    assert!(
        matches!(&error, StartError::Data { path, .. } if path == file),
        "{error}"
    );
    error.to_string()
}

fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sandbox.db");
    (folder, file)
}

/// The last message of a kind to an account.
fn received(h: &Harness, kind: &str) -> String {
    let inbox = h.sandbox.inbox();
    let found = inbox.iter().rev().find(|message| message.kind.as_str() == kind);
    found.unwrap().value.clone()
}

/// Does something at the portal, with the code that is sent for it.
async fn portal(h: &Harness, action: Value) -> (u16, Value) {
    let (status, reply) = h
        .control("POST", "/portal", json!({"account": "SBX001", "action": action}))
        .await;
    if status >= 300 {
        return (status, reply);
    }
    let confirmation = json!({"account": "SBX001", "proposal": reply["proposal"], "otp": received(h, "otp")});
    h.control("POST", "/portal/confirm", confirmation).await
}

fn code(h: &Harness) -> String {
    let key = &h.samco(0).api_key;
    let url = format!(
        "{}/app/oauth/authorize?api_key={key}&redirect_url={REDIRECT}",
        h.sandbox.samco_url()
    );
    let back = h.sandbox.consent(&url, true, None).unwrap();
    back.split_once("code=").unwrap().1.to_owned()
}

async fn oauth(h: &Harness, grant: &str, field: &str, value: &str) -> (u16, Value) {
    h.post("/oauth/token", &json!({"grant_type": grant, field: value}))
        .await
}

async fn whoami(h: &Harness, token: &str) -> (u16, Value) {
    h.with_token(Method::GET, "/ip/whoami", token, None).await
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

#[tokio::test]
async fn sessions_grants_and_codes_survive_a_restart_and_what_is_used_stays_used() {
    let (_folder, file) = folder();
    let h = start(&file).await;
    h.sandbox
        .switch("samco_second_login_revokes_first", false)
        .unwrap();
    let token = h.samco_login(0).await;
    let ended = h.samco_login(1).await;
    assert_eq!(h.with_token(Method::DELETE, "/logout", &ended, None).await.0, 200);
    let used = code(&h);
    let (_, granted) = oauth(&h, "authorization_code", "code", &used).await;
    let first = text(&granted["data"]["refresh_token"]);
    let (_, renewed) = oauth(&h, "refresh_token", "refresh_token", &first).await;
    let second = text(&renewed["data"]["refresh_token"]);
    let unused = code(&h);
    let (_, web) = h.with_token(Method::GET, "/webSecretCode", &token, None).await;
    let web = text(&web["data"]["OTP"]);
    let otp = h.post("/otp/generateOtp", &json!({"uid": "SBX002"})).await;
    assert_eq!(otp.0, 200);
    let angel = h.angelone_login(0).await;
    h.sandbox.stop().await;

    let h = start(&file).await;
    assert_eq!(whoami(&h, &token).await.0, 200);
    assert_eq!(whoami(&h, &ended).await.0, 401);
    assert_eq!(whoami(&h, &text(&renewed["data"]["access_token"])).await.0, 200);
    let (status, reply) = oauth(&h, "refresh_token", "refresh_token", &first).await;
    assert_eq!(
        (status, &reply["errorCode"]),
        (401, &json!("EOAUTH016")),
        "{reply}"
    );
    assert_eq!(oauth(&h, "refresh_token", "refresh_token", &second).await.0, 200);
    assert_eq!(oauth(&h, "refresh_token", "refresh_token", &second).await.0, 401);
    let (_, reply) = oauth(&h, "authorization_code", "code", &unused).await;
    assert_eq!(reply["status"], "Success", "{reply}");
    let body = json!({"otp": web});
    assert_eq!(h.post("/webSecretCodeValidation", &body).await.0, 200);
    assert_eq!(h.post("/webSecretCodeValidation", &body).await.0, 400);
    let key = json!({"uid": "SBX002", "otp": received(&h, "otp")});
    assert_eq!(h.post("/otp/secretKeyGenerator", &key).await.0, 200);
    assert_eq!(h.post("/otp/secretKeyGenerator", &key).await.0, 400);
    let (_, profile) = h
        .secure(
            Method::GET,
            "/user/v1/getProfile",
            &text(&angel["jwtToken"]),
            None,
        )
        .await;
    assert_eq!(profile["data"]["clientcode"], "SBX101", "{profile}");
    let refresh = h
        .smartapi(Method::POST, TOKENS, 0)
        .json(&json!({"refreshToken": angel["refreshToken"]}));
    assert_eq!(read(refresh.send().await.unwrap()).await.1["status"], true);
    // The code that was used before the restart ends everything, as it would have before.
    let (_, reply) = oauth(&h, "authorization_code", "code", &used).await;
    assert_eq!(reply["errorCode"], "EOAUTH012", "{reply}");
    assert_eq!(whoami(&h, &token).await.0, 401);
    h.sandbox.stop().await;
}

#[tokio::test]
async fn apps_addresses_and_their_window_survive_a_restart() {
    let (_folder, file) = folder();
    let h = start(&file).await;
    let new = json!({"create_app": {"name": "Momentum", "redirect_url": REDIRECT}});
    let (_, made) = portal(&h, new.clone()).await;
    let (key, secret) = (received(&h, "api_key"), text(&made["secret"]));
    let change = |ip: &str| json!({"set_address": {"app": 1, "slot": "primary", "ip": ip}});
    let (status, reply) = portal(&h, change("203.0.113.77")).await;
    assert_eq!(status, 200, "{reply}");
    let (_, waiting) = h
        .control(
            "POST",
            "/portal",
            json!({"account": "SBX001", "action": {"deactivate": {"app": 2}}}),
        )
        .await;
    let before = h.control("GET", "/accounts", Value::Null).await;
    h.sandbox.stop().await;

    let h = start(&file).await;
    assert_eq!(h.control("GET", "/accounts", Value::Null).await, before);
    let login = json!({"apiKey": key, "apiSecret": secret});
    assert_eq!(h.post("/session/token", &login).await.0, 200);
    assert_eq!(h.samco(0).primary_ip, "203.0.113.77");
    let (status, reply) = portal(&h, change("203.0.113.78")).await;
    assert_eq!(status, 422, "{reply}");
    let expected = "2026-11-27 10:00:00 IST";
    assert!(
        reply["error"]["message"].as_str().unwrap().contains(expected),
        "{reply}"
    );
    assert_eq!(portal(&h, new).await.0, 422, "the name stays taken");
    h.sandbox.clock().advance(std::time::Duration::from_hours(7 * 24));
    assert_eq!(portal(&h, change("203.0.113.78")).await.0, 200);
    // The proposal of before the restart still knows its code, and that the code is old.
    let confirmation = json!({"account": "SBX001", "proposal": waiting["proposal"], "otp": "000000"});
    let (_, reply) = h.control("POST", "/portal/confirm", confirmation).await;
    assert!(
        reply["error"]["message"].as_str().unwrap().contains("ended at"),
        "{reply}"
    );
    h.sandbox.stop().await;
}

#[tokio::test]
async fn orders_numbers_faults_switches_inbox_counts_and_clock_survive_a_restart() {
    let (_folder, file) = folder();
    let h = start(&file).await;
    let token = h.samco_login(0).await;
    let angel = text(&h.angelone_login(0).await["jwtToken"]);
    let order = samco_order();
    let place = |h: &Harness| {
        let (request, order) = (h.request(Method::POST, "/order/placeOrder"), order.clone());
        let request = request.header("x-session-token", &token).json(&order);
        async move { read(request.send().await.unwrap()).await.1["orderNumber"].clone() }
    };
    let numbers = [place(&h).await, place(&h).await];
    let path = format!("/order/cancelOrder?orderNumber={}", numbers[0].as_str().unwrap());
    assert_eq!(h.with_token(Method::DELETE, &path, &token, None).await.0, 200);
    let (_, placed) = h
        .secure(
            Method::POST,
            "/order/v1/placeOrder",
            &angel,
            Some(&angelone_order()),
        )
        .await;
    assert_eq!(placed["status"], true, "{placed}");
    h.sandbox
        .fault(Fault::on(Broker::Samco, "/quote/*").times(3).skip(1).status(503))
        .unwrap();
    for _ in 0..2 {
        h.with_token(Method::GET, "/quote/getQuote?symbolName=TCS", &token, None)
            .await;
    }
    h.sandbox.switch("totp_window_steps", 4).unwrap();
    h.sandbox
        .set_source_ip(SourceIp::Fixed("198.51.100.7".parse().unwrap()));
    h.post("/otp/generateOtp", &json!({"uid": "SBX001"})).await;
    h.sandbox.advance_to("13:30 IST").unwrap();
    let added = h.sandbox.add_accounts(Broker::Samco, 2).unwrap();
    let book = h.with_token(Method::GET, "/order/orderBook", &token, None).await;
    let (faults, inbox) = (h.sandbox.faults(), h.sandbox.inbox());
    let last = h.sandbox.requests(None, None).requests.pop().unwrap();
    h.sandbox.stop().await;

    let h = start(&file).await;
    assert_eq!(h.sandbox.clock().now().wall.to_ist(), "2026-11-20 13:30:00 IST");
    assert_eq!(
        h.sandbox.accounts().len(),
        6,
        "four seeds, once, and two that were added"
    );
    assert!(added.iter().all(|account| h.sandbox.accounts().contains(account)));
    assert_eq!(
        h.control("GET", "/source-ip", Value::Null).await.1["ip"],
        "198.51.100.7"
    );
    let (_, switches) = h.control("GET", "/switches", Value::Null).await;
    assert_eq!(switches["totp_window_steps"]["value"], 4);
    assert_eq!(switches["totp_clock"]["value"], "either");
    assert_eq!(h.sandbox.inbox(), inbox);
    let left = |faults: &[preopen_sandbox::FaultRecord]| {
        let all = faults.iter().map(|f| (f.id, f.remaining, f.hits));
        all.collect::<Vec<_>>()
    };
    assert_eq!(left(&h.sandbox.faults()), left(&faults));
    assert_eq!(left(&faults), [(1, Some(2), 1)]);
    let counted = |path: &str| h.sandbox.requests(Some(Broker::Samco), Some(path)).count;
    assert_eq!((counted("/order/placeOrder"), counted("/quote/*")), (2, 2));
    assert!(
        h.sandbox.requests(None, None).requests.is_empty(),
        "the log itself starts anew"
    );

    h.sandbox.set_source_ip(SourceIp::Home);
    assert_eq!(
        h.with_token(Method::GET, "/order/orderBook", &token, None)
            .await
            .1["orderBookDetails"],
        book.1["orderBookDetails"]
    );
    let third = place(&h).await;
    assert!(
        !numbers.contains(&third) && third.as_str() > numbers[1].as_str(),
        "{third}"
    );
    let unique = format!(
        "/order/v1/details/{}",
        placed["data"]["uniqueorderid"].as_str().unwrap()
    );
    let (_, found) = h.secure(Method::GET, &unique, &angel, None).await;
    assert_eq!(found["data"]["orderid"], placed["data"]["orderid"], "{found}");
    assert_eq!(
        h.sandbox
            .fault(Fault::on(Broker::Samco, "/x").status(500))
            .unwrap()
            .id,
        2
    );
    let next = h.sandbox.requests(None, None).requests.pop().unwrap();
    assert!(next.seq > last.seq);
    h.sandbox.clear_faults();
    h.sandbox.clear_requests();
    h.control("DELETE", "/inbox", Value::Null).await;
    h.sandbox.stop().await;

    let h = start(&file).await;
    assert!(h.sandbox.faults().is_empty() && h.sandbox.inbox().is_empty());
    assert_eq!(h.sandbox.requests(None, None).count, 0);
    h.sandbox.stop().await;
}

#[tokio::test]
async fn a_running_clock_goes_on_and_is_never_behind_what_was_answered() {
    let (_folder, file) = folder();
    let at = Timestamp::parse_rfc3339("2026-11-20T10:00:00+05:30").unwrap();
    let run = |rate: f64| Sandbox::start(Options::default().data(&file).start_at(at).clock_rate(rate));
    let sandbox = run(1.0).await.unwrap();
    let shown = sandbox.clock().now().wall;
    sandbox.stop().await;
    let sandbox = run(0.0).await.unwrap();
    assert!(
        sandbox.clock().now().wall >= shown && sandbox.clock().rate() > 0.0,
        "the file's clock goes on"
    );
    // Moved by a program that holds the clock, which no request tells of.
    sandbox.clock().set_rate(3600.0);
    sandbox.clock().advance(std::time::Duration::from_hours(30 * 24));
    let h = Harness {
        sandbox,
        client: client(),
    };
    let (_, clock) = h.control("GET", "/clock", Value::Null).await;
    let answered = Timestamp::parse_rfc3339(clock["now"].as_str().unwrap()).unwrap();
    // What a killed sandbox leaves: the file and its log as they are at this moment.
    let copy = copied(&file);
    h.sandbox.stop().await;
    let sandbox = Sandbox::start(options(&copy.1)).await.unwrap();
    assert!(sandbox.clock().now().wall >= answered);
    assert!((sandbox.clock().rate() - 3600.0).abs() < 1.0);
    sandbox.stop().await;
}

/// A copy of a data file with its log.
fn copied(file: &Path) -> (TempDir, PathBuf) {
    let (folder, copy) = folder();
    for end in ["", "-wal"] {
        let path = |file: &Path| format!("{}{end}", file.display());
        std::fs::copy(path(file), path(&copy)).unwrap();
    }
    (folder, copy)
}

#[tokio::test]
async fn no_token_code_or_app_secret_stands_in_the_file() {
    let (_folder, file) = folder();
    let h = start(&file).await;
    h.sandbox
        .switch("samco_second_login_revokes_first", false)
        .unwrap();
    let mut handed_out = vec![h.samco(0).api_secret.clone(), h.samco(1).api_secret.clone()];
    let token = h.samco_login(0).await;
    let used = code(&h);
    let (_, granted) = oauth(&h, "authorization_code", "code", &used).await;
    let refresh = text(&granted["data"]["refresh_token"]);
    let (_, renewed) = oauth(&h, "refresh_token", "refresh_token", &refresh).await;
    let (_, web) = h.with_token(Method::GET, "/webSecretCode", &token, None).await;
    let web = text(&web["data"]["OTP"]);
    let (_, opened) = h.post("/webSecretCodeValidation", &json!({"otp": web})).await;
    let key = json!({"uid": "SBX001", "secretApiKey": h.samco(0).secret_api_key});
    let (_, access) = h.post("/accessToken/token", &key).await;
    let login = json!({
        "userId": "SBX001", "password": h.samco(0).password, "accessToken": access["accessToken"],
    });
    let (_, legacy) = h.post("/login", &login).await;
    let (_, made) = portal(
        &h,
        json!({"create_app": {"name": "Momentum", "redirect_url": REDIRECT}}),
    )
    .await;
    let (_, remade) = portal(&h, json!({"regenerate_secret": {"app": 1}})).await;
    let angel = h.angelone_login(0).await;
    let account = h.angelone(0).clone();
    let page = format!(
        "{}/publisher-login?api_key={}&state=x",
        h.sandbox.angelone_url(),
        account.api_key
    );
    let back = h
        .sandbox
        .consent(&page, true, Some(&account.client_code))
        .unwrap();
    let in_query = |name: &str| {
        let start = back.split_once(&format!("{name}=")).unwrap().1;
        start.split('&').next().unwrap().to_owned()
    };
    handed_out.extend([token, used, refresh, web, in_query("auth_token"), code(&h)]);
    handed_out.extend([
        text(&granted["data"]["access_token"]),
        text(&renewed["data"]["access_token"]),
        text(&renewed["data"]["refresh_token"]),
        text(&opened["sessionToken"]),
        text(&access["accessToken"]),
        text(&legacy["sessionToken"]),
        text(&made["secret"]),
        text(&remade["secret"]),
        text(&angel["jwtToken"]),
        text(&angel["refreshToken"]),
        text(&angel["feedToken"]),
    ]);
    let has = |path: PathBuf, text: &str| {
        let bytes = std::fs::read(path).unwrap();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    };
    let log = PathBuf::from(format!("{}-wal", file.display()));
    let somewhere = |text: &str| has(file.clone(), text) || has(log.clone(), text);
    assert!(
        somewhere("Momentum") && somewhere("angelone.refresh"),
        "looked at the wrong file"
    );
    for secret in &handed_out {
        assert!(secret.len() >= 8 && !somewhere(secret), "{secret}");
    }
    h.sandbox.stop().await;
    assert!(has(file.clone(), "Momentum"));
    for secret in &handed_out {
        assert!(!has(file.clone(), secret), "{secret}");
    }
    // The owner knows a made-up secret by heart, and has to note one that the portal made.
    let h = start(&file).await;
    assert_eq!(
        (h.samco(0).api_secret.as_str(), h.samco(1).api_secret.len()),
        ("", 96)
    );
    h.samco_login(1).await;
    h.sandbox.stop().await;
}

#[tokio::test]
async fn a_file_is_for_one_sandbox_at_a_time() {
    let (_folder, file) = folder();
    let first = Sandbox::start(options(&file)).await.unwrap();
    let said = refusal(&file).await;
    assert!(
        said.contains("another sandbox is using it: stop that one"),
        "{said}"
    );
    assert!(said.contains(file.to_str().unwrap()), "{said}");
    first.stop().await;
    assert!(
        !PathBuf::from(format!("{}-wal", file.display())).exists(),
        "one file is left"
    );
    // One that is dropped gives it up, too.
    drop(Sandbox::start(options(&file)).await.unwrap());
    Sandbox::start(options(&file)).await.unwrap().stop().await;
}

#[tokio::test]
async fn what_is_no_data_file_is_refused_and_left_alone() {
    let (folder, file) = folder();
    let refused = async |content: &[u8], expected: &str| {
        std::fs::write(&file, content).unwrap();
        let said = refusal(&file).await;
        assert!(said.contains(expected), "{said}");
        assert_eq!(std::fs::read(&file).unwrap(), content, "{said}");
    };
    refused(b"symbol,quantity\nTCS,1\n", "is not a file of the sandbox").await;
    refused(&[0; 4096], "is not a file of the sandbox").await;
    refused(b"SQLite format 3\0", "is not a file of the sandbox").await;
    std::fs::remove_file(&file).unwrap();
    let other = rusqlite::Connection::open(&file).unwrap();
    other
        .execute_batch("CREATE TABLE record (room, key, body)")
        .unwrap();
    other.close().unwrap();
    let foreign = std::fs::read(&file).unwrap();
    refused(&foreign, "is not a file of the sandbox").await;

    std::fs::remove_file(&file).unwrap();
    Sandbox::start(options(&file)).await.unwrap().stop().await;
    let good = std::fs::read(&file).unwrap();
    let changed = |sql: &str| {
        std::fs::write(&file, &good).unwrap();
        let connection = rusqlite::Connection::open(&file).unwrap();
        connection.execute_batch(sql).unwrap();
        connection.close().unwrap();
        std::fs::read(&file).unwrap()
    };
    let newer = changed("PRAGMA user_version = 2");
    refused(&newer, "a newer preopen wrote it (format 2, this one knows 1)").await;
    let unread = changed("UPDATE record SET body = 'CANARY' WHERE room = 'samco.member' AND key = '0'");
    refused(
        &unread,
        "it is damaged (record samco.member 0: its body is unreadable)",
    )
    .await;
    assert!(!refusal(&file).await.contains("CANARY"));
    let unknown = changed("INSERT INTO record VALUES ('nonsense', '', '1')");
    refused(
        &unknown,
        "it is damaged (record nonsense : nothing of that kind is known)",
    )
    .await;
    let lost = changed("DELETE FROM record WHERE room = 'samco.member' AND key = '0'");
    refused(
        &lost,
        "it is damaged (record samco.member 1: one before it is missing)",
    )
    .await;
    let trigger = changed("CREATE TRIGGER t AFTER INSERT ON record BEGIN DELETE FROM record; END");
    refused(&trigger, "it has other tables than it should").await;
    let torn = &good[..good.len() - 4096];
    refused(torn, "it is damaged (").await;
    let mut scratched = good.clone();
    let end = scratched.len();
    scratched[end - 4096..].fill(0x55);
    refused(&scratched, "it is damaged (").await;

    let said = refusal(folder.path()).await;
    assert!(said.contains("it is a folder: name a file in it"), "{said}");
    let said = refusal(&folder.path().join("nowhere/sandbox.db")).await;
    assert!(
        said.contains("sandbox.db: its folder does not exist: create that first"),
        "{said}"
    );
    // An empty file, as a script may have made it, is a new one.
    std::fs::write(&file, b"").unwrap();
    Sandbox::start(options(&file)).await.unwrap().stop().await;
    std::fs::write(&file, &good).unwrap();
    Sandbox::start(options(&file)).await.unwrap().stop().await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn where_nothing_can_be_written_the_start_says_so() {
    let said = refusal(Path::new("/sys/sandbox.db")).await;
    assert!(
        said.contains("permission denied: choose a file in a folder that you may write to"),
        "{said}"
    );
    let said = refusal(Path::new("/dev/null/sandbox.db")).await;
    assert!(said.contains("choose another file"), "{said}");
}

#[cfg(unix)]
#[tokio::test]
async fn only_its_owner_may_read_the_file() {
    use std::os::unix::fs::PermissionsExt as _;
    let (folder, file) = folder();
    let h = start(&file).await;
    let mut seen = 0;
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(
            entry.metadata().unwrap().permissions().mode() & 0o777,
            0o600,
            "{entry:?}"
        );
        seen += 1;
    }
    assert_eq!(seen, 2, "the file and its log");
    h.sandbox.stop().await;
}

#[cfg(unix)]
#[tokio::test]
async fn an_empty_file_that_others_may_read_becomes_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let (_folder, file) = folder();
    std::fs::write(&file, b"").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let h = start(&file).await;
    assert_eq!(
        std::fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    h.sandbox.stop().await;
}

#[tokio::test]
async fn numbers_that_have_come_to_their_end_stay_there() {
    let (_folder, file) = folder();
    start(&file).await.sandbox.stop().await;
    let end = u64::MAX;
    let count = json!({"total": end, "by_path": {"/ip/whoami": end, "/ip/other": end}});
    let counts = json!({"is_used": true, "arrived": end, "counts": [count, count]});
    let connection = rusqlite::Connection::open(&file).unwrap();
    let put = "INSERT INTO record VALUES (?1, '', ?2) ON CONFLICT DO UPDATE SET body = excluded.body";
    for (room, body) in [
        ("requests", counts.to_string()),
        ("inbox.sent", end.to_string()),
        ("samco.proposals_made", end.to_string()),
    ] {
        connection.execute(put, [room, &body]).unwrap();
    }
    connection.close().unwrap();
    let h = start(&file).await;
    for _ in 0..2 {
        assert_eq!(whoami(&h, "nobody's").await.0, 401);
    }
    for path in ["/requests", "/requests?path=/ip/*"] {
        let (status, reply) = h.control("GET", path, Value::Null).await;
        assert_eq!((status, &reply["count"]), (200, &json!(end)), "{reply}");
    }
    let (status, reply) = portal(&h, json!({"regenerate_key": {"app": 1}})).await;
    assert_eq!(status, 200, "{reply}");
    h.sandbox.stop().await;
}
