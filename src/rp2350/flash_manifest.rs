//! The compiled manifest in flash, for firmware that obeys it in place of its own.

use super::boot_info;
use crate::chip::address_map::{CHIP_SELECT, STORAGE_BASE};
use crate::volume::layout::stock::{MANIFEST, SECTOR};
use crate::volume::layout::{Compiled, MAGIC, Refusal};

/// Maximum length of tables and contents in words.
const MOST: u32 = (CHIP_SELECT - SECTOR - MANIFEST) / 4;

/// The compiled manifest in flash.
///
/// # Errors
/// Why there is none that can be used.
pub fn flash_manifest() -> Result<Compiled<'static>, Refusal> {
    // The magic number, the length of the tables and that of the contents.
    let [magic, _, tables, _, contents] = *words(5) else { return Err(Refusal::Absent) };
    if magic != MAGIC {
        return Err(Refusal::Absent);
    }
    let length = (tables / 4).checked_add(contents.div_ceil(4)).filter(|length| *length <= MOST);
    let compiled = Compiled::read(words(length.ok_or(Refusal::Truncated)?))?;
    check_places(&compiled, tables.saturating_add(contents))?;
    Ok(compiled)
}

/// Checks that everything has its place on this chip.
fn check_places(compiled: &Compiled<'_>, length: u32) -> Result<(), Refusal> {
    let reserved = compiled.chip().flash_size;
    let chip = boot_info::flash(reserved);
    let last = chip.unwrap_or(reserved).saturating_sub(SECTOR);
    let end = MANIFEST.saturating_add(length).next_multiple_of(SECTOR);
    let settings = compiled.settings();
    let sectors = u32::from(settings.sectors) * SECTOR;
    if end > last {
        return Err(Refusal::Invalid("it is longer than this chip's flash"));
    }
    let start = settings.start_on(reserved, chip);
    // On a chip that is too short for them, settings are not kept.
    if sectors != 0 && start < end {
        return Err(Refusal::Invalid("its settings overlap it"));
    }
    if start.checked_add(sectors).is_none_or(|end| end > CHIP_SELECT) {
        return Err(Refusal::Invalid("its settings are beyond flash"));
    }
    Ok(())
}

/// Words of flash from [`MANIFEST`] on: at most [`MOST`].
fn words(count: u32) -> &'static [u32] {
    let address = (STORAGE_BASE + MANIFEST) as usize as *const u32;
    // SAFETY: the range is in the window that shows flash without cache and translation, which the core can read without
    // side effects. Only settings are written while the program runs: their sectors are not in a manifest that is used, which
    // `check_places` ensures before any is written.
    unsafe { core::slice::from_raw_parts(address, count.min(MOST) as usize) }
}
