//! The disk plan: which cluster belongs to what, and which block shows what.
//!
//! Order of the heap: allocation bitmap, up-case table, directories (the root directory first), static files, memory
//! windows, dynamic window. Regions are only appended, so they cannot overlap, and every gap is a region with a reason.

mod builder;
mod geometry;
mod partition_table;
mod runtime;

use std::sync::Arc;

use builder::Builder;
use geometry::Geometry;
use picovd_exfat::BYTES_PER_SECTOR;
use picovd_exfat::boot::{BACKUP_BOOT_REGION, BOOT_REGION_SECTORS};
pub use picovd_layout::{BuiltInSource, DynamicWindow, FlashFile, Gap, Growing};
pub use runtime::BuiltIn;

use crate::check::{Checked, Chip, Crash, Dynamic, Log, Partitions, Settings, Stock, Usb};
use crate::diagnostic::{Collector, Diagnostics};

/// Bytes in a cluster: one flash sector of the RP2350.
pub const BYTES_PER_CLUSTER: u32 = 4096;

const SECTOR: u64 = BYTES_PER_SECTOR as u64;
const SECTORS_PER_CLUSTER: u32 = BYTES_PER_CLUSTER / BYTES_PER_SECTOR as u32;

/// The FAT directly follows the boot regions.
const FAT_OFFSET: u32 = BACKUP_BOOT_REGION + BOOT_REGION_SECTORS;

/// Everything about the disk that is decided at build time. The fields up to `dynamic` are those of the library's
/// `volume::layout::Layout`, as owned values.
#[derive(Clone, Debug)]
pub struct DiskPlan {
    /// PartitionOffset (exFAT 3.1.4): number of blocks before the volume; 0 without a partition table.
    pub partition_offset: u32,
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
    /// VolumeSerialNumber (exFAT 3.1.11) if the board's identity is unknown.
    pub volume_serial_number: u32,
    /// The time of files: Timestamp (exFAT 7.4.8), in UTC.
    pub timestamp: u32,
    /// The volume label.
    pub label: Label,
    /// SectorsPerClusterShift (exFAT 3.1.15).
    pub sectors_per_cluster_shift: u8,
    /// Last cluster of each FAT chain, ascending; the chains follow each other from cluster 2 on.
    pub chain_ends: Vec<u32>,
    /// Number of clusters, from cluster 2 on, that are permanently allocated.
    pub allocated_clusters: u32,
    /// What is at which block of the medium: ascending, without gap or overlap, from block 0 to the volume's end.
    pub regions: Vec<Region>,
    /// Files that show flash beyond what every chip has, in the order of their clusters.
    pub flash_files: Vec<FlashFile>,
    /// Directories that grow with dynamic files, in the order of their clusters.
    pub growing: Vec<Growing>,
    /// Files that settings may hide, in the order of their directories.
    pub exposable: Vec<Exposable>,
    /// Clusters and directory entries for files registered at run time.
    pub dynamic: DynamicWindow,
    /// Dynamic files that the firmware creates by itself.
    pub built_in: Vec<BuiltIn>,
    /// Ranges of flash that also read as zeros in dynamic files: offsets, whole sectors of 512 bytes, ascending.
    pub redacted_flash: Vec<std::ops::Range<u32>>,
    /// The directories, the root directory first.
    pub directories: Vec<PlannedDirectory>,
    /// The files, in the order of the heap.
    pub files: Vec<PlannedFile>,
    /// How the device describes itself.
    pub usb: Usb,
    /// The hardware.
    pub chip: Chip,
    /// Flash sectors for settings.
    pub settings: Settings,
    /// How the flash partitions are shown.
    pub partitions: Partitions,
    /// How logs are shown.
    pub log: Log,
    /// What is kept of a crash.
    pub crash: Crash,
    /// Dynamic files, and how hosts are notified of changes.
    pub changes: Dynamic,
    /// What only the stock firmware has.
    pub stock: Stock,
    /// The manifest's text.
    pub text: String,
    /// What is an error in firmware that is built from the manifest: it asks for something that only the stock firmware has.
    pub stock_only: Diagnostics,
    /// Warnings about the manifest.
    pub warnings: Diagnostics,
}

impl DiskPlan {
    /// The medium's number of blocks: the volume, plus the blocks before it.
    #[must_use]
    pub fn block_count(&self) -> u32 {
        self.partition_offset + self.volume_length
    }
}

/// The volume label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The text's UTF-16 units.
    pub units: Vec<u16>,
    /// Whether the last four hexadecimal digits of the board's identity follow.
    pub board_digits: bool,
}

/// A file that a setting may put on the volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exposable {
    /// Its path.
    pub path: String,
    /// First block of the directory that contains it.
    pub directory: u32,
    /// Range in bytes of its entry set in the directory's entries.
    pub entries: std::ops::Range<u32>,
    /// First block of its contents, and number of blocks.
    pub blocks: (u32, u32),
}

/// A run of blocks with the same meaning.
#[derive(Clone, Debug)]
pub struct Region {
    /// First block.
    pub first: u32,
    /// Number of blocks, at least 1.
    pub length: u32,
    /// What the blocks contain.
    pub kind: RegionKind,
    /// The path of the file or directory; empty for other regions, and for the root directory.
    pub path: String,
}

/// What the blocks of a region contain.
#[derive(Clone, Debug)]
pub enum RegionKind {
    /// The master boot record.
    PartitionTable(Vec<u8>),
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
    /// A window of the chip's address space.
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

/// A directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedDirectory {
    /// Its path, empty for the root directory.
    pub path: String,
    /// First cluster.
    pub first_cluster: u32,
    /// Number of clusters reserved for it.
    pub cluster_count: u32,
    /// Number of clusters that its static entries need: its length without dynamic files.
    pub own_clusters: u32,
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
    /// Whether a setting decides if it is on the volume.
    pub by_setting: bool,
    /// Index of its first region in [`DiskPlan::regions`]; `None` for an empty file.
    pub region: Option<usize>,
    /// Where its bytes come from.
    pub source: FileSource,
}

/// Where a file's bytes come from.
#[derive(Clone, Debug)]
pub enum FileSource {
    /// These bytes.
    Bytes(Arc<[u8]>),
    /// The chip's memory.
    Memory {
        /// First address.
        base: u32,
        /// Length in bytes.
        length: u64,
        /// Parts that read as zeros: offsets in the file, ascending, whole sectors.
        redacted: Vec<std::ops::Range<u64>>,
    },
}

/// Lays out the disk of a checked manifest.
///
/// # Errors
/// A directory or the volume exceeds what exFAT or the library supports.
pub fn plan(manifest: &Checked) -> Result<DiskPlan, Diagnostics> {
    let mut problems = Collector::default();
    let directories = geometry::directory_clusters(manifest, &mut problems);
    let geometry = Geometry::of(manifest, &directories, &mut problems);
    let Some((geometry, directories)) = geometry.zip(directories) else {
        return Err(problems.into_diagnostics(&manifest.source));
    };
    Ok(Builder::new(manifest, geometry).build(&directories))
}
