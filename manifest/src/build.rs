//! The work of a build script: lines for cargo, and generated files in OUT_DIR.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use crate::emit::emit_for;
use crate::{check, compile, plan, read};

/// The linker script that cortex-m-rt's `link.x` includes.
const MEMORY_X: &str = "memory.x";

/// How the targets of the chip's cores begin.
const CHIP: [&str; 2] = ["thumbv8m.main", "riscv32imac"];

/// The linker script that adds what is missing in a package's own memory.x.
const PICOVD_X: &str = "picovd.x";

/// Generates `volume.rs` and what it includes in OUT_DIR from the manifest at `manifest`, a path relative to the package.
/// Also passes the linker arguments for the chip's firmware: `link.x` of cortex-m-rt or riscv-rt, unless rustflags name it, and
/// `memory.x`: the package's own, if there is one next to its Cargo.toml, otherwise one from the manifest in OUT_DIR. (If a
/// memory.x is added to a package that was built before, cargo does not notice: change the build script or the manifest then.)
///
/// Problems become cargo's error lines, one each, and fail the build at the end of the script. For build scripts only.
///
/// A complete build script:
///
/// ```no_run
/// picovd_manifest::build("picovd.toml");
/// ```
pub fn build(manifest: &str) {
    make(manifest, Purpose::Firmware);
}

/// The same for firmware that obeys another manifest if there is one in flash: whether this one has settings or not, there is
/// the section `.settings`, and the program ends where such a manifest begins.
pub fn build_configurable(manifest: &str) {
    make(manifest, Purpose::Configurable);
}

/// Generates the same files, but does not link: for packages that are not firmware for the chip, or that pass their own linker
/// arguments. If the package has a memory.x, one argument is passed: the linker script that adds the section `.settings`.
pub fn build_tables(manifest: &str) {
    make(manifest, Purpose::Tables);
}

/// What is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Firmware,
    Configurable,
    Tables,
}

fn make(manifest: &str, purpose: Purpose) {
    let linker = purpose != Purpose::Tables;
    println!("cargo::rerun-if-env-changed=SOURCE_DATE_EPOCH");
    println!("cargo::rerun-if-changed={manifest}");
    let folders = (env::var_os("OUT_DIR").map(PathBuf::from), env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from));
    let (Some(out), Some(package)) = folders else {
        return error("OUT_DIR is not set: call picovd_manifest::build from a build script");
    };
    let epoch = env::var("SOURCE_DATE_EPOCH").ok();
    let configurable = purpose == Purpose::Configurable;
    let result = read(Path::new(manifest)).and_then(|manifest| {
        let manifest = if configurable { manifest.for_stock_firmware() } else { manifest };
        for content in manifest.contents() {
            println!("cargo::rerun-if-changed={}", content.display());
        }
        let plan = plan(&check(&manifest, epoch.as_deref())?)?;
        if configurable || plan.stock_only.items().is_empty() { Ok(plan) } else { Err(plan.stock_only) }
    });
    let (output, defmt) = match result {
        Ok(plan) => {
            // Should the plan break a rule of the format, then here, not on the chip.
            if let Err(refusal) = compile(&plan).check() {
                return error(&format!("the compiled manifest is refused: {refusal}"));
            }
            plan.warnings.lines().for_each(|line| println!("cargo::warning={}", line.replace(['\n', '\r'], " ")));
            (emit_for(&plan, configurable), plan.log.defmt)
        }
        Err(problems) => return problems.lines().for_each(|line| error(&line)),
    };
    let mut files = vec![("volume.rs", output.volume_rs.as_bytes()), (PICOVD_X, output.picovd_x.as_bytes())];
    files.extend(output.contents.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())));
    let own = package.join(MEMORY_X).exists();
    let riscv = env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|architecture| architecture == "riscv32");
    if linker && !own {
        let script = if riscv { &output.memory_x_riscv } else { &output.memory_x };
        files.push((MEMORY_X, script.as_bytes()));
    }
    for (name, bytes) in files {
        if let Err(reason) = fs::write(out.join(name), bytes) {
            error(&format!("{name} cannot be written: {reason}"));
        }
    }
    if own {
        println!("cargo::rerun-if-changed={MEMORY_X}");
        // A program for another chip has other memories, and its own linker arguments.
        if linker || env::var("TARGET").is_ok_and(|target| CHIP.iter().any(|core| target.starts_with(core))) {
            judge(&package.join(MEMORY_X));
        }
    }
    if !env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "none") {
        return;
    }
    println!("cargo::rustc-link-search={}", out.display());
    if linker {
        link(&package, own, riscv, defmt);
    }
    if own {
        println!("cargo::rustc-link-arg-bins=-T{PICOVD_X}");
    }
}

/// Passes the linker arguments, except for those that rustflags have.
fn link(package: &Path, own: bool, riscv: bool, defmt: bool) {
    // A linker script that is passed twice defines everything twice.
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let script = |name: &str| {
        if !flags.contains(&format!("-T{name}")) {
            println!("cargo::rustc-link-arg-bins=-T{name}");
        }
    };
    if names_link_x(package) {
        return error(
            "both build.rs and picovd_manifest::build pass link.x: call build_tables instead, or do not pass link.x in \
             build.rs",
        );
    }
    if own {
        println!("cargo::rustc-link-search={}", package.display());
    }
    println!("cargo::rustc-link-arg-bins=--nmagic");
    if riscv {
        // Necessary because riscv-rt's link.x does not include it.
        script(MEMORY_X);
    }
    script("link.x");
    if defmt {
        script("defmt.x");
    }
}

/// Whether the package's build script passes `link.x` itself.
fn names_link_x(package: &Path) -> bool {
    let text = fs::read_to_string(package.join("build.rs")).unwrap_or_default();
    text.lines().any(|line| line.contains("-Tlink.x") && !line.trim_start().starts_with("//"))
}

/// Checks that a package's own memory.x defines everything that is needed: the linker's error would not name it, or there
/// would be none and the board would not start.
fn judge(path: &Path) {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(reason) => return error(&format!("{MEMORY_X} cannot be read: {reason}")),
    };
    for (word, what) in [
        ("FLASH", "the memory FLASH, for the program"),
        ("RAM", "the memory RAM, for its variables"),
        (".start_block", "the section .start_block, where the boot ROM looks for the image definition"),
        (".bi_entries", "the section .bi_entries, in which picotool looks for information about the program"),
    ] {
        if !text.contains(word) {
            error(&format!("{MEMORY_X} does not define {what}; examples/own-firmware/memory.x of PicoVD does"));
        }
    }
    if text.contains(".settings") {
        error(&format!(
            "{MEMORY_X} defines the section .settings, and {PICOVD_X} does, too: take it out of {MEMORY_X}"
        ));
    }
}

fn error(line: &str) {
    println!("cargo::error={}", line.replace(['\n', '\r'], " "));
}
