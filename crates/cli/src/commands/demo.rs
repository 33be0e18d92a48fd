//! `preopen demo`: a day in the life of two sessions on the embedded broker. Every line that it prints is what
//! the sessions and the broker really did; a step that goes wrong ends the demo with its error.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use preopen::{
    AngelOne, Clock as _, Error, ErrorKind, Json, Result, Samco, Session, SystemClock, Timestamp, Verdict,
    VirtualClock,
};
use preopen_sandbox::{Account, AngelOneAccount, Broker, Options, SamcoAccount, Sandbox, SourceIp};
use serde_json::json;

use crate::output::{BAD, BOLD, CLOCK, DIM, Failure, GOOD, Output, json_line, line};

const SAMCO_LOGIN: &str = "/session/token";
const ANGEL_LOGIN: &str = "/rest/auth/angelbroking/user/v1/loginByPassword";
const QUOTE: &str = "/quote/getQuote";
const LTP: &str = "/rest/secure/angelbroking/order/v1/getLtpData";
const ORDER: &str = "/order/placeOrder";
/// An address of a documentation range: nobody's.
const STRANGER: &str = "198.51.100.7";
const CALLERS: usize = 1000;
/// A busy machine needs its time for so many callers, with the broker on it too.
const PATIENCE: Duration = Duration::from_mins(2);

pub(crate) async fn run(output: Output) -> Result<ExitCode, Failure> {
    let story = Story {
        output,
        began: Instant::now(),
    };
    story.title();
    let start = opening_bell();
    let sandbox = Sandbox::start(Options::default().start_at(start))
        .await
        .map_err(|error| Failure::Other(error.to_string()))?;
    let result = tell(&story, &sandbox, start).await;
    sandbox.stop().await;
    result?;
    Ok(ExitCode::SUCCESS)
}

/// 09:14 in India today, or the day's first minute after it was passed: before both boundaries of the night.
fn opening_bell() -> Timestamp {
    let today = SystemClock.now().wall.format_ist("%Y-%m-%dT09:14:00+05:30");
    Timestamp::parse_rfc3339(&today).unwrap_or(SystemClock.now().wall)
}

async fn tell(story: &Story, sandbox: &Sandbox, start: Timestamp) -> Result<(), Failure> {
    story.done(
        "sandbox",
        "The embedded broker is up",
        sandbox.samco_url(),
        &json!({"url": sandbox.samco_url()}),
    );
    let samco = samco_session(sandbox, start)?;
    let angel = angel_session(sandbox)?;

    story.chapter("09:14 IST, before the market opens");
    log_in(story, &samco, "Samco", "API key + secret").await?;
    log_in(story, &angel, "SmartAPI", "client code + PIN + TOTP").await?;
    who_am_i(story, &samco).await?;
    who_am_i(story, &angel).await?;
    quote(story, &samco, "A quote from Samco").await?;
    last_price(story, &angel).await?;

    story.chapter("The static IP rule");
    sandbox.set_source_ip(address(STRANGER)?);
    order_refused(story, &samco).await?;
    sandbox.set_source_ip(SourceIp::Home);
    order_accepted(story, &samco).await?;

    story.clock(advance(sandbox, "00:00 IST")?, "SmartAPI ends every session");
    let state = angel.state();
    story.done(
        "knows",
        "SmartAPI's session is over, and Preopen knows without asking",
        &state.reason,
        &json!({"state": state.name.as_str()}),
    );
    last_price(story, &angel).await?;

    story.clock(advance(sandbox, "08:00 IST")?, "Samco ends every session");
    morning_rush(story, sandbox, &samco).await?;
    logins(story, sandbox);
    story.end();
    Ok(())
}

/// Samco's session keeps the time of a host that did not see the night pass, so that the broker's refusal, not
/// the clock, is what makes it renew.
fn samco_session(sandbox: &Sandbox, start: Timestamp) -> Result<Session> {
    let account = sandbox
        .accounts()
        .iter()
        .find_map(Account::as_samco)
        .map(credentials);
    let credentials = account.ok_or_else(missing)?;
    let own_clock = Arc::new(VirtualClock::new(start, 1.0));
    Session::builder(credentials)
        .base_url(sandbox.samco_url())
        .clock(own_clock)
        .timeout(PATIENCE)
        .build()
}

fn credentials(account: &SamcoAccount) -> Samco {
    Samco::new(account.api_key.as_str(), account.api_secret.as_str())
}

fn angel_session(sandbox: &Sandbox) -> Result<Session> {
    let account: &AngelOneAccount = sandbox
        .accounts()
        .iter()
        .find_map(Account::as_angelone)
        .ok_or_else(missing)?;
    let credentials = AngelOne::new(
        account.api_key.as_str(),
        account.client_code.as_str(),
        account.pin.as_str(),
        account.totp_secret.as_str(),
    );
    Session::builder(credentials)
        .base_url(sandbox.angelone_url())
        .clock(sandbox.clock())
        .timeout(PATIENCE)
        .build()
}

fn missing() -> Error {
    Error::new(ErrorKind::Internal, "the sandbox has no account of this broker")
}

fn address(text: &str) -> Result<SourceIp, Failure> {
    text.parse()
        .map(SourceIp::Fixed)
        .map_err(|_| Failure::Other(format!("{text} is not an address")))
}

fn advance(sandbox: &Sandbox, to: &str) -> Result<Timestamp, Failure> {
    sandbox
        .advance_to(to)
        .map_err(|error| Failure::Other(error.to_string()))
}

async fn log_in(story: &Story, session: &Session, broker: &str, with: &str) -> Result<(), Failure> {
    let token = session.token().await?;
    let state = session.state();
    let why = state
        .expiry
        .as_ref()
        .map_or("", |expiry| expiry.decisive().source.as_str());
    story.done(
        "login",
        &format!("Logged in to {broker} with {with}"),
        &format!("ends {} ({why})", token.expires_at().to_ist()),
        &json!({
            "broker": session.broker(), "generation": token.generation(),
            "expires_at": token.expires_at().to_rfc3339(), "expiry_source": why,
        }),
    );
    Ok(())
}

async fn who_am_i(story: &Story, session: &Session) -> Result<(), Failure> {
    let who = session.whoami().await?;
    let seen = who
        .addresses
        .source
        .clone()
        .unwrap_or_else(|| "not told by this broker".to_owned());
    let title = format!("whoami at {}: {}", session.broker(), who.verdict);
    let tell = if who.verdict == Verdict::Unsupported {
        Story::noted
    } else {
        Story::done
    };
    tell(
        story,
        "whoami",
        &title,
        &seen,
        &json!({
            "broker": session.broker(), "verdict": who.verdict.as_str(),
            "matched_as": who.matched_as().map(preopen::Slot::as_str), "source_ip": who.addresses.source,
        }),
    );
    Ok(())
}

async fn quote(story: &Story, session: &Session, title: &str) -> Result<(), Failure> {
    let reply = infosys(session).await?;
    let details = &reply.data()["quoteDetails"];
    let price = details["lastTradedPrice"].as_str().unwrap_or("?");
    story.done(
        "quote",
        title,
        &format!("INFY {price}"),
        &json!({"broker": "samco", "symbol": "INFY", "price": price}),
    );
    Ok(())
}

async fn infosys(session: &Session) -> Result<preopen::Reply> {
    session
        .get(QUOTE)
        .query("symbolName", "INFY")
        .query("exchange", "NSE")
        .send()
        .await
}

async fn last_price(story: &Story, session: &Session) -> Result<(), Failure> {
    let body = json!({"exchange": "NSE", "tradingsymbol": "SBIN-EQ", "symboltoken": "3045"});
    let reply = session.post(LTP).json(&body).send().await?;
    let price = &reply.data()["ltp"];
    story.done(
        "quote",
        "A price from SmartAPI",
        &format!("SBIN {price}"),
        &json!({"broker": "angelone", "price": price}),
    );
    Ok(())
}

fn order() -> Json {
    json!({
        "symbolName": "INFY", "exchange": "NSE", "transactionType": "BUY", "orderType": "L", "quantity": "1",
        "disclosedQuantity": "", "orderValidity": "DAY", "productType": "CNC", "afterMarketOrderFlag": "NO", "price": "1500.00",
    })
}

async fn order_refused(story: &Story, session: &Session) -> Result<(), Failure> {
    match session.post(ORDER).json(&order()).send().await {
        Err(error) if error.kind() == ErrorKind::StaticIpMismatch => {
            story.refused(
                "order_refused",
                &format!("An order from {STRANGER} is refused"),
                error.code(),
                &json!({"code": error.code(), "source_ip": error.context().source_ip, "primary_ip": error.context().primary_ip}),
            );
            Ok(())
        }
        Err(error) => Err(error.into()),
        Ok(_) => Err(Failure::Other(format!("the order from {STRANGER} was accepted"))),
    }
}

async fn order_accepted(story: &Story, session: &Session) -> Result<(), Failure> {
    let reply = session.post(ORDER).json(&order()).send().await?;
    let number = reply.data()["orderNumber"].as_str().unwrap_or("?");
    let title = "The same order from the registered address is accepted";
    story.done(
        "order_accepted",
        title,
        &format!("order {number}"),
        &json!({"order": number}),
    );
    Ok(())
}

/// After the boundary, many callers at once hold a token that the broker has ended.
async fn morning_rush(story: &Story, sandbox: &Sandbox, session: &Session) -> Result<(), Failure> {
    let began = Instant::now();
    try_join_all((0..CALLERS).map(|_| infosys(session))).await?;
    let took = began.elapsed();
    let seen = sandbox.requests(Some(Broker::Samco), Some(QUOTE));
    let refused = seen
        .requests
        .iter()
        .filter(|request| request.status == Some(401))
        .count();
    let facts = json!({"refused_calls": refused});
    story.refused(
        "refused",
        "The broker refuses yesterday's token",
        "session_expired",
        &facts,
    );
    story.done(
        "renewed",
        &format!("{CALLERS} callers at once: one renewal, every call answered"),
        &format!("{} ms", took.as_millis()),
        &json!({"callers": CALLERS, "milliseconds": took.as_millis()}),
    );
    Ok(())
}

fn logins(story: &Story, sandbox: &Sandbox) {
    let count = |broker, path| sandbox.requests(Some(broker), Some(path)).count;
    let (samco, angel) = (
        count(Broker::Samco, SAMCO_LOGIN),
        count(Broker::AngelOne, ANGEL_LOGIN),
    );
    story.done(
        "logins",
        "Logins that the brokers saw, in all",
        &format!("Samco {samco}, SmartAPI {angel}"),
        &json!({"samco": samco, "angelone": angel}),
    );
}

/// Tells each step as text or as a line of JSON.
struct Story {
    output: Output,
    began: Instant,
}

impl Story {
    fn say(&self, text: &str) {
        if !self.output.is_json() {
            line(text);
        }
    }

    fn title(&self) {
        self.say(&format!(
            "\n{BOLD}Preopen{BOLD:#} keeps a broker session valid. Here is a day of it, without an account.\n"
        ));
    }

    fn chapter(&self, text: &str) {
        self.say(&format!("\n{BOLD}{text}{BOLD:#}"));
    }

    fn clock(&self, at: Timestamp, what: &str) {
        self.say(&format!(
            "\n{CLOCK}>> the clock moves to {}{CLOCK:#}: {what}",
            at.to_ist()
        ));
        self.record("clock", &json!({"now": at.to_rfc3339(), "what": what}));
    }

    fn done(&self, step: &str, title: &str, detail: &str, facts: &Json) {
        self.say(&format!("  {GOOD}ok{GOOD:#}  {title:<58}  {DIM}{detail}{DIM:#}"));
        self.record(step, facts);
    }

    fn noted(&self, step: &str, title: &str, detail: &str, facts: &Json) {
        self.say(&format!("  {DIM}--{DIM:#}  {title:<58}  {DIM}{detail}{DIM:#}"));
        self.record(step, facts);
    }

    fn refused(&self, step: &str, title: &str, detail: &str, facts: &Json) {
        self.say(&format!("  {BAD}no{BAD:#}  {title:<58}  {DIM}{detail}{DIM:#}"));
        self.record(step, facts);
    }

    fn record(&self, step: &str, facts: &Json) {
        if self.output.is_json() {
            let mut all = json!({"step": step});
            if let (Some(all), Some(facts)) = (all.as_object_mut(), facts.as_object()) {
                all.extend(facts.clone());
            }
            json_line(&all);
        }
    }

    fn end(&self) {
        let took = self.began.elapsed();
        self.record("end", &json!({"milliseconds": took.as_millis()}));
        self.say(&format!(
            "\n{BOLD}A day and a night in {:.1} s.{BOLD:#} Next:",
            took.as_secs_f64()
        ));
        for (command, what) in [
            (
                "preopen sandbox",
                "keep the embedded broker running, with accounts to try",
            ),
            (
                "preopen whoami samco",
                "with your own SAMCO_API_KEY and SAMCO_API_SECRET: may this host place orders?",
            ),
            (
                "preopen doctor",
                "what keeps this host from placing orders, and the fix",
            ),
        ] {
            self.say(&format!("  {BOLD}{command}{BOLD:#}\n      {what}"));
        }
        self.say("");
    }
}
