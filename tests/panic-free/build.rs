//! The tables of the stock manifest, or of the one that PICOVD_MANIFEST names.

fn main() {
    println!("cargo::rerun-if-env-changed=PICOVD_MANIFEST");
    let manifest = std::env::var("PICOVD_MANIFEST").unwrap_or_else(|_| "../manifests/plain.toml".to_owned());
    picovd_manifest::build_tables(&manifest);
}
