//! The stock manifest's tables.

fn main() {
    picovd_manifest::build_tables("../manifests/plain.toml");
}
