//! What programs that share a store tell each other where only a person can log in: the logins that were begun (X5), and the
//! refresh token that outlives its session. Random stories are played against a plain second memory.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests"
)]

mod common;

use std::time::Duration;

use preopen_core::broker::{Adapter as _, Login};
use preopen_core::brokers::SamcoOAuth;
use preopen_core::consent::LOGIN_LASTS;
use preopen_core::error::{ErrorKind, LoginReason};
use preopen_core::lifecycle::shared::{Kept, Origin};
use preopen_core::lifecycle::{Identity, Record, export, import};
use preopen_core::seal::SealKey;
use preopen_core::target::Target;
use preopen_core::totp::SpentSteps;
use preopen_core::{Now, Secret, Timestamp};
use proptest::prelude::*;

use common::{cases, ist, later, login, noon, samco, stepped, until};

const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHv8";
const MINE: &str = "digest of my app";
const WEEK: Duration = Duration::from_hours(7 * 24);

fn key() -> SealKey {
    SealKey::from_text(KEY).unwrap()
}

fn identity() -> Identity {
    let app = SamcoOAuth::new("key", "http://127.0.0.1:8765/callback");
    let target = Target::resolve(app.policy(), None, &[]).unwrap();
    Identity::new(app.policy(), &target, "0123456789abcdef")
}

fn seal(kept: &mut Kept) -> (Option<String>, String) {
    kept.seal(&key(), "env", &identity(), samco()).unwrap()
}

fn reopen(kept: &mut Kept) -> Kept {
    let (session, guard) = seal(kept);
    Kept::open(session.as_deref(), Some(&guard), &key(), &identity()).unwrap()
}

fn pair(token: &str, until: Option<Timestamp>) -> Login {
    let mut login = login(token);
    login.tokens = login
        .tokens
        .with("refresh", Some(format!("CANARY-refresh of {token}").into()));
    login.renewable_until = until;
    login
}

fn open(kept: &mut Kept, token: &str, now: Now) -> Login {
    kept.guard.begins(now, &SpentSteps::default());
    kept.opened(pair(token, Some(now.wall.plus(WEEK))), now.wall, 7, MINE)
}

/// What a program remembers of a session.
fn record(login: Login, issued_at: Timestamp) -> Record {
    Record::new(1, login, issued_at, noon(), samco())
}

fn to_renew(kept: &Kept, own: Option<&Record>, now: Now) -> Option<String> {
    let tokens = kept.to_renew(own, now, samco())?;
    Some(tokens.access().expose().to_owned())
}

fn eight() -> Now {
    until(noon(), ist("2026-11-23 08:00:00"))
}

#[test]
fn x5_a_login_that_was_begun_is_known_to_every_program_and_completed_by_one() {
    let mut first = Kept::default();
    let (state, _) = first.guard.pending().begin(noon().wall).unwrap();
    let text = seal(&mut first);
    let mut second = reopen(&mut first);
    assert!(
        !format!("{text:?}{second:?}").contains(state.expose()),
        "a digest only"
    );
    assert!(second.guard.pending().knows(Some(&state), false, noon().wall));
    second
        .guard
        .pending()
        .take(Some(&state), false, noon().wall)
        .unwrap();
    let mut third = reopen(&mut second);
    assert!(third.guard.pending().is_empty());
    let again = third
        .guard
        .pending()
        .take(Some(&state), false, noon().wall)
        .unwrap_err();
    assert_eq!(again.field(), Some("state"));
}

#[test]
fn p7_every_flipped_byte_and_every_cut_of_what_a_consent_leaves_is_one_typed_error() {
    let mut kept = Kept::default();
    open(&mut kept, "CANARY-access", noon());
    kept.guard.pending().begin(noon().wall).unwrap();
    let (session, guard) = seal(&mut kept);
    let session = session.unwrap();
    assert!(!format!("{session}{guard}").contains("CANARY"));
    let refuses = |session: &str, guard: &str, what: &str| {
        let error = Kept::open(Some(session), Some(guard), &key(), &identity())
            .err()
            .unwrap_or_else(|| panic!("{what} was accepted"));
        assert_eq!(error.kind(), ErrorKind::LoginRequired, "{what}");
        assert_eq!(
            error.context().login_reason,
            Some(LoginReason::StoreUnreadable),
            "{what}"
        );
        assert!(!format!("{error:?}").contains("CANARY"), "{what}");
    };
    let flipped = |text: &str, at: usize| {
        let mut bytes = text.as_bytes().to_vec();
        bytes[at] ^= 1;
        String::from_utf8(bytes).ok()
    };
    for at in 0..session.len() {
        if let Some(text) = flipped(&session, at) {
            refuses(&text, &guard, "a flipped session");
        }
        refuses(&session[..at], &guard, "a cut session");
    }
    for at in 0..guard.len() {
        if let Some(text) = flipped(&guard, at) {
            refuses(&session, &text, "a flipped guard");
        }
        refuses(&session, &guard[..at], "a cut guard");
    }
}

#[test]
fn p7_a_refresh_token_that_was_used_up_does_not_come_back_with_an_older_session() {
    let mut kept = Kept::default();
    open(&mut kept, "first", noon());
    let (older, _) = seal(&mut kept);
    open(&mut kept, "second", eight());
    let (_, guard) = seal(&mut kept);
    let error = Kept::open(older.as_deref(), Some(&guard), &key(), &identity()).unwrap_err();
    assert!(error.message().contains("rolled back"), "{error}");
}

#[test]
fn s6_an_exported_session_keeps_the_end_of_its_refresh_token_and_nobody_can_change_it() {
    let until = noon().wall.plus(WEEK);
    let text = export(&record(pair("token", Some(until)), noon().wall), &identity()).unwrap();
    let (login, _) = import(&text, &identity()).unwrap();
    assert_eq!(login.renewable_until, Some(until));
    let told = format!("\"renewable_until\":{}", until.as_millis());
    assert!(text.expose().contains(&told));
    for changed in [
        text.expose().replace(&told, &told.replace(":1", ":2")),
        text.expose().replace(&format!("{told},"), ""),
        text.expose().replace(&told, "\"renewable_until\":null"),
        text.expose().replace(&told, "\"renewable_until\":1e99"),
    ] {
        assert_ne!(changed, text.expose());
        let error = import(&Secret::new(changed), &identity()).unwrap_err();
        assert_eq!(error.field(), Some("record"), "{error}");
    }
}

/// Written by a version that knew neither begun logins nor refresh tokens that outlive a session.
#[test]
fn a_text_of_format_1_goes_on_with_what_came_later() {
    let adapter = preopen_core::brokers::Samco::new("key", "secret");
    let target = Target::resolve(adapter.policy(), None, &[]).unwrap();
    let identity = Identity::new(adapter.policy(), &target, "0123456789abcdef");
    let mut lines = include_str!("blobs/store-1.txt").lines();
    let mut kept = Kept::open(lines.next(), lines.next(), &key(), &identity).unwrap();
    assert!(kept.guard.pending().is_empty());
    assert!(kept.outlives_its_end(noon()).is_none());
    assert!(kept.renewable(later(noon(), WEEK), samco()).is_none());
    let (state, _) = kept.guard.pending().begin(noon().wall).unwrap();
    kept.opened(pair("new", Some(noon().wall.plus(WEEK))), noon().wall, 7, MINE);
    let (session, guard) = kept.seal(&key(), "env", &identity, samco()).unwrap();
    let mut again = Kept::open(session.as_deref(), Some(&guard), &key(), &identity).unwrap();
    assert_eq!(again.guard, kept.guard);
    assert!(again.guard.pending().knows(Some(&state), false, noon().wall));
    assert_eq!(again.origin().map(|origin| origin.generation), Some(3));
    let (login, issued_at) = again.outlives_its_end(eight()).unwrap();
    assert_eq!(login.renewable_until, Some(noon().wall.plus(WEEK)));
    assert_eq!(issued_at, noon().wall);
}

#[test]
fn a_refresh_token_that_one_program_was_refused_is_used_by_none() {
    let mut kept = Kept::default();
    let remembered = record(open(&mut kept, "token", noon()), noon().wall);
    assert_eq!(
        to_renew(&kept, Some(&remembered), eight()).as_deref(),
        Some("token")
    );
    kept.not_renewable();
    let kept = reopen(&mut kept);
    for now in [eight(), noon(), stepped(noon(), -3_600_000)] {
        for own in [None, Some(&remembered)] {
            assert_eq!(
                to_renew(&kept, own, now),
                None,
                "nor by one that still remembers it"
            );
        }
        assert!(
            kept.outlives_its_end(now).is_none(),
            "nor is it ended at the broker"
        );
    }
}

#[test]
fn a_program_that_was_asleep_renews_with_what_the_store_has_or_not_at_all() {
    let mut kept = Kept::default();
    let asleep = record(open(&mut kept, "first", noon()), noon().wall);
    open(&mut kept, "second", eight());
    let next = later(eight(), Duration::from_hours(24));
    assert_eq!(to_renew(&kept, Some(&asleep), next).as_deref(), Some("second"));
    kept.signed_out();
    let kept = reopen(&mut kept);
    assert_eq!(to_renew(&kept, Some(&asleep), next), None, "somebody logged out");
}

#[test]
fn a_pair_that_could_not_be_told_to_the_store_is_not_lost() {
    let mut kept = Kept::default();
    open(&mut kept, "stored", noon());
    let next = later(eight(), Duration::from_hours(24));
    // It was refreshed at eight, and the disk was full.
    let untold = record(pair("untold", Some(eight().wall.plus(WEEK))), eight().wall);
    assert_eq!(to_renew(&kept, Some(&untold), next).as_deref(), Some("untold"));
    let before = record(
        pair("before", Some(eight().wall.plus(WEEK))),
        noon().wall.plus_millis(-1),
    );
    assert_eq!(to_renew(&kept, Some(&before), next).as_deref(), Some("stored"));
    // The store was wiped: what a program remembers is all that is left.
    let mut elsewhere = untold.clone();
    elsewhere.origin = Some(Origin {
        epoch: 8,
        generation: 1,
    });
    for own in [&untold, &elsewhere] {
        assert_eq!(
            to_renew(&Kept::default(), Some(own), next).as_deref(),
            Some("untold")
        );
    }
}

/// What can happen to a store.
#[derive(Clone, Copy, Debug)]
enum Move {
    Begin,
    /// The answer to the nth login from the last.
    Answer(usize),
    Foreign,
    Pass(u64),
    Open {
        renewable_hours: Option<u64>,
    },
    Refused,
    SignOut,
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        3 => Just(Move::Begin),
        3 => (0_usize..4).prop_map(Move::Answer),
        1 => Just(Move::Foreign),
        3 => (1_u64..1200).prop_map(Move::Pass),
        2 => (1_u64..200_000).prop_map(Move::Pass),
        3 => prop::option::weighted(0.8, 1_u64..200).prop_map(|renewable_hours| Move::Open { renewable_hours }),
        1 => Just(Move::Refused),
        1 => Just(Move::SignOut),
    ];
    prop::collection::vec(one, 1..25)
}

proptest! {
    #![proptest_config(cases(400))]

    /// Every program opens what the one before wrote.
    #[test]
    fn x5_a_store_remembers_consents_and_refresh_tokens_as_a_plain_memory_does(moves in moves()) {
        let (mut kept, mut now) = (Kept::default(), noon());
        let mut begun: Vec<(Secret, Timestamp, bool)> = Vec::new();
        // Until when the refresh token of the session that is kept renews, and whether it was refused.
        let mut session: Option<(Option<Timestamp>, Timestamp)> = None;
        for step in moves {
            match step {
                Move::Begin => {
                    let (state, until) = kept.guard.pending().begin(now.wall).unwrap();
                    prop_assert_eq!(until, now.wall.plus(LOGIN_LASTS));
                    begun.push((state, until, false));
                }
                Move::Answer(back) => {
                    let Some(at) = begun.len().checked_sub(back + 1) else { continue };
                    let (state, until, used) = begun[at].clone();
                    let taken = kept.guard.pending().take(Some(&state), false, now.wall);
                    prop_assert_eq!(taken.is_ok(), !used && now.wall < until, "used once and not for long");
                    begun[at].2 = true;
                }
                Move::Foreign => {
                    let foreign = Secret::new("foreign");
                    prop_assert!(kept.guard.pending().take(Some(&foreign), true, now.wall).is_err());
                    prop_assert!(kept.guard.pending().take(None, false, now.wall).is_err());
                }
                Move::Pass(seconds) => now = later(now, Duration::from_secs(seconds)),
                Move::Open { renewable_hours } => {
                    let until = renewable_hours.map(|hours| now.wall.plus(Duration::from_hours(hours)));
                    kept.guard.begins(now, &SpentSteps::default());
                    kept.opened(pair("token", until), now.wall, 7, MINE);
                    let end = record(login("token"), now.wall).expiry.at();
                    session = Some((until, end));
                }
                Move::Refused => {
                    kept.not_renewable();
                    session = session.map(|(_, end)| (Some(Timestamp::from_millis(0)), end));
                }
                Move::SignOut => {
                    kept.signed_out();
                    session = None;
                }
            }
            kept = reopen(&mut kept);
            for (state, until, used) in &begun {
                prop_assert_eq!(kept.guard.pending().knows(Some(state), false, now.wall), !used && now.wall < *until);
            }
            let renews = session.is_some_and(|(until, end)| now.wall < until.unwrap_or(end));
            prop_assert_eq!(kept.renewable(now, samco()).is_some(), renews);
            let outlives = session.is_some_and(|(until, _)| until.is_some_and(|until| now.wall < until));
            prop_assert_eq!(kept.outlives_its_end(now).is_some(), outlives);
        }
    }
}
