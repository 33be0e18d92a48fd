//! No path of the machine that builds: a compiler gets names for its folders that are the same everywhere.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::process;
use crate::workspace::Workspace;

/// Between flags in the variable that may have spaces inside of one.
const SEPARATOR: &str = "\u{1f}";
/// What cargo's own folder is called.
const CARGO: &str = "/cargo";

/// Lets a build for `triple` have further compiler flags, and none of this machine's folders in what it makes.
pub(super) fn hide(
    command: &mut Command,
    workspace: &Workspace,
    triple: &str,
    further: &[&str],
) -> Result<()> {
    let mut flags: Vec<String> = further.iter().map(|flag| (*flag).to_owned()).collect();
    flags.extend(renamed(folders(workspace)?));
    let (name, value) = setting(|name| env::var(name).ok(), triple, &flags);
    command.env(name, value);
    Ok(())
}

/// The folders whose names could end up in a file, with the names that are there instead.
fn folders(workspace: &Workspace) -> Result<Vec<(PathBuf, &'static str)>> {
    let cargo = match env::var_os("CARGO_HOME") {
        Some(home) => PathBuf::from(home),
        None => env::home_dir().context("no home folder")?.join(".cargo"),
    };
    let mut rustc = Command::new("rustc");
    rustc.args(["--print", "sysroot"]).current_dir(&workspace.root);
    let rust = process::capture(&mut rustc)?;
    let cargo = std::path::absolute(cargo)?;
    let mut folders = vec![
        (workspace.root.clone(), "/preopen"),
        (workspace.target.clone(), "/target"),
        (PathBuf::from(rust.trim()), "/rust"),
    ];
    folders.extend(sources(&cargo).into_iter().map(|folder| (folder, CARGO)));
    folders.push((cargo, CARGO));
    Ok(folders)
}

/// Where cargo keeps the sources of each registry. Every panic names its file, and a registry's part of that name says
/// nothing and is half of it.
fn sources(cargo: &Path) -> Vec<PathBuf> {
    let registries = fs::read_dir(cargo.join("registry").join("src"));
    let found = registries.into_iter().flatten().flatten();
    found.map(|entry| entry.path()).collect()
}

/// The compiler's flags for that. Of several that fit it takes the last: a folder inside of another comes after it.
fn renamed(mut folders: Vec<(PathBuf, &str)>) -> Vec<String> {
    folders.sort_by_key(|(folder, _)| folder.components().count());
    folders
        .iter()
        .map(|(folder, name)| format!("--remap-path-prefix={}={name}", folder.display()))
        .collect()
}

/// The variable that adds flags to those that cargo takes now: of all its variables it reads only the first that is set.
fn setting(set: impl Fn(&str) -> Option<String>, triple: &str, flags: &[String]) -> (String, String) {
    let encoded = "CARGO_ENCODED_RUSTFLAGS";
    let for_target = format!(
        "CARGO_TARGET_{}_RUSTFLAGS",
        triple.to_uppercase().replace('-', "_")
    );
    let words = |name: &str| {
        Some(
            set(name)?
                .split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>(),
        )
    };
    let join = |mut before: Vec<String>, between: &str| {
        before.extend_from_slice(flags);
        before.join(between)
    };
    if let Some(text) = set(encoded) {
        let before = text.split(SEPARATOR).filter(|flag| !flag.is_empty());
        let before = before.map(str::to_owned).collect();
        return (encoded.to_owned(), join(before, SEPARATOR));
    }
    if let Some(before) = words("RUSTFLAGS") {
        return (encoded.to_owned(), join(before, SEPARATOR));
    }
    let before = words(&for_target).unwrap_or_default();
    if flags.iter().any(|flag| flag.contains(char::is_whitespace)) {
        return (encoded.to_owned(), join(before, SEPARATOR));
    }
    // Unlike the others this one leaves what cargo's configuration says.
    (for_target, join(before, " "))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::process::Command;

    use super::{renamed, setting, sources};
    use crate::process;

    const TRIPLE: &str = "x86_64-unknown-linux-gnu";
    const FOR_TARGET: &str = "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS";

    fn with(name: &'static str, value: &'static str, flags: &[&str]) -> (String, String) {
        let flags: Vec<String> = flags.iter().map(|flag| (*flag).to_owned()).collect();
        setting(|asked| (asked == name).then(|| value.to_owned()), TRIPLE, &flags)
    }

    #[test]
    fn flags_that_are_set_stay_and_are_read() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(with("", "", &["-A", "b"]), pair(FOR_TARGET, "-A b"));
        assert_eq!(with(FOR_TARGET, "-C old", &["-A"]), pair(FOR_TARGET, "-C old -A"));
        let encoded = "CARGO_ENCODED_RUSTFLAGS";
        assert_eq!(
            with("RUSTFLAGS", "-C  old", &["-A"]),
            pair(encoded, "-C\u{1f}old\u{1f}-A")
        );
        assert_eq!(
            with(encoded, "-C\u{1f}a b", &["-A"]),
            pair(encoded, "-C\u{1f}a b\u{1f}-A")
        );
        assert_eq!(with(encoded, "", &["-A"]), pair(encoded, "-A"));
        assert_eq!(
            with(FOR_TARGET, "-C old", &["a b"]),
            pair(encoded, "-C\u{1f}old\u{1f}a b")
        );
    }

    #[test]
    fn the_innermost_folder_gives_the_name() {
        let folder = std::env::temp_dir().join(format!("xtask-paths-{}", std::process::id()));
        let inner = folder.join("target");
        fs::create_dir_all(&inner).unwrap();
        let source = inner.join("lib.rs");
        fs::write(
            &source,
            "#[inline(never)] pub fn here() -> &'static str { file!() }",
        )
        .unwrap();
        let built = inner.join("lib.s");
        let mut rustc = Command::new("rustc");
        rustc
            .args(["--crate-type", "lib", "--emit", "asm", "-o"])
            .arg(&built)
            .arg(&source);
        rustc.args(renamed(vec![
            (inner.clone(), "/target"),
            (folder.clone(), "/preopen"),
        ]));
        process::run(&mut rustc).unwrap();
        let text = fs::read_to_string(&built).unwrap();
        fs::remove_dir_all(&folder).unwrap();
        assert!(text.contains("/target/lib.rs"), "{text}");
        assert!(!text.contains(&folder.display().to_string()), "{text}");
    }
    #[test]
    fn each_registry_has_its_sources() {
        let cargo = std::env::temp_dir().join(format!("xtask-sources-{}", std::process::id()));
        assert!(sources(&cargo).is_empty());
        let folder = cargo.join("registry").join("src").join("index.example.org-0123");
        fs::create_dir_all(&folder).unwrap();
        let found = sources(&cargo);
        fs::remove_dir_all(&cargo).unwrap();
        assert_eq!(found, [folder]);
    }
}
