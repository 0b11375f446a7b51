//! The directory entries of dynamic files and folders.

use super::registry::Files;
use super::slot::ROOT;
use super::unused;
use picovd_exfat::entry::ENTRY_LENGTH;

/// Where the last rendering of a directory's dynamic entries ended: hosts continue reading there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bookmark {
    folder: u8,
    slot: usize,
    /// Length in bytes of the entries before that slot's.
    position: u32,
}

impl Bookmark {
    /// Nothing was rendered yet: every position is before this one. Every generation begins here.
    pub const START: Self = Self { folder: ROOT, slot: 0, position: u32::MAX };
}

/// Renders the dynamic entries in a folder, or in the root directory, from byte `start` of them on: first `unused` bytes of
/// unused entries, then the others. Bytes after the last one are left unchanged: they are zeros, end-of-directory entries.
pub(super) fn render(files: &Files<'_>, bookmark: &mut Bookmark, folder: u8, unused: u32, start: u32, out: &mut [u8]) {
    if bookmark.folder != folder || bookmark.position > start {
        *bookmark = Bookmark { folder, slot: 0, position: unused };
        unused::render(unused, start, out);
    }
    let Bookmark { mut slot, mut position, .. } = *bookmark;
    let end = start.saturating_add(out.len() as u32);
    while position < end
        && let Some((found, shown)) = files.next_shown(slot)
    {
        slot = found;
        // A folder of the manifest is among its parent's static entries.
        if shown.parent == folder && !shown.is_given() {
            let length = u32::from(shown.entries) * ENTRY_LENGTH as u32;
            if position + length > start {
                *bookmark = Bookmark { folder, slot, position };
                let offset = start.saturating_sub(position) as usize;
                let piece = out.get_mut(position.saturating_sub(start) as usize..).unwrap_or_default();
                shown.entry_set(files.layout.dynamic.first_cluster).render(offset, piece);
            }
            position += length;
        }
        slot += 1;
    }
}
