//! The tables that `picovd-manifest` emits from `picovd.toml` and that a volume is synthesized from.
//!
//! A [`Layout`] is an argument of [`Volume`](super::Volume), never a global: one process may hold many. It is made by
//! `picovd_manifest::emit`, whose const assertions hold what is promised here: regions cover the volume from block 0 to the
//! last without gap or overlap, in ascending order; what FAT chains run through lies at the start of the cluster heap.

use super::BoardIdentity;
use crate::block::{BlockCount, Lba};

pub use picovd_exfat::ClusterIndex;

/// One volume, as decided on the developer's machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout<'a> {
    /// PartitionOffset (exFAT 3.1.4): the blocks before the volume, which a partition table takes; 0 without one.
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
    /// VolumeSerialNumber (exFAT 3.1.11) for a board that gives none of its own.
    pub volume_serial_number: u32,
    /// The moment that dynamic files carry when no clock is at hand: Timestamp (exFAT 7.4.8), in UTC.
    pub timestamp: u32,
    /// VolumeLabel (exFAT 7.3): the label's text, at most 11 UTF-16 units with the board's digits.
    pub label: Label<'a>,
    /// SectorsPerClusterShift (exFAT 3.1.15).
    pub sectors_per_cluster_shift: u8,
    /// Last cluster of each FAT chain, ascending. The chains (bitmap, up-case table, directories) are contiguous and follow
    /// each other from cluster 2 on; every other allocation has NoFatChain set, so its FAT entries are 0.
    pub chain_ends: &'a [u32],
    /// Number of clusters, from cluster 2 on, that the manifest allocates for good.
    pub allocated_clusters: u32,
    /// What is at which block: total, ascending, without gap or overlap.
    pub regions: &'a [Region<'a>],
    /// Files that show flash beyond what every chip has, in the order of their clusters.
    pub flash_files: &'a [FlashFile],
    /// Directories that dynamic files make longer, in the order of their clusters.
    pub growing: &'a [Growing],
    /// Clusters kept for files registered at run time.
    pub dynamic: DynamicWindow,
}

impl Layout<'_> {
    /// The cluster after the last one that the manifest allocates for good.
    pub(super) const fn allocated_end(&self) -> ClusterIndex {
        ClusterIndex::FIRST.after(self.allocated_clusters)
    }

    /// Base-2 logarithm of a cluster's length in bytes: sectors have 512 = 2^9.
    #[must_use]
    pub const fn cluster_shift(&self) -> u32 {
        (self.sectors_per_cluster_shift & 15) as u32 + 9
    }

    /// Number of clusters that so many bytes take.
    #[must_use]
    pub const fn clusters(&self, length: u32) -> u32 {
        // Without overflow: the whole clusters, and one for the rest.
        (length >> self.cluster_shift()) + (length & (self.cluster_length() - 1) != 0) as u32
    }

    /// Length of a cluster in bytes.
    #[must_use]
    pub const fn cluster_length(&self) -> u32 {
        1 << self.cluster_shift()
    }

    /// The first block of the cluster heap. What the boot sector tells counts from the volume's beginning, blocks from the medium's.
    const fn heap(&self) -> u32 {
        self.partition_offset.saturating_add(self.cluster_heap_offset)
    }

    /// The first block of a cluster of the heap.
    #[must_use]
    pub const fn block_of(&self, cluster: ClusterIndex) -> Lba {
        let blocks = cluster.0.saturating_sub(ClusterIndex::FIRST.0) << (self.sectors_per_cluster_shift & 15);
        Lba(self.heap().saturating_add(blocks))
    }

    /// The cluster of the heap that a block belongs to.
    #[must_use]
    pub const fn cluster_of(&self, block: Lba) -> ClusterIndex {
        ClusterIndex::FIRST.after(block.0.saturating_sub(self.heap()) >> (self.sectors_per_cluster_shift & 15))
    }

    /// VolumeSerialNumber (exFAT 3.1.11) on that board. `volumes` counts how often hosts were to see another volume: a number
    /// comes back after 2^32 of them, 136 years at one a second, so that no host still has what belonged to it.
    #[must_use]
    pub fn serial_number(&self, board: Option<BoardIdentity>, volumes: u32) -> u32 {
        let serial = board.map_or(self.volume_serial_number, BoardIdentity::volume_serial_number);
        serial.wrapping_add(volumes)
    }
}

/// A file that shows flash, laid out for as much of it as the manifest reserves. A chip that has less is known at boot, and then
/// the file is shorter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlashFile {
    /// First block of its directory.
    pub directory: Lba,
    /// Where its entry set is among the directory's entries, in bytes.
    pub entry: u32,
    /// First cluster.
    pub first_cluster: ClusterIndex,
    /// Where in flash it begins, in bytes.
    pub offset: u32,
    /// Length in bytes where flash is as long as the manifest reserves.
    pub length: u32,
}

/// A directory of the manifest that dynamic files make longer. It has as many clusters as its entries need; the others that
/// are kept for it are free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Growing {
    /// First block of the directory that it is in; block 0, where no directory is, for the root directory.
    pub parent: Lba,
    /// Where its entry set is among that directory's entries, in bytes.
    pub entry: u32,
    /// Length of its own entries, in bytes.
    pub entries: u32,
    /// First cluster.
    pub first_cluster: ClusterIndex,
    /// Number of clusters that are kept for it.
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
    /// Number of dynamic files and folders at most.
    pub slots: u16,
    /// Number of directory entries that each directory of the manifest has room for beside its own.
    pub entries: u16,
    /// Directory entries of a file at most: 2 and one for each 15 units of the longest name.
    pub slot_entries: u8,
}

/// A run of blocks with one meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region<'a> {
    /// First block.
    pub first: Lba,
    /// Number of blocks, at least 1.
    pub length: BlockCount,
    /// What the blocks hold.
    pub kind: RegionKind<'a>,
}

/// What the blocks of a region hold.
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
    /// A file whose bytes are known at build time, or a partition table; zeros follow its end.
    Bytes(&'a [u8]),
    /// A window onto the chip's address space; zeros follow its end.
    Memory(MemoryWindow),
    /// Clusters of files registered at run time.
    Dynamic,
    /// Nothing: reads as zeros, with the reason why it is there.
    Unused(Gap),
}

/// Why a region is unused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gap {
    /// FAT alignment (exFAT 2.2.1) or cluster heap alignment (exFAT 2.3.1).
    Alignment,
    /// Clusters that nothing is allocated in.
    Free,
    /// Reserved at build time for a file that boot time decides.
    Reserved,
    /// Sectors after the last cluster.
    Excess,
}

/// A directory: entries known at build time, then the dynamic ones, then end-of-directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Directory<'a> {
    /// The encoded entries, a multiple of 32 bytes. The root directory's begin with the volume label's entry, whose
    /// bytes are replaced at run time.
    pub entries: &'a [u8],
    /// Whether this is the root directory. Dynamic files are in it or below it.
    pub root: bool,
}

/// A range of the chip's address space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryWindow {
    /// First address.
    pub base: u32,
    /// Length in bytes. (Every region is shorter than 4 GiB: the plan sees to it.)
    pub length: u32,
}
