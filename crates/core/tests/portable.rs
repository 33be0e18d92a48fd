//! The text of a session that is handed over (X4, P7, S6): it comes back whole or not at all, and nothing of it shows
//! in an error.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests"
)]

mod common;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use preopen_core::broker::{Adapter as _, Login, Tokens};
use preopen_core::brokers::{AngelOne, Samco};
use preopen_core::error::{Error, ErrorKind};
use preopen_core::expiry::{Evidence, EvidenceSource};
use preopen_core::lifecycle::{Identity, Record, export, import};
use preopen_core::seal::SealKey;
use preopen_core::skew::Skew;
use preopen_core::static_ip::Addresses;
use preopen_core::target::Target;
use preopen_core::{Now, Secret, Timestamp};
use proptest::prelude::*;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use common::{angel_one, cases, later, login, noon, samco};

const MARK: &str = "CANARY";

fn identity(base_url: Option<&str>, account: &str) -> Identity {
    let adapter = Samco::new("key", "secret");
    let allowed = ["proxy.example".to_owned()];
    let target = Target::resolve(adapter.policy(), base_url, &allowed).unwrap();
    Identity::new(adapter.policy(), &target, account)
}

fn record(login: Login, issued: Now) -> Record {
    Record::new(3, login, issued.wall, issued, samco())
}

fn simple() -> Secret {
    export(&record(login("CANARY-token"), noon()), &identity(None, "mine")).unwrap()
}

/// Everything that a session is.
fn facts(record: &Record) -> String {
    let tokens: Vec<(&str, &str)> = record
        .tokens
        .named()
        .map(|(name, token)| (name, token.expose()))
        .collect();
    format!(
        "{tokens:?} {} {:?} {:?} {:?} {:?}",
        record.issued_at,
        record.expiry,
        record.skew,
        record.addresses(),
        record.profile()
    )
}

fn assert_refused(error: &Error) {
    assert_eq!(
        (error.kind(), error.field()),
        (ErrorKind::InvalidInput, Some("record"))
    );
    let shown = format!("{error} {error:?} {:?}", error.causes());
    assert!(!shown.contains(MARK), "{shown}");
}

#[test]
fn x4_a_session_of_one_world_is_refused_in_another() {
    let live = || identity(None, "mine");
    let sandbox = |port| identity(Some(&format!("http://127.0.0.1:{port}")), "mine");
    let custom = || identity(Some("https://proxy.example"), "mine");
    for (from, to) in [
        (live(), sandbox(8800)),
        (sandbox(8800), live()),
        (sandbox(8800), sandbox(8801)),
        (live(), custom()),
        (custom(), live()),
        (custom(), sandbox(8800)),
        (live(), identity(None, "yours")),
        (sandbox(8800), identity(Some("http://127.0.0.1:8800"), "yours")),
        (sandbox(8800), identity(Some("http://localhost:8800"), "mine")),
    ] {
        assert_refused(&to.accepts(&from).unwrap_err());
        let text = export(&record(login("CANARY-token"), noon()), &from).unwrap();
        assert_refused(&import(&text, &to).unwrap_err());
        assert!(import(&text, &from).is_ok());
        // The same holds for what stands in clear before a sealed record.
        let header = Identity::from_text(&from.to_text()).unwrap();
        assert_eq!(header, from);
        assert!(to.accepts(&header).is_err());
    }
    let message = live().accepts(&sandbox(1)).unwrap_err();
    assert!(message.message().contains("sandbox session"), "{message}");
    // Of the live hosts of a broker, one is as good as the other.
    let adapter = AngelOne::new("key", "code", "0000", "JBSWY3DPEHPK3PXPJBSWY3DPEH");
    let at = |url| Target::resolve(adapter.policy(), url, &[]).unwrap();
    let old = at(Some("https://apiconnect.angelbroking.com"));
    let of = |target: &Target| Identity::new(adapter.policy(), target, "mine");
    assert!(of(&at(None)).accepts(&of(&old)).is_ok());
    assert_refused(&of(&at(None)).accepts(&live()).unwrap_err());
}

/// A record that somebody changed on purpose, with the check that it needs.
fn forged(mut json: serde_json::Value) -> Secret {
    json["check"] = "".into();
    let digest = Sha256::digest(json.to_string());
    json["check"] = URL_SAFE_NO_PAD.encode(&digest[..9]).into();
    Secret::new(json.to_string())
}

#[test]
fn x1_nothing_that_a_stranger_wrote_is_repeated() {
    let mine = identity(None, "mine");
    let json: serde_json::Value = serde_json::from_str(simple().expose()).unwrap();
    assert_eq!(forged(json.clone()), simple(), "the test knows the check");
    for key in json.as_object().unwrap().keys().filter(|key| *key != "check") {
        for value in [
            json!("CANARY"),
            json!(["CANARY"]),
            json!([["CANARY"]]),
            json!({"CANARY": 1}),
        ] {
            let mut changed = json.clone();
            changed[key] = value;
            assert_refused(&import(&forged(changed), &mine).unwrap_err());
        }
    }
    for text in [
        "",
        "CANARY",
        "{}",
        "[\"CANARY\"]",
        "{\"preopen_session\":1}",
        "{\"preopen_session\":2,\"x\":\"CANARY\"}",
    ] {
        assert_refused(&import(&Secret::new(text), &mine).unwrap_err());
    }
    for text in ["", "CANARY", "e30", "IkNBTkFSWSI"] {
        assert_refused(&Identity::from_text(text).unwrap_err());
    }
}

#[test]
fn a_record_without_an_access_token_is_refused() {
    let mine = identity(None, "mine");
    let json: serde_json::Value = serde_json::from_str(simple().expose()).unwrap();
    for (tokens, right) in [
        (json!([["access", "CANARY"], ["refresh", "CANARY"]]), true),
        (json!([]), false),
        (json!([["access", ""]]), false),
        (json!([["refresh", "CANARY"]]), false),
        (json!([["refresh", "CANARY"], ["access", "CANARY"]]), false),
    ] {
        let mut changed = json.clone();
        changed["tokens"] = tokens;
        match import(&forged(changed), &mine) {
            Ok((login, _)) => assert!(right && login.tokens.access().expose() == MARK),
            Err(error) => {
                assert!(!right, "{error}");
                assert_refused(&error);
            }
        }
    }
}

#[test]
fn evidence_of_a_newer_version_is_not_left_out() {
    // A version that knows one more reason to end a session: without it, the session would live too long.
    let mine = identity(None, "mine");
    let mut json: serde_json::Value = serde_json::from_str(simple().expose()).unwrap();
    let known = forged(json.clone());
    assert!(import(&known, &mine).is_ok());
    let evidence = json["evidence"].as_array_mut().unwrap();
    evidence.push(json!(["CANARY", noon().wall.plus_millis(60_000).as_millis()]));
    assert_refused(&import(&forged(json), &mine).unwrap_err());
}

#[test]
fn handing_a_session_on_and_on_adds_nothing_to_it() {
    let mine = identity(None, "mine");
    let mut session = record(login("token"), noon());
    let first = facts(&session);
    for hour in 1..5 {
        let text = export(&session, &mine).unwrap();
        let (login, issued_at) = import(&text, &mine).unwrap();
        let now = later(noon(), std::time::Duration::from_hours(hour));
        session = Record::new(1, login, issued_at, now, samco());
        assert_eq!(facts(&session), first);
    }
}

/// Any text, with what JSON and logs make trouble of.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~]{0,24}",
        any::<String>(),
        Just("\"\\\u{0}\r\n\u{2028}\u{1f600}{}".to_owned()),
    ]
}

fn address() -> impl Strategy<Value = Option<String>> {
    prop::option::of("[0-9a-f.:]{1,30}")
}

prop_compose! {
    fn logins()(
        access in "[!-~]{1,40}",
        others in prop::collection::vec((text(), text()), 0..4),
        evidence in prop::collection::vec((prop::sample::select(EvidenceSource::ALL), any::<i64>()), 0..5),
        addresses in prop::option::of((address(), address(), address())),
        skew in prop::option::of(any::<i64>()),
        account in prop::option::of(text()),
        name in prop::option::of(text()),
        lists in prop::collection::vec(prop::collection::vec(text(), 0..4), 3),
    ) -> Login {
        let tokens = others.into_iter().fold(Tokens::new(access), |tokens, (name, token)| {
            tokens.with(name, Some(Secret::new(token)))
        });
        let mut login = Login::new(tokens);
        login.evidence = evidence
            .into_iter()
            .map(|(source, at)| Evidence { source, at: Timestamp::from_millis(at) })
            .collect();
        login.addresses = addresses
            .map(|(source, one, two)| Addresses::new(source.as_deref(), one.as_deref(), two.as_deref()));
        login.skew = skew.map(Skew::from_millis);
        login.profile.account_id = account;
        login.profile.name = name;
        let [exchanges, products, order_types] = <[Vec<String>; 3]>::try_from(lists).unwrap();
        login.profile.exchanges = exchanges;
        login.profile.products = products;
        login.profile.order_types = order_types;
        login
    }
}

proptest! {
    #![proptest_config(cases(500))]

    #[test]
    fn s6_what_is_exported_comes_back_whole(login in logins(), issued in any::<i64>(), smart_api in any::<bool>()) {
        let policy = if smart_api { angel_one() } else { samco() };
        let mine = identity(None, "mine");
        let issued = Timestamp::from_millis(issued);
        let record = Record::new(3, login, issued, noon(), policy);
        let text = export(&record, &mine).unwrap();
        let (login, issued_at) = import(&text, &mine).unwrap();
        let back = Record::new(9, login, issued_at, noon(), policy);
        prop_assert_eq!(facts(&back), facts(&record));
        prop_assert_eq!(back.deadline, record.deadline);
    }

    /// A changed byte gives an error, or (say `\u001F` for `\u001f`) means the same.
    #[test]
    fn p7_what_is_damaged_is_refused(
        mut login in logins(), at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<prop::sample::Index>(),
    ) {
        let mine = identity(Some("http://127.0.0.1:8800"), "mine");
        login.tokens = login.tokens.with("canary", Some(Secret::new(MARK)));
        let record = record(login, noon());
        let text = export(&record, &mine).unwrap();
        let text = text.expose();
        if let Some(short) = text.get(..cut.index(text.len())) {
            assert_refused(&import(&Secret::new(short), &mine).unwrap_err());
        }
        let mut bytes = text.as_bytes().to_vec();
        bytes[at.index(text.len())] = byte;
        let Ok(changed) = String::from_utf8(bytes) else { return Ok(()) };
        match import(&Secret::new(changed), &mine) {
            Err(error) => assert_refused(&error),
            Ok((login, issued)) => {
                let back = Record::new(3, login, issued, noon(), samco());
                prop_assert_eq!(facts(&back), facts(&record));
            }
        }
    }

    #[test]
    fn p7_a_sealed_record_opens_whole_or_not_at_all(
        login in logins(), at in any::<prop::sample::Index>(), bit in 0_u8..7, cut in any::<prop::sample::Index>(),
    ) {
        let mine = identity(None, "mine");
        let key = SealKey::generate().unwrap();
        let text = export(&record(login, noon()), &mine).unwrap();
        let header = mine.to_text();
        let sealed = key.seal(&text, header.as_bytes()).unwrap();
        prop_assert_eq!(key.open(&sealed, header.as_bytes()), Some(text));
        let mut bytes = sealed.clone().into_bytes();
        bytes[at.index(sealed.len())] ^= 1 << bit;
        let flipped = String::from_utf8(bytes).unwrap();
        prop_assert!(key.open(&flipped, header.as_bytes()).is_none() || flipped.trim() == sealed);
        prop_assert!(key.open(&sealed[..cut.index(sealed.len())], header.as_bytes()).is_none());
        let mut other = header.clone().into_bytes();
        let place = at.index(other.len());
        other[place] ^= 1 << bit;
        prop_assert!(key.open(&sealed, &other).is_none());
        if let Ok(header) = String::from_utf8(other)
            && let Err(error) = Identity::from_text(&header)
        {
            assert_refused(&error);
        }
    }

    #[test]
    fn nothing_that_is_read_ends_in_a_panic(text in any::<String>(), json in "\\{(\"[a-z_]{0,16}\":[0-9\\[\\]{}\",a-z]{0,8},?){0,5}\\}") {
        let mine = identity(None, "mine");
        for text in [&text, &json] {
            prop_assert!(import(&Secret::new(text.as_str()), &mine).is_err());
            prop_assert!(Identity::from_text(text).is_err());
        }
    }
}
