//! `tail -F` of the log's tail in the guest: every line once and in order, or the count of what was lost.

use std::ffi::OsStr;
use std::fs;

use super::{Bench, Served, explain};
use crate::guest::desktop::MOUNTED;
use crate::guest::machine::Machine;
use crate::guest::stick::{self, STEP};
use crate::guest::tail::{self, Lines};
use crate::report::Report;

/// Fast, and slowly: 18 minutes in total, so only with `--long`, like all of the heavier guest. On the small one, busybox's
/// tail keeps the old file open, and so the kernel keeps the old volume.
const LONG: [Lines; 2] = [Lines { count: 1000, rate: 20 }, Lines { count: 1000, rate: 1 }];

/// On the heavier guest, where udisks and udiskie mount it.
pub fn desktop(report: &mut Report, bench: &Bench, machine: &mut Machine) {
    for lines in LONG {
        let Lines { count, rate } = lines;
        let what =
            format!("desktop: tail -F: {count} lines at {rate} a second, through every mount, once each and in order");
        let lost = report.check(&what, || {
            let mut served = offered(bench, lines)?;
            machine.plug(&served.socket, "xhci.0")?;
            tail::start(machine, &format!("{MOUNTED}TAIL/STDOUT-TAIL.TXT"))?;
            let result = tail::complete(machine, lines);
            done(machine, &mut served)?;
            result
        });
        note_losses(report, machine, lost);
    }
}

fn offered(bench: &Bench, lines: Lines) -> Result<Served, String> {
    let manifest = bench.scratch.join("tail.toml");
    fs::write(&manifest, Lines::manifest()).map_err(|e| format!("{}: {e}", manifest.display()))?;
    let option = lines.option();
    bench.offer(&format!("tail-{}", lines.rate), &manifest, &[OsStr::new("--print-lines"), OsStr::new(&option)])
}

fn done(machine: &mut Machine, served: &mut Served) -> Result<(), String> {
    machine.unplug()?;
    stick::disappears(machine)?;
    machine.must("dmesg -c >/dev/null", STEP)?;
    served.background.interrupt()?;
    served.faultless()
}

fn note_losses(report: &mut Report, machine: &mut Machine, lost: Option<u64>) {
    match lost {
        Some(lost) => report.note(&format!("reported as lost: {lost} bytes")),
        None => explain(report, machine),
    }
}
