//! The firmware that a test was given.

use std::path::PathBuf;

/// The bytes of the ELF file among this program's arguments, where `cargo xtask test --ring 5` puts it after a filter:
/// `cargo test --test NAME -- --ignored ring5:: FILE.elf`. To the harness it is one more filter, which fits no test.
///
/// # Panics
///
/// When there is none, or when it cannot be read: a test without its firmware has failed.
pub fn bytes() -> Vec<u8> {
    let path = std::env::args_os()
        .skip(1)
        .map(PathBuf::from)
        .find(|word| word.extension().is_some_and(|extension| extension == "elf"))
        .expect("no argument names the firmware's ELF; `cargo xtask test --ring 5` builds and names it");
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}
