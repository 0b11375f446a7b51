//! A strict NOR flash: it stops the test at everything that a chip would not do or would do wrong, counts, loses power at any
//! byte of any operation, and has sectors that wear out.

use picovd::settings::{FlashError, NorFlash, PAGE_LENGTH, SECTOR_LENGTH};
use picovd_sim::random::Random;

const SECTOR: usize = SECTOR_LENGTH as usize;

/// When power fails.
#[derive(Clone, Copy, Debug)]
pub struct Cut {
    /// Operations until then; 0 fails the next one.
    pub after: u64,
    /// In a program operation: the byte at which it fails, up to 256 for "just done". In an erase: the way in which it fails.
    pub at: usize,
    /// For the bits that a failing operation leaves in any state.
    pub seed: u64,
}

/// Ways in which an erase may fail.
pub const ERASE_CUTS: usize = 7;

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
            noise,
        }
    }

    /// Power comes back.
    pub fn power_on(&mut self) {
        self.dead = false;
        self.cut = None;
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

impl NorFlash for Nor {
    fn read(&mut self, offset: u32, out: &mut [u8]) {
        let at = offset as usize;
        out.copy_from_slice(&self.data[at..at + out.len()]);
    }

    fn erase(&mut self, offset: u32) -> Result<(), FlashError> {
        if let Some(error) = self.refuses {
            return Err(error);
        }
        if self.dead {
            return Err(FlashError::Failed);
        }
        let at = offset as usize;
        assert!(at.is_multiple_of(SECTOR), "erase at {offset:#x}, not on a sector");
        let cut = self.begin();
        let number = at / SECTOR;
        let sector = &mut self.data[at..at + SECTOR];
        self.erases[number] += 1;
        if let Some(cut) = cut {
            interrupt_erase(sector, cut);
            return Err(FlashError::Failed);
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

    fn program(&mut self, offset: u32, page: &[u8; PAGE_LENGTH]) -> Result<(), FlashError> {
        if let Some(error) = self.refuses {
            return Err(error);
        }
        if self.dead {
            return Err(FlashError::Failed);
        }
        let at = offset as usize;
        assert!(at.is_multiple_of(PAGE_LENGTH), "program at {offset:#x}, not on a page");
        let cut = self.begin();
        let room = &mut self.data[at..at + PAGE_LENGTH];
        let wrong = room.iter().zip(page).position(|(old, new)| !old & new != 0);
        assert_eq!(wrong, None, "program at {offset:#x} asks a 0 to become 1");
        if let Some(cut) = cut {
            room[..cut.at].copy_from_slice(&page[..cut.at]);
            if let Some(byte) = room.get_mut(cut.at) {
                *byte = Random::new(cut.seed).next_u64() as u8;
            }
            return Err(FlashError::Failed);
        }
        let defect = self.defects[at / SECTOR];
        if defect == Some(Defect::ProgramFails) {
            return Err(FlashError::Failed);
        }
        room.copy_from_slice(page);
        let (byte, bit) = (self.noise.below(PAGE_LENGTH as u32) as usize, 1 << self.noise.below(8));
        match defect {
            Some(Defect::ProgramLeaves) => room[byte] |= bit,
            Some(Defect::ProgramClears) => room[byte] &= !bit,
            _ => {}
        }
        Ok(())
    }
}

/// Leaves a sector as an erase that lost its power may.
fn interrupt_erase(sector: &mut [u8], cut: Cut) {
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
        4 => sector.iter_mut().zip(noise).for_each(|(byte, noise)| *byte |= noise),
        // A single bit has.
        5 => sector[place] |= 1 << (cut.seed % 8),
        // Anything at all.
        _ => sector.copy_from_slice(&noise),
    }
}
