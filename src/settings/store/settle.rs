//! Makes the answer of a start the same for every later one.

use super::super::nor::{Flash, FlashError, PAGE_LENGTH, SECTOR_LENGTH};
use super::super::record::{Header, SEALED, SEALS};
use super::append::Body;
use super::open::is_newer;
use super::pages::{PAGES, PageAddress, wipe};
use super::{Newest, READS, Store};

impl<F: Flash> Store<F> {
    /// Makes the answer the same for every later start: see the module's documentation. If that fails, it is in doubt, and
    /// the next start tries again.
    pub(super) fn settle(&mut self) {
        self.leave_unsteady();
        self.doubt = !self.bury(false) || self.is_unsealed();
        if !self.doubt || self.renew() {
            return;
        }
        // If there is no other location, or settings have moved and will be written again anyway.
        if let Some(mut newest) = self.newest.filter(|_| self.is_unsealed()) {
            newest.header.seals = SEALED;
            let _ = self.seal(newest.address, &newest.header);
            // On a worn page, that may have destroyed the record.
            self.newest = None;
            self.look(None);
            self.leave_unsteady();
        }
        let sealed = !self.is_unsealed();
        self.doubt = !self.bury(sealed) || !sealed;
        if let Some(newest) = self.newest.filter(|_| !sealed) {
            // One of them is valid, but it is unknown which one the next start will find.
            self.retired |= self.candidates(newest);
        }
    }

    /// Whether the newest record may read as never sealed at the next start.
    fn is_unsealed(&self) -> bool {
        self.newest.is_some_and(|newest| newest.header.seals != SEALED)
    }

    /// A record that is not completely sealed counts only if it reads the same each time.
    fn leave_unsteady(&mut self) {
        while let Some(newest) = self.newest.filter(|_| self.is_unsealed()) {
            if self.is_steady(&newest) {
                return;
            }
            self.newest = None;
            self.look(Some(newest.header.sequence));
        }
    }

    /// Whether the record reads the same each time, except for its seals, which may be unstable after a power cut.
    fn is_steady(&mut self, record: &Newest) -> bool {
        (0..READS).all(|_| {
            let header = self.header(record.address).filter(|header| header.is_same(&record.header));
            header.is_some_and(|header| self.whole(record.address, &header).is_some())
        })
    }

    /// Makes sure that no record newer than the newest valid one can ever be complete; with `erase`, by an erase if nothing
    /// else helps. Returns whether that succeeded.
    fn bury(&mut self, erase: bool) -> bool {
        let newest = self.newest.map_or(0, |newest| self.bit(newest.address.sector));
        let mut all = true;
        for sector in (0..self.sectors.into()).map(|number: u32| number * SECTOR_LENGTH) {
            // Files may contain records, too.
            if !self.is_ours(sector) {
                continue;
            }
            let mut address = PageAddress { sector, page: 0 };
            let mut buried = true;
            while let Some((torn, pages)) = self.next_torn(address) {
                buried &= self.zero(torn, pages).is_ok() && (0..READS).all(|_| self.header(torn).is_none());
                address = torn.after(pages);
            }
            if !buried && erase && self.bit(sector) != newest {
                let first = PageAddress { sector, page: 0 };
                buried = self.erase(sector).is_ok() && (0..READS).all(|_| self.next_torn(first).is_none());
            }
            all &= buried;
        }
        all
    }

    /// The next record in a sector, from `address` on, that is newer than the newest valid one, and its number of pages.
    fn next_torn(&mut self, mut address: PageAddress) -> Option<(PageAddress, u8)> {
        let newest = self.newest.map(|newest| newest.header.sequence);
        while address.page < PAGES {
            let header = self.header(address);
            let pages = header.map_or(1, |header| header.pages());
            let is_newer = |header: &Header| newest.is_none_or(|newest| is_newer(header.sequence, newest));
            if header.is_some_and(|header| header.is_doubtful() && is_newer(&header)) {
                return Some((address, pages));
            }
            address = address.after(pages);
        }
        None
    }

    /// Writes the newest record again, with a number above all others, where nothing is lost: then it does not matter what
    /// the others read as. Returns whether it was written successfully.
    fn renew(&mut self) -> bool {
        let Some(from) = self.newest.filter(|newest| self.is_own(newest.address) && newest.header.is_doubtful()) else {
            return false;
        };
        let keep = self.candidates(from);
        let mut sector = from.address.sector;
        for _ in 0..self.sectors {
            sector = self.next(sector);
            if (keep | self.retired) & self.bit(sector) != 0 || self.occupied.is_some() {
                continue;
            }
            match self.make_room(sector).and_then(|address| self.copy(&from, address)) {
                Ok(()) => return true,
                Err(FlashError::Failed) => self.retired |= self.bit(sector),
                Err(_) => return false,
            }
        }
        // After the last record of a sector: first of the newest record's sector, to which only saves have written since it
        // was erased.
        sector = from.address.sector;
        for _ in 0..self.sectors {
            if keep & self.bit(sector) != 0
                && let Some(address) = self.tail(sector, from.header.pages())
                && self.copy(&from, address).is_ok()
            {
                self.cursor = PageAddress { sector, page: PAGES };
                return true;
            }
            sector = self.next(sector);
        }
        false
    }

    /// The sectors of all records that the next start may find if the newest is `from`: down to the first one that is
    /// completely sealed.
    fn candidates(&mut self, from: Newest) -> u32 {
        let newest = self.newest.take();
        let mut sectors = 0;
        let mut next = Some(from);
        while let Some(record) = next {
            sectors |= self.bit(record.address.sector);
            if record.header.seals != SEALED {
                self.look_into_own(Some(record.header.sequence));
            }
            next = self.newest.take();
        }
        self.newest = newest;
        sectors
    }

    /// Blank pages at the end of a sector.
    fn tail(&mut self, sector: u32, pages: u8) -> Option<PageAddress> {
        let mut address = PageAddress { sector, page: 0 };
        while address.page.saturating_add(pages) <= PAGES {
            let step = self.header(address).map(|header| header.pages());
            if step.is_none() && (0..READS).all(|_| self.is_blank(address, PAGES - address.page)) {
                return Some(address);
            }
            address = address.after(step.unwrap_or(1));
        }
        None
    }

    /// Writes a record again, with the next number. Then it is the newest.
    fn copy(&mut self, from: &Newest, address: PageAddress) -> Result<(), FlashError> {
        let mut header = from.header.renumbered(self.next_number());
        let (mut old, mut new) = (from.header.digest(), header.digest());
        self.body(from.address, &from.header, |piece| {
            old.update(piece);
            new.update(piece);
        });
        if !from.header.is(old) {
            return Err(FlashError::Failed);
        }
        header.set_sum(new);
        self.append(address, header, from.extents, &Body::Copy(from.address))
    }

    /// Programs the first page of a record again, with its seals. Its bits are stable, since it was written before.
    #[inline(never)]
    pub(super) fn seal(&mut self, address: PageAddress, header: &Header) -> Result<(), FlashError> {
        let mut page = [0; PAGE_LENGTH];
        self.read(address.offset(), &mut page);
        header.seal(&mut page);
        let result = self.program(address.offset(), &page);
        wipe(&mut page);
        result
    }

    /// Overwrites pages with zeros, the first one last. The seals of a record there are unchanged: a record that is partly
    /// overwritten is never taken for a sealed one.
    pub(super) fn zero(&mut self, address: PageAddress, pages: u8) -> Result<(), FlashError> {
        // In RAM, because a constant would be in flash, which cannot be read while it is written.
        let mut zeros = [0xFF; PAGE_LENGTH];
        wipe(&mut zeros);
        (0..pages.min(PAGES - address.page)).rev().try_for_each(|number| {
            let address = address.after(number);
            if number == 0 {
                let mut start = [0; 4];
                self.read(address.offset(), &mut start);
                zeros[3] = start[3] & SEALS;
            }
            if self.is_blank(address, 1) { Ok(()) } else { self.program(address.offset(), &zeros) }
        })
    }
}
