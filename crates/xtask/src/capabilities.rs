//! `cargo xtask capabilities`: writes `docs/capabilities.md` from the core's tables and the vectors and scenarios that prove
//! them; `--check` only says whether the page is that, and what no vector proves.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use preopen_core::broker::{Adapter, ProfileSource};
use preopen_core::brokers::{AngelOne, Samco, TABLES};
use preopen_core::catalogue::{Entry, On, Row, Tables};
use preopen_core::wire::{CallClass, Endpoint, Method, RawReply};
use serde_json::Value;

use crate::workspace::Workspace;

const PAGE: &str = "docs/capabilities.md";

/// Which programs run the vectors and scenarios, all of them, in each language.
const RUNNERS: [(&str, [&str; 2]); 3] = [
    (
        "Rust",
        [
            "crates/core/tests/vectors.rs",
            "crates/preopen/tests/scenarios.rs",
        ],
    ),
    (
        "Python",
        ["tests/python/test_vectors.py", "tests/python/test_scenarios.py"],
    ),
    (
        "Node",
        ["tests/node/vectors.test.mjs", "tests/node/scenarios.test.mjs"],
    ),
];

const OPENING: &str = "\
# Capabilities

Written by `cargo xtask capabilities` from the tables of the core (`crates/core/src/brokers/*/{catalogue,faults}.rs`) and the vectors and scenarios of
`tests/`; a test holds that the page is what the command writes and that nothing is missing. *Section* is that of the protocol notes which the row was
taken from, *known by* how far it is to be trusted. A vector is a reply in the documented shape with values of our own; Rust reads it with the core,
Python and Node get it from the embedded broker. A scenario is a story that all three play. No row was tried against a live account.

Calls that a session makes itself (login, renewal, logout, whoami, profile) have methods of their own; all others go through `get`, `post`, `put` and
`delete`, which know from this table whether a call may be repeated. A call that is not listed may be made, too: a GET counts as a read and anything
else as a write.
";

/// What the command may be told.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Write nothing; fail when the page is not up to date.
    #[arg(long)]
    check: bool,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let workspace = Workspace::load()?;
    let mut missing = Vec::new();
    let page = page(&workspace.root, &mut missing)?;
    if !workspace.write_or_compare(PAGE, &page, args.check)? {
        missing.push(format!("{PAGE} is not what `cargo xtask capabilities` writes"));
    }
    for line in &missing {
        eprintln!("{line}");
    }
    Ok(if missing.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// One vector or scenario.
struct Proof {
    name: String,
    about: String,
    /// The call of a vector; what a scenario has the broker count.
    calls: Vec<Endpoint>,
    /// The reply of a vector that becomes an error.
    refused: Option<RawReply>,
}

fn page(root: &Path, missing: &mut Vec<String>) -> Result<String> {
    for (language, programs) in RUNNERS {
        for (program, folder) in programs.iter().zip(["vectors", "scenarios"]) {
            let text =
                fs::read_to_string(root.join(program)).with_context(|| format!("{language}: {program}"))?;
            ensure!(text.contains(folder), "{program} does not read the {folder}");
        }
    }
    let mut page = OPENING.to_owned();
    for tables in &TABLES {
        let proofs = proofs(root, tables)?;
        endpoints(&mut page, tables, &proofs, missing);
        faults(&mut page, tables, &proofs, missing);
        shapes(&mut page, tables, &proofs);
    }
    Ok(page)
}

fn endpoints(page: &mut String, tables: &Tables, proofs: &[Proof], missing: &mut Vec<String>) {
    let count = tables.endpoints.len();
    let _ = write!(
        page,
        "\n## {}: {count} endpoints\n\n\
        | endpoint | does | static IP | payload | section | known by | Rust | Python | Node | proven by |\n\
        | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n",
        tables.broker
    );
    for entry in tables.endpoints {
        let by: Vec<&str> = proofs
            .iter()
            .filter(|proof| proof.calls.iter().any(|call| entry.is(call.method, &call.path)))
            .map(|proof| proof.name.as_str())
            .collect();
        if by.is_empty() {
            missing.push(format!(
                "{}: no vector of {} {}",
                tables.broker, entry.method, entry.path
            ));
        }
        let gate = entry.gate.map_or("", |known| known.as_str());
        let _ = writeln!(
            page,
            "| `{} {}` | {} | {gate} | {} | {} | {} | {} | {} |",
            entry.method,
            entry.path,
            class(entry),
            payload(entry),
            entry.section,
            entry.confidence.as_str(),
            languages(&by),
            named(&by),
        );
    }
}

fn faults(page: &mut String, tables: &Tables, proofs: &[Proof], missing: &mut Vec<String>) {
    let count = tables.faults.len();
    let _ = write!(
        page,
        "\n## {}: {count} refusals\n\nThe first row that matches decides; the status decides what none does.\n\n\
        | on | code | message begins with | error | section | known by | Rust | Python | Node | proven by |\n\
        | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n",
        tables.broker
    );
    for (nth, row) in tables.faults.iter().enumerate() {
        let by: Vec<&str> = proofs
            .iter()
            .filter(|proof| decides(tables, proof) == Some(nth))
            .map(|proof| proof.name.as_str())
            .collect();
        if by.is_empty() {
            missing.push(format!("{}: no vector of {row:?}", tables.broker));
        }
        let _ = writeln!(
            page,
            "| {} | {} | {} | {} | {} | {} | {} | {} |",
            on(row),
            row.code,
            row.text,
            error(row),
            row.section,
            row.confidence.as_str(),
            languages(&by),
            named(&by),
        );
    }
}

/// The vectors that show how an envelope is read, and that no row stands for.
fn shapes(page: &mut String, tables: &Tables, proofs: &[Proof]) {
    let shapes: Vec<&Proof> = proofs
        .iter()
        .filter(|proof| proof.name.starts_with("envelope-"))
        .collect();
    let _ = write!(
        page,
        "\n## {}: {} irregular envelopes\n\n",
        tables.broker,
        shapes.len()
    );
    for proof in shapes {
        let _ = writeln!(page, "- `{}`: {}", proof.name, proof.about);
    }
}

fn decides(tables: &Tables, proof: &Proof) -> Option<usize> {
    tables.fault(proof.calls.first()?, proof.refused.as_ref()?)
}

fn class(entry: &Entry) -> &'static str {
    match (entry.class, entry.method) {
        (CallClass::Login, _) => "opens a session",
        (CallClass::Logout, _) => "ends a session",
        (CallClass::Read, _) => "reads",
        _ => "writes",
    }
}

fn payload(entry: &Entry) -> String {
    let keys: Vec<String> = entry
        .payload
        .iter()
        .take(4)
        .map(|key| format!("`{key}`"))
        .collect();
    let more = if entry.payload.len() > keys.len() {
        ", ..."
    } else {
        ""
    };
    format!("{}{more}", keys.join(", "))
}

fn on(row: &Row) -> String {
    match row.on {
        On::Login => "logins".to_owned(),
        On::Session => "other calls".to_owned(),
        On::Path(path) => format!("`{path}`"),
        _ => "any".to_owned(),
    }
}

fn error(row: &Row) -> String {
    let (code, which) = row.verdict.error();
    which.map_or_else(|| format!("`{code}`"), |which| format!("`{code}` (`{which}`)"))
}

/// Every vector and scenario runs in every language.
fn languages(by: &[&str]) -> String {
    [if by.is_empty() { "**no**" } else { "yes" }; RUNNERS.len()].join(" | ")
}

fn named(by: &[&str]) -> String {
    let names: Vec<String> = by.iter().take(2).map(|name| format!("`{name}`")).collect();
    let more = if by.len() > names.len() {
        format!(" and {} more", by.len() - names.len())
    } else {
        String::new()
    };
    format!("{}{more}", names.join(", "))
}

/// The vectors of a broker by name, then the scenarios.
fn proofs(root: &Path, tables: &Tables) -> Result<Vec<Proof>> {
    let adapter = adapter(tables.broker)?;
    let mut proofs = Vec::new();
    for (name, vector) in files(&root.join("tests/vectors").join(tables.broker))? {
        let call = text(&vector["call"]);
        let refused = vector["expect"]
            .get("error")
            .map(|_| reply(&vector["reply"]))
            .transpose()?;
        proofs.push(Proof {
            about: text(&vector["about"]).to_owned(),
            calls: vec![call_of(adapter.as_ref(), call).with_context(|| name.clone())?],
            refused,
            name,
        });
    }
    for (name, scenario) in files(&root.join("tests/scenarios"))? {
        if scenario["broker"] != tables.broker {
            continue;
        }
        let counted = scenario["calls"].as_object().into_iter().flatten();
        let seen = counted
            .filter(|(_, count)| count.as_u64() != Some(0))
            .map(|(path, _)| path);
        let calls = seen
            .flat_map(|path| {
                tables
                    .endpoints
                    .iter()
                    .filter(|entry| entry.is(entry.method, path))
            })
            .map(|entry| Endpoint::new(entry.method, entry.path.replace("{}", "1"), entry.class))
            .collect();
        proofs.push(Proof {
            about: String::new(),
            calls,
            refused: None,
            name,
        });
    }
    Ok(proofs)
}

fn call_of(adapter: &dyn Adapter, call: &str) -> Result<Endpoint> {
    match call {
        "login" => Ok(adapter.login(None).endpoint),
        "whoami" => Ok(adapter.whoami().context("no whoami")?.endpoint),
        "profile" => match adapter.profile() {
            ProfileSource::Call(request) => Ok(request.endpoint),
            ProfileSource::Login => bail!("the profile is no call"),
        },
        call => {
            let (method, path) = call.split_once(' ').context("not a method and a path")?;
            let method = Method::parse(method).map_err(|error| anyhow::anyhow!("{error}"))?;
            Ok(adapter.endpoint(method, path))
        }
    }
}

fn reply(reply: &Value) -> Result<RawReply> {
    let status = reply["status"].as_u64().context("no status")?;
    let body = reply
        .get("text")
        .map_or_else(|| reply["body"].to_string(), |text| self::text(text).to_owned());
    Ok(RawReply::new(u16::try_from(status)?, body))
}

fn adapter(broker: &str) -> Result<Box<dyn Adapter>> {
    match broker {
        "samco" => Ok(Box::new(Samco::new("k", "s"))),
        "angelone" => Ok(Box::new(AngelOne::new(
            "k",
            "C1",
            "0000",
            "JBSWY3DPEHPK3PXPJBSWY3DPEH",
        ))),
        other => bail!("no broker {other}"),
    }
}

/// The JSON files of a folder by name.
fn files(folder: &Path) -> Result<Vec<(String, Value)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("no folder {}", folder.display()))? {
        let path = entry?.path();
        let name = path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let value = serde_json::from_slice(&fs::read(&path)?).with_context(|| path.display().to_string())?;
        files.push((name, value));
    }
    files.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(files)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
