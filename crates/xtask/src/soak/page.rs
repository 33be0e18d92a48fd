//! `docs/soak.md`: a table with a row for each part, and a section for each. Only what ran is written anew.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::{Outcome, PARTS, Verdict};
use crate::workspace::Workspace;

const OPENING: &str = "\
# Soak

Written by `cargo xtask soak`: runs that are too long for every change. A part that runs writes its row and its section anew and
leaves the others as they are, so each row has its own date and commit.

| part | result | counts | seconds | date | commit | cores |
| --- | --- | --- | ---: | --- | --- | ---: |
";

/// One run of one part.
pub(super) struct Entry<'a> {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    pub(super) seconds: u64,
    pub(super) date: String,
    pub(super) commit: &'a str,
    pub(super) cores: usize,
    pub(super) outcome: &'a Outcome,
}

/// Writes the entry into the page, which need not exist yet.
pub(super) fn record(page: &Path, entry: &Entry<'_>, workspace: &Workspace) -> Result<()> {
    let old = fs::read_to_string(page).unwrap_or_default();
    let order: Vec<&str> = PARTS.iter().map(|part| part.name).collect();
    let text = rewrite(&old, entry, &order);
    if let Some(folder) = page.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(page, impersonal(&text, workspace)).with_context(|| format!("cannot write {}", page.display()))
}

/// The page with this entry's row and section in the place of the old ones. Parts that never ran get a row that
/// says so; a part that is gone keeps its text at the end, for a person to remove.
fn rewrite(old: &str, entry: &Entry<'_>, order: &[&str]) -> String {
    let mut sections = sections(old);
    let mut rows = rows(old);
    rows.retain(|(name, _)| *name != entry.name);
    sections.retain(|(name, _)| *name != entry.name);
    let (row, section) = (row(entry), section(entry));
    rows.push((entry.name, &row));
    sections.push((entry.name, &section));
    let place = |name: &str| {
        order
            .iter()
            .position(|known| *known == name)
            .unwrap_or(order.len())
    };

    let mut page = OPENING.to_owned();
    let never: Vec<String> = order
        .iter()
        .map(|name| format!("| {name} | not run yet | | | | | |"))
        .collect();
    for (name, line) in order.iter().zip(&never) {
        if !rows.iter().any(|(ran, _)| ran == name) {
            rows.push((name, line));
        }
    }
    rows.sort_by_key(|(name, _)| place(name));
    for (_, line) in rows {
        let _ = writeln!(page, "{line}");
    }
    sections.sort_by_key(|(name, _)| place(name));
    for (name, text) in sections {
        let _ = write!(page, "\n## {name}\n\n{}\n", text.trim());
    }
    page
}

/// The rows of the table in `page`: the part's name, and the line.
fn rows(page: &str) -> Vec<(&str, &str)> {
    page.lines()
        .take_while(|line| !line.starts_with("## "))
        .skip_while(|line| !line.starts_with("| ---"))
        .skip(1)
        .filter_map(|line| {
            let cell = line.strip_prefix("| ")?.split(" |").next()?;
            let name = cell.strip_prefix('[').and_then(|link| link.split(']').next());
            Some((name.unwrap_or(cell), line))
        })
        .collect()
}

/// The sections of `page`: the heading, and what follows it.
fn sections(page: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    let mut rest = page;
    while let Some(start) = rest.find("\n## ") {
        rest = &rest[start + "\n## ".len()..];
        let (name, text) = rest.split_once('\n').unwrap_or((rest, ""));
        let end = text.find("\n## ").unwrap_or(text.len());
        found.push((name.trim(), &text[..end]));
        rest = &text[end..];
    }
    found
}

fn row(entry: &Entry<'_>) -> String {
    let Entry {
        name,
        seconds,
        date,
        commit,
        cores,
        outcome,
        ..
    } = entry;
    let result = cell(&outcome.verdict.shown());
    let counts = cell(&outcome.counts);
    format!("| [{name}](#{name}) | {result} | {counts} | {seconds} | {date} | {commit} | {cores} |")
}

fn section(entry: &Entry<'_>) -> String {
    let outcome = entry.outcome;
    let mut text = format!("{}\n", entry.about);
    if let Verdict::NotAvailable(reason) = &outcome.verdict {
        let _ = write!(text, "\nNot available on this machine: {}.\n", cell(reason));
    }
    if !outcome.ran.is_empty() {
        let _ = write!(text, "\nRan `{}`.\n", outcome.ran);
    }
    if !outcome.counts.is_empty() {
        let _ = write!(text, "\n{}.\n", outcome.counts);
    }
    if !outcome.findings.is_empty() {
        text.push_str("\nFindings:\n\n");
    }
    for finding in &outcome.findings {
        let _ = writeln!(text, "- {}", one_line(finding));
    }
    text
}

fn cell(text: &str) -> String {
    one_line(text).replace('|', "\\|")
}

/// A line break in a row or an item would end it, and what follows it could look like a heading.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Takes out the folders of the machine that ran: they say nothing to anybody else.
fn impersonal(text: &str, workspace: &Workspace) -> String {
    let mut text = text.to_owned();
    let home = std::env::home_dir().unwrap_or_default();
    for (folder, name) in [
        (&workspace.target, "<target>"),
        (&workspace.root, "<repository>"),
        (&home, "~"),
    ] {
        let folder = folder.to_string_lossy();
        // A home of `/` would take every path apart.
        if folder.len() > 1 {
            text = text.replace(&*folder, name);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Entry, impersonal, rewrite, rows, sections};
    use crate::soak::Outcome;
    use crate::workspace::Workspace;

    const ORDER: [&str; 3] = ["model", "mutants", "miri"];

    fn entry<'a>(name: &'static str, outcome: &'a Outcome) -> Entry<'a> {
        Entry {
            name,
            about: "What it proves.",
            seconds: 61,
            date: "2026-11-22".to_owned(),
            commit: "abc1234",
            cores: 2,
            outcome,
        }
    }

    fn ran(counts: &str) -> Outcome {
        Outcome::new(true, "cargo test", counts)
    }

    #[test]
    fn the_first_page_has_a_row_for_every_part() {
        let page = rewrite("", &entry("mutants", &ran("9 mutants")), &ORDER);
        let rows = rows(&page);
        assert_eq!(rows.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ORDER);
        assert_eq!(rows[0].1, "| model | not run yet | | | | | |");
        assert_eq!(
            rows[1].1,
            "| [mutants](#mutants) | passed | 9 mutants | 61 | 2026-11-22 | abc1234 | 2 |"
        );
        assert_eq!(sections(&page).len(), 1);
    }

    #[test]
    fn a_part_that_runs_again_leaves_the_others_byte_for_byte() {
        let first = rewrite("", &entry("miri", &ran("39 tests")), &ORDER);
        let noted = first.replace("Ran `cargo test`.", "A person's note: keep me.");
        let both = rewrite(&noted, &entry("model", &ran("1 case")), &ORDER);
        let again = rewrite(&both, &entry("model", &ran("2 cases")), &ORDER);
        assert_eq!(both.replace("1 case", "2 cases"), again);
        let miri = |page: &str| {
            let found = sections(page).into_iter().find(|(name, _)| *name == "miri");
            found.unwrap().1.trim().to_owned()
        };
        assert!(miri(&again).contains("keep me"));
        assert_eq!(miri(&again), miri(&noted));
        assert_eq!(rows(&again)[2], rows(&noted)[2]);
        let names: Vec<&str> = sections(&again).iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["model", "miri"]);
    }

    #[test]
    fn a_part_that_is_gone_keeps_its_text_at_the_end() {
        let old = rewrite("", &entry("miri", &ran("39 tests")), &ORDER);
        let page = rewrite(&old, &entry("model", &ran("1 case")), &["model"]);
        assert_eq!(rows(&page).last().unwrap().0, "miri");
        assert_eq!(sections(&page).last().unwrap().0, "miri");
    }

    #[test]
    fn what_cannot_run_says_why_in_the_table() {
        let outcome = Outcome::not_available("no nightly\ntoolchain | here");
        let page = rewrite("", &entry("miri", &outcome), &ORDER);
        assert!(
            rows(&page)[2]
                .1
                .contains("| not available: no nightly toolchain \\| here |")
        );
        assert!(page.contains("Not available on this machine: no nightly toolchain"));
    }

    #[test]
    fn a_finding_cannot_begin_a_section() {
        let mut outcome = ran("1 test");
        outcome.findings.push("failed\n## model\n| x |".to_owned());
        let page = rewrite("", &entry("miri", &outcome), &ORDER);
        assert_eq!(sections(&page).len(), 1);
        assert!(page.contains("- failed ## model | x |\n"));
    }

    #[test]
    fn folders_of_the_machine_are_not_recorded() {
        let workspace = Workspace {
            root: "/a/repository".into(),
            target: "/a/repository/target".into(),
            packages: Vec::new(),
        };
        let text = "no /a/repository/target/soak/x, no /a/repository/y";
        assert_eq!(
            impersonal(text, &workspace),
            "no <target>/soak/x, no <repository>/y"
        );
    }
}
