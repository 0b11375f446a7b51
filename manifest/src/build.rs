//! The build script's work: cargo's lines out, generated files into OUT_DIR.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use crate::{check, emit, plan, read};

/// The linker script that cortex-m-rt's `link.x` includes.
const MEMORY_X: &str = "memory.x";

/// Makes `volume.rs` and what it includes in OUT_DIR from the manifest at `manifest`, a path relative to the package, and sees to the
/// arguments that link a firmware for the chip, and to `memory.x`: the package's own, when one is beside its Cargo.toml, else one from
/// the manifest in OUT_DIR. (Cargo does not notice by itself that a first memory.x comes to a package that was built before: change
/// the build script or the manifest then.)
///
/// Problems become cargo's error lines, one each, and fail the build when the script ends. For build scripts only.
///
/// All that a build script does:
///
/// ```no_run
/// picovd_manifest::build("picovd.toml");
/// ```
pub fn build(manifest: &str) {
    make(manifest, true);
}

/// The same without what is linked: for packages that are no firmware for the chip, or link it in a way of their own.
pub fn build_tables(manifest: &str) {
    make(manifest, false);
}

fn make(manifest: &str, linker: bool) {
    println!("cargo::rerun-if-env-changed=SOURCE_DATE_EPOCH");
    println!("cargo::rerun-if-changed={manifest}");
    let folders = (env::var_os("OUT_DIR").map(PathBuf::from), env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from));
    let (Some(out), Some(package)) = folders else {
        return error("OUT_DIR is not set: call picovd_manifest::build from a build script");
    };
    let epoch = env::var("SOURCE_DATE_EPOCH").ok();
    let result = read(Path::new(manifest)).and_then(|manifest| {
        for content in manifest.contents() {
            println!("cargo::rerun-if-changed={}", content.display());
        }
        plan(&check(&manifest, epoch.as_deref())?)
    });
    let (output, defmt, settings) = match result {
        Ok(plan) => {
            plan.warnings.lines().for_each(|line| println!("cargo::warning={}", line.replace(['\n', '\r'], " ")));
            (emit(&plan), plan.log.defmt, plan.settings.sectors > 0)
        }
        Err(problems) => return problems.lines().for_each(|line| error(&line)),
    };
    let mut files = vec![("volume.rs", output.volume_rs.as_bytes())];
    files.extend(output.contents.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())));
    let own = linker && package.join(MEMORY_X).exists();
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
        judge(&package.join(MEMORY_X), settings);
    }
    if linker && env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "none") {
        println!("cargo::rustc-link-search={}", if own { package } else { out }.display());
        println!("cargo::rustc-link-arg-bins=--nmagic");
        if riscv {
            // riscv-rt's link.x does not include it.
            println!("cargo::rustc-link-arg-bins=-T{MEMORY_X}");
        }
        println!("cargo::rustc-link-arg-bins=-Tlink.x");
        if defmt {
            println!("cargo::rustc-link-arg-bins=-Tdefmt.x");
        }
    }
}

/// Looks for what a memory.x of somebody's own cannot do without: the linker's complaint would not say it, or there would be
/// none, and the board would not start.
fn judge(path: &Path, settings: bool) {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(reason) => return error(&format!("{MEMORY_X} cannot be read: {reason}")),
    };
    for (word, what) in [
        ("FLASH", "the memory FLASH, where the program stands"),
        ("RAM", "the memory RAM, where its variables stand"),
        (".start_block", "the section .start_block, where the boot ROM looks for the image definition"),
        (".bi_entries", "the section .bi_entries, where picotool looks for what it tells of a program"),
        (".settings", "the section .settings, which [settings] keeps secrets in"),
    ] {
        if !text.contains(word) && (settings || word != ".settings") {
            error(&format!("{MEMORY_X} does not define {what}; examples/own-firmware/memory.x of PicoVD does"));
        }
    }
}

fn error(line: &str) {
    println!("cargo::error={}", line.replace(['\n', '\r'], " "));
}
