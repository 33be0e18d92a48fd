//! `preopen completions SHELL`: a script that completes commands, options and their values on Tab.

use std::process::ExitCode;

use clap::Args;
use clap_complete::Shell;

use crate::output::{Failure, text};

#[derive(Debug, Args)]
#[command(after_help = WHERE)]
pub(crate) struct Arguments {
    /// The shell.
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

const WHERE: &str = "\
Where the script goes, once its folder is there (mkdir -p):
  bash        preopen completions bash > ~/.local/share/bash-completion/completions/preopen
              (with the package bash-completion; without it, source the script in ~/.bashrc)
  zsh         preopen completions zsh > \"${fpath[1]}/_preopen\"
  fish        preopen completions fish > ~/.config/fish/completions/preopen.fish
  powershell  preopen completions powershell >> $PROFILE";

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut crate::command(), "preopen", &mut script);
    text(&script)?;
    Ok(ExitCode::SUCCESS)
}
