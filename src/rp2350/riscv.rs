//! Code for the chip's Hazard3 that differs on the Cortex-M33 (arm.rs).
//!
//! Run on an independent emulator, but not on a board, and not covered by the tests here. Settings are not saved
//! (flash_unwritten.rs), and the second core cannot be parked.

use core::arch::{asm, global_asm};
use rp235x_hal::arch;
use rp235x_hal::pac::Interrupt;

pub(super) use riscv::singleton;
pub(super) use rp235x_hal::arch::{
    delay, interrupt_disable as disable_interrupts, interrupt_free as free, interrupt_mask as mask,
    interrupt_pend as pend, interrupt_unmask as unmask, interrupts_enabled, wfi,
};
pub(super) use rp235x_hal::reset;

// The bootrom enters an image without an entry point at its lowest address (section 5.9.3), which is before the image
// definition.
global_asm!(".section .picovd_boot,\"ax\",@progbits", ".globl _picovd_boot", "_picovd_boot:", "la t0, _start", "jr t0",);

/// Enables interrupts that are not masked, as they are from the start on the other kind of core.
pub(super) fn start() {
    // SAFETY: no critical section is active while the stick is being created.
    unsafe { arch::interrupt_enable() };
}

/// Cancels [`pend`]: clears the bit in the window of MEIFA (section 3.8).
pub(super) fn unpend(interrupt: Interrupt) {
    let number = u32::from(interrupt as u16);
    let window = (1 << (16 + number % 16)) | (number / 16);
    // SAFETY: if the interrupt's line is active, it stays pending.
    unsafe { asm!("csrc 0xbe2, {}", in(reg) window, options(nomem, nostack)) };
}

/// Copies `length` bytes, a nonzero multiple of 32, word by word.
///
/// # Safety
///
/// `from` and `to` are word-aligned, readable without side effects and valid for writes of `length` bytes.
#[inline(never)]
pub(super) unsafe fn copy_words(from: usize, to: *mut u32, length: usize) {
    // SAFETY: as the caller promises. The memory clobber, which asm has by default, makes the written bytes visible.
    unsafe {
        asm!(
            "2:",
            "lw t0, 0({from})",
            "lw t1, 4({from})",
            "lw t2, 8({from})",
            "lw t3, 12({from})",
            "sw t0, 0({to})",
            "sw t1, 4({to})",
            "sw t2, 8({to})",
            "sw t3, 12({to})",
            "addi {from}, {from}, 16",
            "addi {to}, {to}, 16",
            "addi {length}, {length}, -16",
            "bnez {length}, 2b",
            from = inout(reg) from => _,
            to = inout(reg) to => _,
            length = inout(reg) length => _,
            out("t0") _,
            out("t1") _,
            out("t2") _,
            out("t3") _,
            options(nostack),
        );
    }
}

/// The byte at an address, which may be 0, where no reference can point.
///
/// # Safety
///
/// Reading it has no side effect.
#[inline]
pub(super) unsafe fn load_byte(address: u32) -> u8 {
    let value: u32;
    // SAFETY: as the caller promises.
    unsafe {
        asm!("lbu {value}, 0({address})", value = out(reg) value, address = in(reg) address, options(nostack, readonly));
    };
    value as u8
}

/// Copies 64 bytes, the same way.
///
/// # Safety
///
/// `from` and `to` are word-aligned, readable without side effects and valid for writes of 64 bytes.
#[inline]
pub(super) unsafe fn copy_sixteen_words(from: *const u32, to: *mut u32) {
    // SAFETY: as the caller promises.
    unsafe { copy_words(from.addr(), to, 64) };
}
