//! The lengths of everything: directories, FAT, bitmap, heap. They depend on each other.

use std::ops::Range;

use picovd_exfat::entry::{ENTRY_LENGTH, entries_for};
use picovd_exfat::fat::FAT_ENTRY_LENGTH;
use picovd_exfat::name::Name;
use picovd_exfat::upcase;

use super::runtime;
use super::{BYTES_PER_CLUSTER, FAT_OFFSET, SECTOR, SECTORS_PER_CLUSTER};
use crate::check::{Checked, Content, Entry, MAXIMUM_SIZE};
use crate::diagnostic::{Code, Collector};

/// Minimum number of clusters: FatFs R0.16 does not accept an exFAT volume with fewer, although the standard allows it.
const LEAST_CLUSTERS: u64 = 256;

/// Maximum length of a directory in bytes (exFAT 9.5).
const DIRECTORY_LENGTH: u64 = 256 << 20;

/// Number of clusters of a directory.
#[derive(Clone, Copy, Debug)]
pub(super) struct DirectoryClusters {
    /// Number that its static entries need.
    pub own: u32,
    /// Number reserved for it.
    pub kept: u32,
}

/// Number of clusters of each directory. Each has room for all dynamic files: they may be in any folder, and unused room
/// costs only clusters of a disk that is not stored anywhere. Always one entry more than necessary, so that a directory
/// ends with an end-of-directory entry (exFAT 6.2.1 does not require one in a full directory, but not every host was tested
/// with that).
pub(super) fn directory_clusters(manifest: &Checked, problems: &mut Collector) -> Option<Vec<DirectoryClusters>> {
    let mut clusters = Vec::with_capacity(manifest.folders.len());
    let runtime = usize::from(runtime::window(manifest).entries);
    for (index, folder) in manifest.folders.iter().enumerate() {
        let sets: usize = folder.entries.iter().map(|entry| set_entries(manifest, *entry)).sum();
        let own = if index == 0 { 3 } else { 0 };
        let bytes = |entries: usize| ((entries + 1) * ENTRY_LENGTH) as u64;
        let length = bytes(sets + own + runtime);
        if length > DIRECTORY_LENGTH {
            problems.report(
                Code::VolumeSize,
                folder.entries.iter().find_map(|entry| span(manifest, *entry)),
                format!("the directory {:?} has {length} bytes", folder.path),
                format!("keep it below {DIRECTORY_LENGTH}: put files into folders"),
            );
            return None;
        }
        let count = |length: u64| length.div_ceil(u64::from(BYTES_PER_CLUSTER)) as u32;
        clusters.push(DirectoryClusters { own: count(bytes(sets + own)), kept: count(length) });
    }
    Some(clusters)
}

fn set_entries(manifest: &Checked, entry: Entry) -> usize {
    let name = match entry {
        Entry::Folder(index) => manifest.folders.get(index).map(|folder| &folder.name),
        Entry::File(index) => manifest.files.get(index).map(|file| &file.name),
    };
    name.and_then(|name| Name::new(name).ok()).map_or(0, |name| entries_for(name.length()))
}

/// Where the manifest names a file.
fn span(manifest: &Checked, entry: Entry) -> Option<Range<usize>> {
    match entry {
        Entry::File(index) => manifest.files.get(index).map(|file| file.span.clone()),
        Entry::Folder(_) => None,
    }
}

/// Where the manifest names what takes most of the volume: the dynamic window, or the longest file.
fn longest(manifest: &Checked) -> Option<Range<usize>> {
    let file = manifest.files.iter().max_by_key(|file| file.content.length());
    let length = file.map_or(0, |file| file.content.length());
    let window = manifest.window_span.clone().filter(|_| manifest.dynamic.window > length);
    window.or_else(|| file.map(|file| file.span.clone()))
}

impl Content {
    pub(super) fn length(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Memory(window) => window.length(),
        }
    }
}

pub(super) fn clusters(bytes: u64) -> u64 {
    bytes.div_ceil(u64::from(BYTES_PER_CLUSTER))
}

/// Lengths that depend on each other: clusters need a FAT and a bitmap, the FAT moves the heap, the bitmap needs clusters.
#[derive(Clone, Copy, Debug)]
pub(super) struct Geometry {
    pub cluster_count: u32,
    pub bitmap_clusters: u32,
    pub fat_length: u32,
    pub cluster_heap_offset: u32,
}

impl Geometry {
    pub fn of(
        manifest: &Checked,
        directories: &Option<Vec<DirectoryClusters>>,
        problems: &mut Collector,
    ) -> Option<Self> {
        let directories: u64 = directories.as_ref()?.iter().map(|directory| u64::from(directory.kept)).sum();
        let files: u64 = manifest.files.iter().map(|file| clusters(file.content.length())).sum();
        let rest = clusters(upcase::TABLE_LENGTH as u64)
            + directories
            + files
            + u64::from(runtime::window(manifest).cluster_count);
        let most = clusters(MAXIMUM_SIZE);
        if rest >= most {
            problems.report(
                Code::VolumeSize,
                longest(manifest),
                format!("the volume needs {rest} clusters of 4 KiB"),
                format!("keep it below {most}; this takes most of it"),
            );
            return None;
        }
        let minimum_sectors = manifest.volume.minimum_size.div_ceil(SECTOR);
        let mut cluster_count = rest + 1;
        // The count only increases in each round and has an upper limit, so the loop ends.
        loop {
            let bitmap_clusters = clusters(cluster_count.div_ceil(8));
            let fat_length = ((cluster_count + 2) * FAT_ENTRY_LENGTH as u64).div_ceil(SECTOR);
            let heap = (u64::from(FAT_OFFSET) + fat_length).next_multiple_of(u64::from(SECTORS_PER_CLUSTER));
            let minimum = minimum_sectors.saturating_sub(heap).div_ceil(u64::from(SECTORS_PER_CLUSTER));
            let needed = (rest + bitmap_clusters).max(minimum).max(LEAST_CLUSTERS);
            if needed <= cluster_count {
                return Some(Self {
                    cluster_count: cluster_count as u32,
                    bitmap_clusters: bitmap_clusters as u32,
                    fat_length: fat_length as u32,
                    cluster_heap_offset: heap as u32,
                });
            }
            cluster_count = needed;
        }
    }
}
