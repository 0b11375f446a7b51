//! The rings of tests (docs/ARCHITECTURE.md), one file each, and the task that runs them.

pub mod examples;
mod installed;
mod projects;
mod ring0;
mod ring1;
mod ring2;
mod ring3;
mod ring4;
mod ring5;
mod ring6;
mod ring7;
pub mod simulator;

use std::process::Command;
use std::thread;

use crate::command::{self, LONG};
use crate::fatfs;
use crate::nightly;
use crate::reference;
use crate::report::{Counts, Report, cargo_counts};
use crate::setup::{self, Package, Policy};
use crate::toolchain::{Choice, Processor, Toolchain};
use crate::workspace::Workspace;

/// One ring.
pub struct Ring {
    /// Its number in docs/ARCHITECTURE.md.
    pub number: u8,
    /// What runs, and against what.
    pub title: &'static str,
    /// Debian packages that it needs.
    pub packages: &'static [Package],
    /// Whether it builds for the chip.
    pub chip: bool,
    /// Its lane.
    pub lane: Lane,
    /// Runs its checks.
    pub run: fn(&Context, &mut Report),
}

/// Rings of different lanes run at the same time, those of one lane one after the other: much of the time, cargo uses only
/// one core, linking a program for the chip, or waits for a test that sleeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Mostly programs for this machine.
    Host,
    /// Mostly programs for the chip.
    Chip,
    /// Alone, after the others: it has deadlines.
    Alone,
}

/// The context of a ring.
pub struct Context {
    /// The workspace.
    pub workspace: Workspace,
    /// Whether `--long` was given.
    pub long: bool,
    /// Whether `--bless` was given: texts replace the blessed ones they are compared with.
    pub bless: bool,
    /// The Rust for the chip, for rings that request it with [`Ring::chip`].
    pub toolchain: Option<Toolchain>,
}

impl Context {
    /// The Rust for the chip.
    pub fn chip(&self) -> Result<&Toolchain, String> {
        self.toolchain.as_ref().ok_or_else(|| "this ring did not ask for the chip's toolchain".to_owned())
    }
}

/// Every ring, in the order in which they run.
const RINGS: [&Ring; 8] =
    [&ring0::RING, &ring1::RING, &ring2::RING, &ring3::RING, &ring4::RING, &ring5::RING, &ring6::RING, &ring7::RING];

/// A ring by number.
pub fn find(number: u8) -> Option<&'static Ring> {
    RINGS.into_iter().find(|ring| ring.number == number)
}

/// The numbers of all rings, for a message.
pub fn numbers() -> String {
    RINGS.map(|ring| ring.number.to_string()).join(", ")
}

/// One line for each ring, for the help text.
pub fn list() -> String {
    RINGS.iter().map(|ring| format!("    {}  {}\n", ring.number, ring.title)).collect()
}

/// The rings of the given numbers; without numbers, all of them.
pub fn selected(numbers: &[u8]) -> Vec<&'static Ring> {
    RINGS.into_iter().filter(|ring| numbers.is_empty() || numbers.contains(&ring.number)).collect()
}

/// Installs what rings need, with `long` also what only `--long` needs. Returns the Rust for the chip if one of them
/// requests it.
pub fn prepare(
    workspace: &Workspace,
    rings: &[&Ring],
    long: bool,
    choice: Choice,
    policy: Policy,
) -> Result<Option<Toolchain>, String> {
    let mut packages: Vec<Package> = Vec::new();
    for package in rings.iter().flat_map(|ring| ring.packages) {
        if !packages.iter().any(|known| known.name == package.name) {
            packages.push(*package);
        }
    }
    // Report everything that is missing at once, so that a manual installation takes one round.
    let packages = setup::packages(&packages, policy);
    let wanted = |number: u8| rings.iter().any(|ring| ring.number == number);
    let components = if wanted(ring0::RING.number) { ring0::components(policy) } else { Ok(()) };
    // Ring 1 runs Miri, ring 3 the fuzz targets.
    let nightly = if long && (wanted(ring1::RING.number) || wanted(ring3::RING.number)) {
        nightly::components(workspace, policy)
    } else {
        Ok(())
    };
    let wheel = if wanted(ring5::RING.number) { reference::get(workspace, policy).map(|_| ()) } else { Ok(()) };
    let fatfs = if wanted(ring2::RING.number) { fatfs::get(workspace, policy).map(|_| ()) } else { Ok(()) };
    let guest = if wanted(ring6::RING.number) { ring6::components(policy, long) } else { Ok(()) };
    let page = if wanted(ring7::RING.number) { ring7::components(policy) } else { Ok(()) };
    let toolchain = if rings.iter().any(|ring| ring.chip) {
        // Ring 5 also builds for the other cores, and for other chips.
        Toolchain::find(workspace, choice, policy).and_then(|found| {
            if wanted(ring5::RING.number) {
                found.of(Processor::RiscV, workspace, policy)?;
                for (_, target) in examples::OTHER_CHIPS {
                    found.of_target(target, workspace, policy)?;
                }
            }
            Ok(Some(found))
        })
    } else {
        Ok(None)
    };
    let mut missing: Vec<&str> = [&packages, &components, &nightly, &wheel, &fatfs, &guest, &page]
        .into_iter()
        .filter_map(|r| r.as_ref().err())
        .map(|e| &**e)
        .collect();
    missing.extend(toolchain.as_ref().err().map(|e| &**e));
    if missing.is_empty() { toolchain } else { Err(missing.join("\n")) }
}

/// Runs rings: all if `numbers` is empty. Returns whether every check passed.
pub fn test(workspace: &Workspace, numbers: &[u8], long: bool, bless: bool, choice: Choice, policy: Policy) -> bool {
    let mut report = Report::new();
    let rings = selected(numbers);
    let context = report.check("everything that the tests need is there", || {
        let toolchain = prepare(workspace, &rings, long, choice, policy)?;
        Ok(Context { workspace: workspace.clone(), long, bless, toolchain })
    });
    if let Some(context) = context {
        run(&context, &rings, &mut report);
    }
    let left: Vec<String> = RINGS
        .iter()
        .filter(|ring| !rings.iter().any(|run| run.number == ring.number))
        .map(|r| r.number.to_string())
        .collect();
    if !left.is_empty() {
        println!("skipped: ring {}", left.join(", "));
    }
    if !long {
        println!("skipped: what only --long runs");
    }
    report.close()
}

/// Runs rings, those of different lanes at the same time.
fn run(context: &Context, rings: &[&Ring], report: &mut Report) {
    let of = |lane: Lane| rings.iter().copied().filter(move |ring| ring.lane == lane);
    let work = |lane: Lane, report: &mut Report| {
        for ring in of(lane) {
            report.ring(ring.number, ring.title);
            (ring.run)(context, report);
        }
    };
    if [Lane::Host, Lane::Chip].into_iter().all(|lane| of(lane).next().is_some()) {
        thread::scope(|scope| {
            let chip = scope.spawn(|| {
                let mut chip = Report::abreast();
                work(Lane::Chip, &mut chip);
                chip
            });
            let mut host = Report::abreast();
            work(Lane::Host, &mut host);
            report.add(host);
            match chip.join() {
                Ok(chip) => report.add(chip),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        });
    } else {
        work(Lane::Host, report);
        work(Lane::Chip, report);
    }
    work(Lane::Alone, report);
}

/// Runs `cargo test` with the given arguments as one entry of the report.
///
/// Tests marked `#[ignore]` are the long ones: `--long` includes them. Those in a module `ring5` are for ring 5, which
/// provides what they need. `--bless` is passed to all of them as PICOVD_BLESS.
fn cargo_test(context: &Context, report: &mut Report, name: &str, arguments: &[&str]) -> bool {
    let mut cargo = command::cargo(&context.workspace.root);
    cargo.args(["test", "--no-fail-fast"]).args(arguments).args(["--", "--skip", "ring5::"]);
    if context.long {
        cargo.arg("--include-ignored");
    }
    if context.bless {
        cargo.env("PICOVD_BLESS", "1");
    }
    harness(report, name, cargo)
}

/// Runs a `cargo test` as one entry of the report.
fn harness(report: &mut Report, name: &str, mut cargo: Command) -> bool {
    report.tests(name, || match command::finish(&mut cargo, LONG) {
        Err(reason) => (Counts::default(), Err(reason)),
        Ok(finished) => {
            let counts = cargo_counts(&finished.text());
            let result = if finished.status.success() {
                Ok(())
            } else {
                Err(format!("`{}` failed\n{}", command::line(&cargo), excerpt(&finished.text(), &finished.both())))
            };
            (counts, result)
        }
    })
}

/// The explanation of a failed run: the parts after `failures:`, else the compiler's output at the end.
fn excerpt(stdout: &str, both: &str) -> String {
    let mut shown = Vec::new();
    let mut inside = false;
    for line in stdout.lines() {
        inside = (inside || line == "failures:") && !line.starts_with("test result:");
        if inside {
            shown.push(line);
        }
    }
    if shown.is_empty() {
        return command::tail(both, 60);
    }
    let more = shown.len().saturating_sub(200);
    shown.truncate(200);
    let mut text = shown.join("\n");
    if more > 0 {
        text += &format!("\n... and {more} lines");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{excerpt, find, selected};

    #[test]
    fn no_number_means_every_ring() {
        assert_eq!(selected(&[]).len(), super::RINGS.len());
        assert_eq!(selected(&[2]).len(), 1);
        assert!(find(99).is_none());
    }

    #[test]
    fn failures_are_cut_out() {
        let output = "test a ... FAILED\n\nfailures:\n\n---- a stdout ----\nwhy\n\ntest result: FAILED. 0 passed; 1 failed\nmore\n";
        assert_eq!(excerpt(output, ""), "failures:\n\n---- a stdout ----\nwhy\n");
        assert_eq!(excerpt("nothing", "error[E0001]"), "error[E0001]");
    }
}
