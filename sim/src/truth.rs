//! What a host should read according to the manifest: every file with its bytes.

use crate::memory::Contents;
use picovd_manifest::{DiskPlan, FileSource};
use std::ops::Range;

/// A file as the manifest describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrueFile {
    /// Its path, folders separated by `/`.
    pub path: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Whether it shows memory that a running program changes, so that two reads may differ.
    pub live: bool,
}

/// Every file of `plan` on a board with the given memory, in the order of the plan.
#[must_use]
pub fn files(plan: &DiskPlan, contents: &Contents) -> Vec<TrueFile> {
    // Files that settings may put on the volume are not there by default.
    let exposed = plan.files.iter().filter(|file| !file.by_setting);
    exposed
        .map(|file| {
            let (bytes, live) = match &file.source {
                FileSource::Bytes(bytes) => (bytes.to_vec(), false),
                FileSource::Memory { base, length, redacted } => {
                    // A chip with less flash than the manifest reserves has shorter files.
                    let flash = contents.flash.len() as u64;
                    let behind = flash.saturating_sub(u64::from(base % 0x0400_0000));
                    let length = if base >> 28 == 1 { behind.min(*length) } else { *length };
                    let settings = if base >> 28 == 1 { moved_settings(plan, flash) } else { 0..0 };
                    let bytes = (0..length)
                        .map(|offset| {
                            let hidden = redacted.iter().any(|range| range.contains(&offset))
                                || settings.contains(&(u64::from(base % 0x0400_0000) + offset));
                            if hidden { 0 } else { contents.byte(base.wrapping_add(offset as u32)).unwrap_or(0) }
                        })
                        .collect();
                    (bytes, base >> 28 == 2)
                }
            };
            TrueFile { path: file.path.clone(), bytes, live }
        })
        .collect()
}

/// Where the stock firmware's settings are on a chip with less flash than the manifest reserves.
fn moved_settings(plan: &DiskPlan, flash: u64) -> Range<u64> {
    /// Before that is the program.
    const PROGRAM_END: u64 = 512 << 10;

    let settings = &plan.settings;
    let missing = u64::from(plan.chip.flash_size).saturating_sub(flash);
    let start = u64::from(settings.start).saturating_sub(missing);
    let moves = plan.stock.firmware && settings.from_end && start >= PROGRAM_END;
    if moves { start..start + u64::from(settings.sectors) * 4096 } else { 0..0 }
}
