//! The stock manifest's tables.

fn main() {
    picovd_manifest::build_tables("../../picovd.toml");
}
