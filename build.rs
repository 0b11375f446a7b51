//! Generates the firmware's tables from picovd.toml, or from the manifest in PICOVD_MANIFEST; see `picovd_manifest::build`.
//!
//! The library alone needs no tables: programs that use it have their own.

#[cfg(feature = "firmware")]
fn main() {
    // `cargo xtask firmware --manifest FILE` uses another manifest for another firmware.
    println!("cargo::rerun-if-env-changed=PICOVD_MANIFEST");
    let manifest = std::env::var("PICOVD_MANIFEST").unwrap_or_else(|_| "picovd.toml".to_owned());
    // Includes the linker script.
    picovd_manifest::build(&manifest);
}

#[cfg(not(feature = "firmware"))]
fn main() {
    println!("cargo::rerun-if-changed=build.rs");
}
