//! One entry for each login, refusal and logout, whoever waits for it, and none for what another program did.

use std::path::Path;
use std::time::Duration;

use preopen::audit::{Action, Entry, Outcome, Why};
use preopen::store::MemoryStore;
use preopen::{ErrorKind, Session};
use preopen_sandbox::{Broker, Fault, SourceIp};
use tempfile::TempDir;

use crate::common::{
    SAMCO_LOGIN, angel, app, logged_in, quote, samco, samco_account, samco_with, sandbox, sent, until,
};

const ORDER: &str = "/order/placeOrder";

/// The entries of a file, every line of which must be one.
pub(crate) fn entries(path: &Path) -> Vec<Entry> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    assert!(text.is_empty() || text.ends_with('\n'), "{text}");
    let read = |line| Entry::from_line(line).unwrap_or_else(|| panic!("no entry: {line}"));
    text.lines().map(read).collect()
}

/// What each entry says, shortly.
fn said(path: &Path) -> Vec<String> {
    let short = |entry: &Entry| format!("{} {} {}", entry.action, entry.why, entry.outcome);
    entries(path).iter().map(short).collect()
}

fn folder() -> (TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("audit.jsonl");
    (folder, file)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_callers_of_one_login_are_one_line() {
    let sandbox = sandbox().await;
    let (_folder, file) = folder();
    let session = samco(&sandbox).audit_file(&file).build().unwrap();
    crate::ask_at_once(&session, 1000).await;
    let entries = entries(&file);
    assert_eq!(entries.len(), 1);
    let entry = &entries[0];
    assert_eq!(
        (entry.action, entry.why, entry.outcome),
        (Action::Login, Why::FirstUse, Outcome::Ok)
    );
    assert_eq!(entry.broker, "samco");
    assert!(entry.account.len() == 16 && entry.account.chars().all(|c| c.is_ascii_hexdigit()));
    assert!(!entry.host.is_empty());
    let age = preopen::Clock::now(sandbox.clock().as_ref()).wall.since(entry.at);
    assert!(age < Duration::from_hours(1), "{entry:?}");
}

#[tokio::test]
async fn a_day_is_told_with_its_reasons() {
    let sandbox = sandbox().await;
    sandbox.clock().set_rate(0.0);
    sandbox.advance_to("10:00 IST").unwrap();
    let (_folder, file) = folder();
    let session = samco(&sandbox).audit_file(&file).build().unwrap();
    sandbox
        .fault(Fault::on(Broker::Samco, SAMCO_LOGIN).status(503).body("down"))
        .unwrap();
    session.token().await.unwrap_err();
    session.token().await.unwrap();
    sandbox.end_sessions(None);
    quote(&session).await.unwrap();
    sandbox.advance_to("08:00 IST").unwrap();
    session.token().await.unwrap();
    session.logout().await.unwrap();
    // There is nothing to log out.
    session.logout().await.unwrap();
    session.token().await.unwrap();
    session.close();
    assert_eq!(
        said(&file),
        [
            "login first_use broker_unavailable",
            "login retry ok",
            "login refused_token ok",
            "login expired ok",
            "logout asked ok",
            "login logged_out ok",
        ]
    );
}

#[tokio::test]
async fn a_session_that_renews_itself_and_a_person_s_login_say_so() {
    let sandbox = sandbox().await;
    let (_folder, file) = folder();
    let session = samco(&sandbox).keep_warm(true).audit_file(&file).build().unwrap();
    session.token().await.unwrap();
    let mut events = session.events();
    sandbox.advance_to("08:10 IST").unwrap();
    while events.next().await.unwrap().name != preopen::EventName::Renewed {}
    assert_eq!(said(&file), ["login first_use ok", "login keep_warm ok"]);

    let (_folder, file) = folder();
    let session = app(&sandbox).audit_file(&file).build().unwrap();
    // Only a person can log in: nothing was sent, and nothing is said.
    assert_eq!(
        session.token().await.unwrap_err().kind(),
        ErrorKind::LoginRequired
    );
    assert_eq!(said(&file), [""; 0]);
    logged_in(&sandbox, &session).await;
    assert_eq!(said(&file), ["login asked ok"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_login_is_one_refusal_until_somebody_resets_the_session() {
    let sandbox = sandbox().await;
    let (_folder, file) = folder();
    let key = samco_account(&sandbox).api_key.clone();
    let wrong = samco_with(&sandbox, &key, "a wrong secret");
    let session = wrong.audit_file(&file).build().unwrap();
    for _ in 0..10 {
        let error = session.token().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::CredentialsRejected);
    }
    assert_eq!(said(&file), ["refusal first_use credentials_rejected"]);
    session.reset();
    session.token().await.unwrap_err();
    // A call of a blocked session is refused by nobody but us.
    quote(&session).await.unwrap_err();
    assert_eq!(
        said(&file)[1..],
        ["refusal reset credentials_rejected".to_owned()]
    );
}

#[tokio::test]
async fn a_call_that_the_broker_refuses_for_good_is_a_refusal() {
    let sandbox = sandbox().await;
    let (_folder, file) = folder();
    let session = samco(&sandbox).audit_file(&file).build().unwrap();
    session.token().await.unwrap();
    sandbox.set_source_ip(SourceIp::Fixed("198.51.100.7".parse().unwrap()));
    let order = serde_json::json!({"symbolName": "INFY"});
    let error = session.post(ORDER).json(&order).send().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StaticIpMismatch);
    assert_eq!(
        said(&file),
        ["login first_use ok", "refusal call static_ip_mismatch"]
    );
}

#[tokio::test]
async fn a_login_that_a_logout_overtook_is_said_and_so_is_its_end() {
    let sandbox = sandbox().await;
    let (_folder, file) = folder();
    let session = samco(&sandbox).audit_file(&file).build().unwrap();
    let slow = Fault::on(Broker::Samco, SAMCO_LOGIN).delay_ms(200);
    sandbox.fault(slow).unwrap();
    let waiting = tokio::spawn({
        let session = session.clone();
        async move { session.token().await }
    });
    until("the login is sent", || sent(&sandbox, SAMCO_LOGIN) > 0).await;
    session.logout().await.unwrap();
    waiting.await.unwrap().unwrap_err();
    until("both are said", || entries(&file).len() == 2).await;
    assert_eq!(said(&file), ["login first_use ok", "logout abandoned ok"]);
}

#[tokio::test]
async fn a_login_whose_session_was_dropped_is_said_all_the_same() {
    let sandbox = sandbox().await;
    let (_folder, file) = folder();
    let session = samco(&sandbox).audit_file(&file).build().unwrap();
    let slow = Fault::on(Broker::Samco, SAMCO_LOGIN).delay_ms(100);
    sandbox.fault(slow).unwrap();
    let impatient = tokio::time::timeout(Duration::from_millis(20), session.token()).await;
    assert!(impatient.is_err());
    drop(session);
    until("it is said", || entries(&file).len() == 1).await;
    assert_eq!(said(&file), ["login first_use ok"]);
}

#[tokio::test]
async fn what_another_program_did_is_not_said_again() {
    let sandbox = sandbox().await;
    let store = MemoryStore::new().unwrap();
    let (_folder, mine) = folder();
    let (_folder, theirs) = folder();
    let build = |file: &Path| -> Session {
        let builder = samco(&sandbox).store(store.clone()).audit_file(file);
        builder.build().unwrap()
    };
    let (first, second) = (build(&mine), build(&theirs));
    first.token().await.unwrap();
    second.token().await.unwrap();
    assert_eq!((said(&mine).len(), said(&theirs).len()), (1, 0));
    second.logout().await.unwrap();
    assert_eq!(said(&theirs), ["logout asked ok"]);

    // A refusal that another program met is no news of this one.
    let key = samco_account(&sandbox).api_key.clone();
    let wrong = |file: &Path| -> Session {
        let builder = samco_with(&sandbox, &key, "a wrong secret").store(store.clone());
        builder.audit_file(file).build().unwrap()
    };
    let (first, second) = (wrong(&mine), wrong(&theirs));
    first.token().await.unwrap_err();
    let error = second.token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CredentialsRejected);
    assert_eq!(
        said(&mine)[1..],
        ["refusal first_use credentials_rejected".to_owned()]
    );
    assert_eq!(said(&theirs).len(), 1);
}

#[tokio::test]
async fn a_refresh_is_one_login_and_a_retried_code_too() {
    let sandbox = sandbox().await;
    sandbox.clock().set_rate(0.0);
    sandbox.advance_to("10:00 IST").unwrap();
    let (_folder, file) = folder();
    let session = angel(&sandbox).audit_file(&file).build().unwrap();
    session.token().await.unwrap();
    let generation = session.token().await.unwrap().generation();
    session.invalidate(generation);
    session.token().await.unwrap();
    assert_eq!(said(&file), ["login first_use ok", "login refused_token ok"]);
}

#[test]
fn a_path_must_be_one() {
    let sandbox = preopen::Samco::new("key", "secret");
    let error = Session::builder(sandbox).audit_file("").build().unwrap_err();
    assert_eq!(error.field(), Some("audit"));
}
