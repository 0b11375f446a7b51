//! Ring 3: the library on a simulated bus, and `cargo sim` as a person uses it.

use super::{Context, Lane, Ring, cargo_test, simulator};
use crate::command::{self, LONG, SHORT};
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
    cargo_test(context, report, "cargo test of the simulator", &["--package", "picovd-sim"]);
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
