//! Finding the region of a block.
//!
//! Hosts read sequentially, so the region found last, or the one after it, is nearly always the right one: these two are
//! checked before the table is searched.

use super::layout::{Gap, Layout, Region, RegionKind};
use crate::block::{BlockCount, Lba};

/// The region found last.
#[derive(Debug)]
pub(super) struct RegionFinder<'a> {
    index: usize,
    region: Region<'a>,
}

impl<'a> RegionFinder<'a> {
    pub(super) const fn new() -> Self {
        let nothing = RegionKind::Unused(Gap::Free);
        Self { index: 0, region: Region { first: Lba(0), length: BlockCount(0), kind: nothing } }
    }

    /// The region that contains `lba`, or `None` beyond the last one.
    #[inline]
    pub(super) fn find(&mut self, layout: &Layout<'a>, lba: Lba) -> Option<Region<'a>> {
        if !holds(&self.region, lba) {
            self.search(layout, lba)?;
        }
        Some(self.region)
    }

    /// Not inlined: it is for one read of many.
    #[inline(never)]
    fn search(&mut self, layout: &Layout<'a>, lba: Lba) -> Option<()> {
        let next = self.index + 1;
        let index = match layout.regions.get(next) {
            Some(region) if region.holds(lba) => next,
            _ => layout.regions.partition_point(|region| region.first <= lba).checked_sub(1)?,
        };
        let region = layout.region(index).filter(|region| holds(region, lba))?;
        (self.index, self.region) = (index, region);
        Some(())
    }
}

fn holds(region: &Region<'_>, lba: Lba) -> bool {
    lba.0.checked_sub(region.first.0).is_some_and(|block| block < region.length.0)
}
