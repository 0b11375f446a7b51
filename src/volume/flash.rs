//! Files that show flash, on a chip with less flash than the manifest reserves: they are shorter, and the rest of their
//! clusters is free.

use super::layout::{FlashFile, Layout, MemoryWindow};
use super::{Memory, entry_set};
use crate::block::Lba;
use picovd_exfat::ClusterIndex;
use picovd_exfat::entry::Allocation;

/// Length in bytes of a memory window on a chip with `flash` bytes.
pub(super) fn length_of(memory: &(impl Memory + ?Sized), window: MemoryWindow, flash: u32) -> u32 {
    memory.flash_offset(window.base).map_or(window.length, |offset| window.length.min(flash.saturating_sub(offset)))
}

/// Clusters that are permanently allocated on a chip with `flash` bytes: runs of first cluster and number.
pub(super) fn allocated<'l>(layout: &'l Layout<'_>, flash: u32) -> impl Iterator<Item = (ClusterIndex, u32)> + 'l {
    // The last run is what follows the last file, or everything if there is none.
    let end = FlashFile { directory: Lba(0), entry: 0, first_cluster: layout.allocated_end(), offset: 0, length: 0 };
    let mut from = ClusterIndex::FIRST;
    layout.flash_files.iter().chain([end]).map(move |file| {
        let kept = layout.clusters(file.length_on(flash));
        let run = (from, file.first_cluster.after(kept).0.saturating_sub(from.0));
        from = file.first_cluster.after(layout.clusters(file.length));
        run
    })
}

/// Corrects what the manifest encoded for a directory whose region begins at block `directory`. `out` is at byte `start` of
/// its `entries`.
pub(super) fn shorten(layout: &Layout<'_>, flash: u32, directory: Lba, entries: &[u8], start: u32, out: &mut [u8]) {
    let end = start.saturating_add(out.len() as u32);
    for file in layout.flash_files.iter().filter(|file| file.directory == directory) {
        let length = file.length_on(flash);
        if length == file.length || end <= file.entry {
            continue;
        }
        let allocation = Allocation::contiguous(file.first_cluster, length.into());
        entry_set::reallocate(entries, file.entry, allocation, start, out);
    }
}
