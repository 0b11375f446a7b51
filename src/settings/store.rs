//! The store: one payload, kept as records that are appended through all pages of all sectors.
//!
//! A record goes behind the last one, or, where that one's sector has no room left, to the beginning of the next sector, which
//! is erased then and not sooner; after the last sector comes the first. So:
//!
//! - The sector that holds the newest record is never erased: a power cut leaves either the old record or the new one as the
//!   newest that is whole.
//! - A sector is erased whenever records go on in it, even where it reads as blank, so that nothing is ever written on what an
//!   interrupted erase has left.
//! - Every sector is erased as often as every other. A record of one page costs a sixteenth of an erase, the longest a
//!   quarter. With the 100,000 erases that makers of flash chips promise for a sector, and one save a minute, two sectors last
//!   for 6.0 years of the one and 1.5 years of the other, and twice as many sectors twice as long (`settings_store`, test
//!   `wear_is_even`).
//!
//! What is written is read back. A sector that does not erase, or does not hold what was programmed, is left alone until the
//! next start; its records are still read.
//!
//! Records of another version of the format are stepped over, and go only when their sector's turn comes to be erased.

use super::nor::{FlashError, NorFlash, PAGE_LENGTH, SECTOR_LENGTH};
use super::record::{HEADER_LENGTH, Header, VERSION, pages};

/// Bytes of payload that a record holds: four pages less a header of 16 bytes.
pub const MAX_PAYLOAD: usize = 4 * PAGE_LENGTH - HEADER_LENGTH;
const _: () = assert!(MAX_PAYLOAD == 1008);

/// Sectors that a store makes use of, at most.
pub const MAX_SECTORS: u8 = 32;

/// Pages in a sector.
const PAGES: u8 = (SECTOR_LENGTH / PAGE_LENGTH as u32) as u8;
/// Bytes that are read at once.
const PIECE: usize = 32;

/// Why settings were not saved. Those saved before stay as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SaveError {
    /// The payload is longer than [`MAX_PAYLOAD`]: the application has to do with less.
    TooLong,
    /// Fewer than two sectors can still be written, or the records are numbered to the end, which no flash lives to see.
    WornOut,
    /// There is nothing to save them in: the manifest has no settings' sectors, or the program runs from SRAM.
    Volatile,
    /// The second core runs and did not step aside: see `rp2350::park`. It may be tried again.
    OtherCore,
    /// The flash's partition table does not let the program write there, or flash is smaller than the manifest says.
    Refused,
}

/// How the store is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Sectors that there are.
    pub sectors: u8,
    /// How many of them were taken out of use since the start, because they did not take what was written.
    pub retired: u8,
    /// Number of the newest record, counted from 1 over the life of these sectors. `None`: nothing was ever saved.
    pub sequence: Option<u32>,
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
    sector: u8,
    page: u8,
}

impl Place {
    fn offset(self) -> u32 {
        u32::from(self.sector) * SECTOR_LENGTH + u32::from(self.page) * PAGE_LENGTH as u32
    }

    fn after(self, pages: u8) -> Self {
        Self { page: self.page.saturating_add(pages).min(PAGES), ..self }
    }
}

/// Settings in flash.
#[derive(Debug)]
pub struct Store<F> {
    flash: F,
    sectors: u8,
    /// A bit for each sector that is out of use.
    retired: u32,
    newest: Option<(Place, Header)>,
    /// The highest sequence number that was ever used, as far as one can tell.
    sequence: u32,
    /// Where records go on: in a sector that was erased by a whole erase.
    cursor: Place,
}

impl<F: NorFlash> Store<F> {
    /// Looks for what was saved in the first `sectors` sectors, at most [`MAX_SECTORS`]. Reads only.
    #[must_use]
    pub fn open(flash: F, sectors: u8) -> Self {
        let sectors = sectors.min(MAX_SECTORS);
        // Behind the last: the first save erases the first sector.
        let cursor = Place { sector: sectors.saturating_sub(1), page: PAGES };
        let mut store = Self { flash, sectors, retired: 0, newest: None, sequence: 0, cursor };
        // The newest that is whole. Only where one is torn, a second look is needed.
        let mut highest = u32::MAX;
        while let Some((place, header)) = store.newest_up_to(highest) {
            if store.is_whole(place, &header) {
                store.newest = Some((place, header));
                break;
            }
            let Some(next) = header.sequence.checked_sub(1) else { break };
            highest = next;
        }
        if let Some((place, header)) = &store.newest {
            store.cursor = place.after(header.pages());
        }
        store
    }

    /// Copies the payload that was saved last. Returns its length; `None` when nothing was saved, or when `out` is too short.
    pub fn load(&mut self, out: &mut [u8]) -> Option<usize> {
        let (place, header) = self.newest?;
        let payload = out.get_mut(..header.length())?;
        self.flash.read(place.offset() + HEADER_LENGTH as u32, payload);
        header.restore(payload);
        Some(header.length())
    }

    /// Saves a payload in the place of the last. Takes up to 400 ms where a sector has to be erased, once in 4 to 16 times.
    ///
    /// # Errors
    ///
    /// Why not; the last one stays.
    pub fn save(&mut self, payload: &[u8]) -> Result<(), SaveError> {
        if payload.len() > MAX_PAYLOAD {
            return Err(SaveError::TooLong);
        }
        // Somebody wrote that number there. The record after it would not be newer, and would not be found again.
        if self.sequence == u32::MAX {
            return Err(SaveError::WornOut);
        }
        if self.sectors == 0 {
            return Err(SaveError::Volatile);
        }
        // Every round but the last takes a sector out of use.
        while self.usable() >= 2 {
            match self.try_save(payload) {
                Ok(()) => return Ok(()),
                Err(FlashError::Failed) => self.retired |= bit(self.cursor.sector),
                Err(FlashError::OtherCore) => return Err(SaveError::OtherCore),
                Err(FlashError::Refused) => return Err(SaveError::Refused),
            }
        }
        Err(SaveError::WornOut)
    }

    /// How the store is.
    #[must_use]
    pub fn health(&self) -> Health {
        Health {
            sectors: self.sectors,
            retired: self.retired.count_ones() as u8,
            sequence: self.newest.as_ref().map(|(_, header)| header.sequence),
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

    /// The record of the highest number that is not above `highest`, whole or torn.
    fn newest_up_to(&mut self, highest: u32) -> Option<(Place, Header)> {
        let mut newest: Option<(Place, Header)> = None;
        for sector in 0..self.sectors {
            let mut place = Place { sector, page: 0 };
            while place.page < PAGES {
                let Some(header) = self.header(place) else {
                    place = place.after(1);
                    continue;
                };
                // A torn record's number counts, as does another version's: none is given twice.
                self.sequence = self.sequence.max(header.sequence);
                let newer = newest.as_ref().is_none_or(|(_, newest)| newest.sequence < header.sequence);
                if newer && header.sequence <= highest && header.version == VERSION {
                    newest = Some((place, header));
                }
                place = place.after(header.pages());
            }
        }
        newest
    }

    /// The header at a place, if one stands there.
    fn header(&mut self, place: Place) -> Option<Header> {
        let mut bytes = [0; HEADER_LENGTH];
        self.flash.read(place.offset(), &mut bytes);
        Header::parse(&bytes)
    }

    fn is_whole(&mut self, place: Place, header: &Header) -> bool {
        let mut digest = header.digest();
        self.pieces(place.offset() + HEADER_LENGTH as u32, header.length(), |piece| {
            digest.update(piece);
            true
        }) && header.is(digest)
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
            self.flash.read(offset + at as u32, part);
            always = seen(part);
            at += part.len();
        }
        wipe(&mut piece);
        always
    }

    /// One attempt. After [`FlashError::Failed`] the cursor is in the sector to blame.
    fn try_save(&mut self, payload: &[u8]) -> Result<(), FlashError> {
        let pages = pages(payload.len());
        let place = self.room(pages)?;
        // `save` sees to it that there is another number.
        self.sequence = self.sequence.saturating_add(1);
        let header = Header::new(self.sequence, payload);
        let mut page = [0; PAGE_LENGTH];
        let mut result = Ok(());
        for number in 0..pages {
            header.page(payload, number, &mut page);
            let offset = place.after(number).offset();
            result = self.flash.program(offset, &page);
            // What fills the last page does not matter: a record that is told not to be there must not turn up whole.
            let left = HEADER_LENGTH + payload.len() - usize::from(number) * PAGE_LENGTH;
            if result.is_ok() && !self.holds(offset, page.get(..left).unwrap_or(&page)) {
                result = Err(FlashError::Failed);
            }
            if result.is_err() {
                break;
            }
        }
        wipe(&mut page);
        if result.is_ok() {
            self.newest = Some((place, header));
            self.cursor = place.after(pages);
        }
        result
    }

    fn holds(&mut self, offset: u32, bytes: &[u8]) -> bool {
        let mut expected = bytes.chunks(PIECE);
        self.pieces(offset, bytes.len(), |piece| expected.next() == Some(piece))
    }

    /// Finds blank pages, in a new sector where the present one has none left, and leaves the cursor at them.
    fn room(&mut self, pages: u8) -> Result<Place, FlashError> {
        if self.retired & bit(self.cursor.sector) == 0 {
            while self.cursor.page + pages <= PAGES {
                // As `open` walks, which steps over what a header says is a record.
                let step = self.header(self.cursor).map(|header| header.pages());
                if step.is_none() && self.is_blank(self.cursor, pages) {
                    return Ok(self.cursor);
                }
                self.cursor = self.cursor.after(step.unwrap_or(1));
            }
        }
        let newest = self.newest.as_ref().map_or(0, |(place, _)| bit(place.sector));
        let mut sector = self.cursor.sector;
        for _ in 0..self.sectors {
            sector = if sector + 1 < self.sectors { sector + 1 } else { 0 };
            if (self.retired | newest) & bit(sector) == 0 {
                break;
            }
        }
        self.flash.erase(Place { sector, page: 0 }.offset()).inspect_err(|error| {
            // The one to blame.
            if *error == FlashError::Failed {
                self.cursor = Place { sector, page: PAGES };
            }
        })?;
        self.cursor = Place { sector, page: 0 };
        if self.is_blank(self.cursor, PAGES) { Ok(self.cursor) } else { Err(FlashError::Failed) }
    }
}

fn bit(sector: u8) -> u32 {
    1 << (sector % 32)
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

    fn health(&self) -> Health {
        Self::health(self)
    }
}
