//! Every property test of the core, with many more cases than an ordinary run has.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::{Outcome, Soak};

const CASES: &str = "100000";
const QUICK: &str = "2000";
const LIMIT: Duration = Duration::from_hours(4);

pub(super) fn run(soak: &Soak<'_>) -> Result<Outcome> {
    let mut properties = 0;
    for folder in ["crates/core/src", "crates/core/tests"] {
        for (path, text) in sources(&soak.workspace.require(folder)?)? {
            let fixed = fixed_cases(&text);
            ensure!(
                fixed.is_none(),
                "{path} fixes its number of cases: `{}`",
                fixed.unwrap_or_default()
            );
            properties += count_properties(&text);
        }
    }
    let cases = if soak.args.quick { QUICK } else { CASES };
    let mut tests = soak.workspace.cargo();
    tests
        .args(["test", "--release", "--package", "preopen-core"])
        .env("PROPTEST_CASES", cases)
        // A run this long should notice what an ordinary release build lets pass.
        .env("CARGO_PROFILE_RELEASE_OVERFLOW_CHECKS", "true")
        .env("CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS", "true")
        // Optimising over all crates takes longer than it saves here.
        .env("CARGO_PROFILE_RELEASE_LTO", "off")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
        .env("CARGO_TARGET_DIR", soak.folder("model"));
    let mut outcome = Soak::tests(LIMIT, &mut tests)?;
    outcome.ran = format!("PROPTEST_CASES={cases} cargo test --release -p preopen-core");
    outcome.counts = format!(
        "{properties} properties with {cases} cases each; {}",
        outcome.counts
    );
    Ok(outcome)
}

/// The Rust files below a folder: the name, and the text.
fn sources(folder: &Path) -> Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(sources(&path)?);
        } else if path.extension().is_some_and(|suffix| suffix == "rs") {
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            found.push((name, fs::read_to_string(&path)?));
        }
    }
    Ok(found)
}

/// The line that gives a proptest a number of cases whatever the environment asks for.
fn fixed_cases(text: &str) -> Option<&str> {
    text.lines().map(str::trim).find(|line| {
        ["with_cases(", "cases: "].iter().any(|before| {
            let after = line.split_once(before).map(|(_, after)| after);
            after.is_some_and(|after| after.starts_with(|digit: char| digit.is_ascii_digit()))
        })
    })
}

/// The tests inside `proptest!` blocks, as rustfmt leaves them: a block ends where a line closes it at its own depth.
fn count_properties(text: &str) -> usize {
    let mut end: Option<String> = None;
    let mut count = 0;
    for line in text.lines() {
        match &end {
            None if line.trim() == "proptest! {" => end = Some(line.replace("proptest! {", "}")),
            Some(close) if line == close => end = None,
            Some(_) => count += usize::from(line.trim() == "#[test]"),
            None => {}
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::{count_properties, fixed_cases};

    #[test]
    fn properties_are_the_tests_inside_the_macro() {
        let text = "#[test]\nfn a() {}\nproptest! {\n    #[test]\n    fn b(x in 0..1) {\n        f(x);\n    }\n    #[test]\n    fn c() {}\n}\n\
            mod m {\n    proptest! {\n        #[test]\n        fn d() {}\n    }\n    #[test]\n    fn e() {}\n}\n";
        assert_eq!(count_properties(text), 3);
        assert_eq!(count_properties("#[test]\nfn a() {}\n"), 0);
    }

    #[test]
    fn a_number_of_cases_in_the_code_is_found() {
        let config = "    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]";
        assert_eq!(fixed_cases(config), Some(config.trim()));
        assert!(fixed_cases("ProptestConfig::with_cases(64)").is_some());
        assert!(fixed_cases("        cases: if asked { default.cases } else { 2000 },").is_none());
        assert!(fixed_cases("for cases in [1, 2] {}").is_none());
    }
}
