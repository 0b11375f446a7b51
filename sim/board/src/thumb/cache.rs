//! Decoded instructions by address.
//!
//! A page has two slots for every halfword of 4 KiB: an instruction in an IT block does not set the flags, so the same
//! halfword may have two meanings.

use std::collections::HashMap;

use super::insn::Insn;
use crate::engine::{Bus, CodeChange, Halt};

const PAGE: u32 = 0x1000;
const SLOTS: usize = 0x800;

/// One decoded instruction and its length in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Slot {
    /// What to do.
    pub insn: Insn,
    /// 2 or 4.
    pub length: u8,
}

const EMPTY: Slot = Slot { insn: Insn::Undecoded, length: 0 };

struct Page {
    slots: Box<[Slot; SLOTS]>,
    conditional: Option<Box<[Slot; SLOTS]>>,
}

/// All decoded pages; one of them is current.
#[derive(Default)]
pub struct Cache {
    pages: Vec<Page>,
    index: HashMap<u32, usize>,
    base: Option<u32>,
    current: usize,
}

impl Cache {
    /// The instruction at `pc`.
    #[inline]
    pub fn get<B: Bus>(&mut self, bus: &mut B, pc: u32) -> Result<&Slot, Halt> {
        if self.base != Some(pc & !(PAGE - 1)) {
            self.select(bus, pc);
        }
        let at = (pc as usize & 0xFFF) >> 1;
        if matches!(self.pages[self.current].slots[at].insn, Insn::Undecoded) {
            self.fill(bus, pc)?;
        }
        Ok(&self.pages[self.current].slots[at])
    }

    /// The instruction at `pc`, which is in an IT block.
    pub fn get_conditional<B: Bus>(&mut self, bus: &mut B, pc: u32) -> Result<&Slot, Halt> {
        if self.base != Some(pc & !(PAGE - 1)) {
            self.select(bus, pc);
        }
        let slots = self.pages[self.current].conditional.get_or_insert_with(|| Box::new([EMPTY; SLOTS]));
        let slot = &mut slots[(pc as usize & 0xFFF) >> 1];
        if matches!(slot.insn, Insn::Undecoded) {
            *slot = decode(bus, pc, true)?;
        }
        Ok(slot)
    }

    #[cold]
    fn select<B: Bus>(&mut self, bus: &mut B, pc: u32) {
        let base = pc & !(PAGE - 1);
        self.base = Some(base);
        if let Some(known) = self.index.get(&base) {
            self.current = *known;
            return;
        }
        self.current = self.pages.len();
        self.index.insert(base, self.current);
        self.pages.push(Page { slots: Box::new([EMPTY; SLOTS]), conditional: None });
        bus.watch_code(base);
    }

    #[cold]
    fn fill<B: Bus>(&mut self, bus: &mut B, pc: u32) -> Result<(), Halt> {
        bus.executes_first(pc);
        self.pages[self.current].slots[(pc as usize & 0xFFF) >> 1] = decode(bus, pc, false)?;
        Ok(())
    }

    /// Drops stale entries.
    pub fn invalidate(&mut self, change: CodeChange) {
        match change {
            CodeChange::None => {}
            CodeChange::Everything => *self = Self::default(),
            CodeChange::Words(words) => {
                for word in words {
                    // A 32-bit instruction may begin in the halfword before the word.
                    for at in [word.wrapping_sub(2), word, word.wrapping_add(2)] {
                        self.forget(at);
                    }
                }
            }
        }
    }

    fn forget(&mut self, at: u32) {
        if let Some(page) = self.index.get(&(at & !(PAGE - 1))) {
            let slot = (at as usize & 0xFFF) >> 1;
            let page = &mut self.pages[*page];
            page.slots[slot] = EMPTY;
            if let Some(conditional) = &mut page.conditional {
                conditional[slot] = EMPTY;
            }
        }
    }
}

fn decode<B: Bus>(bus: &mut B, pc: u32, in_it: bool) -> Result<Slot, Halt> {
    let hw1 = bus.fetch(pc)?;
    if hw1 >> 11 < 0b11101 {
        return Ok(Slot { insn: super::decode16::decode(hw1, pc, in_it), length: 2 });
    }
    let hw2 = bus.fetch(pc.wrapping_add(2))?;
    Ok(Slot { insn: super::decode32::decode(hw1, hw2, pc, in_it), length: 4 })
}
