//! What is written when, and what happens when it cannot be.

use std::path::Path;
use std::sync::{Arc, PoisonError};

use preopen_core::Timestamp;
use serde_json::json;

use super::Keeper;
use crate::inbox::{Channel, MessageKind};
use crate::options::Options;
use crate::state::State;
use crate::switch::SwitchValue;

fn open(file: &Path) -> State {
    let options = Options::default().data(file).clock_rate(0.0);
    State::new(options, 1, "token".to_owned()).unwrap()
}

fn close(state: &Arc<State>) {
    drop(Keeper {
        state: state.clone(),
        ticking: None,
    });
}

fn is_behind(state: &State) -> bool {
    state.data.as_ref().unwrap().is_behind(&state.clock)
}

fn send(state: &State, value: &str) {
    let (at, channels) = (Timestamp::from_seconds(1), [Channel::Sms]);
    state
        .inbox()
        .send(at, "SBX001", &channels, MessageKind::Otp, value, "");
}

#[test]
fn changes_are_due_and_looks_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let state = open(&folder.path().join("sandbox.db"));
    assert!(!is_behind(&state), "the seeds are in the file");
    let _ = (
        state.accounts(),
        state.has_account("SBX001"),
        state.inbox().list(None),
    );
    assert!(state.faults.list().is_empty() && state.samco().owner_of("nobody").is_none());
    assert!(!is_behind(&state));
    let changes: [&dyn Fn(); 6] = [
        &|| send(&state, "1234"),
        &|| {
            state
                .switches
                .set(&[("totp_window_steps", SwitchValue::Number(2))])
                .unwrap();
        },
        &|| state.set_source_ip(crate::source::SourceIp::Peer),
        &|| state.clock.advance(std::time::Duration::from_millis(1)),
        &|| state.requests.clear(),
        &|| {
            let fault = serde_json::from_value(json!({"broker": "samco", "path": "/a", "status": 500}));
            state.faults.add(fault.unwrap()).unwrap();
        },
    ];
    for (number, change) in changes.iter().enumerate() {
        change();
        assert!(is_behind(&state), "change {number}");
        state.save_now().unwrap();
        assert!(!is_behind(&state), "change {number}");
    }
}

#[test]
fn what_a_full_disk_keeps_out_is_written_once_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sandbox.db");
    let state = Arc::new(open(&file));
    let limit = |pages: i64| {
        let data = state.data.as_ref().unwrap();
        let writer = data.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let connection = &writer.file.as_ref().unwrap().connection;
        let set = connection.pragma_update_and_check(None, "max_page_count", pages, |row| row.get(0));
        let set: i64 = set.unwrap();
        set
    };
    let limited = limit(1);
    let mut written = 0;
    let problem = loop {
        send(&state, &"0".repeat(500));
        match state.save_now() {
            Ok(()) => written += 1,
            Err(problem) => break problem.0,
        }
        assert!(written < 100, "{limited} pages hold all of it");
    };
    assert!(
        problem.contains("sandbox.db: database or disk is full"),
        "{problem}"
    );
    // It stays behind, whoever asks, until there is room.
    assert!(is_behind(&state) && state.save_now().is_err());
    send(&state, "later");
    limit(1000);
    state.save_now().unwrap();
    assert!(!is_behind(&state));
    let sent = state.inbox().list(None);
    close(&state);
    let again = open(&file);
    assert_eq!(again.inbox().list(None), sent);
    assert_eq!(sent.len(), written + 2);
}

#[test]
fn after_the_end_nothing_is_kept_and_nothing_pretends_to_be() {
    let folder = tempfile::tempdir().unwrap();
    let state = Arc::new(open(&folder.path().join("sandbox.db")));
    close(&state);
    assert!(!is_behind(&state));
    send(&state, "late");
    let problem = state.save_now().unwrap_err().0;
    assert!(
        problem.ends_with("sandbox.db: the sandbox has stopped"),
        "{problem}"
    );
}
