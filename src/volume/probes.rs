//! Where programs read that probe what kind of disk this is, as udev's blkid does with each medium, before and after it is mounted.
//!
//! Such a read must not count as reading a file. Dynamic files are not placed in these blocks, so that a log's end that was read
//! was really read as a file.

use super::layout::Layout;
use crate::block::BLOCK_LENGTH;

/// How many blocks are read at each location: a page of the host's cache.
const LENGTH: u32 = 8;

/// The locations, in blocks from the start of the disk or of the partition: those of libblkid 2.38's superblock probes, except the
/// first ones, which are in the boot region and the FAT.
const PLACES: [u32; 10] = [32, 56, 64, 120, 128, 256, 512, 768, 1024, 2048];

/// The same, in blocks before the end.
const PLACES_BEFORE_END: [u32; 4] = [1024, 512, 128, 8];

/// Clusters of the dynamic window that such a read may touch: runs of first cluster, counted from the window's first, and number.
/// They are not sorted, and may be repeated.
pub(crate) fn in_window(layout: &Layout<'_>) -> impl Iterator<Item = (u32, u32)> + Clone {
    let window = layout.dynamic;
    let begin = layout.block_of(window.first_cluster).0;
    let end = layout.block_of(window.first_cluster.after(window.cluster_count)).0;
    let shift = layout.cluster_shift() - BLOCK_LENGTH.trailing_zeros();
    places(layout).filter_map(move |place| {
        let (first, last) = (place.max(begin), (place + LENGTH).min(end).checked_sub(1)?);
        let (first, last) = ((first - begin) >> shift, last.checked_sub(begin)? >> shift);
        (first <= last).then(|| (first, last - first + 1))
    })
}

/// The first block of each location.
fn places(layout: &Layout<'_>) -> impl Iterator<Item = u32> + Clone + use<> {
    let begin = layout.partition_offset;
    let end = begin.saturating_add(layout.volume_length.0);
    let from_begin = PLACES.into_iter().flat_map(move |place| [place, begin.saturating_add(place)]);
    let from_end = PLACES_BEFORE_END.into_iter().map(move |place| end.saturating_sub(place));
    // Pages begin at multiples of their length.
    from_begin.chain(from_end).map(|place| place & !(LENGTH - 1))
}

#[cfg(test)]
mod tests {
    use super::super::tests::layout_with_window;
    use super::in_window;
    extern crate std;
    use std::collections::BTreeSet;

    /// Every cluster of the window that contains part of a probed page, and no other.
    #[test]
    fn clusters_are_those_that_a_page_is_in() {
        for (first, count, sectors_per_cluster_shift) in [(5, 128, 3), (2, 40, 3), (9, 1000, 0), (3, 30, 5), (5, 1, 3)]
        {
            let layout = layout_with_window(first, count, sectors_per_cluster_shift);
            let found: BTreeSet<u32> = in_window(&layout).flat_map(|(first, count)| first..first + count).collect();
            let end = layout.volume_length.0;
            let probed = [32, 56, 64, 120, 128, 256, 512, 768, 1024, 2048, end - 1024, end - 512, end - 128, end - 8];
            let expected: BTreeSet<u32> = (0..count)
                .filter(|cluster| {
                    let block = layout.block_of(layout.dynamic.first_cluster.after(*cluster)).0;
                    let blocks = block..block + (1 << sectors_per_cluster_shift);
                    probed.iter().any(|page| blocks.start < page / 8 * 8 + 8 && page / 8 * 8 < blocks.end)
                })
                .collect();
            assert_eq!(found, expected, "{first} {count} {sectors_per_cluster_shift}");
        }
    }
}
