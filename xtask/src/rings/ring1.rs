//! Ring 1: unit tests beside pure functions, published vectors, property tests, and the table of who may import whom.

use super::{Context, Lane, Ring, cargo_test};
use crate::imports;
use crate::report::Report;

/// This ring.
pub const RING: Ring = Ring {
    number: 1,
    title: "unit, property and documentation tests against definitions",
    packages: &[],
    chip: false,
    lane: Lane::Host,
    run,
};

fn run(context: &Context, report: &mut Report) {
    report.check("src/ names what the import table of docs/ARCHITECTURE.md lets it name", || {
        let (files, paths) = imports::check(&context.workspace.root)?;
        if files < 8 || paths < 8 { Err(format!("only {files} files with {paths} paths were seen")) } else { Ok(()) }
    });
    cargo_test(context, report, "cargo test", &["--workspace", "--exclude", "picovd-sim"]);
}
