//! The address map (RP2350 datasheet 2.2): where ROM, flash and SRAM are.

use core::ops::Range;

/// Bits 28 to 31 of an address in the boot ROM.
pub const ROM_REGION: u32 = 0;
/// Bits 28 to 31 of an address in one of the windows that show flash.
pub const XIP_REGION: u32 = 1;
/// Bits 28 to 31 of an address in SRAM.
pub const SRAM_REGION: u32 = 2;

/// Flash at cached, translated addresses, where programs run (4.4.1).
pub const XIP_BASE: u32 = 0x1000_0000;
/// Each window of this length shows flash again: cached, uncached, for cache maintenance, uncached and untranslated.
pub const XIP_WINDOW: u32 = 0x0400_0000;
/// Number of the window for cache maintenance, which contains no data.
pub const XIP_MAINTENANCE: u32 = 2;
/// Number of the window without address translation.
pub const XIP_UNTRANSLATED: u32 = 3;
/// Length in bytes of the part of flash that one register of QMI translates (12.14.4).
pub const TRANSLATED: u32 = 4 << 20;
/// Maximum length in bytes of flash at one chip select.
pub const CHIP_SELECT: u32 = 16 << 20;

/// The boot ROM (4.1).
pub const ROM: Range<u32> = 0..0x8000;
/// Flash at the first chip select by storage address, uncached and untranslated.
pub const STORAGE: Range<u32> = STORAGE_BASE..STORAGE_BASE + CHIP_SELECT;
/// Its first address.
pub const STORAGE_BASE: u32 = XIP_BASE + XIP_UNTRANSLATED * XIP_WINDOW;
/// SRAM: eight striped banks, then two small ones (2.2.3).
pub const SRAM: Range<u32> = 0x2000_0000..0x2008_2000;

/// Offset in bytes of an address in its flash window; `None` if the address is not in flash.
#[must_use]
pub const fn flash_offset(address: u32) -> Option<u32> {
    if address >> 28 == XIP_REGION { Some(address % XIP_WINDOW) } else { None }
}
