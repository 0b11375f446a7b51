//! The application's own USB classes, beside the stick's: Debian's usbhid, cdc-acm and snd-usb-audio drive them.

use std::ffi::OsStr;
use std::path::Path;

use super::{Bench, Context, Served, explain};
use crate::firmware;
use crate::guest::machine::Machine;
use crate::guest::stick::{self, STEP};
use crate::report::Report;
use crate::rings::examples;

/// A mouse, a second serial port and a vendor-specific interface (tests/own-classes), and the example that is a mouse. The
/// guest's previous device is no longer needed.
pub fn run(context: &Context, report: &mut Report, bench: &Bench, machine: &mut Machine) {
    let beside = report.check(
        "own classes: the kernel reads a mouse's reports and a second serial port while the disk's files have their hashes",
        || {
            let elf = firmware::test_program(bench.workspace, context.chip()?, "picovd-own-classes")?;
            let manifest = bench.workspace.root.join("tests/own-classes/picovd.toml");
            plugged(bench, machine, ("own-classes", &manifest, &elf), |machine, served| {
                machine.until("[ -c /dev/hidraw0 ] && [ -c /dev/ttyACM1 ]", STEP)?;
                machine.must("stty -F /dev/ttyACM1 raw -echo", STEP)?;
                machine.must("cat /dev/ttyACM1 >/tmp/echo & dd if=/dev/hidraw0 bs=5 count=40 of=/tmp/reports & sleep 2", STEP)?;
                machine.must("for n in 1 2 3 4 5 6 7 8; do echo line $n >/dev/ttyACM1; done", STEP)?;
                machine.must("mount -t exfat -o ro /dev/sda /mnt", STEP)?;
                stick::hashes(machine, &served.sums)?;
                machine.must("umount /mnt", STEP)?;
                machine.until("[ $(wc -c </tmp/reports) -eq 200 ]", STEP)
            })?;
            let echo = machine.must("cat /tmp/echo", STEP)?;
            let lines: String = (1..=8).map(|n| format!("line {n}\n")).collect();
            if echo.replace('\r', "").trim() != lines.trim() {
                return Err(format!("the second port sent back {echo:?}"));
            }
            // Buttons, x, y, wheel, pan: x counts to 9.
            let reports = machine.must("hexdump -v -e '5/1 \"%d \" \"\\n\"' /tmp/reports", STEP)?;
            in_order(&reports)
        },
    );
    if beside.is_none() {
        explain(report, machine);
    }
    midi(context, report, bench, machine);
    if !context.long {
        return;
    }
    let example = report.check("example jiggler: its reports move the kernel's mouse, to and fro", || {
        let elf = examples::example(bench.workspace, context.chip()?, "jiggler")?;
        let manifest = bench.workspace.root.join("examples/jiggler/picovd.toml");
        plugged(bench, machine, ("jiggler", &manifest, &elf), |machine, _| {
            machine.until("[ -c /dev/hidraw0 ]", STEP)?;
            machine.must("dd if=/dev/hidraw0 bs=5 count=4 of=/tmp/moves", STEP).map(drop)
        })?;
        let moves = machine.must("hexdump -v -e '5/1 \"%d \" \"\\n\"' /tmp/moves", STEP)?;
        let xs: Vec<&str> = moves.lines().filter_map(|line| line.split_whitespace().nth(1)).collect();
        // -1 without a sign.
        if xs == ["1", "255", "1", "255"] || xs == ["255", "1", "255", "1"] {
            Ok(())
        } else {
            Err(format!("it moved {xs:?}"))
        }
    });
    if example.is_none() {
        explain(report, machine);
    }
}

/// A program that has the USB device (tests/own-device): a MIDI instrument that plays each note an octave higher, with our disk and
/// serial port.
fn midi(context: &Context, report: &mut Report, bench: &Bench, machine: &mut Machine) {
    let played = report.check(
        "own device: the kernel's sound driver sends notes and gets them back, beside its disk and its serial port",
        || {
            let elf = firmware::test_program(bench.workspace, context.chip()?, "picovd-own-device")?;
            let manifest = bench.workspace.root.join("tests/own-device/picovd.toml");
            plugged(bench, machine, ("own-device", &manifest, &elf), |machine, served| {
                machine.until("[ -c /dev/snd/midiC0D0 ] && [ -c /dev/ttyACM0 ]", STEP)?;
                machine.must("stty -F /dev/ttyACM0 raw -echo", STEP)?;
                machine.must(
                    "dd if=/dev/snd/midiC0D0 bs=1 count=12 of=/tmp/notes & cat /dev/ttyACM0 >/tmp/said & sleep 2",
                    STEP,
                )?;
                // Note on, and note off, of C4 and E4.
                let notes = r"\220\074\100\200\074\000\220\100\100\200\100\000";
                machine.must(&format!("printf '{notes}' >/dev/snd/midiC0D0"), STEP)?;
                machine.must("echo knock >/dev/ttyACM0; mount -t exfat -o ro /dev/sda /mnt", STEP)?;
                stick::hashes(machine, &served.sums)?;
                machine.must("umount /mnt", STEP)?;
                machine.until("[ $(wc -c </tmp/notes) -eq 12 ] && grep -q knock.:.1 /tmp/said", STEP)
            })?;
            let notes = machine.must("hexdump -v -e '12/1 \"%02x \" \"\\n\"' /tmp/notes", STEP)?;
            // An octave is twelve semitones.
            let expected = "90 48 40 80 48 00 90 4c 40 80 4c 00";
            if notes.trim() == expected { Ok(()) } else { Err(format!("{notes:?} came back instead of {expected}")) }
        },
    );
    if played.is_none() {
        explain(report, machine);
    }
}

/// Plugs a board in, does `work`, and unplugs it.
fn plugged(
    bench: &Bench,
    machine: &mut Machine,
    (name, manifest, elf): (&str, &Path, &Path),
    work: impl FnOnce(&mut Machine, &Served) -> Result<(), String>,
) -> Result<(), String> {
    let mut served = bench.offer(name, manifest, &[OsStr::new("--elf"), elf.as_os_str()])?;
    let _ = machine.unplug();
    stick::disappears(machine)?;
    machine.plug(&served.socket, "xhci.0")?;
    stick::appears(machine)?;
    work(machine, &served)?;
    stick::quiet(machine)?;
    machine.unplug()?;
    stick::disappears(machine)?;
    served.background.interrupt()?;
    served.faultless()
}

/// Checks that each report's second byte is one more than the one before, up to 9.
fn in_order(reports: &str) -> Result<(), String> {
    let xs: Vec<u32> = reports.lines().filter_map(|line| line.split_whitespace().nth(1)?.parse().ok()).collect();
    let follows = |pair: &[u32]| matches!(pair, [one, next] if (one + 1) % 10 == *next);
    if xs.len() == 40 && xs.windows(2).all(follows) { Ok(()) } else { Err(format!("the reports say {xs:?}")) }
}
