//! `completions`: shell completions.

use crate::Failure;
use clap::{Args, Command};
use clap_complete::{Generator, Shell};
use std::io::Write;

/// Write a shell script that completes the program's commands and options
///
/// For bash: picovd completions bash >~/.local/share/bash-completion/completions/picovd
///
/// For fish: picovd completions fish >~/.config/fish/completions/picovd.fish
///
/// For zsh: picovd completions zsh >DIRECTORY/_picovd, where DIRECTORY is in $fpath.
#[derive(Args)]
pub struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    /// Writes the script for `program`.
    pub fn run(&self, program: &Command, out: &mut dyn Write) -> Result<(), Failure> {
        Ok(self.shell.try_generate(program, out)?)
    }
}
