//! Directories: what the manifest encoded at build time, the board's label, the slots of run time, then end-of-directory.
//!
//! A slot that no file uses holds unused entries (exFAT 6.2.1.2: types 01h to 7Fh), because a 00h entry would end the
//! directory before the slots behind it.

use super::layout::{Directory, DynamicWindow};
use picovd_exfat::entry::ENTRY_LENGTH;

/// EntryType of an unused slot's entries: a benign, InUse-cleared type that no specification assigns (exFAT 6.2.1), so that
/// tools which look for deleted files find none.
const UNUSED_ENTRY_TYPE: u8 = 0x1F;

/// Renders bytes of a directory, from byte `start` of it on.
pub(super) fn render(
    directory: &Directory<'_>,
    dynamic: DynamicWindow,
    label: &[u8; ENTRY_LENGTH],
    start: u32,
    out: &mut [u8],
) {
    super::copy_padded(directory.entries, start, out);
    if !directory.root {
        return;
    }
    if let Some(rest) = label.get(start as usize..) {
        let length = rest.len().min(out.len());
        out[..length].copy_from_slice(&rest[..length]);
    }
    let slots_start = directory.entries.len() as u32;
    let slots_end = slots_start + u32::from(dynamic.slots) * u32::from(dynamic.slot_entries) * ENTRY_LENGTH as u32;
    let first = start.max(slots_start).next_multiple_of(ENTRY_LENGTH as u32);
    let end = slots_end.min(start.saturating_add(out.len() as u32));
    for entry in (first..end).step_by(ENTRY_LENGTH) {
        if let Some(byte) = out.get_mut((entry - start) as usize) {
            *byte = UNUSED_ENTRY_TYPE;
        }
    }
}
