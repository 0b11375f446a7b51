//! Registers that are not modelled, for firmware that uses them nevertheless: they read as their reset values, or as what
//! was written.

use super::engine::Halt;
use super::registers::Alias;
use super::svd;
use super::system::{PPB_BASE, System};
use std::collections::{BTreeMap, BTreeSet};

/// What was written to registers that are not modelled.
#[derive(Debug, Default)]
pub struct Remembered {
    /// Whether the board continues at a register that is not modelled.
    pub(super) lenient: bool,
    values: BTreeMap<u32, u32>,
    /// Blocks that were reported.
    noted: BTreeSet<u32>,
    /// What has to be reported: an address, and whether it was written.
    pub(super) note: Option<(u32, bool)>,
}

impl Remembered {
    /// Every reset clears the registers.
    pub(super) fn restart(&mut self) {
        self.values.clear();
    }

    /// RESETS resets blocks.
    pub(super) fn hold(&mut self, taken: u32) {
        let held = |address: u32| {
            svd::find(address).and_then(|(block, _)| block.reset_bit).is_some_and(|bit| taken >> bit & 1 != 0)
        };
        self.values.retain(|address, _| !held(*address));
    }
}

impl System {
    /// The register's plain address, reset value and writable bits; `None` if the board must stop.
    fn remembered_register(&mut self, address: u32, write: bool) -> Result<Option<(u32, u32, u32)>, Halt> {
        if !self.remembered.lenient {
            return Ok(None);
        }
        let (base, found) = match svd::find(address) {
            Some((block, register)) => {
                if block.reset_bit.is_some_and(|bit| self.held >> bit & 1 != 0) {
                    return Err(self.fail_held(address, block.name));
                }
                (block.base, (block.base + register.offset, register.reset, register.writable))
            }
            // Reserved registers of the core's architecture read as zero.
            None if address & !0xF_FFFF == PPB_BASE => (PPB_BASE, (address & !3, 0, 0)),
            None => return Ok(None),
        };
        if self.remembered.noted.insert(base) {
            self.remembered.note = Some((address, write));
            // The board checks it after this instruction.
            self.clock.limit = 0;
        }
        Ok(Some(found))
    }

    /// A register that only stores a value, in a block that is modelled.
    pub(super) fn read_plain(&mut self, address: u32) -> Result<u32, Halt> {
        match svd::find(address) {
            Some((block, register)) => {
                let plain = block.base + register.offset;
                Ok(self.remembered.values.get(&plain).copied().unwrap_or(register.reset))
            }
            None => Err(self.unknown(address, false)),
        }
    }

    /// The same, written.
    pub(super) fn write_plain(&mut self, address: u32, word: u32) -> Result<(), Halt> {
        match svd::find(address) {
            Some((block, register)) => {
                let plain = block.base + register.offset;
                let value = self.remembered.values.entry(plain).or_insert(register.reset);
                *value = Alias::of(address).apply_masked(*value, word, register.writable);
                Ok(())
            }
            None => Err(self.unknown(address, true)),
        }
    }

    pub(super) fn read_remembered(&mut self, address: u32) -> Result<Option<u32>, Halt> {
        let found = self.remembered_register(address, false)?;
        Ok(found.map(|(plain, reset, _)| self.remembered.values.get(&plain).copied().unwrap_or(reset)))
    }

    pub(super) fn write_remembered(&mut self, address: u32, word: u32) -> Result<Option<()>, Halt> {
        let found = self.remembered_register(address, true)?;
        Ok(found.map(|(plain, reset, writable)| {
            let alias = if plain == address & !3 { Alias::Write } else { Alias::of(address) };
            let value = self.remembered.values.entry(plain).or_insert(reset);
            *value = alias.apply_masked(*value, word, writable);
        }))
    }
}
