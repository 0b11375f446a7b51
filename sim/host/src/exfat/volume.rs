//! Reads a volume like a file system driver: the tables once, then directories and files on demand.

use std::fmt;

use super::boot::{BootSector, REGION_SECTORS, SECTOR, boot_checksum};
use super::directory::{self, FileSet, Item, entry_type};
use super::partition::first_block;
use super::upcase::{Upcase, table_checksum};
use crate::bytes::{le16, le32, le64};
use crate::printed::Printed;
use crate::source::{BlockSource, ReadError};

/// End of a cluster chain (exFAT 4.1.3).
pub const END_OF_CHAIN: u32 = 0xFFFF_FFFF;
/// A bad cluster (exFAT 4.1.3).
pub const BAD_CLUSTER: u32 = 0xFFFF_FFF7;
/// Maximum number of clusters of a volume, so that its FAT has at most 64 MiB: twice what a PicoVD stick can have.
pub const MOST_CLUSTERS: u32 = 1 << 24;
/// Maximum length of a directory, 256 MiB (exFAT 7.6.7).
pub const LONGEST_DIRECTORY: u64 = 256 << 20;

/// Why a volume, a path or a file cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExfatError(pub String);

impl fmt::Display for ExfatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ExfatError {}

impl From<ReadError> for ExfatError {
    fn from(error: ReadError) -> Self {
        Self(error.0)
    }
}

impl From<String> for ExfatError {
    fn from(text: String) -> Self {
        Self(text)
    }
}

/// A local date and time as stored (exFAT 7.4.8 to 7.4.10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time {
    /// The Timestamp field.
    pub timestamp: u32,
    /// The 10msIncrement field.
    pub increment: u8,
    /// The UtcOffset field.
    pub utc_offset: u8,
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let t = self.timestamp;
        let second = (t & 31) * 2 + u32::from(self.increment) / 100;
        let (year, month, day) = (1980 + (t >> 25), (t >> 21) & 15, (t >> 16) & 31);
        write!(f, "{year:04}-{month:02}-{day:02} {:02}:{:02}:{second:02}", (t >> 11) & 31, (t >> 5) & 63)
    }
}

/// A file or directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// The name; empty for the root.
    pub name: String,
    /// FileAttributes.
    pub attributes: u16,
    /// LastModifiedTimestamp and its additional fields.
    pub modified: Time,
    /// FirstCluster.
    pub first_cluster: u32,
    /// DataLength.
    pub data_length: u64,
    /// ValidDataLength.
    pub valid_data_length: u64,
    /// NoFatChain.
    pub no_fat_chain: bool,
}

impl Node {
    /// Whether this is a directory.
    #[must_use]
    pub fn is_directory(&self) -> bool {
        self.attributes & directory::ATTRIBUTE_DIRECTORY != 0
    }
}

/// A mounted volume.
pub struct Volume<'s> {
    source: &'s mut dyn BlockSource,
    /// The block where it begins.
    first: u64,
    boot: BootSector,
    fat: Vec<u32>,
    upcase: Upcase,
    label: String,
    bitmap: Vec<u8>,
}

impl<'s> Volume<'s> {
    /// Mounts: reads boot sector, FAT, root directory, bitmap and up-case table.
    ///
    /// # Errors
    /// What prevents a careful driver from mounting.
    pub fn open(source: &'s mut dyn BlockSource) -> Result<Self, ExfatError> {
        Self::mount(source, true)
    }

    /// Mounts a volume that a careful driver refuses because of a wrong checksum or a missing table, if files can be found.
    ///
    /// # Errors
    /// If they cannot be found.
    pub fn open_damaged(source: &'s mut dyn BlockSource) -> Result<Self, ExfatError> {
        Self::mount(source, false)
    }

    fn mount(source: &'s mut dyn BlockSource, careful: bool) -> Result<Self, ExfatError> {
        let base = first_block(source)?;
        let region = source.read(base, REGION_SECTORS as u32)?;
        let boot = BootSector::parse(&region);
        check_geometry(&boot, source.block_count() - base)?;
        let checksum = boot_checksum(&region[..11 * SECTOR]);
        if careful && region[11 * SECTOR..].chunks_exact(4).any(|word| le32(word, 0) != checksum) {
            return Err(ExfatError("the boot checksum is wrong (exFAT 3.4)".to_owned()));
        }
        let sectors = (u64::from(boot.cluster_count) + 2).div_ceil(SECTOR as u64 / 4) as u32;
        let fat = source.read(base + u64::from(boot.fat_offset), sectors)?;
        let fat = fat.chunks_exact(4).take(boot.cluster_count as usize + 2).map(|entry| le32(entry, 0)).collect();
        let mut volume = Self {
            source,
            first: base,
            boot,
            fat,
            upcase: Upcase::mandatory(),
            label: String::new(),
            bitmap: Vec::new(),
        };
        let root = volume.read_directory(&volume.root())?;
        for item in directory::items(&root) {
            let Item::Single { entry, .. } = item else { continue };
            let (first, length) = (le32(entry, 20), le64(entry, 24));
            match entry[0] {
                // Files can be found without them; names are then compared with the mandatory part of the table.
                entry_type::UPCASE_TABLE | entry_type::ALLOCATION_BITMAP if !careful => {}
                entry_type::UPCASE_TABLE => {
                    let table = volume.read_chain(first, length)?;
                    if table_checksum(&table) != le32(entry, 4) {
                        return Err(ExfatError("the up-case table's checksum is wrong (exFAT 7.2.2)".to_owned()));
                    }
                    volume.upcase = Upcase::expand(&table)?;
                }
                entry_type::ALLOCATION_BITMAP => volume.bitmap = volume.read_chain(first, length)?,
                _ => {
                    let units = entry[2..24].chunks_exact(2).take(usize::from(entry[1]).min(11));
                    let units: Vec<u16> = units.map(|unit| le16(unit, 0)).collect();
                    volume.label = String::from_utf16_lossy(&units);
                }
            }
        }
        if careful && volume.bitmap.is_empty() {
            return Err(ExfatError("no allocation bitmap (exFAT 7.1)".to_owned()));
        }
        Ok(volume)
    }

    /// The medium's block where the volume begins: 0, or the first one of its partition.
    #[must_use]
    pub fn first_block(&self) -> u64 {
        self.first
    }

    /// The medium's first block of a cluster of the heap.
    #[must_use]
    pub fn block_of(&self, cluster: u32) -> u64 {
        let sectors = u64::from(cluster.saturating_sub(2)) << self.boot.sectors_per_cluster_shift;
        self.first + u64::from(self.boot.cluster_heap_offset) + sectors
    }

    /// The boot sector's fields.
    #[must_use]
    pub fn boot(&self) -> &BootSector {
        &self.boot
    }

    /// The volume label; empty for none.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The allocation bitmap.
    #[must_use]
    pub fn bitmap(&self) -> &[u8] {
        &self.bitmap
    }

    /// The volume's up-case table.
    #[must_use]
    pub fn upcase(&self) -> &Upcase {
        &self.upcase
    }

    /// Bytes of a cluster.
    #[must_use]
    pub fn cluster_length(&self) -> u64 {
        (SECTOR as u64) << self.boot.sectors_per_cluster_shift
    }

    /// The root directory. It has no entry; its length is that of its chain (exFAT 3.1.10).
    #[must_use]
    pub fn root(&self) -> Node {
        let never = Time { timestamp: 0, increment: 0, utc_offset: 0 };
        Node {
            name: String::new(),
            attributes: directory::ATTRIBUTE_DIRECTORY,
            modified: never,
            first_cluster: self.boot.first_cluster_of_root_directory,
            data_length: 0,
            valid_data_length: 0,
            no_fat_chain: false,
        }
    }

    /// A directory's entries.
    ///
    /// # Errors
    /// If it cannot be read, or a set is damaged.
    pub fn list(&mut self, node: &Node) -> Result<Vec<Node>, ExfatError> {
        self.list_damaged(node)?.into_iter().collect()
    }

    /// A directory's entries; for each damaged one, what is wrong.
    ///
    /// # Errors
    /// If the directory cannot be read.
    pub fn list_damaged(&mut self, node: &Node) -> Result<Vec<Result<Node, ExfatError>>, ExfatError> {
        let data = self.read_directory(node)?;
        let mut nodes = Vec::new();
        for item in directory::items(&data) {
            let Item::Set { index, entries, complete } = item else { continue };
            if entries[0] != entry_type::FILE {
                continue;
            }
            nodes.push(match FileSet::parse(entries) {
                Err(error) => Err(error.into()),
                Ok(_) if !complete || directory::set_checksum(entries) != le16(entries, 2) => {
                    Err(ExfatError(format!("the entry set at entry {index} is damaged (exFAT 6.3.3)")))
                }
                Ok(set) => Ok(Node {
                    name: String::from_utf16_lossy(&set.name()),
                    attributes: set.attributes,
                    modified: Time { timestamp: le32(set.file, 12), increment: set.file[21], utc_offset: set.file[23] },
                    first_cluster: set.stream.first_cluster,
                    data_length: set.stream.data_length,
                    valid_data_length: set.stream.valid_data_length,
                    no_fat_chain: set.stream.no_fat_chain(),
                }),
            });
        }
        Ok(nodes)
    }

    /// Finds a path with `/` between the names. The volume's up-case table determines which names are equal.
    ///
    /// # Errors
    /// If a part is missing, or is not a directory.
    pub fn find(&mut self, path: &str) -> Result<Node, ExfatError> {
        let mut node = self.root();
        let mut seen = String::new();
        for part in path.split('/').filter(|part| !part.is_empty()) {
            if !node.is_directory() {
                return Err(ExfatError(format!("{seen} is not a directory")));
            }
            let wanted: Vec<u16> = self.upcase.name(&part.encode_utf16().collect::<Vec<_>>());
            let children = self.list(&node)?;
            let found = children
                .into_iter()
                .find(|child| self.upcase.name(&child.name.encode_utf16().collect::<Vec<_>>()) == wanted);
            seen = format!("{seen}/{part}");
            node = found.ok_or_else(|| ExfatError(format!("{seen}: no such file or directory")))?;
        }
        Ok(node)
    }

    /// A file's bytes.
    ///
    /// # Errors
    /// If its clusters cannot be read.
    pub fn read_file(&mut self, node: &Node) -> Result<Vec<u8>, ExfatError> {
        let mut data = Vec::new();
        self.stream_file(node, &mut |piece| data.extend_from_slice(piece))?;
        Ok(data)
    }

    /// A file's bytes, piece by piece.
    ///
    /// # Errors
    /// If its clusters cannot be read.
    pub fn stream_file(&mut self, node: &Node, take: &mut dyn FnMut(&[u8])) -> Result<(), ExfatError> {
        let clusters = self.clusters(node)?;
        let mut left = node.data_length;
        let mut valid = node.valid_data_length.min(node.data_length);
        for (first, count) in runs(&clusters, self.cluster_length()) {
            let mut data = self.read_clusters(first, count)?;
            data.truncate(usize::try_from(left).unwrap_or(usize::MAX));
            // After ValidDataLength, a file reads as zeros (exFAT 7.6.5).
            let keep = usize::try_from(valid).unwrap_or(usize::MAX).min(data.len());
            data[keep..].fill(0);
            (left, valid) = (left - data.len() as u64, valid.saturating_sub(data.len() as u64));
            take(&data);
        }
        Ok(())
    }

    /// Bytes of a directory, all of its clusters.
    fn read_directory(&mut self, node: &Node) -> Result<Vec<u8>, ExfatError> {
        let clusters = self.clusters(node)?;
        if clusters.len() as u64 * self.cluster_length() > LONGEST_DIRECTORY {
            return Err(ExfatError("a directory longer than 256 MiB (exFAT 7.6.7)".to_owned()));
        }
        let mut data = Vec::new();
        for (first, count) in runs(&clusters, self.cluster_length()) {
            data.extend(self.read_clusters(first, count)?);
        }
        Ok(data)
    }

    fn read_chain(&mut self, first: u32, length: u64) -> Result<Vec<u8>, ExfatError> {
        let mut node = self.root();
        (node.first_cluster, node.data_length) = (first, length);
        let mut data = self.read_directory(&node)?;
        data.truncate(usize::try_from(length).unwrap_or(usize::MAX));
        Ok(data)
    }

    /// The clusters of an allocation, in order.
    ///
    /// # Errors
    /// If the chain is broken or too short, or the run leaves the cluster heap.
    pub fn clusters(&self, node: &Node) -> Result<Vec<u32>, ExfatError> {
        if node.first_cluster == 0 && node.data_length == 0 {
            return Ok(Vec::new());
        }
        let needed = node.data_length.div_ceil(self.cluster_length());
        let end = u64::from(self.boot.cluster_count) + 2;
        if node.no_fat_chain {
            if node.first_cluster < 2 || u64::from(node.first_cluster) + needed > end {
                return Err(ExfatError(format!("{} is outside of the cluster heap", Printed(&node.name))));
            }
            return Ok((node.first_cluster..node.first_cluster + needed as u32).collect());
        }
        let chain = chain(&self.fat, node.first_cluster)?;
        if (chain.len() as u64) < needed {
            let name = Printed(&node.name);
            return Err(ExfatError(format!("{name}: a chain of {} clusters for {needed}", chain.len())));
        }
        Ok(chain)
    }

    fn read_clusters(&mut self, first: u32, count: u32) -> Result<Vec<u8>, ExfatError> {
        let shift = self.boot.sectors_per_cluster_shift;
        let lba = self.block_of(first);
        Ok(self.source.read(lba, count << shift)?)
    }
}

/// Follows a cluster chain.
///
/// # Errors
/// An index outside of the cluster heap, or a loop.
pub fn chain(fat: &[u32], first: u32) -> Result<Vec<u32>, String> {
    let mut clusters = Vec::new();
    let mut next = first;
    loop {
        match fat.get(next as usize) {
            Some(&after) if next >= 2 => {
                clusters.push(next);
                if clusters.len() > fat.len() {
                    return Err(format!("the chain from cluster {first} on is a loop"));
                }
                if after == END_OF_CHAIN {
                    return Ok(clusters);
                }
                next = after;
            }
            _ => return Err(format!("the chain from cluster {first} on leads to {next:x}h")),
        }
    }
}

/// Adjacent clusters as one piece: (first, count), each piece at most 4 MiB, or one cluster.
fn runs(clusters: &[u32], cluster_length: u64) -> Vec<(u32, u32)> {
    let most = (4 << 20) / cluster_length.max(1);
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for &cluster in clusters {
        match runs.last_mut() {
            Some((first, count)) if *first + *count == cluster && u64::from(*count) < most => *count += 1,
            _ => runs.push((cluster, 1)),
        }
    }
    runs
}

/// What a driver has to know before it can compute an address.
fn check_geometry(boot: &BootSector, blocks: u64) -> Result<(), ExfatError> {
    let wrong = |text: &str| Err(ExfatError(text.to_owned()));
    if boot.boot_signature != 0xAA55 || &boot.file_system_name != b"EXFAT   " {
        return wrong("not an exFAT boot sector (exFAT 3.1)");
    }
    if boot.bytes_per_sector_shift != 9 || boot.sectors_per_cluster_shift > 16 {
        return wrong("invalid sector or cluster size (exFAT 3.1.14, 3.1.15)");
    }
    if boot.cluster_count > MOST_CLUSTERS {
        let count = boot.cluster_count;
        return Err(ExfatError(format!("the volume has {count} clusters; at most {MOST_CLUSTERS} are supported")));
    }
    let heap = u64::from(boot.cluster_count) << boot.sectors_per_cluster_shift;
    let fat = u64::from(boot.fat_length) * u64::from(boot.number_of_fats);
    if boot.volume_length > blocks
        || u64::from(boot.cluster_heap_offset) + heap > boot.volume_length
        || u64::from(boot.fat_offset) + fat > u64::from(boot.cluster_heap_offset)
        || u64::from(boot.fat_length) * (SECTOR as u64 / 4) < u64::from(boot.cluster_count) + 2
    {
        return wrong("FAT, cluster heap, volume and medium are inconsistent (exFAT 3.1.5 to 3.1.9)");
    }
    Ok(())
}
