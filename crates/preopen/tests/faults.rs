//! What a broker can do wrong, and what the caller is told: the kind, and no secret anywhere.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod common;

use std::time::{Duration, Instant};

use common::{
    ANGEL_LOGIN, QUOTE, SAMCO_LOGIN, angel_account, angel_with, samco, samco_account, samco_with, sandbox,
};
use preopen::{Error, ErrorKind, Phase, Samco, Session};
use preopen_sandbox::{BodyKind, Broker, Fault, Sandbox, Stall};

/// Makes a fault of a plain one.
type Spoil = fn(Fault) -> Fault;

/// Everything that could be shown of an error.
fn rendered(error: &Error) -> String {
    format!(
        "{error} {error:?} {error:#?} {:?} {:?}",
        error.causes(),
        error.context()
    )
}

fn assert_no_secret(sandbox: &Sandbox, error: &Error) {
    let (samco, angel) = (samco_account(sandbox), angel_account(sandbox));
    let shown = rendered(error);
    for secret in [
        &samco.api_key,
        &samco.api_secret,
        &angel.api_key,
        &angel.totp_secret,
    ] {
        assert!(!shown.contains(secret.as_str()), "{shown}");
    }
}

async fn token_error(session: &Session) -> Error {
    session.token().await.unwrap_err()
}

#[tokio::test]
async fn a_wrong_secret_costs_exactly_one_login() {
    let sandbox = sandbox().await;
    let key = samco_account(&sandbox).api_key.clone();
    let session = samco_with(&sandbox, &key, "CANARY-wrong-secret").build().unwrap();
    for _ in 0..5 {
        let error = token_error(&session).await;
        assert_eq!(error.kind(), ErrorKind::CredentialsRejected);
        assert_eq!(
            error.context().credential.map(preopen::Credential::as_str),
            Some("api_secret")
        );
        assert!(!rendered(&error).contains("CANARY"));
        assert_no_secret(&sandbox, &error);
    }
    assert_eq!(sandbox.requests(Some(Broker::Samco), Some(SAMCO_LOGIN)).count, 1);
}

#[tokio::test]
async fn a_wrong_pin_and_a_wrong_totp_are_told_apart() {
    let sandbox = sandbox().await;
    sandbox.clock().set_rate(200.0);
    let account = angel_account(&sandbox).clone();
    let which = |error: &Error| error.context().credential.map(preopen::Credential::as_str);

    let wrong_pin = angel_with(&sandbox, "9999", &account.totp_secret)
        .build()
        .unwrap();
    let error = token_error(&wrong_pin).await;
    assert_eq!(
        (error.kind(), which(&error)),
        (ErrorKind::CredentialsRejected, Some("pin"))
    );
    assert_eq!(
        sandbox.requests(Some(Broker::AngelOne), Some(ANGEL_LOGIN)).count,
        1
    );

    let wrong_totp = angel_with(&sandbox, &account.pin, "NBSWY3DPEHPK3PXPJBSWY3DPEB3W64TM")
        .build()
        .unwrap();
    let error = token_error(&wrong_totp).await;
    assert_eq!(
        (error.kind(), which(&error)),
        (ErrorKind::CredentialsRejected, Some("totp"))
    );
    assert!(!rendered(&error).contains("NBSWY3DP"));
    assert_no_secret(&sandbox, &error);
}

#[tokio::test]
async fn a_dead_server_is_a_network_error_of_the_connect_phase() {
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let session = Session::builder(Samco::new("k", "CANARY")).base_url(format!("http://127.0.0.1:{port}"));
    let error = token_error(&session.build().unwrap()).await;
    assert_eq!(
        (error.kind(), error.context().phase),
        (ErrorKind::Network, Some(Phase::Connect))
    );
    assert!(!rendered(&error).contains("CANARY"));
}

/// Faults of the login and of a read, with the kind that both must give.
#[tokio::test]
async fn what_a_gateway_sends_has_a_kind() {
    let faults: [(&str, Spoil, ErrorKind); 8] = [
        (
            "html",
            |f| f.body_kind(BodyKind::Html),
            ErrorKind::BrokerUnavailable,
        ),
        (
            "html 200",
            |f| f.body_kind(BodyKind::Html).status(200),
            ErrorKind::BrokerUnavailable,
        ),
        (
            "empty",
            |f| f.body_kind(BodyKind::Empty).status(200),
            ErrorKind::BrokerUnavailable,
        ),
        (
            "10 MB",
            |f| f.body_kind(BodyKind::Large).status(200),
            ErrorKind::MalformedResponse,
        ),
        (
            "bomb",
            |f| f.body_kind(BodyKind::GzipBomb).status(200),
            ErrorKind::MalformedResponse,
        ),
        (
            "truncated",
            |f| f.body_kind(BodyKind::Truncated),
            ErrorKind::Network,
        ),
        (
            "malformed",
            |f| f.body_kind(BodyKind::Malformed).status(200),
            ErrorKind::MalformedResponse,
        ),
        (
            "redirect",
            |f| f.redirect_to("http://localhost:9/stolen"),
            ErrorKind::BrokerUnavailable,
        ),
    ];
    let sandbox = sandbox().await;
    for (name, spoil, kind) in faults {
        let session = samco(&sandbox).build().unwrap();
        sandbox
            .fault(spoil(Fault::on(Broker::Samco, SAMCO_LOGIN)))
            .unwrap();
        let error = token_error(&session).await;
        assert_eq!(error.kind(), kind, "{name} on the login: {error}");
        assert_no_secret(&sandbox, &error);

        session.token().await.unwrap();
        sandbox
            .fault(spoil(Fault::on(Broker::Samco, QUOTE)).times(3))
            .unwrap();
        let error = session.get(QUOTE).send().await.unwrap_err();
        assert_eq!(error.kind(), kind, "{name} on a read: {error}");
        assert_no_secret(&sandbox, &error);
        sandbox.clear_faults();
    }
}

#[tokio::test]
async fn a_silent_or_dripping_server_meets_the_total_deadline() {
    let sandbox = sandbox().await;
    let faults: [(&str, Spoil); 3] = [
        ("silent", |f| f.stall(Stall::Before)),
        ("stalled", |f| f.stall(Stall::MidBody)),
        ("drip", |f| f.drip_ms(50)),
    ];
    for (name, spoil) in faults {
        let session = samco(&sandbox)
            .timeout(Duration::from_millis(400))
            .build()
            .unwrap();
        sandbox
            .fault(spoil(Fault::on(Broker::Samco, SAMCO_LOGIN)))
            .unwrap();
        let began = Instant::now();
        let error = token_error(&session).await;
        assert_eq!(
            (error.kind(), error.context().phase),
            (ErrorKind::Timeout, Some(Phase::Login)),
            "{name}"
        );
        assert!(
            began.elapsed() < Duration::from_secs(3),
            "{name}: {:?}",
            began.elapsed()
        );
        assert_no_secret(&sandbox, &error);
    }
}

#[tokio::test]
async fn bad_settings_are_refused_by_name_before_any_io() {
    let build = |edit: fn(preopen::SessionBuilder) -> preopen::SessionBuilder| {
        edit(Session::builder(Samco::new("k", "s"))).build().unwrap_err()
    };
    let field = |error: Error| error.field().unwrap_or_default().to_owned();
    assert_eq!(
        field(build(|b| b.base_url("http://tradeapi.samco.in"))),
        "base_url"
    );
    assert_eq!(field(build(|b| b.base_url("https://evil.example"))), "base_url");
    assert_eq!(field(build(|b| b.timeout(Duration::ZERO))), "timeout");
    assert_eq!(field(build(|b| b.source_ip("not an address"))), "source_ip");
    assert_eq!(field(build(|b| b.proxy("ftp://x"))), "proxy");
    let empty = Session::builder(Samco::new(" ", "s")).build().unwrap_err();
    assert_eq!(field(empty), "api_key");
    let placeholder = Session::builder(Samco::new("k", "<API_SECRET>"))
        .build()
        .unwrap_err();
    assert_eq!(field(placeholder), "api_secret");
}

#[tokio::test]
async fn debug_of_what_users_hold_shows_no_secret() {
    let sandbox = sandbox().await;
    let session = samco(&sandbox).build().unwrap();
    let token = session.token().await.unwrap();
    let headers = session.headers().await.unwrap();
    let call = session
        .post("/order/placeOrder")
        .json(&serde_json::json!({"x": "CANARY"}))
        .header("x", "CANARY");
    let account = samco_account(&sandbox);
    let credentials = Samco::new(account.api_key.as_str(), account.api_secret.as_str());
    let shown = format!(
        "{session:?} {token:?} {headers:?} {call:?} {credentials:?} {:?}",
        session.state()
    );
    for secret in [
        account.api_key.as_str(),
        account.api_secret.as_str(),
        token.expose(),
        "CANARY",
    ] {
        assert!(!shown.contains(secret), "{shown}");
    }
    assert!(
        headers
            .expose()
            .any(|(name, value)| name == "x-session-token" && value == token.expose())
    );
}

#[tokio::test]
async fn tls_is_verified_and_a_ca_file_makes_it_work() {
    let options = preopen_sandbox::Options::default().tls(true);
    let sandbox = Sandbox::start(options).await.unwrap();
    let error = token_error(&samco(&sandbox).build().unwrap()).await;
    assert_eq!(
        (error.kind(), error.context().phase),
        (ErrorKind::Network, Some(Phase::Connect))
    );
    assert!(error.to_string().contains("certificate"), "{error}");
    let trusted = samco(&sandbox)
        .ca_file(sandbox.ca_file().unwrap())
        .build()
        .unwrap();
    assert_eq!(trusted.token().await.unwrap().generation(), 1);
    let missing = samco(&sandbox).ca_file("no/such/file.pem").build().unwrap();
    let error = token_error(&missing).await;
    assert_eq!(
        (error.kind(), error.field()),
        (ErrorKind::InvalidInput, Some("ca_file"))
    );
}
