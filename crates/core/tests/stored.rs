//! What programs that share a store write for each other (P7, F4, P9, P10): it opens whole or not at all, in its own place
//! only, and what it says is decided the same by everybody.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests"
)]

mod common;

use std::time::Duration;

use preopen_core::broker::{Adapter as _, Login, digest};
use preopen_core::brokers::{AngelOne, Samco};
use preopen_core::error::{AccountAction, Advice, Credential, Error, ErrorKind, LoginReason, Phase};
use preopen_core::lifecycle::Identity;
use preopen_core::lifecycle::shared::{Asker, Decision, Kept, Origin, key_of};
use preopen_core::seal::SealKey;
use preopen_core::skew::Skew;
use preopen_core::static_ip::Addresses;
use preopen_core::target::Target;
use preopen_core::totp::SpentSteps;
use preopen_core::{Now, Secret, Timestamp};
use proptest::prelude::*;

use common::{cases, down, ist, later, login, noon, refused, samco, until};

const MINE: &str = "digest of my credentials";
const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHv8";

/// Both sealed parts.
type Sealed = (Option<String>, String);

fn key() -> SealKey {
    SealKey::from_text(KEY).unwrap()
}

fn identity_of(account: &str, base_url: Option<&str>) -> Identity {
    let adapter = Samco::new("key", "secret");
    let target = Target::resolve(adapter.policy(), base_url, &[]).unwrap();
    Identity::new(adapter.policy(), &target, account)
}

fn identity() -> Identity {
    identity_of("0123456789abcdef", None)
}

fn seal(kept: &mut Kept) -> Sealed {
    kept.seal(&key(), "env", &identity(), samco()).unwrap()
}

fn open(session: Option<&str>, guard: Option<&str>) -> Result<Kept, Error> {
    Kept::open(session, guard, &key(), &identity())
}

fn reopen(sealed: &Sealed) -> Kept {
    open(sealed.0.as_deref(), Some(&sealed.1)).unwrap()
}

/// A login as a program does it: written down before and after.
fn log_in(kept: &mut Kept, token: &str, now: Now) -> Login {
    kept.guard.begins(now, &SpentSteps::default());
    kept.opened(login(token), now.wall, 7, MINE)
}

fn stored(token: &str) -> Sealed {
    let mut kept = Kept::default();
    log_in(&mut kept, token, noon());
    seal(&mut kept)
}

fn asker() -> Asker<'static> {
    Asker {
        credentials: Some(MINE),
        ..Asker::default()
    }
}

fn decide(kept: &Kept, asker: &Asker<'_>, now: Now) -> Result<Option<String>, Error> {
    match kept.decide(asker, now, samco()) {
        Decision::Adopt { login, .. } => Ok(Some(login.tokens.access().expose().to_owned())),
        Decision::LogIn => Ok(None),
        Decision::Refuse(error) => Err(error),
    }
}

fn is_unreadable(what: &str, found: Result<Kept, Error>) {
    let error = found.err().unwrap_or_else(|| panic!("{what} was accepted"));
    assert_eq!(error.kind(), ErrorKind::LoginRequired, "{what}: {error}");
    assert_eq!(
        error.context().login_reason,
        Some(LoginReason::StoreUnreadable),
        "{what}"
    );
    let shown = format!("{error} {error:?} {:?}", error.causes());
    assert!(!shown.contains("CANARY"), "{what}: {shown}");
}

#[test]
fn p7_what_is_stored_comes_back_whole() {
    let mut kept = Kept::default();
    let mut rich = login("CANARY-access");
    rich.tokens = rich.tokens.with("refresh", Some("CANARY-refresh".into()));
    rich.skew = Some(Skew::from_millis(-4_000));
    rich.addresses = Some(Addresses::new(Some("203.0.113.7"), Some("203.0.113.7"), None));
    rich.profile.account_id = Some("DV1".to_owned());
    kept.guard.begins(noon(), &SpentSteps::default());
    kept.opened(rich, noon().wall, 7, MINE);
    let sealed = seal(&mut kept);
    assert!(!format!("{sealed:?}").contains("CANARY"));
    assert_eq!(key_of(&sealed.1).unwrap(), "env");
    let again = reopen(&sealed);
    let (login, issued_at) = again.session(noon(), samco()).unwrap();
    let tokens: Vec<_> = login
        .tokens
        .named()
        .map(|(name, token)| (name, token.expose()))
        .collect();
    assert_eq!(
        tokens,
        [("access", "CANARY-access"), ("refresh", "CANARY-refresh")]
    );
    assert_eq!(issued_at, noon().wall);
    assert_eq!(login.skew, Some(Skew::from_millis(-4_000)));
    assert_eq!(login.profile.account_id.as_deref(), Some("DV1"));
    assert_eq!(
        login.origin,
        Some(Origin {
            epoch: 7,
            generation: 1
        })
    );
}

/// Every byte flipped in two ways, and every length.
#[test]
fn p7_every_flipped_byte_and_every_cut_is_one_typed_error() {
    let (session, guard) = stored("CANARY-token");
    let session = session.unwrap();
    for (part, text) in [("session", &session), ("guard", &guard)] {
        let with = |text: &str| match part {
            "session" => open(Some(text), Some(&guard)),
            _ => open(Some(&session), Some(text)),
        };
        for at in 0..text.len() {
            for flip in [1_u8, 0x20] {
                let mut bytes = text.clone().into_bytes();
                bytes[at] ^= flip;
                if let Ok(flipped) = String::from_utf8(bytes) {
                    is_unreadable(&format!("{part} flipped at {at}"), with(&flipped));
                }
            }
            is_unreadable(&format!("{part} cut at {at}"), with(&text[..at]));
        }
        is_unreadable("a longer text", with(&format!("{text}A")));
    }
}

#[test]
fn p7_nothing_opens_in_the_place_of_another() {
    let (session, guard) = stored("CANARY-token");
    let session = session.unwrap();
    for other in [
        identity_of("fedcba9876543210", None),
        identity_of("0123456789abcdef", Some("http://127.0.0.1:8080")),
    ] {
        is_unreadable(
            "another account",
            Kept::open(Some(&session), Some(&guard), &key(), &other),
        );
        is_unreadable("a guard alone", Kept::open(None, Some(&guard), &key(), &other));
    }
    is_unreadable("swapped parts", open(Some(&guard), Some(&session)));
    is_unreadable("the guard twice", open(Some(&guard), Some(&guard)));
    is_unreadable("a lost guard", open(Some(&session), None));
    let strange = SealKey::generate().unwrap();
    is_unreadable(
        "another key",
        Kept::open(Some(&session), Some(&guard), &strange, &identity()),
    );
    // Where the key is kept is bound too: nobody can send a program to another place for it.
    let relabelled = guard.replacen(".env.", ".file.", 1);
    assert_eq!(key_of(&relabelled).unwrap(), "file");
    is_unreadable("another label", open(Some(&session), Some(&relabelled)));
    // A session of another store of the same account.
    let mut elsewhere = Kept::default();
    elsewhere.guard.begins(noon(), &SpentSteps::default());
    elsewhere.opened(login("CANARY-token"), noon().wall, 8, MINE);
    let foreign = seal(&mut elsewhere).0.unwrap();
    is_unreadable("another store's session", open(Some(&foreign), Some(&guard)));
    for text in [
        "",
        "x",
        "preopen-store-1.env",
        "preopen-store-1.env.",
        "preopen-store-9.env.AAAA",
    ] {
        is_unreadable(text, open(Some(&session), Some(text)));
        is_unreadable(text, open(Some(text), Some(&guard)));
    }
}

/// What one format wrote is read by every later version. These texts are never changed; a new format gets new ones.
#[test]
fn a_record_of_format_1_is_read_for_ever() {
    let text = include_str!("blobs/store-1.txt");
    let mut lines = text.lines();
    let (session, guard) = (lines.next().unwrap(), lines.next().unwrap());
    let kept = open(Some(session), Some(guard)).unwrap();
    let at = later(noon(), Duration::from_mins(1));
    assert_eq!(
        decide(&kept, &asker(), at).unwrap().as_deref(),
        Some("token of format 1")
    );
    let dead = kept.origin();
    assert_eq!(
        dead,
        Some(Origin {
            epoch: 7,
            generation: 2
        })
    );
    let unwanted = Asker { dead, ..asker() };
    let error = decide(&kept, &unwanted, at).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RateLimited);
    assert_eq!(error.advice(), Advice::After(Duration::from_mins(1)));
    assert!(kept.guard.spent_steps().contains(58_000_000));
    assert_eq!(
        kept.guard.login_rest(
            later(noon(), Duration::from_mins(2)),
            Duration::from_secs(1),
            true
        ),
        Duration::from_secs(1)
    );
}

/// What the present format makes of a story; a new format writes its blob from this.
fn blob() -> Sealed {
    let mut kept = Kept::default();
    log_in(&mut kept, "an older token", noon());
    let mut spent = SpentSteps::default();
    spent.spend(58_000_000);
    kept.guard.begins(noon(), &spent);
    kept.opened(login("token of format 1"), noon().wall, 7, MINE);
    kept.guard.begins(later(noon(), Duration::from_mins(2)), &spent);
    let limited = Error::new(ErrorKind::RateLimited, "slow down")
        .with(|context| context.retry_after = Some(Duration::from_mins(2)));
    kept.guard.failed(&limited, MINE, 1, noon());
    seal(&mut kept)
}

#[test]
fn the_blob_of_the_present_format_is_what_is_written_today() {
    let (session, guard) = blob();
    let now = open(session.as_deref(), Some(&guard)).unwrap();
    let text = include_str!("blobs/store-1.txt");
    let mut lines = text.lines();
    let then = open(lines.next(), lines.next()).unwrap();
    assert_eq!(
        now.guard, then.guard,
        "a change of the format wants a new format number and a new blob"
    );
    assert_eq!(now.origin(), then.origin());
}

/// What a story of logins leaves behind at each step.
fn history(steps: &[u8]) -> Vec<Sealed> {
    let mut kept = Kept::default();
    let mut written = Vec::new();
    let mut now = noon();
    for (nth, step) in steps.iter().enumerate() {
        now = later(now, Duration::from_secs(40));
        kept.guard.begins(now, &SpentSteps::default());
        let session = written.last().and_then(|(session, _): &Sealed| session.clone());
        let guard = kept.guard_text(&key(), "env", &identity()).unwrap();
        written.push((session.clone(), guard));
        match step % 3 {
            0 => {
                kept.guard.failed(&down(), MINE, 1, now);
                let guard = kept.guard_text(&key(), "env", &identity()).unwrap();
                written.push((session, guard));
            }
            1 => {
                kept.opened(login(&format!("token {nth}")), now.wall, 7, MINE);
                let sealed = seal(&mut kept);
                // The writer may die between the two parts.
                written.push((sealed.0.clone(), written.last().unwrap().1.clone()));
                written.push(sealed);
            }
            _ => {
                kept.opened(login(&format!("token {nth}")), now.wall, 7, MINE);
                let sealed = seal(&mut kept);
                written.push(sealed);
                let origin = kept.origin().unwrap();
                kept.ended(origin);
                written.push(seal(&mut kept));
            }
        }
    }
    written
}

proptest! {
    #![proptest_config(cases(64))]

    /// Whatever a program wrote is read; a session that is older than its guard, or a guard that is older than the
    /// writing of its session, is not.
    #[test]
    fn p7_a_rollback_of_either_part_is_seen(steps in prop::collection::vec(0_u8..3, 1..6)) {
        let written = history(&steps);
        for (nth, (session, guard)) in written.iter().enumerate() {
            prop_assert!(open(session.as_deref(), Some(guard)).is_ok(), "step {nth}");
        }
        let (session, guard) = written.last().unwrap();
        let newest = reopen(&(session.clone(), guard.clone())).origin().map(|o| o.generation);
        for (older_session, older_guard) in &written {
            if let Some(text) = older_session {
                let older = open(Some(text), Some(older_guard)).unwrap().origin().map(|o| o.generation);
                let found = open(Some(text), Some(guard));
                prop_assert_eq!(found.is_ok(), older == newest, "an older session");
            }
            if let Ok(found) = open(session.as_deref(), Some(older_guard)) {
                // At most what was not yet known when the session was written is forgotten.
                prop_assert_eq!(found.origin().map(|o| o.generation), newest);
            }
        }
    }
}

#[test]
fn a_live_session_is_adopted_and_a_dead_one_never() {
    let mut kept = reopen(&stored("token"));
    let at = |time: &str| until(noon(), ist(time));
    assert_eq!(decide(&kept, &asker(), noon()).unwrap().as_deref(), Some("token"));
    assert!(
        decide(&kept, &asker(), at("2026-11-23 07:59:59"))
            .unwrap()
            .is_some()
    );
    assert_eq!(
        decide(&kept, &asker(), at("2026-11-23 08:00:00")).unwrap(),
        None,
        "T3 over programs"
    );
    assert!(kept.renewable(at("2026-11-23 08:00:00"), samco()).is_none());
    let origin = kept.origin().unwrap();
    let told = Asker {
        dead: Some(origin),
        ..asker()
    };
    assert_eq!(
        decide(&kept, &told, noon()).unwrap(),
        None,
        "refused here, not known elsewhere yet"
    );
    assert!(kept.ended(origin));
    assert!(!kept.ended(origin), "once");
    let mut kept = reopen(&seal(&mut kept));
    assert_eq!(decide(&kept, &asker(), noon()).unwrap(), None);
    assert!(
        kept.renewable(noon(), samco()).is_some(),
        "its refresh token may renew it"
    );
    let next = log_in(&mut kept, "next", later(noon(), Duration::from_mins(1)));
    assert_eq!(
        next.origin,
        Some(Origin {
            epoch: 7,
            generation: 2
        })
    );
    assert!(
        !kept.ended(origin),
        "S7 over programs: an old generation ends nothing"
    );
    assert_eq!(decide(&kept, &asker(), noon()).unwrap().as_deref(), Some("next"));
    kept.signed_out();
    let kept = reopen(&seal(&mut kept));
    assert_eq!(decide(&kept, &asker(), noon()).unwrap(), None);
    assert_eq!(kept.guard.newest_ended().map(|o| o.generation), Some(2));
}

#[test]
fn t3_a_clock_that_is_ahead_elsewhere_lengthens_nothing_here() {
    let mut kept = Kept::default();
    // Issued at 08:10 by a clock that is ten minutes and more ahead of ours.
    kept.guard.begins(noon(), &SpentSteps::default());
    kept.opened(login("token"), ist("2026-11-23 08:10:00"), 7, MINE);
    let at = |time: &str| until(noon(), ist(time));
    assert!(
        decide(&kept, &asker(), at("2026-11-23 07:59:00"))
            .unwrap()
            .is_some()
    );
    // Here it is before the boundary, and nothing says that the broker has passed it.
    let (login, issued_at) = kept.session(at("2026-11-23 07:59:00"), samco()).unwrap();
    let ends = samco().expiry(
        issued_at.min(ist("2026-11-23 07:59:00")),
        Skew::default(),
        &login.evidence,
    );
    assert_eq!(ends.at(), ist("2026-11-23 08:00:00"));
}

#[test]
fn f4_refused_credentials_hold_for_all_who_have_them_until_they_change_or_are_overruled() {
    let mut kept = Kept::default();
    kept.guard.begins(noon(), &SpentSteps::default());
    kept.guard.failed(&refused(), MINE, 1, noon());
    let mut kept = reopen(&seal(&mut kept));
    let days = later(noon(), Duration::from_hours(100));
    assert_eq!(
        decide(&kept, &asker(), days).unwrap_err().kind(),
        ErrorKind::CredentialsRejected
    );
    let others = Asker {
        credentials: Some("others"),
        ..asker()
    };
    assert_eq!(decide(&kept, &others, days).unwrap(), None);
    let unknown = Asker {
        credentials: None,
        ..asker()
    };
    assert_eq!(
        decide(&kept, &unknown, days).unwrap(),
        None,
        "who must ask first decides then"
    );
    let overruled = Asker {
        overrule: true,
        ..asker()
    };
    assert_eq!(decide(&kept, &overruled, days).unwrap(), None);
    // A login that succeeds forgets it.
    log_in(&mut kept, "token", noon());
    kept.signed_out();
    assert_eq!(decide(&kept, &asker(), noon()).unwrap(), None);
}

#[test]
fn f4_each_refused_secret_is_remembered_until_it_is_accepted() {
    let mut kept = Kept::default();
    let refuse = |kept: &mut Kept, whose: &str| {
        kept.guard.begins(noon(), &SpentSteps::default());
        kept.guard.failed(&refused(), whose, 1, noon());
    };
    let is_refused = |kept: &Kept, whose: &str| {
        let asker = Asker {
            credentials: Some(whose),
            ..Asker::default()
        };
        decide(kept, &asker, noon()).is_err()
    };
    refuse(&mut kept, "one");
    refuse(&mut kept, "other");
    refuse(&mut kept, "one");
    kept.guard.begins(noon(), &SpentSteps::default());
    kept.opened(login("token"), noon().wall, 7, MINE);
    kept.signed_out();
    let mut kept = reopen(&seal(&mut kept));
    assert!(is_refused(&kept, "one") && is_refused(&kept, "other"));
    assert!(!is_refused(&kept, MINE));
    kept.opened(login("token"), noon().wall, 7, "one");
    kept.signed_out();
    assert!(!is_refused(&kept, "one") && is_refused(&kept, "other"));
    for nth in 0..20 {
        refuse(&mut kept, &format!("guess {nth}"));
    }
    let remembered = (0..20).filter(|nth| is_refused(&kept, &format!("guess {nth}")));
    assert_eq!(remembered.count(), 8, "the last ones");
}

#[test]
fn f4_waits_hold_for_all_and_a_clock_that_is_set_back_does_not_lengthen_them() {
    let mut kept = Kept::default();
    let fail = |kept: &mut Kept, now| {
        kept.guard.begins(now, &SpentSteps::default());
        kept.guard.failed(&down(), MINE, 1, now);
    };
    fail(&mut kept, noon());
    assert_eq!(
        decide(&kept, &asker(), noon()).unwrap(),
        None,
        "the first failure is free"
    );
    fail(&mut kept, noon());
    let held = decide(&kept, &asker(), noon()).unwrap_err();
    let Advice::After(wait) = held.advice() else {
        panic!("{held:?}")
    };
    assert!(
        wait > Duration::from_millis(700) && wait <= Duration::from_secs(1),
        "{wait:?}"
    );
    let back = common::stepped(noon(), -86_400_000);
    let Advice::After(same) = decide(&kept, &asker(), back).unwrap_err().advice() else {
        panic!()
    };
    assert_eq!(same, wait);
    assert_eq!(decide(&kept, &asker(), later(noon(), wait)).unwrap(), None);
    for _ in 0..20 {
        fail(&mut kept, noon());
    }
    let Advice::After(longest) = decide(&kept, &asker(), noon()).unwrap_err().advice() else {
        panic!()
    };
    assert!(longest <= Duration::from_mins(1), "{longest:?}");
}

#[test]
fn s2_who_waited_for_a_login_gets_its_failure_and_nobody_else_does() {
    let mut kept = Kept::default();
    let waited = Asker {
        answered_before: Some(kept.guard.answered()),
        ..asker()
    };
    kept.guard.begins(noon(), &SpentSteps::default());
    // Who looks while it is under way waits for it too.
    let joined = Asker {
        answered_before: Some(kept.guard.answered()),
        ..asker()
    };
    kept.guard.failed(&down(), MINE, 1, noon());
    for asker in [waited, joined] {
        assert_eq!(
            decide(&kept, &asker, noon()).unwrap_err().kind(),
            ErrorKind::BrokerUnavailable
        );
    }
    let late = Asker {
        answered_before: Some(kept.guard.answered()),
        ..asker()
    };
    assert_eq!(decide(&kept, &late, noon()).unwrap(), None);
}

#[test]
fn p10_two_logins_keep_their_distance_whatever_the_clocks_say() {
    let mut kept = Kept::default();
    let second = Duration::from_secs(1);
    assert_eq!(kept.guard.login_rest(noon(), second, false), Duration::ZERO);
    kept.guard.begins(noon(), &SpentSteps::default());
    let rest = |millis| {
        kept.guard
            .login_rest(common::stepped(noon(), millis), second, true)
    };
    assert_eq!(rest(0), second);
    assert_eq!(rest(400), Duration::from_millis(600));
    assert_eq!(rest(1000), Duration::ZERO);
    assert_eq!(rest(-86_400_000), second, "never more than the distance itself");
    assert_eq!(
        AngelOne::new("k", "c", "0000", "JBSWY3DPEHPK3PXPJBSWY3DPEH")
            .policy()
            .login_interval,
        second
    );
    // It counts from when it was over: nobody knows when it arrived.
    kept.guard.is_over(common::stepped(noon(), 3_000));
    let later = common::stepped(noon(), 3_400);
    assert_eq!(
        kept.guard.login_rest(later, second, true),
        Duration::from_millis(600)
    );
}

#[test]
fn h8_logins_by_other_clocks_keep_their_distance_too() {
    let mut kept = Kept::default();
    let second = Duration::from_secs(1);
    kept.guard.begins(noon(), &SpentSteps::default());
    let rest = |millis| {
        kept.guard
            .login_rest(common::stepped(noon(), millis), second, false)
    };
    // Whoever sent it may be minutes behind: it may have been just now.
    for millis in [-300_000, 0, 999, 60_000, 599_999] {
        assert_eq!(rest(millis), second, "{millis}");
    }
    assert_eq!(
        rest(600_000),
        Duration::ZERO,
        "yesterday's login costs nobody a second"
    );
}

#[test]
fn h2_a_refused_token_is_not_taken_back_from_the_store() {
    let mut kept = Kept::default();
    let login = log_in(&mut kept, "token", noon());
    let other = Secret::new("another token");
    let of = |token| Asker {
        refused: Some(token),
        ..asker()
    };
    let (refused, unrelated) = (of(login.tokens.access()), of(&other));
    assert_eq!(decide(&kept, &refused, noon()).unwrap(), None);
    assert_eq!(
        decide(&kept, &unrelated, noon()).unwrap().as_deref(),
        Some("token")
    );
    kept.ended_for(&unrelated);
    assert_eq!(kept.guard.newest_ended(), None);
    kept.ended_for(&refused);
    assert_eq!(kept.guard.newest_ended(), login.origin);
    assert_eq!(
        decide(&kept, &asker(), noon()).unwrap(),
        None,
        "nobody else takes it over"
    );
}

#[test]
fn p9_spent_steps_are_remembered() {
    let mut kept = Kept::default();
    let mut spent = SpentSteps::default();
    assert!(spent.spend(5) && spent.spend(6));
    kept.guard.begins(noon(), &spent);
    let guard = kept.guard_text(&key(), "env", &identity()).unwrap();
    let kept = reopen(&(None, guard));
    assert!(kept.guard.spent_steps().contains(5) && kept.guard.spent_steps().contains(6));
    assert!(!kept.guard.spent_steps().contains(7));
}

#[test]
fn an_error_is_told_as_it_was() {
    let mut errors: Vec<Error> = ErrorKind::ALL
        .iter()
        .filter(|kind| !matches!(kind, ErrorKind::InvalidInput | ErrorKind::LoginRequired))
        .map(|kind| Error::new(*kind, format!("it is {kind}")))
        .collect();
    errors.push(refused().with(|context| {
        context.credential = Some(Credential::Totp);
        context.endpoint = Some("POST /login".to_owned());
        context.http_status = Some(401);
        context.broker_code = Some("AB1050".to_owned());
        context.message_id = Some("id".to_owned());
        context.server_time = Some(Timestamp::from_millis(5));
        context.clock_skew = Some(Skew::from_millis(90_000));
        context.phase = Some(Phase::Login);
    }));
    errors.push(
        Error::new(ErrorKind::AccountActionRequired, "log in to the app").with(|context| {
            context.account_action = Some(AccountAction::AppLogin);
            context.source_ip = Some("203.0.113.7".to_owned());
            context.secondary_ip = Some("203.0.113.9".to_owned());
        }),
    );
    for error in errors {
        let mut kept = Kept::default();
        kept.guard.begins(noon(), &SpentSteps::default());
        kept.guard.failed(&error, MINE, 1, noon());
        let kept = reopen(&seal(&mut kept));
        let waited = Asker {
            answered_before: Some(0),
            ..asker()
        };
        let told = decide(&kept, &waited, noon()).unwrap_err();
        // Of what was refused for good it is said that nothing was sent.
        let expected = if error.is_terminal_for_login() {
            let message = format!(
                "{} (it was refused before: nothing was sent now)",
                error.message()
            );
            error.clone().with_message(message)
        } else {
            error.clone()
        };
        assert_eq!(format!("{told:?}"), format!("{expected:?}"));
        assert_eq!(format!("{:?}", told.context()), format!("{:?}", error.context()));
    }
}

#[test]
fn digests_differ_with_every_credential_and_hold_none() {
    let digests = [
        digest(&Samco::new("key", "secret")),
        digest(&Samco::new("key", "another")),
        digest(&Samco::new("another", "secret")),
        digest(&AngelOne::new(
            "key",
            "code",
            "0000",
            "JBSWY3DPEHPK3PXPJBSWY3DPEH",
        )),
        digest(&AngelOne::new(
            "key",
            "code",
            "0001",
            "JBSWY3DPEHPK3PXPJBSWY3DPEH",
        )),
    ];
    for (nth, one) in digests.iter().enumerate() {
        assert_eq!(one.len(), 16);
        assert!(digests[..nth].iter().all(|other| other != one), "{digests:?}");
    }
    assert_eq!(digests[0], digest(&Samco::new("key", "secret")));
}

#[test]
fn keys_of_accounts_are_short_plain_and_differ() {
    let live = identity().to_key();
    assert_eq!(live, "samco-live-0123456789abcdef");
    let one = identity_of("0123456789abcdef", Some("http://127.0.0.1:8080")).to_key();
    let other = identity_of("0123456789abcdef", Some("http://127.0.0.1:8081")).to_key();
    assert!(one.starts_with("samco-sandbox-0123456789abcdef-"), "{one}");
    assert_ne!(one, other);
    let odd = identity_of("../../Etc/Ünicode", None).to_key();
    assert!(
        odd.chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'),
        "{odd}"
    );
}
