//! The tables that `picovd-manifest` generates from `picovd.toml`, from which a volume is synthesized.
//!
//! A [`Layout`] is an argument of [`Volume`](super::Volume), never a global, so one process may have several.
//! `picovd_manifest::emit` generates it with const assertions for what is guaranteed here: regions cover the volume from
//! block 0 to the last one without gap or overlap, in ascending order; everything with a FAT chain is at the start of the
//! cluster heap.

use super::BoardIdentity;
use crate::block::{BlockCount, Lba};

pub use picovd_exfat::ClusterIndex;

/// One volume, as laid out at build time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout<'a> {
    /// PartitionOffset (exFAT 3.1.4): the number of blocks before the volume, for a partition table; 0 without one.
    pub partition_offset: u32,
    /// VolumeLength (exFAT 3.1.5), in sectors.
    pub volume_length: BlockCount,
    /// FatOffset (exFAT 3.1.6), in sectors.
    pub fat_offset: u32,
    /// FatLength (exFAT 3.1.7), in sectors.
    pub fat_length: u32,
    /// ClusterHeapOffset (exFAT 3.1.8), in sectors.
    pub cluster_heap_offset: u32,
    /// ClusterCount (exFAT 3.1.9).
    pub cluster_count: u32,
    /// FirstClusterOfRootDirectory (exFAT 3.1.10).
    pub first_cluster_of_root_directory: ClusterIndex,
    /// VolumeSerialNumber (exFAT 3.1.11) if the board's identity is unknown.
    pub volume_serial_number: u32,
    /// The time of dynamic files without a clock: Timestamp (exFAT 7.4.8), in UTC.
    pub timestamp: u32,
    /// VolumeLabel (exFAT 7.3), at most 11 UTF-16 units including the board's digits.
    pub label: Label<'a>,
    /// SectorsPerClusterShift (exFAT 3.1.15).
    pub sectors_per_cluster_shift: u8,
    /// Last cluster of each FAT chain, ascending. The chains (bitmap, up-case table, directories) are contiguous and follow
    /// each other from cluster 2 on; every other allocation has NoFatChain set, so its FAT entries are 0.
    pub chain_ends: &'a [u32],
    /// Number of clusters, from cluster 2 on, that are permanently allocated.
    pub allocated_clusters: u32,
    /// What is at which block: complete, ascending, without gap or overlap.
    pub regions: &'a [Region<'a>],
    /// Files that show flash beyond what every chip has, in the order of their clusters.
    pub flash_files: &'a [FlashFile],
    /// Directories that grow with dynamic files, in the order of their clusters.
    pub growing: &'a [Growing],
    /// Clusters reserved for files registered at run time.
    pub dynamic: DynamicWindow,
}

impl Layout<'_> {
    /// The cluster after the last permanently allocated one.
    pub(super) const fn allocated_end(&self) -> ClusterIndex {
        ClusterIndex::FIRST.after(self.allocated_clusters)
    }

    /// Base-2 logarithm of a cluster's length in bytes: a sector has 512 = 2^9.
    #[must_use]
    pub const fn cluster_shift(&self) -> u32 {
        (self.sectors_per_cluster_shift & 15) as u32 + 9
    }

    /// Number of clusters that `length` bytes take.
    #[must_use]
    pub const fn clusters(&self, length: u32) -> u32 {
        // Cannot overflow: the whole clusters, plus one for the rest.
        (length >> self.cluster_shift()) + (length & (self.cluster_length() - 1) != 0) as u32
    }

    /// Length of a cluster in bytes.
    #[must_use]
    pub const fn cluster_length(&self) -> u32 {
        1 << self.cluster_shift()
    }

    /// The first block of the cluster heap. Offsets in the boot sector count from the start of the volume, blocks from the
    /// start of the medium.
    const fn heap(&self) -> u32 {
        self.partition_offset.saturating_add(self.cluster_heap_offset)
    }

    /// The first block of a cluster of the heap.
    #[must_use]
    pub const fn block_of(&self, cluster: ClusterIndex) -> Lba {
        let blocks = cluster.0.saturating_sub(ClusterIndex::FIRST.0) << (self.sectors_per_cluster_shift & 15);
        Lba(self.heap().saturating_add(blocks))
    }

    /// The cluster of the heap that contains a block.
    #[must_use]
    pub const fn cluster_of(&self, block: Lba) -> ClusterIndex {
        ClusterIndex::FIRST.after(block.0.saturating_sub(self.heap()) >> (self.sectors_per_cluster_shift & 15))
    }

    /// VolumeSerialNumber (exFAT 3.1.11) on that board. `volumes` counts how often hosts had to see another volume: a
    /// number repeats only after 2^32 of them, 136 years at one per second, when no host still has data cached for it.
    #[must_use]
    pub fn serial_number(&self, board: Option<BoardIdentity>, volumes: u32) -> u32 {
        let serial = board.map_or(self.volume_serial_number, BoardIdentity::volume_serial_number);
        serial.wrapping_add(volumes)
    }
}

/// A file that shows flash, laid out for as much of it as the manifest reserves. If the chip has less, which is detected at
/// boot, the file is shorter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlashFile {
    /// First block of the directory that contains it.
    pub directory: Lba,
    /// Offset in bytes of its entry set in the directory's entries.
    pub entry: u32,
    /// First cluster.
    pub first_cluster: ClusterIndex,
    /// Where in flash it begins, in bytes.
    pub offset: u32,
    /// Length in bytes if flash is as long as the manifest reserves.
    pub length: u32,
}

/// A directory of the manifest that grows with dynamic files. It has as many clusters as its entries need; the rest of its
/// reserved clusters is free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Growing {
    /// First block of its parent directory; block 0, where no directory is, for the root directory.
    pub parent: Lba,
    /// Offset in bytes of its entry set in that directory's entries.
    pub entry: u32,
    /// Length in bytes of its static entries.
    pub entries: u32,
    /// First cluster.
    pub first_cluster: ClusterIndex,
    /// Number of clusters reserved for it.
    pub clusters: u32,
}

/// The volume label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label<'a> {
    /// The text, UTF-16 units; empty for a volume without label.
    pub units: &'a [u16],
    /// Whether the last four hexadecimal digits of the board's identity follow the text.
    pub board_digits: bool,
}

/// The dynamic window: clusters and directory entries for files that exist only at run time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DynamicWindow {
    /// First cluster of the window; 0 when there is none.
    pub first_cluster: ClusterIndex,
    /// Number of clusters.
    pub cluster_count: u32,
    /// Maximum number of dynamic files and folders.
    pub slots: u16,
    /// Number of directory entries for which each directory of the manifest has room in addition to its static ones.
    pub entries: u16,
    /// Maximum number of directory entries of a file: 2 and one for each 15 units of the longest name.
    pub slot_entries: u8,
}

/// A run of blocks with the same meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region<'a> {
    /// First block.
    pub first: Lba,
    /// Number of blocks, at least 1.
    pub length: BlockCount,
    /// What the blocks contain.
    pub kind: RegionKind<'a>,
}

/// What the blocks of a region contain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegionKind<'a> {
    /// Main or backup boot region (exFAT 3.1 to 3.4): 12 sectors.
    Boot,
    /// First FAT (exFAT 4.1).
    Fat,
    /// Allocation bitmap (exFAT 7.1).
    Bitmap,
    /// Up-case table (exFAT 7.2).
    Upcase,
    /// A directory's clusters (exFAT 6).
    Directory(Directory<'a>),
    /// A file with contents known at build time, or a partition table; padded with zeros.
    Bytes(&'a [u8]),
    /// A window of the chip's address space; padded with zeros.
    Memory(MemoryWindow),
    /// Clusters of files registered at run time.
    Dynamic,
    /// Nothing: reads as zeros. Has the reason why it exists.
    Unused(Gap),
}

/// Why a region is unused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gap {
    /// FAT alignment (exFAT 2.2.1) or cluster heap alignment (exFAT 2.3.1).
    Alignment,
    /// Clusters that are not allocated.
    Free,
    /// Reserved at build time for a file that may appear at boot.
    Reserved,
    /// Sectors after the last cluster.
    Excess,
}

/// A directory: entries known at build time, then the dynamic ones, then end-of-directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Directory<'a> {
    /// The encoded entries, a multiple of 32 bytes. The root directory's start with the volume label's entry, whose bytes
    /// are replaced at run time.
    pub entries: &'a [u8],
    /// Whether this is the root directory.
    pub root: bool,
}

/// A range of the chip's address space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryWindow {
    /// First address.
    pub base: u32,
    /// Length in bytes. (Every region is shorter than 4 GiB, which the plan ensures.)
    pub length: u32,
}
