//! build.rs generates what the manifest's plan says, whatever turns it into tables and wherever it is built.

use picovd_manifest::{emit, load};
use picovd_sim::plug;
use picovd_sim::tables::Tables;
use picovd_tables::stock;
use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn the_compiled_tables_are_those_of_the_plan() {
    let plan = plug::plan(Some(&plug::plain_manifest())).expect("the manifest is right");
    let tables = Tables::new(plan);
    assert_eq!(stock::COMPILED, tables.compiled());
    assert_eq!(stock::LAYOUT, tables.layout());
}

#[test]
fn the_same_manifest_gives_the_same_files_in_two_folders() {
    let (a, b) = (copy("a"), copy("b/deeper/down"));
    assert_eq!(a, b);
    assert!(a.iter().any(|(name, _)| name == "volume.rs"), "volume.rs is among {}", a.len());
}

#[test]
fn source_date_epoch_changes_the_time_stamps_alone() {
    let manifest = plug::stock_manifest();
    let early = load(&manifest, Some("1000000000")).expect("a time that exFAT can represent");
    let late = load(&manifest, Some("1700000000")).expect("a time that exFAT can represent");
    assert_eq!(emit(&early).layout, emit(&late).layout);
    assert_ne!(emit(&early).volume_rs, emit(&late).volume_rs);
}

/// Generates the stock manifest's files in a folder of its own.
fn copy(folder: &str) -> Vec<(String, Vec<u8>)> {
    let folder: PathBuf = Path::new(env!("CARGO_TARGET_TMPDIR")).join("generated").join(folder);
    fs::create_dir_all(&folder).expect("the target folder is ours");
    let manifest = folder.join("picovd.toml");
    fs::copy(plug::stock_manifest(), &manifest).expect("the stock manifest is there");
    let output = emit(&load(&manifest, None).expect("the stock manifest is right"));
    let mut files = output.contents;
    files.push(("volume.rs".to_owned(), output.volume_rs.into_bytes()));
    files.push(("memory.x".to_owned(), output.memory_x.into_bytes()));
    files
}
