//! The program's tables and linker script.

fn main() {
    picovd_manifest::build("../manifests/plain.toml");
}
