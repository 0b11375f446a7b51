//! Directories: what the manifest encoded at build time, the board's label, the files of run time, then end-of-directory.

use super::layout::{Directory, Layout, RegionKind};
use super::registry::Files;
use super::slot::ROOT;
use picovd_exfat::entry::{ENTRY_LENGTH, EntryType};
use picovd_exfat::name::Name;
use picovd_exfat::upcase::upcase;

/// Where the last rendering of a directory's files of run time ended: hosts read on from there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bookmark {
    folder: u8,
    slot: usize,
    /// Bytes of entries before that slot's.
    position: u32,
}

impl Bookmark {
    /// The beginning of the root directory's files of run time. Every generation begins here.
    pub const START: Self = Self { folder: ROOT, slot: 0, position: 0 };
}

/// Renders bytes of a directory that the manifest names, from byte `start` of it on.
pub(super) fn render(
    directory: &Directory<'_>,
    layout: &Layout<'_>,
    files: Option<(&Files<'_>, &mut Bookmark)>,
    label: &[u8; ENTRY_LENGTH],
    start: u32,
    out: &mut [u8],
) {
    super::copy_padded(directory.entries, start, out);
    if !directory.root {
        return;
    }
    if let Some(rest) = label.get(start as usize..) {
        for (byte, value) in out.iter_mut().zip(rest) {
            *byte = *value;
        }
    }
    let first = directory.entries.len() as u32;
    let before = first.saturating_sub(start) as usize;
    let Some((files, bookmark)) = files else { return };
    if let Some(rest) = out.get_mut(before..).filter(|rest| !rest.is_empty()) {
        list(layout, files, bookmark, ROOT, (start + before as u32) - first, rest);
    }
}

/// Renders the entries of what a folder of run time, or the root directory, holds, from byte `start` of them on. Bytes behind
/// the last one stay as they are: they are zeros, end-of-directory entries.
pub(super) fn list(
    layout: &Layout<'_>,
    files: &Files<'_>,
    bookmark: &mut Bookmark,
    folder: u8,
    start: u32,
    out: &mut [u8],
) {
    if bookmark.folder != folder || bookmark.position > start {
        *bookmark = Bookmark { folder, ..Bookmark::START };
    }
    let Bookmark { mut slot, mut position, .. } = *bookmark;
    let end = start.saturating_add(out.len() as u32);
    while position < end && slot < files.count() {
        if let Some(shown) = files.shown_in(slot).filter(|shown| shown.parent == folder) {
            let length = u32::from(shown.entries) * ENTRY_LENGTH as u32;
            if position + length > start {
                *bookmark = Bookmark { folder, slot, position };
                let offset = start.saturating_sub(position) as usize;
                let piece = out.get_mut(position.saturating_sub(start) as usize..).unwrap_or_default();
                if let Some(set) = shown.entry_set(layout.dynamic.first_cluster) {
                    set.render(offset, piece);
                }
            }
            position += length;
        }
        slot += 1;
    }
}

/// Whether the manifest has a file or folder of that name in the root directory.
pub(super) fn root_holds(layout: &Layout<'_>, name: Name<'_>) -> bool {
    let root = layout.regions.iter().find_map(|region| match region.kind {
        RegionKind::Directory(directory) if directory.root => Some(directory.entries),
        _ => None,
    });
    let mut entries = root.unwrap_or(&[]).chunks_exact(ENTRY_LENGTH);
    while let Some(entry) = entries.next() {
        // Stream Extension (exFAT 7.6): NameLength and NameHash, then the File Name entries (7.7).
        let &[kind, _, _, length, low, high, ..] = entry else { continue };
        if kind == EntryType::STREAM_EXTENSION.0
            && length == name.length()
            && u16::from_le_bytes([low, high]) == name.name_hash()
        {
            let units = entries.clone().flat_map(|entry| entry.get(2..).unwrap_or(&[]).chunks_exact(2));
            let units = units.map(|unit| unit.iter().rev().fold(0, |value, byte| value << 8 | u16::from(*byte)));
            if units.take(length.into()).map(upcase).eq(name.units().map(upcase)) {
                return true;
            }
        }
    }
    false
}
