//! What is put before the judge: the store, and a far simpler one that can be right or wrong on purpose.

use super::nor::Nor;
use picovd::settings::{FlashError, PAGE_LENGTH, SECTOR_LENGTH, SaveError, Store};

/// A store of one payload.
pub trait Subject {
    fn open(flash: Nor, sectors: u8) -> Self;
    fn load(&mut self) -> Option<Vec<u8>>;
    fn save(&mut self, payload: &[u8]) -> Result<(), SaveError>;
    fn claim(&mut self) {}
    fn retired(&self) -> u8;
    fn flash(self) -> Nor;
    /// The longest payload that it takes.
    fn most() -> usize;
}

impl Subject for Store<Nor> {
    fn open(flash: Nor, sectors: u8) -> Self {
        let start = flash.start as u32;
        Self::open(flash, start, sectors)
    }

    fn load(&mut self) -> Option<Vec<u8>> {
        let mut out = vec![0xA5; Self::most()];
        let length = self.load(&mut out)?;
        out.truncate(length);
        Some(out)
    }

    fn save(&mut self, payload: &[u8]) -> Result<(), SaveError> {
        self.save(payload)
    }

    fn claim(&mut self) {
        self.claim();
    }

    fn retired(&self) -> u8 {
        self.health().retired
    }

    fn flash(self) -> Nor {
        self.into_flash()
    }

    fn most() -> usize {
        picovd::settings::MAX_PAYLOAD
    }
}

/// A store that erases a sector for every save, the one after the newest record's. `DEFECT` plants a mistake into it.
pub struct Simple<const DEFECT: u8> {
    flash: Nor,
    sectors: u8,
    newest: Option<(u8, u32, usize)>,
}

/// No mistake.
pub const RIGHT: u8 = 0;
/// The newest record's own sector is erased.
pub const ERASES_THE_NEWEST: u8 = 1;
/// A record is believed without its sum.
pub const BELIEVES_ANYTHING: u8 = 2;
/// The oldest record is taken for the newest.
pub const TAKES_THE_OLDEST: u8 = 3;
/// Nothing is read back.
pub const DOES_NOT_VERIFY: u8 = 4;
/// The sum leaves out the last page.
pub const SUMS_TOO_LITTLE: u8 = 5;

impl<const DEFECT: u8> Simple<DEFECT> {
    /// FNV-1a with 64 bits, of number, length and payload.
    fn sum(number: u32, payload: &[u8]) -> u64 {
        let summed = match DEFECT {
            SUMS_TOO_LITTLE => &payload[..payload.len() / 2],
            _ => payload,
        };
        let length = (payload.len() as u32).to_le_bytes();
        let bytes = number.to_le_bytes().into_iter().chain(length).chain(summed.iter().copied());
        bytes.fold(0xCBF2_9CE4_8422_2325, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3))
    }

    fn record(&mut self, sector: u8) -> Option<(u32, Vec<u8>)> {
        let mut head = [0; 16];
        let at = u32::from(sector) * SECTOR_LENGTH;
        self.flash.read(at, &mut head);
        let number = u32::from_le_bytes(head[..4].try_into().unwrap());
        let length = u32::from_le_bytes(head[4..8].try_into().unwrap()) as usize;
        if length > Self::most() || number == 0 {
            return None;
        }
        let mut payload = vec![0; length];
        self.flash.read(at + 16, &mut payload);
        let right = head[8..] == Self::sum(number, &payload).to_le_bytes();
        (right || DEFECT == BELIEVES_ANYTHING).then_some((number, payload))
    }
}

impl<const DEFECT: u8> Subject for Simple<DEFECT> {
    fn open(flash: Nor, sectors: u8) -> Self {
        let mut store = Self { flash, sectors, newest: None };
        for sector in 0..sectors {
            let Some((number, payload)) = store.record(sector) else { continue };
            let better = store.newest.is_none_or(|(_, best, _)| (number > best) != (DEFECT == TAKES_THE_OLDEST));
            if better {
                store.newest = Some((sector, number, payload.len()));
            }
        }
        store
    }

    fn load(&mut self) -> Option<Vec<u8>> {
        let (sector, _, length) = self.newest?;
        let mut payload = vec![0; length];
        self.flash.read(u32::from(sector) * SECTOR_LENGTH + 16, &mut payload);
        Some(payload)
    }

    fn save(&mut self, payload: &[u8]) -> Result<(), SaveError> {
        let (place, number) = self.newest.map_or((0, 1), |(sector, number, _)| (sector, number + 1));
        let mut bytes = [number.to_le_bytes(), (payload.len() as u32).to_le_bytes()].concat();
        bytes.extend(Self::sum(number, payload).to_le_bytes());
        bytes.extend(payload);
        let first = u8::from(DEFECT != ERASES_THE_NEWEST);
        // A sector that does not take the record is tried again at the next save: it is not this one's business.
        for step in first..self.sectors {
            let sector = (place + step) % self.sectors;
            let at = u32::from(sector) * SECTOR_LENGTH;
            let erased = self.flash.erase(at);
            let mut refused = erased.err();
            let written = erased.is_ok()
                && bytes.chunks(PAGE_LENGTH).zip(0u32..).all(|(chunk, n)| {
                    let mut page = [0xFF; PAGE_LENGTH];
                    page[..chunk.len()].copy_from_slice(chunk);
                    let mut seen = [0; PAGE_LENGTH];
                    // Where a former bit is still there, the chip would stop the test.
                    self.flash.read(at + n * PAGE_LENGTH as u32, &mut seen);
                    let blank = seen.iter().all(|byte| *byte == 0xFF);
                    let done = blank && {
                        let done = self.flash.program(at + n * PAGE_LENGTH as u32, &page);
                        refused = done.err();
                        done.is_ok()
                    };
                    self.flash.read(at + n * PAGE_LENGTH as u32, &mut seen);
                    done && (seen[..chunk.len()] == *chunk || DEFECT == DOES_NOT_VERIFY)
                });
            match refused {
                Some(FlashError::OtherCore) => return Err(SaveError::OtherCore),
                Some(FlashError::Refused) => return Err(SaveError::Refused),
                _ => {}
            }
            if written {
                self.newest = Some((sector, number, payload.len()));
                return Ok(());
            }
        }
        Err(SaveError::WornOut)
    }

    fn retired(&self) -> u8 {
        0
    }

    fn flash(self) -> Nor {
        self.flash
    }

    fn most() -> usize {
        SECTOR_LENGTH as usize - 16
    }
}
