//! Overwriting what the stack has left behind.
//!
//! Values that may be secrets go over the stack while a line is carried out or a file with settings is read. The library
//! zeroizes its buffers; what the compiler has copied besides lies below the stack pointer afterwards, where files that show
//! SRAM would show it.

use super::processor::clear_stack;
use core::sync::atomic::{Ordering, compiler_fence};

/// How far below the stack pointer, in bytes: more than anything that handles settings takes.
const DEPTH: usize = 12 << 10;

unsafe extern "C" {
    /// The end of all variables (cortex-m-rt's link.x): the stack stays above it.
    static __euninit: u32;
}

/// Overwrites what lies below the stack pointer with zeros. For programs whose stack is cortex-m-rt's, at the end of RAM.
#[inline(never)]
pub fn stack() {
    // The asm that writes there has this pointer, so it may, for all that the compiler assumes of pointers.
    let floor = (&raw const __euninit).cast::<u8>().cast_mut();
    // What was written to the stack before is written before: it is not to be found again afterwards.
    compiler_fence(Ordering::SeqCst);
    // SAFETY: between the end of the variables and the stack pointer nothing lives: an interrupt handler that comes in
    // between has its frame there, but has returned when this goes on. (The other core has a stack of its own, among the
    // variables.)
    unsafe { clear_stack(DEPTH, floor.wrapping_add(8)) };
    compiler_fence(Ordering::SeqCst);
}
