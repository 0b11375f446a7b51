//! The compiled manifest: what `picovd.toml` says, as one block of little-endian words, read in place.
//!
//! [`Compiled::read`] checks a block that may contain anything, such as what is in a board's flash; [`Compiled::new`]
//! takes one that a build has checked. From it come the volume ([`Layout`]) and what else the manifest decides ([`Usb`],
//! [`Announcing`], [`BuiltIn`] ...). Nothing is copied: tables and texts stay where the block is.
//!
//! With feature `alloc`, [`Draft`] writes a block. `docs/COMPILED-MANIFEST.md` specifies the bytes.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(any(test, feature = "alloc"))]
extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod block;
mod check;
mod compiled;
mod decisions;
#[cfg(any(test, feature = "alloc"))]
mod draft;
mod format;
mod refusal;
mod region;
pub mod stock;
mod table;
#[cfg(test)]
mod tests;
mod volume;

pub use check::StaticFile;
pub use compiled::{Compiled, words};
pub use decisions::{
    Announcing, BuiltIn, BuiltInSource, Chip, Exposable, Exposables, Log, Partitions, Redacted, Redactions, Refresh,
    ScsiUnit, Settings, Usb,
};
#[cfg(any(test, feature = "alloc"))]
pub use draft::Draft;
pub use format::{FORMAT, MAGIC};
pub use picovd_exfat::ClusterIndex;
pub use refusal::Refusal;
pub use region::{Directory, Gap, MemoryWindow, Region, RegionKind, RegionRecord};
pub use table::{Record, Table};
pub use volume::{DynamicWindow, FlashFile, Growing, Label, Layout};
