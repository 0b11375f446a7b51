//! A strict NOR flash chip: erase sets whole 4 KiB sectors to ones, programming clears bits of a 256-byte page.
//!
//! Stricter than the chip: programming never asks a 0 to become 1, nothing is unaligned, nothing reaches past the
//! end. Every operation is counted, and power may fail at any of them.

use std::collections::BTreeMap;

/// Bytes that an erase sets to ones.
pub const SECTOR: usize = 4096;
/// Bytes that one program operation covers.
pub const PAGE: usize = 256;

/// When power fails, and what the operation leaves behind that it interrupts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PowerCut {
    /// Operations until then; 0 fails the next one.
    pub after: u64,
    /// How far the failing operation gets.
    pub torn: Torn,
}

/// How far an operation gets that power fails during.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Torn {
    /// Nothing of it is done.
    Before,
    /// As many bytes are programmed or erased, up to all of them; the next one is in any state.
    At(usize),
    /// An erase leaves bits in any state all over the sector. A program is as far as its middle.
    Anyhow,
}

/// Why an operation was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FlashFault {
    /// The caller broke a rule; the text names it.
    Misuse(String),
    /// Power failed.
    PowerCut,
}

/// The chip.
#[derive(Clone, Debug)]
pub struct Flash {
    data: Vec<u8>,
    cut: Option<PowerCut>,
    erases: u64,
    programs: u64,
    wear: BTreeMap<usize, u64>,
}

impl Flash {
    /// A blank chip.
    #[must_use]
    pub fn new(size: usize) -> Self {
        Self { data: vec![0xFF; size], cut: None, erases: 0, programs: 0, wear: BTreeMap::new() }
    }

    /// Contents.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.data
    }

    /// Puts bytes there as a programmer would, outside all rules and counters. False if they do not fit.
    pub fn preload(&mut self, offset: usize, bytes: &[u8]) -> bool {
        let end = offset.checked_add(bytes.len());
        match end.and_then(|end| self.data.get_mut(offset..end)) {
            Some(room) => {
                room.copy_from_slice(bytes);
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

    /// Plans a power failure, or calls it off.
    pub fn set_power_cut(&mut self, cut: Option<PowerCut>) {
        self.cut = cut;
    }

    /// Counts an operation against the planned failure: how far it gets if it is the one that fails.
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
        match failing {
            None => sector.fill(0xFF),
            Some(Torn::Before) => {}
            Some(Torn::At(length)) => {
                sector.iter_mut().take(length).for_each(|byte| *byte = 0xFF);
                sector.iter_mut().skip(length).take(1).for_each(|byte| *byte = any_state(length));
            }
            Some(Torn::Anyhow) => sector.iter_mut().enumerate().for_each(|(n, byte)| *byte |= any_state(n)),
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
        if let Some(at) = page.iter().zip(bytes).position(|(old, new)| !old & new != 0) {
            return Err(FlashFault::Misuse(format!("flash program asks a 0 to become 1 at {:#x}", offset + at)));
        }
        let length = match failing {
            None => PAGE,
            Some(Torn::Before) => 0,
            Some(Torn::At(length)) => length.min(PAGE),
            Some(Torn::Anyhow) => PAGE / 2,
        };
        page[..length].copy_from_slice(&bytes[..length]);
        if matches!(failing, Some(Torn::At(_) | Torn::Anyhow)) {
            page.iter_mut().skip(length).take(1).for_each(|byte| *byte = any_state(offset ^ length));
        }
        self.programs += 1;
        if failing.is_some() { Err(FlashFault::PowerCut) } else { Ok(()) }
    }
}

/// A byte that nobody can foretell, though every run has the same one.
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
}
