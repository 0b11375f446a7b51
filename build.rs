//! Makes the firmware's tables from picovd.toml, or from the manifest that PICOVD_MANIFEST names; see `picovd_manifest::build`.
//!
//! The library alone needs none: programs that use it have their own.

#[cfg(feature = "firmware")]
fn main() {
    // Another manifest for a firmware beside the stock one: `cargo xtask firmware --manifest FILE`.
    println!("cargo::rerun-if-env-changed=PICOVD_MANIFEST");
    let manifest = std::env::var("PICOVD_MANIFEST").unwrap_or_else(|_| "picovd.toml".to_owned());
    // With the linker script.
    picovd_manifest::build(&manifest);
}

#[cfg(not(feature = "firmware"))]
fn main() {
    println!("cargo::rerun-if-changed=build.rs");
}
