//! Appending a record.

use super::super::nor::{Flash, FlashError, PAGE_LENGTH, SECTOR_LENGTH};
use super::super::record::{Extents, FIRST_SEALED, HEADER_LENGTH, Header, SEALED};
use super::pages::{PAGES, PIECE, PageAddress, wipe};
use super::{Newest, READS, Store};

/// The source of a record's body.
pub(super) enum Body<'p> {
    Payload(Extents, &'p [u8]),
    /// That of another record.
    Copy(PageAddress),
}

impl<F: Flash> Store<F> {
    /// Whether the newest record has this payload and these sectors already.
    pub(super) fn has(&mut self, payload: &[u8]) -> bool {
        let Some(Newest { address, header, .. }) = self.newest.filter(|_| !self.doubt) else { return false };
        let extents = self.extents();
        let mut new = Header::new(header.sequence, extents, payload);
        new.seals = SEALED;
        let body = Body::Payload(extents, payload);
        new == header && self.is_own(address) && (0..READS).all(|_| self.holds(address, &new, &body))
    }

    /// One attempt. After [`FlashError::Failed`], the cursor is in the sector that failed.
    pub(super) fn try_save(&mut self, payload: &[u8]) -> Result<(), FlashError> {
        let extents = self.extents();
        let number = self.next_number();
        let header = Header::new(number, extents, payload);
        let address = self.room(header.pages())?;
        self.append(address, header, extents, &Body::Payload(extents, payload))
    }

    /// The number of the next record. It is used up even if the record is refused.
    pub(super) fn next_number(&mut self) -> u32 {
        let number = self.sequence.map_or(1, |highest| highest.wrapping_add(core::mem::replace(&mut self.step, 1)));
        self.sequence = Some(number);
        number
    }

    /// Writes a record, which then is the newest.
    pub(super) fn append(
        &mut self,
        address: PageAddress,
        mut header: Header,
        extents: Extents,
        body: &Body<'_>,
    ) -> Result<(), FlashError> {
        let result = self.write(address, &mut header, body);
        if result == Err(FlashError::Failed) {
            // A record that was reported as not saved must not appear later: a worn bit may be a seal.
            let _ = self.zero(address, header.pages());
        }
        self.doubt |= result.is_err() && header.is_sealed();
        result?;
        self.doubt = false;
        self.newest = Some(Newest { address, header, extents });
        self.cursor = address.after(header.pages());
        Ok(())
    }

    /// Writes a record and seals it.
    fn write(&mut self, address: PageAddress, header: &mut Header, body: &Body<'_>) -> Result<(), FlashError> {
        let mut page = [0; PAGE_LENGTH];
        let mut result = Ok(());
        for number in 0..header.pages() {
            self.page(header, body, number, &mut page);
            if result.is_ok() {
                result = self.program(address.after(number).offset(), &page);
            }
        }
        wipe(&mut page);
        result?;
        if !self.holds(address, header, body) {
            return Err(FlashError::Failed);
        }
        header.seals = FIRST_SEALED;
        self.seal(address, header)?;
        if !self.holds(address, header, body) {
            return Err(FlashError::Failed);
        }
        // Until the second seal is confirmed, the next start may have to write the record again, and find no room for it.
        let mut sealed = *header;
        sealed.seals = SEALED;
        self.seal(address, &sealed)?;
        *header = sealed;
        if (0..READS).all(|_| self.holds(address, header, body)) { Ok(()) } else { Err(FlashError::Failed) }
    }

    /// Creates a page of a record, counted from 0. Returns how many bytes of it belong to the record.
    fn page(&mut self, header: &Header, body: &Body<'_>, number: u8, page: &mut [u8; PAGE_LENGTH]) -> usize {
        match body {
            Body::Payload(extents, payload) => header.page(*extents, payload, number, page),
            Body::Copy(from) => {
                self.read(from.after(number).offset(), page);
                let length = (HEADER_LENGTH + header.length()).saturating_sub(usize::from(number) * PAGE_LENGTH);
                let length = length.min(PAGE_LENGTH);
                page.get_mut(length..).unwrap_or_default().fill(0xFF);
                if number == 0 {
                    header.put(page);
                }
                length
            }
        }
    }

    /// Whether a record is in flash as expected. The padding of the last page does not matter.
    fn holds(&mut self, address: PageAddress, header: &Header, body: &Body<'_>) -> bool {
        let mut page = [0; PAGE_LENGTH];
        let holds = (0..header.pages()).all(|number| {
            let length = self.page(header, body, number, &mut page);
            let mut expected = page.get(..length).unwrap_or(&page).chunks(PIECE);
            self.pieces(address.after(number).offset(), length, |piece| expected.next() == Some(piece))
        });
        wipe(&mut page);
        holds
    }

    /// Finds blank pages, in a new sector if the present one has none left, and sets the cursor to them.
    pub(super) fn room(&mut self, pages: u8) -> Result<PageAddress, FlashError> {
        if self.retired & self.bit(self.cursor.sector) == 0 {
            while self.cursor.page + pages <= PAGES {
                // Like `open`, which skips what a header says is a record.
                let step = self.header(self.cursor).map(|header| header.pages());
                if step.is_none() && self.is_blank(self.cursor, pages) {
                    return Ok(self.cursor);
                }
                self.cursor = self.cursor.after(step.unwrap_or(1));
            }
        }
        let newest = self.newest.map_or(0, |newest| self.bit(newest.address.sector));
        let mut sector = self.cursor.sector;
        for _ in 0..self.sectors {
            sector = self.next(sector);
            if (self.retired | newest) & self.bit(sector) == 0 {
                break;
            }
        }
        self.make_room(sector)
    }

    /// The next sector.
    pub(super) fn next(&self, sector: u32) -> u32 {
        let next = sector.wrapping_add(SECTOR_LENGTH);
        if self.bit(next) != 0 { next } else { 0 }
    }

    /// Erases a sector. Returns its start, where the cursor is then.
    pub(super) fn make_room(&mut self, sector: u32) -> Result<PageAddress, FlashError> {
        self.leave_claim(sector)?;
        self.erase(sector).inspect_err(|error| {
            // The sector that failed.
            if *error == FlashError::Failed {
                self.cursor = PageAddress { sector, page: PAGES };
            }
        })?;
        self.cursor = PageAddress { sector, page: 0 };
        if self.is_blank(self.cursor, PAGES) { Ok(self.cursor) } else { Err(FlashError::Failed) }
    }
}
