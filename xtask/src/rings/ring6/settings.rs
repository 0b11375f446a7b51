//! Settings with a real kernel: example `settings`, from its manifest and as its own firmware.

use std::ffi::OsStr;
use std::path::PathBuf;

use super::{Bench, Served, explain};
use crate::command::{self, LONG};
use crate::guest::machine::Machine;
use crate::guest::settings;
use crate::guest::stick::{self, STEP};
use crate::report::Report;
use crate::rings::Context;
use crate::toolchain::TARGET;

/// Its label as built, and as set.
const LABEL: &str = "LAMP";
const NEW_LABEL: &str = "LAB7";

/// On a guest whose other device is no longer used: the label is set through the serial port, seen on the disk, saved, and
/// still there after the device was without power.
pub fn run(context: &Context, report: &mut Report, bench: &Bench, machine: &mut Machine, chip: bool) {
    let what = if chip { "the ELF" } else { "the library" };
    let plugged = report.check(&format!("{what}: a stick with settings is found, disk and serial port"), || {
        let served = offer(context, bench, chip)?;
        // The previous device may be unplugged already, and its volume unmounted.
        let _ = machine.run("umount /mnt", STEP)?;
        let _ = machine.unplug();
        stick::disappears(machine)?;
        settings::plug(machine, &served.socket, LABEL)?;
        Ok(served)
    });
    let Some(mut served) = plugged else {
        explain(report, machine);
        return;
    };
    let set = report
        .check(&format!("{what}: a label set over ttyACM0 shows on the disk; a wrong one is refused"), || {
            settings::set_label(machine, NEW_LABEL)
        });
    let again = set.and_then(|()| {
        report.check(&format!("{what}: saved, it is there again after the device was without power"), || {
            settings::power_cycle(machine, &served.socket, NEW_LABEL)
        })
    });
    if again.is_none() {
        explain(report, machine);
    }
    report.check(&format!("{what}: settings made its driver do nothing that the bus refuses"), || {
        machine.unplug()?;
        stick::disappears(machine)?;
        served.background.interrupt()?;
        served.faultless()
    });
}

/// The simulator with that device.
fn offer(context: &Context, bench: &Bench, chip: bool) -> Result<Served, String> {
    let manifest = bench.workspace.root.join("examples/settings/picovd.toml");
    if !chip {
        return bench.offer("settings", &manifest, &[]);
    }
    let elf = firmware(context)?;
    bench.offer("settings-elf", &manifest, &[OsStr::new("--elf"), elf.as_os_str()])
}

/// The example's firmware, built as in ring 5: all examples at once.
fn firmware(context: &Context) -> Result<PathBuf, String> {
    let (workspace, toolchain) = (&context.workspace, context.chip()?);
    let mut cargo = toolchain.cargo(&workspace.root.join("examples"));
    cargo.args(["build", "--release", "--locked"]).args(toolchain.arguments());
    cargo.env("CARGO_TARGET_DIR", &workspace.target);
    command::run(&mut cargo, LONG)?;
    Ok(workspace.target.join(TARGET).join("release/settings"))
}
