//! Finding the region of a block.
//!
//! Hosts read sequentially, so the region found last, or the one after it, is nearly always the right one: these two are
//! checked before the table is searched.

use super::layout::Region;
use crate::block::Lba;

/// Where the last look-up ended. It is only a hint; each look-up checks it.
#[derive(Debug)]
pub(super) struct RegionFinder {
    last: usize,
}

impl RegionFinder {
    pub(super) const fn new() -> Self {
        Self { last: 0 }
    }

    /// The region that contains `lba`, or `None` beyond the last one.
    pub(super) fn find<'r, 'a>(&mut self, regions: &'r [Region<'a>], lba: Lba) -> Option<&'r Region<'a>> {
        for index in [self.last, self.last + 1] {
            if let Some(region) = regions.get(index).filter(|region| holds(region, lba)) {
                self.last = index;
                return Some(region);
            }
        }
        let index = regions.partition_point(|region| region.first <= lba).checked_sub(1)?;
        let region = regions.get(index).filter(|region| holds(region, lba))?;
        self.last = index;
        Some(region)
    }
}

fn holds(region: &Region<'_>, lba: Lba) -> bool {
    lba.0.checked_sub(region.first.0).is_some_and(|block| block < region.length.0)
}
