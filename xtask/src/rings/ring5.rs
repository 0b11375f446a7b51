//! Ring 5: the firmware's ELF file, byte for byte what is flashed, on an emulated RP2350: with the same host code and the
//! same stories as for the library on the PC.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use super::{Context, Lane, Ring, examples, harness, projects, simulator};
use crate::command::{self, LONG};
use crate::firmware;
use crate::readers;
use crate::reference;
use crate::report::Report;
use crate::setup::{Package, Policy};
use crate::size;
use crate::truth::{Expected, Truth, difference};
use picovd_uf2 as uf2;

/// This ring.
pub const RING: Ring = Ring {
    number: 5,
    title: "the firmware's ELF on an emulated RP2350",
    packages: &[
        super::ring2::EXFATPROGS,
        Package { name: "gdb-multiarch", program: "gdb-multiarch", purpose: "opens CORE.ELF" },
        Package { name: "qemu-system-arm", program: "qemu-system-arm", purpose: "a second Cortex-M33 for faults" },
        Package { name: "python3-venv", program: "python3", purpose: "an independent core beside the simulator's" },
    ],
    chip: true,
    lane: Lane::Chip,
    run,
};

fn run(context: &Context, report: &mut Report) {
    let workspace = &context.workspace;
    let built = report.check("the firmware builds", || firmware::build(workspace, context.chip()?, true));
    let Some(elf) = built.map(|built| built.elf) else { return };
    tests(context, report, &elf);
    report.check("sizes stay within their budgets, and no unknown place may panic", || {
        let wrong = size::run(workspace, context.chip()?, Policy::Refuse, false, |_| ())?;
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
    });
    let Some(program) = report.check("the simulator builds", || simulator::build(workspace)) else { return };
    let Some(scratch) = report.check("a scratch folder is there", || workspace.scratch("ring5")) else { return };
    let manifest = workspace.root.join("picovd.toml");
    let sim = |words: &[&str]| {
        let mut command = simulator::command(workspace, &program);
        command.args(words).arg("--manifest").arg(&manifest);
        command
    };

    report.check("the host enumerates the board and reads every file right", || {
        command::run(sim(&["show", "--strict"]).arg("--elf").arg(&elf), LONG).map(|_| ())
    });
    report.check("the volume follows the exFAT specification", || {
        command::run(sim(&["check", "--strict"]).arg("--elf").arg(&elf), LONG).map(|_| ())
    });
    let truth = report.check("static files are byte for byte the manifest's", || {
        let truth = Truth::read(&manifest)?;
        for (path, expected) in &truth.files {
            if let Expected::Bytes(expected) = expected {
                let mut cat = sim(&["cat"]);
                let seen = command::run(cat.arg("--elf").arg(&elf).arg("--").arg(path), LONG)?.stdout;
                difference(&seen, expected).map_or(Ok(()), |what| Err(format!("{path}: {what}")))?;
            }
        }
        Ok(truth)
    });
    report.check("the stories run on the board", || {
        command::run(sim(&["story", "--strict"]).arg("--elf").arg(&elf), LONG).map(|_| ())
    });
    plain(context, report, &program);
    flashed(context, report, &program, &elf);
    images(context, report, &program);
    composite(context, report, &program);
    settings(context, report);
    settings_over_the_port(context, report);
    tool(context, report);
    logs(context, report);
    live(context, report);
    served(context, report);
    classes(context, report, &program);
    own_device(context, report);
    // Only the bench runs it.
    report.check("the stick on the HAL's driver builds", || {
        firmware::test_program(workspace, context.chip()?, "picovd-hal-bus").map(drop)
    });
    mistakes(context, report);
    crashes(context, report);
    let examples = examples::run(context, report, &program);
    projects::run(context, report, &program);
    cases(context, report, &examples);
    secrets(context, report, &examples);
    let board = scratch.join("board.img");
    let read = report.check("the whole volume is read from the board", || {
        command::run(sim(&["image"]).arg(&board).arg("--elf").arg(&elf), LONG).map(|_| ())
    });
    if read.is_none() {
        return;
    }
    if let Some(truth) = truth {
        report.check("fsck.exfat finds the board's volume clean", || readers::fsck(&truth, &board));
        report.check("fsck.exfat finds it clean on a board with a quarter of the flash", || {
            command::run(sim(&["image", "--flash-size", "1M"]).arg(&board).arg("--elf").arg(&elf), LONG)?;
            readers::fsck(&truth, &board)
        });
    }
}

/// Manifests that the stock firmware gets as a UF2 file, without being built: with settings and a serial port, and with names in
/// every script.
fn flashed(context: &Context, report: &mut Report, program: &Path, elf: &Path) {
    let workspace = &context.workspace;
    let folder = report.check("a folder for UF2 files", || workspace.scratch("flashed"));
    let Some(folder) = folder else { return };
    for name in ["settings", "scripts"] {
        let manifest = workspace.root.join("tests/manifests").join(name).with_extension("toml");
        let uf2 = folder.join(name).with_extension("uf2");
        let board = |words: &[&str]| {
            let mut command = simulator::command(workspace, program);
            command.args(words).arg("--strict").arg("--manifest").arg(&manifest);
            command::run(command.arg("--elf").arg(elf).arg("--uf2").arg(&uf2), LONG).map(drop)
        };
        let made = report.check(&format!("{name}.toml as a UF2 file gives the manifest's text back"), || {
            let mut command = simulator::command(workspace, program);
            command::run(command.arg("uf2").arg(&manifest).arg("-o").arg(&uf2), LONG)?;
            let mut command = simulator::command(workspace, program);
            let text = command::run(command.arg("read").arg(&uf2), LONG)?.stdout;
            let written = std::fs::read(&manifest).map_err(|e| e.to_string())?;
            if text == written { Ok(()) } else { Err("it is another text".to_owned()) }
        });
        if made.is_some() {
            report.check(&format!("the stock firmware shows {name}.toml from flash"), || board(&["show"]));
            report.check(&format!("the stories run on it with {name}.toml in flash"), || board(&["story"]));
        }
    }
}

/// The search path of programs, with the independent core's first.
fn with_reference(context: &Context, report: &mut Report) -> Option<OsString> {
    report.check("the independent core is in the cache", || {
        let programs = reference::get(&context.workspace, Policy::Refuse)?;
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::join_paths(std::iter::once(programs).chain(std::env::split_paths(&path))).map_err(|e| e.to_string())
    })
}

/// The tests that inspect the board, and compare its core with an independent one.
fn tests(context: &Context, report: &mut Report, elf: &Path) {
    let Some(path) = with_reference(context, report) else { return };
    let mut cargo = command::cargo(&context.workspace.root);
    cargo.args(["test", "--no-fail-fast", "--package", "picovd-sim"]);
    for name in ["board_core", "board_firmware", "board_manifest", "board_reference", "info", "settings_place"] {
        cargo.args(["--test", name]);
    }
    // For the harness, a path is one more filter, which matches no test; the tests find it in their arguments.
    cargo.args(["--", "--ignored", "ring5::"]).arg(elf).env("PATH", path);
    harness(report, "the board from inside, and its core against an independent one", cargo);
}

/// Firmware for one manifest without anything that the stock firmware has besides: its disk does not change by itself.
fn plain(context: &Context, report: &mut Report, program: &Path) {
    let workspace = &context.workspace;
    let manifest = workspace.root.join("tests/manifests/plain.toml");
    let built = report.check("firmware for a plain disk builds", || {
        let variant = firmware::Variant { binary: firmware::BINARY, manifest: Some(&manifest), name: "plain" };
        firmware::build_variant(workspace, context.chip()?, variant, true)
    });
    let Some(elf) = built.map(|built| built.elf) else { return };
    report.check("the stories run on it", || {
        let mut story = simulator::command(workspace, program);
        command::run(story.args(["story", "--strict"]).arg("--manifest").arg(&manifest).arg("--elf").arg(&elf), LONG)
            .map(|_| ())
    });
    let Some(path) = with_reference(context, report) else { return };
    let mut cargo = command::cargo(&workspace.root);
    cargo.args(["test", "--no-fail-fast", "--package", "picovd-sim"]);
    for name in ["board_image", "board_lockstep", "flash_length", "partitions"] {
        cargo.args(["--test", name]);
    }
    cargo.args(["--", "--ignored", "ring5::"]).arg(&elf).env("PATH", path);
    harness(
        report,
        "its disk is the library's, on chips of any length and with any partition table, and its core keeps step with an \
         independent one",
        cargo,
    );
    late(context, report, &elf);
}

/// A firmware for tests whose main loop, interrupt handler and second core change dynamic files at random.
fn live(context: &Context, report: &mut Report) {
    let workspace = &context.workspace;
    let built = report.check("a firmware that changes its files at random builds", || {
        firmware::test_program(workspace, context.chip()?, "picovd-live-board")
    });
    let Some(elf) = built else { return };
    let mut cargo = command::cargo(&workspace.root);
    cargo.args(["test", "--no-fail-fast", "--package", "picovd-sim", "--test", "board_live"]);
    cargo.args(["--", "--ignored", "ring5::"]).arg(&elf);
    harness(report, "hosts see whole versions of one generation, and in the end what the program wants", cargo);
    let manifest = workspace.root.join("tests/live-board/partition-table.toml");
    let built = report.check("it builds with a partition table before its volume, too", || {
        let variant =
            firmware::Variant { binary: "picovd-live-board", manifest: Some(&manifest), name: "live-partition" };
        firmware::test_variant(workspace, context.chip()?, variant)
    });
    let Some(elf) = built else { return };
    let mut cargo = command::cargo(&workspace.root);
    cargo.args(["test", "--no-fail-fast", "--package", "picovd-sim", "--test", "board_live"]);
    cargo.args(["--", "--ignored", "linux_desktop"]).arg(&elf);
    harness(report, "in the partition, too, its files come, change, go and are mounted again", cargo);
}

/// A firmware for tests whose stick leaves the bus, is woken by the other core, or begins while it is served; and what is wrong
/// with its `serve!`.
fn served(context: &Context, report: &mut Report) {
    let workspace = &context.workspace;
    let built = report.check("a firmware whose interrupts serve the stick builds", || {
        firmware::test_program(workspace, context.chip()?, "picovd-served-board")
    });
    let Some(elf) = built else { return };
    report.check(
        "`serve!` with another interrupt than that of the stick's timer is refused, with what to write",
        || {
            const MISTAKES: [(&str, &str); 3] = [
                ("other-timer", "write `picovd::serve!(STICK)`"),
                ("misspelt", "write `picovd::serve!(STICK)`"),
                ("default-timer", "write `picovd::serve!(STICK, TIMER1_IRQ_0)`"),
            ];
            let toolchain = context.chip()?;
            MISTAKES.iter().try_for_each(|(mistake, words)| {
                firmware::refused(workspace, toolchain, "picovd-served-board", mistake, words)
            })
        },
    );
    let mut cargo = command::cargo(&workspace.root);
    cargo.args(["test", "--no-fail-fast", "--package", "picovd-sim", "--test", "board_served"]);
    cargo.args(["--", "--ignored", "ring5::"]).arg(&elf);
    harness(
        report,
        "it leaves the bus and comes back, the other core wakes it and cannot serve it, and it may begin while it is served",
        cargo,
    );
}

/// A firmware for tests with USB classes of its own beside everything that a stick can have.
fn classes(context: &Context, report: &mut Report, program: &Path) {
    let workspace = &context.workspace;
    let built = report
        .check("a firmware with a mouse, a second serial port and a vendor-specific interface builds", || {
            firmware::test_program(workspace, context.chip()?, "picovd-own-classes")
        });
    let Some(elf) = built else { return };
    let mut cargo = command::cargo(&workspace.root);
    cargo.args(["test", "--no-fail-fast", "--package", "picovd-sim", "--test", "board_classes"]);
    cargo.args(["--", "--ignored", "ring5::"]).arg(&elf);
    harness(
        report,
        "the application's classes and the stick's answer each for themselves, and at the same time",
        cargo,
    );
    report.check("the stories run beside them", || {
        examples::stories(workspace, program, &workspace.root.join("tests/own-classes/picovd.toml"), &elf, &[])
    });
}

/// A firmware for tests that has the USB device, on the HAL's bus, and the disk and the serial port in it.
fn own_device(context: &Context, report: &mut Report) {
    let workspace = &context.workspace;
    let built = report.check("a firmware with a USB device of its own, a serial port and settings builds", || {
        firmware::test_program(workspace, context.chip()?, "picovd-own-device")
    });
    let Some(elf) = built else { return };
    let mut cargo = command::cargo(&workspace.root);
    cargo.args(["test", "--no-fail-fast", "--package", "picovd-sim", "--test", "console_session"]);
    cargo.args(["--", "--ignored", "own_device::"]).arg(&elf);
    harness(
        report,
        "its serial port keeps sessions apart, shows the log and obeys commands, whatever its host does",
        cargo,
    );
}

/// The stories, while the program does nothing for some time after each bus reset.
fn late(context: &Context, report: &mut Report, elf: &Path) {
    let mut cargo = command::cargo(&context.workspace.root);
    cargo.args(["test", "--no-fail-fast", "--package", "picovd-sim", "--test", "late_polls"]);
    cargo.args(["--", "--ignored", "ring5::every_story"]).arg(elf);
    if context.long {
        cargo.env("PICOVD_LONG", "1");
    }
    harness(report, "the stories run with a program that polls late after each bus reset", cargo);
}

/// A firmware with one mistake at a time, and what `cargo sim` reports about each.
fn mistakes(context: &Context, report: &mut Report) {
    let workspace = &context.workspace;
    let built = report.check("a firmware that makes mistakes builds", || {
        firmware::test_program(workspace, context.chip()?, "picovd-mistakes")
    });
    let Some(elf) = built else { return };
    let mut cargo = command::cargo(&workspace.root);
    cargo.args(["test", "--no-fail-fast", "--package", "picovd-cli", "--test", "board_mistakes"]);
    cargo.args(["--", "--ignored", "ring5::"]).arg(&elf);
    harness(report, "`cargo sim` reports each mistake with its location, the end of the log and a backtrace", cargo);
    let built = report.check("the same with a panic handler of its own builds", || {
        let variant = firmware::Variant { binary: "picovd-mistakes", manifest: None, name: "picovd-mistakes-halt" };
        firmware::test_variant_with(workspace, context.chip()?, variant, &["halt"])
    });
    let Some(elf) = built else { return };
    let mut cargo = command::cargo(&workspace.root);
    cargo.args(["test", "--no-fail-fast", "--package", "picovd-cli", "--test", "board_mistakes"]);
    cargo.args(["--", "--ignored", "own_panic_handler::"]).arg(&elf);
    harness(report, "`cargo sim` reports its panics, too", cargo);
}

/// A firmware with one crash at a time, and what GDB sees of each.
fn crashes(context: &Context, report: &mut Report) {
    let workspace = &context.workspace;
    let built = report.check("a firmware that crashes builds", || {
        firmware::test_program(workspace, context.chip()?, "picovd-crashes")
    });
    let Some(elf) = built else { return };
    let mut cargo = command::cargo(&workspace.root);
    cargo.args(["test", "--no-fail-fast", "--package", "picovd-sim", "--test", "board_crashes"]);
    cargo.args(["--", "--ignored", "ring5::"]).arg(&elf);
    // The other module is for the program with settings.
    cargo.args(["--skip", "with_settings", "--skip", "with_handler"]);
    harness(report, "GDB finds functions, lines and locals of each crash in CORE.ELF", cargo);
    let manifest = workspace.root.join("tests/crashes/handlers.toml");
    let built = report.check("the same with a handler of HardFault of its own builds", || {
        let variant =
            firmware::Variant { binary: "picovd-crashes", manifest: Some(&manifest), name: "picovd-crashes-handler" };
        firmware::test_variant_with(workspace, context.chip()?, variant, &["handler"])
    });
    let Some(elf) = built else { return };
    let mut cargo = command::cargo(&workspace.root);
    cargo.args(["test", "--no-fail-fast", "--package", "picovd-sim", "--test", "board_crashes"]);
    cargo.args(["--", "--ignored", "ring5::with_handler::"]).arg(&elf);
    harness(report, "one call in it keeps the fault", cargo);
    let manifest = workspace.root.join("tests/crashes/settings.toml");
    let built = report.check("the same with settings builds", || {
        let variant =
            firmware::Variant { binary: "picovd-crashes", manifest: Some(&manifest), name: "picovd-crashes-settings" };
        firmware::test_variant(workspace, context.chip()?, variant)
    });
    let Some(elf) = built else { return };
    let mut cargo = command::cargo(&workspace.root);
    cargo.args(["test", "--no-fail-fast", "--package", "picovd-sim", "--test", "board_crashes"]);
    cargo.args(["--", "--ignored", "ring5::with_settings::"]).arg(&elf);
    harness(report, "with settings, no stack is kept", cargo);
}

/// The stories on the images whose sizes were reported, and everything on one whose volume is in a partition.
fn images(context: &Context, report: &mut Report, program: &Path) {
    let workspace = &context.workspace;
    let on = |words: &[&str], manifest: &Path, elf: &Path| {
        let mut sim = simulator::command(workspace, program);
        command::run(sim.args(words).arg("--strict").arg("--manifest").arg(manifest).arg("--elf").arg(elf), LONG)
            .map(|_| ())
    };
    for (name, manifest) in [
        ("minimal", "tests/manifests/minimal.toml"),
        ("full", "tests/manifests/full.toml"),
        ("tool", "examples/picovd-tool.toml"),
    ] {
        let elf = workspace.firmware_folder().join(name).with_extension("elf");
        report.check(&format!("the stories run on image {name}"), || {
            on(&["story"], &workspace.root.join(manifest), &elf)
        });
    }
    let mut cargo = command::cargo(&workspace.root);
    cargo.args(["test", "--no-fail-fast", "--package", "picovd-sim", "--test", "setup_sweep"]);
    cargo.args(["--", "--ignored", "ring5::"]).arg(workspace.firmware_folder().join("full.elf"));
    if context.long {
        cargo.env("PICOVD_LONG", "1");
    }
    harness(report, "a SETUP packet begins a new transfer 0 to 200 us after any abandoned one", cargo);
    let manifest = workspace.root.join("tests/manifests/partition-table.toml");
    let built = report.check("a firmware with a partition table before its volume builds", || {
        let variant =
            firmware::Variant { binary: firmware::BINARY, manifest: Some(&manifest), name: "partition-table" };
        firmware::build_variant(workspace, context.chip()?, variant, true)
    });
    let Some(elf) = built.map(|built| built.elf) else { return };
    for (what, word) in [
        ("the host finds the partition and reads every file right", "show"),
        ("the volume in it follows the exFAT specification", "check"),
        ("the stories run on it", "story"),
    ] {
        report.check(what, || on(&[word], &manifest, &elf));
    }
}

/// A firmware with console and reset interface, from one of the tests' manifests: the same stories and its own ones.
fn composite(context: &Context, report: &mut Report, program: &Path) {
    let workspace = &context.workspace;
    let manifest = workspace.root.join("tests/manifests/composite.toml");
    let built = report.check("a firmware with console and picotool reset builds", || {
        let variant = firmware::Variant { binary: firmware::BINARY, manifest: Some(&manifest), name: "composite" };
        firmware::build_variant(workspace, context.chip()?, variant, true)
    });
    let Some(elf) = built.map(|built| built.elf) else { return };
    report.check("the stories run on it, those of console and picotool reset too", || {
        let mut story = simulator::command(workspace, program);
        command::run(story.args(["story", "--strict"]).arg("--manifest").arg(&manifest).arg("--elf").arg(&elf), LONG)
            .map(|_| ())
    });
    let mut cargo = command::cargo(&workspace.root);
    cargo.args(["test", "--no-fail-fast", "--package", "picovd-sim", "--test", "board_composite"]);
    cargo.args(["--", "--ignored", "ring5::"]).arg(&elf);
    harness(report, "picotool's requests reach the ROM", cargo);
}

/// The cases from public bug reports, each with the firmware of its manifest; and that no two images have the same ids but
/// different interfaces.
fn cases(context: &Context, report: &mut Report, examples: &[PathBuf]) {
    let workspace = &context.workspace;
    let built = report.check("the firmware of each case's manifest builds", || {
        let toolchain = context.chip()?;
        let mut elves = Vec::new();
        let manifest = |name: &str| workspace.root.join("tests/cases").join(name).with_extension("toml");
        for name in ["console", "small", "composition-00", "composition-01", "composition-10", "composition-11"] {
            let manifest = manifest(name);
            let variant = firmware::Variant { binary: firmware::BINARY, manifest: Some(&manifest), name };
            elves.push(firmware::build_variant(workspace, toolchain, variant, true)?.elf);
        }
        // The program that prints, and registers invalid names, as the tests command it.
        for name in ["log", "tail", "names"] {
            let manifest = manifest(name);
            let variant = firmware::Variant { binary: "picovd-mistakes", manifest: Some(&manifest), name };
            elves.push(firmware::test_variant(workspace, toolchain, variant)?);
        }
        Ok(elves)
    });
    let Some(elves) = built else { return };
    let images = report.check("the other images are there to be compared, too", || {
        let names = ["picovd", "minimal", "full", "tool", "composite", "settings", "partition-table"];
        let images = names.map(|name| workspace.firmware_folder().join(name).with_extension("elf"));
        let missing = images.iter().find(|image| !image.exists());
        missing.map_or(Ok(images.clone()), |image| Err(format!("{} was not built", image.display())))
    });
    let Some(images) = images else { return };
    let mut cargo = command::cargo(&workspace.root);
    cargo.args(["test", "--no-fail-fast", "--package", "picovd-sim", "--test", "cases"]);
    cargo.args(["--", "--ignored", "ring5::"]).args(elves).args(images).args(examples);
    harness(report, "each case from public bug reports is handled correctly on the board", cargo);
}

/// A firmware that saves settings, while power fails in every operation of the flash chip.
fn settings(context: &Context, report: &mut Report) {
    let workspace = &context.workspace;
    let built = report.check("a firmware that saves settings builds", || {
        firmware::test_program(workspace, context.chip()?, "picovd-settings-board")
    });
    let Some(elf) = built else { return };
    let mut cargo = command::cargo(&workspace.root);
    cargo.args(["test", "--no-fail-fast", "--package", "picovd-sim", "--test", "settings_power_cut"]);
    cargo.args(["--", "--ignored", "ring5::"]).arg(&elf);
    harness(
        report,
        "settings survive a power cut at every flash operation; the second core parks and goes on, or stops them",
        cargo,
    );
}

/// An application that uses secrets all the time, compiled and served in several ways, and every way of looking for them;
/// the same on the images that were built before.
fn secrets(context: &Context, report: &mut Report, examples: &[PathBuf]) {
    const SHORT: [(&str, &[&str]); 4] =
        [("s", &[]), ("z", &["serve"]), ("2", &["second"]), ("3", &["serve", "unmarked"])];
    let workspace = &context.workspace;
    let ways: Vec<(&str, &[&str])> = if context.long {
        let kinds: [&[&str]; 4] = [&[], &["serve"], &["second"], &["serve", "unmarked"]];
        ["s", "z", "2", "3"].into_iter().flat_map(|level| kinds.map(|features| (level, features))).collect()
    } else {
        SHORT.to_vec()
    };
    let built = report.check("an application with secrets builds, with optimization s, z, 2 and 3", || {
        let toolchain = context.chip()?;
        let build = |(level, features)| firmware::secrets_program(workspace, toolchain, level, features);
        ways.into_iter().map(build).collect::<Result<Vec<_>, _>>()
    });
    let Some(elves) = built else { return };
    let images = report.check("images without secrets are there to be searched, too", || {
        let names = ["picovd", "full", "minimal", "composite", "settings"];
        let images = names.map(|name| workspace.firmware_folder().join(format!("{name}.elf")));
        let missing = images.iter().find(|image| !image.exists());
        missing.map_or(Ok(images.clone()), |image| Err(format!("{} was not built", image.display())))
    });
    let Some(images) = images else { return };
    let mut cargo = command::cargo(&workspace.root);
    cargo.args(["test", "--no-fail-fast", "--package", "picovd-sim", "--test", "board_secrets"]);
    cargo.args(["--", "--ignored", "ring5::"]).args(elves).args(images).args(examples);
    if context.long {
        cargo.env("PICOVD_LONG", "1");
    }
    harness(
        report,
        "no secret is shown at any moment: not in memory, in flash, in a log, a descriptor or an answer",
        cargo,
    );
}

/// A firmware whose settings are set over its serial port.
fn settings_over_the_port(context: &Context, report: &mut Report) {
    let workspace = &context.workspace;
    let manifest = workspace.root.join("tests/manifests/settings.toml");
    let built = report.check("a firmware with settings and a serial port builds", || {
        let variant = firmware::Variant { binary: firmware::BINARY, manifest: Some(&manifest), name: "settings" };
        firmware::build_variant(workspace, context.chip()?, variant, true)
    });
    let Some(elf) = built.map(|built| built.elf) else { return };
    let mut cargo = command::cargo(&workspace.root);
    cargo.args(["test", "--no-fail-fast", "--package", "picovd-sim"]);
    cargo.args([
        "--test",
        "settings",
        "--test",
        "settings_occupied",
        "--test",
        "settings_stick_cut",
        "--test",
        "console_session",
        "--test",
        "console_dump",
    ]);
    // The one with everything was built before.
    cargo.args(["--", "--ignored", "ring5::"]).arg(&elf).arg(workspace.firmware_folder().join("full.elf"));
    harness(report, "what is set over the port shows on the disk, and is there again after a power cycle", cargo);
}

/// The program that is loaded into SRAM and shows the flash of any board.
fn tool(context: &Context, report: &mut Report) {
    let workspace = &context.workspace;
    let built = report.check("the tool that runs from SRAM builds, and its UF2 file is only for SRAM", || {
        let built = firmware::build_tool(workspace, context.chip()?, true)?;
        let blocks = fs::read(&built.uf2).map_err(|e| format!("{}: {e}", built.uf2.display()))?;
        for block in uf2::parse(&blocks)? {
            if !(0x2000_0000..0x2008_2000).contains(&block.address) {
                return Err(format!("a block for {:#010x}", block.address));
            }
        }
        Ok(built)
    });
    let Some(elf) = built.map(|built| built.elf) else { return };
    let mut cargo = command::cargo(&workspace.root);
    cargo.args(["test", "--no-fail-fast", "--package", "picovd-sim", "--test", "tool"]);
    cargo.args(["--", "--ignored", "ring5::"]).arg(&elf);
    harness(report, "it shows the flash of a board that was programmed with something else, and writes nothing", cargo);
}

/// A firmware that logs from its main loop, from an interrupt handler and from its second core, as text and by defmt.
fn logs(context: &Context, report: &mut Report) {
    let workspace = &context.workspace;
    let built = report.check("a firmware that logs from all contexts builds", || {
        firmware::test_program(workspace, context.chip()?, "picovd-chatter")
    });
    let Some(elf) = built else { return };
    let mut cargo = command::cargo(&workspace.root);
    cargo.args(["test", "--no-fail-fast", "--package", "picovd-sim", "--test", "board_logs"]);
    cargo.args(["--", "--ignored", "ring5::"]).arg(&elf);
    harness(
        report,
        "its lines and its defmt frames are whole and in order, its second core's too; torn lines are noticed",
        cargo,
    );
}
