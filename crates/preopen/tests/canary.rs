//! X1 in Rust: whatever a session does, no secret shows in what its public values render to, nor in anything that
//! Preopen or a library below it logs, down to TRACE. Python and Node have harnesses of their own.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod common;

use std::io::Write;
use std::sync::{Arc, Mutex};

use common::{ANGEL_LOGIN, QUOTE, SAMCO_LOGIN, angel_account, samco_account};
use preopen::{AngelOne, Ask, Samco, SamcoLegacy, SamcoOAuth, SealKey, Secret, Session, TotpSource};
use preopen_sandbox::{Options, Sandbox};
use serde_json::json;

/// Everything that was logged or rendered.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<u8>>>);

impl Write for Seen {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Seen {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }

    fn show(&self, value: &dyn std::fmt::Debug) {
        writeln!(self.clone(), "{value:?} {value:#?}").unwrap();
    }

    fn show_error(&self, error: &preopen::Error) {
        self.show(error);
        self.show(error.context());
        let mut below: Option<&dyn std::error::Error> = Some(error);
        while let Some(error) = below {
            writeln!(self.clone(), "{error} {error:?}").unwrap();
            below = error.source();
        }
    }
}

/// Logs of both kinds, from every library, at the lowest level.
fn listen() -> Seen {
    let seen = Seen::default();
    let writer = seen.clone();
    tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_span_events(tracing_subscriber::fmt::format::FmtSpan::FULL)
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .init();
    seen
}

async fn live(session: &Session, seen: &Seen, secrets: &mut Vec<String>) {
    let mut events = session.events();
    let token = session.token().await.unwrap();
    secrets.push(token.expose().to_owned());
    let headers = session.headers().await.unwrap();
    let key = SealKey::generate().unwrap();
    secrets.push(key.to_text().expose().to_owned());
    let sealed = session.export(&key).await.unwrap();
    let open = session.export_exposed().await.unwrap();
    seen.show(&(&token, &headers, session, session.state(), &key, &sealed, &open));
    seen.show(&events.next().await.unwrap());
    seen.show(&session.prime(&sealed[..sealed.len() - 4], Some(&key)));
    seen.show(&session.prime(&open.expose()[1..], None));
    let call = session
        .get(QUOTE)
        .query("symbolName", "INFY")
        .query("exchange", "NSE")
        .header("x-mine", "CANARY-header");
    seen.show(&call);
    seen.show(&call.send().await);
    seen.show(&session.whoami().await);
    seen.show(&session.profile().await);
    session.invalidate(token.generation());
    let renewed = session.token().await.unwrap();
    secrets.push(renewed.expose().to_owned());
    seen.show(&session.logout().await.unwrap());
}

/// Logins at the broker's page: the page, the answer, and what becomes of both; and the deprecated login.
async fn pages(
    sandbox: &Sandbox,
    open: &impl Fn(preopen::SessionBuilder) -> Session,
    seen: &Seen,
    secrets: &mut Vec<String>,
) {
    let samco = samco_account(sandbox).clone();
    let app = SamcoOAuth::new(samco.api_key.as_str(), samco.redirect_url.as_str());
    seen.show(&app);
    let session = open(Session::builder(app));
    for broken in [false, true] {
        let start = session.begin_login().await.unwrap();
        seen.show(&start);
        let address = sandbox.consent(start.url(), true, None).unwrap();
        for field in ["code=", "state="] {
            let (_, value) = address.split_once(field).unwrap();
            secrets.push(value.split('&').next().unwrap().to_owned());
        }
        seen.show_error(
            &session
                .complete_login(&format!("{address}&state=CANARY-wrong"))
                .await
                .unwrap_err(),
        );
        seen.show_error(
            &session
                .complete_login(&format!("{address}#CANARY-wrong/../")[20..])
                .await
                .unwrap_err(),
        );
        if broken {
            let echo = json!({
                "broker": "samco", "path": "/oauth/token", "times": 1, "status": 401,
                "body": {"status": "Failure", "message": format!("no {address}"), "errorCode": "EOAUTH011"},
            });
            sandbox.fault(serde_json::from_value(echo).unwrap()).unwrap();
            seen.show_error(&session.complete_login(&address).await.unwrap_err());
        } else {
            session.complete_login(&address).await.unwrap();
            let exposed = session.export_exposed().await.unwrap();
            let record: serde_json::Value = serde_json::from_str(exposed.expose()).unwrap();
            for token in record["tokens"].as_array().unwrap() {
                secrets.push(token[1].as_str().unwrap().to_owned());
            }
            seen.show(&(&session, session.state(), session.token().await));
            sandbox.advance_to("08:00 IST").unwrap();
            secrets.push(session.token().await.unwrap().expose().to_owned());
        }
    }
    seen.show(&session.logout().await.unwrap());
    #[allow(deprecated, reason = "its secrets are secrets too")]
    let legacy = SamcoLegacy::new(
        samco.account.as_str(),
        "CANARY-wrong",
        samco.secret_api_key.as_str(),
    );
    secrets.push(samco.secret_api_key.clone());
    seen.show(&legacy);
    seen.show_error(&open(Session::builder(legacy)).token().await.unwrap_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn x1_nothing_that_is_logged_or_rendered_holds_a_secret() {
    let seen = listen();
    let sandbox = Sandbox::start(Options::default().tls(true)).await.unwrap();
    let (samco, angel) = (samco_account(&sandbox).clone(), angel_account(&sandbox).clone());
    let mut secrets: Vec<String> = ["CANARY-header", "CANARY-wrong", "CANARY-callback"]
        .map(str::to_owned)
        .to_vec();
    secrets.extend(
        [
            &samco.api_key,
            &samco.api_secret,
            &angel.api_key,
            &angel.totp_secret,
        ]
        .map(String::clone),
    );
    let open = |builder: preopen::SessionBuilder| {
        builder
            .base_url(sandbox.samco_url())
            .ca_file(sandbox.ca_file().unwrap())
            .clock(sandbox.clock())
            .build()
            .unwrap()
    };

    let credentials = Samco::new(samco.api_key.as_str(), samco.api_secret.as_str());
    seen.show(&credentials);
    live(&open(Session::builder(credentials)), &seen, &mut secrets).await;

    let (pin, totp) = (angel.pin.clone(), angel.totp_secret.clone());
    let credentials = AngelOne::new(
        angel.api_key.as_str(),
        angel.client_code.as_str(),
        Ask::new(move || {
            let pin = Secret::new(pin.as_str());
            async move { Ok(Some(pin)) }
        }),
        totp.as_str(),
    );
    seen.show(&credentials);
    live(&open(Session::builder(credentials)), &seen, &mut secrets).await;

    pages(&sandbox, &open, &seen, &mut secrets).await;

    // Refusals that echo what was sent, and callbacks that fail.
    let echo = json!({
        "broker": "samco", "path": SAMCO_LOGIN, "times": 1, "status": 400,
        "body": {"status": "Failure", "statusMessage": format!("no: {} CANARY-wrong", samco.api_key)},
    });
    sandbox.fault(serde_json::from_value(echo).unwrap()).unwrap();
    let wrong = open(Session::builder(Samco::new(
        samco.api_key.as_str(),
        "CANARY-wrong",
    )));
    for _ in 0..3 {
        seen.show_error(&wrong.token().await.unwrap_err());
    }
    let torn = json!({"broker": "angelone", "path": ANGEL_LOGIN, "times": 1, "body_kind": "truncated"});
    sandbox.fault(serde_json::from_value(torn).unwrap()).unwrap();
    let typed = |text: &'static str| TotpSource::Typed(Ask::blocking(move || Ok(Some(Secret::new(text)))));
    for code in ["CANARY-callback", "654321"] {
        let credentials = AngelOne::new(
            angel.api_key.as_str(),
            angel.client_code.as_str(),
            "0000",
            typed(code),
        );
        seen.show_error(&open(Session::builder(credentials)).token().await.unwrap_err());
    }
    sandbox.stop().await;

    let text = seen.text();
    assert!(
        text.contains("TRACE") && text.contains("reqwest") && text.contains("rustls"),
        "the harness sees what libraries log"
    );
    for secret in &secrets {
        if let Some(at) = text.find(secret.as_str()) {
            let from = text[..at]
                .char_indices()
                .rev()
                .nth(400)
                .map_or(0, |(from, _)| from);
            panic!("{secret} shows: {}", &text[from..at]);
        }
    }
}
