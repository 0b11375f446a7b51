//! The disk: which cluster belongs to what, which block shows what.
//!
//! Order of the heap: allocation bitmap, up-case table, directories (the root directory first), static files, memory windows,
//! dynamic window. Regions are only ever appended, so they cannot overlap, and every gap is a region with its reason.

use std::sync::Arc;

use picovd_exfat::boot::{BACKUP_BOOT_REGION, BOOT_REGION_SECTORS, MAIN_BOOT_REGION};
use picovd_exfat::entry::{
    Allocation, AllocationBitmapEntry, ENTRY_LENGTH, EntrySet, FileAttributes, UpcaseTableEntry, VolumeLabelEntry,
    entries_for,
};
use picovd_exfat::fat::FAT_ENTRY_LENGTH;
use picovd_exfat::name::Name;
use picovd_exfat::time::Timestamp;
use picovd_exfat::{BYTES_PER_SECTOR, ClusterIndex, bitmap, upcase};

use crate::check::{Checked, Chip, Content, Dynamic, Entry, File, Log, Partitions, Settings, Usb, Window};
use crate::diagnostic::{Code, Collector, Diagnostics};

/// Bytes in a cluster: one flash sector of the RP2350.
pub const BYTES_PER_CLUSTER: u32 = 4096;

const SECTOR: u64 = BYTES_PER_SECTOR as u64;
const SECTORS_PER_CLUSTER: u32 = BYTES_PER_CLUSTER / BYTES_PER_SECTOR as u32;
const SECTORS_PER_CLUSTER_SHIFT: u8 = SECTORS_PER_CLUSTER.trailing_zeros() as u8;

/// The FAT follows the boot regions at once.
const FAT_OFFSET: u32 = BACKUP_BOOT_REGION + BOOT_REGION_SECTORS;

/// Most bytes in a directory (exFAT 9.5).
const DIRECTORY_LENGTH: u64 = 256 << 20;

/// Everything about the disk that is decided at build time. The fields up to `dynamic` are those of the library's
/// `volume::layout::Layout`, owned.
#[derive(Clone, Debug)]
pub struct DiskPlan {
    /// VolumeLength (exFAT 3.1.5), in sectors.
    pub volume_length: u32,
    /// FatOffset (exFAT 3.1.6), in sectors.
    pub fat_offset: u32,
    /// FatLength (exFAT 3.1.7), in sectors.
    pub fat_length: u32,
    /// ClusterHeapOffset (exFAT 3.1.8), in sectors.
    pub cluster_heap_offset: u32,
    /// ClusterCount (exFAT 3.1.9).
    pub cluster_count: u32,
    /// FirstClusterOfRootDirectory (exFAT 3.1.10).
    pub first_cluster_of_root_directory: u32,
    /// VolumeSerialNumber (exFAT 3.1.11) for a board that gives none of its own.
    pub volume_serial_number: u32,
    /// The volume label.
    pub label: Label,
    /// SectorsPerClusterShift (exFAT 3.1.15).
    pub sectors_per_cluster_shift: u8,
    /// Last cluster of each FAT chain, ascending; the chains follow each other from cluster 2 on.
    pub chain_ends: Vec<u32>,
    /// Number of clusters, from cluster 2 on, that are allocated for good.
    pub allocated_clusters: u32,
    /// What stands at which block: ascending, without gap or overlap, from block 0 to the volume's end.
    pub regions: Vec<Region>,
    /// Clusters and directory slots for files registered at run time.
    pub dynamic: DynamicWindow,
    /// The directories, the root directory first.
    pub directories: Vec<PlannedDirectory>,
    /// The files, in the order of the heap.
    pub files: Vec<PlannedFile>,
    /// What the device says of itself.
    pub usb: Usb,
    /// The hardware.
    pub chip: Chip,
    /// Flash sectors for settings.
    pub settings: Settings,
    /// How the flash partitions are to be shown; nothing is reserved for them yet.
    pub partitions: Partitions,
    /// How logs are to be shown; nothing is reserved for them yet.
    pub log: Log,
    /// Files of run time, and how hosts hear of changes.
    pub changes: Dynamic,
}

/// The volume label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The text's UTF-16 units.
    pub units: Vec<u16>,
    /// Whether the last four hexadecimal digits of the board's identity follow.
    pub board_digits: bool,
}

/// The dynamic window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DynamicWindow {
    /// First cluster; 0 when there is no window.
    pub first_cluster: u32,
    /// Number of clusters.
    pub cluster_count: u32,
    /// Number of directory slots in the root directory.
    pub slots: u16,
    /// Directory entries per slot.
    pub slot_entries: u8,
}

/// A run of blocks with one meaning.
#[derive(Clone, Debug)]
pub struct Region {
    /// First block.
    pub first: u32,
    /// Number of blocks, at least 1.
    pub length: u32,
    /// What the blocks hold.
    pub kind: RegionKind,
    /// The path of the file or directory; empty for what has none, and for the root directory.
    pub path: String,
}

/// What the blocks of a region hold.
#[derive(Clone, Debug)]
pub enum RegionKind {
    /// Main or backup boot region.
    Boot,
    /// First FAT.
    Fat,
    /// Allocation bitmap.
    Bitmap,
    /// Up-case table.
    Upcase,
    /// A directory.
    Directory {
        /// The encoded entries.
        entries: Vec<u8>,
        /// Whether it is the root directory.
        root: bool,
    },
    /// A file whose bytes are known at build time.
    Bytes(Arc<[u8]>),
    /// A window onto the chip's address space.
    Memory {
        /// First address.
        base: u32,
        /// Length in bytes.
        length: u64,
    },
    /// Clusters of files registered at run time.
    Dynamic,
    /// Nothing: reads as zeros.
    Unused(Gap),
}

/// Why a region is unused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gap {
    /// FAT alignment or cluster heap alignment.
    Alignment,
    /// Clusters that nothing is allocated in.
    Free,
    /// Part of a file that is not shown: a redaction.
    Reserved,
    /// Sectors after the last cluster.
    Excess,
}

/// A directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedDirectory {
    /// Its path, empty for the root directory.
    pub path: String,
    /// First cluster.
    pub first_cluster: u32,
    /// Number of clusters.
    pub cluster_count: u32,
}

/// A file.
#[derive(Clone, Debug)]
pub struct PlannedFile {
    /// Its path, folders separated by `/`.
    pub path: String,
    /// First cluster; 0 for an empty file.
    pub first_cluster: u32,
    /// Length in bytes.
    pub length: u64,
    /// Place of its first region in [`DiskPlan::regions`]; `None` for an empty file.
    pub region: Option<usize>,
    /// Where its bytes come from.
    pub source: FileSource,
}

/// Where a file's bytes come from.
#[derive(Clone, Debug)]
pub enum FileSource {
    /// They are these.
    Bytes(Arc<[u8]>),
    /// They stand in the chip's memory.
    Memory {
        /// First address.
        base: u32,
        /// Length in bytes.
        length: u64,
        /// Parts that read as zeros instead: offsets into the file, ascending, whole sectors.
        redacted: Vec<std::ops::Range<u64>>,
    },
}

/// Lays out the disk of a checked manifest.
///
/// # Errors
/// A directory or the volume is longer than exFAT or the library can carry.
pub fn plan(manifest: &Checked) -> Result<DiskPlan, Diagnostics> {
    let mut problems = Collector::default();
    let directories = directory_clusters(manifest, &mut problems);
    let geometry = Geometry::of(manifest, &directories, &mut problems);
    let Some((geometry, directories)) = geometry.zip(directories) else {
        return Err(problems.into_diagnostics(&manifest.source));
    };
    Ok(Builder::new(manifest, geometry).build(&directories))
}

/// Number of clusters of each directory. One entry more than is used, so that a directory always ends in an end-of-directory
/// entry (exFAT 6.2.1 asks for none in a full one, but not every host was tried with that).
fn directory_clusters(manifest: &Checked, problems: &mut Collector) -> Option<Vec<u32>> {
    let mut clusters = Vec::with_capacity(manifest.folders.len());
    for (index, folder) in manifest.folders.iter().enumerate() {
        let sets: usize = folder.entries.iter().map(|entry| set_entries(manifest, *entry)).sum();
        let dynamic = &manifest.dynamic;
        let own = if index == 0 { 3 + usize::from(dynamic.files) * entries_for(dynamic.max_name) } else { 0 };
        let length = ((sets + own + 1) * ENTRY_LENGTH) as u64;
        if length > DIRECTORY_LENGTH {
            problems.report(
                Code::VolumeSize,
                None,
                format!("the directory {:?} has {length} bytes", folder.path),
                format!("keep it below {DIRECTORY_LENGTH}: put files into folders"),
            );
            return None;
        }
        clusters.push(length.div_ceil(u64::from(BYTES_PER_CLUSTER)) as u32);
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

impl Content {
    fn length(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Memory(window) => window.length(),
        }
    }
}

fn clusters(bytes: u64) -> u64 {
    bytes.div_ceil(u64::from(BYTES_PER_CLUSTER))
}

/// Lengths that depend on each other: clusters need a FAT and a bitmap, the FAT moves the heap, the bitmap needs clusters.
#[derive(Clone, Copy, Debug)]
struct Geometry {
    cluster_count: u32,
    bitmap_clusters: u32,
    fat_length: u32,
    cluster_heap_offset: u32,
}

impl Geometry {
    fn of(manifest: &Checked, directories: &Option<Vec<u32>>, problems: &mut Collector) -> Option<Self> {
        let directories: u64 = directories.as_ref()?.iter().copied().map(u64::from).sum();
        let files: u64 = manifest.files.iter().map(|file| clusters(file.content.length())).sum();
        let rest = clusters(upcase::TABLE_LENGTH as u64) + directories + files + clusters(manifest.dynamic.window);
        let most = clusters(crate::check::MAXIMUM_SIZE);
        if rest >= most {
            problems.report(
                Code::VolumeSize,
                None,
                format!("the volume needs {rest} clusters of 4 KiB"),
                format!("keep it below {most}"),
            );
            return None;
        }
        let minimum_sectors = manifest.volume.minimum_size.div_ceil(SECTOR);
        let mut cluster_count = rest + 1;
        // The count only grows from turn to turn and has a bound, so that this ends.
        loop {
            let bitmap_clusters = clusters(cluster_count.div_ceil(8));
            let fat_length = ((cluster_count + 2) * FAT_ENTRY_LENGTH as u64).div_ceil(SECTOR);
            let heap = (u64::from(FAT_OFFSET) + fat_length).next_multiple_of(u64::from(SECTORS_PER_CLUSTER));
            let minimum = minimum_sectors.saturating_sub(heap).div_ceil(u64::from(SECTORS_PER_CLUSTER));
            let needed = (rest + bitmap_clusters).max(minimum);
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

/// Appends regions. The next block and the next cluster are where the last region ended.
struct Builder<'a> {
    manifest: &'a Checked,
    geometry: Geometry,
    regions: Vec<Region>,
    next_block: u32,
}

impl<'a> Builder<'a> {
    fn new(manifest: &'a Checked, geometry: Geometry) -> Self {
        Self { manifest, geometry, regions: Vec::new(), next_block: 0 }
    }

    fn build(mut self, directory_clusters: &[u32]) -> DiskPlan {
        let Geometry { cluster_count, bitmap_clusters, fat_length, cluster_heap_offset } = self.geometry;
        let manifest = self.manifest;
        for first in [MAIN_BOOT_REGION, BACKUP_BOOT_REGION] {
            self.align(first);
            self.append(BOOT_REGION_SECTORS, RegionKind::Boot, "");
        }
        self.align(FAT_OFFSET);
        self.append(fat_length, RegionKind::Fat, "");
        self.align(cluster_heap_offset);

        let mut chain_ends = Vec::new();
        let bitmap_first = self.next_cluster();
        self.append_clusters(bitmap_clusters, RegionKind::Bitmap, "");
        chain_ends.push(self.next_cluster() - 1);
        let upcase_first = self.next_cluster();
        self.append_clusters(clusters(upcase::TABLE_LENGTH as u64) as u32, RegionKind::Upcase, "");
        chain_ends.push(self.next_cluster() - 1);

        // Where everything will stand has to be known before the first directory is encoded.
        let mut next = self.next_cluster();
        let mut place = |clusters: u32| {
            let first = next;
            next += clusters;
            first
        };
        let directories: Vec<PlannedDirectory> = manifest
            .folders
            .iter()
            .zip(directory_clusters)
            .map(|(folder, count)| PlannedDirectory {
                path: folder.path.clone(),
                first_cluster: place(*count),
                cluster_count: *count,
            })
            .collect();
        let file_firsts: Vec<u32> = manifest
            .files
            .iter()
            .map(|file| match file.content.length() {
                0 => 0,
                length => place(clusters(length) as u32),
            })
            .collect();

        for (index, directory) in directories.iter().enumerate() {
            let mut entries = Vec::new();
            if index == 0 {
                entries.extend(VolumeLabelEntry::new(manifest.volume.label.encode_utf16()).encode());
                let data_length = u64::from(bitmap::length(cluster_count));
                let first_cluster = ClusterIndex(bitmap_first);
                entries.extend(AllocationBitmapEntry { first_cluster, data_length }.encode());
                let upcase_entry = UpcaseTableEntry {
                    table_checksum: upcase::TABLE_CHECKSUM,
                    first_cluster: ClusterIndex(upcase_first),
                    data_length: upcase::TABLE_LENGTH as u64,
                };
                entries.extend(upcase_entry.encode());
            }
            let listed = manifest.folders.get(index).map_or(&[][..], |folder| &folder.entries);
            for entry in listed {
                self.encode(*entry, &directories, &file_firsts, &mut entries);
            }
            let kind = RegionKind::Directory { entries, root: index == 0 };
            self.append_clusters(directory.cluster_count, kind, &directory.path);
            chain_ends.push(self.next_cluster() - 1);
        }
        let files = manifest.files.iter().zip(file_firsts).map(|(file, first)| self.append_file(file, first)).collect();

        let allocated_clusters = self.next_cluster() - ClusterIndex::FIRST.0;
        let dynamic = self.append_dynamic();
        let volume_length = cluster_heap_offset + cluster_count * SECTORS_PER_CLUSTER;
        if self.next_block < volume_length {
            self.append(volume_length - self.next_block, RegionKind::Unused(Gap::Free), "");
        }
        DiskPlan {
            volume_length,
            fat_offset: FAT_OFFSET,
            fat_length,
            cluster_heap_offset,
            cluster_count,
            first_cluster_of_root_directory: directories.first().map_or(0, |root| root.first_cluster),
            volume_serial_number: manifest.volume.serial_number,
            label: Label {
                units: manifest.volume.label.encode_utf16().collect(),
                board_digits: manifest.volume.board_digits,
            },
            sectors_per_cluster_shift: SECTORS_PER_CLUSTER_SHIFT,
            chain_ends,
            allocated_clusters,
            regions: self.regions,
            dynamic,
            directories,
            files,
            usb: manifest.usb.clone(),
            chip: manifest.chip,
            settings: manifest.settings,
            partitions: manifest.partitions.clone(),
            log: manifest.log,
            changes: manifest.dynamic,
        }
    }

    /// The cluster that begins at the next block.
    fn next_cluster(&self) -> u32 {
        (self.next_block - self.geometry.cluster_heap_offset) / SECTORS_PER_CLUSTER + ClusterIndex::FIRST.0
    }

    fn append(&mut self, length: u32, kind: RegionKind, path: &str) {
        if length > 0 {
            self.regions.push(Region { first: self.next_block, length, kind, path: path.to_owned() });
            self.next_block += length;
        }
    }

    fn append_clusters(&mut self, count: u32, kind: RegionKind, path: &str) {
        self.append(count * SECTORS_PER_CLUSTER, kind, path);
    }

    /// Fills up to `block`, which must not lie behind.
    fn align(&mut self, block: u32) {
        self.append(block - self.next_block, RegionKind::Unused(Gap::Alignment), "");
    }

    fn encode(&self, entry: Entry, directories: &[PlannedDirectory], file_firsts: &[u32], out: &mut Vec<u8>) {
        let manifest = self.manifest;
        let described = match entry {
            Entry::Folder(index) => manifest.folders.get(index).zip(directories.get(index)).map(|(folder, at)| {
                let length = u64::from(at.cluster_count) * u64::from(BYTES_PER_CLUSTER);
                let allocation = Allocation::chained(ClusterIndex(at.first_cluster), length);
                (&folder.name, FileAttributes::DIRECTORY, manifest.volume.timestamp, allocation)
            }),
            Entry::File(index) => manifest.files.get(index).zip(file_firsts.get(index)).map(|(file, first)| {
                let mut attributes = FileAttributes::READ_ONLY | FileAttributes::ARCHIVE;
                if file.hidden {
                    attributes = attributes | FileAttributes::HIDDEN;
                }
                let allocation = Allocation::contiguous(ClusterIndex(*first), file.content.length());
                (&file.name, attributes, file.timestamp, allocation)
            }),
        };
        if let Some((name, attributes, timestamp, allocation)) = described {
            encode_set(name, attributes, timestamp, allocation, out);
        }
    }

    fn append_file(&mut self, file: &File, first_cluster: u32) -> PlannedFile {
        let length = file.content.length();
        let region = (length > 0).then_some(self.regions.len());
        let source = match &file.content {
            Content::Bytes(bytes) => {
                self.append_clusters(clusters(length) as u32, RegionKind::Bytes(bytes.clone()), &file.path);
                FileSource::Bytes(bytes.clone())
            }
            Content::Memory(window) => {
                let redacted = self.redacted(window);
                self.append_memory(window, &redacted, &file.path);
                FileSource::Memory { base: window.base(), length, redacted }
            }
        };
        PlannedFile { path: file.path.clone(), first_cluster, length, region, source }
    }

    /// The parts of a window that read as zeros: widened to whole sectors, ascending, apart from each other.
    fn redacted(&self, window: &Window) -> Vec<std::ops::Range<u64>> {
        let mut hidden: Vec<_> = self
            .manifest
            .redactions
            .iter()
            .filter_map(|redaction| window.overlap(redaction))
            .map(|range| range.start / SECTOR * SECTOR..range.end.next_multiple_of(SECTOR))
            .collect();
        hidden.sort_by_key(|range| range.start);
        let mut merged: Vec<std::ops::Range<u64>> = Vec::new();
        for range in hidden {
            match merged.last_mut() {
                Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
                _ => merged.push(range),
            }
        }
        merged
    }

    fn append_memory(&mut self, window: &Window, redacted: &[std::ops::Range<u64>], path: &str) {
        let end = clusters(window.length()) * u64::from(BYTES_PER_CLUSTER);
        let mut at = 0;
        for range in redacted {
            self.append_shown(window, at..range.start, path);
            let length = range.end.min(end) - range.start;
            self.append((length / SECTOR) as u32, RegionKind::Unused(Gap::Reserved), path);
            at = range.end.min(end);
        }
        self.append_shown(window, at..end, path);
    }

    /// A part of a window that is shown: the bytes up to the window's end, then zeros.
    fn append_shown(&mut self, window: &Window, part: std::ops::Range<u64>, path: &str) {
        let blocks = ((part.end - part.start) / SECTOR) as u32;
        let length = part.end.min(window.length()).saturating_sub(part.start);
        let kind = if length == 0 {
            RegionKind::Unused(Gap::Reserved)
        } else {
            RegionKind::Memory { base: window.base() + part.start as u32, length }
        };
        self.append(blocks, kind, path);
    }

    fn append_dynamic(&mut self) -> DynamicWindow {
        let dynamic = &self.manifest.dynamic;
        let cluster_count = clusters(dynamic.window) as u32;
        if dynamic.files == 0 {
            return DynamicWindow { first_cluster: 0, cluster_count: 0, slots: 0, slot_entries: 0 };
        }
        let first_cluster = self.next_cluster();
        self.append_clusters(cluster_count, RegionKind::Dynamic, "");
        let slot_entries = entries_for(dynamic.max_name) as u8;
        DynamicWindow { first_cluster, cluster_count, slots: dynamic.files, slot_entries }
    }
}

fn encode_set(name: &str, attributes: FileAttributes, timestamp: Timestamp, allocation: Allocation, out: &mut Vec<u8>) {
    // Checked names are valid; a name that is not would have been counted as no entries above, and is none here.
    if let Ok(name) = Name::new(name) {
        let set = EntrySet::new(name, attributes, timestamp, allocation);
        let start = out.len();
        out.resize(start + set.length(), 0);
        set.render(0, &mut out[start..]);
    }
}
