//! Counting: one path in two processes under callgrind.

use std::fs;
use std::path::{Path as File, PathBuf};
use std::process::Command;
use std::thread;

use anyhow::{Context, Result, ensure};

use super::broker::Broker;
use super::paths::Path;
use super::programs::Program;
use crate::process;
use crate::tools;
use crate::workspace::Workspace;

pub(super) struct Counter {
    valgrind: PathBuf,
    /// Where the profiles are.
    folder: PathBuf,
}

impl Counter {
    /// Says why not when nothing can be counted here that budgets could be compared with.
    pub(super) fn find(workspace: &Workspace) -> Result<Self, &'static str> {
        if !cfg!(all(
            target_os = "linux",
            target_arch = "x86_64",
            target_env = "gnu"
        )) {
            return Err("the budgets are for Linux with glibc on x86-64");
        }
        // To programs valgrind shows one processor, whatever the machine's is: with AVX2 if the machine has it.
        #[cfg(target_arch = "x86_64")]
        if !std::arch::is_x86_feature_detected!("avx2") {
            return Err("the budgets are for processors with AVX2");
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        let valgrind = tools::on_path(&path, &["valgrind"])
            .ok_or("valgrind is not installed (Debian: apt-get install valgrind)")?;
        Ok(Self {
            valgrind,
            folder: workspace.target.join("test-reports/instructions"),
        })
    }

    pub(super) fn version(&self) -> Result<String> {
        let said = process::capture(Command::new(&self.valgrind).arg("--version"))?;
        Ok(said.trim().trim_start_matches("valgrind-").to_owned())
    }

    /// What callgrind wrote of the longer of the two processes.
    pub(super) fn profile(&self, path: &Path) -> PathBuf {
        self.file(path, path.times.1)
    }

    fn file(&self, path: &Path, times: u32) -> PathBuf {
        let words = path.name.split(|letter: char| !letter.is_ascii_alphanumeric());
        let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
        self.folder.join(format!("{}-{times}.out", words.join("-")))
    }

    /// The instructions of going the path once; `broker` is the command that has the embedded broker.
    pub(super) fn count(&self, path: &Path, program: &Program, broker: &File) -> Result<u64> {
        let (few, many) = path.times;
        let (base, all) = thread::scope(|scope| {
            let base = scope.spawn(|| self.total(path, few, program, broker));
            let all = self.total(path, many, program, broker);
            (base.join(), all)
        });
        let base = base.map_err(|_| anyhow::anyhow!("its thread panicked"))??;
        let more = all?
            .checked_sub(base)
            .context("more rounds took fewer instructions")?;
        Ok(more / u64::from(many - few))
    }

    /// All instructions of a process that goes the path so often.
    fn total(&self, path: &Path, times: u32, program: &Program, broker: &File) -> Result<u64> {
        let broker = Broker::start(broker)?;
        let profile = self.file(path, times);
        fs::create_dir_all(&self.folder)?;
        let _ = fs::remove_file(&profile);
        let mut valgrind = Command::new(&self.valgrind);
        // Nothing of this machine's environment: a proxy or a locale would be another path.
        valgrind.env_clear();
        valgrind.arg("--tool=callgrind");
        valgrind.arg(format!("--callgrind-out-file={}", profile.display()));
        program.goes(&mut valgrind);
        valgrind
            .args([path.word, &times.to_string()])
            .env("PREOPEN_INSTRUCTIONS", &broker.settings);
        let (status, said) = process::status_into(&profile.with_extension("log"), &mut valgrind)?;
        ensure!(status.success(), "it failed ({status})\n{}", said.trim());
        total_of(&fs::read_to_string(&profile)?).context("callgrind wrote no total")
    }
}

/// The total of a profile: it stands on a line of its own at the end.
fn total_of(profile: &str) -> Option<u64> {
    let total = |line: &str| line.strip_prefix("totals: ")?.trim().parse().ok();
    profile.lines().rev().find_map(total)
}

#[cfg(test)]
mod tests {
    use super::total_of;

    #[test]
    fn the_total_of_a_profile_is_read() {
        let profile = "# callgrind format\nevents: Ir\nsummary: 9\n\nfn=(1) main\n3 5\n\ntotals: 1234567\n";
        assert_eq!(total_of(profile), Some(1_234_567));
        assert_eq!(total_of("events: Ir\n"), None);
    }
}
