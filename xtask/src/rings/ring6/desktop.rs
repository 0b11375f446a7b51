//! The heavier guest: what a desktop does automatically with a stick that is plugged in and that changes.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use super::{Bench, Served, followed, tail};
use crate::command;
use crate::guest::desktop::{Desktop, MEMORY, MOUNTED};
use crate::guest::live::{BOUND, Folder};
use crate::guest::machine::Machine;
use crate::guest::stick::{self, STEP, settle};
use crate::report::Report;
use crate::setup::Policy;

/// Runs it: the stick is plugged in and mounted automatically; after each change, the old volume is unmounted and the new
/// one mounted.
pub fn run(report: &mut Report, bench: &Bench) {
    let made = report.check("desktop: systemd, udev, udisks and udiskie are in the cache, and the guest boots", || {
        let folder = bench.workspace.root.join("tests/guest/desktop");
        let bytes = Desktop::get(Policy::Refuse)?.initial_file_system(&bench.packages, &folder)?;
        let initial = bench.scratch.join("desktop");
        fs::write(&initial, bytes).map_err(|e| format!("{}: {e}", initial.display()))?;
        bench.boot_from("desktop", &initial, MEMORY)
    });
    let Some(mut machine) = made else { return };
    let mounted = report.check("desktop: plugged in, the volume is mounted by itself, every file has its hash", || {
        let (served, mut folder) = followed(bench, "desktop", "auto")?;
        folder.write("GROWS.LOG", 1, 10)?;
        folder.write("CHANGES.TXT", 1, 20)?;
        folder.write("GOES.TXT", 1, 30)?;
        // The device checks every 50 ms, and takes everything that it finds within 100 ms as one change: no host has seen
        // it yet.
        thread::sleep(Duration::from_millis(500));
        machine.plug(&served.socket, "xhci.0")?;
        comes(&mut machine)?;
        // stick::hashes looks there.
        machine.must(&format!("rmdir /mnt; ln -s {MOUNTED}* /mnt"), STEP)?;
        stick::hashes(&mut machine, folder.sums())?;
        Ok((served, folder))
    });
    let Some((mut served, mut folder)) = mounted else {
        explain(report, &mut machine);
        return;
    };
    let took = report.check("desktop: after a change the old mount goes and the new one comes, by themselves", || {
        let first = changed(&mut machine, &mut folder, |folder| {
            folder.write("APPEARS.TXT", 1, 5)?;
            folder.write("GROWS.LOG", 1, 400)
        })?;
        let second = changed(&mut machine, &mut folder, |folder| {
            folder.write("CHANGES.TXT", 2, 20)?;
            folder.remove("GOES.TXT")
        })?;
        Ok(first.max(second))
    });
    let held = report.check("desktop: also while a program has a file of the old one open", || {
        machine.must("sleep 1000 </mnt/GROWS.LOG & echo $! >/tmp/holder", STEP)?;
        let took = changed(&mut machine, &mut folder, |folder| folder.write("CHANGES.TXT", 3, 40))?;
        machine.must("kill $(cat /tmp/holder)", STEP)?;
        Ok(took)
    });
    for (what, took) in [("free", took), ("held open", held)] {
        match took {
            Some(took) => report.note(&format!("{what}: {:.1} s from the change to the new mount", took.as_secs_f64())),
            None => explain(report, &mut machine),
        }
    }
    report.check("desktop: `dd iflag=direct` reads past the cache", || direct(&mut machine, &mut served));
    report.check("desktop: the driver did nothing that the strict bus refuses", || done(&mut machine, &mut served));
    tail::desktop(report, bench, &mut machine);
}

/// Waits until the volume is mounted.
fn comes(machine: &mut Machine) -> Result<(), String> {
    machine.until(&format!("grep -q ' {MOUNTED}' /proc/mounts"), STEP)
}

/// A change: the old mount goes, another one comes, with the new contents, automatically. Returns the time to the new
/// mount.
fn changed(
    machine: &mut Machine,
    folder: &mut Folder,
    change: impl FnOnce(&mut Folder) -> Result<(), String>,
) -> Result<Duration, String> {
    let start = Instant::now();
    change(folder)?;
    machine.until(&format!("! grep -q ' {MOUNTED}' /proc/mounts"), STEP)?;
    comes(machine)?;
    let took = start.elapsed();
    stick::hashes(machine, folder.sums())?;
    if took <= BOUND { Ok(took) } else { Err(format!("it took {:.1} s", took.as_secs_f64())) }
}

/// A file that is in the cache is read from the stick again with direct access, as the README says.
fn direct(machine: &mut Machine, served: &mut Served) -> Result<(), String> {
    let mut asked = |line: &str| {
        settle(machine, &mut served.record)?;
        machine.must(line, STEP)?;
        settle(machine, &mut served.record)
    };
    asked("cat /mnt/GROWS.LOG >/dev/null")?;
    let cached = asked("cat /mnt/GROWS.LOG >/dev/null")?;
    let direct = asked("dd if=/mnt/GROWS.LOG of=/dev/null bs=64k iflag=direct")?;
    let reads = |lines: &[String]| lines.iter().filter(|line| line.contains("READ(10)")).count();
    match (reads(&cached), reads(&direct)) {
        (0, 1..) => Ok(()),
        (0, 0) => Err(format!("nothing was read: {direct:?}")),
        _ => Err(format!("it was not in the cache: {cached:?}")),
    }
}

fn done(machine: &mut Machine, served: &mut Served) -> Result<(), String> {
    machine.unplug()?;
    machine.until(&format!("! grep -q ' {MOUNTED}' /proc/mounts"), STEP)?;
    served.background.interrupt()?;
    served.faultless()
}

/// After a failure: prints the messages of kernel and services.
fn explain(report: &mut Report, machine: &mut Machine) {
    if let Ok(said) = machine.run("journalctl --no-pager --output=short-monotonic", STEP) {
        for line in command::tail(&said.text, 40).lines() {
            report.note(line);
        }
    }
}
