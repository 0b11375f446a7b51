//! The store: one payload, kept as records that are appended through all pages of all sectors.
//!
//! A record goes after the last one, or, where that one's sector has no room left, to the beginning of the next sector, which
//! is erased then and not sooner; after the last sector comes the first. So:
//!
//! - The sector that holds the newest record is never erased: a power cut leaves either the old record or the new one as the
//!   newest that is whole.
//! - A sector is erased whenever records go on in it, even where it reads as blank, so that nothing is ever written on what an
//!   interrupted erase has left. The first save after a start always goes on in the next sector: a page after the last record
//!   may only read as blank.
//! - Every sector is erased as often as every other. A record of one page costs a sixteenth of an erase, the longest a
//!   third. With the 100,000 erases that makers of flash chips promise for a sector, and one save a minute, two sectors last
//!   for 6.0 years of the one and 1.1 years of the other, and twice as many sectors twice as long (`settings_store`, test
//!   `wear_is_even`).
//!
//! What is written is read back. A sector that does not erase, or does not hold what was programmed, is left alone until the
//! next start; its records are still read. A payload that is saved already is not written again.
//!
//! # Cells between the thresholds
//!
//! An operation that a power cut interrupts leaves bits that read differently each time ([`NorFlash`] states the model). A
//! record that was cut short may read as whole once, and as torn at the next start. Two seals in its header decide instead of
//! its sum: the first is cleared after all of the record was written and read back, the second after the first.
//!
//! - The newest record with a seal cleared is the one that was saved. Since a seal is begun only after the record has ended, its
//!   bytes are stable.
//! - A start that finds only the first seal cleared clears the second one before it tells anybody what was saved: the first may
//!   read differently next time.
//! - A start that finds a newer record without a seal makes sure that it never reads as whole, before it tells anybody.
//!
//! So the answer is the old payload or the new one, whole, and the same at every later start, however many of them are cut
//! short as well. Where neither is the case, a start writes nothing. The bytes that are handed out are the bytes that were
//! checked: they are read once.
//!
//! # Whose sectors they are
//!
//! Nothing that is not the store's is erased. A sector that is neither blank nor begins with a record is foreign, and
//! [`SaveError::Occupied`] is the answer until [`Storage::claim`] takes it. Each record says which sectors were the store's, so
//! that an erase that was cut short does not make one foreign; before the first record, a record without payload says so.
//!
//! Where the sectors hold no record, or one of another `[settings]`, the newest record is looked for in the rest of flash. It
//! moves into the sectors when it is loaded, and then the places that it left are overwritten with zeros, erased, and forgotten,
//! in this order: a power cut leaves something that the next start finds, or nothing to read.
//!
//! Records of another version of the format are stepped over, and go only when their sector's turn comes to be erased.

use super::foreign::{Contents, START_LENGTH, foreign_contents, is_blank_after};
use super::nor::{FlashError, NorFlash, PAGE_LENGTH, SECTOR_LENGTH};
use super::record::{EXTENTS_LENGTH, Extent, Extents, FIRST_SEALED, HEADER_LENGTH, Header, SEALED, record_pages};

/// Bytes of payload that a record holds. The longest takes five pages.
pub const MAX_PAYLOAD: usize = 1008;
const _: () = assert!(HEADER_LENGTH + EXTENTS_LENGTH + MAX_PAYLOAD <= 5 * PAGE_LENGTH);

/// Sectors that a store makes use of, at most.
pub const MAX_SECTORS: u8 = 32;

/// Pages in a sector.
const PAGES: u8 = (SECTOR_LENGTH / PAGE_LENGTH as u32) as u8;
/// Bytes that are read at once.
const PIECE: usize = 32;
/// How often a record's bytes are read before it counts as worn.
const READS: u8 = 3;

/// Why settings were not saved. Those saved before stay as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SaveError {
    /// The payload is longer than [`MAX_PAYLOAD`]: the application has to do with less.
    TooLong,
    /// Fewer than two sectors can still be written.
    WornOut,
    /// There is nothing to save them in: the manifest has no settings' sectors, or the program runs from SRAM.
    Volatile,
    /// The second core runs and did not step aside: see `rp2350::park`. It may be tried again.
    OtherCore,
    /// The flash's partition table does not let the program write there, or flash is smaller than the manifest says.
    Refused,
    /// The sectors hold something that is not the store's: see [`Storage::claim`].
    Occupied(Contents),
    /// Erases wear flash out, and there were too many in a short time. A [`Store`] itself does not count the time: it never
    /// answers this.
    TooOften,
}

/// How the store is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Sectors that there are.
    pub sectors: u8,
    /// How many of them were taken out of use since the start, because they did not take what was written.
    pub retired: u8,
    /// Number of the newest record: the higher, the newer, modulo 2^32. A start leaves a number out. `None`: nothing was ever
    /// saved.
    pub sequence: Option<u32>,
    /// What the sectors hold that is not the store's. `None`: it can save.
    pub occupied: Option<Contents>,
    /// Sectors that were erased since the start, each time counted.
    pub erases: u32,
}

/// A store whose flash need not be known.
pub trait Storage {
    /// Copies the payload that was saved last. Returns its length; `None` when nothing was saved, or when `out` is too short.
    fn load(&mut self, out: &mut [u8]) -> Option<usize>;

    /// Saves a payload in the place of the last.
    ///
    /// # Errors
    ///
    /// Why not; the last one stays.
    fn save(&mut self, payload: &[u8]) -> Result<(), SaveError>;

    /// Takes the sectors for the store, whatever they hold: what is there is lost with the next saves.
    fn claim(&mut self) {}

    /// How the store is.
    fn health(&self) -> Health;
}

/// No store at all: nothing to load, nowhere to save.
#[derive(Clone, Copy, Debug, Default)]
pub struct Volatile;

impl Storage for Volatile {
    fn load(&mut self, _: &mut [u8]) -> Option<usize> {
        None
    }

    fn save(&mut self, _: &[u8]) -> Result<(), SaveError> {
        Err(SaveError::Volatile)
    }

    fn health(&self) -> Health {
        Health::default()
    }
}

/// A page of a sector; the number of pages means its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    /// Offset of the sector, in bytes.
    sector: u32,
    page: u8,
}

impl Place {
    fn offset(self) -> u32 {
        self.sector.wrapping_add(u32::from(self.page) * PAGE_LENGTH as u32)
    }

    fn after(self, pages: u8) -> Self {
        Self { page: self.page.saturating_add(pages).min(PAGES), ..self }
    }
}

/// The record that was saved last.
#[derive(Clone, Copy, Debug)]
struct Newest {
    place: Place,
    header: Header,
    extents: Extents,
}

/// Settings in flash.
#[derive(Debug)]
pub struct Store<F> {
    flash: F,
    sectors: u8,
    /// A bit for each sector that is out of use.
    retired: u32,
    newest: Option<Newest>,
    /// The highest sequence number that was ever used, as far as one can tell.
    sequence: Option<u32>,
    /// How far the next number is from that one.
    step: u32,
    /// Where records go on: in a sector that was erased by a whole erase since the start.
    cursor: Place,
    /// Sectors that a record without payload claims.
    claimed: Extent,
    /// Sectors that other settings may have left records in.
    left: Extent,
    /// What the sectors hold that is not ours.
    occupied: Option<Contents>,
    /// Erases since the start.
    erases: u32,
}

impl<F: NorFlash> Store<F> {
    /// Looks for what was saved in the first `sectors` sectors, at most [`MAX_SECTORS`]. Reads each of their bytes twice at most,
    /// and nothing else unless the settings have moved. Writes only where a power cut has left a save in doubt.
    #[must_use]
    pub fn open(flash: F, sectors: u8) -> Self {
        let sectors = sectors.min(MAX_SECTORS);
        // After the last: the first save erases the first sector.
        let cursor = Place { sector: u32::from(sectors.saturating_sub(1)) * SECTOR_LENGTH, page: PAGES };
        let mut store = Self {
            flash,
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
        };
        store.look(None);
        if store.sequence.is_some() {
            // A record that does not show now may have the next number.
            store.step = 2;
            store.settle();
        }
        if let Some(newest) = store.newest.filter(|newest| store.is_own(newest.place)) {
            store.cursor = Place { page: PAGES, ..newest.place };
            store.clean_up();
        }
        store.judge();
        store
    }

    /// Copies the payload that was saved last. Returns its length; `None` when nothing was saved, or when `out` is too short.
    pub fn load(&mut self, out: &mut [u8]) -> Option<usize> {
        while let Some(Newest { place, header, .. }) = self.newest {
            let (before, length) = header.split()?;
            let payload = out.get_mut(..length)?;
            for _ in 0..READS {
                // Read once: the bytes that are handed out are those that are checked.
                let mut digest = header.digest();
                let mut extents = [0; EXTENTS_LENGTH];
                let extents = extents.get_mut(..before).unwrap_or_default();
                let at = place.offset().wrapping_add(HEADER_LENGTH as u32);
                self.flash.read(at, extents);
                self.flash.read(at.wrapping_add(before as u32), payload);
                digest.update(extents);
                digest.update(payload);
                if header.is(digest) {
                    header.restore(before, payload);
                    if !self.is_own(place) && self.occupied.is_none() {
                        // What cannot move now does at the next start.
                        let _ = self.save(payload);
                    }
                    return Some(length);
                }
            }
            wipe(payload);
            // Worn. What was saved before it is better than nothing.
            self.newest = None;
            self.look(Some(header.sequence));
        }
        None
    }

    /// Saves a payload in the place of the last. Takes up to 400 ms where a sector has to be erased, once in 3 to 16 times and
    /// after each start. What is saved already is not written again.
    ///
    /// # Errors
    ///
    /// Why not; the last one stays.
    pub fn save(&mut self, payload: &[u8]) -> Result<(), SaveError> {
        if payload.len() > MAX_PAYLOAD {
            return Err(SaveError::TooLong);
        }
        if self.sectors == 0 {
            return Err(SaveError::Volatile);
        }
        if let Some(contents) = self.occupied {
            return Err(SaveError::Occupied(contents));
        }
        if self.has(payload) {
            return Ok(());
        }
        // Every round but the last takes a sector out of use.
        while self.usable() >= 2 {
            match self.try_save(payload) {
                Ok(()) => {
                    self.clean_up();
                    return Ok(());
                }
                Err(FlashError::Failed) => self.retired |= self.bit(self.cursor.sector),
                Err(FlashError::OtherCore) => return Err(SaveError::OtherCore),
                Err(FlashError::Refused) => return Err(SaveError::Refused),
            }
        }
        Err(SaveError::WornOut)
    }

    /// Takes the sectors, whatever they hold: what is there is lost with the next saves. Writes nothing itself.
    pub fn claim(&mut self) {
        self.occupied = None;
    }

    /// How the store is.
    #[must_use]
    pub fn health(&self) -> Health {
        Health {
            sectors: self.sectors,
            retired: self.retired.count_ones() as u8,
            sequence: self.newest.map(|newest| newest.header.sequence),
            occupied: self.occupied,
            erases: self.erases,
        }
    }

    /// Gives the flash back.
    #[must_use]
    pub fn into_flash(self) -> F {
        self.flash
    }

    fn usable(&self) -> u32 {
        u32::from(self.sectors).saturating_sub(self.retired.count_ones())
    }

    /// A sector's bit; none for one that is not the store's.
    fn bit(&self, sector: u32) -> u32 {
        let number = sector / SECTOR_LENGTH;
        if number < self.sectors.into() { 1 << (number % 32) } else { 0 }
    }

    fn is_own(&self, place: Place) -> bool {
        self.bit(place.sector) != 0
    }

    /// The number of a sector, counted from the beginning of flash.
    fn number(&self, sector: u32) -> u32 {
        self.flash.start().wrapping_add(sector) / SECTOR_LENGTH
    }

    /// The store's sectors.
    fn own(&self) -> Extent {
        Extent { first: (self.flash.start() / SECTOR_LENGTH) as u16, count: self.sectors }
    }

    /// What the next record says of sectors.
    fn extents(&self) -> Extents {
        Extents { own: self.own(), left: self.left }
    }

    /// The offset of the sector with that number.
    fn offset(&self, number: u32) -> u32 {
        number.wrapping_mul(SECTOR_LENGTH).wrapping_sub(self.flash.start())
    }

    /// Finds the newest record that is sealed and whole, of those older than `below`: in the store's sectors, and in those of
    /// former settings.
    fn look(&mut self, below: Option<u32>) {
        for sector in 0..self.sectors.into() {
            self.look_into(sector * SECTOR_LENGTH, below);
        }
        let own = self.own();
        let former = match self.newest {
            Some(newest) if newest.extents.own.count != 0 => newest.extents.own.hull(newest.extents.left),
            // Of the first version of the format, which did not say.
            Some(_) => own,
            None => {
                // They may be anywhere.
                for number in 0..self.flash.chip_length() / SECTOR_LENGTH {
                    self.look_elsewhere(number, below);
                }
                let Some(newest) = self.newest else { return };
                let first = self.number(newest.place.sector).saturating_sub(31) as u16;
                newest.extents.own.hull(newest.extents.left).hull(Extent { first, count: 63 })
            }
        };
        // Where nothing can be looked at, nothing is left.
        if !own.covers(former) && self.flash.chip_length() != 0 {
            self.left = former;
            for number in former.sectors() {
                self.look_elsewhere(number, below);
            }
        }
    }

    /// Looks into a sector that is not the store's.
    fn look_elsewhere(&mut self, number: u32, below: Option<u32>) {
        if let Some(place) = self.elsewhere(number) {
            self.look_into(place.sector, below);
        }
    }

    /// The beginning of a sector that is not the store's, if the chip has it and it begins with a record.
    fn elsewhere(&mut self, number: u32) -> Option<Place> {
        let place = Place { sector: self.offset(number), page: 0 };
        let is_there = number < self.flash.chip_length() / SECTOR_LENGTH && !self.is_own(place);
        (is_there && self.header(place).is_some()).then_some(place)
    }

    fn look_into(&mut self, sector: u32, below: Option<u32>) {
        let mut place = Place { sector, page: 0 };
        while place.page < PAGES {
            let Some(header) = self.header(place) else {
                place = place.after(1);
                continue;
            };
            if header.is_claim() {
                if let Some(extents) = self.whole(place, &header)
                    && !self.claimed.covers(self.own())
                {
                    self.claimed = extents.own;
                }
            } else {
                // A torn record's number counts, as does another version's: none is given twice.
                if self.sequence.is_none_or(|highest| is_newer(header.sequence, highest)) {
                    self.sequence = Some(header.sequence);
                }
                let newer = self.newest.is_none_or(|newest| is_newer(header.sequence, newest.header.sequence));
                let older = below.is_none_or(|below| is_newer(below, header.sequence));
                if newer
                    && older
                    && header.is_sealed()
                    && let Some(extents) = self.whole(place, &header)
                {
                    self.newest = Some(Newest { place, header, extents });
                }
            }
            place = place.after(header.pages());
        }
    }

    /// Makes the answer the same at every later start: the newest record is sealed for good, and records without a seal can
    /// never be whole. Where that fails, the next start tries again.
    fn settle(&mut self) {
        if let Some(mut newest) = self.newest.filter(|newest| newest.header.seals != SEALED) {
            newest.header.seals = SEALED;
            let _ = self.seal(newest.place, &newest.header);
            // A worn page may have lost the record by that.
            self.newest = None;
            self.look(None);
        }
        let newest = self.newest.map(|newest| newest.header.sequence);
        for sector in 0..self.sectors.into() {
            let mut place = Place { sector: sector * SECTOR_LENGTH, page: 0 };
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

    /// Overwrites pages with zeros, the first one last.
    fn zero(&mut self, place: Place, pages: u8) -> Result<(), FlashError> {
        // In RAM: a constant would be in flash, which cannot be read while it is written.
        let mut zeros = [0xFF; PAGE_LENGTH];
        wipe(&mut zeros);
        (0..pages.min(PAGES - place.page)).rev().try_for_each(|number| {
            let place = place.after(number);
            if self.is_blank(place, 1) { Ok(()) } else { self.flash.program(place.offset(), &zeros) }
        })
    }

    /// Finds out whether there is anything in the sectors that is not the store's.
    fn judge(&mut self) {
        let known = self.newest.map_or(Extent::default(), |newest| newest.extents.own);
        let claim = self.claim_page();
        for number in 0..self.sectors.into() {
            let (start, address) = (self.flash.start(), self.flash.start().wrapping_add(number * SECTOR_LENGTH));
            let sector = address / SECTOR_LENGTH;
            if self.occupied.is_some() || known.sectors().contains(&sector) || self.claimed.sectors().contains(&sector)
            {
                continue;
            }
            let flash = &mut self.flash;
            let mut torn = false;
            let mut read = |at: u32, out: &mut [u8]| flash.read(at.wrapping_sub(start), out);
            let foreign = foreign_contents(address, &mut read, &mut |start| {
                torn = could_become(start, &claim);
                start.first_chunk().is_some_and(|start| record_pages(start).is_some())
            });
            // Of a claim that was cut short, any part is there.
            if !(torn && is_blank_after(address, START_LENGTH as u32, &mut read)) {
                self.occupied = foreign;
            }
        }
    }

    /// The page that claims the sectors before the first record does.
    fn claim_page(&self) -> [u8; PAGE_LENGTH] {
        let extents = Extents { own: self.own(), left: Extent::default() };
        let mut page = [0; PAGE_LENGTH];
        Header::claim(extents).page(extents, &[], 0, &mut page);
        page
    }

    /// Claims the sectors before `next` is erased: a power cut would leave it with nothing that looks like the store's.
    fn leave_claim(&mut self, next: u32) -> Result<(), FlashError> {
        let own = self.own();
        let sealed = self.newest.map_or(Extent::default(), |newest| newest.extents.own);
        if sealed.covers(own) {
            return Ok(());
        }
        let claim = self.claim_page();
        for sector in
            (0..self.sectors.into()).map(|number: u32| number * SECTOR_LENGTH).filter(|sector| *sector != next)
        {
            let mut place = Place { sector, page: 0 };
            while place.page < PAGES {
                let header = self.header(place).filter(|header| !header.is_claim());
                let mut at = 0;
                let free = header.is_none()
                    && self.pieces(place.offset(), PAGE_LENGTH, |piece| {
                        let expected = claim.get(at..).unwrap_or_default();
                        at += piece.len();
                        could_become(piece, expected)
                    });
                if free {
                    return match self.flash.program(place.offset(), &claim) {
                        // Another sector's wear is not in the way of this one.
                        Err(FlashError::Failed) => Ok(()),
                        result => result,
                    };
                }
                place = place.after(header.map_or(1, |header| header.pages()));
            }
        }
        Ok(())
    }

    /// Erases the records that other settings have left, once these sectors hold what they held.
    fn clean_up(&mut self) {
        let mut clean = true;
        for number in self.left.sectors() {
            if let Some(place) = self.elsewhere(number) {
                clean &= self.scrub(place.sector).is_ok();
            }
        }
        if clean {
            self.left = Extent::default();
        }
    }

    /// Overwrites a sector of records, and erases it: an erase that is cut short shows nothing then, and what a cut leaves before
    /// still begins with a record.
    fn scrub(&mut self, sector: u32) -> Result<(), FlashError> {
        self.zero(Place { sector, page: 0 }, PAGES)?;
        self.erase(sector)
    }

    fn erase(&mut self, sector: u32) -> Result<(), FlashError> {
        let result = self.flash.erase(sector);
        if matches!(result, Ok(()) | Err(FlashError::Failed)) {
            self.erases = self.erases.saturating_add(1);
        }
        result
    }

    /// The header at a place, if there is one.
    fn header(&mut self, place: Place) -> Option<Header> {
        let mut bytes = [0; HEADER_LENGTH];
        self.flash.read(place.offset(), &mut bytes);
        Header::parse(&bytes)
    }

    /// What a record says of sectors, if it is whole and of a version that is understood.
    fn whole(&mut self, place: Place, header: &Header) -> Option<Extents> {
        let (before, _) = header.split()?;
        // None is longer than what is left of its sector.
        if place.page.saturating_add(header.pages()) > PAGES {
            return None;
        }
        let mut digest = header.digest();
        let mut extents = None;
        self.pieces(place.offset().wrapping_add(HEADER_LENGTH as u32), header.length(), |piece| {
            extents = extents.or_else(|| piece.first_chunk().copied());
            digest.update(piece);
            true
        });
        let extents = extents.filter(|_| before != 0).unwrap_or_default();
        header.is(digest).then(|| Extents::decode(extents))
    }

    fn is_blank(&mut self, place: Place, pages: u8) -> bool {
        let length = usize::from(pages) * PAGE_LENGTH;
        self.pieces(place.offset(), length, |piece| piece.iter().all(|byte| *byte == 0xFF))
    }

    /// Reads piece by piece, as long as `seen` says so. Returns whether it always did.
    fn pieces(&mut self, offset: u32, length: usize, mut seen: impl FnMut(&[u8]) -> bool) -> bool {
        let mut piece = [0; PIECE];
        let mut at = 0;
        let mut always = true;
        while always && at < length {
            let part = piece.get_mut(..PIECE.min(length - at)).unwrap_or_default();
            self.flash.read(offset.wrapping_add(at as u32), part);
            always = seen(part);
            at += part.len();
        }
        wipe(&mut piece);
        always
    }

    /// Whether the newest record has this payload already, in these sectors.
    fn has(&mut self, payload: &[u8]) -> bool {
        let Some(Newest { place, header, .. }) = self.newest else { return false };
        let extents = self.extents();
        let mut new = Header::new(header.sequence, extents, payload);
        new.seals = header.seals;
        new == header && self.is_own(place) && self.holds(place, &new, extents, payload)
    }

    /// One attempt. After [`FlashError::Failed`] the cursor is in the sector to blame.
    fn try_save(&mut self, payload: &[u8]) -> Result<(), FlashError> {
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
        result?;
        self.newest = Some(Newest { place, header, extents });
        self.cursor = place.after(header.pages());
        Ok(())
    }

    /// Writes a record and seals it.
    fn write(&mut self, place: Place, header: &mut Header, extents: Extents, payload: &[u8]) -> Result<(), FlashError> {
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
        // The first seal is stable: the record counts from here on, even if the second core does not let the second one be set.
        let mut sealed = *header;
        sealed.seals = SEALED;
        match self.seal(place, &sealed) {
            Err(FlashError::OtherCore | FlashError::Refused) => return Ok(()),
            _ => *header = sealed,
        }
        if self.holds(place, header, extents, payload) { Ok(()) } else { Err(FlashError::Failed) }
    }

    /// Programs the first page of a record again, with its seals. All of it is stable: it was written before.
    #[inline(never)]
    fn seal(&mut self, place: Place, header: &Header) -> Result<(), FlashError> {
        let mut page = [0; PAGE_LENGTH];
        self.flash.read(place.offset(), &mut page);
        header.seal(&mut page);
        let result = self.flash.program(place.offset(), &page);
        wipe(&mut page);
        result
    }

    /// Whether a record is in flash as it should be. What fills the last page does not matter: a record that is told not to be
    /// there must not turn up whole.
    fn holds(&mut self, place: Place, header: &Header, extents: Extents, payload: &[u8]) -> bool {
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
    fn room(&mut self, pages: u8) -> Result<Place, FlashError> {
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

/// Whether a sequence number is newer than another one. They wrap around.
fn is_newer(one: u32, other: u32) -> bool {
    (one.wrapping_sub(other) as i32).is_positive()
}

/// Whether programming can make these bytes what is expected: blank, the same, or what a power cut leaves between.
fn could_become(bytes: &[u8], expected: &[u8]) -> bool {
    bytes.iter().zip(expected).all(|(byte, expected)| byte & expected == *expected)
}

/// Leaves nothing of a payload on the stack: it may hold secrets.
fn wipe(bytes: &mut [u8]) {
    bytes.fill(0);
    // Whoever looks at them sees zeros.
    core::hint::black_box(bytes);
}

impl<F: NorFlash> Storage for Store<F> {
    fn load(&mut self, out: &mut [u8]) -> Option<usize> {
        Self::load(self, out)
    }

    fn save(&mut self, payload: &[u8]) -> Result<(), SaveError> {
        Self::save(self, payload)
    }

    fn claim(&mut self) {
        Self::claim(self);
    }

    fn health(&self) -> Health {
        Self::health(self)
    }
}
