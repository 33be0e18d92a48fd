//! The paths. What is made once is made before the loop, and what came of the last round is looked at after it: a path that
//! does nothing is not quick.

use std::hint::black_box;

use anyhow::{Context as _, Result, bail, ensure};
use preopen::{Samco, SealKey, Secret, Session, Timestamp};
use preopen_core::broker::Adapter;
use preopen_core::totp::TotpSecret;
use preopen_core::wire::{Body, Endpoint, Method, RawReply};
use serde_json::Value;

use crate::Settings;

const QUOTE: &str = "/quote/getQuote";
/// A reply as long as brokers' longer ones: a list of holdings.
const HOLDINGS: &str = include_str!("../../vectors/samco/endpoint-holding-get-holdings.json");
const HOLDINGS_PATH: &str = "/holding/getHoldings";
/// How many holdings it is made to have: about four kilobytes.
const HOLDINGS_COUNT: usize = 10;

/// Goes the path so often.
pub(crate) async fn go(path: &str, times: u32, settings: &Settings) -> Result<()> {
    match path {
        "token" => token(times, settings).await,
        "headers" => headers(times, settings).await,
        "get" => get(times, settings).await,
        "login" => login(times, settings).await,
        "envelope" => envelope(times),
        "bare-json" => bare_json(times),
        "totp" => totp(times),
        "url-check" => url_check(times, settings).await,
        "seal" => seal(times, settings).await,
        "open" => open(times, settings).await,
        _ => bail!("no path {path}"),
    }
}

/// A session that has logged in.
async fn live(settings: &Settings) -> Result<Session> {
    let session = settings.session()?;
    ensure!(session.token().await?.generation() == 1, "not the first login");
    Ok(session)
}

/// One that was renewed meanwhile went another path.
fn is_the_first(session: &Session) -> Result<()> {
    let generation = session.state().generation;
    ensure!(
        generation == 1,
        "the session was renewed meanwhile: generation {generation}"
    );
    Ok(())
}

async fn token(times: u32, settings: &Settings) -> Result<()> {
    let session = live(settings).await?;
    for _ in 0..times {
        black_box(session.token().await?);
    }
    is_the_first(&session)
}

async fn headers(times: u32, settings: &Settings) -> Result<()> {
    let session = live(settings).await?;
    for _ in 0..times {
        black_box(session.headers().await?);
    }
    is_the_first(&session)
}

/// On one connection, which was opened before.
async fn get(times: u32, settings: &Settings) -> Result<()> {
    let session = live(settings).await?;
    for _ in 0..times {
        let call = session.get(QUOTE).query("symbolName", "INFY");
        let reply = call.query("exchange", "NSE").send().await?;
        ensure!(
            reply.data()["quoteDetails"]["symbolName"] == "INFY",
            "wrong payload"
        );
    }
    is_the_first(&session)
}

/// On one connection, too: the broker ended the session before, each time.
async fn login(times: u32, settings: &Settings) -> Result<()> {
    let session = live(settings).await?;
    for round in 1..=u64::from(times) {
        session.invalidate(round);
        let generation = session.token().await?.generation();
        ensure!(generation == round + 1, "a token of generation {generation}");
    }
    Ok(())
}

/// The body of a reply, as a broker sends it.
fn holdings() -> Result<Vec<u8>> {
    let vector: Value = serde_json::from_str(HOLDINGS)?;
    let mut body = vector["reply"]["body"].clone();
    let list = body["holdingDetails"].as_array_mut().context("no holdings")?;
    let one = list.first().context("no holding")?.clone();
    list.resize(HOLDINGS_COUNT, one);
    Ok(serde_json::to_vec(&body)?)
}

/// What a reply means, from its bytes.
fn envelope(times: u32) -> Result<()> {
    let text = holdings()?;
    let adapter = Samco::new("a key", "a secret");
    let endpoint: Endpoint = adapter.endpoint(Method::Get, HOLDINGS_PATH);
    let mut body = Body::with_capacity(text.len(), endpoint.sensitive);
    body.push(&text);
    let mut raw = RawReply::new(200, body);
    raw.content_type = Some("application/json".to_owned());
    for _ in 0..times {
        let reply = adapter.read(&endpoint, black_box(&raw))?;
        ensure!(
            reply.data()["holdingDetails"].is_array(),
            "a reply without holdings"
        );
    }
    Ok(())
}

/// What it costs whoever reads the same bytes as JSON and asks nothing else.
fn bare_json(times: u32) -> Result<()> {
    let text = holdings()?;
    for _ in 0..times {
        let value: Value = serde_json::from_slice(black_box(&text))?;
        ensure!(value["holdingDetails"].is_array(), "a reply without holdings");
    }
    Ok(())
}

fn totp(times: u32) -> Result<()> {
    let secret = TotpSecret::new("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
    let mut last = Secret::new("");
    for _ in 0..times {
        last = secret.code_at(black_box(Timestamp::from_seconds(59)))?.spend();
    }
    ensure!(last.expose() == "287082", "not the code of RFC 6238");
    Ok(())
}

/// May this URL have the token, and then its headers: what a drop-in asks before another client sends a call.
async fn url_check(times: u32, settings: &Settings) -> Result<()> {
    let session = live(settings).await?;
    let url = format!("{}{QUOTE}?symbolName=INFY&exchange=NSE", settings.url);
    for _ in 0..times {
        let call = session.foreign("GET", black_box(&url))?;
        black_box(call.try_sign()?.context("no live session")?.headers());
    }
    ensure!(
        session.foreign("GET", "https://example.com/").is_err(),
        "any URL may have the token"
    );
    is_the_first(&session)
}

/// A live session as a sealed record.
async fn seal(times: u32, settings: &Settings) -> Result<()> {
    let session = live(settings).await?;
    let key = SealKey::generate()?;
    for _ in 0..times {
        black_box(session.export(&key).await?);
    }
    is_the_first(&session)
}

/// A sealed record taken over.
async fn open(times: u32, settings: &Settings) -> Result<()> {
    let session = live(settings).await?;
    let key = SealKey::generate()?;
    let record = session.export(&key).await?;
    let other = settings.session()?;
    for _ in 0..times {
        other.prime(black_box(&record), Some(&key))?;
    }
    ensure!(
        other.try_token().is_some(),
        "the record that was taken over is not live"
    );
    Ok(())
}
