//! The volume's layout.

use crate::block::{BLOCK_LENGTH, BlockCount, Lba};
use crate::compiled::{cut, word};
use crate::format::{section, volume};
use crate::table::Record;
use crate::{ClusterIndex, Compiled, Region, RegionRecord, Table};

/// One volume: complete regions, in ascending order, without gap or overlap, and everything with a FAT chain at the start of
/// the cluster heap. A build or [`Compiled::read`] has checked that.
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
    pub chain_ends: Table<'a, u32, 1>,
    /// Number of clusters, from cluster 2 on, that are permanently allocated.
    pub allocated_clusters: u32,
    /// What is at which block: complete, ascending, without gap or overlap.
    pub regions: Table<'a, RegionRecord, 6>,
    /// Files that show flash beyond what every chip has, in the order of their clusters.
    pub flash_files: Table<'a, FlashFile, 5>,
    /// Directories that grow with dynamic files, in the order of their clusters.
    pub growing: Table<'a, Growing, 5>,
    /// Clusters reserved for files registered at run time.
    pub dynamic: DynamicWindow,
    /// Where the regions' bytes are.
    pub compiled: Compiled<'a>,
}

impl<'a> Layout<'a> {
    /// The volume of a compiled manifest.
    #[must_use]
    pub const fn of(compiled: Compiled<'a>) -> Self {
        let words = compiled.section(section::VOLUME);
        let label = word(words, volume::LABEL);
        let slots = word(words, volume::DYNAMIC_SLOTS);
        let units = bytemuck::must_cast_slice(cut(words, volume::LABEL_UNITS, volume::WORDS - volume::LABEL_UNITS));
        Self {
            partition_offset: word(words, volume::PARTITION_OFFSET),
            volume_length: BlockCount(word(words, volume::VOLUME_LENGTH)),
            fat_offset: word(words, volume::FAT_OFFSET),
            fat_length: word(words, volume::FAT_LENGTH),
            cluster_heap_offset: word(words, volume::CLUSTER_HEAP_OFFSET),
            cluster_count: word(words, volume::CLUSTER_COUNT),
            first_cluster_of_root_directory: ClusterIndex(word(words, volume::ROOT)),
            volume_serial_number: word(words, volume::SERIAL_NUMBER),
            timestamp: word(words, volume::TIMESTAMP),
            label: Label { units: cut(units, 0, (label & 0xFF) as usize), board_digits: label & 0x100 != 0 },
            sectors_per_cluster_shift: word(words, volume::CLUSTER_SHIFT) as u8,
            chain_ends: Table::new(compiled.section(section::CHAIN_ENDS)),
            allocated_clusters: word(words, volume::ALLOCATED),
            regions: Table::new(compiled.section(section::REGIONS)),
            flash_files: Table::new(compiled.section(section::FLASH_FILES)),
            growing: Table::new(compiled.section(section::GROWING)),
            dynamic: DynamicWindow {
                first_cluster: ClusterIndex(word(words, volume::DYNAMIC_FIRST)),
                cluster_count: word(words, volume::DYNAMIC_CLUSTERS),
                slots: slots as u16,
                entries: (slots >> 16) as u16,
                slot_entries: word(words, volume::DYNAMIC_SLOT_ENTRIES) as u8,
            },
            compiled,
        }
    }

    /// The region with that index. Not inlined: a reader keeps the one that it needs.
    #[inline(never)]
    #[must_use]
    pub fn region(&self, index: usize) -> Option<Region<'a>> {
        Some(self.regions.get(index)?.resolve(&self.compiled))
    }

    /// All regions, in their order.
    pub fn all_regions(&self) -> impl Iterator<Item = Region<'a>> + '_ {
        self.regions.iter().map(|record| record.resolve(&self.compiled))
    }

    /// The cluster after the last permanently allocated one.
    #[must_use]
    pub const fn allocated_end(&self) -> ClusterIndex {
        ClusterIndex::FIRST.after(self.allocated_clusters)
    }

    /// Base-2 logarithm of a cluster's length in bytes: a sector has 512 = 2^9.
    #[must_use]
    pub const fn cluster_shift(&self) -> u32 {
        (self.sectors_per_cluster_shift & 15) as u32 + BLOCK_LENGTH.trailing_zeros()
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

impl FlashFile {
    /// Its length in bytes on a chip with `flash` bytes.
    #[must_use]
    pub fn length_on(&self, flash: u32) -> u32 {
        self.length.min(flash.saturating_sub(self.offset))
    }
}

impl Record<5> for FlashFile {
    #[inline]
    fn decode([directory, entry, first_cluster, offset, length]: [u32; 5]) -> Self {
        Self { directory: Lba(directory), entry, first_cluster: ClusterIndex(first_cluster), offset, length }
    }

    fn encode(&self) -> [u32; 5] {
        [self.directory.0, self.entry, self.first_cluster.0, self.offset, self.length]
    }
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

impl Record<5> for Growing {
    #[inline]
    fn decode([parent, entry, entries, first_cluster, clusters]: [u32; 5]) -> Self {
        Self { parent: Lba(parent), entry, entries, first_cluster: ClusterIndex(first_cluster), clusters }
    }

    fn encode(&self) -> [u32; 5] {
        [self.parent.0, self.entry, self.entries, self.first_cluster.0, self.clusters]
    }
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
