//! The build script's work: cargo's lines out, generated files into OUT_DIR.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use crate::{check, emit, plan, read};

/// Makes `volume.rs` and what it includes in OUT_DIR from the manifest at `manifest`, a path relative to the package.
///
/// With `linker`, `memory.x` too, with the arguments that link a firmware for the chip; without, the package brings its
/// own. Problems become cargo's error lines, one each, and fail the build when the script ends. For build scripts only.
pub fn build(manifest: &str, linker: bool) {
    println!("cargo::rerun-if-env-changed=SOURCE_DATE_EPOCH");
    println!("cargo::rerun-if-changed={manifest}");
    let Some(out) = env::var_os("OUT_DIR").map(PathBuf::from) else {
        return error("OUT_DIR is not set: call this from a build script");
    };
    let epoch = env::var("SOURCE_DATE_EPOCH").ok();
    let result = read(Path::new(manifest)).and_then(|manifest| {
        for content in manifest.contents() {
            println!("cargo::rerun-if-changed={}", content.display());
        }
        plan(&check(&manifest, epoch.as_deref())?)
    });
    let output = match result {
        Ok(plan) => emit(&plan),
        Err(problems) => return problems.lines().for_each(|line| error(&line)),
    };
    let mut files = vec![("volume.rs", output.volume_rs.as_bytes())];
    files.extend(output.contents.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())));
    if linker {
        files.push(("memory.x", output.memory_x.as_bytes()));
    }
    for (name, bytes) in files {
        if let Err(reason) = fs::write(out.join(name), bytes) {
            error(&format!("{name} cannot be written: {reason}"));
        }
    }
    if linker && env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "none") {
        println!("cargo::rustc-link-search={}", out.display());
        println!("cargo::rustc-link-arg-bins=--nmagic");
        println!("cargo::rustc-link-arg-bins=-Tlink.x");
    }
}

fn error(line: &str) {
    println!("cargo::error={}", line.replace(['\n', '\r'], " "));
}
