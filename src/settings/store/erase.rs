//! Erasing sectors, and what is written to flash before that.

use super::super::nor::{Flash, FlashError, PAGE_LENGTH, SECTOR_LENGTH};
use super::super::record::{Extent, Extents, Header, SEALED};
use super::Store;
use super::pages::{PAGES, PageAddress};

impl<F: Flash> Store<F> {
    /// The page that claims the sectors before the first record exists.
    pub(super) fn claim_page(&self) -> [u8; PAGE_LENGTH] {
        let extents = Extents { own: self.own(), left: Extent::default() };
        let mut page = [0; PAGE_LENGTH];
        Header::claim(extents).page(extents, &[], 0, &mut page);
        page
    }

    /// Claims the sectors before `next` is erased: otherwise a power cut would leave it with nothing that identifies it as
    /// the store's.
    pub(super) fn leave_claim(&mut self, next: u32) -> Result<(), FlashError> {
        let own = self.own();
        // One that may read as never sealed at the next start does not count.
        let sealed = self.newest.filter(|newest| newest.header.seals == SEALED);
        if sealed.map_or(Extent::default(), |newest| newest.extents.own).covers(own) {
            return Ok(());
        }
        let claim = self.claim_page();
        for sector in
            (0..self.sectors.into()).map(|number: u32| number * SECTOR_LENGTH).filter(|sector| *sector != next)
        {
            let mut address = PageAddress { sector, page: 0 };
            while address.page < PAGES {
                let header = self.header(address).filter(|header| !header.is_claim());
                let mut at = 0;
                let free = header.is_none()
                    && self.pieces(address.offset(), PAGE_LENGTH, |piece| {
                        let expected = claim.get(at..).unwrap_or_default();
                        at += piece.len();
                        could_become(piece, expected)
                    });
                if free {
                    match self.program(address.offset(), &claim) {
                        // That sector's wear does not affect this one.
                        Err(FlashError::Failed) => break,
                        result => return result,
                    }
                }
                address = address.after(header.map_or(1, |header| header.pages()));
            }
        }
        Ok(())
    }

    /// Erases the records that former settings have left, once these sectors contain the same.
    pub(super) fn clean_up(&mut self) {
        let mut clean = true;
        for number in self.left.sectors() {
            if let Some(address) = self.elsewhere(number, false) {
                clean &= self.wipe(address.sector).is_ok();
            }
        }
        if clean {
            self.left = Extent::default();
        }
    }

    /// Overwrites a sector of records, and erases it: if the erase is cut short, it reveals nothing, and what a cut before
    /// that leaves still starts with a record.
    pub(super) fn wipe(&mut self, sector: u32) -> Result<(), FlashError> {
        self.zero(PageAddress { sector, page: 0 }, PAGES)?;
        self.erase(sector)
    }

    pub(super) fn erase(&mut self, sector: u32) -> Result<(), FlashError> {
        let from = self.start.wrapping_add(sector);
        let result = self.flash.erase(from, from.saturating_add(SECTOR_LENGTH)).map_err(Into::into);
        if matches!(result, Ok(()) | Err(FlashError::Failed)) {
            self.erases = self.erases.saturating_add(1);
        }
        result
    }
}

/// Whether programming can change these bytes to the expected ones: they are blank, the same, or something in between after
/// a power cut.
pub(super) fn could_become(bytes: &[u8], expected: &[u8]) -> bool {
    bytes.iter().zip(expected).all(|(byte, expected)| byte & expected == *expected)
}
