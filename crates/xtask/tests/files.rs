//! Rules that every file of the repository keeps: its size, its opening line, and nothing about one machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const LONGEST: usize = 800;

/// Starts of paths that exist on one machine only. Split, so that this file keeps its own rule.
const MACHINE_PATHS: [&str; 5] = [
    concat!("/ro", "ot/"),
    concat!("/wo", "rk/"),
    concat!("/ho", "me/"),
    concat!("/Us", "ers/"),
    concat!("C:\\Us", "ers\\"),
];

/// People that documentation may invent for a path.
const NOBODY: [&str; 3] = ["you/", "user/", "trader/"];

/// Hosts that packages are downloaded from: which one is the machine's business, not the repository's.
const REGISTRIES: [&str; 9] = [
    concat!("artif", "actory"),
    concat!("jf", "rog.io"),
    concat!("registry.np", "mjs.org"),
    concat!("registry.yarn", "pkg.com"),
    concat!("npm.p", "kg.github.com"),
    concat!("pypi.org/", "simple"),
    concat!("files.python", "hosted.org"),
    concat!("index.cra", "tes.io"),
    concat!("static.cra", "tes.io"),
];

#[test]
fn source_files_are_short() {
    check(|path, text| {
        let source = ["rs", "py", "pyi", "ts", "mjs"]
            .iter()
            .any(|suffix| has_suffix(path, suffix));
        let lines = text.lines().count();
        (source && lines > LONGEST).then(|| format!("has {lines} lines, more than {LONGEST}"))
    });
}

#[test]
fn rust_files_open_by_saying_what_lives_there() {
    check(|path, text| {
        let says = text.lines().next().is_some_and(|line| line.starts_with("//"));
        (has_suffix(path, "rs") && !says).then(|| "does not open with a comment".to_owned())
    });
}

#[test]
fn no_file_names_a_path_of_one_machine() {
    check(|_, text| {
        let found = text
            .lines()
            .find(|line| MACHINE_PATHS.iter().any(|path| names_path(line, path)))?;
        Some(format!("names a path of one machine: {}", found.trim()))
    });
}

#[test]
fn no_file_names_a_registry_host() {
    check(|_, text| {
        let found = REGISTRIES.iter().find(|host| text.contains(*host))?;
        Some(format!("names the registry host {found}"))
    });
}

/// True when the line has the path where a path can begin, and not inside a longer word or address.
fn names_path(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(start, _)| {
        let before = line[..start].chars().next_back();
        let after = &line[start + path.len()..];
        let begins = before.is_none_or(|letter| !letter.is_alphanumeric() && !"._-~}>*".contains(letter));
        begins && !NOBODY.iter().any(|nobody| after.starts_with(nobody))
    })
}

#[test]
fn a_path_is_found_where_one_can_begin() {
    for path in MACHINE_PATHS {
        assert!(names_path(&format!("open(\"{path}x\")"), path));
        assert!(!names_path(&format!("https://example.com{path}x"), path));
        assert!(!names_path(&format!("ExecStart={path}trader/run"), path));
    }
}

fn check(rule: impl Fn(&Path, &str) -> Option<String>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let files = tracked(&root);
    assert!(!files.is_empty(), "the repository has no files");
    let mut wrong = Vec::new();
    for file in files {
        // What is not text, or was removed and not yet committed, has no rule to keep.
        let Ok(text) = fs::read_to_string(root.join(&file)) else {
            continue;
        };
        if let Some(why) = rule(&file, &text) {
            wrong.push(format!("{} {why}", file.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Git's list, with files not added yet; outside a checkout (an unpacked archive) every file that is not a build's.
fn tracked(root: &Path) -> Vec<PathBuf> {
    let mut git = Command::new("git");
    git.current_dir(root)
        .args(["ls-files", "--cached", "--others", "--exclude-standard"]);
    match git.output() {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout)
            .lines()
            .map(PathBuf::from)
            .collect(),
        _ => {
            let mut files = Vec::new();
            walk(root, Path::new(""), &mut files);
            files
        }
    }
}

fn walk(root: &Path, folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(root.join(folder)).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let path = folder.join(&name);
        let built = ["target", "node_modules", "dist", ".git", ".venv", "__pycache__"];
        if built.iter().any(|built| name == *built) {
            continue;
        }
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            walk(root, &path, files);
        } else {
            files.push(path);
        }
    }
}

fn has_suffix(path: &Path, suffix: &str) -> bool {
    path.extension().is_some_and(|found| found == suffix)
}
