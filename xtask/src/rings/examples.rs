//! The examples: built as users build them, and run on the emulated board. Part of ring 5.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::projects::{EMBASSY_STORIES, EMBASSY_USB};
use super::{Context, harness, projects, simulator};
use crate::command::{self, LONG};
use crate::elf::Elf;
use crate::firmware;
use crate::report::Report;
use crate::setup::Policy;
use crate::toolchain::{TARGET, Toolchain};
use crate::workspace::Workspace;
use picovd_uf2 as uf2;

/// The workspaces below examples/, each with its programs.
const WORKSPACES: [(&str, &[&str]); 3] = [
    (
        "examples",
        &["crash", "expose-memory", "interrupts", "jiggler", "log-to-file", "partitions", "sensor", "settings"],
    ),
    ("examples/own-firmware", &["own-firmware"]),
    ("examples/embassy", &["embassy"]),
];

/// The packages in examples/other-chips/, each with its target. They are built, and cannot be run here.
pub const OTHER_CHIPS: [(&str, &str); 2] = [("rp2040", "thumbv6m-none-eabi"), ("stm32f411", "thumbv7em-none-eabihf")];

/// Those that change no file by themselves: for the stories, any medium change of theirs is a fault.
const STEADY: [&str; 3] = ["expose-memory", "log-to-file", "partitions"];

/// Builds, runs and reads every example. Returns their ELF files.
pub fn run(context: &Context, report: &mut Report, program: &Path) -> Vec<PathBuf> {
    let elves = report.check("the examples build", || build(context)).unwrap_or_default();
    if !elves.is_empty() {
        read(context, report, program, &elves);
    }
    for (name, target) in OTHER_CHIPS {
        report.check(&format!("the example for another chip builds: {name}"), || other_chip(context, name, target));
    }
    elves.into_iter().map(|(_, _, elf)| elf).collect()
}

/// Name, manifest and ELF file.
type Example = (&'static str, PathBuf, PathBuf);

fn read(context: &Context, report: &mut Report, program: &Path, elves: &[Example]) {
    let workspace = &context.workspace;
    crash(context, report, program, elves);
    // It crashes, which fails the simulator's commands.
    let well = || elves.iter().filter(|(name, ..)| *name != CRASH);
    for (name, manifest, elf) in well() {
        report.check(&format!("the host reads every file of example {name}"), || {
            let mut sim = simulator::command(workspace, program);
            sim.args(["show", "--strict"]).args(if *name == "embassy" { EMBASSY_USB } else { &[] });
            command::run(sim.arg("--manifest").arg(manifest).arg("--elf").arg(elf), LONG).map(|_| ())
        });
    }
    for (name, manifest, elf) in well() {
        report.check(&format!("the stories run on example {name}"), || {
            let embassy = [CHANGING, EMBASSY_USB, EMBASSY_STORIES].concat();
            let options: &[&str] = match *name {
                "embassy" => &embassy,
                name if STEADY.contains(&name) => &[],
                _ => CHANGING,
            };
            stories(workspace, program, manifest, elf, options)
        });
    }
    let mut cargo = command::cargo(&workspace.root);
    cargo.args(["test", "--no-fail-fast", "--package", "picovd-sim", "--test", "board_examples"]);
    cargo.args(["--", "--ignored", "ring5::"]).args(elves.iter().map(|(_, _, elf)| elf));
    harness(report, "the examples' files say what they should", cargo);
    let package = report.check("what `cargo sim new` writes builds, and runs on the board", || fresh(context, program));
    let Some(package) = package else { return };
    if let Some(lines) = report.check("at most 12 of its lines of Rust name PicoVD", || projects::named(&package)) {
        report.note(&format!("{lines} lines"));
    }
    report.check("the stories run on it", || {
        let elf = keep(&context.workspace, "my-stick")?;
        stories(&context.workspace, program, &package.join("picovd.toml"), &elf, CHANGING)
    });
    let late = report.check("it builds with a start-up that takes long, too", || late(context, &package));
    let Some(elf) = late else { return };
    let mut cargo = command::cargo(&workspace.root);
    cargo.args(["test", "--no-fail-fast", "--package", "picovd-sim", "--test", "late_polls"]);
    cargo.args(["--", "--ignored", "ring5::template::"]).arg(elf);
    if context.long {
        cargo.env("PICOVD_LONG", "1");
    }
    harness(report, "every story passes on it, polled and served by interrupts", cargo);
}

/// The example that crashes.
const CRASH: &str = "crash";

/// What docs/CRASH.md does with that example: CORE.ELF is read from the stick, and GDB names the functions.
fn crash(context: &Context, report: &mut Report, program: &Path, elves: &[Example]) {
    let Some((_, manifest, elf)) = elves.iter().find(|(name, ..)| *name == CRASH) else { return };
    report.check("GDB finds the bug of example crash in CORE.ELF", || {
        let mut sim = simulator::command(&context.workspace, program);
        sim.args(["cat", "CORE.ELF"]).arg("--manifest").arg(manifest).arg("--elf").arg(elf);
        // It ends with an error, since the program has failed; the file is whole.
        let core = sim.output().map_err(|e| e.to_string())?.stdout;
        let file = elf.with_extension("core");
        fs::write(&file, core).map_err(|e| format!("{}: {e}", file.display()))?;
        let mut gdb = command::program("gdb-multiarch");
        gdb.args(["-q", "-nx", "-batch", "-ex", "bt", "-ex", "frame function crash::calibrate", "-ex", "info locals"]);
        let shown = command::run(gdb.arg(elf).arg(&file), LONG)?.text();
        let mut rest = shown.as_str();
        for part in ["crash::Sensor::set_gain", "crash::calibrate", "crash::measure", "gain = 8", "largest = 512"] {
            rest = rest.split_once(part).ok_or_else(|| format!("no {part:?} in\n{shown}"))?.1;
        }
        Ok(())
    });
    report.check("`picovd core` finds it, too, in the stick's disk, and refuses another program", || {
        let image = elf.with_extension("img");
        let mut sim = simulator::command(&context.workspace, program);
        sim.arg("image").arg(&image).arg("--manifest").arg(manifest).arg("--elf").arg(elf);
        // It ends with an error, since the program has failed; the image is whole.
        let _ = sim.output().map_err(|e| e.to_string())?;
        let core = |elf: &Path| {
            let mut core = Command::new(program);
            command::finish(core.arg("core").arg(&image).arg("--elf").arg(elf).arg("--backtrace"), LONG)
        };
        let shown = core(elf)?.both();
        let mut rest = shown.as_str();
        for part in ["crash::Sensor::set_gain at ", "crash::calibrate at ", "crash::measure at ", "main.rs:40"] {
            rest = rest.split_once(part).ok_or_else(|| format!("no {part:?} in\n{shown}"))?.1;
        }
        let Some((_, _, other)) = elves.iter().find(|(name, ..)| *name != CRASH) else {
            return Err("there is no other example".to_owned());
        };
        let refused = core(other)?;
        if !refused.status.success() && refused.both().contains("is not the program that crashed") {
            Ok(())
        } else {
            Err(refused.both())
        }
    });
}

/// The option for programs that change files or print by themselves.
const CHANGING: &[&str] = &["--changing"];

/// Runs the stories on a program, with these options.
pub fn stories(
    workspace: &Workspace,
    program: &Path,
    manifest: &Path,
    elf: &Path,
    options: &[&str],
) -> Result<(), String> {
    let mut sim = simulator::command(workspace, program);
    sim.args(["story", "--strict"]).args(options);
    command::run(sim.arg("--manifest").arg(manifest).arg("--elf").arg(elf), LONG).map(|_| ())
}

/// Code for a program that polls USB late: it computes before its first poll for as many milliseconds as the word after the
/// marker says, which tests write into the ELF file, and lets interrupts serve the stick if the last word says so. It
/// changes no file: the stories need a disk that does not change.
const LATE: [(&str, &str); 2] = [
    ("picovd::serve!(STICK);\n", "picovd::serve!(STICK);\nstatic LATE: [u32; 4] = [0x4C41_5445, 0x504F_4C4C, 0, 0];\n"),
    (
        "    STICK.begin(stick);\n",
        "    let [_, _, late, served] = *core::hint::black_box(&LATE);\n    \
         let (mut stick, begin) = (stick, board.timer.get_counter());\n    \
         while board.timer.get_counter() < begin + u64::from(late).millis() {}\n    \
         while served == 0 && late < u32::MAX {\n        stick.poll();\n        stick.sleep();\n    }\n    \
         STICK.begin(stick);\n    \
         while late < u32::MAX {\n        hal::arch::wfi();\n    }\n",
    ),
];

/// The package that [`fresh`] has left in `folder`, with a slow start-up. Returns the ELF file.
fn late(context: &Context, folder: &Path) -> Result<PathBuf, String> {
    let workspace = &context.workspace;
    let main = folder.join("src/main.rs");
    let mut text = fs::read_to_string(&main).map_err(|e| format!("{}: {e}", main.display()))?;
    for (before, after) in LATE {
        if text.matches(before).count() != 1 {
            return Err(format!("{} does not have one line with {before:?}", main.display()));
        }
        text = text.replace(before, after);
    }
    fs::write(&main, text).map_err(|e| format!("{}: {e}", main.display()))?;
    let mut cargo = context.chip()?.cargo(folder);
    cargo.args(["build", "--release"]).args(context.chip()?.arguments()).env("CARGO_TARGET_DIR", &workspace.target);
    command::run(&mut cargo, LONG)?;
    keep(workspace, "my-stick")
}

/// A package as a new user gets it. Returns its folder.
fn fresh(context: &Context, program: &Path) -> Result<PathBuf, String> {
    let (workspace, toolchain) = (&context.workspace, context.chip()?);
    let folder = workspace.scratch("new")?.join("my-stick");
    command::run(simulator::command(workspace, program).arg("new").arg(&folder), LONG)?;
    // The same versions as in the examples, so that nothing is built twice or downloaded.
    let lock = workspace.root.join("examples/Cargo.lock");
    fs::copy(&lock, folder.join("Cargo.lock")).map_err(|e| format!("cannot copy {}: {e}", lock.display()))?;
    let mut cargo = toolchain.cargo(&folder);
    cargo.args(["build", "--release"]).args(toolchain.arguments()).env("CARGO_TARGET_DIR", &workspace.target);
    command::run(&mut cargo, LONG)?;
    let elf = workspace.target.join(TARGET).join("release/my-stick");
    let mut sim = simulator::command(workspace, program);
    sim.arg("cat").arg("COUNT.TXT").arg("--elf").arg(&elf).arg("--manifest").arg(folder.join("picovd.toml"));
    let count = command::run(&mut sim, LONG)?.text();
    if count != "0" {
        return Err(format!("COUNT.TXT says {count:?} instead of 0"));
    }
    let file = folder.join("my-stick.uf2");
    let mut sim = simulator::command(workspace, program);
    command::run(sim.current_dir(&folder).args(["--manifest", "picovd.toml", "--elf"]).arg(&elf).arg("uf2"), LONG)?;
    let (bytes, elf) = (fs::read(&file).map_err(|e| format!("{}: {e}", file.display()))?, Elf::read(&elf)?);
    uf2::compare(&bytes, elf.family, &elf.segments)?;
    Ok(folder)
}

/// A package as a new user gets it, built. Returns its manifest and its ELF file.
pub fn new_package(context: &Context, program: &Path) -> Result<(PathBuf, PathBuf), String> {
    let folder = fresh(context, program)?;
    Ok((folder.join("picovd.toml"), keep(&context.workspace, "my-stick")?))
}

/// Builds one example of the workspace `root`, and returns the path of its ELF file.
pub fn one(workspace: &Workspace, toolchain: &Toolchain, root: &str, name: &str) -> Result<PathBuf, String> {
    compile(workspace, toolchain, root, &["--package", name])?;
    keep(workspace, name)
}

fn compile(workspace: &Workspace, toolchain: &Toolchain, root: &str, arguments: &[&str]) -> Result<(), String> {
    let mut cargo = toolchain.cargo(&workspace.root.join(root));
    cargo.args(["build", "--release", "--locked"]).args(arguments).args(toolchain.arguments());
    command::run(cargo.env("CARGO_TARGET_DIR", &workspace.target), LONG).map(|_| ())
}

/// Builds an example for another chip, with the compiler that [`prepare`](super::prepare) has got ready.
fn other_chip(context: &Context, name: &str, target: &str) -> Result<(), String> {
    let workspace = &context.workspace;
    let toolchain = context.chip()?.of_target(target, workspace, Policy::Refuse)?;
    let mut cargo = toolchain.cargo(&workspace.root.join("examples/other-chips").join(name));
    cargo.args(["build", "--release", "--locked"]).args(toolchain.arguments_of(target));
    command::run(cargo.env("CARGO_TARGET_DIR", &workspace.target), LONG).map(|_| ())
}

/// Copies a build's result to where nothing overwrites it.
fn keep(workspace: &Workspace, name: &str) -> Result<PathBuf, String> {
    let folder = workspace.firmware_folder().join("examples");
    fs::create_dir_all(&folder).map_err(|e| format!("cannot make {}: {e}", folder.display()))?;
    let made = workspace.target.join(TARGET).join("release").join(name);
    let elf = folder.join(format!("{name}.elf"));
    fs::copy(&made, &elf).map_err(|e| format!("cannot copy {}: {e}", made.display()))?;
    Ok(elf)
}

/// Builds a project of tests/projects, in its own folder as its author does: cargo reads the rustflags there. Returns the ELF file.
pub fn project(workspace: &Workspace, toolchain: &Toolchain, name: &str) -> Result<PathBuf, String> {
    compile(workspace, toolchain, &format!("tests/projects/{name}"), &["--bins"])?;
    keep(workspace, name)
}

/// Builds one example of the workspace examples/. Returns its ELF file.
pub fn example(workspace: &Workspace, toolchain: &Toolchain, name: &str) -> Result<PathBuf, String> {
    compile(workspace, toolchain, "examples", &["--package", name])?;
    keep(workspace, name)
}

/// Builds each example.
fn build(context: &Context) -> Result<Vec<Example>, String> {
    let (workspace, toolchain) = (&context.workspace, context.chip()?);
    let mut elves = Vec::new();
    for (root, names) in WORKSPACES {
        compile(workspace, toolchain, root, &[])?;
        let root = workspace.root.join(root);
        for name in names {
            let elf = keep(workspace, name)?;
            let (program, file) = (Elf::read(&elf)?, elf.with_extension("uf2"));
            firmware::write_uf2(&program, &file)?;
            let bytes = fs::read(&file).map_err(|e| format!("{}: {e}", file.display()))?;
            uf2::compare(&bytes, program.family, &program.segments)?;
            let package = root.join(name);
            let package = if package.is_dir() { package } else { root.clone() };
            elves.push((*name, package.join("picovd.toml"), elf));
        }
    }
    Ok(elves)
}
