//! What a start finds: the newest record, in the store's sectors or in those of former settings, and the owner of the
//! sectors.

use super::super::foreign::{START_LENGTH, foreign_contents, is_blank_after};
use super::super::nor::{Flash, PAGE_LENGTH, SECTOR_LENGTH};
use super::super::record::{EXTENTS_LENGTH, Extent, Extents, HEADER_LENGTH, record_pages};
use super::erase::could_become;
use super::pages::{PAGES, PageAddress, read};
use super::{MAX_SECTORS, Newest, Store};

impl<F: Flash> Store<F> {
    /// Opens a store in `sectors` sectors, at most [`MAX_SECTORS`], from byte `start` of flash on, a multiple of
    /// [`SECTOR_LENGTH`]. Reads only these, each byte at most twice, and writes nothing.
    #[must_use]
    pub fn open(flash: F, start: u32, sectors: u8) -> Self {
        const {
            assert!(F::READ_SIZE == 1, "the store reads single bytes");
            assert!(PAGE_LENGTH.is_multiple_of(F::WRITE_SIZE), "the store writes single pages");
            assert!((SECTOR_LENGTH as usize).is_multiple_of(F::ERASE_SIZE), "the store erases single sectors");
        }
        let sectors = sectors.min(MAX_SECTORS);
        // After the last one, so that the first save erases the first sector.
        let cursor = PageAddress { sector: u32::from(sectors.saturating_sub(1)) * SECTOR_LENGTH, page: PAGES };
        let mut store = Self {
            flash,
            start,
            sectors,
            retired: 0,
            newest: None,
            sequence: None,
            step: 1,
            cursor,
            claimed: Extent::default(),
            left: Extent::default(),
            occupied: None,
            erases: 0,
            surveyed: false,
            doubt: false,
        };
        store.look_into_own(None);
        store
    }

    /// Done once after each start, before anything else: searches for settings in the rest of flash, finds out who owns the
    /// sectors, and makes the answer the same for every later start. Writes only if a power cut has left a save in doubt,
    /// or a move unfinished.
    pub(super) fn survey(&mut self) {
        if core::mem::replace(&mut self.surveyed, true) {
            return;
        }
        self.look_elsewhere(None);
        self.judge();
        if self.sequence.is_some() {
            // A record that is not readable now may have the next number.
            self.step = 2;
            self.settle();
        }
        if let Some(newest) = self.newest.filter(|newest| self.is_own(newest.address)) {
            if self.cursor.sector != newest.address.sector {
                self.cursor = PageAddress { page: PAGES, ..newest.address };
            }
            if !self.doubt {
                self.clean_up();
            }
        }
    }

    /// Finds the newest record that is sealed and complete, of those older than `below`: in the store's sectors, and in
    /// those of former settings.
    pub(super) fn look(&mut self, below: Option<u32>) {
        self.look_into_own(below);
        self.look_elsewhere(below);
    }

    pub(super) fn look_into_own(&mut self, below: Option<u32>) {
        for sector in 0..self.sectors.into() {
            self.look_into(sector * SECTOR_LENGTH, below);
        }
    }

    fn look_elsewhere(&mut self, below: Option<u32>) {
        let own = self.own();
        let former = match self.newest {
            Some(newest) if newest.extents.own.count != 0 => newest.extents.own.hull(newest.extents.left),
            // Of the first version of the format, which did not name sectors.
            Some(_) => own,
            None => {
                // They may be anywhere.
                for number in 0..self.chip_length() / SECTOR_LENGTH {
                    self.look_into_other(number, below);
                }
                let Some(newest) = self.newest else { return };
                newest.extents.own.hull(newest.extents.left)
            }
        };
        if !own.covers(former) {
            self.left = former;
            for number in former.sectors() {
                self.look_into_other(number, below);
            }
        }
    }

    /// Searches a sector that is not the store's.
    fn look_into_other(&mut self, number: u32, below: Option<u32>) {
        if let Some(address) = self.elsewhere(number, true) {
            self.look_into(address.sector, below);
        }
    }

    /// The start of a sector that is not the store's, if it exists on the chip and belonged to former settings: it starts
    /// with a record that says so, and is not a copy in another file. Records of the first version do not say where they
    /// were; for them, the answer is `old`.
    pub(super) fn elsewhere(&mut self, number: u32, old: bool) -> Option<PageAddress> {
        let address = PageAddress { sector: self.offset(number), page: 0 };
        if number >= self.chip_length() / SECTOR_LENGTH || self.is_own(address) {
            return None;
        }
        let (before, _) = self.header(address)?.split()?;
        let mut extents = [0; EXTENTS_LENGTH];
        self.read(address.offset().wrapping_add(HEADER_LENGTH as u32), &mut extents);
        let was_there = if before == 0 { old } else { Extents::decode(extents).own.sectors().contains(&number) };
        was_there.then_some(address)
    }

    fn look_into(&mut self, sector: u32, below: Option<u32>) {
        let mut address = PageAddress { sector, page: 0 };
        while address.page < PAGES {
            let Some(header) = self.header(address) else {
                address = address.after(1);
                continue;
            };
            if header.is_claim() {
                if let Some(extents) = self.whole(address, &header)
                    && !self.claimed.covers(self.own())
                {
                    self.claimed = extents.own;
                }
            } else {
                // The number of a torn record, or of one of another version, counts as well, so that none is used twice.
                if self.sequence.is_none_or(|highest| is_newer(header.sequence, highest)) {
                    self.sequence = Some(header.sequence);
                }
                let newer = self.newest.is_none_or(|newest| is_newer(header.sequence, newest.header.sequence));
                let older = below.is_none_or(|below| is_newer(below, header.sequence));
                if newer
                    && older
                    && header.is_sealed()
                    && let Some(extents) = self.whole(address, &header)
                {
                    self.newest = Some(Newest { address, header, extents });
                }
            }
            address = address.after(header.pages());
        }
    }

    /// Whether a sector is certainly the store's: a record says so, or starts there.
    pub(super) fn is_ours(&mut self, sector: u32) -> bool {
        let number = self.number(sector);
        let known = self.newest.map_or(Extent::default(), |newest| newest.extents.own);
        known.sectors().contains(&number)
            || self.claimed.sectors().contains(&number)
            || self.header(PageAddress { sector, page: 0 }).is_some()
    }

    /// Finds out whether the sectors contain anything that is not the store's.
    fn judge(&mut self) {
        let known = self.newest.map_or(Extent::default(), |newest| newest.extents.own);
        let claim = self.claim_page();
        for number in 0..self.sectors.into() {
            let address = self.start.wrapping_add(number * SECTOR_LENGTH);
            let sector = address / SECTOR_LENGTH;
            if self.occupied.is_some() || known.sectors().contains(&sector) || self.claimed.sectors().contains(&sector)
            {
                continue;
            }
            let flash = &mut self.flash;
            let mut torn = false;
            let mut read = |at: u32, out: &mut [u8]| read(flash, at, out);
            let foreign = foreign_contents(address, &mut read, &mut |start| {
                torn = could_become(start, &claim);
                start.first_chunk().is_some_and(|start| record_pages(start).is_some())
            });
            // Any part of a claim that was cut short may be there.
            if !(torn && is_blank_after(address, START_LENGTH as u32, &mut read)) {
                self.occupied = foreign;
            }
        }
    }
}

/// Whether a sequence number is newer than another one. They wrap around.
pub(super) fn is_newer(one: u32, other: u32) -> bool {
    (one.wrapping_sub(other) as i32).is_positive()
}
