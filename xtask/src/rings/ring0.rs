//! Ring 0: what the compiler and its tools check. The generated and hand-written tables have const assertions, so a build
//! tests them; two builds in different folders must have the same bytes.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;

use super::examples::OTHER_CHIPS;
use super::projects::{self, PROJECTS};
use super::{Context, Lane, Ring, installed};
use crate::command::{self, LONG, SHORT};
use crate::elf::Elf;
use crate::firmware::{self, Built, PROFILE};
use crate::report::Report;
use crate::setup::Policy;
use crate::toolchain::{TARGET, Toolchain};
use crate::truth::difference;
use crate::workspace::Workspace;
use picovd_uf2 as uf2;

/// This ring.
pub const RING: Ring = Ring {
    number: 0,
    title: "const assertions, lints, documentation, and a firmware that is the same from every folder",
    packages: &[],
    chip: true,
    lane: Lane::Chip,
    run,
};

/// Installs clippy and rustfmt if necessary.
pub fn components(policy: Policy) -> Result<(), String> {
    let there = |name: &str| command::run(command::cargo(Path::new(".")).args([name, "--version"]), SHORT).is_ok();
    let missing: Vec<&str> = [("clippy", "clippy"), ("fmt", "rustfmt")]
        .into_iter()
        .filter(|(tool, _)| !there(tool))
        .map(|(_, c)| c)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let by_hand = format!("rustup component add {}", missing.join(" "));
    if policy == Policy::Refuse || command::which("rustup").is_none() {
        return Err(format!("missing cargo's {}; run: {by_hand}", missing.join(" and ")));
    }
    println!("fetching what checks the sources: {by_hand}");
    command::run(Command::new("rustup").args(["component", "add"]).args(&missing), LONG).map(|_| ())
}

fn run(context: &Context, report: &mut Report) {
    let root = &context.workspace.root;
    let cargo = |arguments: &[&str]| command::run(command::cargo(root).args(arguments), LONG).map(|_| ());

    report.check("rustfmt changes nothing", || cargo(&["fmt", "--all", "--", "--check", "--color", "never"]));
    report.check("clippy has nothing to say", || {
        cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])
    });
    report.check("clippy has nothing to say about the code for the chip", || match context.chip()? {
        Toolchain::InUse => {
            let features = ["clippy", "--package", "picovd", "--lib", "--bins", "--features", "firmware"];
            let target = ["--profile", PROFILE, "--target", TARGET, "--", "-D", "warnings"];
            cargo(&[&features[..], &target].concat())?;
            // Without rp235x-hal.
            let embassy = ["clippy", "--package", "picovd-embassy", "--package", "picovd", "--lib"];
            cargo(&[&embassy[..], &["--features", "picovd-embassy/log,picovd-embassy/defmt"], &target].concat())
        }
        // Debian's Rust has no clippy: only the compiler's own warnings remain.
        debian @ Toolchain::Debian { .. } => {
            let mut check = debian.cargo(root);
            check.args(["check", "--package", "picovd", "--lib", "--bins", "--features", "firmware"]);
            check.args(debian.arguments()).env("RUSTFLAGS", "-D warnings");
            check.env("CARGO_TARGET_DIR", context.workspace.target.join("debian-check"));
            command::run(&mut check, LONG).map(|_| ())
        }
    });
    report.check("the documentation builds without a warning", || {
        let mut doc = command::cargo(root);
        doc.args(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings");
        command::run(&mut doc, LONG).map(|_| ())
    });
    report.check("the libraries can be packaged, and build from their packages", || packages(context));
    report.check("rustfmt changes nothing in the examples", || {
        let projects = PROJECTS.iter().map(|project| projects::folder(&context.workspace, project.name));
        let chips = OTHER_CHIPS.iter().map(|(name, _)| root.join("examples/other-chips").join(name));
        ["examples", "examples/own-firmware", "examples/embassy"]
            .iter()
            .map(|folder| root.join(folder))
            .chain(chips)
            .chain(projects)
            .try_for_each(|folder| {
                let mut fmt = command::cargo(&folder);
                command::run(fmt.args(["fmt", "--", "--check", "--color", "never"]), LONG).map(|_| ())
            })
    });
    firmware(context, report);
    if context.long {
        report.check("`cargo install --path cli` gives a program that needs no clone", || installed::check(context));
    }
}

/// Packages the libraries, and builds them from the packages' contents. Cargo's own check of a package would take a library
/// of the same version from its cache, with its contents at that time.
fn packages(context: &Context) -> Result<(), String> {
    const LIBRARIES: [&str; 6] =
        ["picovd-exfat", "picovd-layout", "picovd-manifest", "picovd-derive", "picovd", "picovd-embassy"];
    let workspace = &context.workspace;
    let mut package = command::cargo(&workspace.root);
    package.args(["package", "--allow-dirty", "--no-verify"]).env("CARGO_TARGET_DIR", &workspace.target);
    command::run(package.args(LIBRARIES.iter().flat_map(|name| ["--package", name])), LONG)?;
    let folder = workspace.scratch("packages")?;
    let name = |library: &str| format!("{library}-{}", env!("CARGO_PKG_VERSION"));
    let mut build = command::cargo(&folder.join(name("picovd-embassy")));
    for library in LIBRARIES {
        let archive = workspace.target.join("package").join(format!("{}.crate", name(library)));
        command::run(Command::new("tar").arg("-xzf").arg(archive).arg("-C").arg(&folder), LONG)?;
        if library != "picovd-embassy" {
            let path = folder.join(name(library)).display().to_string();
            build.arg("--config").arg(format!("patch.crates-io.{library}.path={path:?}"));
        }
    }
    // A separate workspace, although it is inside ours. This one depends on `picovd`.
    let manifest = folder.join(name("picovd-embassy")).join("Cargo.toml");
    let text = fs::read_to_string(&manifest).map_err(|e| format!("{}: {e}", manifest.display()))?;
    fs::write(&manifest, format!("{text}\n[workspace]\n")).map_err(|e| format!("{}: {e}", manifest.display()))?;
    build.arg("check").env("CARGO_TARGET_DIR", workspace.target.join("packages"));
    command::run(&mut build, LONG).map(|_| ())
}

/// The firmware from the workspace and from a copy of its sources in a deeper folder, built at the same time.
fn firmware(context: &Context, report: &mut Report) {
    let both = report.check("the firmware builds from two folders", || {
        let toolchain = context.chip()?;
        let copy = Copy::make(&context.workspace)?;
        let there = copy.0.clone();
        let toolchain_there = toolchain.clone();
        let second = thread::spawn(move || firmware::build(&there, &toolchain_there, true));
        let here = firmware::build(&context.workspace, toolchain, true)?;
        let there = second.join().map_err(|_| "the second build panicked".to_owned())??;
        Ok((here, there, copy))
    });
    let Some((here, there, copy)) = both else { return };
    let same = |pick: fn(&Built) -> &Path| {
        let read = |built: &Built| fs::read(pick(built)).map_err(|e| format!("{}: {e}", pick(built).display()));
        match difference(&read(&there)?, &read(&here)?) {
            None => Ok(()),
            Some(what) => Err(format!("from the copy in {}: {what}", copy.0.root.display())),
        }
    };
    report.check("picovd.elf is the same from both", || same(|built| &built.elf));
    report.check("picovd.uf2 is the same from both", || same(|built| &built.uf2));
    report.check("every generated file is the same from both", || {
        let first = firmware::generated(&context.workspace)?;
        let second = firmware::generated(&copy.0)?;
        if !first.contains_key("volume.rs") || first.keys().ne(second.keys()) {
            return Err(format!("{:?} here, {:?} there", first.keys(), second.keys()));
        }
        for ((name, first), second) in first.iter().zip(second.values()) {
            difference(second, first).map_or(Ok(()), |what| Err(format!("{name}: {what}")))?;
        }
        Ok(())
    });
    report.check("picovd.elf contains no folder of this machine", || {
        let bytes = fs::read(&here.elf).map_err(|e| format!("{}: {e}", here.elf.display()))?;
        let home = std::env::home_dir().map(|home| home.join(".cargo").display().to_string());
        let root = context.workspace.root.display().to_string();
        for folder in [Some(root), home].into_iter().flatten() {
            if bytes.windows(folder.len()).any(|window| window == folder.as_bytes()) {
                return Err(format!("it names {folder}"));
            }
        }
        Ok(())
    });
    let elf = report.check("picovd.uf2 contains the ELF file's segments", || {
        let elf = Elf::read(&here.elf)?;
        let bytes = fs::read(&here.uf2).map_err(|e| format!("{}: {e}", here.uf2.display()))?;
        uf2::compare(&bytes, elf.family, &elf.segments)?;
        Ok(elf)
    });
    if let Some(elf) = elf {
        report.note(&firmware::summary(&elf));
    }
}

/// A copy of the sources, which is removed with the value.
pub(super) struct Copy(Workspace);

impl Copy {
    /// Its folder.
    pub(super) fn root(&self) -> &Path {
        &self.0.root
    }

    pub(super) fn make(workspace: &Workspace) -> Result<Self, String> {
        // Another path and another depth than any usual clone.
        let name = format!("picovd-copy-{}", std::process::id());
        let folder = std::env::temp_dir().join(name).join("a folder/with a longer/path");
        fs::create_dir_all(&folder).map_err(|e| format!("cannot make {}: {e}", folder.display()))?;
        let copy = Self(Workspace::at(&folder));
        firmware::copy_sources(workspace, &folder)?;
        Ok(copy)
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        if let Some(top) = self.0.root.ancestors().nth(3) {
            // Leftovers in a temporary folder do no harm.
            let _ = fs::remove_dir_all(top);
        }
    }
}
