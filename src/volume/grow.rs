//! Directories of the manifest that grow with dynamic files. Clusters are reserved for all of them, but a directory has
//! only as many as its entries need, because some readers do not follow a directory into a second cluster. What dynamic
//! files need is determined once, when a generation begins.

use super::dynamic_files::{DynamicFiles, NoFiles};
use super::entry_set;
use super::layout::{Growing, Layout};
use crate::block::Lba;
use picovd_exfat::ClusterIndex;
use picovd_exfat::entry::{Allocation, ENTRY_LENGTH};
use picovd_exfat::fat::{FAT_ENTRY_LENGTH, FatEntry};
use picovd_exfat::window;

/// Number of clusters that a directory's entries need, including an end-of-directory entry.
fn used(folder: &Growing, layout: &Layout<'_>, files: &impl DynamicFiles) -> u32 {
    let length = folder.entries.saturating_add(files.listed(folder.first_cluster) + ENTRY_LENGTH as u32);
    layout.clusters(length).min(folder.clusters)
}

/// First cluster and number of a directory's free clusters.
fn spare_of(folder: &Growing, layout: &Layout<'_>, files: &impl DynamicFiles) -> (ClusterIndex, u32) {
    let used = used(folder, layout, files);
    (folder.first_cluster.after(used), folder.clusters - used)
}

/// Clusters that are reserved for directories but free: runs of first cluster and number.
pub(super) fn spare<'l, 't, D: DynamicFiles>(
    layout: &'l Layout<'t>,
    files: &'l D,
) -> impl Iterator<Item = (ClusterIndex, u32)> + use<'l, 't, D> {
    layout.growing.iter().map(move |folder| spare_of(&folder, layout, files))
}

/// Ends the FAT chains of directories at their present ends. `out` is at byte `start` of the FAT.
pub(super) fn end_chains(layout: &Layout<'_>, files: &impl DynamicFiles, start: u32, out: &mut [u8]) {
    let byte = |cluster: u32| cluster as usize * FAT_ENTRY_LENGTH;
    let (start, end) = (start as usize, start as usize + out.len());
    for folder in layout.growing.iter() {
        if byte(folder.first_cluster.0) < end && start < byte(folder.first_cluster.after(folder.clusters).0) {
            let (first, count) = spare_of(&folder, layout, files);
            window::copy(start, out, byte(first.0 - 1), &FatEntry::END_OF_CHAIN.encode());
            window::fill(start, out, byte(first.0), byte(count), 0);
        }
    }
}

/// Corrects the lengths of directories in their entry sets. `out` is at byte `start` of the `entries` of the directory that
/// begins at block `parent`.
pub(super) fn lengths(
    layout: &Layout<'_>,
    files: &impl DynamicFiles,
    parent: Lba,
    entries: &[u8],
    start: u32,
    out: &mut [u8],
) {
    let end = start.saturating_add(out.len() as u32);
    for folder in layout.growing.iter() {
        // The length is in the set's second entry.
        if folder.parent == parent && folder.entry < end && start < folder.entry + 2 * ENTRY_LENGTH as u32 {
            let clusters = used(&folder, layout, files);
            // The encoded length is right as long as dynamic files need no further cluster.
            if clusters == used(&folder, layout, &NoFiles) {
                continue;
            }
            let length = clusters << layout.cluster_shift();
            let allocation = Allocation::chained(folder.first_cluster, length.into());
            entry_set::reallocate(entries, folder.entry, allocation, start, out);
        }
    }
}
