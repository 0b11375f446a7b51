//! Finding the region of a block.
//!
//! Hosts read sequentially, so the region found last, or the one after it, is nearly always the right one: these two are
//! checked before the table is searched.

use super::layout::{Layout, RegionRecord};
use crate::block::Lba;

/// The region found last.
#[derive(Debug)]
pub(super) struct RegionFinder {
    index: usize,
    region: RegionRecord,
}

impl RegionFinder {
    pub(super) const fn new() -> Self {
        Self { index: 0, region: RegionRecord::NONE }
    }

    /// The region that contains `lba`, or `None` beyond the last one.
    #[inline]
    pub(super) fn find(&mut self, layout: &Layout<'_>, lba: Lba) -> Option<RegionRecord> {
        if !self.region.holds(lba) {
            self.search(layout, lba)?;
        }
        Some(self.region)
    }

    /// Not inlined: it is for one read of many.
    #[inline(never)]
    fn search(&mut self, layout: &Layout<'_>, lba: Lba) -> Option<()> {
        let next = self.index + 1;
        let index = match layout.regions.get(next) {
            Some(region) if region.holds(lba) => next,
            _ => layout.regions.partition_point(|region| region.first <= lba).checked_sub(1)?,
        };
        let region = layout.regions.get(index).filter(|region| region.holds(lba))?;
        (self.index, self.region) = (index, region);
        Some(())
    }
}
