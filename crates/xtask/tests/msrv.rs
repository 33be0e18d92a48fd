//! The oldest Rust that is promised: nothing that is locked wants a newer one, and clippy notices what the standard library
//! got later.
#![allow(clippy::expect_used, reason = "a test: what cannot be read ends it")]

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;

use common::metadata;

/// `1.91` and `1.91.0` as numbers.
fn version(text: &str) -> Vec<u32> {
    let mut numbers: Vec<u32> = text.split('.').filter_map(|part| part.parse().ok()).collect();
    numbers.resize(3, 0);
    numbers
}

#[test]
fn nothing_that_is_locked_wants_a_newer_rust() {
    let metadata = metadata("--locked");
    let packages = metadata["packages"].as_array().expect("packages");
    let promised = version(env!("CARGO_PKG_RUST_VERSION"));
    let mut told = 0;
    let mut newer = Vec::new();
    for package in packages {
        let Some(wanted) = package["rust_version"].as_str() else {
            // Of those that say nothing, a build with the oldest Rust knows: .github/workflows.
            assert!(!package["source"].is_null(), "{} does not say", package["name"]);
            continue;
        };
        told += 1;
        if package["source"].is_null() {
            assert_eq!(version(wanted), promised, "{}", package["name"]);
        }
        if version(wanted) > promised {
            newer.push(format!(
                "{} {} wants {wanted}",
                package["name"], package["version"]
            ));
        }
    }
    assert!(told > 100, "only {told} packages say what they want");
    assert!(newer.is_empty(), "{}", newer.join("\n"));
}

/// What clippy says of a library with one function, for packages that promise this Rust.
fn clippy(promised: &str, folder: &Path) -> String {
    let file = folder.join("newer.rs");
    let code = "//! One function.\n/// Stable since 1.93.\npub fn shown() -> String {\n    std::fmt::from_fn(|f| f.write_str(\"x\")).to_string()\n}\n";
    std::fs::write(&file, code).expect("a file");
    let output = Command::new(beside_cargo("clippy-driver"))
        .args([
            "--crate-type",
            "lib",
            "--edition",
            "2024",
            "--emit",
            "metadata",
            "--out-dir",
        ])
        .arg(folder)
        .arg(&file)
        .env("CARGO_PKG_RUST_VERSION", promised)
        .output()
        .expect("clippy is installed");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn beside_cargo(program: &str) -> PathBuf {
    Path::new(env!("CARGO")).with_file_name(format!("{program}{}", std::env::consts::EXE_SUFFIX))
}

#[test]
fn clippy_notices_what_came_later() {
    let folder = std::env::temp_dir().join(format!("preopen-msrv-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let told = clippy(env!("CARGO_PKG_RUST_VERSION"), &folder);
    assert!(told.contains("incompatible_msrv"), "{told}");
    assert!(!clippy("1.93", &folder).contains("incompatible_msrv"));
    std::fs::remove_dir_all(&folder).expect("the folder is ours");
    // Nothing else tells clippy a version.
    let settings = include_str!("../../../clippy.toml");
    assert!(
        !settings.contains("msrv"),
        "clippy.toml promises a Rust of its own"
    );
}
