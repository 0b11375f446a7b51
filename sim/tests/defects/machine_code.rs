//! Defects of a firmware, planted in its machine code on the board: an instruction does nothing, and whatever it was to do is left
//! out. The firmware is the one that is tested, no build of its own.

use std::ops::Range;

use picovd_sim::board::Machine;
use picovd_sim::board::elf::Image;
use picovd_sim::board::machine::sram_range;

const FLASH_BASE: u32 = 0x1000_0000;
const NOP: u16 = 0xBF00;

/// An instruction of 16 bits that is left out.
pub struct Defect {
    /// What the mangled name of its function contains.
    pub function: &'static str,
    /// Which instructions are of its kind.
    pub kind: fn(u16) -> bool,
    /// How many of them the function has.
    pub count: usize,
    /// Which one it is, from 0.
    pub which: usize,
}

/// `cpsid i`.
pub fn masks_interrupts(instruction: u16) -> bool {
    instruction == 0xB672
}

/// `blx` to the address in a register.
pub fn calls(instruction: u16) -> bool {
    instruction & 0xFF87 == 0x4780
}

/// Plants it: in flash from the next power-on on, in RAM until then.
///
/// # Panics
///
/// If the function is not there once, or not as the defect says.
pub fn plant(machine: &mut Machine, image: &Image, defect: &Defect) {
    // A linker's way to a function has the function's name in its own.
    let places: Vec<Range<u32>> =
        image.places(defect.function).filter(|(name, _)| !name.contains("Thunk")).map(|(_, place)| place).collect();
    let [place] = places.as_slice() else { panic!("{} functions {}", places.len(), defect.function) };
    let in_ram = sram_range().contains(&place.start);
    let base = if in_ram { sram_range().start } else { FLASH_BASE };
    let offset = (place.start - base) as usize;
    let memory = if in_ram { machine.sram() } else { machine.flash().bytes() };
    let code = &memory[offset..offset + place.len()];
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(bytes) = code.get(at..at + 2) {
        let half = u16::from_le_bytes([bytes[0], bytes[1]]);
        if (defect.kind)(half) {
            found.push(at);
        }
        // All of it, or the first half of 32 bits (Armv8-M C2.2).
        at += if half >> 11 >= 0b11101 { 4 } else { 2 };
    }
    assert_eq!(found.len(), defect.count, "instructions of this kind in {}", defect.function);
    if in_ram {
        assert!(machine.preload_sram(place.start + found[defect.which] as u32, &NOP.to_le_bytes()));
    } else {
        assert!(machine.flash().preload(offset + found[defect.which], &NOP.to_le_bytes()));
    }
}
