//! The last panic's reason, kept in RAM across the reset that follows it, and the handler that does both.

use super::processor;
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use heapless::Vec;

/// Maximum length of the reason in bytes of UTF-8; longer ones are cut.
const REASON_LENGTH: usize = 120;

const MAGIC: u32 = 0x5644_5041;

/// Atomics, since both cores may panic at the same time: then the text may be a mixture of both, and is cut where it is not
/// valid UTF-8.
///
/// The order matters: the simulator looks for the record after a panic.
#[repr(C)]
struct Record {
    magic: AtomicU32,
    length: AtomicU32,
    text: [AtomicU8; REASON_LENGTH],
}

/// Not initialized at boot (cortex-m-rt's `.uninit`), so that it survives a reset. After power-on its contents are random.
#[unsafe(link_section = ".uninit.PICOVD_PANIC")]
static RECORD: Record =
    Record { magic: AtomicU32::new(0), length: AtomicU32::new(0), text: [const { AtomicU8::new(0) }; REASON_LENGTH] };

/// The record. The compiler must not assume that it contains the values above.
fn record() -> &'static Record {
    core::hint::black_box(&RECORD)
}

/// Why the previous boot ended in a panic.
#[derive(Clone, Debug, Default)]
pub(super) struct Reason(Vec<u8, REASON_LENGTH>);

impl Reason {
    /// Location and message of the panic, as far as they were stored.
    pub fn text(&self) -> &str {
        let bytes = self.0.as_slice();
        match core::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => {
                bytes.get(..error.valid_up_to()).and_then(|good| core::str::from_utf8(good).ok()).unwrap_or("")
            }
        }
    }
}

/// Takes the reason that the last panic stored; `None` if there was none since power-on, or if it was taken already.
pub(super) fn take_reason() -> Option<Reason> {
    let record = record();
    // Acquire, matching the release in `keep`: if the magic number is there, so is the rest.
    let magic = record.magic.swap(0, Ordering::Acquire);
    let length = record.length.load(Ordering::Relaxed) as usize;
    let text = record.text.get(..length).filter(|_| magic == MAGIC)?;
    let mut reason = Reason::default();
    for byte in text {
        let _ = reason.0.push(byte.load(Ordering::Relaxed));
    }
    Some(reason)
}

/// Stores the location of `info`, and its message if that is a plain text, for [`take_reason`] after the next reset.
///
/// Messages with formatted values are left out: formatting would cost 4 KiB of flash, and may be what panicked.
fn keep(info: &PanicInfo<'_>) {
    let reason = Reason::of(info);
    let record = record();
    for (kept, byte) in record.text.iter().zip(&reason.0) {
        kept.store(*byte, Ordering::Relaxed);
    }
    record.length.store(reason.0.len() as u32, Ordering::Relaxed);
    // Last, because a reset may happen in between.
    record.magic.store(MAGIC, Ordering::Release);
}

impl Reason {
    /// The location of `info`, and its message if that is a plain text.
    pub(super) fn of(info: &PanicInfo<'_>) -> Self {
        let mut reason = Self::default();
        if let Some(location) = info.location() {
            reason.push(location.file().as_bytes());
            reason.push(b":");
            reason.push_number(location.line());
            reason.push(b" ");
        }
        reason.push(info.message().as_str().unwrap_or("").as_bytes());
        reason
    }

    /// Appends as much as fits.
    fn push(&mut self, bytes: &[u8]) {
        for byte in bytes {
            // The rest is cut.
            let _ = self.0.push(*byte);
        }
    }

    fn push_number(&mut self, number: u32) {
        if number >= 10 {
            self.push_number(number / 10);
        }
        self.push(&[b'0' + (number % 10) as u8]);
    }
}

/// Stores the reason of a panic for INFO.TXT of the next run, and restarts the program. For panic handlers.
pub fn restart_after(info: &PanicInfo<'_>) -> ! {
    processor::disable_interrupts();
    keep(info);
    processor::reset()
}

/// Stores the reason of a panic for INFO.TXT of the next run.
pub fn keep_reason(info: &PanicInfo<'_>) {
    processor::disable_interrupts();
    keep(info);
}

/// Restarts the program. For panic handlers of firmware without INFO.TXT and INFO.JSON.
pub fn restart() -> ! {
    processor::disable_interrupts();
    processor::reset()
}

/// Declares a panic handler that restarts the program. INFO.TXT of the next run says why, if the tables in `$module` have that
/// file, and CORE.ELF and CRASH.TXT show it, if they have `[crash]`.
#[macro_export]
macro_rules! panic_handler {
    ($module:ident) => {
        #[panic_handler]
        fn on_panic(info: &::core::panic::PanicInfo<'_>) -> ! {
            if let Some(panicked) = $crate::stick::panicked::<$module::Manifest>() {
                if $module::BUILT_IN.info.is_some() {
                    $crate::rp2350::keep_reason(info);
                }
                panicked(info)
            }
            // Without INFO files, nothing shows the reason: the linker then removes the code that stores it.
            if $module::BUILT_IN.info.is_none() {
                $crate::rp2350::restart()
            }
            $crate::rp2350::restart_after(info)
        }
    };
}
