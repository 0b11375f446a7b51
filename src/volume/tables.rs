//! The volume's own structures: boot regions, FAT, allocation bitmap, up-case table, label.

use super::BoardIdentity;
use super::layout::{Label, Layout};
use super::registry::Files;
use crate::block::BLOCK_LENGTH;
use picovd_exfat::ClusterIndex;
use picovd_exfat::bitmap;
use picovd_exfat::boot::{BootRegion, BootSector};
use picovd_exfat::entry::{ENTRY_LENGTH, VolumeLabelEntry};
use picovd_exfat::fat::{FAT_ENTRY_LENGTH, FatEntry};

/// The boot region of `layout` (exFAT 3), main and backup, with `used` clusters of the dynamic window allocated. `volumes`
/// counts how often hosts were to see another volume.
pub(super) fn boot_region(layout: &Layout<'_>, identity: Option<BoardIdentity>, used: u32, volumes: u8) -> BootRegion {
    BootRegion::new(BootSector {
        volume_length: u64::from(layout.volume_length.0),
        fat_offset: layout.fat_offset,
        fat_length: layout.fat_length,
        cluster_heap_offset: layout.cluster_heap_offset,
        cluster_count: layout.cluster_count,
        first_cluster_of_root_directory: ClusterIndex(layout.first_cluster_of_root_directory),
        volume_serial_number: layout.serial_number(identity, volumes),
        sectors_per_cluster_shift: layout.sectors_per_cluster_shift,
        percent_in_use: percent_in_use(layout, used),
    })
}

/// PercentInUse, rounded down (exFAT 3.1.19).
fn percent_in_use(layout: &Layout<'_>, used: u32) -> u8 {
    (layout.allocated_clusters.saturating_add(used).saturating_mul(100) / layout.cluster_count.max(1)) as u8
}

/// Bytes of a boot region, from byte `start` of it on.
pub(super) fn boot(region: &BootRegion, start: u32, out: &mut [u8]) {
    let mut position = start as usize;
    let mut rest = out;
    while !rest.is_empty() {
        let offset = position % BLOCK_LENGTH;
        let (piece, later) = rest.split_at_mut((BLOCK_LENGTH - offset).min(rest.len()));
        region.render((position / BLOCK_LENGTH) as u32, offset, piece);
        position += piece.len();
        rest = later;
    }
}

/// Bytes of the FAT (exFAT 4.1), from byte `start` of it on.
pub(super) fn fat(layout: &Layout<'_>, start: u32, out: &mut [u8]) {
    let mut position = start as usize;
    let mut chains = Chains::from(layout.chain_ends, start / FAT_ENTRY_LENGTH as u32);
    let mut rest = out;
    while !rest.is_empty() {
        let within = position % FAT_ENTRY_LENGTH;
        let (piece, later) = rest.split_at_mut((FAT_ENTRY_LENGTH - within).min(rest.len()));
        let entry = chains.entry((position / FAT_ENTRY_LENGTH) as u32).encode();
        for (byte, value) in piece.iter_mut().zip(entry.iter().skip(within)) {
            *byte = *value;
        }
        position += piece.len();
        rest = later;
    }
}

/// The FAT chains from one cluster on: contiguous, one behind the other, told apart by their last clusters.
struct Chains<'a> {
    ends: &'a [u32],
}

impl<'a> Chains<'a> {
    fn from(ends: &'a [u32], cluster: u32) -> Self {
        Self { ends: ends.get(ends.partition_point(|&end| end < cluster)..).unwrap_or(&[]) }
    }

    /// The FAT entry of `cluster`; call for ascending clusters.
    fn entry(&mut self, cluster: u32) -> FatEntry {
        match cluster {
            0 => FatEntry::MEDIA,
            1 => FatEntry::RESERVED,
            _ => match self.ends.split_first() {
                Some((&end, later)) if cluster == end => {
                    self.ends = later;
                    FatEntry::END_OF_CHAIN
                }
                Some(_) => FatEntry::next(ClusterIndex(cluster + 1)),
                None => FatEntry::NONE,
            },
        }
    }
}

/// Bytes of the allocation bitmap (exFAT 7.1.5), from byte `start` of it on.
pub(super) fn bitmap(layout: &Layout<'_>, files: Option<&Files<'_>>, start: u32, out: &mut [u8]) {
    out.fill(0);
    bitmap::allocate(start, out, ClusterIndex::FIRST, layout.allocated_clusters);
    for shown in files.into_iter().flat_map(Files::shown).flatten() {
        let first = ClusterIndex(layout.dynamic.first_cluster.saturating_add(shown.first));
        bitmap::allocate(start, out, first, layout.clusters(shown.length));
    }
}

/// Bytes of the up-case table (exFAT 7.2.5), from byte `start` of it on; zeros follow its end.
pub(super) fn upcase(start: u32, out: &mut [u8]) {
    picovd_exfat::upcase::render(start as usize, out);
}

/// The root directory's volume label entry (exFAT 7.3).
pub(super) fn label_entry(label: Label<'_>, identity: Option<BoardIdentity>) -> [u8; ENTRY_LENGTH] {
    let digits = identity.filter(|_| label.board_digits).map(BoardIdentity::last_digits);
    VolumeLabelEntry::new(label.units.iter().copied().chain(digits.into_iter().flatten())).encode()
}
