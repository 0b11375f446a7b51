//! Directories: what the manifest encoded at build time, the board's label, the dynamic files, then end-of-directory.

use super::file::Components;
use super::layout::{Directory, Layout, Region, RegionKind};
use super::registry::Files;
use super::slot::ROOT;
use picovd_exfat::entry::{ENTRY_LENGTH, EntryType, FileAttributes};
use picovd_exfat::name::Name;
use picovd_exfat::upcase::upcase;

/// Where the last rendering of a directory's dynamic files ended: hosts read on from there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bookmark {
    folder: u8,
    slot: usize,
    /// Bytes of entries before that slot's.
    position: u32,
}

impl Bookmark {
    /// The beginning of the root directory's dynamic files. Every generation begins here.
    pub const START: Self = Self { folder: ROOT, slot: 0, position: 0 };
}

/// Renders bytes of a directory that the manifest names, from byte `start` of it on. `cluster` is its first; `label` is at the
/// beginning of the root directory, and may be left out after it.
pub(super) fn render(
    directory: &Directory<'_>,
    cluster: u32,
    layout: &Layout<'_>,
    files: Option<(&Files<'_>, &mut Bookmark)>,
    label: Option<&[u8; ENTRY_LENGTH]>,
    start: u32,
    out: &mut [u8],
) {
    super::copy_padded(directory.entries, start, out);
    if let Some(label) = label {
        for (byte, value) in out.iter_mut().zip(label.get(start as usize..).unwrap_or(&[])) {
            *byte = *value;
        }
    }
    let Some((files, bookmark)) = files else { return };
    let folder = if directory.root { Some(ROOT) } else { files.given_at(cluster).map(|(folder, _)| folder) };
    let first = directory.entries.len() as u32;
    let before = first.saturating_sub(start) as usize;
    if let Some((folder, rest)) = folder.zip(out.get_mut(before..).filter(|rest| !rest.is_empty())) {
        list(layout, files, bookmark, folder, (start + before as u32) - first, rest);
    }
}

/// Renders the entries of what a dynamic folder, or the root directory, holds, from byte `start` of them on. Bytes after
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
    while position < end
        && let Some((found, shown)) = files.next_shown(slot)
    {
        slot = found;
        // A folder of the manifest is among its parent's own entries.
        if shown.parent == folder && !shown.is_given() {
            let length = u32::from(shown.entries) * ENTRY_LENGTH as u32;
            if position + length > start {
                *bookmark = Bookmark { folder, slot, position };
                let offset = start.saturating_sub(position) as usize;
                let piece = out.get_mut(position.saturating_sub(start) as usize..).unwrap_or_default();
                shown.entry_set(layout.dynamic.first_cluster).render(offset, piece);
            }
            position += length;
        }
        slot += 1;
    }
}

/// What the manifest has under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Given {
    File,
    /// A folder, by its first cluster.
    Folder(u32),
}

/// What the manifest has under that name, whose NameHash (exFAT 7.6.4) is `hash`, in the folder that begins at `cluster`.
pub(super) fn find(layout: &Layout<'_>, cluster: u32, name: Name<'_>, hash: u16) -> Option<Given> {
    let mut entries = directory_at(layout, cluster)?.entries.chunks_exact(ENTRY_LENGTH);
    let mut attributes = 0;
    while let Some(entry) = entries.next() {
        match *entry {
            // File: FileAttributes (exFAT 7.4.4).
            [kind, _, _, _, low, high, ..] if kind == EntryType::FILE.0 => attributes = u16::from_le_bytes([low, high]),
            // Stream Extension (7.6): NameLength, NameHash and FirstCluster, then the File Name entries (7.7).
            [kind, _, _, length, low, high, ..]
                if kind == EntryType::STREAM_EXTENSION.0
                    && length == name.length()
                    && u16::from_le_bytes([low, high]) == hash
                    && units_of(entries.clone()).take(length.into()).map(upcase).eq(name.units().map(upcase)) =>
            {
                let cluster = entry.get(20..24)?.try_into().map(u32::from_le_bytes).ok()?;
                let folder = attributes & FileAttributes::DIRECTORY.0 != 0;
                return Some(if folder { Given::Folder(cluster) } else { Given::File });
            }
            _ => {}
        }
    }
    None
}

/// Whether the manifest has another name in the folder that begins at `cluster` that some host may take for this one.
pub(super) fn has_twin(layout: &Layout<'_>, cluster: u32, name: Name<'_>) -> bool {
    let Some(directory) = directory_at(layout, cluster) else { return false };
    let ascii = name.is_ascii();
    let mut entries = directory.entries.chunks_exact(ENTRY_LENGTH);
    while let Some(entry) = entries.next() {
        if let [kind, _, _, length, ..] = *entry
            && kind == EntryType::STREAM_EXTENSION.0
        {
            let units = units_of(entries.clone()).take(length.into());
            // Two ASCII names that are alike are the same.
            if !(ascii && units.clone().all(|unit| unit < 0x80)) && name.is_twin(units) {
                return true;
            }
        }
    }
    false
}

/// The units of the name whose File Name entries (exFAT 7.7) come next, and those of later entries.
fn units_of<'e>(entries: impl Iterator<Item = &'e [u8]> + Clone) -> impl Iterator<Item = u16> + Clone {
    let units = entries.flat_map(|entry| entry.get(2..).unwrap_or(&[]).chunks_exact(2));
    units.map(|unit| unit.iter().rev().fold(0, |value, byte| value << 8 | u16::from(*byte)))
}

/// The folder of the manifest that a path names by so many of its first components, by its first cluster.
pub(super) fn follow(layout: &Layout<'_>, path: &str, level: u8) -> Option<u32> {
    let root = layout.first_cluster_of_root_directory;
    Components::of(path).take(level.into()).try_fold(root, |cluster, component| {
        let name = Name::new(component).ok()?;
        match find(layout, cluster, name, name.name_hash())? {
            Given::Folder(cluster) => Some(cluster),
            Given::File => None,
        }
    })
}

/// The manifest's folder that begins at a cluster.
fn directory_at<'a>(layout: &Layout<'a>, cluster: u32) -> Option<Directory<'a>> {
    let first = layout.block_of(cluster);
    let place = layout.regions.partition_point(|region| region.first < first);
    match layout.regions.get(place)? {
        Region { first: there, kind: RegionKind::Directory(directory), .. } if *there == first => Some(*directory),
        _ => None,
    }
}
