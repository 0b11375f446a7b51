//! The contents of a simulated board's memory, both for the library on the simulated bus and for the emulated board.

use crate::random::Random;
use picovd::volume::Memory;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

/// First address of the ROM (RP2350 datasheet 2.2.1).
pub const ROM_BASE: u32 = 0x0000_0000;
/// Length of the ROM.
pub const ROM_LENGTH: usize = 32 * 1024;
/// First address of flash, cached and translated (datasheet 2.2.2).
pub const XIP_BASE: u32 = 0x1000_0000;
/// Length of the flash window of one chip select.
pub const XIP_LENGTH: u32 = 16 * 1024 * 1024;
/// First address of SRAM (datasheet 2.2.3).
pub const SRAM_BASE: u32 = 0x2000_0000;
/// Length of SRAM with both scratch banks.
pub const SRAM_LENGTH: usize = 520 * 1024;

/// The contents of a board's memories.
#[derive(Clone, Debug)]
pub struct Contents {
    /// The bootrom's image.
    pub rom: Vec<u8>,
    /// The contents of flash; their length is the chip's.
    pub flash: Vec<u8>,
    /// SRAM as it is when the host reads it.
    pub sram: Vec<u8>,
}

impl Contents {
    /// A board with a flash chip of `flash_length` bytes and memories filled with reproducible noise, so that every byte
    /// can be traced to its address. The last quarter of flash is erased.
    #[must_use]
    pub fn noise(flash_length: usize) -> Self {
        let mut flash = noise(2, flash_length);
        let erased = flash_length - flash_length / 4;
        if let Some(tail) = flash.get_mut(erased..) {
            tail.fill(0xFF);
        }
        Self { rom: noise(1, ROM_LENGTH), flash, sram: noise(3, SRAM_LENGTH) }
    }

    /// The byte at `address`, or `None` if the board has no memory there. All four aliases of flash show it.
    #[must_use]
    pub fn byte(&self, address: u32) -> Option<u8> {
        let within = |bytes: &[u8], base: u32| address.checked_sub(base).and_then(|at| bytes.get(at as usize).copied());
        match address >> 28 {
            0x0 => within(&self.rom, ROM_BASE),
            // XIP and its uncached, untranslated aliases: 64 MiB each (datasheet 4.4.1). A chip that is shorter than the
            // window is repeated.
            0x1 => {
                let offset = address % 0x0400_0000 % XIP_LENGTH;
                self.flash.get(offset as usize % self.flash.len().max(1)).copied()
            }
            0x2 => within(&self.sram, SRAM_BASE),
            _ => None,
        }
    }
}

fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    Random::new(seed).fill(&mut bytes);
    bytes
}

/// A board's memory as the library sees it. Clones show the same memory.
#[derive(Clone, Debug)]
pub struct SharedMemory {
    contents: Arc<Mutex<Contents>>,
    /// Offsets in flash that read as zeros.
    hidden: Arc<Mutex<Range<usize>>>,
}

impl SharedMemory {
    /// Memory that holds `contents`.
    #[must_use]
    pub fn new(contents: Contents) -> Self {
        Self { contents: Arc::new(Mutex::new(contents)), hidden: Arc::default() }
    }

    /// Reads or changes the contents.
    ///
    /// # Panics
    ///
    /// After a panic of another thread that was using them.
    pub fn with<R>(&self, work: impl FnOnce(&mut Contents) -> R) -> R {
        work(&mut self.contents.lock().expect("no thread panicked while it held the memory"))
    }
}

impl SharedMemory {
    /// Hides a range of offsets in flash from the library, as the chip does.
    pub(crate) fn hide(&self, range: Range<usize>) {
        *self.hidden.lock().unwrap_or_else(PoisonError::into_inner) = range;
    }
}

impl Memory for SharedMemory {
    /// Panics where the chip would raise a bus fault: at a window that a manifest must not allow.
    fn read(&self, address: u32, out: &mut [u8]) {
        self.with(|contents| {
            for (index, byte) in out.iter_mut().enumerate() {
                let at = address.wrapping_add(index as u32);
                *byte = contents.byte(at).unwrap_or_else(|| panic!("bus fault: nothing at {at:#010x}"));
            }
        });
        let hidden = self.hidden.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if address >> 28 == 1 && !hidden.is_empty() {
            let first = (address % 0x0400_0000) as usize;
            let at = |place: usize| place.saturating_sub(first).min(out.len());
            let hidden = at(hidden.start)..at(hidden.end);
            out[hidden].fill(0);
        }
    }

    fn flash_offset(&self, address: u32) -> Option<u32> {
        picovd::chip::address_map::flash_offset(address)
    }
}
