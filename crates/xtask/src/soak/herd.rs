//! Many rounds of Python, Node and command-line programs that share one session in files, all cold.

use std::fs;

use anyhow::{Context, Result};
use serde_json::Value;

use super::{Outcome, Soak};
use crate::report::Report;
use crate::test::{Herd, Provision};

const ROUNDS: u32 = 100;
const QUICK: u32 = 5;

pub(super) fn run(soak: &Soak<'_>) -> Result<Outcome> {
    let rounds = if soak.args.quick { QUICK } else { ROUNDS };
    let mut report = Report::default();
    let provision = Provision::new(soak.workspace);
    let herd = Herd::provide(&provision, &mut report).context("not everything could be built")?;
    let folder = soak.folder("herd");
    fs::create_dir_all(&folder)?;
    let file = folder.join("numbers.json");
    let _ = fs::remove_file(&file);
    let counts = herd.run(rounds, Some(&file))?;
    let passed = counts.failed == 0 && counts.passed > 0;
    let told = fs::read_to_string(&file).ok();
    let told = told.and_then(|text| serde_json::from_str(&text).ok());
    let shown = told.as_ref().map_or_else(|| "no numbers".to_owned(), shown);
    Ok(Outcome::new(
        passed,
        format!("PREOPEN_HERD_ROUNDS={rounds} pytest tests/herd"),
        shown,
    ))
}

fn shown(told: &Value) -> String {
    format!(
        "{} rounds of {} programs, one login in each; longest wait for a token {} ms, for all of a round, start-up of \
         the command included, {} ms",
        told["rounds"], told["programs"], told["longest_wait_ms"], told["slowest_round_ms"]
    )
}
