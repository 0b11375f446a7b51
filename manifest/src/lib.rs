//! From `picovd.toml` to the tables that a PicoVD firmware is built from.
//!
//! Four steps, each a function: [`read`] (text to tables), [`check`](check()) (every rule, all problems in one run),
//! [`plan`](plan()) (clusters, regions, directory entries), [`emit`](emit()) (Rust and linker text). [`load`] does the
//! first three; [`build`] does all four inside a build script.
//!
//! The result depends only on the manifest, the files it names, and SOURCE_DATE_EPOCH. No input makes it panic.
//!
//! ```
//! let manifest = picovd_manifest::read_text("picovd.toml", "[volume]\nlable = \"LAB\"\n", ".".as_ref()).unwrap();
//! let problems = picovd_manifest::check(&manifest, None).unwrap_err();
//! assert_eq!(
//!     problems.lines().next().unwrap(),
//!     "picovd.toml:2:1: [M003] unknown key `lable`; did you mean `label`?"
//! );
//! ```
#![forbid(unsafe_code)]

mod build;
mod check;
mod compile;
mod contents;
mod diagnostic;
mod document;
mod emit;
mod layout;
mod linker;
mod plan;
mod read;
pub mod schema;
mod source;

pub use build::{build, build_configurable, build_tables};
pub use check::{Checked, Chip, Crash, Dynamic, FLASH_SECTOR, Log, Partitions, Settings, Stock, Usb, Window, check};
pub use compile::{Block, Unsupported, compile, compile_for_flash};
pub use contents::Contents;
pub use diagnostic::{Code, Diagnostic, Diagnostics};
pub use document::Manifest;
pub use emit::{Output, emit};
pub use layout::{LayoutRow, layout_rows};
pub use plan::{
    BYTES_PER_CLUSTER, BuiltIn, BuiltInSource, DiskPlan, DynamicWindow, Exposable, FileSource, FlashFile, Gap, Growing,
    Label, PlannedDirectory, PlannedFile, Region, RegionKind, plan,
};
pub use read::{read, read_text, read_with};
pub use schema::{Program, Refresh};
pub use source::{Position, Source};

use std::path::Path;

/// As [`load`], for the stock firmware; see [`Manifest::for_stock_firmware`].
///
/// # Errors
/// Everything that is wrong with it.
pub fn load_for_stock_firmware(path: &Path, source_date_epoch: Option<&str>) -> Result<DiskPlan, Diagnostics> {
    plan(&check(&read(path)?.for_stock_firmware(), source_date_epoch)?)
}

/// Reads, checks and plans the manifest at `path`. `source_date_epoch` as for [`check`](check()).
///
/// # Errors
/// Everything that is wrong with it.
pub fn load(path: &Path, source_date_epoch: Option<&str>) -> Result<DiskPlan, Diagnostics> {
    plan(&check(&read(path)?, source_date_epoch)?)
}
