//! How a record is appended.

use super::super::nor::{FlashError, NorFlash, PAGE_LENGTH, SECTOR_LENGTH};
use super::super::record::{Extents, FIRST_SEALED, Header, SEALED};
use super::pages::{PAGES, PIECE, Place, wipe};
use super::{Newest, Store};

impl<F: NorFlash> Store<F> {
    /// Whether the newest record has this payload already, in these sectors.
    pub(super) fn has(&mut self, payload: &[u8]) -> bool {
        let Some(Newest { place, header, .. }) = self.newest.filter(|_| !self.doubt) else { return false };
        let extents = self.extents();
        let mut new = Header::new(header.sequence, extents, payload);
        new.seals = header.seals;
        new == header && self.is_own(place) && self.holds(place, &new, extents, payload)
    }

    /// One attempt. After [`FlashError::Failed`] the cursor is in the sector to blame.
    pub(super) fn try_save(&mut self, payload: &[u8]) -> Result<(), FlashError> {
        let extents = self.extents();
        let sequence = self.sequence.map_or(1, |highest| highest.wrapping_add(self.step));
        let mut header = Header::new(sequence, extents, payload);
        let place = self.room(header.pages())?;
        // Also one that is refused has used its number up.
        self.step = 1;
        self.sequence = Some(sequence);
        let result = self.write(place, &mut header, extents, payload);
        if result == Err(FlashError::Failed) {
            // A record that is told not to be there must not turn up: a worn bit may be a seal.
            let _ = self.zero(place, header.pages());
        }
        self.doubt |= result.is_err() && header.is_sealed();
        result?;
        self.doubt = false;
        self.newest = Some(Newest { place, header, extents });
        self.cursor = place.after(header.pages());
        Ok(())
    }

    /// Writes a record and seals it.
    pub(super) fn write(
        &mut self,
        place: Place,
        header: &mut Header,
        extents: Extents,
        payload: &[u8],
    ) -> Result<(), FlashError> {
        let mut page = [0; PAGE_LENGTH];
        let mut result = Ok(());
        for number in 0..header.pages() {
            header.page(extents, payload, number, &mut page);
            if result.is_ok() {
                result = self.flash.program(place.after(number).offset(), &page);
            }
        }
        wipe(&mut page);
        result?;
        if !self.holds(place, header, extents, payload) {
            return Err(FlashError::Failed);
        }
        header.seals = FIRST_SEALED;
        self.seal(place, header)?;
        if !self.holds(place, header, extents, payload) {
            return Err(FlashError::Failed);
        }
        // The next start would have to set the second seal where this one cannot, and a worn page may lose the record by that: it
        // is saved when the second seal holds, and not before.
        let mut sealed = *header;
        sealed.seals = SEALED;
        self.seal(place, &sealed)?;
        *header = sealed;
        if self.holds(place, header, extents, payload) { Ok(()) } else { Err(FlashError::Failed) }
    }

    /// Whether a record is in flash as it should be. What fills the last page does not matter: a record that is told not to be
    /// there must not turn up whole.
    pub(super) fn holds(&mut self, place: Place, header: &Header, extents: Extents, payload: &[u8]) -> bool {
        let mut page = [0; PAGE_LENGTH];
        let holds = (0..header.pages()).all(|number| {
            let length = header.page(extents, payload, number, &mut page);
            let mut expected = page.get(..length).unwrap_or(&page).chunks(PIECE);
            self.pieces(place.after(number).offset(), length, |piece| expected.next() == Some(piece))
        });
        wipe(&mut page);
        holds
    }

    /// Finds blank pages, in a new sector where the present one has none left, and leaves the cursor at them.
    pub(super) fn room(&mut self, pages: u8) -> Result<Place, FlashError> {
        if self.retired & self.bit(self.cursor.sector) == 0 {
            while self.cursor.page + pages <= PAGES {
                // As `open` walks, which steps over what a header says is a record.
                let step = self.header(self.cursor).map(|header| header.pages());
                if step.is_none() && self.is_blank(self.cursor, pages) {
                    return Ok(self.cursor);
                }
                self.cursor = self.cursor.after(step.unwrap_or(1));
            }
        }
        let newest = self.newest.map_or(0, |newest| self.bit(newest.place.sector));
        let mut sector = self.cursor.sector;
        for _ in 0..self.sectors {
            let next = sector.wrapping_add(SECTOR_LENGTH);
            sector = if self.bit(next) != 0 { next } else { 0 };
            if (self.retired | newest) & self.bit(sector) == 0 {
                break;
            }
        }
        self.leave_claim(sector)?;
        self.erase(sector).inspect_err(|error| {
            // The one to blame.
            if *error == FlashError::Failed {
                self.cursor = Place { sector, page: PAGES };
            }
        })?;
        self.cursor = Place { sector, page: 0 };
        if self.is_blank(self.cursor, PAGES) { Ok(self.cursor) } else { Err(FlashError::Failed) }
    }
}
