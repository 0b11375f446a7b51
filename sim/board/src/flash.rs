//! A strict NOR flash chip: erase sets whole 4 KiB sectors to ones, programming clears bits of a 256-byte page.
//!
//! Stricter than the chip: programming must not change a 0 to 1, and nothing may be unaligned or extend beyond the end.
//! Every operation is counted, and power may fail at any of them. The result may be unstable: bits that read differently
//! each time, or after each power-on, until an operation that changes them completes.
//! each time, or after each power-on, until an operation that changes them ends.

use picovd_wire::random::Random;
use std::collections::BTreeMap;
use std::fmt;

/// Bytes that an erase sets to ones.
pub const SECTOR: usize = 4096;
/// Number of bytes that one program operation covers.
pub const PAGE: usize = 256;

/// When power fails, and what the interrupted operation leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PowerCut {
    /// Number of operations until then; 0 fails the next one.
    pub after: u64,
    /// How far the failing operation gets.
    pub torn: Torn,
}

/// How far an operation gets when power fails during it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Torn {
    /// Nothing of it is done.
    Before,
    /// This many bytes are programmed or erased, up to all of them; the next one is in any state.
    At(usize),
    /// An erase leaves bits in any state all over the sector. A program operation gets half-way.
    Anyhow,
    /// Every bit that the operation changes is unchanged, changed or unstable, depending on the seed.
    Unstable(u64),
}

/// Why an operation was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FlashFault {
    /// The caller violated a rule.
    Misuse(String),
    /// Power failed.
    PowerCut,
}

impl fmt::Display for FlashFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Misuse(rule) => f.write_str(rule),
            Self::PowerCut => f.write_str("power failed"),
        }
    }
}

impl std::error::Error for FlashFault {}

/// The chip.
#[derive(Clone, Debug)]
pub struct Flash {
    data: Vec<u8>,
    cut: Option<PowerCut>,
    erases: u64,
    programs: u64,
    wear: BTreeMap<usize, u64>,
    /// Bits that read differently each time, and those that change with each power-on.
    unstable: BTreeMap<usize, (u8, u8)>,
    /// Drawn from at each read: what a bit is depends on all reads before it, so a test cannot draw it in advance.
    noise: Random,
}

impl Flash {
    /// A blank chip.
    #[must_use]
    pub fn new(size: usize) -> Self {
        Self {
            data: vec![0xFF; size],
            cut: None,
            erases: 0,
            programs: 0,
            wear: BTreeMap::new(),
            unstable: BTreeMap::new(),
            noise: Random::new(0),
        }
    }

    /// Reads bytes, all of which must exist.
    #[inline]
    pub fn read<const N: usize>(&mut self, place: usize) -> [u8; N] {
        let mut bytes = self.data[place..place + N].try_into().unwrap_or([0; N]);
        if !self.unstable.is_empty() {
            for (at, (flickers, _)) in self.unstable.range(place..place + N) {
                bytes[at - place] ^= self.noise.next_u64() as u8 & flickers;
            }
        }
        bytes
    }

    /// Power returns: some of the unstable bits have other values.
    pub fn power_on(&mut self) {
        for (at, (_, drifts)) in &self.unstable {
            self.data[*at] ^= self.noise.next_u64() as u8 & drifts;
        }
    }

    /// Contents, with arbitrary values of unstable bits.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.data
    }

    /// Stores bytes like a programmer, ignoring all rules and counters. False if they do not fit.
    pub fn preload(&mut self, offset: usize, bytes: &[u8]) -> bool {
        let end = offset.checked_add(bytes.len());
        match end.and_then(|end| self.data.get_mut(offset..end)) {
            Some(room) => {
                room.copy_from_slice(bytes);
                self.unstable.retain(|at, _| !(offset..offset + bytes.len()).contains(at));
                true
            }
            None => false,
        }
    }

    /// Sector erases and page programs so far.
    #[must_use]
    pub fn operations(&self) -> (u64, u64) {
        (self.erases, self.programs)
    }

    /// Erases of each sector that was ever erased.
    #[must_use]
    pub fn wear(&self) -> &BTreeMap<usize, u64> {
        &self.wear
    }

    /// Plans a power failure, or cancels it.
    pub fn set_power_cut(&mut self, cut: Option<PowerCut>) {
        self.cut = cut;
    }

    /// Counts an operation for the planned failure: returns how far it gets if it is the one that fails.
    fn fails(&mut self) -> Option<Torn> {
        let cut = self.cut.as_mut()?;
        if cut.after == 0 {
            let torn = cut.torn;
            self.cut = None;
            return Some(torn);
        }
        cut.after -= 1;
        None
    }

    /// Erases one sector.
    ///
    /// # Errors
    ///
    /// Unaligned or out of range, or power failed.
    pub fn erase(&mut self, offset: usize) -> Result<(), FlashFault> {
        let failing = self.fails();
        if !offset.is_multiple_of(SECTOR) {
            return Err(FlashFault::Misuse(format!("flash erase at {offset:#x}, not on a sector")));
        }
        let Some(sector) = self.data.get_mut(offset..offset + SECTOR) else {
            return Err(FlashFault::Misuse(format!("flash erase at {offset:#x}, past the end")));
        };
        if matches!(failing, None | Some(Torn::At(SECTOR..))) {
            self.unstable.retain(|at, _| at / SECTOR != offset / SECTOR);
        }
        match failing {
            None => sector.fill(0xFF),
            Some(Torn::Before) => {}
            Some(Torn::At(length)) => {
                sector.iter_mut().take(length).for_each(|byte| *byte = 0xFF);
                sector.iter_mut().skip(length).take(1).for_each(|byte| *byte = any_state(length));
            }
            Some(Torn::Anyhow) => sector.iter_mut().enumerate().for_each(|(n, byte)| *byte |= any_state(n)),
            Some(Torn::Unstable(seed)) => {
                let mut random = Random::new(seed);
                for (at, byte) in (offset..).zip(sector) {
                    // The chip programs a sector before it erases it: any bit may change.
                    *byte = random.next_u64() as u8;
                    let [flickers, drifts, ..] = random.next_u64().to_le_bytes();
                    self.unstable.insert(at, (flickers, drifts));
                }
            }
        }
        self.erases += 1;
        *self.wear.entry(offset / SECTOR).or_default() += 1;
        if failing.is_some() { Err(FlashFault::PowerCut) } else { Ok(()) }
    }

    /// Programs one page.
    ///
    /// # Errors
    ///
    /// Unaligned, not a page long, out of range or a bit from 0 to 1; or power failed.
    pub fn program(&mut self, offset: usize, bytes: &[u8]) -> Result<(), FlashFault> {
        let failing = self.fails();
        if !offset.is_multiple_of(PAGE) || bytes.len() != PAGE {
            return Err(FlashFault::Misuse(format!("flash program of {} bytes at {offset:#x}", bytes.len())));
        }
        let Some(page) = self.data.get_mut(offset..offset + PAGE) else {
            return Err(FlashFault::Misuse(format!("flash program at {offset:#x}, past the end")));
        };
        let stable = |at: usize| self.unstable.get(&at).map_or(0xFF, |(flickers, drifts)| !(flickers | drifts));
        if let Some(at) =
            page.iter().zip(bytes).enumerate().position(|(n, (old, new))| !old & new & stable(offset + n) != 0)
        {
            return Err(FlashFault::Misuse(format!("flash program asks a 0 to become 1 at {:#x}", offset + at)));
        }
        let (length, mut random) = match failing {
            None => (PAGE, None),
            Some(Torn::Before) => (0, None),
            Some(Torn::At(length)) => (length.min(PAGE), None),
            Some(Torn::Anyhow) => (PAGE / 2, None),
            Some(Torn::Unstable(seed)) => (0, Some(Random::new(seed))),
        };
        for (n, (byte, new)) in page.iter_mut().zip(bytes).enumerate() {
            // Bits whose data is 1 stay.
            let falls = !new;
            let mut done = 0;
            if let Some(random) = &mut random {
                let [changed, flickers, drifts, ..] = random.next_u64().to_le_bytes();
                done = changed;
                self.unstable.insert(offset + n, (flickers & *byte & falls, drifts & *byte & falls));
            } else if n < length {
                done = 0xFF;
                if let Some((flickers, drifts)) = self.unstable.get_mut(&(offset + n)) {
                    (*flickers, *drifts) = (*flickers & new, *drifts & new);
                }
            } else if n == length && matches!(failing, Some(Torn::At(_) | Torn::Anyhow)) {
                done = any_state(offset ^ length);
            }
            *byte &= !(falls & done);
        }
        self.programs += 1;
        if failing.is_some() { Err(FlashFault::PowerCut) } else { Ok(()) }
    }
}

/// A byte that cannot be predicted, but is the same in every run.
fn any_state(place: usize) -> u8 {
    ((place as u32 ^ 0x5A).wrapping_mul(0x9E37_79B1) >> 24) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_only_fall() {
        let mut flash = Flash::new(2 * SECTOR);
        flash.program(0, &[0xF0; PAGE]).unwrap();
        assert!(matches!(flash.program(0, &[0x0F; PAGE]), Err(FlashFault::Misuse(_))));
        flash.program(0, &[0x00; PAGE]).unwrap();
        flash.erase(0).unwrap();
        assert!(flash.bytes().iter().all(|b| *b == 0xFF));
        assert!(flash.erase(256).is_err());
        assert!(flash.erase(2 * SECTOR).is_err());
        assert!(flash.program(1, &[0; PAGE]).is_err());
        assert!(flash.program(0, &[0; 4]).is_err());
    }

    #[test]
    fn power_fails_when_planned() {
        let mut flash = Flash::new(SECTOR);
        flash.set_power_cut(Some(PowerCut { after: 1, torn: Torn::Anyhow }));
        flash.program(0, &[0; PAGE]).unwrap();
        assert_eq!(flash.program(256, &[0; PAGE]), Err(FlashFault::PowerCut));
        assert_eq!((flash.bytes()[256 + 127], flash.bytes()[256 + 129]), (0, 0xFF));
        flash.program(512, &[0; PAGE]).unwrap();
    }

    #[test]
    fn unstable_bits_stay_so_until_they_are_changed_for_good() {
        let mut flash = Flash::new(SECTOR);
        flash.set_power_cut(Some(PowerCut { after: 0, torn: Torn::Unstable(1) }));
        assert_eq!(flash.program(0, &[0x0F; PAGE]), Err(FlashFault::PowerCut));
        let reads: Vec<[u8; PAGE]> = (0..20).map(|_| flash.read(0)).collect();
        assert!(reads.iter().any(|read| *read != reads[0]), "each time");
        assert!(reads.iter().flatten().all(|byte| byte & 0x0F == 0x0F), "bits that must not change have not changed");
        let before = flash.bytes().to_vec();
        flash.power_on();
        assert_ne!(flash.bytes(), before, "after a power-on");
        flash.program(0, &[0x0F; PAGE]).unwrap();
        assert!((0..20).all(|_| flash.read::<PAGE>(0) == [0x0F; PAGE]));
        flash.set_power_cut(Some(PowerCut { after: 0, torn: Torn::Unstable(2) }));
        assert_eq!(flash.erase(0), Err(FlashFault::PowerCut));
        assert_ne!(flash.read::<PAGE>(0), flash.read::<PAGE>(0));
        flash.erase(0).unwrap();
        assert_eq!(flash.read::<PAGE>(0), [0xFF; PAGE]);
    }
}
