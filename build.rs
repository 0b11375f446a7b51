//! Generates the firmware's tables from picovd.toml, or from the manifest in PICOVD_MANIFEST; see `picovd_manifest::build`.
//!
//! The library alone needs no tables: programs that use it have their own.

#[cfg(feature = "firmware")]
fn main() {
    println!("cargo::rustc-check-cfg=cfg(configurable, page)");
    // `cargo xtask firmware --manifest FILE` uses another manifest for another firmware.
    println!("cargo::rerun-if-env-changed=PICOVD_MANIFEST");
    // `cargo xtask firmware` builds the page that the stock firmware shows as CONFIGURE.HTM.
    println!("cargo::rerun-if-env-changed=PICOVD_PAGE");
    // All include the linker script.
    match std::env::var("PICOVD_MANIFEST") {
        Ok(manifest) => picovd_manifest::build(&manifest),
        Err(_) => {
            println!("cargo::rustc-cfg=configurable");
            if let Ok(page) = std::env::var("PICOVD_PAGE") {
                println!("cargo::rustc-cfg=page");
                println!("cargo::rustc-env=PICOVD_PAGE={page}");
                println!("cargo::rerun-if-changed={page}");
            }
            picovd_manifest::build_configurable("picovd.toml");
        }
    }
}

#[cfg(not(feature = "firmware"))]
fn main() {
    println!("cargo::rustc-check-cfg=cfg(configurable, page)");
    println!("cargo::rerun-if-changed=build.rs");
}
