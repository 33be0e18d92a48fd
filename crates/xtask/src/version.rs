//! `cargo xtask version`: the one version of the workspace, and every place that must repeat it.
//!
//! Wheels, the command and the addon take it from cargo when they are built; what is here is only what cannot.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};

use crate::workspace::Workspace;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The new version, such as 0.2.0 or 1.0.0-rc.1; without it, all places are compared.
    new: Option<String>,
}

/// Where the version is written down: it is what stands between two texts, as often as they are found.
struct Place {
    file: &'static str,
    before: String,
    after: &'static str,
}

impl Place {
    fn new(file: &'static str, before: impl Into<String>, after: &'static str) -> Self {
        let before = before.into();
        Self { file, before, after }
    }

    /// Start and end of every version in a text.
    fn spans(&self, text: &str) -> Vec<(usize, usize)> {
        let starts = text
            .match_indices(&self.before)
            .map(|(at, _)| at + self.before.len());
        let span = |start: usize| Some((start, start + text[start..].find(self.after)?));
        // What does not look like a version, or runs on into the next line, stands there for another reason.
        starts
            .filter_map(span)
            .filter(|&(start, end)| parse(&text[start..end]).is_ok())
            .collect()
    }
}

/// The place that all others follow.
fn source() -> Place {
    Place::new("Cargo.toml", "[workspace.package]\nversion = \"", "\"")
}

fn places(workspace: &Workspace) -> Vec<Place> {
    let mut all = vec![
        source(),
        Place::new("node/package.json", "\"version\": \"", "\""),
        Place::new("node/src/version.ts", "VERSION = \"", "\""),
        Place::new(
            "package-lock.json",
            "\"name\": \"preopen\",\n      \"version\": \"",
            "\"",
        ),
        Place::new("crates/cli/npm/package.json", "\"version\": \"", "\""),
        Place::new("pyproject.toml", "\"preopen-cli==", "\""),
        Place::new("node/package.json", "\"preopen-cli\": \"", "\""),
        Place::new("package-lock.json", "\"preopen-cli\": \"", "\""),
        Place::new("README.md", "dist/preopen-", ".tgz"),
    ];
    for package in &workspace.packages {
        let locked = format!("[[package]]\nname = \"{}\"\nversion = \"", package.name);
        all.push(Place::new("Cargo.lock", locked, "\""));
        if !package.dependents {
            continue;
        }
        let folder = package.folder.display();
        let needed = format!("{} = {{ path = \"{folder}\", version = \"", package.name);
        all.push(Place::new("Cargo.toml", needed, "\""));
    }
    // The fuzz targets are a package of their own, with a lock of their own.
    all.push(Place::new(
        "fuzz/Cargo.lock",
        "[[package]]\nname = \"preopen-core\"\nversion = \"",
        "\"",
    ));
    all
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let workspace = Workspace::load()?;
    let places = places(&workspace);
    if let Some(new) = &args.new {
        set(&workspace.root, &places, new)?;
    }
    println!("{}", check(&workspace.root, &places)?);
    Ok(ExitCode::SUCCESS)
}

/// The version of the workspace, if every place has it.
pub(crate) fn checked(workspace: &Workspace) -> Result<String> {
    check(&workspace.root, &places(workspace))
}

fn check(root: &Path, places: &[Place]) -> Result<String> {
    let text =
        |file: &str| fs::read_to_string(root.join(file)).with_context(|| format!("cannot read {file}"));
    let manifest = text("Cargo.toml")?;
    let &(start, end) = source()
        .spans(&manifest)
        .first()
        .context("Cargo.toml has no [workspace.package] version")?;
    let version = &manifest[start..end];
    let mut wrong = Vec::new();
    for place in places {
        let text = text(place.file)?;
        let found = place.spans(&text);
        if found.is_empty() {
            wrong.push(format!(
                "{} has no version after `{}`",
                place.file,
                place.before.trim()
            ));
        }
        for (start, end) in found
            .into_iter()
            .filter(|&(start, end)| text[start..end] != *version)
        {
            let line = text[..start].lines().count();
            wrong.push(format!(
                "{}:{line} says {}, the workspace {version}",
                place.file,
                &text[start..end]
            ));
        }
    }
    wrong.extend(changelog_disagrees(&text("CHANGELOG.md")?, version));
    ensure!(
        wrong.is_empty(),
        "{}\n`cargo xtask version {version}` writes all places",
        wrong.join("\n")
    );
    Ok(version.to_owned())
}

/// The changelog's newest release is this version, unless nothing was released yet.
fn changelog_disagrees(changelog: &str, version: &str) -> Option<String> {
    let mut headings = changelog.lines().filter_map(|line| line.strip_prefix("## ["));
    if headings.next().is_none_or(|heading| heading != "Unreleased]") {
        return Some("CHANGELOG.md does not begin with `## [Unreleased]`".to_owned());
    }
    let newest = headings.next()?.split(']').next()?;
    (newest != version)
        .then(|| format!("CHANGELOG.md's newest release is {newest}, the workspace's {version}"))
}

fn set(root: &Path, places: &[Place], new: &str) -> Result<()> {
    parse(new)?;
    for place in places {
        let path = root.join(place.file);
        let mut text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", place.file))?;
        for (start, end) in place.spans(&text).into_iter().rev() {
            text.replace_range(start..end, new);
        }
        fs::write(&path, text)?;
    }
    let path = root.join("CHANGELOG.md");
    let text = fs::read_to_string(&path)?;
    if changelog_disagrees(&text, new).is_some() || !text.contains(&format!("## [{new}]")) {
        let today = jiff::Timestamp::now().strftime("%Y-%m-%d").to_string();
        fs::write(&path, released(&text, new, &today)?)?;
    }
    Ok(())
}

/// What was unreleased becomes the release.
fn released(changelog: &str, version: &str, today: &str) -> Result<String> {
    const UNRELEASED: &str = "## [Unreleased]\n";
    let (before, after) = changelog
        .split_once(UNRELEASED)
        .context("CHANGELOG.md has no `## [Unreleased]`")?;
    Ok(format!("{before}{UNRELEASED}\n## [{version}] - {today}\n{after}"))
}

/// Three numbers, and perhaps a pre-release: what cargo, npm and pip all understand.
fn parse(version: &str) -> Result<()> {
    let (numbers, pre) = version
        .split_once('-')
        .map_or((version, None), |(n, p)| (n, Some(p)));
    let number = |text: &str| text.parse::<u32>().is_ok_and(|value| value.to_string() == text);
    let parts: Vec<&str> = numbers.split('.').collect();
    ensure!(
        parts.len() == 3 && parts.iter().all(|part| number(part)),
        "`{version}` is no version: three numbers, such as 0.2.0"
    );
    let Some(pre) = pre else { return Ok(()) };
    // Python knows these three kinds only.
    match pre.split_once('.') {
        Some(("alpha" | "beta" | "rc", count)) if number(count) => Ok(()),
        _ => bail!("`{version}` is no version: a pre-release is -alpha.N, -beta.N or -rc.N"),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{Place, changelog_disagrees, check, checked, parse, released, set, source};
    use crate::workspace::Workspace;

    #[test]
    fn the_repository_has_one_version() {
        checked(&Workspace::load().unwrap()).unwrap();
    }

    #[test]
    fn a_version_is_what_every_registry_understands() {
        for good in ["0.1.0", "10.20.30", "1.0.0-rc.1", "1.0.0-beta.12"] {
            parse(good).unwrap();
        }
        for bad in [
            "1.0",
            "1.0.0.0",
            "01.0.0",
            "v1.0.0",
            "1.0.0-rc1",
            "1.0.0-dev.1",
            "1.0.0+x",
            "",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn all_places_are_written_and_a_forgotten_one_is_named() {
        let folder = std::env::temp_dir().join(format!("xtask-version-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let write = |name: &str, text: &str| fs::write(folder.join(name), text).unwrap();
        let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
        write("Cargo.toml", "[workspace.package]\nversion = \"0.1.0\"\n");
        write(
            "README.md",
            "dist/preopen-0.1.0.tgz dist/preopen-<version>.tgz dist/preopen-0.1.0.tgz",
        );
        write(
            "CHANGELOG.md",
            "# Changelog\n\n## [Unreleased]\n\n### Added\n\n- All of it.\n",
        );
        let places = [source(), Place::new("README.md", "dist/preopen-", ".tgz")];
        assert_eq!(check(&folder, &places).unwrap(), "0.1.0");

        set(&folder, &places, "0.2.0").unwrap();
        assert_eq!(check(&folder, &places).unwrap(), "0.2.0");
        assert_eq!(read("README.md").matches("0.2.0").count(), 2);
        assert!(read("CHANGELOG.md").contains("## [Unreleased]\n\n## [0.2.0] - 2"));
        // The same again changes nothing.
        let before = read("CHANGELOG.md");
        set(&folder, &places, "0.2.0").unwrap();
        assert_eq!(read("CHANGELOG.md"), before);

        write("README.md", "one\ndist/preopen-0.1.0.tgz");
        let said = check(&folder, &places).unwrap_err().to_string();
        assert!(
            said.starts_with("README.md:2 says 0.1.0, the workspace 0.2.0"),
            "{said}"
        );
        write("README.md", "nothing");
        assert!(check(&folder, &places).is_err());
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn the_changelog_has_what_is_unreleased_first_and_then_this_version() {
        let fresh = "## [Unreleased]\n\n### Added\n";
        assert_eq!(changelog_disagrees(fresh, "0.1.0"), None);
        let later = released(fresh, "0.2.0", "2026-12-01").unwrap();
        assert_eq!(later, "## [Unreleased]\n\n## [0.2.0] - 2026-12-01\n\n### Added\n");
        assert_eq!(changelog_disagrees(&later, "0.2.0"), None);
        assert!(changelog_disagrees(&later, "0.3.0").is_some());
        assert!(changelog_disagrees("## [0.2.0]\n", "0.2.0").is_some());
    }
}
