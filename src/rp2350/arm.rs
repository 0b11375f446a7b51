//! The chip's Cortex-M33: what a program does differently on it than on the Hazard3 (riscv.rs).

use core::arch::asm;
use cortex_m::peripheral::{NVIC, SCB};
use cortex_m::register::primask;
use rp235x_hal::pac::Interrupt;

pub(super) use cortex_m::asm::{delay, wfi};
pub(super) use cortex_m::singleton;

/// Lets interrupts come that are not masked: they do from the start.
pub(super) fn start() {}

/// Does `work` with interrupts masked.
#[inline]
pub(super) fn free<R>(work: impl FnOnce() -> R) -> R {
    cortex_m::interrupt::free(|_| work())
}

/// Whether interrupts are taken.
#[inline]
pub(super) fn interrupts_enabled() -> bool {
    primask::read().is_active()
}

/// Takes no interrupt from now on.
pub(super) fn disable_interrupts() {
    cortex_m::interrupt::disable();
}

/// Starts the program again.
pub(super) fn reset() -> ! {
    SCB::sys_reset()
}

/// Asks for an interrupt's handler.
pub(super) fn pend(interrupt: Interrupt) {
    NVIC::pend(interrupt);
}

/// Takes that back; an interrupt whose line is up stays pending.
#[inline]
pub(super) fn unpend(interrupt: Interrupt) {
    NVIC::unpend(interrupt);
}

/// Masks an interrupt.
#[inline]
pub(super) fn mask(interrupt: Interrupt) {
    NVIC::mask(interrupt);
}

/// Lets an interrupt come.
///
/// # Safety
///
/// Nobody relies on its being masked.
#[inline]
pub(super) unsafe fn unmask(interrupt: Interrupt) {
    // SAFETY: as the caller promises.
    unsafe { NVIC::unmask(interrupt) };
}

/// Copies `length` bytes, a multiple of 32 and not 0, by eight words at a time: the fastest way that the core has.
///
/// # Safety
///
/// `from` and `to` are word-aligned, readable without side effects and valid for writes of `length` bytes.
#[inline(never)]
pub(super) unsafe fn copy_words(from: usize, to: *mut u32, length: usize) {
    // SAFETY: as the caller promises. The memory clobber that asm has by default makes the bytes written visible.
    unsafe {
        asm!(
            "2:",
            "ldmia {from}!, {{r3, r4, r5, r8, r9, r10, r12, lr}}",
            "stmia {to}!, {{r3, r4, r5, r8, r9, r10, r12, lr}}",
            "subs {length}, #32",
            "bne 2b",
            from = inout(reg) from => _,
            to = inout(reg) to => _,
            length = inout(reg) length => _,
            out("r3") _,
            out("r4") _,
            out("r5") _,
            out("r8") _,
            out("r9") _,
            out("r10") _,
            out("r12") _,
            out("lr") _,
            options(nostack),
        );
    }
}

/// The byte at an address, 0 included, which no reference can name.
///
/// # Safety
///
/// Reading it has no side effect.
#[inline]
pub(super) unsafe fn load_byte(address: u32) -> u8 {
    let value: u32;
    // SAFETY: as the caller promises.
    unsafe {
        asm!("ldrb {value}, [{address}]", value = out(reg) value, address = in(reg) address, options(nostack, readonly));
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
    // SAFETY: as the caller promises. The memory clobber that asm has by default makes the bytes written visible.
    unsafe {
        asm!(
            "ldmia {from}!, {{r3, r4, r5, r8, r9, r10, r12, lr}}",
            "stmia {to}!, {{r3, r4, r5, r8, r9, r10, r12, lr}}",
            "ldmia {from}!, {{r3, r4, r5, r8, r9, r10, r12, lr}}",
            "stmia {to}!, {{r3, r4, r5, r8, r9, r10, r12, lr}}",
            from = inout(reg) from => _,
            to = inout(reg) to => _,
            out("r3") _,
            out("r4") _,
            out("r5") _,
            out("r8") _,
            out("r9") _,
            out("r10") _,
            out("r12") _,
            out("lr") _,
            options(nostack),
        );
    }
}
