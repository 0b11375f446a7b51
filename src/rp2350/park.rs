//! Parks one core while the other one uses the flash chip.
//!
//! A core that was never started waits in the bootrom, and needs nothing. A program that starts the second core has to
//! begin with this on it:
//!
//! ```ignore
//! picovd::park!();
//! ```
//!
//! From then on, whenever the first core rings doorbell 7 (section 3.1.6), the second core waits in RAM for as long as an
//! erase takes. It does so in the handler of SIO_IRQ_BELL, which the macro defines, so it must not mask interrupts for more
//! than [`PATIENCE`] milliseconds. If the second core runs and does not answer, settings are not saved, and the result is
//! [`SaveError::OtherCore`](crate::settings::SaveError::OtherCore).

use core::arch::asm;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use cortex_m::asm;
use cortex_m::peripheral::NVIC;
use rp235x_pac as pac;

/// Maximum time in milliseconds until the other core answers.
pub const PATIENCE: u32 = 5;

/// Iterations that take about a microsecond at 150 MHz.
const TURN: u32 = 150;
/// The bootrom answers within some hundred cycles of the slowest clock.
const BOOTROM_PATIENCE: u32 = 1000;

/// The doorbell.
const BELL: u32 = 1 << 7;

/// Whether a core can be parked. Stored with release and loaded with acquire. Tests of the program look up these variables
/// by name.
#[unsafe(export_name = "PICOVD_PARK_ENABLED")]
static ENABLED: [AtomicBool; 2] = [AtomicBool::new(false), AtomicBool::new(false)];
/// The current request to the other core: a different number each time, 0 when it may continue. Stored with release and
/// read with acquire, or between barriers: what the requesting core does to flash is finished before the other one
/// continues.
#[unsafe(export_name = "PICOVD_PARK_ASKED")]
static ASKED: AtomicU32 = AtomicU32::new(0);
/// The number that it answered last: stored after a barrier and loaded with acquire, so that its last access to flash came
/// before.
#[unsafe(export_name = "PICOVD_PARK_ANSWERED")]
static ANSWERED: AtomicU32 = AtomicU32::new(0);
/// The last number used. Relaxed: the requesting core has interrupts masked, and the other one is parked or does not run.
static NUMBER: AtomicU32 = AtomicU32::new(0);

/// Makes the core that runs this park on request. Once in a program, on the core that the stick does not run on.
#[macro_export]
macro_rules! park {
    () => {{
        #[allow(non_snake_case)]
        #[unsafe(no_mangle)]
        extern "C" fn SIO_IRQ_BELL() {
            $crate::rp2350::park::answer();
        }
        // SAFETY: the handler is the one above, and shares only atomics with the code on this core.
        unsafe { $crate::rp2350::park::enable() };
    }};
}

/// Declares a stack of this many words for the second core: a `static` of that name, for
/// [`Multicore`](rp235x_hal::multicore::Multicore).
///
/// Files that show SRAM show variables, including a stack that is one of them. They do not show this stack if there are
/// settings, so the second core may use secrets.
///
/// ```ignore
/// picovd::core1_stack!(STACK, 1024);
/// ```
#[cfg(feature = "hal")]
#[macro_export]
macro_rules! core1_stack {
    ($name:ident, $words:expr) => {
        #[unsafe(link_section = ".settings.stack")]
        static $name: $crate::rp2350::rp235x_hal::multicore::Stack<{ $words }> =
            $crate::rp2350::rp235x_hal::multicore::Stack::new();
    };
}

fn sio() -> &'static pac::sio::RegisterBlock {
    // SAFETY: the block always exists. Each core has its own doorbell and FIFO registers, and nothing else uses what is
    // used here: see `other_core` for the FIFO.
    unsafe { &*pac::SIO::ptr() }
}

fn this_core() -> usize {
    super::current_core() as usize & 1
}

/// Enables the doorbell's interrupt on the calling core. [`park!`](crate::park) calls it.
///
/// # Safety
///
/// The handler of SIO_IRQ_BELL calls [`answer`], and nothing on this core relies on that interrupt's being masked.
#[doc(hidden)]
pub unsafe fn enable() {
    sio().doorbell_in_clr().write(|w| {
        // SAFETY: every value is valid: a bit for each doorbell.
        unsafe { w.bits(BELL) }
    });
    // SAFETY: as the caller promises.
    unsafe { NVIC::unmask(pac::Interrupt::SIO_IRQ_BELL) };
    if let Some(enabled) = ENABLED.get(this_core()) {
        // Release: a core that sees the flag may ring, and the interrupt arrives.
        enabled.store(true, Ordering::Release);
    }
}

/// Answers the doorbell: parks if that was the reason for ringing. To be called by the handler of SIO_IRQ_BELL;
/// [`park!`](crate::park) defines one. Calling it elsewhere does no harm: it parks needlessly, or has nothing to do.
#[doc(hidden)]
pub fn answer() {
    // SAFETY: as in `enable`.
    sio().doorbell_in_clr().write(|w| unsafe { w.bits(BELL) });
    let asked = ASKED.load(Ordering::Acquire);
    if asked != 0 {
        stand_aside(asked, &ASKED, &ANSWERED);
    }
}

/// Waits here, in RAM and without interrupts, until the other core is done.
#[inline(never)]
#[unsafe(link_section = ".data.picovd_park")]
extern "C" fn stand_aside(number: u32, asked: &AtomicU32, answered: &AtomicU32) {
    // SAFETY: word accesses to two atomics that always exist. PRIMASK is restored. No calls, because the functions might be
    // in flash.
    unsafe {
        asm!(
            "mrs {mask}, PRIMASK",
            "cpsid i",
            "dmb",
            "str {number}, [{answered}]",
            "2:",
            "ldr {now}, [{asked}]",
            "cmp {now}, {number}",
            "beq 2b",
            "dmb",
            "msr PRIMASK, {mask}",
            mask = out(reg) _,
            now = out(reg) _,
            number = in(reg) number,
            asked = in(reg) asked.as_ptr(),
            answered = in(reg) answered.as_ptr(),
            options(nostack),
        );
    }
}

/// While this exists, the other core does not read flash.
#[derive(Debug)]
pub(super) struct Parked(());

impl Drop for Parked {
    fn drop(&mut self) {
        ASKED.store(0, Ordering::Release);
    }
}

/// Parks the other core, if it runs. To be called with interrupts masked, so that the other core is not started meanwhile.
pub(super) fn other_core() -> Option<Parked> {
    let other = this_core() ^ 1;
    if ENABLED.get(other).is_some_and(|enabled| enabled.load(Ordering::Acquire)) {
        let number = NUMBER.load(Ordering::Relaxed).wrapping_add(1).max(1);
        NUMBER.store(number, Ordering::Relaxed);
        ASKED.store(number, Ordering::Release);
        let parked = Parked(());
        asm::dsb();
        // SAFETY: as in `enable`.
        sio().doorbell_out_set().write(|w| unsafe { w.bits(BELL) });
        return wait(PATIENCE * 1000, || ANSWERED.load(Ordering::Acquire) == number).then_some(parked);
    }
    (other == 1 && (is_held_in_reset() || waits_in_bootrom())).then_some(Parked(()))
}

/// Whether PSM holds the second core in reset (section 7.4.4).
fn is_held_in_reset() -> bool {
    // SAFETY: reading the register has no side effect.
    unsafe { (*pac::PSM::ptr()).frce_off().read().proc1().bit() }
}

/// Whether the second core waits in the bootrom to be launched: then it answers the start of the launch protocol (section
/// 5.3), and a 0 makes it start over.
///
/// A program that runs there without [`park!`](crate::park) finds these words in its FIFO, and settings cannot be saved.
fn waits_in_bootrom() -> bool {
    [0, 1, 0].into_iter().all(|word| {
        // At most four words are in the FIFO.
        for _ in 0..8 {
            if !sio().fifo_st().read().vld().bit() {
                break;
            }
            let _ = sio().fifo_rd().read();
        }
        // SAFETY: every value is valid.
        sio().fifo_wr().write(|w| unsafe { w.bits(word) });
        asm::sev();
        wait(BOOTROM_PATIENCE, || sio().fifo_st().read().vld().bit()) && sio().fifo_rd().read().bits() == word
    })
}

/// Waits at most this many microseconds, at 150 MHz.
fn wait(microseconds: u32, done: impl Fn() -> bool) -> bool {
    for _ in 0..microseconds {
        if done() {
            return true;
        }
        asm::delay(TURN);
    }
    false
}
