//! Flash by address (RP2350 datasheet 4.4): the window's aliases, address translation, the cache, and how the chip is read.

use super::super::engine::{Bus, Halt};
use super::super::registers::{Storage, register};
use super::{SRAM_BASE, System};

const XIP_BASE: u32 = 0x1000_0000;
/// One chip select's window.
const XIP_WINDOW: u32 = 0x0100_0000;

/// QMI's registers for reading from the first chip select.
const M0_TIMING: u32 = 0x0C;
const M0_RFMT: u32 = 0x10;
pub(crate) const M0_RCMD: u32 = 0x14;
/// The same for the second.
const M1: [u32; 3] = [0x20, 0x24, 0x28];
/// How the boot ROM sets up reading: timing, format and command of a quad read.
const FAST: [u32; 3] = [0x6000_7203, 0x0002_82A8 & 0x1007_D3FF, 0x00EB];
/// How flash_exit_xip sets it up: the command 03h, slowly.
const SLOW: [u32; 3] = [0x6000_700C, 0x1000, 0xA003];

/// The function that the boot ROM leaves in boot RAM to restore [`FAST`]: `ldr r0, [pc, #16]`, `ldr` and `str` of three
/// words, `bx lr`, and the words.
pub(crate) const XIP_SETUP: [u32; 8] = [
    0x4904_4803, // ldr r0, [pc, #12]; ldr r1, [pc, #16]
    0x4904_60C1, // str r1, [r0, #12]; ldr r1, [pc, #16]
    0x4904_6101, // str r1, [r0, #16]; ldr r1, [pc, #16]
    0x4770_6141, // str r1, [r0, #20]; bx lr
    0x400D_0000,
    FAST[0],
    FAST[1],
    FAST[2],
];

/// Whether an address is in flash, in any alias.
#[inline]
pub(super) fn is_flash(address: u32) -> bool {
    (XIP_BASE..SRAM_BASE).contains(&address)
}

/// Whether an address is in the cached window: the first alias (section 4.4.1).
#[inline]
fn is_cached(address: u32) -> bool {
    address >> 26 & 3 == 0
}

/// QMI's registers, as after a reset.
pub(super) fn qmi() -> Storage {
    let windows = [0x0C, 0x20].into_iter().flat_map(|at| {
        [
            register(at, 0x4000_0004, 0xF3FF_F7FF),
            register(at + 4, 0x1000, 0x1007_D3FF),
            register(at + 8, 0xA003, 0xFFFF),
            register(at + 12, 0x1000, 0x1007_D3FF),
            register(at + 16, 0xA002, 0xFFFF),
        ]
    });
    let translations = (0..8).map(|n| register(0x34 + 4 * n, 0x0400_0000 | (n & 3) << 10, 0x07FF_0FFF));
    Storage::new(windows.chain(translations))
}

impl System {
    /// Flash is read in the fast mode that the boot ROM has detected.
    pub(super) fn read_fast(&mut self) {
        for (at, word) in [M0_TIMING, M0_RFMT, M0_RCMD].into_iter().zip(FAST) {
            self.qmi.preset(at, word);
        }
    }

    /// Flash is read with serial commands, slowly, and so is the second chip select.
    pub(super) fn read_slowly(&mut self) {
        for (n, word) in SLOW.into_iter().enumerate() {
            self.qmi.preset(M0_TIMING + 4 * n as u32, word);
            self.qmi.preset(M1[n], word);
        }
    }

    /// Whether flash is read in the mode that the boot ROM has set up.
    #[must_use]
    pub fn reads_fast(&self) -> bool {
        !self.serial && [M0_TIMING, M0_RFMT, M0_RCMD].map(|at| self.qmi.value(at)) == FAST
    }

    /// Translates addresses like the boot ROM for an image in a partition: windows of 4 MiB for its length, and nothing
    /// after it (sections 5.1.19 and 12.14.4).
    pub(crate) fn translate(&mut self, partition: &std::ops::Range<u32>) {
        for (n, at) in (0x34_u32..0x44).step_by(4).enumerate() {
            let window = partition.start.saturating_add((n as u32) << 22);
            let size = partition.end.saturating_sub(window).min(1 << 22) >> 12;
            self.qmi.preset(at, size << 16 | window >> 12 & 0xFFF);
        }
        self.translated = true;
        self.code_changed();
    }

    /// Where an offset from XIP_BASE is in the chip (section 12.14.4).
    pub(super) fn translated_offset(&self, offset: u32) -> Option<u32> {
        if !self.translated {
            return Some(offset);
        }
        let window = self.qmi.value(0x34 + 4 * (offset >> 22 & 7));
        let (base, size) = (window & 0xFFF, window >> 16 & 0x7FF);
        let within = offset & 0x3F_FFFF;
        (within >> 12 < size).then(|| (base << 12).wrapping_add(within))
    }

    /// Where a read address is in the chip.
    #[inline]
    pub(super) fn xip(&mut self, address: u32, size: usize) -> Result<usize, Halt> {
        let alias = address >> 26 & 3;
        let offset = address & 0x03FF_FFFF;
        self.check_readable("read", address)?;
        if alias == 2 || offset >= XIP_WINDOW {
            return Err(self.no_xip(address));
        }
        // A short chip ignores the upper bits of its address; only code that measures its length, without translation, may
        // rely on that.
        let length = self.flash.bytes().len() as u32;
        let place = if alias == 3 { offset.checked_rem(length) } else { self.translated_offset(offset) };
        let Some(place) = place.map(|p| p as usize).filter(|p| p + size <= self.flash.bytes().len()) else {
            return Err(self.no_xip(address));
        };
        Ok(place)
    }

    /// Stops the board unless flash can be read at an address now.
    ///
    /// Neither flash_op nor the functions below it flush the cache: the program has to do so afterwards, and changes are
    /// not visible to cached accesses before (sections 5.4.8.8 to 5.4.8.10). Stricter than the chip, which returns correct
    /// data for a line that is not in the cache: which lines are cached depends on everything read before, so the flush is
    /// required before the next cached access, whatever its address.
    #[inline]
    pub(super) fn check_readable(&mut self, what: &str, address: u32) -> Result<(), Halt> {
        if !self.reachable() {
            return Err(self.no_flash(what, address));
        }
        if self.stale.is_some() && is_cached(address) {
            return Err(self.not_flushed(what, address));
        }
        Ok(())
    }

    /// Whether flash can be read now. The core that erases or programs is busy for as long as the chip is: its time is
    /// later.
    #[inline]
    fn reachable(&self) -> bool {
        self.xip_connected && self.clock.now >= self.flash_busy
    }

    #[cold]
    fn no_flash(&mut self, what: &str, address: u32) -> Halt {
        let why = if self.clock.now < self.flash_busy {
            "while the flash chip erases or programs"
        } else {
            "while flash is not connected for XIP"
        };
        let core = self.core;
        self.fail(format!("core {core}: {what} at {address:#010x} {why}"))
    }

    #[cold]
    fn not_flushed(&mut self, what: &str, address: u32) -> Halt {
        let core = self.core;
        let changed = XIP_BASE + self.stale.unwrap_or(0) as u32;
        self.fail(format!(
            "core {core}: {what} at {address:#010x} through the XIP cache, but flash has changed at {changed:#010x} and \
             flash_flush_cache was not called"
        ))
    }

    /// A write to the window for cache maintenance, whose lowest address bits select the operation (section 4.4.1).
    pub(super) fn maintain_cache(&mut self, address: u32) -> Result<(), Halt> {
        match address & 7 {
            // Clean, by set and way or by address: lines from flash are always clean. That the line may be discarded as
            // well is erratum RP2350-E11, on which a program must not rely.
            1 | 3 => Ok(()),
            operation => Err(self.fail(format!(
                "cache maintenance by a write to {address:#010x} (operation {operation}) is not modelled, flash_flush_cache is"
            ))),
        }
    }

    #[cold]
    fn no_xip(&mut self, address: u32) -> Halt {
        self.fail(format!("read at {address:#010x}, outside the flash chip"))
    }
}
