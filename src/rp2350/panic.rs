//! The last panic's reason, kept in RAM across the reset that follows it.

use core::panic::PanicInfo;
use core::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use heapless::Vec;

/// Longest reason kept, in bytes of UTF-8; what is longer is cut.
const REASON_LENGTH: usize = 120;

const MAGIC: u32 = 0x5644_5041;

/// Atomics, since both cores may panic at the same time: then the text may have some of both, and is cut where it is no UTF-8.
///
/// In this order: the simulator looks for it after a panic.
#[repr(C)]
struct Record {
    magic: AtomicU32,
    length: AtomicU32,
    text: [AtomicU8; REASON_LENGTH],
}

/// Not initialized at boot (cortex-m-rt's `.uninit`), so that it outlives a reset. After a power-on it holds anything.
#[unsafe(link_section = ".uninit.PICOVD_PANIC")]
static RECORD: Record =
    Record { magic: AtomicU32::new(0), length: AtomicU32::new(0), text: [const { AtomicU8::new(0) }; REASON_LENGTH] };

/// The record, of whose contents the compiler is to conclude nothing from the values above.
fn record() -> &'static Record {
    core::hint::black_box(&RECORD)
}

/// Why the boot before this one ended in a panic.
#[derive(Clone, Debug, Default)]
pub(super) struct Reason(Vec<u8, REASON_LENGTH>);

impl Reason {
    /// The panic's place and message, as far as they were kept.
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

/// Takes the reason that the last panic left; `None` when there was none since the power came on, or it was taken.
pub(super) fn take_reason() -> Option<Reason> {
    let record = record();
    // Acquire, as `keep` releases: where the magic number is, the rest is.
    let magic = record.magic.swap(0, Ordering::Acquire);
    let length = record.length.load(Ordering::Relaxed) as usize;
    let text = record.text.get(..length).filter(|_| magic == MAGIC)?;
    let mut reason = Reason::default();
    for byte in text {
        let _ = reason.0.push(byte.load(Ordering::Relaxed));
    }
    Some(reason)
}

/// Keeps where `info` happened, and its message where that is a plain text, for [`take_reason`] after the next reset.
///
/// Messages with values in them are left out: formatting would cost 4 KiB of flash, and may be what panicked.
pub(super) fn keep(info: &PanicInfo<'_>) {
    let mut reason = Reason::default();
    if let Some(location) = info.location() {
        reason.push(location.file().as_bytes());
        reason.push(b":");
        reason.push_number(location.line());
        reason.push(b" ");
    }
    reason.push(info.message().as_str().unwrap_or("").as_bytes());
    let record = record();
    for (kept, byte) in record.text.iter().zip(&reason.0) {
        kept.store(*byte, Ordering::Relaxed);
    }
    record.length.store(reason.0.len() as u32, Ordering::Relaxed);
    // Last, and after all of it: a reset may come in between.
    record.magic.store(MAGIC, Ordering::Release);
}

impl Reason {
    /// Appends what there is room for.
    fn push(&mut self, bytes: &[u8]) {
        for byte in bytes {
            // What is longer is cut.
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
