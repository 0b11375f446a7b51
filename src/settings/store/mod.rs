//! The store: one payload, kept as records that are appended through all pages of all sectors.
//!
//! A record is written after the last one, or, if there is no room left in its sector, to the start of the next sector,
//! which is erased only then; the first sector follows the last. So:
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
//! What was written is read back. A sector that cannot be erased, or does not contain what was programmed, is not used
//! until the next start; its records are still read. A payload that is saved already is not written again.
//!
//! # Cells between the thresholds
//!
//! An operation that a power cut interrupts leaves bits that read differently each time ([`Flash`] describes the model). A
//! record that was cut short may read as complete once, and as torn at the next start. Therefore two seals in its header
//! decide, not its checksum: the first is cleared after the whole record was written and read back, the second after the
//! first. A save is acknowledged after the second one was read back.
//!
//! - The newest record with a seal cleared is the one that was saved. Since a seal is cleared only after the record is complete,
//!   its bytes are stable. With both cleared, the first is stable, too: every start finds the record.
//! - With only the first seal cleared, the next start may find none. This one writes the record again before it is
//!   used, with a number above all others, and leaves the old one unchanged: what that reads as does not matter any more. The
//!   new one is written to a sector that contains neither this record nor the previous one, or else to blank pages after one of
//!   them.
//! - A start that finds a newer record without a seal overwrites it, except for the seals, before anything is used. If its
//!   sector does not accept that, it writes the valid record again, as above.
//!
//! So the answer is the old payload or the new one, complete, and the same at every later start, however many of them are
//! cut short as well, and whichever sector wears out meanwhile, as long as one accepts what is written. If none does, a
//! start may find either of the two until a save is acknowledged, and a save is an error, even one of what is there
//! already. If no save was cut short, a start writes nothing. The bytes that are returned are the bytes that were checked:
//! they are read once.
//!
//! # Ownership of sectors
//!
//! Nothing that is not the store's is erased. A sector that is not blank and does not start with a record is foreign, and
//! the answer is [`SaveError::Occupied`] until [`Storage::claim`] takes it. Each record names the store's sectors, so that
//! an interrupted erase does not make one foreign; before the first record, a record without payload does that.
//!
//! If the sectors contain no record, or one of another `[settings]`, the newest record is searched in the rest of flash. It
//! moves into the sectors when it is loaded, and then its old locations are overwritten with zeros, erased, and forgotten,
//! in this order: a power cut leaves something that the next start finds, or nothing readable. Only sectors that start with
//! a record which says that they were the store's are erased, so a copy of them in another file is not.
//!
//! Opening a store only reads its own sectors, and writes nothing. The first load, save or claim searches elsewhere if
//! necessary, and settles what a power cut has left.
//!
//! Records of another version of the format are skipped, and are lost only when their sector is erased in turn.

mod append;
mod erase;
mod open;
mod pages;
mod settle;

use super::foreign::Contents;
use super::nor::{Flash, FlashError, PAGE_LENGTH, SECTOR_LENGTH};
use super::record::{EXTENTS_LENGTH, Extent, Extents, HEADER_LENGTH, Header};
use core::fmt;
use pages::{PageAddress, wipe};

/// Maximum length of a payload in bytes. The longest takes five pages.
pub const MAX_PAYLOAD: usize = 1008;
const _: () = assert!(HEADER_LENGTH + EXTENTS_LENGTH + MAX_PAYLOAD <= 5 * PAGE_LENGTH);

/// Maximum number of sectors that a store uses.
pub const MAX_SECTORS: u8 = 32;

/// How often a record's bytes are read before it counts as worn.
const READS: u8 = 3;

/// Why settings were not saved. Those saved before are unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SaveError {
    /// The payload is longer than [`MAX_PAYLOAD`]: the application must use less.
    TooLong,
    /// Fewer than two sectors can still be written.
    WornOut,
    /// There is nowhere to save them: the manifest has no settings' sectors, or the program runs from SRAM.
    Volatile,
    /// The second core runs and did not park: see `rp2350::park`. Try again. If all but the last step was done, the next
    /// start finds the new values, unless something was saved since.
    OtherCore,
    /// The flash's partition table does not allow the program to write there, or flash is smaller than the manifest says.
    Refused,
    /// The sectors contain something that is not the store's: see [`Storage::claim`].
    Occupied(Contents),
    /// Erases wear out flash, and there were too many in a short time. A [`Store`] itself does not measure time, and never
    /// returns this.
    TooOften,
}

impl SaveError {
    /// What [`Display`](fmt::Display) writes, without `core::fmt`'s code.
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::TooLong => "not saved: too many bytes",
            Self::WornOut => "not saved: the flash is worn out",
            Self::Volatile => "not saved: there is no flash for settings",
            Self::OtherCore => "not saved: the second core did not stop, try again",
            Self::Refused => "not saved: the partition table forbids it",
            // A save that claims the sectors would erase it.
            Self::Occupied(Contents::Littlefs) => "occupied by a littlefs, the files of MicroPython or Arduino-Pico",
            Self::Occupied(Contents::Fat) => "occupied by a FAT volume",
            Self::Occupied(Contents::Uf2) => "occupied by a UF2 file",
            Self::Occupied(Contents::Elf) => "occupied by an ELF file",
            Self::Occupied(Contents::Program) => "occupied by a program",
            Self::Occupied(Contents::Unknown) => "occupied by something unknown",
            Self::TooOften => "not saved: too many saves wear the flash out",
        }
    }
}

impl fmt::Display for SaveError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.words())
    }
}

impl core::error::Error for SaveError {}

/// The state of the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Number of sectors.
    pub sectors: u8,
    /// How many of them were taken out of use since the start because writing to them failed.
    pub retired: u8,
    /// Number of the newest record: the higher, the newer, modulo 2^32. A start skips a number. `None`: nothing was ever
    /// saved.
    pub sequence: Option<u32>,
    /// The foreign contents of the sectors. `None`: it can save, or nothing was loaded, saved or claimed yet.
    pub occupied: Option<Contents>,
    /// Number of erases since the start.
    pub erases: u32,
}

/// A store in any kind of flash.
pub trait Storage {
    /// Copies the payload that was saved last. Returns its length; `None` if nothing was saved, or if `out` is too short.
    fn load(&mut self, out: &mut [u8]) -> Option<usize>;

    /// Saves a payload, which replaces the last one.
    ///
    /// # Errors
    ///
    /// Why it was not saved; the last one is unchanged.
    fn save(&mut self, payload: &[u8]) -> Result<(), SaveError>;

    /// Takes the sectors for the store, whatever they contain: that is lost with the next saves.
    fn claim(&mut self) {}

    /// The state of the store.
    fn health(&self) -> Health;
}

/// No store: nothing to load, nowhere to save.
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

/// The record that was saved last.
#[derive(Clone, Copy, Debug)]
struct Newest {
    address: PageAddress,
    header: Header,
    extents: Extents,
}

/// Settings in flash.
#[derive(Debug)]
pub struct Store<F> {
    flash: F,
    /// Where the store's sectors start, in bytes from the start of flash. Offsets are relative to this, modulo 2^32:
    /// locations before it have large ones.
    start: u32,
    sectors: u8,
    /// A bit for each sector that is out of use.
    retired: u32,
    newest: Option<Newest>,
    /// The highest sequence number that was ever used, as far as known.
    sequence: Option<u32>,
    /// Distance from that number to the next one.
    step: u32,
    /// Where the next record goes: in a sector that was completely erased since the start.
    cursor: PageAddress,
    /// The sectors that a record without payload claims.
    claimed: Extent,
    /// Sectors where former settings may have left records.
    left: Extent,
    /// The foreign contents of the sectors.
    occupied: Option<Contents>,
    /// Number of erases since the start.
    erases: u32,
    /// Whether the contents of other sectors are known.
    surveyed: bool,
    /// Whether the next start may find another record than the newest: one whose first seal was begun, but that was not
    /// acknowledged.
    doubt: bool,
}

impl<F: Flash> Store<F> {
    /// Copies the payload that was saved last. Returns its length; `None` if nothing was saved, or if `out` is too short.
    pub fn load(&mut self, out: &mut [u8]) -> Option<usize> {
        self.survey();
        let mut settled = false;
        while let Some(Newest { address, header, .. }) = self.newest {
            let (before, length) = header.split()?;
            let payload = out.get_mut(..length)?;
            for _ in 0..READS {
                // Read once: the bytes that are returned are those that are checked.
                let mut digest = header.digest();
                let mut extents = [0; EXTENTS_LENGTH];
                let extents = extents.get_mut(..before).unwrap_or_default();
                let at = address.offset().wrapping_add(HEADER_LENGTH as u32);
                self.read(at, extents);
                self.read(at.wrapping_add(before as u32), payload);
                digest.update(extents);
                digest.update(payload);
                if header.is(digest) {
                    header.restore(before, payload);
                    if !self.is_own(address) && self.occupied.is_none() {
                        // If it cannot be moved now, the next start tries again.
                        let _ = self.save(payload);
                    }
                    return Some(length);
                }
            }
            wipe(payload);
            // Worn. What was saved before it is better than nothing, and must be the answer from now on.
            self.newest = None;
            self.look(Some(header.sequence));
            if !core::mem::replace(&mut settled, true) {
                self.settle();
            }
        }
        None
    }

    /// Saves a payload, which replaces the last one. Takes up to 400 ms if a sector has to be erased: once in 3 to 16
    /// saves, and after each start. What is saved already is not written again.
    ///
    /// # Errors
    ///
    /// Why it was not saved; the last one is unchanged.
    pub fn save(&mut self, payload: &[u8]) -> Result<(), SaveError> {
        if payload.len() > MAX_PAYLOAD {
            return Err(SaveError::TooLong);
        }
        if self.sectors == 0 {
            return Err(SaveError::Volatile);
        }
        self.survey();
        if let Some(contents) = self.occupied {
            return Err(SaveError::Occupied(contents));
        }
        if self.has(payload) {
            return Ok(());
        }
        // Every round except the last takes a sector out of use.
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

    /// Takes the sectors, whatever they contain: that is lost with the next saves. Writes no more than [`load`](Self::load)
    /// does.
    pub fn claim(&mut self) {
        self.survey();
        self.occupied = None;
    }

    /// The state of the store.
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

    /// Returns the flash.
    #[must_use]
    pub fn into_flash(self) -> F {
        self.flash
    }

    fn usable(&self) -> u32 {
        u32::from(self.sectors).saturating_sub(self.retired.count_ones())
    }

    /// A sector's bit; 0 if it is not the store's.
    fn bit(&self, sector: u32) -> u32 {
        let number = sector / SECTOR_LENGTH;
        if number < self.sectors.into() { 1 << (number % 32) } else { 0 }
    }

    fn is_own(&self, address: PageAddress) -> bool {
        self.bit(address.sector) != 0
    }

    /// The number of a sector, counted from the start of flash.
    fn number(&self, sector: u32) -> u32 {
        self.start.wrapping_add(sector) / SECTOR_LENGTH
    }

    /// The store's sectors.
    fn own(&self) -> Extent {
        Extent { first: (self.start / SECTOR_LENGTH) as u16, count: self.sectors }
    }

    /// The sectors that the next record names.
    fn extents(&self) -> Extents {
        Extents { own: self.own(), left: self.left }
    }

    /// The offset of the sector with that number.
    fn offset(&self, number: u32) -> u32 {
        number.wrapping_mul(SECTOR_LENGTH).wrapping_sub(self.start)
    }
}

impl<F: Flash> Storage for Store<F> {
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
