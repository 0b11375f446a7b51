//! The volume's own structures: boot regions, FAT, allocation bitmap, up-case table, label.

use super::BoardIdentity;
use super::dynamic_files::DynamicFiles;
use super::layout::{Layout, Table};
use super::overrides::LabelText;
use super::{flash, grow};
use crate::block::BLOCK_LENGTH;
use picovd_exfat::ClusterIndex;
use picovd_exfat::bitmap;
use picovd_exfat::boot::{BootRegion, BootSector};
use picovd_exfat::entry::{ENTRY_LENGTH, VolumeLabelEntry};
use picovd_exfat::fat::{FAT_ENTRY_LENGTH, FatEntry};
use picovd_exfat::window;

/// The boot region of `layout` (exFAT 3), main and backup, with `allocated` clusters. `volumes` counts how often hosts had
/// to see another volume.
pub(super) fn boot_region(
    layout: &Layout<'_>,
    identity: Option<BoardIdentity>,
    allocated: u32,
    volumes: u32,
) -> BootRegion {
    BootRegion::new(BootSector {
        partition_offset: u64::from(layout.partition_offset),
        volume_length: u64::from(layout.volume_length.0),
        fat_offset: layout.fat_offset,
        fat_length: layout.fat_length,
        cluster_heap_offset: layout.cluster_heap_offset,
        cluster_count: layout.cluster_count,
        first_cluster_of_root_directory: layout.first_cluster_of_root_directory,
        volume_serial_number: super::serial_number(layout, identity, volumes),
        sectors_per_cluster_shift: layout.sectors_per_cluster_shift,
        percent_in_use: percent_in_use(layout, allocated),
    })
}

/// PercentInUse, rounded down (exFAT 3.1.19).
fn percent_in_use(layout: &Layout<'_>, allocated: u32) -> u8 {
    (allocated.saturating_mul(100) / layout.cluster_count.max(1)) as u8
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
    let mut cluster = start / FAT_ENTRY_LENGTH as u32;
    let mut chains = Chains::from(layout.chain_ends, cluster);
    // Hosts read whole sectors, so both ends are at entries; for other reads, entries are cut.
    let within = start as usize % FAT_ENTRY_LENGTH;
    let before = if within == 0 { 0 } else { FAT_ENTRY_LENGTH - within };
    let (head, rest) = out.split_at_mut(before.min(out.len()));
    if !head.is_empty() {
        copy_part(chains.entry(cluster), within, head);
        cluster += 1;
    }
    let (entries, tail) = rest.as_chunks_mut();
    let mut entries = entries.iter_mut();
    // After the last chain there are only zeros.
    while !chains.are_over()
        && let Some(entry) = entries.next()
    {
        *entry = chains.entry(cluster).encode();
        cluster += 1;
    }
    entries.into_slice().fill([0; FAT_ENTRY_LENGTH]);
    copy_part(chains.entry(cluster), 0, tail);
}

/// Copies the bytes of an entry from byte `within` on.
fn copy_part(entry: FatEntry, within: usize, out: &mut [u8]) {
    window::copy(within, out, 0, &entry.encode());
}

/// The FAT chains from one cluster on: contiguous, one after the other, separated by their last clusters.
struct Chains<'a> {
    /// The last clusters of the chains that do not end before.
    ends: Table<'a, u32, 1>,
    /// The first of them.
    end: Option<u32>,
}

impl<'a> Chains<'a> {
    fn from(ends: Table<'a, u32, 1>, cluster: u32) -> Self {
        let ends = ends.from(ends.partition_point(|end| end < cluster));
        Self { ends, end: ends.first() }
    }

    /// Whether no chain continues here or begins later.
    fn are_over(&self) -> bool {
        self.end.is_none()
    }

    /// The FAT entry of `cluster`. To be called for ascending clusters.
    fn entry(&mut self, cluster: u32) -> FatEntry {
        match cluster {
            0 => FatEntry::MEDIA,
            1 => FatEntry::RESERVED,
            _ => match self.end {
                Some(end) if cluster == end => {
                    self.ends = self.ends.from(1);
                    self.end = self.ends.first();
                    FatEntry::END_OF_CHAIN
                }
                Some(_) => FatEntry::next(ClusterIndex(cluster + 1)),
                None => FatEntry::NONE,
            },
        }
    }
}

/// Bytes of the allocation bitmap (exFAT 7.1.5), from byte `start` of it on.
/// `flash` is the chip's length in bytes.
pub(super) fn bitmap<D: DynamicFiles>(layout: &Layout<'_>, flash: u32, files: &D, start: u32, out: &mut [u8]) {
    out.fill(0);
    // Clusters from `first` to `end` have their bits in `out`.
    let first = ClusterIndex::FIRST.after(start.saturating_mul(8));
    let end = first.after((out.len() as u32).saturating_mul(8));
    if first < layout.allocated_end() {
        for (first, count) in flash::allocated(layout, flash) {
            bitmap::allocate(start, out, first, count);
        }
    }
    if !D::PRESENT {
        return;
    }
    // The directories are adjacent, and most reads are after them.
    if let Some((one, last)) = layout.growing.first().zip(layout.growing.last())
        && one.first_cluster < end
        && first < last.first_cluster.after(last.clusters)
    {
        for (first, count) in grow::spare(layout, files) {
            bitmap::free(start, out, first, count);
        }
    }
    let window = layout.dynamic;
    if end <= window.first_cluster || first >= window.first_cluster.after(window.cluster_count) {
        return;
    }
    files.allocated(|first, length| {
        bitmap::allocate(start, out, window.first_cluster.after(first), layout.clusters(length));
    });
}

/// Bytes of the up-case table (exFAT 7.2.5), from byte `start` of it on; zeros follow its end.
pub(super) fn upcase(start: u32, out: &mut [u8]) {
    picovd_exfat::upcase::render(start as usize, out);
}

/// The root directory's volume label entry (exFAT 7.3).
pub(super) fn label_entry(label: &LabelText) -> [u8; ENTRY_LENGTH] {
    VolumeLabelEntry::new(label.units().iter().copied()).encode()
}
