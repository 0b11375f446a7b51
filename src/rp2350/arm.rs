//! Code for the chip's Cortex-M33 that differs on the Hazard3 (riscv.rs).

use core::arch::asm;
use cortex_m::peripheral::{NVIC, SCB};
use cortex_m::register::primask;
use rp235x_pac::Interrupt;

pub(super) use cortex_m::asm::{delay, wfi};
pub(super) use cortex_m::singleton;

/// Enables interrupts that are not masked: on this core, they are enabled from the start.
pub(super) fn start() {}

/// Runs `work` with interrupts masked.
#[inline]
pub(super) fn free<R>(work: impl FnOnce() -> R) -> R {
    cortex_m::interrupt::free(|_| work())
}

/// Whether interrupts are enabled.
#[inline]
pub(super) fn interrupts_enabled() -> bool {
    primask::read().is_active()
}

/// Disables all interrupts.
pub(super) fn disable_interrupts() {
    cortex_m::interrupt::disable();
}

/// Restarts the program.
pub(super) fn reset() -> ! {
    SCB::sys_reset()
}

/// Requests an interrupt.
pub(super) fn pend(interrupt: Interrupt) {
    NVIC::pend(interrupt);
}

/// Cancels that request; an interrupt whose line is active stays pending.
#[inline]
pub(super) fn unpend(interrupt: Interrupt) {
    NVIC::unpend(interrupt);
}

/// Masks an interrupt.
#[inline]
pub(super) fn mask(interrupt: Interrupt) {
    NVIC::mask(interrupt);
}

/// Unmasks an interrupt.
///
/// # Safety
///
/// Nothing may rely on its being masked.
#[inline]
pub(super) unsafe fn unmask(interrupt: Interrupt) {
    // SAFETY: as the caller promises.
    unsafe { NVIC::unmask(interrupt) };
}

/// Copies `length` bytes, a nonzero multiple of 32, eight words at a time: the fastest way on this core.
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
    // SAFETY: as the caller promises. The memory clobber, which asm has by default, makes the written bytes visible.
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
