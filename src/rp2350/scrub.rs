//! Overwriting what the stack has left behind.
//!
//! Values that may be secrets go over the stack while a line is carried out or a file with settings is read. The library
//! zeroizes its buffers; what the compiler has copied besides lies below the stack pointer afterwards, where files that show
//! SRAM would show it.

use core::arch::asm;

/// How far below the stack pointer, in bytes: more than anything that handles settings takes.
const DEPTH: usize = 12 << 10;

unsafe extern "C" {
    /// The end of all variables (cortex-m-rt's link.x): the stack stays above it.
    static __euninit: u32;
}

/// Overwrites what lies below the stack pointer with zeros. For programs whose stack is cortex-m-rt's, at the end of RAM.
#[inline(never)]
pub fn stack() {
    let floor = &raw const __euninit as usize;
    // SAFETY: writes words between the end of the variables and the stack pointer, where nothing lives: an interrupt
    // handler that comes in between has its frame there, but has returned when this goes on. (The other core has a stack of its
    // own, among the variables.)
    unsafe {
        asm!(
            "mov {at}, sp",
            "sub {end}, {at}, {depth}",
            "cmp {end}, {floor}",
            "it lo",
            "movlo {end}, {floor}",
            "bic {end}, {end}, #7",
            "2:",
            "cmp {at}, {end}",
            "bls 3f",
            "strd {zero}, {zero}, [{at}, #-8]!",
            "b 2b",
            "3:",
            at = out(reg) _,
            end = out(reg) _,
            depth = in(reg) DEPTH,
            floor = in(reg) floor + 8,
            zero = in(reg) 0,
        );
    }
}
