//! Generates the tables, and links with the chip's memory map.

use std::path::PathBuf;
use std::{env, fs};

fn main() {
    picovd_manifest::build_tables("picovd.toml");
    // Not beside Cargo.toml as memory.x: there it would be checked for what the RP2350 needs.
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap());
    fs::copy("chip.x", out.join("memory.x")).unwrap();
    println!("cargo::rerun-if-changed=chip.x");
    println!("cargo::rustc-link-search={}", out.display());
    println!("cargo::rustc-link-arg-bins=--nmagic");
    println!("cargo::rustc-link-arg-bins=-Tlink.x");
}
