//! The chip's address space, read for memory windows.

use crate::volume::Memory;
use core::arch::asm;

/// Everything that the core can read. What a manifest may show of it is checked when the firmware is built.
#[derive(Clone, Copy, Debug)]
pub struct AddressSpace;

impl Memory for AddressSpace {
    fn read(&self, address: u32, out: &mut [u8]) {
        let words = out.len() / 16 * 16;
        if words != 0 && address.is_multiple_of(4) && out.as_ptr().addr().is_multiple_of(4) {
            // SAFETY: `out` is valid for writes of `words` bytes, a multiple of 16 and not 0, and word-aligned like
            // `address`. Reading `address` has no side effect: the manifest allows ROM (section 4.1), XIP (section 4.4) and
            // SRAM (section 4.2) only. It may be address 0, which no Rust reference can name; asm may read it.
            unsafe { copy_words(address, out.as_mut_ptr(), words) };
            copy_bytes(address.wrapping_add(words as u32), out.get_mut(words..).unwrap_or(&mut []));
        } else {
            copy_bytes(address, out);
        }
    }
}

/// Copies `length` bytes, a multiple of 16 and not 0, word by word.
///
/// # Safety
///
/// `from` and `to` are word-aligned, readable without side effects and valid for writes of `length` bytes.
unsafe fn copy_words(from: u32, to: *mut u8, length: usize) {
    // SAFETY: as the caller promises. The memory clobber that asm has by default makes the bytes written visible.
    unsafe {
        asm!(
            "2:",
            "ldmia {from}!, {{r2, r3, r4, r5}}",
            "stmia {to}!, {{r2, r3, r4, r5}}",
            "subs {length}, #16",
            "bne 2b",
            from = inout(reg) from => _,
            to = inout(reg) to => _,
            length = inout(reg) length => _,
            out("r2") _,
            out("r3") _,
            out("r4") _,
            out("r5") _,
            options(nostack),
        );
    }
}

fn copy_bytes(from: u32, out: &mut [u8]) {
    let mut address = from;
    for byte in out {
        let value: u32;
        // SAFETY: reads one byte, without side effect, of an address that the manifest allows (see `read`).
        unsafe {
            asm!("ldrb {value}, [{address}]", value = out(reg) value, address = in(reg) address, options(nostack, readonly));
        };
        *byte = value as u8;
        address = address.wrapping_add(1);
    }
}
