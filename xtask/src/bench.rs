//! How fast the simulated stick reads on this machine.

use std::fs;
use std::time::{Duration, Instant};

use crate::command::{self, LONG, SHORT};
use crate::rings::simulator;
use crate::workspace::Workspace;

/// Reads the whole stock volume `rounds` times, and prints the fastest and the slowest.
pub fn run(workspace: &Workspace, rounds: u32) -> Result<(), String> {
    let program = simulator::build(workspace)?;
    let image = workspace.scratch("bench")?.join("stock.img");
    let mut times: Vec<Duration> = Vec::new();
    for _ in 0..rounds {
        let mut read = simulator::command(workspace, &program);
        read.arg("image").arg(&image).arg("--manifest").arg(workspace.root.join("picovd.toml"));
        let start = Instant::now();
        command::run(&mut read, if rounds > 1 { LONG } else { SHORT })?;
        times.push(start.elapsed());
    }
    let length = fs::metadata(&image).map_err(|e| format!("{}: {e}", image.display()))?.len();
    times.sort();
    for (name, time) in [("fastest", times.first()), ("slowest", times.last())] {
        let seconds = time.map_or(0.0, Duration::as_secs_f64);
        println!(
            "{name} of {rounds}: {seconds:.3} s for {length} bytes, {:.0} KiB/s",
            length as f64 / 1024.0 / seconds
        );
    }
    Ok(())
}
