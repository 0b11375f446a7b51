//! Makes the volume's tables from picovd.toml, or the manifest that PICOVD_MANIFEST names; see `picovd_manifest::build`.

fn main() {
    // Another manifest for a firmware beside the stock one: `cargo xtask firmware --manifest FILE`.
    println!("cargo::rerun-if-env-changed=PICOVD_MANIFEST");
    let manifest = std::env::var("PICOVD_MANIFEST").unwrap_or_else(|_| "picovd.toml".to_owned());
    // The library alone has its layouts handed in, and users' firmware brings its own memory.x.
    picovd_manifest::build(&manifest, std::env::var_os("CARGO_FEATURE_FIRMWARE").is_some());
}
