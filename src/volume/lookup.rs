//! Looks up files and folders of the manifest by name.

use super::layout::{Directory, Layout, RegionKind};
use picovd_exfat::ClusterIndex;
use picovd_exfat::entry::{ENTRY_LENGTH, EntryType, FileAttributes};
use picovd_exfat::name::Name;
use picovd_exfat::upcase::upcase;

/// A file or folder of the manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Given {
    File,
    /// A folder, by its first cluster.
    Folder(ClusterIndex),
}

/// The file or folder of the manifest with that name, whose NameHash (exFAT 7.6.4) is `hash`, in the folder that begins at
/// `cluster`.
pub(crate) fn find(layout: &Layout<'_>, cluster: ClusterIndex, name: Name<'_>, hash: u16) -> Option<Given> {
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
                return Some(if folder { Given::Folder(ClusterIndex(cluster)) } else { Given::File });
            }
            _ => {}
        }
    }
    None
}

/// Whether the manifest has another name, in the folder that begins at `cluster`, that some host may take for this one.
pub(crate) fn has_twin(layout: &Layout<'_>, cluster: ClusterIndex, name: Name<'_>) -> bool {
    let Some(directory) = directory_at(layout, cluster) else { return false };
    let ascii = name.is_ascii();
    let mut entries = directory.entries.chunks_exact(ENTRY_LENGTH);
    while let Some(entry) = entries.next() {
        if let [kind, _, _, length, ..] = *entry
            && kind == EntryType::STREAM_EXTENSION.0
        {
            let units = units_of(entries.clone()).take(length.into());
            // Two ASCII names that are alike are equal.
            if !(ascii && units.clone().all(|unit| unit < 0x80)) && name.is_twin(units) {
                return true;
            }
        }
    }
    false
}

/// The units of the name whose File Name entries (exFAT 7.7) follow, and of all later entries.
fn units_of<'e>(entries: impl Iterator<Item = &'e [u8]> + Clone) -> impl Iterator<Item = u16> + Clone {
    let units = entries.flat_map(|entry| entry.get(2..).unwrap_or(&[]).chunks_exact(2));
    units.map(|unit| unit.iter().rev().fold(0, |value, byte| value << 8 | u16::from(*byte)))
}

/// The first cluster of the manifest's folder that names lead to from the root directory.
pub(crate) fn follow<'n>(layout: &Layout<'_>, mut names: impl Iterator<Item = &'n str>) -> Option<ClusterIndex> {
    let root = layout.first_cluster_of_root_directory;
    names.try_fold(root, |cluster, component| {
        let name = Name::new(component).ok()?;
        match find(layout, cluster, name, name.name_hash())? {
            Given::Folder(cluster) => Some(cluster),
            Given::File => None,
        }
    })
}

/// The manifest's folder that begins at a cluster.
pub(crate) fn directory_at<'a>(layout: &Layout<'a>, cluster: ClusterIndex) -> Option<Directory<'a>> {
    let first = layout.block_of(cluster);
    let record = layout.regions.get(layout.regions.partition_point(|region| region.first < first))?;
    match record.resolve(&layout.compiled).kind {
        RegionKind::Directory(directory) if record.first == first => Some(directory),
        _ => None,
    }
}
