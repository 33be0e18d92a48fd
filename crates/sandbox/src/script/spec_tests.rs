//! What a script may say, and what it is told when it says something else.

use crate::script::{Script, ScriptError};

fn wrong(text: &str) -> String {
    Script::parse("day.toml", text).unwrap_err().to_string()
}

const STEP: &str = "[[step]]\nat = \"10:00\"\n";

#[test]
#[allow(clippy::too_many_lines)] // a list of mistakes
fn every_mistake_is_told_with_its_line_its_field_and_what_to_do() {
    let step = |line: &str| wrong(&format!("about = \"x\"\n\n{STEP}{line}\n"));
    let cases = [
        (
            step("mark = \"a\"\ncolour = 1"),
            "day.toml:6: unknown field `colour`, expected one of `name`, `at`",
        ),
        (step("mark = 5"), "day.toml:5: mark must be a string, not 5"),
        (step("mark = \"a"), "day.toml:5: "),
        (
            step(""),
            "day.toml:3: step must do exactly one of mark, source_ip",
        ),
        (
            step("mark = \"a\"\nsource_ip = \"home\""),
            "day.toml:3: step must do exactly one of",
        ),
        (
            step("source_ip = \"10.0.0\""),
            "day.toml:5: source_ip must be an IP address, \"home\"",
        ),
        (
            step("end_sessions = false"),
            "day.toml:5: end_sessions must be true",
        ),
        (
            step("end_sessions = 1"),
            "day.toml:5: end_sessions must be true (everybody's), or a table",
        ),
        (
            step("switches = { nonsense = true }"),
            "day.toml:5: switches.nonsense is not a switch; the switches are",
        ),
        (
            step("switches = { samco_expired_txt = true }"),
            "day.toml:5: switches.samco_expired_txt is not a switch; the switches are samco_expired_text, ",
        ),
        (
            step("switches = { totp_clock = \"sun\" }"),
            "day.toml:5: switches.totp_clock must be one of either",
        ),
        (
            step("switches = { totp_clock = [] }"),
            "day.toml:5: switches.totp_clock must be true, false",
        ),
        (
            step("account = { blocked = true }"),
            "day.toml:5: account.id must say which one",
        ),
        (
            step("account = { id = \"SBX001\" }"),
            "day.toml:5: account changes nothing",
        ),
        (
            step("account = { id = \"SBX001\", pin = \"1\" }"),
            "day.toml:5: account.pin is not a field of samco",
        ),
        (
            step("account = { id = \"SBX001\", colour = 1 }"),
            "day.toml:5: account is wrong: colour: unknown field `colour`",
        ),
        (
            step("fault = { broker = \"samco\", path = \"x\", status = 500 }"),
            "day.toml:5: fault.path must begin with /",
        ),
        (
            step("fault = { broker = \"samco\", path = \"/x\" }"),
            "day.toml:5: fault does nothing: give status",
        ),
        (
            step("fault = { broker = \"zen\", path = \"/x\", status = 500 }"),
            "day.toml:5: fault.broker must be `samco` or `angelone`, not `zen`",
        ),
        (
            step("fault = { broker = \"samco\", path = \"/x\", statsu = 1 }"),
            "day.toml:5: unknown field `statsu`",
        ),
        (
            step("fault = { path = \"/x\", status = 500 }"),
            "day.toml:5: missing field `broker`",
        ),
        (
            step(
                "fault = { broker = \"samco\", path = \"/x\", status = 500, from = \"2026-11-23T10:00:00Z\" }",
            ),
            "day.toml:5: fault.from belongs beside the fault",
        ),
        (
            step("rate_limit = { broker = \"samco\", path = \"x\" }"),
            "day.toml:5: rate_limit.path must begin with /",
        ),
        (
            step("until = \"11:00\"\nmark = \"a\""),
            "day.toml:4: at cannot be combined",
        ),
        (
            step("mark = \"a\"\non_days = [1, 2]"),
            "day.toml:6: on_days names day 2, but the script goes from day 1 to 1",
        ),
        (
            step("mark = \"a\"\non_weekdays = [\"mon\"]"),
            "day.toml:6: on_weekdays must be among monday, tuesday",
        ),
        (
            wrong("[[step]]\nmark = \"a\""),
            "day.toml:1: at is missing: add a time such as",
        ),
        (
            wrong("[[step]]\nat = \"24:00\"\nmark = \"a\""),
            "day.toml:2: at must be a time of day in India",
        ),
        (
            wrong("[[step]]\nat = 10:00:00\nmark = \"a\""),
            "day.toml:2: at must be a string, not ",
        ),
        (
            wrong("[[step]]\nfrom = \"10:00\"\nmark = \"a\""),
            "day.toml:2: from needs `until`",
        ),
        (
            wrong("[[step]]\nuntil = \"10:00\"\nmark = \"a\""),
            "day.toml:2: until needs `from`",
        ),
        (
            wrong("[[step]]\nfrom = \"10:00\"\nuntil = \"11:00\"\nmark = \"a\""),
            "day.toml:2: from is only for fault",
        ),
        (wrong(""), "day.toml:1: step must be there"),
        (
            wrong(&format!("end = \"09:59\"\n{STEP}mark = \"a\"")),
            "day.toml:1: end is before the step on line 4",
        ),
        (
            wrong(&format!("days = 0\n{STEP}mark = \"a\"")),
            "day.toml:1: days must be from 1 to 3660",
        ),
        (
            wrong(&format!("days = 1.5\n{STEP}mark = \"a\"")),
            "day.toml:1: days must be a whole number from 0 to 4294967295, not 1.5",
        ),
        (
            wrong(&format!("speed = -1\n{STEP}mark = \"a\"")),
            "day.toml:1: speed must be from 0",
        ),
        (
            wrong(&format!("start = \"monday\"\n{STEP}mark = \"a\"")),
            "day.toml:1: start must be an RFC 3339 time",
        ),
        (
            wrong(&format!("holidays = [\"2026-11-24\"]\n{STEP}mark = \"a\"")),
            "day.toml:1: holidays are left out of market",
        ),
        (
            wrong(&format!(
                "market_days = true\nholidays = [\"24.11.2026\"]\n{STEP}mark = \"a\""
            )),
            "day.toml:2: holidays must be dates such as \"2026-11-24\", not \"24.11.2026\"",
        ),
    ];
    for (told, expected) in cases {
        assert!(
            told.starts_with(expected),
            "told:     {told}\nexpected: {expected}"
        );
    }
}

#[test]
fn an_account_that_is_not_there_is_told_when_the_sandbox_starts() {
    let text = format!("{STEP}account = {{ id = \"SBX077\", blocked = true }}");
    let script = Script::parse("day.toml", &text).unwrap();
    let error: ScriptError = script.check_accounts(|id| id == "SBX001").unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("day.toml:3: account \"SBX077\" is not an account"),
        "{error}"
    );
    assert_eq!(
        (error.file(), error.line(), error.field()),
        ("day.toml", Some(3), Some("account"))
    );
    script.check_accounts(|id| id == "SBX077").unwrap();
}

#[test]
fn the_scripts_that_come_along_are_right() {
    for name in Script::shipped() {
        let script = Script::load(name).unwrap_or_else(|error| panic!("{error}"));
        assert!(
            !script.about().is_empty() && script.start().is_some() && script.speed().is_some(),
            "{name}"
        );
        script
            .check_accounts(|id| ["SBX001", "SBX101"].contains(&id))
            .unwrap();
    }
    let missing = Script::load("no-such-day").unwrap_err().to_string();
    assert!(missing.starts_with("no-such-day cannot be read ("), "{missing}");
    assert!(!missing.contains("os error"), "{missing}");
    assert!(missing.ends_with("ordinary-day, bad-day, month"), "{missing}");
}

#[test]
fn a_file_without_an_end_is_not_read_to_it() {
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(2 << 20).unwrap();
    let problem = Script::load(file.path().to_str().unwrap())
        .unwrap_err()
        .to_string();
    assert!(problem.contains("larger than 1 MiB"), "{problem}");
}
