//! cargo-mutants on the core: a bug that no test notices is judged in `docs/mutants.json`, or the part fails.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{Outcome, Soak};
use crate::process;
use crate::tools::programs;
use crate::workspace::Workspace;

const VERSION: &str = "27.1.0";

/// Where bugs are put: what decides about sessions, money, lockouts and secrets. The fault tables are data, in which
/// cargo-mutants finds nothing to change; a test of `brokers` takes out their rows one at a time instead.
const FILES: [&str; 13] = [
    "crates/core/src/expiry.rs",
    "crates/core/src/skew.rs",
    "crates/core/src/totp.rs",
    "crates/core/src/envelope.rs",
    "crates/core/src/reply.rs",
    "crates/core/src/catalogue.rs",
    "crates/core/src/consent.rs",
    "crates/core/src/limits/*.rs",
    "crates/core/src/static_ip/*.rs",
    "crates/core/src/lifecycle/*.rs",
    "crates/core/src/lifecycle/machine/*.rs",
    "crates/core/src/ask.rs",
    "crates/core/src/seal.rs",
];

/// What people found of mutants that no test notices.
const JUDGEMENTS: &str = "docs/mutants.json";

const LIMIT: Duration = Duration::from_hours(6);

pub(super) fn run(soak: &Soak<'_>) -> Result<Outcome> {
    let judgements = judgements(soak.workspace)?;
    let program = match programs::provide(
        soak.workspace,
        "cargo-mutants",
        VERSION,
        &["mutants", "--version"],
    ) {
        Ok(program) => program,
        Err(error) => return Ok(Outcome::not_available(format!("{error:#}"))),
    };
    let output = soak.folder("mutants");
    let copies = soak.folder("copies");
    fs::create_dir_all(&output)?;
    fs::create_dir_all(&copies)?;
    let files: Vec<&str> = if soak.args.file.is_empty() {
        FILES.to_vec()
    } else {
        soak.args.file.iter().map(String::as_str).collect()
    };

    let mut mutants = Command::new(program);
    mutants.current_dir(&soak.workspace.root).arg("mutants");
    for file in &files {
        mutants.args(["--file", file]);
    }
    if soak.args.quick {
        mutants.args(["--shard", "0/20"]);
    }
    mutants
        .args(["--package", "preopen-core", "--test-package", "preopen-core"])
        // Documentation examples show the use; they are slow to build and hold nothing that a test does not.
        .args(["--cargo-test-arg=--lib", "--cargo-test-arg=--tests"])
        .args(["--jobs", "1", "--gitignore=true", "--no-shuffle"])
        .args(["--minimum-test-timeout", "60", "--build-timeout", "300"])
        .arg("--output")
        .arg(&output)
        // The copy builds inside itself and goes with it.
        .env_remove("CARGO_TARGET_DIR")
        .env("TMPDIR", &copies)
        .env("CARGO_PROFILE_DEV_DEBUG", "none")
        .env("PROPTEST_CASES", "256");
    let status = process::tee_within(LIMIT, &mut mutants, |_| {})?;
    // 2: some survived; 3: some ran into the time limit. Both are for the outcomes to tell.
    ensure!(
        matches!(status.code(), Some(0 | 2 | 3)),
        "cargo-mutants ended with {status}; the tests must pass before bugs are put in"
    );
    let path = output.join("mutants.out/outcomes.json");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let tally = Tally::parse(&text)?;
    // A share of the mutants says nothing about a judgement of another.
    let whole = !soak.args.quick && soak.args.file.is_empty();
    let mut outcome = judged(&tally, &judgements, whole);
    outcome.ran = format!(
        "cargo mutants --package preopen-core --file {}",
        files.join(" --file ")
    );
    Ok(outcome)
}

/// What became of the mutants.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    caught: usize,
    timeout: usize,
    /// Those that do not compile: the types already refuse them.
    unviable: usize,
    survivors: Vec<Mutant>,
}

/// One mutant, named without its line so that an edit above it changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Mutant {
    file: String,
    what: String,
}

impl Tally {
    /// Reads cargo-mutants' `outcomes.json`.
    fn parse(text: &str) -> Result<Self> {
        let all: Value = serde_json::from_str(text)?;
        let mut tally = Self::default();
        for outcome in all["outcomes"].as_array().context("no outcomes")? {
            // The other scenario is the baseline, the tree without a bug.
            let Some(mutant) = outcome["scenario"].get("Mutant") else {
                continue;
            };
            match outcome["summary"].as_str() {
                Some("CaughtMutant") => tally.caught += 1,
                Some("Timeout") => tally.timeout += 1,
                Some("Unviable") => tally.unviable += 1,
                Some("MissedMutant") => tally.survivors.push(Mutant::parse(mutant)?),
                other => anyhow::bail!("an outcome that is none that is known: {other:?}"),
            }
        }
        ensure!(tally.caught + tally.survivors.len() > 0, "no mutant was tested");
        Ok(tally)
    }

    fn total(&self) -> usize {
        self.caught + self.timeout + self.unviable + self.survivors.len()
    }
}

impl Mutant {
    fn parse(value: &Value) -> Result<Self> {
        let text = |key: &str| {
            value[key]
                .as_str()
                .with_context(|| format!("a mutant without `{key}`"))
        };
        let (file, name) = (text("file")?, text("name")?);
        // The name is `file:line:column: what`.
        let place = name
            .strip_prefix(file)
            .context("a mutant named after another file")?;
        let (_, what) = place.split_once(": ").context("a mutant without a description")?;
        Ok(Self {
            file: file.to_owned(),
            what: what.to_owned(),
        })
    }
}

/// Why mutants may survive. Two that look alike need two entries.
type Judgements = BTreeMap<Mutant, Vec<String>>;

fn judgements(workspace: &Workspace) -> Result<Judgements> {
    let text = fs::read_to_string(workspace.require(JUDGEMENTS)?)?;
    parse_judgements(&text).with_context(|| format!("cannot read {JUDGEMENTS}"))
}

fn parse_judgements(text: &str) -> Result<Judgements> {
    let mut found = Judgements::new();
    let all: Value = serde_json::from_str(text)?;
    for entry in all.as_array().context("not a list")? {
        let text = |key: &str| {
            let text = entry[key].as_str().filter(|text| !text.trim().is_empty());
            text.map(str::to_owned)
                .with_context(|| format!("no `{key}` in {entry}"))
        };
        let mutant = Mutant {
            file: text("file")?,
            what: text("mutant")?,
        };
        found.entry(mutant).or_default().push(text("why")?);
    }
    Ok(found)
}

/// The verdict: passed when every survivor has a judgement of its own. `whole` says that all files were covered,
/// so that a judgement without a survivor is out of date.
fn judged(tally: &Tally, judgements: &Judgements, whole: bool) -> Outcome {
    let mut left = judgements.clone();
    let mut unjudged = 0;
    let mut findings = Vec::new();
    for mutant in &tally.survivors {
        let Mutant { file, what } = mutant;
        let why = left.get_mut(mutant).and_then(Vec::pop);
        unjudged += usize::from(why.is_none());
        let why = why.unwrap_or_else(|| {
            "NOT JUDGED: write the missing test, or judge it in docs/mutants.json".to_owned()
        });
        findings.push(format!("survived in `{file}`: `{what}`. {why}"));
    }
    let stale = left.iter().filter(|(_, reasons)| whole && !reasons.is_empty());
    findings.extend(stale.map(|(Mutant { file, what }, _)| {
        format!("out of date, its mutant is caught or gone: `{file}`: `{what}`")
    }));
    let counts = format!(
        "{} mutants: {} caught, {} timed out, {} do not compile, {} survived ({unjudged} without a judgement)",
        tally.total(),
        tally.caught,
        tally.timeout,
        tally.unviable,
        tally.survivors.len(),
    );
    let mut outcome = Outcome::new(unjudged == 0, "", counts);
    outcome.findings = findings;
    outcome
}

#[cfg(test)]
mod tests {
    use super::{Mutant, Tally, judged, judgements, parse_judgements};
    use crate::soak::Verdict;
    use crate::workspace::Workspace;

    const OUTCOMES: &str = r#"{"outcomes": [
        {"scenario": "Baseline", "summary": "Success"},
        {"scenario": {"Mutant": {"file": "crates/core/src/expiry.rs", "name": "crates/core/src/expiry.rs:39:17: replace <= with < in DailyBoundary::next_after"}}, "summary": "CaughtMutant"},
        {"scenario": {"Mutant": {"file": "crates/core/src/totp.rs", "name": "crates/core/src/totp.rs:9:1: replace a -> i64 with 0"}}, "summary": "Unviable"},
        {"scenario": {"Mutant": {"file": "crates/core/src/totp.rs", "name": "crates/core/src/totp.rs:10:1: replace b with ()"}}, "summary": "Timeout"},
        {"scenario": {"Mutant": {"file": "crates/core/src/totp.rs", "name": "crates/core/src/totp.rs:11:1: replace < with <= in c"}}, "summary": "MissedMutant"},
        {"scenario": {"Mutant": {"file": "crates/core/src/totp.rs", "name": "crates/core/src/totp.rs:12:1: replace < with <= in c"}}, "summary": "MissedMutant"}
    ], "total_mutants": 5}"#;

    fn judgement(count: usize, what: &str) -> String {
        let one =
            format!(r#"{{"file": "crates/core/src/totp.rs", "mutant": "{what}", "why": "equivalent"}}"#);
        format!("[{}]", vec![one; count].join(","))
    }

    #[test]
    fn outcomes_are_counted_and_survivors_named_without_their_line() {
        let tally = Tally::parse(OUTCOMES).unwrap();
        assert_eq!(
            (tally.caught, tally.timeout, tally.unviable, tally.total()),
            (1, 1, 1, 5)
        );
        let survivor = Mutant {
            file: "crates/core/src/totp.rs".to_owned(),
            what: "replace < with <= in c".to_owned(),
        };
        assert_eq!(tally.survivors, [survivor.clone(), survivor]);
    }

    #[test]
    fn outcomes_that_say_nothing_are_no_success() {
        assert!(Tally::parse("{}").is_err());
        assert!(Tally::parse(r#"{"outcomes": [{"scenario": "Baseline", "summary": "Success"}]}"#).is_err());
        let unknown = OUTCOMES.replace("Unviable", "Skipped");
        assert!(
            Tally::parse(&unknown)
                .unwrap_err()
                .to_string()
                .contains("Skipped")
        );
    }

    #[test]
    fn every_survivor_needs_a_judgement_of_its_own() {
        let tally = Tally::parse(OUTCOMES).unwrap();
        for (count, passes) in [(0, false), (1, false), (2, true)] {
            let judgements = parse_judgements(&judgement(count, "replace < with <= in c")).unwrap();
            let outcome = judged(&tally, &judgements, true);
            assert_eq!(matches!(outcome.verdict, Verdict::Passed), passes, "{count}");
            assert_eq!(outcome.findings.len(), 2);
            let named = outcome
                .findings
                .iter()
                .filter(|line| line.contains("NOT JUDGED"))
                .count();
            assert_eq!(named, 2 - count);
        }
    }

    #[test]
    fn a_judgement_without_a_survivor_is_told_when_all_files_ran() {
        let tally = Tally::parse(OUTCOMES).unwrap();
        let judgements = parse_judgements(&judgement(1, "replace x with y")).unwrap();
        let stale = |whole| {
            let outcome = judged(&tally, &judgements, whole);
            outcome
                .findings
                .iter()
                .any(|line| line.starts_with("out of date"))
        };
        assert!(stale(true) && !stale(false));
    }

    #[test]
    fn a_judgement_needs_a_reason() {
        assert!(parse_judgements(r#"[{"file": "a", "mutant": "b", "why": " "}]"#).is_err());
        assert!(parse_judgements(r#"{"file": "a"}"#).is_err());
    }

    #[test]
    fn the_repository_s_judgements_can_be_read() {
        judgements(&Workspace::load().unwrap()).unwrap();
    }
}
