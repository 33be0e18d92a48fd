//! The metrics of this process. They are of the whole process: what is compared here is SmartAPI's, and no other test of this
//! program uses it but with a session of its own, which is counted too.

use std::time::Duration;

use preopen::audit::{Outcome, Why};
use preopen::metrics::{ALL, Sample, Value, snapshot};
use preopen::{AngelOnePublisher, Session};

use crate::common::{angel_account, consent, sandbox};

const PROFILE: &str = "/rest/secure/angelbroking/user/v1/getProfile";

fn count(samples: &[Sample], name: &str, labels: &[(&str, &str)]) -> u64 {
    let of = |sample: &&Sample| {
        sample.family.name == name && labels.iter().all(|label| sample.labels.contains(label))
    };
    let number = |sample: &Sample| match &sample.value {
        Value::Count(count) | Value::Histogram { count, .. } => *count,
        Value::Level(_) => 0,
    };
    samples.iter().filter(of).map(number).sum()
}

fn level(samples: &[Sample], name: &str) -> Option<f64> {
    let of = |sample: &&Sample| sample.family.name == name && sample.labels == [("broker", "angelone")];
    samples.iter().find(of).map(|sample| match sample.value {
        Value::Level(level) => level,
        _ => f64::NAN,
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logins_waits_calls_and_ages_are_counted() {
    let sandbox = sandbox().await;
    let before = snapshot();
    let account = angel_account(&sandbox);
    let app = AngelOnePublisher::new(account.api_key.as_str(), account.client_code.as_str());
    let session = Session::builder(app)
        .base_url(sandbox.angelone_url())
        .clock(sandbox.clock())
        .build()
        .unwrap();
    let address = consent(&sandbox, &session).await;
    session.complete_login(&address).await.unwrap();
    for _ in 0..3 {
        session.get(PROFILE).send().await.unwrap();
    }
    // A live token is handed out without being counted.
    for _ in 0..100 {
        session.token().await.unwrap();
    }
    sandbox.clock().advance(Duration::from_mins(10));
    let after = snapshot();
    let grew =
        |name: &str, labels: &[(&str, &str)]| count(&after, name, labels) - count(&before, name, labels);
    let angel = ("broker", "angelone");
    assert_eq!(
        grew(
            "preopen_logins_total",
            &[angel, ("why", "asked"), ("outcome", "ok")]
        ),
        1
    );
    assert!(grew("preopen_calls_total", &[angel, ("outcome", "ok")]) >= 3);
    assert_eq!(grew("preopen_login_wait_seconds", &[("broker", "nobody")]), 0);
    let age = level(&after, "preopen_token_age_seconds").unwrap();
    assert!(age >= 600.0, "{age}");
    assert!(level(&after, "preopen_live_sessions").unwrap() >= 1.0);

    // A session that is gone is not counted any more, and its age is nobody's.
    let live = level(&after, "preopen_live_sessions").unwrap();
    session.close();
    let rest = level(&snapshot(), "preopen_live_sessions").unwrap_or_default();
    assert!(rest < live || live > 1.0, "{rest} of {live}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn labels_are_of_closed_sets_and_who_waits_is_counted() {
    let sandbox = sandbox().await;
    let session = crate::common::samco(&sandbox).build().unwrap();
    let before = count(&snapshot(), "preopen_login_wait_seconds", &[("broker", "samco")]);
    crate::ask_at_once(&session, 50).await;
    let samples = snapshot();
    assert!(count(&samples, "preopen_login_wait_seconds", &[("broker", "samco")]) > before);
    let outcomes: Vec<&str> = Outcome::all().map(Outcome::as_str).collect();
    let whys: Vec<&str> = Why::ALL.iter().map(|why| why.as_str()).collect();
    for sample in &samples {
        assert!(ALL.contains(&sample.family));
        for (label, value) in &sample.labels {
            let known = match *label {
                "broker" => ["samco", "angelone"].contains(value),
                "why" => whys.contains(value),
                "outcome" | "kind" => outcomes.contains(value),
                _ => false,
            };
            assert!(known, "{sample:?}");
        }
    }
}
