//! Preflight and static IPs on an embedded broker: what scenarios cannot tell, since it is about addresses of this machine,
//! stores, and the number of requests.
#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use std::net::IpAddr;
use std::time::Duration;

use common::{QUOTE, SAMCO_LOGIN, angel, quote, samco, samco_account, samco_with};
use preopen::store::FileStore;
use preopen::{
    CheckStatus, ErrorKind, EventName, IpVersion, Preflight, RateLimits, Slot, Timestamp, Verdict,
};
use preopen_sandbox::{Broker, Fault, Options, Sandbox, SourceIp};

/// At ten o'clock: before 08:00 a session ends before the market does, which is a finding of its own.
async fn sandbox() -> Sandbox {
    let at = Timestamp::parse_rfc3339("2026-11-23T10:00:00+05:30").unwrap();
    Sandbox::start(Options::default().start_at(at)).await.unwrap()
}

fn status(preflight: &Preflight, name: &str) -> CheckStatus {
    preflight.check(name).unwrap().status
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_broker_sees_the_source_address_that_was_set() {
    let sandbox = sandbox().await;
    sandbox.set_source_ip(SourceIp::Peer);
    for address in ["127.0.0.1", "127.0.0.2", "127.1.2.3"] {
        let session = samco(&sandbox).source_ip(address).build().unwrap();
        let who = session.whoami().await.unwrap();
        assert_eq!(who.addresses.source.as_deref(), Some(address));
        assert_eq!(who.verdict, Verdict::Mismatch);
        let preflight = session.preflight().await;
        let network = preflight.check("network").unwrap();
        assert_eq!(network.message, format!("requests leave by IPv4, from {address}"));
        let fix = preflight.check("static_ip").unwrap().fix.clone().unwrap();
        assert!(
            fix.starts_with(&format!("register {address} with the broker")),
            "{fix}"
        );
    }
}

#[tokio::test]
async fn a_source_address_of_another_host_is_a_finding() {
    let sandbox = sandbox().await;
    let session = samco(&sandbox).source_ip("203.0.113.77").build().unwrap();
    let preflight = session.preflight().await;
    assert!(!preflight.ready);
    let obstacle = preflight.obstacle().unwrap();
    assert_eq!((obstacle.name, obstacle.status), ("session", CheckStatus::Fail));
    assert_eq!(obstacle.error.as_ref().unwrap().field(), Some("source_ip"));
    assert_eq!(obstacle.fix.as_deref(), Some("correct source_ip"));
}

#[tokio::test]
async fn another_family_than_ipv4_is_a_warning() {
    let sandbox = sandbox().await;
    let port = sandbox
        .samco_url()
        .rsplit(':')
        .next()
        .unwrap()
        .trim_end_matches('/')
        .to_owned();
    // By name, since an address decides its family on its own.
    let url = format!("http://localhost:{port}");
    let of = |version| {
        samco(&sandbox)
            .base_url(&url)
            .ip_version(version)
            .build()
            .unwrap()
    };
    let held = of(IpVersion::V4).preflight().await;
    assert!(
        held.ready && status(&held, "network") == CheckStatus::Pass,
        "{held:?}"
    );
    let loose = of(IpVersion::Any).preflight().await;
    assert!(
        loose.ready && status(&loose, "network") == CheckStatus::Warn,
        "{loose:?}"
    );
    assert_eq!(loose.strict().obstacle().unwrap().name, "network");
}

#[tokio::test]
async fn x7_no_registered_address_is_told_by_whoami_and_by_preflight() {
    let sandbox = sandbox().await;
    let unregistered = serde_json::json!({
        "serverTime": "23/11/26 10:00:00", "msgId": "4c1df0ac-3d59-4ad3-9b43-2a5b0fd5a001", "status": "Success",
        "statusMessage": "No IP registered.", "srcIp": "198.51.100.9", "primaryIp": null, "secondaryIp": "",
        "matches": false, "matchedAs": null,
    });
    let fault = Fault::on(Broker::Samco, "/ip/whoami")
        .status(200)
        .body(&unregistered.to_string())
        .times(2);
    sandbox.fault(fault).unwrap();
    let session = samco(&sandbox).build().unwrap();
    let mut events = session.events();
    assert_eq!(session.whoami().await.unwrap().verdict, Verdict::Unregistered);
    assert_eq!(events.next().await.unwrap().name, EventName::Renewed);
    let event = events.next().await.unwrap();
    assert_eq!(event.name, EventName::IpMismatch);
    assert!(
        event.reason.contains("register 198.51.100.9 with the broker"),
        "{}",
        event.reason
    );
    let preflight = session.preflight().await;
    assert!(!preflight.ready && status(&preflight, "static_ip") == CheckStatus::Fail);
}

#[tokio::test]
async fn x7_the_secondary_address_is_as_good() {
    let sandbox = sandbox().await;
    let secondary: IpAddr = samco_account(&sandbox).secondary_ip.parse().unwrap();
    sandbox.set_source_ip(SourceIp::Fixed(secondary));
    let session = samco(&sandbox).build().unwrap();
    assert_eq!(
        session.whoami().await.unwrap().verdict,
        Verdict::Match(Slot::Secondary)
    );
    assert!(session.preflight().await.strict().ready);
}

#[tokio::test]
async fn a_refused_smartapi_order_says_how_to_find_out() {
    let sandbox = sandbox().await;
    sandbox.set_source_ip(SourceIp::Fixed("198.51.100.7".parse().unwrap()));
    let session = angel(&sandbox).build().unwrap();
    let mut events = session.events();
    let order = serde_json::json!({
        "variety": "NORMAL", "tradingsymbol": "SBIN-EQ", "symboltoken": "3045", "transactiontype": "BUY",
        "exchange": "NSE", "ordertype": "LIMIT", "producttype": "DELIVERY", "duration": "DAY", "price": "500",
        "squareoff": "0", "stoploss": "0", "quantity": "1",
    });
    let place = session
        .post("/rest/secure/angelbroking/order/v1/placeOrder")
        .json(&order);
    let error = place.send().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StaticIpMismatch);
    assert_eq!(error.context().broker_code.as_deref(), Some("AG7002"));
    assert!(error.message().contains("SmartAPI portal"), "{error}");
    assert_eq!(events.next().await.unwrap().name, EventName::Renewed);
    assert_eq!(events.next().await.unwrap().name, EventName::IpMismatch);
}

#[tokio::test]
async fn a_store_that_cannot_be_used_is_a_warning_while_a_session_lives() {
    let sandbox = sandbox().await;
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("store");
    let session = samco(&sandbox)
        .store(FileStore::at(&place).unwrap())
        .build()
        .unwrap();
    let preflight = session.preflight().await;
    assert!(
        preflight.ready && status(&preflight, "store") == CheckStatus::Pass,
        "{preflight:?}"
    );
    std::fs::remove_dir_all(&place).unwrap();
    std::fs::write(&place, "no folder").unwrap();
    let preflight = session.preflight().await;
    assert_eq!(status(&preflight, "store"), CheckStatus::Warn, "{preflight:?}");
    assert!(preflight.ready && !preflight.clone().strict().ready);
    assert!(preflight.check("store").unwrap().fix.is_some());
    assert_eq!(sandbox.requests(Some(Broker::Samco), Some(SAMCO_LOGIN)).count, 1);
}

#[tokio::test]
async fn preflights_at_once_share_one_login_and_no_secret_is_in_what_they_say() {
    let sandbox = sandbox().await;
    let session = samco(&sandbox).build().unwrap();
    let all = futures_util::future::join_all((0..20).map(|_| session.preflight())).await;
    assert!(all.iter().all(|preflight| preflight.ready));
    assert_eq!(sandbox.requests(Some(Broker::Samco), Some(SAMCO_LOGIN)).count, 1);
    assert_eq!(sandbox.requests(Some(Broker::Samco), Some(QUOTE)).count, 0);
    let token = session.token().await.unwrap();
    let told = format!("{all:?}");
    assert!(!told.contains(token.expose()) && !told.contains(&samco_account(&sandbox).api_secret));

    let wrong = samco_with(&sandbox, &samco_account(&sandbox).api_key, "CANARY-SECRET")
        .build()
        .unwrap();
    let preflight = wrong.preflight().await;
    assert_eq!(
        preflight.obstacle().unwrap().error.as_ref().unwrap().kind(),
        ErrorKind::CredentialsRejected
    );
    assert!(!format!("{preflight:?}").contains("CANARY"), "{preflight:?}");
    assert!(preflight.checks.iter().all(|check| !check.message.is_empty()));
}

#[tokio::test]
async fn a_refused_token_is_renewed_before_the_answer() {
    let sandbox = sandbox().await;
    let session = samco(&sandbox).build().unwrap();
    session.token().await.unwrap();
    assert_eq!(sandbox.end_sessions(None), 1);
    let preflight = session.preflight().await;
    assert!(preflight.strict().ready);
    assert_eq!(session.state().generation, 2);
    // Nothing is left to do for the first order.
    let began = std::time::Instant::now();
    quote(&session).await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(5));
    assert_eq!(sandbox.requests(Some(Broker::Samco), Some(SAMCO_LOGIN)).count, 2);
}

#[tokio::test]
async fn a_limit_of_ones_own_says_nothing_against_an_order() {
    let sandbox = sandbox().await;
    let limits = RateLimits::new().per_hour("other", 1);
    let session = samco(&sandbox).rate_limits(limits).build().unwrap();
    quote(&session).await.unwrap();
    let found = session.preflight().await;
    assert!(found.ready, "{found:?}");
    assert_eq!(status(&found, "broker"), CheckStatus::Unknown);
}
