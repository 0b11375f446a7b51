//! Seals, which say that a record has ended, and what makes a start's answer that of every later one.

use super::super::nor::{FlashError, NorFlash, PAGE_LENGTH, SECTOR_LENGTH};
use super::super::record::{Header, SEALED};
use super::Store;
use super::open::is_newer;
use super::pages::{PAGES, Place, wipe};

impl<F: NorFlash> Store<F> {
    /// Makes the answer the same at every later start: the newest record is sealed for good, and records without a seal can
    /// never be whole. Where that fails, the next start tries again.
    pub(super) fn settle(&mut self) {
        if let Some(mut newest) = self.newest.filter(|newest| newest.header.seals != SEALED) {
            newest.header.seals = SEALED;
            let _ = self.seal(newest.place, &newest.header);
            // A worn page may have lost the record by that.
            self.newest = None;
            self.look(None);
        }
        let newest = self.newest.map(|newest| newest.header.sequence);
        for sector in (0..self.sectors.into()).map(|number: u32| number * SECTOR_LENGTH) {
            // In somebody's files there may be records, too.
            if !self.is_ours(sector) {
                continue;
            }
            let mut place = Place { sector, page: 0 };
            while place.page < PAGES {
                let header = self.header(place);
                let pages = header.map_or(1, |header| header.pages());
                if let Some(header) = header.filter(Header::is_doubtful)
                    && newest.is_none_or(|newest| is_newer(header.sequence, newest))
                {
                    let _ = self.zero(place, pages);
                }
                place = place.after(pages);
            }
        }
    }

    /// Programs the first page of a record again, with its seals. All of it is stable: it was written before.
    #[inline(never)]
    pub(super) fn seal(&mut self, place: Place, header: &Header) -> Result<(), FlashError> {
        let mut page = [0; PAGE_LENGTH];
        self.flash.read(place.offset(), &mut page);
        header.seal(&mut page);
        let result = self.flash.program(place.offset(), &page);
        wipe(&mut page);
        result
    }

    /// Overwrites pages with zeros, the first one last.
    pub(super) fn zero(&mut self, place: Place, pages: u8) -> Result<(), FlashError> {
        // In RAM: a constant would be in flash, which cannot be read while it is written.
        let mut zeros = [0xFF; PAGE_LENGTH];
        wipe(&mut zeros);
        (0..pages.min(PAGES - place.page)).rev().try_for_each(|number| {
            let place = place.after(number);
            if self.is_blank(place, 1) { Ok(()) } else { self.flash.program(place.offset(), &zeros) }
        })
    }
}
