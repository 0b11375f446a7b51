//! Where programs read that probe what kind of disk this is, as udev's blkid does with each medium, before and after it is mounted.
//!
//! Such a read must not count as reading a file. Dynamic files are not placed in these blocks, so that a log's end that was read
//! was really read as a file.

use super::layout::Layout;
use crate::block::BLOCK_LENGTH;

/// How many blocks are read at each location: a page of the host's cache.
const LENGTH: u32 = 8;

/// The locations, in blocks from the start of the disk or of the partition, after those in the boot region and the FAT. Debian 12's
/// blkid was seen to read all of them but 768, and of those before the end only the last one.
const PLACES: [u16; 10] = [32, 56, 64, 120, 128, 256, 512, 768, 1024, 2048];

/// The same, in blocks before the end.
const PLACES_BEFORE_END: [u16; 4] = [1024, 512, 128, 8];

/// Whether such a read may hit some of `count` clusters of the dynamic window, from cluster `first` on, counted from the window's
/// first: the first cluster after the last read that does.
#[inline(never)]
pub(crate) fn collision(layout: &Layout<'_>, first: u32, count: u32) -> Option<u32> {
    let shift = layout.cluster_shift() - BLOCK_LENGTH.trailing_zeros();
    let window = layout.block_of(layout.dynamic.first_cluster).0;
    let block = |cluster: u32| window.saturating_add(cluster << shift);
    let (begin, end) = (layout.partition_offset, layout.partition_offset.saturating_add(layout.volume_length.0));
    let mut last = None;
    let mut look = |place: u32| {
        // Pages begin at multiples of their length.
        let page = place & !(LENGTH - 1);
        if page < block(first.saturating_add(count)) && block(first) < page + LENGTH && count != 0 {
            last = last.max(Some(((page + LENGTH - 1 - window) >> shift) + 1));
        }
    };
    for place in PLACES {
        look(place.into());
        look(begin.saturating_add(place.into()));
    }
    for place in PLACES_BEFORE_END {
        look(end.saturating_sub(place.into()));
    }
    last
}

#[cfg(test)]
mod tests {
    use super::super::tests::layout_with_window;
    use super::collision;
    extern crate std;
    use std::collections::BTreeSet;

    /// Every cluster of the window that contains part of a probed page, and no other.
    #[test]
    fn clusters_are_those_that_a_page_is_in() {
        for (first, count, sectors_per_cluster_shift) in [(5, 128, 3), (2, 40, 3), (9, 1000, 0), (3, 30, 5), (5, 1, 3)]
        {
            let layout = layout_with_window(first, count, sectors_per_cluster_shift);
            let found: BTreeSet<u32> = (0..count).filter(|cluster| collision(&layout, *cluster, 1).is_some()).collect();
            // A run collides where one of its clusters does, and the last one of those tells where to go on.
            for (first, length) in [(0, count), (count / 3, 7), (1, 2)].into_iter().filter(|run| run.0 + run.1 <= count)
            {
                let hit = found.range(first..first + length).next_back();
                assert_eq!(collision(&layout, first, length).is_some(), hit.is_some());
                assert!(hit.is_none_or(|hit| collision(&layout, first, length) > Some(*hit)));
            }
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
