//! Each rule of the portal, without HTTP.

use std::time::Duration;

use preopen_core::Timestamp;
use preopen_core::static_ip::Slot;

use super::{Action, Outcome, Problem, confirm, describe, look, propose, sign_in};
use crate::account::{Account, seeds};
use crate::inbox::MessageKind;
use crate::options::Options;
use crate::samco::Pair;
use crate::state::State;
use crate::switch::SwitchValue;

const ACCOUNT: &str = "SBX001";
const OTHER: &str = "SBX002";
const WEEK: Duration = Duration::from_hours(7 * 24);
const WEEK_LESS_A_MILLISECOND: Duration = Duration::from_millis(7 * 86_400_000 - 1);
const MILLISECOND: Duration = Duration::from_millis(1);

/// A sandbox whose clock stands still at 10:00 IST. `ACCOUNT` has 203.0.113.10 and .11, `OTHER` has .20.
fn sandbox() -> State {
    let at = Timestamp::parse_rfc3339("2026-11-20T10:00:00+05:30").unwrap();
    State::new(Options::default().start_at(at).clock_rate(0.0), 1, String::new()).unwrap()
}

/// The same, where `ACCOUNT` never had an address.
fn without_addresses() -> State {
    let state = sandbox();
    let none = |member: &mut crate::samco::Member| {
        member.first_mut().give_addresses(Pair::default());
        false
    };
    state.samco().edit(ACCOUNT, none).unwrap();
    state
}

fn code(state: &State, account: &str) -> String {
    let sent = state.inbox().list(Some(account));
    let mut codes = sent.iter().filter(|message| message.kind == MessageKind::Otp);
    codes.next_back().unwrap().value.clone()
}

fn act(state: &State, account: &str, action: Action) -> Result<Outcome, Problem> {
    let proposal = propose(state, account, action)?;
    confirm(state, account, proposal, &code(state, account))
}

fn refusal(state: &State, action: Action) -> (&'static str, String) {
    let problem = propose(state, ACCOUNT, action).unwrap_err();
    (problem.field, problem.text)
}

fn create(name: &str) -> Action {
    Action::CreateApp {
        name: name.to_owned(),
        redirect_url: "https://app.example/back".to_owned(),
    }
}

fn set(app: u64, slot: Slot, ip: &str) -> Action {
    let ip = ip.to_owned();
    Action::SetAddress { app, slot, ip }
}

fn switch(state: &State, name: &str, value: impl Into<SwitchValue>) {
    state.switches.set(&[(name, value.into())]).unwrap();
}

/// Primary and secondary address of an app.
fn pair(state: &State, app: u64) -> (String, String) {
    let portal = look(state, ACCOUNT).unwrap();
    let found = portal.apps.into_iter().find(|one| one.id == app).unwrap();
    (found.primary, found.secondary)
}

#[test]
fn a_name_has_3_to_100_characters_and_is_taken_once_whatever_its_case() {
    let state = sandbox();
    for name in ["ab", "  ab  ", "", &"x".repeat(101), "line\nbreak"] {
        assert_eq!(refusal(&state, create(name)).0, "name", "{name:?}");
    }
    assert!(refusal(&state, create("ab")).1.contains("this one has 2"));
    act(&state, ACCOUNT, create("  Straße Süd ")).unwrap();
    act(&state, ACCOUNT, create(&"é".repeat(100))).unwrap();
    let portal = look(&state, ACCOUNT).unwrap();
    assert_eq!((portal.apps[1].name.as_str(), portal.room), ("Straße Süd", 2));
    for taken in ["STRASSE SÜD", "straße süd", " SANDBOX app OF sbx001"] {
        assert_eq!(refusal(&state, create(taken)).0, "name", "{taken}");
    }
    // The names of one account are free at another.
    act(&state, OTHER, create("Straße Süd")).unwrap();
    // A deactivated app keeps its name.
    act(&state, ACCOUNT, Action::Deactivate { app: 2 }).unwrap();
    let (_, text) = refusal(&state, create("straße süd"));
    assert!(text.contains("is the name of a deactivated app"), "{text}");
    let edit = |app, name: &str| Action::EditApp {
        app,
        name: name.to_owned(),
        redirect_url: "https://app.example/back".to_owned(),
    };
    assert_eq!(refusal(&state, edit(3, "Straße Süd")).0, "name");
    act(&state, ACCOUNT, edit(2, "STRASSE SÜD")).unwrap();
    assert_eq!(look(&state, ACCOUNT).unwrap().apps[1].name, "STRASSE SÜD");
}

#[test]
fn a_redirect_url_is_judged_as_the_broker_does() {
    let state = sandbox();
    for wrong in [
        "http://app.example/back",
        "http://localhost:1/",
        "my-app://back",
        "",
    ] {
        let action = Action::CreateApp {
            name: "Momentum".to_owned(),
            redirect_url: wrong.to_owned(),
        };
        let (field, text) = refusal(&state, action);
        assert!(
            field == "redirect_url" && text.starts_with("The redirect URL must be"),
            "{text}"
        );
    }
}

#[test]
fn a_sixth_app_is_refused_also_when_others_are_deactivated() {
    let state = sandbox();
    for name in ["Second", "Third", "Fourth"] {
        act(&state, ACCOUNT, create(name)).unwrap();
    }
    // Two proposals for the last place: the rules are checked again with the code.
    let one = propose(&state, ACCOUNT, create("Fifth")).unwrap();
    let first = code(&state, ACCOUNT);
    let other = propose(&state, ACCOUNT, create("Sixth")).unwrap();
    confirm(&state, ACCOUNT, one, &first).unwrap();
    let problem = confirm(&state, ACCOUNT, other, &code(&state, ACCOUNT)).unwrap_err();
    assert!(problem.text.contains("at most 5 apps"), "{}", problem.text);
    act(&state, ACCOUNT, Action::Deactivate { app: 2 }).unwrap();
    assert!(
        refusal(&state, create("Sixth"))
            .1
            .contains("Deactivated ones count")
    );
    assert_eq!(look(&state, ACCOUNT).unwrap().room, 0);
}

#[test]
fn a_secret_is_told_once_and_kept_as_a_digest() {
    let state = sandbox();
    let Outcome::Secret { app, secret } = act(&state, ACCOUNT, create("Momentum")).unwrap() else {
        panic!("a new app has a secret");
    };
    assert_eq!((app.as_str(), secret.len()), ("Momentum", 96));
    assert!(crate::samco::has_secret_format(&secret) && secret.starts_with("sandbox-"));
    let key = state.inbox().list(Some(ACCOUNT)).pop().unwrap();
    assert_eq!(
        (key.kind, key.channel),
        (MessageKind::ApiKey, crate::Channel::Email)
    );
    let shown = format!("{:?}", look(&state, ACCOUNT));
    let kept = format!("{:?}", state.samco());
    assert!(!kept.contains(&secret) && !shown.contains(&secret));
    let samco = state.samco();
    let app = &samco.member(ACCOUNT).unwrap().apps()[1];
    assert!(app.api_key == key.value && app.secret.is_of(&secret));
    drop(samco);
    let Outcome::Secret { secret: next, .. } =
        act(&state, ACCOUNT, Action::RegenerateSecret { app: 2 }).unwrap()
    else {
        panic!("a regenerated secret is told");
    };
    assert_ne!(next, secret);
    // What the owner noted of the first app's secret is no longer right, and is gone.
    let noted = || state.samco().member(ACCOUNT).unwrap().to_account().api_secret;
    assert!(!noted().is_empty());
    act(&state, ACCOUNT, Action::RegenerateSecret { app: 1 }).unwrap();
    assert_eq!(noted(), "");
}

#[test]
fn an_address_is_public_ipv4_and_the_primary_one_comes_first() {
    let state = without_addresses();
    for (ip, words) in [
        ("10.0.0.1", "This is a private address"),
        ("2001:db8::1", "This is an IPv6 address"),
        ("nonsense", "This is not an IPv4 address"),
        ("", "This is not an IPv4 address"),
    ] {
        let (field, text) = refusal(&state, set(1, Slot::Primary, ip));
        assert!(field == "ip" && text.starts_with(words), "{text}");
    }
    let (_, text) = refusal(&state, set(1, Slot::Secondary, "203.0.113.31"));
    assert!(text.contains("primary address first"), "{text}");
    act(&state, ACCOUNT, set(1, Slot::Primary, " 1.1.1.1 ")).unwrap();
    let (_, text) = refusal(&state, set(1, Slot::Secondary, "1.1.1.1"));
    assert!(text.contains("must be different"), "{text}");
    let (_, text) = refusal(&state, set(1, Slot::Primary, "1.1.1.1"));
    assert!(text.contains("already"), "{text}");
    let delete = |slot| Action::DeleteAddress { app: 1, slot };
    let (_, text) = refusal(&state, delete(Slot::Secondary));
    assert!(text.contains("no secondary address"), "{text}");
    act(&state, ACCOUNT, set(1, Slot::Secondary, "203.0.113.31")).unwrap();
    let (_, text) = refusal(&state, delete(Slot::Primary));
    assert!(
        text.contains("cannot go while there is a secondary one"),
        "{text}"
    );
    assert_eq!(pair(&state, 1), ("1.1.1.1".to_owned(), "203.0.113.31".to_owned()));
}

#[test]
fn the_second_change_waits_seven_days_to_the_millisecond() {
    let state = sandbox();
    state.clock.advance(MILLISECOND);
    let began = state.now();
    act(&state, ACCOUNT, set(1, Slot::Primary, "203.0.113.30")).unwrap();
    let portal = look(&state, ACCOUNT).unwrap();
    assert_eq!(
        (portal.last_change, portal.next_change),
        (Some(began), Some(began.plus(WEEK)))
    );
    assert_eq!(portal.apps[0].ips_updated_at, Some(began));
    let (field, text) = refusal(&state, set(1, Slot::Secondary, "203.0.113.31"));
    // Nobody is told to come a part of a second too early.
    let opens = "The next change is possible from 2026-11-27 10:00:01 IST on.";
    assert!(field == "ip" && text.starts_with(opens), "{text}");
    let delete = Action::DeleteAddress {
        app: 1,
        slot: Slot::Secondary,
    };
    assert!(refusal(&state, delete.clone()).1.starts_with("The next change"));
    state.clock.advance(WEEK_LESS_A_MILLISECOND);
    assert!(propose(&state, ACCOUNT, delete.clone()).is_err());
    state.clock.advance(MILLISECOND);
    assert_eq!(look(&state, ACCOUNT).unwrap().next_change, None);
    // Deleting counts.
    act(&state, ACCOUNT, delete).unwrap();
    assert_eq!(pair(&state, 1), ("203.0.113.30".to_owned(), String::new()));
    let (_, text) = refusal(&state, set(1, Slot::Primary, "203.0.113.32"));
    assert!(text.contains("2026-12-04 10:00:01 IST"), "{text}");
    // The slot is empty, and has held an address: filling it again is no first time.
    assert!(propose(&state, ACCOUNT, set(1, Slot::Secondary, "203.0.113.32")).is_err());
}

#[test]
fn the_window_is_the_accounts_and_outlives_a_deactivated_app() {
    let state = sandbox();
    act(&state, ACCOUNT, create("Momentum")).unwrap();
    act(&state, ACCOUNT, set(1, Slot::Primary, "203.0.113.30")).unwrap();
    act(&state, ACCOUNT, Action::Deactivate { app: 1 }).unwrap();
    // Deactivating released the addresses and did not count; the change before it still does.
    assert_eq!(pair(&state, 1), (String::new(), String::new()));
    switch(&state, "samco_first_ip_anytime", "none");
    assert!(propose(&state, ACCOUNT, set(2, Slot::Primary, "203.0.113.31")).is_err());
    let (_, text) = refusal(&state, set(1, Slot::Primary, "203.0.113.31"));
    assert!(text.contains("is deactivated. Activate it first"), "{text}");
    // Another account's window is its own, and what was released is free for it.
    act(&state, OTHER, set(1, Slot::Primary, "203.0.113.30")).unwrap();
    state.clock.advance(WEEK);
    act(&state, ACCOUNT, Action::Activate { app: 1 }).unwrap();
    assert_eq!(pair(&state, 1), (String::new(), String::new()));
    let (_, text) = refusal(&state, set(1, Slot::Primary, "203.0.113.30"));
    assert!(
        text.contains("203.0.113.30 is registered by another client"),
        "{text}"
    );
    act(&state, ACCOUNT, set(1, Slot::Primary, "203.0.113.31")).unwrap();
    // Coming back is no first time.
    switch(&state, "samco_first_ip_anytime", "app");
    assert!(propose(&state, ACCOUNT, set(1, Slot::Primary, "203.0.113.32")).is_err());
}

#[test]
fn deactivating_by_itself_is_no_change() {
    let state = sandbox();
    act(&state, ACCOUNT, Action::Deactivate { app: 1 }).unwrap();
    let portal = look(&state, ACCOUNT).unwrap();
    assert_eq!((portal.last_change, portal.next_change), (None, None));
    switch(&state, "samco_activation_restores_ips", true);
    act(&state, ACCOUNT, Action::Activate { app: 1 }).unwrap();
    assert_eq!(
        pair(&state, 1),
        ("203.0.113.10".to_owned(), "203.0.113.11".to_owned())
    );
    // What somebody else has taken meanwhile does not come back.
    act(&state, ACCOUNT, Action::Deactivate { app: 1 }).unwrap();
    act(&state, OTHER, set(1, Slot::Primary, "203.0.113.10")).unwrap();
    act(&state, ACCOUNT, Action::Activate { app: 1 }).unwrap();
    assert_eq!(pair(&state, 1), ("203.0.113.11".to_owned(), String::new()));
    assert_eq!(look(&state, ACCOUNT).unwrap().last_change, None);
}

#[test]
fn what_the_account_has_already_is_free_and_what_others_have_is_refused() {
    let state = sandbox();
    act(&state, ACCOUNT, create("Momentum")).unwrap();
    act(&state, ACCOUNT, create("Arbitrage")).unwrap();
    switch(&state, "samco_first_ip_anytime", "none");
    for app in [2, 3] {
        act(&state, ACCOUNT, set(app, Slot::Primary, "203.0.113.11")).unwrap();
        act(&state, ACCOUNT, set(app, Slot::Secondary, "203.0.113.10")).unwrap();
    }
    assert_eq!(look(&state, ACCOUNT).unwrap().last_change, None);
    let (_, text) = refusal(&state, set(2, Slot::Primary, "203.0.113.20"));
    assert!(
        text.contains("203.0.113.20 is registered by another client"),
        "{text}"
    );
    act(&state, ACCOUNT, set(2, Slot::Primary, "203.0.113.30")).unwrap();
    // Inside the window, what is free stays free.
    act(&state, ACCOUNT, set(3, Slot::Primary, "203.0.113.30")).unwrap();
    act(&state, ACCOUNT, set(2, Slot::Primary, "203.0.113.11")).unwrap();
    assert!(propose(&state, ACCOUNT, set(2, Slot::Primary, "203.0.113.31")).is_err());
    // An address that a proposal waits for can be gone when the code comes.
    state.clock.advance(WEEK);
    let waiting = propose(&state, ACCOUNT, set(2, Slot::Primary, "203.0.113.40")).unwrap();
    let otp = code(&state, ACCOUNT);
    act(&state, OTHER, set(1, Slot::Secondary, "203.0.113.40")).unwrap();
    let problem = confirm(&state, ACCOUNT, waiting, &otp).unwrap_err();
    assert!(problem.text.contains("another client"), "{}", problem.text);
}

#[test]
fn switches_say_what_a_first_address_is() {
    let both = |state: &State| {
        act(state, ACCOUNT, set(1, Slot::Primary, "203.0.113.30")).unwrap();
        propose(state, ACCOUNT, set(1, Slot::Secondary, "203.0.113.31")).is_ok()
    };
    for (word, accepted) in [("app", true), ("account", true), ("none", false)] {
        let state = without_addresses();
        switch(&state, "samco_first_ip_anytime", word);
        assert_eq!(both(&state), accepted, "{word}");
        assert!(look(&state, ACCOUNT).unwrap().next_change.is_some());
    }
    let state = without_addresses();
    switch(&state, "samco_first_ip_counts", false);
    assert!(both(&state) && look(&state, ACCOUNT).unwrap().next_change.is_none());
    // A second app's first address, after a change.
    for (word, accepted) in [("app", true), ("account", false), ("none", false)] {
        let state = sandbox();
        switch(&state, "samco_first_ip_anytime", word);
        act(&state, ACCOUNT, create("Momentum")).unwrap();
        act(&state, ACCOUNT, set(1, Slot::Primary, "203.0.113.30")).unwrap();
        let second = propose(&state, ACCOUNT, set(2, Slot::Primary, "203.0.113.31"));
        assert_eq!(second.is_ok(), accepted, "{word}");
    }
}

#[test]
fn a_code_is_for_one_proposal_for_one_use_and_for_some_minutes() {
    let state = sandbox();
    let one = propose(&state, ACCOUNT, create("Second")).unwrap();
    let first = code(&state, ACCOUNT);
    let two = propose(&state, ACCOUNT, create("Third")).unwrap();
    let second = code(&state, ACCOUNT);
    let told = describe(&state, ACCOUNT, one).unwrap();
    assert!(told.starts_with("Create the app “Second”"), "{told}");
    let problem = |proposal, otp: &str| confirm(&state, ACCOUNT, proposal, otp).unwrap_err();
    if first != second {
        assert_eq!(problem(one, &second).field, "otp");
    }
    // Nobody else's proposal can be confirmed or read.
    for (account, proposal) in [(OTHER, one), (ACCOUNT, 99), ("SBX999", one)] {
        assert_eq!(confirm(&state, account, proposal, &first).unwrap_err().field, "");
        assert_eq!(describe(&state, account, proposal), None);
    }
    let spaced = format!(" {} {} ", &first[..3], &first[3..]);
    confirm(&state, ACCOUNT, one, &spaced).unwrap();
    assert!(problem(one, &first).text.contains("used already"));
    assert_eq!(describe(&state, ACCOUNT, one), None);
    assert!(problem(two, " ").text.starts_with("Enter the code"));
    // A few wrong ones, and the right one is too late.
    let wrong = if second == "000000" { "000001" } else { "000000" };
    for slip in ["abc", "12 34", "1234567", "12345\u{661}"] {
        assert_eq!(
            problem(two, slip).text,
            "A code has 6 digits. This took no try.",
            "{slip}"
        );
    }
    assert!(problem(two, wrong).text.contains("2 tries are left"));
    assert!(problem(two, wrong).text.contains("One try is left"));
    assert!(problem(two, wrong).text.contains("Too many wrong ones"));
    assert!(problem(two, &second).text.starts_with("Too many wrong codes"));
    let three = propose(&state, ACCOUNT, create("Third")).unwrap();
    let third = code(&state, ACCOUNT);
    state.clock.advance(Duration::from_millis(300_000 - 1));
    let four = propose(&state, ACCOUNT, create("Fourth")).unwrap();
    let fourth = code(&state, ACCOUNT);
    state.clock.advance(MILLISECOND);
    let late = problem(three, &third).text;
    assert!(late.contains("ended at 2026-11-20 10:05:00 IST"), "{late}");
    confirm(&state, ACCOUNT, four, &fourth).unwrap();
    assert_eq!(look(&state, ACCOUNT).unwrap().apps.len(), 3);
}

#[test]
fn codes_of_a_day_are_counted_by_the_day_in_india() {
    let state = sandbox();
    switch(&state, "samco_otp_daily_limit", 2);
    for _ in 0..2 {
        propose(&state, ACCOUNT, create("Momentum")).unwrap();
    }
    // What the rules refuse sends no code.
    assert_eq!(refusal(&state, create("x")).0, "name");
    let (field, text) = refusal(&state, create("Momentum"));
    assert!(
        field.is_empty() && text.contains("from 2026-11-21 00:00:00 IST on"),
        "{text}"
    );
    assert!(propose(&state, OTHER, create("Momentum")).is_ok());
    state.clock.advance(Duration::from_millis(14 * 3_600_000 - 1));
    assert!(propose(&state, ACCOUNT, create("Momentum")).is_err());
    state.clock.advance(MILLISECOND);
    assert!(propose(&state, ACCOUNT, create("Momentum")).is_ok());
    assert_eq!(state.inbox().list(Some(ACCOUNT)).len(), 6);
}

#[test]
fn sign_in_pauses_after_wrong_passwords() {
    let state = sandbox();
    let Some(Account::Samco(account)) = seeds().into_iter().next() else {
        panic!("the first seed is a Samco account");
    };
    let password = account.password;
    assert_eq!(sign_in(&state, " SBX001 ", &password).unwrap(), ACCOUNT);
    assert_eq!(sign_in(&state, "sbx001", &password).unwrap(), ACCOUNT);
    assert_eq!(sign_in(&state, "", "x").unwrap_err().field, "user_id");
    assert_eq!(sign_in(&state, ACCOUNT, "").unwrap_err().field, "password");
    let unknown = sign_in(&state, "SBX999", "x").unwrap_err();
    for _ in 0..4 {
        assert_eq!(sign_in(&state, ACCOUNT, "x").unwrap_err(), unknown);
    }
    // A right one starts the count anew.
    sign_in(&state, ACCOUNT, &password).unwrap();
    for _ in 0..5 {
        assert_eq!(sign_in(&state, ACCOUNT, "x").unwrap_err(), unknown);
    }
    let paused = sign_in(&state, ACCOUNT, &password).unwrap_err().text;
    assert!(paused.contains("from 2026-11-20 10:15:00 IST on"), "{paused}");
    state.clock.advance(Duration::from_mins(15));
    sign_in(&state, ACCOUNT, &password).unwrap();
    let block = |member: &mut crate::samco::Member| {
        member.standing.blocked = true;
        false
    };
    state.samco().edit(ACCOUNT, block).unwrap();
    assert!(
        sign_in(&state, ACCOUNT, &password)
            .unwrap_err()
            .text
            .contains("blocked")
    );
}

#[test]
fn only_what_makes_sense_for_an_app_is_proposed() {
    let state = sandbox();
    act(&state, ACCOUNT, create("Momentum")).unwrap();
    assert!(
        refusal(&state, Action::Activate { app: 2 })
            .1
            .contains("is active already")
    );
    assert!(
        refusal(&state, Action::Deactivate { app: 3 })
            .1
            .contains("no such app")
    );
    act(&state, ACCOUNT, Action::Deactivate { app: 2 }).unwrap();
    for action in [
        Action::Deactivate { app: 2 },
        Action::RegenerateKey { app: 2 },
        Action::RegenerateSecret { app: 2 },
    ] {
        assert!(refusal(&state, action).1.contains("Activate it first"));
    }
}

#[test]
fn every_proposal_says_what_it_does_and_ends() {
    let state = sandbox();
    let told = |action| {
        let number = propose(&state, ACCOUNT, action).unwrap();
        describe(&state, ACCOUNT, number).unwrap()
    };
    let delete = Action::DeleteAddress {
        app: 1,
        slot: Slot::Secondary,
    };
    for (action, words) in [
        (Action::RegenerateKey { app: 1 }, "the app's sessions end"),
        (Action::RegenerateSecret { app: 1 }, "sessions end"),
        (Action::Deactivate { app: 1 }, "addresses are released"),
        (
            set(1, Slot::Primary, "203.0.113.30"),
            "from 203.0.113.10 to 203.0.113.30",
        ),
        (delete, "counts as a change"),
    ] {
        let text = told(action);
        assert!(
            text.contains(words) && text.contains("“Sandbox app of SBX001”"),
            "{text}"
        );
    }
}
