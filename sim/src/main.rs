//! `cargo sim`: the stick at work, without hardware.

use std::process::ExitCode;

fn main() -> ExitCode {
    picovd_sim::cli::run(std::env::args_os().skip(1))
}
