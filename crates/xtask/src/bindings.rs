//! `cargo xtask bindings`: the library of `bindings/uniffi`, and the Kotlin, Swift and Python that go with it, in `dist/`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use crate::process;
use crate::tools::python::{self, Python, Venv};
use crate::workspace::Workspace;

/// What UniFFI writes for.
const LANGUAGES: [&str; 3] = ["kotlin", "swift", "python"];

pub(crate) fn run() -> Result<ExitCode> {
    let workspace = Workspace::load()?;
    let newest = python::discover()?.pop().context("no Python")?;
    let tools = generator(&workspace, &newest)?;
    let folder = workspace.root.join("dist").join("uniffi");
    generate(&workspace, &tools, "release", &folder)?;
    println!("dist/uniffi: {}", LANGUAGES.join(", "));
    Ok(ExitCode::SUCCESS)
}

/// The environment with UniFFI's generator.
pub(crate) fn generator(workspace: &Workspace, python: &Python) -> Result<Venv> {
    Venv::provide(workspace, "uniffi", python, "tests/uniffi/requirements.txt")
}

/// Builds the library and writes every language into a folder of its own, with the library beside the Python.
pub(crate) fn generate(workspace: &Workspace, tools: &Venv, profile: &str, folder: &Path) -> Result<()> {
    workspace.require_package("preopen-uniffi")?;
    let mut build = workspace.cargo();
    // What is written is read from symbols of the library, which a release would lose.
    build.env("CARGO_PROFILE_RELEASE_STRIP", "debuginfo");
    process::run(build.args([
        "build",
        "--package",
        "preopen-uniffi",
        "--profile",
        cargo_profile(profile),
    ]))?;
    let library = library(workspace, profile);
    let _ = fs::remove_dir_all(folder);
    for language in LANGUAGES {
        let mut bindgen = Command::new(program(tools));
        bindgen
            .args([
                "generate",
                "--no-format",
                "--metadata-no-deps",
                "--crate",
                "preopen_uniffi",
            ])
            .args(["--language", language, "--out-dir"])
            .arg(folder.join(language))
            .arg(&library);
        process::run(bindgen.current_dir(&workspace.root))?;
    }
    let name = library.file_name().context("the library has no name")?;
    fs::copy(&library, folder.join("python").join(name))?;
    Ok(())
}

fn cargo_profile(profile: &str) -> &str {
    if profile == "debug" { "dev" } else { profile }
}

fn library(workspace: &Workspace, profile: &str) -> PathBuf {
    let name = format!(
        "{}preopen_uniffi{}",
        std::env::consts::DLL_PREFIX,
        std::env::consts::DLL_SUFFIX
    );
    workspace.target.join(profile).join(name)
}

fn program(tools: &Venv) -> PathBuf {
    tools
        .python()
        .with_file_name(format!("uniffi-bindgen{}", std::env::consts::EXE_SUFFIX))
}
