//! `tests/instructions/budgets.json`: what each path took when it was last blessed, and what that says of a new count.

use std::fs;
use std::path::Path as File;

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};

use super::paths::{BELOW, PATHS, Path, Ratio};
use crate::workspace::Workspace;

const FILE: &str = "tests/instructions/budgets.json";
const BLESS: &str = "cargo xtask instructions --bless";

/// What was counted just now.
#[derive(Default)]
pub(super) struct Counted(Vec<(&'static str, u64)>);

impl Counted {
    pub(super) fn push(&mut self, name: &'static str, instructions: u64) {
        self.0.push((name, instructions));
    }

    fn of(&self, name: &str) -> Option<u64> {
        let (_, instructions) = self.0.iter().find(|(counted, _)| *counted == name)?;
        Some(*instructions)
    }

    pub(super) fn of_paths(&self) -> impl Iterator<Item = (&'static Path, u64)> {
        let counted = |path: &'static Path| Some((path, self.of(path.name)?));
        PATHS.iter().filter_map(counted)
    }
}

/// The committed counts, and with what they were counted.
pub(super) struct Budgets {
    counted_with: Map<String, Value>,
    paths: Map<String, Value>,
}

/// What a count is beside its budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Within {
        budget: u64,
    },
    Above {
        budget: u64,
    },
    Below {
        budget: u64,
    },
    /// A path that was never blessed.
    New,
    /// A path that has no budget, but another path beside it.
    Compared,
}

impl Budgets {
    pub(super) fn load(workspace: &Workspace) -> Result<Self> {
        let text = fs::read_to_string(workspace.require(FILE)?)?;
        Self::parse(&text).with_context(|| format!("`{FILE}` is not what `{BLESS}` writes"))
    }

    fn parse(text: &str) -> Result<Self> {
        let file: Value = serde_json::from_str(text)?;
        let part = |name: &str| {
            let part = file[name].as_object().cloned();
            part.with_context(|| format!("no `{name}`"))
        };
        Ok(Self {
            counted_with: part("counted_with")?,
            paths: part("paths")?,
        })
    }

    /// The version of a program with which its paths were counted.
    pub(super) fn version(&self, program: &str) -> Option<&str> {
        self.counted_with.get(program)?.as_str()
    }

    pub(super) fn verdict(&self, path: &Path, instructions: u64) -> Verdict {
        let Some(allowance) = path.kind.allowance() else {
            return Verdict::Compared;
        };
        let Some(budget) = self.paths.get(path.name).and_then(Value::as_u64) else {
            return Verdict::New;
        };
        if instructions * 100 > budget * (100 + allowance) {
            Verdict::Above { budget }
        } else if instructions * 100 < budget * (100 - BELOW) {
            Verdict::Below { budget }
        } else {
            Verdict::Within { budget }
        }
    }

    /// Takes over what was counted. What this machine could not count stays as it is; a path that is gone goes.
    pub(super) fn take(&mut self, counted: &Counted, versions: Vec<(&'static str, String)>) {
        let mut paths = Map::new();
        for path in PATHS.iter().filter(|path| path.kind.allowance().is_some()) {
            let new = counted.of(path.name).map(Value::from);
            if let Some(instructions) = new.or_else(|| self.paths.get(path.name).cloned()) {
                paths.insert(path.name.to_owned(), instructions);
            }
        }
        self.paths = paths;
        for (program, version) in versions {
            self.counted_with.insert(program.to_owned(), version.into());
        }
    }

    pub(super) fn write(&self, workspace: &Workspace) -> Result<()> {
        workspace.write_or_compare(FILE, &self.text()?, false)?;
        Ok(())
    }

    fn text(&self) -> Result<String> {
        let file = json!({"counted_with": self.counted_with, "paths": self.paths});
        Ok(serde_json::to_string_pretty(&file)? + "\n")
    }
}

impl Verdict {
    pub(super) fn holds(self) -> bool {
        matches!(self, Self::Within { .. } | Self::Compared)
    }

    /// One line for a path that holds; else what to do, too. `profile` is what callgrind wrote of the path.
    pub(super) fn told(self, path: &Path, instructions: u64, profile: &File) -> String {
        let line = |rest: String| format!("{}: {instructions} instructions, {rest}", path.name);
        let bless = format!("if that is meant: {BLESS}, and commit {FILE}");
        match self {
            Self::Within { budget } => line(format!("budget {budget} ({})", change(instructions, budget))),
            Self::Above { budget } => line(format!(
                "budget {budget} ({}; {} % more are allowed): OVER ITS BUDGET\n    to see where: callgrind_annotate {}\n    {bless}",
                change(instructions, budget),
                path.kind.allowance().unwrap_or_default(),
                profile.display()
            )),
            Self::Below { budget } => line(format!(
                "budget {budget} ({}): it became so quick that its budget guards nothing\n    {bless}",
                change(instructions, budget)
            )),
            Self::New => line(format!("no budget\n    {bless}")),
            Self::Compared => line("compared below".to_owned()),
        }
    }
}

/// By how many per cent of the budget a count differs from it.
fn change(instructions: u64, budget: u64) -> String {
    let tenths = (i128::from(instructions) - i128::from(budget)) * 1000 / i128::from(budget.max(1));
    let sign = if tenths < 0 { '-' } else { '+' };
    format!("{sign}{}.{} %", tenths.abs() / 10, tenths.abs() % 10)
}

impl Ratio {
    /// Whether it holds, and a line of it; nothing when one of the two was not counted.
    pub(super) fn told(&self, counted: &Counted) -> Option<(bool, String)> {
        let (taken, other) = (counted.of(self.path)?, counted.of(self.beside)?);
        let per_cent = taken * 100 / other.max(1);
        let holds = taken * 100 <= other * self.at_most;
        let told = format!(
            "{} takes {per_cent} % of the instructions of {}; at most {} %{}",
            self.path,
            self.beside,
            self.at_most,
            if holds { "" } else { ": TOO MANY" }
        );
        Some((holds, told))
    }
}

#[cfg(test)]
mod tests {
    use super::{Budgets, Counted, Verdict};
    use crate::instructions::paths::{Kind, PATHS, Path, RATIOS};
    use std::path::Path as File;

    const COMMITTED: &str = r#"{"counted_with": {"python": "3.13"}, "paths": {"rust: token()": 1000, "rust: GET": 1000, "gone": 1}}"#;

    fn path(kind: Kind) -> &'static Path {
        let name = match kind {
            Kind::Computes => "rust: token()",
            Kind::Waits => "rust: GET",
            Kind::Compared => RATIOS[0].path,
        };
        let path = PATHS.iter().find(|path| path.name == name).unwrap();
        assert_eq!(path.kind, kind);
        path
    }

    #[test]
    fn a_path_holds_until_it_takes_more_than_its_allowance_or_much_less_than_its_budget() {
        let budgets = Budgets::parse(COMMITTED).unwrap();
        let budget = 1000;
        for (kind, most) in [(Kind::Computes, 1050), (Kind::Waits, 1100)] {
            let verdict = |instructions| budgets.verdict(path(kind), instructions);
            assert_eq!(verdict(budget), Verdict::Within { budget });
            assert_eq!(verdict(most), Verdict::Within { budget });
            assert_eq!(verdict(most + 1), Verdict::Above { budget });
            assert_eq!(verdict(900), Verdict::Within { budget });
            assert_eq!(verdict(899), Verdict::Below { budget });
        }
        assert!(Verdict::Within { budget }.holds());
        for bad in [Verdict::Above { budget }, Verdict::Below { budget }, Verdict::New] {
            assert!(!bad.holds(), "{bad:?}");
        }
    }

    #[test]
    fn a_path_without_a_budget_does_not_hold() {
        let budgets = Budgets::parse(r#"{"counted_with": {}, "paths": {}}"#).unwrap();
        assert_eq!(budgets.verdict(path(Kind::Computes), 7), Verdict::New);
        assert!(Budgets::parse(r#"{"paths": {}}"#).is_err());
    }

    #[test]
    fn a_path_that_is_compared_has_no_budget_and_another_one_beside_it() {
        let mut budgets = Budgets::parse(COMMITTED).unwrap();
        assert_eq!(budgets.verdict(path(Kind::Compared), 7), Verdict::Compared);
        let mut counted = Counted::default();
        for path in &PATHS {
            counted.push(path.name, 7);
        }
        budgets.take(&counted, Vec::new());
        for path in &PATHS {
            let sides = RATIOS.iter().flat_map(|ratio| [ratio.path, ratio.beside]);
            let is_compared = sides.into_iter().any(|name| name == path.name);
            assert_eq!(path.kind == Kind::Compared, is_compared, "{}", path.name);
            assert_eq!(
                budgets.paths.contains_key(path.name),
                !is_compared,
                "{}",
                path.name
            );
        }
    }

    #[test]
    fn who_is_over_its_budget_reads_by_how_much_where_to_look_and_how_to_bless() {
        let told = Verdict::Above { budget: 1000 }.told(path(Kind::Computes), 1234, File::new("token.out"));
        for part in [
            "rust: token(): 1234 instructions, budget 1000 (+23.4 %; 5 % more are allowed)",
            "callgrind_annotate token.out",
            "cargo xtask instructions --bless",
            "tests/instructions/budgets.json",
        ] {
            assert!(told.contains(part), "{told}");
        }
        let told = Verdict::Below { budget: 1000 }.told(path(Kind::Computes), 500, File::new("token.out"));
        assert!(told.contains("(-50.0 %)") && told.contains("--bless"), "{told}");
    }

    #[test]
    fn blessing_takes_what_was_counted_and_keeps_what_was_not() {
        let mut budgets = Budgets::parse(COMMITTED).unwrap();
        let mut counted = Counted::default();
        counted.push("rust: token()", 800);
        budgets.take(&counted, vec![("rustc", "1.95.0".to_owned())]);
        let again = Budgets::parse(&budgets.text().unwrap()).unwrap();
        assert_eq!(
            again.verdict(path(Kind::Computes), 800),
            Verdict::Within { budget: 800 }
        );
        assert_eq!(
            again.verdict(path(Kind::Waits), 1000),
            Verdict::Within { budget: 1000 }
        );
        assert_eq!(
            (again.version("rustc"), again.version("python")),
            (Some("1.95.0"), Some("3.13"))
        );
        assert!(!budgets.text().unwrap().contains("gone"));
    }

    #[test]
    fn the_envelope_may_take_little_more_than_what_reads_the_same_bytes() {
        let told = |envelope| {
            let mut counted = Counted::default();
            counted.push(RATIOS[0].path, envelope);
            counted.push(RATIOS[0].beside, 1000);
            RATIOS[0].told(&counted).unwrap()
        };
        assert!(told(1150).0);
        assert!(!told(1151).0);
        assert!(RATIOS[0].told(&Counted::default()).is_none());
    }

    #[test]
    fn paths_have_names_of_their_own_and_are_gone_more_often_the_second_time() {
        for (at, path) in PATHS.iter().enumerate() {
            assert!(PATHS[..at].iter().all(|other| other.name != path.name));
            assert!(path.times.0 < path.times.1);
        }
    }
}
