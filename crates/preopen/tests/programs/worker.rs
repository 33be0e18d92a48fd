//! What the tests of several processes start: a program with a session on a file store. The first line of its input
//! says what to do; each thing that it did is a line of its output.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test's program: it talks to the test, and what goes wrong ends it"
)]

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use preopen::store::FileStore;
use preopen::{
    AngelOne, Json, LoginReason, Phase, Result, Samco, SamcoOAuth, Session, SessionBuilder, Timestamp,
    VirtualClock,
};
use serde_json::json;

fn main() {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    let told: Json = serde_json::from_str(&line).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(work(&told));
}

fn say(what: &Json) {
    println!("{what}");
}

async fn work(told: &Json) {
    let session = builder(told)
        .base_url(told["url"].as_str().unwrap())
        .clock(clock(&told["clock"]))
        .timeout(Duration::from_millis(told["timeout_ms"].as_u64().unwrap()))
        .store(FileStore::at(told["folder"].as_str().unwrap()).unwrap())
        .audit_file(told["audit"].as_str().unwrap())
        .build()
        .unwrap();
    let mut generation = 0;
    for step in told["work"].as_array().unwrap() {
        let step = step.as_str().unwrap();
        say(&json!({"begun": step}));
        let began = Instant::now();
        let done = match step {
            // The session is over for this program: it needs another one.
            "renew" => {
                session.invalidate(generation);
                token(&session).await
            }
            "token" => token(&session).await,
            "use" => session
                .get(told["use"].as_str().unwrap())
                .query("symbolName", "INFY")
                .query("exchange", "NSE")
                .send()
                .await
                .map(|_| json!({})),
            // A person's login at the broker's page: the test is the browser.
            "begin" => session
                .begin_login()
                .await
                .map(|start| json!({"page": start.url()})),
            "complete" => {
                let address = told["address"].as_str().unwrap();
                session.complete_login(address).await.map(|()| json!({}))
            }
            "logout" => session.logout().await.map(|_| json!({})),
            // Stays alive with its session until the input ends.
            "stay" => {
                std::io::stdin().read_line(&mut String::new()).unwrap();
                Ok(json!({}))
            }
            other => panic!("no such work: {other}"),
        };
        let mut done = done.unwrap_or_else(|error| {
            let phase = error.context().phase.map(Phase::as_str);
            let reason = error.context().login_reason.map(LoginReason::as_str);
            let text = error.to_string();
            json!({
                "error": error.kind().as_str(), "phase": phase, "reason": reason, "field": error.field(), "text": text,
            })
        });
        if let Some(newer) = done["generation"].as_u64() {
            generation = newer;
        }
        done["done"] = json!(step);
        done["ms"] = json!(u64::try_from(began.elapsed().as_millis()).unwrap());
        say(&done);
    }
}

async fn token(session: &Session) -> Result<Json> {
    let token = session.token().await?;
    let mut hash = DefaultHasher::new();
    token.expose().hash(&mut hash);
    Ok(json!({"token": format!("{:016x}", hash.finish()), "generation": token.generation()}))
}

fn builder(told: &Json) -> SessionBuilder {
    let word = |name: &str| told["credentials"][name].as_str().unwrap().to_owned();
    match told["broker"].as_str().unwrap() {
        "samco" => Session::builder(Samco::new(word("api_key"), word("api_secret"))),
        "app" => Session::builder(SamcoOAuth::new(word("api_key"), word("redirect_url"))),
        _ => Session::builder(AngelOne::new(
            word("api_key"),
            word("client_code"),
            word("pin"),
            word("totp_secret"),
        )),
    }
}

/// The clock of the test's sandbox, as of a moment of real time that both know.
fn clock(told: &Json) -> Arc<VirtualClock> {
    let rate = told["rate"].as_f64().unwrap();
    let then = SystemTime::UNIX_EPOCH + Duration::from_micros(told["real_us"].as_u64().unwrap());
    let passed = then.elapsed().unwrap_or_default().mul_f64(rate);
    let wall = Timestamp::from_millis(told["wall_ms"].as_i64().unwrap()).plus(passed);
    Arc::new(VirtualClock::new(wall, rate))
}
