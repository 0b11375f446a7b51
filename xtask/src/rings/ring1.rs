//! Ring 1: unit tests of pure functions, published vectors, property tests, and the import table.

use super::{Context, Lane, Ring, cargo_test, harness};
use crate::command;
use crate::imports;
use crate::nightly;
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
    report.check("src/ obeys the import table of docs/ARCHITECTURE.md", || {
        let (files, paths) = imports::check(&context.workspace.root)?;
        if files < 8 || paths < 8 { Err(format!("only {files} files with {paths} paths were seen")) } else { Ok(()) }
    });
    cargo_test(context, report, "cargo test", &["--workspace", "--exclude", "picovd-sim", "--exclude", "picovd-cli"]);
    models(context, report);
    if context.long {
        miri(context, report);
    }
}

/// What several contexts share, in every order that loom finds (tests/models).
fn models(context: &Context, report: &mut Report) {
    let mut cargo = command::cargo(&context.workspace.root.join("tests/models"));
    cargo.args(["test", "--locked"]).env("CARGO_TARGET_DIR", &context.workspace.target);
    if context.long {
        cargo.args(["--", "--include-ignored"]);
    }
    harness(report, "models of what contexts share, in every order", cargo);
}

/// The library's unit tests under Miri, which finds undefined behaviour. The long ones take hours there.
fn miri(context: &Context, report: &mut Report) {
    let mut cargo = nightly::cargo(&context.workspace.root);
    cargo.args([
        "miri",
        "test",
        "--package",
        "picovd",
        "--package",
        "picovd-exfat",
        "--package",
        "picovd-layout",
        "--lib",
    ]);
    // Tests leak what has to live forever, like statics on the chip.
    cargo.env("MIRIFLAGS", "-Zmiri-ignore-leaks");
    cargo.env("CARGO_TARGET_DIR", context.workspace.target.join("miri"));
    harness(report, "the library's unit tests under Miri", cargo);
}
