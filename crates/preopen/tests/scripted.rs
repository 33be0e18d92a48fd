//! The scripts that come with the embedded broker, lived through by real sessions: a read every five virtual minutes, an
//! order every quarter of an hour, and what the strategy saw of it. The clock is moved from one look to the next, so that
//! every run sees the same.
#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use std::collections::BTreeMap;
use std::time::Duration;

use common::{ANGEL_LOGIN, SAMCO_LOGIN, TOKEN, angel, logged_in, samco, sent};
use preopen::{Clock as _, ErrorKind, Reply, Result, Session, Timestamp};
use preopen_sandbox::{Options, Sandbox, Script};

const RMS: &str = "/rest/secure/angelbroking/user/v1/getRMS";
const SAMCO_ORDER: &str = "/order/placeOrder";
const ANGEL_ORDER: &str = "/rest/secure/angelbroking/order/v1/placeOrder";
const ORDERS: [&str; 2] = [
    r#"{"symbolName":"IDEA","exchange":"NSE","transactionType":"BUY","orderType":"L","quantity":"1","disclosedQuantity":"1",
        "orderValidity":"DAY","productType":"CNC","afterMarketOrderFlag":"NO","price":"13.40"}"#,
    r#"{"variety":"NORMAL","tradingsymbol":"SBIN-EQ","symboltoken":"3045","transactiontype":"BUY","exchange":"NSE",
        "ordertype":"MARKET","producttype":"INTRADAY","duration":"DAY","price":"194.50","squareoff":"0","stoploss":"0",
        "quantity":"1"}"#,
];

/// The script on a clock as slow as a real one, which the test moves.
async fn play(name: &str) -> Sandbox {
    let script = Script::load(name).unwrap();
    Sandbox::start(Options::default().script(script).clock_rate(1.0))
        .await
        .unwrap()
}

/// What a strategy saw: how many calls went well, and when the others failed with what.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    good: usize,
    bad: BTreeMap<&'static str, Vec<String>>,
}

impl Seen {
    fn note(&mut self, at: Timestamp, result: &Result<Reply>) {
        match result {
            Ok(_) => self.good += 1,
            Err(error) => {
                let times = self.bad.entry(error.kind().as_str()).or_default();
                times.push(at.format_ist("%d %H:%M"));
            }
        }
    }

    fn bad(&self) -> Vec<(&'static str, Vec<&str>)> {
        let all = self.bad.iter();
        all.map(|(kind, times)| (*kind, times.iter().map(String::as_str).collect()))
            .collect()
    }
}

async fn read(session: &Session) -> Result<Reply> {
    if session.broker() == "samco" {
        common::quote(session).await
    } else {
        session.get(RMS).send().await
    }
}

async fn order(session: &Session) -> Result<Reply> {
    let (path, body) = if session.broker() == "samco" {
        (SAMCO_ORDER, ORDERS[0])
    } else {
        (ANGEL_ORDER, ORDERS[1])
    };
    session.post(path).json_text(body).send().await
}

/// How many orders the broker took.
async fn book(session: &Session) -> usize {
    let path = if session.broker() == "samco" {
        "/order/orderBook"
    } else {
        "/rest/secure/angelbroking/order/v1/getOrderBook"
    };
    let reply = session.get(path).send().await.unwrap();
    let list = [&reply.data()["orderBookDetails"], reply.data()];
    list.into_iter().find_map(|list| list.as_array()).unwrap().len()
}

fn at_of(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(&format!("{text}+05:30")).unwrap()
}

/// A day of one session: what reads and orders gave.
async fn day(sandbox: &Sandbox, sessions: &[Session]) -> Vec<(Seen, Seen)> {
    let mut all: Vec<(Seen, Seen)> = sessions.iter().map(|_| Default::default()).collect();
    let (open, close) = (at_of("2026-11-23T09:15:00"), at_of("2026-11-23T15:30:00"));
    let mut now = sandbox.clock().now().wall;
    while !sandbox.script().unwrap().ended {
        sandbox.clock().set(now);
        for (session, (reads, orders)) in sessions.iter().zip(&mut all) {
            reads.note(now, &read(session).await);
            if now >= open && now < close && now.since(open).as_secs().is_multiple_of(900) {
                orders.note(now, &order(session).await);
            }
        }
        now = now.plus(Duration::from_mins(5));
    }
    all
}

#[tokio::test]
async fn an_ordinary_day_is_one_login_more_and_nothing_else() {
    let sandbox = play("ordinary-day").await;
    let sessions = [samco(&sandbox).build().unwrap(), angel(&sandbox).build().unwrap()];
    for (session, (reads, orders)) in sessions.iter().zip(day(&sandbox, &sessions).await) {
        assert_eq!((reads.good, reads.bad()), (100, vec![]));
        assert_eq!((orders.good, orders.bad()), (25, vec![]));
        assert_eq!(book(session).await, 25);
    }
    assert_eq!((sent(&sandbox, SAMCO_LOGIN), sent(&sandbox, ANGEL_LOGIN)), (2, 1));
}

#[tokio::test]
async fn a_bad_day_is_seen_for_what_it_is_and_nothing_is_sent_twice() {
    let sandbox = play("bad-day").await;
    let sessions = [samco(&sandbox).build().unwrap(), angel(&sandbox).build().unwrap()];
    let seen = day(&sandbox, &sessions).await;
    let (samco, angel) = (&seen[0], &seen[1]);
    // The rate limit is over when the next call comes; nobody logs in because of a page, an address or a limit.
    let outages = ("broker_unavailable", vec!["23 11:00", "23 13:00", "23 13:05"]);
    let reads = vec![outages, ("rate_limited", vec!["23 14:00"])];
    assert_eq!((samco.0.good, samco.0.bad()), (96, reads.clone()));
    assert_eq!((angel.0.good, angel.0.bad()), (96, reads));
    let moved = ("static_ip_mismatch", vec!["23 10:00", "23 10:15"]);
    let orders = vec![("outcome_unknown", vec!["23 11:00"]), moved.clone()];
    assert_eq!((samco.1.good, samco.1.bad()), (22, orders));
    let orders = vec![
        ("outcome_unknown", vec!["23 11:00", "23 13:00"]),
        ("rate_limited", vec!["23 14:00"]),
        moved,
    ];
    assert_eq!((angel.1.good, angel.1.bad()), (20, orders));
    // At the start, at 08:00 (Samco's end of the day), and after noon.
    assert_eq!((sent(&sandbox, SAMCO_LOGIN), sent(&sandbox, ANGEL_LOGIN)), (3, 2));
    // Each order was sent once, whatever became of it.
    assert_eq!(
        (sent(&sandbox, SAMCO_ORDER), sent(&sandbox, ANGEL_ORDER)),
        (25, 25)
    );
    assert_eq!((book(&sessions[0]).await, book(&sessions[1]).await), (22, 20));
}

/// The next look at the market: every so many minutes, not in the night.
fn next_look(now: Timestamp, minutes: u64) -> Timestamp {
    let night = now.format_ist("%H:%M") == "15:45";
    now.plus(Duration::from_mins(if night { 15 * 60 + 45 } else { minutes }))
}

const OUTAGES: [&str; 4] = ["04 11:00", "11 11:00", "18 11:00", "25 11:00"];

#[tokio::test]
async fn a_month_costs_one_login_a_morning() {
    let sandbox = play("month").await;
    let session = samco(&sandbox).build().unwrap();
    let (mut reads, mut orders) = (Seen::default(), Seen::default());
    let mut now = sandbox.clock().now().wall;
    while !sandbox.script().unwrap().ended {
        sandbox.clock().set(now);
        reads.note(now, &read(&session).await);
        if ["10:05", "10:15"].contains(&now.format_ist("%H:%M").as_str()) {
            orders.note(now, &order(&session).await);
        }
        now = next_look(now, 5);
    }
    let outages = vec![("broker_unavailable", OUTAGES.to_vec())];
    assert_eq!((reads.good, reads.bad()), (2996, outages));
    let moved = vec![
        "05 10:05", "09 10:05", "09 10:15", "10 10:05", "10 10:15", "11 10:05", "11 10:15", "12 10:05",
    ];
    assert_eq!(
        (orders.good, orders.bad()),
        (52, vec![("static_ip_mismatch", moved)])
    );
    assert_eq!(sent(&sandbox, SAMCO_LOGIN), 31);
    assert_eq!((sent(&sandbox, SAMCO_ORDER), book(&session).await), (60, 52));
}

#[tokio::test]
async fn a_month_of_consents_needs_a_person_each_week() {
    let sandbox = play("month").await;
    let session = common::app(&sandbox).build().unwrap();
    logged_in(&sandbox, &session).await;
    let mut reads = Seen::default();
    let mut wanted = false;
    let mut now = sandbox.clock().now().wall;
    while !sandbox.script().unwrap().ended {
        sandbox.clock().set(now);
        // The person needs a quarter of an hour.
        if wanted {
            logged_in(&sandbox, &session).await;
        }
        let seen = read(&session).await;
        wanted = seen
            .as_ref()
            .is_err_and(|error| error.kind() == ErrorKind::LoginRequired);
        reads.note(now, &seen);
        now = next_look(now, 15);
    }
    let moved = reads.bad.remove("static_ip_mismatch").unwrap();
    let moved = (moved.len(), moved[0].as_str(), moved[moved.len() - 1].as_str());
    // Samco refreshes for registered addresses only: from the first morning at the new address until it is registered.
    assert_eq!(moved, (32 + 34 - 1 + 11, "10 08:00", "12 10:00"));
    // A refresh token is good for seven days.
    let consents = ("login_required", vec!["09 08:00", "17 08:00", "25 08:00"]);
    let bad = vec![("broker_unavailable", OUTAGES.to_vec()), consents];
    assert_eq!((reads.good, reads.bad()), (937, bad));
    // Four consents, a refresh on the other mornings, and one for each read in the days without a registered address.
    assert_eq!(sent(&sandbox, TOKEN), 106);
}
