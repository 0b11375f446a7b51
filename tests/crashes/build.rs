//! The program's tables and linker script.

fn main() {
    // Another manifest: for the cases of sim/tests/cases.rs.
    println!("cargo::rerun-if-env-changed=PICOVD_TEST_MANIFEST");
    let manifest = std::env::var("PICOVD_TEST_MANIFEST").unwrap_or_else(|_| "picovd.toml".to_owned());
    picovd_manifest::build(&manifest);
}
