//! The stock manifest's tables.

fn main() {
    picovd_manifest::build("../../picovd.toml", false);
}
