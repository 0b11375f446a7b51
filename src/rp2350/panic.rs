//! The last panic's reason, kept in RAM across the reset that follows it.

use core::mem::MaybeUninit;
use core::panic::PanicInfo;
use core::ptr::{addr_of, addr_of_mut};
use heapless::Vec;

/// Longest reason kept, in bytes of UTF-8; what is longer is cut.
pub const REASON_LENGTH: usize = 120;

const MAGIC: u32 = 0x5644_5041;

struct Record {
    magic: u32,
    length: u32,
    text: [u8; REASON_LENGTH],
}

/// Not initialized at boot (cortex-m-rt's `.uninit`), so that it outlives a reset. After a power-on it holds anything.
#[unsafe(link_section = ".uninit.PICOVD_PANIC")]
static mut RECORD: MaybeUninit<Record> = MaybeUninit::uninit();

/// Why the boot before this one ended in a panic.
#[derive(Clone, Debug, Default)]
pub struct Reason(Vec<u8, REASON_LENGTH>);

impl Reason {
    /// The panic's place and message, as far as they were kept.
    #[must_use]
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

/// Takes the reason that the last panic left; `None` when there was none since the power came on. Call it once, at boot.
#[must_use]
pub fn take_reason() -> Option<Reason> {
    let record = addr_of_mut!(RECORD).cast::<Record>();
    // SAFETY: `RECORD` is aligned and lies in RAM, where any bit pattern is a valid `u32` and a valid `u8`; volatile, since the compiler
    // takes an uninitialized static for unreadable. Nobody else runs yet: the other core is in reset, and only a panic writes here.
    unsafe {
        let magic = addr_of!((*record).magic).read_volatile();
        let length = addr_of!((*record).length).read_volatile() as usize;
        if magic != MAGIC || length > REASON_LENGTH {
            return None;
        }
        addr_of_mut!((*record).magic).write_volatile(0);
        let mut reason = Reason::default();
        // Byte by byte: the compiler would write a load for each byte of an array that is volatile.
        for kept in 0..length {
            let _ = reason.0.push(addr_of!((*record).text).cast::<u8>().add(kept).read_volatile());
        }
        Some(reason)
    }
}

/// Keeps where `info` happened, and its message where that is a plain text, for [`take_reason`] after the next reset.
///
/// Messages with values in them are left out: formatting would cost 4 KiB of flash, and may be what panicked.
pub fn keep(info: &PanicInfo<'_>) {
    let mut reason = Reason::default();
    if let Some(location) = info.location() {
        reason.push(location.file().as_bytes());
        reason.push(b":");
        reason.push_number(location.line());
        reason.push(b" ");
    }
    reason.push(info.message().as_str().unwrap_or("").as_bytes());
    let record = addr_of_mut!(RECORD).cast::<Record>();
    // SAFETY: as in `take_reason`; this core panicked and masks interrupts, so nothing else comes between.
    unsafe {
        addr_of_mut!((*record).length).write_volatile(reason.0.len() as u32);
        for (kept, byte) in reason.0.iter().enumerate() {
            addr_of_mut!((*record).text).cast::<u8>().add(kept).write_volatile(*byte);
        }
        addr_of_mut!((*record).magic).write_volatile(MAGIC);
    }
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
