//! Ring 4: the settings store compared with a model, on a flash that loses power anywhere.

use super::{Context, Lane, Ring, excerpt};
use crate::command::{self, LONG};
use crate::report::{Counts, Report, cargo_counts};

/// This ring.
pub const RING: Ring = Ring {
    number: 4,
    title: "the settings store against a model: power cuts at every operation and byte, bad sectors, wear",
    packages: &[],
    chip: false,
    lane: Lane::Host,
    run,
};

fn run(context: &Context, report: &mut Report) {
    let mut cargo = command::cargo(&context.workspace.root);
    // Optimized, and with the tests that a plain `cargo test` skips: a sample, with --long all of them.
    cargo.args(["test", "--release", "--package", "picovd", "--test", "settings_store"]);
    cargo.args(["--", "--include-ignored", "--nocapture"]);
    cargo.args(if context.long { &[][..] } else { &["--skip", "long::"] });
    let mut text = String::new();
    report.tests("settings_store, optimized", || match command::finish(&mut cargo, LONG) {
        Err(reason) => (Counts::default(), Err(reason)),
        Ok(finished) => {
            text = finished.text();
            let failed = || Err(format!("`{}` failed\n{}", command::line(&cargo), excerpt(&text, &finished.both())));
            let result = if finished.status.success() { Ok(()) } else { failed() };
            (cargo_counts(&text), result)
        }
    });
    for line in text.lines().filter(|line| line.contains("erases a save") || line.starts_with("operations: ")) {
        report.note(line);
    }
}
