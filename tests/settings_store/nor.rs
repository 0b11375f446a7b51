//! A strict NOR flash: it stops the test at everything that a chip would not do or would do wrong, counts, loses power at any
//! byte of any operation, and has sectors that wear out.
//!
//! With `unstable`, an operation that loses its power leaves bits between the thresholds: some read differently each time, some
//! differently after each start. They stay so until an operation that changes them ends.

use picovd::settings::nor_flash::{ErrorType, MultiwriteNorFlash, NorFlash, ReadNorFlash};
use picovd::settings::{FlashError, PAGE_LENGTH, SECTOR_LENGTH};
use picovd_sim::random::Random;

const SECTOR: usize = SECTOR_LENGTH as usize;

/// When power fails.
#[derive(Clone, Copy, Debug)]
pub struct Cut {
    /// Operations until then; 0 fails the next one.
    pub after: u64,
    /// In a program operation: the byte at which it fails, up to 256 for "just done", or from 257 on one of the ways in which
    /// all of its bits are on their way. In an erase: the way in which it fails.
    pub at: usize,
    /// For the bits that a failing operation leaves in any state.
    pub seed: u64,
}

/// Ways in which an erase may fail.
pub const ERASE_CUTS: usize = 10;
/// What is less than `at` of every cut.
pub const CUTS: usize = PAGE_LENGTH + 5;

/// What is wrong with a sector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defect {
    /// An erase says that it failed, and does nothing.
    EraseFails,
    /// An erase leaves a bit as it was programmed, and says nothing.
    EraseLeaves,
    /// A program operation says that it failed, and does nothing.
    ProgramFails,
    /// A bit cannot be programmed, and nothing is said.
    ProgramLeaves,
    /// A bit falls that was to stay, and nothing is said.
    ProgramClears,
}

impl Defect {
    pub const ALL: [Self; 5] =
        [Self::EraseFails, Self::EraseLeaves, Self::ProgramFails, Self::ProgramLeaves, Self::ProgramClears];
}

/// The chip.
#[derive(Clone, Debug)]
pub struct Nor {
    pub data: Vec<u8>,
    pub erases: Vec<u64>,
    pub operations: u64,
    pub cut: Option<Cut>,
    pub defects: Vec<Option<Defect>>,
    /// Power failed: nothing works until [`Nor::power_on`].
    pub dead: bool,
    /// What every operation answers, where it is refused before it begins.
    pub refuses: Option<FlashError>,
    /// Operations until some are refused, how many of them, and with what.
    pub refusals: Option<(u64, u64, FlashError)>,
    /// Whether what a cut leaves may be unstable.
    pub unstable: bool,
    /// Bytes that were read.
    pub reads: u64,
    /// Where in the chip the sectors begin; the chip ends with `data`.
    pub start: usize,
    /// Whether something outside of the sectors may be read and written.
    pub whole_chip: bool,
    /// So many sectors may be read, and nothing else in the chip.
    pub fence: Option<usize>,
    /// Whether every read fails.
    pub unreadable: bool,
    /// Bits that read differently each time, and those that do after each start.
    flickers: Vec<u8>,
    drifts: Vec<u8>,
    /// Whether a sector has such bits.
    noisy: Vec<bool>,
    /// Drawn from at each read: what a bit is depends on all reads before it, so a test cannot draw it in advance.
    noise: Random,
}

impl Nor {
    /// A chip of rubbish, as a former use of the sectors may have left it.
    pub fn new(sectors: u8, seed: u64) -> Self {
        let sectors = usize::from(sectors);
        let mut noise = Random::new(seed);
        let mut data = vec![0xFF; sectors * SECTOR];
        if seed & 1 != 0 {
            noise.fill(&mut data);
        }
        Self {
            data,
            erases: vec![0; sectors],
            operations: 0,
            cut: None,
            defects: vec![None; sectors],
            dead: false,
            refuses: None,
            refusals: None,
            unstable: false,
            reads: 0,
            start: 0,
            whole_chip: false,
            fence: None,
            unreadable: false,
            flickers: vec![0; sectors * SECTOR],
            drifts: vec![0; sectors * SECTOR],
            noisy: vec![false; sectors],
            noise,
        }
    }

    /// The same chip, its settings in other sectors: from number `first` on.
    pub fn moved_to(mut self, first: usize) -> Self {
        (self.start, self.whole_chip) = (first * SECTOR, true);
        self
    }

    /// The place of so many bytes at an offset.
    fn place(&self, offset: u32, length: usize) -> usize {
        let at = (self.start as u32).wrapping_add(offset) as usize;
        let begins = if self.whole_chip && self.fence.is_none() { 0 } else { self.start };
        let ends = self.fence.map_or(self.data.len(), |sectors| self.start + sectors * SECTOR);
        assert!(at >= begins && at + length <= ends, "{length} bytes at {offset:#x}: outside of the sectors");
        at
    }

    /// Whether so many pages at the end of a sector are blank and stay so.
    pub fn has_room(&self, sector: usize, pages: usize) -> bool {
        let end = self.start + (sector + 1) * SECTOR;
        let room = end - pages * PAGE_LENGTH..end;
        let is_steady = |at| self.data[at] == 0xFF && self.flickers[at] | self.drifts[at] == 0;
        room.into_iter().all(is_steady)
    }

    /// Power comes back.
    pub fn power_on(&mut self) {
        self.dead = false;
        self.cut = None;
        self.refusals = None;
        for sector in (0..self.noisy.len()).filter(|sector| self.noisy[*sector]) {
            for at in sector * SECTOR..(sector + 1) * SECTOR {
                if self.drifts[at] != 0 {
                    self.data[at] ^= self.noise.next_u64() as u8 & self.drifts[at];
                }
            }
        }
    }

    /// Makes bits of a byte unstable: some of `mask`, in one way or the other.
    fn shake(&mut self, at: usize, mask: u8, random: &mut Random) {
        let [flickers, drifts, value, ..] = random.next_u64().to_le_bytes();
        self.flickers[at] |= mask & flickers;
        self.drifts[at] |= mask & drifts & !flickers;
        self.data[at] ^= mask & value;
        self.noisy[at / SECTOR] = true;
    }

    /// Leaves a page as a program operation that lost its power may. Bits whose data is 1 stay.
    fn interrupt_program(&mut self, at: usize, page: &[u8; PAGE_LENGTH], cut: Cut) {
        let mut random = Random::new(cut.seed);
        for (n, new) in page.iter().enumerate() {
            let falls = self.data[at + n] & !new;
            // Which bits are changed, and which are on their way.
            let (done, shaken) = match cut.at {
                257 => (0, random.next_u64() as u8),
                // Almost begun, almost done.
                258 => (0, u8::from(random.below(40) == 0) << random.below(8)),
                259 => (0xFF, u8::from(random.below(40) == 0) << random.below(8)),
                260.. => {
                    let done = random.next_u64() as u8;
                    (done, !done & random.next_u64() as u8)
                }
                _ if n < cut.at => (0xFF, 0),
                _ if n == cut.at => (random.next_u64() as u8, 0xFF),
                _ => (0, 0),
            };
            self.data[at + n] &= !(falls & done);
            if self.unstable {
                self.shake(at + n, falls & shaken, &mut random);
            }
        }
    }

    /// Leaves a sector as an erase that lost its power may.
    fn interrupt_erase(&mut self, at: usize, cut: Cut) {
        let sector = &mut self.data[at..at + SECTOR];
        let mut random = Random::new(cut.seed);
        let place = random.below(SECTOR_LENGTH) as usize;
        let mut noise = vec![0; sector.len()];
        random.fill(&mut noise);
        match cut.at % ERASE_CUTS {
            // Not begun; done, but for what cannot be seen.
            0 => {}
            1 => sector.fill(0xFF),
            // From one end, or from the other.
            2 => sector[..place].fill(0xFF),
            3 => sector[place..].fill(0xFF),
            // Some bits have risen.
            4 | 7 => sector.iter_mut().zip(noise).for_each(|(byte, noise)| *byte |= noise),
            // A single bit has.
            5 => sector[place] |= 1 << (cut.seed % 8),
            // Anything at all: the chip programs a sector before it erases it.
            6 | 8 => sector.copy_from_slice(&noise),
            // All bits were programmed.
            _ => sector.fill(0),
        }
        if self.unstable {
            let all = cut.at % ERASE_CUTS >= 6;
            for n in 0..SECTOR {
                if all || random.below(200) == 0 {
                    self.shake(at + n, 0xFF, &mut random);
                }
            }
        }
    }

    /// Whether an operation is refused.
    fn refusal(&mut self) -> Option<FlashError> {
        match &mut self.refusals {
            Some((0, 0, _)) | None => self.refuses,
            Some((0, left, error)) => {
                *left -= 1;
                Some(*error)
            }
            Some((after, ..)) => {
                *after -= 1;
                self.refuses
            }
        }
    }

    /// Counts an operation. The cut, if this is the one that fails.
    fn begin(&mut self) -> Option<Cut> {
        self.operations += 1;
        match &mut self.cut {
            Some(cut) if cut.after == 0 => {
                self.dead = true;
                self.cut.take()
            }
            Some(cut) => {
                cut.after -= 1;
                None
            }
            None => None,
        }
    }
}

/// By offset from the first of the sectors.
impl Nor {
    pub fn read(&mut self, offset: u32, out: &mut [u8]) {
        let at = self.place(offset, out.len());
        self.reads += out.len() as u64;
        out.copy_from_slice(&self.data[at..at + out.len()]);
        if self.noisy[at / SECTOR] {
            for (byte, flickers) in out.iter_mut().zip(&self.flickers[at..]).filter(|(_, flickers)| **flickers != 0) {
                *byte ^= self.noise.next_u64() as u8 & flickers;
            }
        }
    }

    pub fn erase(&mut self, offset: u32) -> Result<(), FlashError> {
        if let Some(error) = self.refusal() {
            return Err(error);
        }
        if self.dead {
            return Err(FlashError::Failed);
        }
        let at = self.place(offset, SECTOR);
        assert!(at.is_multiple_of(SECTOR), "erase at {offset:#x}, not on a sector");
        let cut = self.begin();
        let number = at / SECTOR;
        self.erases[number] += 1;
        if let Some(cut) = cut {
            self.interrupt_erase(at, cut);
            return Err(FlashError::Failed);
        }
        let sector = &mut self.data[at..at + SECTOR];
        if self.defects[number] != Some(Defect::EraseFails) {
            self.flickers[at..at + SECTOR].fill(0);
            self.drifts[at..at + SECTOR].fill(0);
            self.noisy[number] = false;
        }
        match self.defects[number] {
            Some(Defect::EraseFails) => return Err(FlashError::Failed),
            Some(Defect::EraseLeaves) => {
                sector.fill(0xFF);
                sector[self.noise.below(SECTOR_LENGTH) as usize] &= !(1 << self.noise.below(8));
            }
            _ => sector.fill(0xFF),
        }
        Ok(())
    }

    pub fn program(&mut self, offset: u32, page: &[u8; PAGE_LENGTH]) -> Result<(), FlashError> {
        if let Some(error) = self.refusal() {
            return Err(error);
        }
        if self.dead {
            return Err(FlashError::Failed);
        }
        let at = self.place(offset, PAGE_LENGTH);
        assert!(at.is_multiple_of(PAGE_LENGTH), "program at {offset:#x}, not on a page");
        let cut = self.begin();
        let wrong =
            (at..).zip(page).position(|(at, new)| !(self.data[at] | self.flickers[at] | self.drifts[at]) & new != 0);
        assert_eq!(wrong, None, "program at {offset:#x} asks a 0 to become 1");
        if let Some(cut) = cut {
            self.interrupt_program(at, page, cut);
            return Err(FlashError::Failed);
        }
        let defect = self.defects[at / SECTOR];
        if defect == Some(Defect::ProgramFails) {
            return Err(FlashError::Failed);
        }
        for (at, new) in (at..).zip(page) {
            self.data[at] &= new;
            self.flickers[at] &= new;
            self.drifts[at] &= new;
        }
        let room = &mut self.data[at..at + PAGE_LENGTH];
        let (byte, bit) = (self.noise.below(PAGE_LENGTH as u32) as usize, 1 << self.noise.below(8));
        match defect {
            Some(Defect::ProgramLeaves) => room[byte] |= bit,
            Some(Defect::ProgramClears) => room[byte] &= !bit,
            _ => {}
        }
        Ok(())
    }
}

/// By address.
impl ErrorType for Nor {
    type Error = FlashError;
}

impl ReadNorFlash for Nor {
    const READ_SIZE: usize = 1;

    fn read(&mut self, address: u32, out: &mut [u8]) -> Result<(), FlashError> {
        if self.unreadable {
            return Err(FlashError::Refused);
        }
        self.read(address.wrapping_sub(self.start as u32), out);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.data.len()
    }
}

impl NorFlash for Nor {
    const WRITE_SIZE: usize = PAGE_LENGTH;
    const ERASE_SIZE: usize = SECTOR_LENGTH as usize;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), FlashError> {
        assert_eq!(to - from, SECTOR_LENGTH, "an erase at {from:#x} that is not one sector");
        self.erase(from.wrapping_sub(self.start as u32))
    }

    fn write(&mut self, address: u32, page: &[u8]) -> Result<(), FlashError> {
        let page = page.try_into().expect("a write is a page long");
        self.program(address.wrapping_sub(self.start as u32), page)
    }
}

impl MultiwriteNorFlash for Nor {}
