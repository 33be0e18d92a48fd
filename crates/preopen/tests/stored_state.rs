//! A look at the store: nothing is sent, nothing is made, and nothing is taken over.
#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use common::{angel, samco, sandbox};
use preopen::store::{FileStore, MemoryStore};
use preopen::{Ask, ErrorKind, LoginReason, Samco, Session, StateName};

#[tokio::test]
async fn a_look_tells_what_another_program_stored_and_sends_nothing() {
    let sandbox = sandbox().await;
    let store = MemoryStore::new().unwrap();
    let one = samco(&sandbox).store(store.clone()).build().unwrap();
    let other = samco(&sandbox).store(store).build().unwrap();
    assert_eq!(other.stored_state().await.unwrap().name, StateName::SignedOut);
    assert_eq!(sandbox.requests(None, None).count, 0);

    let token = one.token().await.unwrap();
    let found = other.stored_state().await.unwrap();
    assert_eq!(
        (found.name, found.generation),
        (StateName::Active, token.generation())
    );
    assert_eq!(found.expiry.unwrap().at(), token.expires_at());
    assert_eq!(other.state().name, StateName::SignedOut, "it was only a look");
    assert_eq!(sandbox.requests(None, None).count, 1);

    sandbox.advance_to("08:00 IST").unwrap();
    assert_eq!(other.stored_state().await.unwrap().name, StateName::Expired);
    one.logout().await.unwrap();
    assert_eq!(other.stored_state().await.unwrap().name, StateName::Expired);
}

#[tokio::test]
async fn f4_a_look_tells_what_blocks_whoever_cannot_say_that_his_secret_is_another_one() {
    let sandbox = sandbox().await;
    let store = MemoryStore::new().unwrap();
    let key = sandbox.accounts()[0].as_samco().unwrap().api_key.clone();
    let with = |secret: &str| {
        Session::builder(Samco::new(key.as_str(), secret))
            .base_url(sandbox.samco_url())
            .clock(sandbox.clock())
            .store(store.clone())
            .build()
            .unwrap()
    };
    let wrong = with("CANARY-wrong");
    assert_eq!(
        wrong.token().await.unwrap_err().kind(),
        ErrorKind::CredentialsRejected
    );
    assert_eq!(wrong.stored_state().await.unwrap().name, StateName::Blocked);
    let asks = Session::builder(Samco::new(key.as_str(), Ask::blocking(|| Ok(None))))
        .base_url(sandbox.samco_url())
        .store(store.clone())
        .build()
        .unwrap();
    let found = asks.stored_state().await.unwrap();
    assert_eq!(found.name, StateName::Blocked);
    assert!(!format!("{found:?}").contains("CANARY"));
    let corrected = with("corrected").stored_state().await.unwrap();
    assert_eq!(
        (corrected.name, corrected.blocked_by.is_none()),
        (StateName::SignedOut, true)
    );
}

#[tokio::test]
async fn a_look_into_a_file_store_makes_no_file_and_reports_what_cannot_be_read() {
    let sandbox = sandbox().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let session = angel(&sandbox)
        .store(FileStore::at(&path).unwrap())
        .build()
        .unwrap();
    assert_eq!(session.stored_state().await.unwrap().name, StateName::SignedOut);
    assert!(!path.exists());

    session.token().await.unwrap();
    assert_eq!(session.stored_state().await.unwrap().name, StateName::Active);
    for entry in std::fs::read_dir(&path).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|found| found == "guard") {
            std::fs::write(path, "damaged").unwrap();
        }
    }
    let error = session.stored_state().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LoginRequired);
    assert_eq!(error.context().login_reason, Some(LoginReason::StoreUnreadable));
    assert_eq!(error.context().broker, Some("angelone"));
}

#[tokio::test]
async fn without_a_store_it_is_the_state() {
    let sandbox = sandbox().await;
    let session = samco(&sandbox).build().unwrap();
    session.token().await.unwrap();
    assert_eq!(session.stored_state().await.unwrap().name, StateName::Active);
}
