//! `completions`: the program's words for a shell.

use crate::{Failure, command_line};
use clap::Args;
use clap_complete::{Generator, Shell};
use std::io::Write;

/// Write a script that completes the program's words, for a shell to read
#[derive(Args)]
pub struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    /// Writes the script.
    pub fn run(&self, out: &mut dyn Write) -> Result<(), Failure> {
        Ok(self.shell.try_generate(&command_line::program(), out)?)
    }
}
