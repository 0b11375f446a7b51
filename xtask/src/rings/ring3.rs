//! Ring 3: the library on a simulated bus, and `cargo sim` as users run it.

use std::fs;

use super::{Context, Lane, Ring, cargo_test, simulator};
use crate::command::{self, LONG, SHORT};
use crate::nightly;
use crate::report::Report;
use crate::truth::Truth;

/// This ring.
pub const RING: Ring = Ring {
    number: 3,
    title: "the library on a simulated USB bus: the thirteen cases, stories, faults; `cargo sim`",
    packages: &[],
    chip: false,
    lane: Lane::Host,
    run,
};

fn run(context: &Context, report: &mut Report) {
    cargo_test(context, report, "cargo test of the simulator", &["--package", "picovd-sim", "--package", "picovd-cli"]);
    if context.long {
        fuzz(context, report);
    }
    let workspace = &context.workspace;
    let Some(program) = report.check("the simulator builds", || simulator::build(workspace)) else { return };
    let sim = |arguments: &[&str]| command::finish(simulator::command(workspace, &program).args(arguments), LONG);

    report.check("`cargo sim` shows every file of the stock volume and ends 0", || {
        let finished = command::run(&mut simulator::command(workspace, &program), LONG)?;
        let text = finished.text();
        let truth = Truth::read(&workspace.root.join("picovd.toml"))?;
        let name = |path: &String| path.rsplit('/').next().unwrap_or(path).to_owned();
        let lost: Vec<String> = truth.files.keys().map(name).filter(|name| !text.contains(name.as_str())).collect();
        if lost.is_empty() { Ok(()) } else { Err(format!("not shown: {}\n{text}", lost.join(", "))) }
    });
    report.check("`cargo sim story` runs every story on the library", || {
        command::run(simulator::command(workspace, &program).arg("story"), LONG).map(|_| ())
    });
    report.check("`cargo sim story` runs every story where the volume is in a partition", || {
        let mut story = simulator::command(workspace, &program);
        let manifest = workspace.root.join("tests/manifests/partition-table.toml");
        command::run(story.arg("story").arg("--manifest").arg(manifest), LONG).map(|_| ())
    });
    report.check("`cargo sim check` finds nothing wrong", || {
        command::run(simulator::command(workspace, &program).arg("check"), LONG).map(|_| ())
    });
    for words in [
        &["--help"][..],
        &["ls", "--help"],
        &["cat", "--help"],
        &["image", "--help"],
        &["check", "--help"],
        &["layout", "--help"],
        &["story", "--help"],
    ] {
        report.check(&format!("`cargo sim {}` helps", words.join(" ")), || {
            let text = command::run(simulator::command(workspace, &program).args(words), SHORT)?.text();
            if text.to_lowercase().contains("usage") { Ok(()) } else { Err(text) }
        });
    }
    for words in [&["no-such-command"][..], &["ls", "--no-such-option"], &["cat"], &["image"]] {
        report.check(&format!("`cargo sim {}` is refused with a line and status 2", words.join(" ")), || {
            let finished = sim(words)?;
            let said = String::from_utf8_lossy(&finished.stderr).into_owned();
            if finished.status.code() == Some(2) && !said.trim().is_empty() && finished.stdout.is_empty() {
                Ok(())
            } else {
                Err(format!("{}\n{}", finished.status, finished.both()))
            }
        });
    }
}

/// Run time of each fuzz target in seconds.
const FUZZED: u32 = 60;

/// Runs each target of fuzz/ for some time, starting with its corpus. What else it finds is not added to the repository: an
/// input that breaks something is in fuzz/artifacts, and belongs in the corpus once the bug is fixed.
fn fuzz(context: &Context, report: &mut Report) {
    let workspace = &context.workspace;
    let corpora = workspace.root.join("fuzz/corpus");
    let targets = report.check("the corpora of the fuzz targets are there", || {
        let entries = fs::read_dir(&corpora).map_err(|e| format!("{}: {e}", corpora.display()))?;
        let mut names: Vec<String> =
            entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        if names.is_empty() { Err("there are none".to_owned()) } else { Ok(names) }
    });
    for target in targets.unwrap_or_default() {
        report.check(&format!("fuzz target {target} finds nothing in {FUZZED} s"), || {
            let found = workspace.scratch(&format!("fuzz-{target}"))?;
            let mut fuzz = nightly::fuzz(workspace);
            // A device, with its tables, lives as long as the process.
            fuzz.env("ASAN_OPTIONS", "detect_leaks=0");
            fuzz.args(["run", &target, "--target-dir"]).arg(workspace.target.join("fuzz"));
            // libFuzzer writes what it finds into the first folder.
            fuzz.arg(&found).arg(corpora.join(&target));
            fuzz.args([
                "--",
                &format!("-max_total_time={FUZZED}"),
                "-rss_limit_mb=2048",
                "-detect_leaks=0",
                "-timeout=20",
            ]);
            command::run(&mut fuzz, LONG).map(|_| ())
        });
    }
}
