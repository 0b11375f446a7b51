//! Finding the region of a block.
//!
//! Hosts read forward, so the region found last, or the one after it, is nearly always the right one: those two are looked
//! at first, and only then is the table searched.

use super::layout::Region;
use crate::block::Lba;

/// Remembers where the last look-up ended. Holding one proves nothing; each look-up checks.
#[derive(Debug)]
pub(super) struct RegionFinder {
    last: usize,
}

impl RegionFinder {
    pub(super) const fn new() -> Self {
        Self { last: 0 }
    }

    /// The region that holds `lba`, or `None` past the last one.
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
