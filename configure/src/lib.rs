//! From a manifest to the file that a board in BOOTSEL mode takes, and back. The program `picovd` and the page in the browser
//! both call this crate, so what they write and what they say is the same.
//!
//! It reads no files by itself: bytes come in, bytes and texts go out.
#![forbid(unsafe_code)]

mod contents;
mod firmware;
mod opened;
mod read;
mod written;

use std::error::Error as StdError;
use std::fmt;

use picovd_layout::stock;
use picovd_manifest::{Diagnostics, DiskPlan, Manifest, Unsupported, check, compile_for_flash, plan};
use picovd_uf2::{ABSOLUTE, Image, Segment, write_last};

pub use contents::Files;
pub use firmware::{Firmware, FirmwareError};
pub use opened::{OpenError, Opened, open};
pub use read::{ReadError, manifest_of};
pub use written::{Written, kib};

/// First address of flash.
pub const FLASH: u32 = 0x1000_0000;

/// A manifest that the stock firmware can show, compiled.
#[derive(Clone, Debug)]
pub struct Configuration {
    /// The disk that it describes.
    pub plan: DiskPlan,
    block: Vec<u8>,
}

impl Configuration {
    /// Checks and compiles a manifest for the stock firmware. `source_date_epoch` as for [`check`](picovd_manifest::check()).
    ///
    /// # Errors
    /// What is wrong with the manifest, or what the stock firmware does not have.
    pub fn new(manifest: Manifest, source_date_epoch: Option<&str>) -> Result<Self, Refused> {
        let checked = check(&manifest.for_stock_firmware(), source_date_epoch);
        let plan = checked.and_then(|checked| plan(&checked)).map_err(Refused::Manifest)?;
        let block = compile_for_flash(&plan).map_err(Refused::Unsupported)?;
        Ok(Self { plan, block })
    }

    /// The file for a board that has the stock firmware.
    ///
    /// # Errors
    /// The compiled manifest ends beyond flash, which no valid manifest does.
    pub fn uf2(&self) -> Result<Written, picovd_uf2::Error> {
        let last = self.segment();
        let bytes = write_last(ABSOLUTE, &[], &last)?;
        Ok(Written::new(bytes, &[], &last, written::ALONE))
    }

    /// Firmware and manifest in one file.
    ///
    /// # Errors
    /// The firmware does not end before the manifest.
    pub fn uf2_with(&self, firmware: &Image) -> Result<Written, picovd_uf2::Error> {
        let last = self.segment();
        let bytes = write_last(firmware.family, &firmware.segments, &last)?;
        Ok(Written::new(bytes, &firmware.segments, &last, written::WITH_FIRMWARE))
    }

    fn segment(&self) -> Segment {
        Segment { address: FLASH + stock::MANIFEST, bytes: self.block.clone() }
    }
}

/// The file that takes the manifest in flash away: the stock firmware then shows its own again.
///
/// # Errors
/// None: the file has a fixed length.
pub fn none() -> Result<Written, picovd_uf2::Error> {
    // Zeros are no compiled manifest.
    let zeros = Segment { address: FLASH + stock::MANIFEST, bytes: vec![0; stock::SECTOR as usize] };
    let bytes = write_last(ABSOLUTE, &[], &zeros)?;
    Ok(Written::new(bytes, &[], &zeros, written::ALONE))
}

/// Why there is no file.
#[derive(Clone, Debug)]
pub enum Refused {
    /// The manifest is wrong.
    Manifest(Diagnostics),
    /// The stock firmware cannot show what it says.
    Unsupported(Unsupported),
}

impl fmt::Display for Refused {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Manifest(problems) => problems.fmt(out),
            Self::Unsupported(what) => what.fmt(out),
        }
    }
}

impl StdError for Refused {}
