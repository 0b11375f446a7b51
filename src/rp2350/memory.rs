//! The chip's address space, read for memory windows.

pub(super) use super::processor::copy_words;
use super::processor::load_byte;
use crate::settings::Configured;
use crate::settings::SECTOR_LENGTH;
use crate::volume::Memory;

/// Everything that the core can read. What a manifest may show of it is checked when the firmware is built.
#[derive(Clone, Copy, Debug)]
pub struct AddressSpace;

impl Memory for AddressSpace {
    #[inline]
    fn read(&self, address: u32, out: &mut [u8]) {
        let words = out.len() / BLOCK * BLOCK;
        if words != 0 && address.is_multiple_of(4) && out.as_ptr().addr().is_multiple_of(4) {
            // SAFETY: `out` is valid for writes of `words` bytes, a multiple of 32 and not 0, and word-aligned like
            // `address`. Reading `address` has no side effect: the manifest allows ROM (section 4.1), XIP (section 4.4) and
            // SRAM (section 4.2) only. It may be address 0, which no Rust reference can name; asm may read it.
            unsafe { copy_words(address as usize, out.as_mut_ptr().cast(), words) };
            if let Some(rest) = out.get_mut(words..).filter(|rest| !rest.is_empty()) {
                copy_bytes(address.wrapping_add(words as u32), rest);
            }
        } else {
            copy_bytes(address, out);
        }
    }
}

unsafe extern "C" {
    /// Begin and end of the linker section `.settings` (memory.x, which has it where the manifest has sectors for settings).
    static __settings_start: u8;
    static __settings_end: u8;
}

/// The same without what may be a secret: the linker section `.settings` and the settings' sectors, through every alias of flash
/// (section 4.4.1), read as zeros.
#[derive(Clone, Copy, Debug)]
pub struct Guarded<S>(pub S);

impl<S: Configured<'static>> Memory for Guarded<S> {
    fn read(&self, address: u32, out: &mut [u8]) {
        AddressSpace.read(address, out);
        let Some(settings) = self.0.settings() else { return };
        let room = (&raw const __settings_start).addr() as u32..(&raw const __settings_end).addr() as u32;
        hide(room, address, out);
        if address >> 28 == 1 {
            let plan = settings.plan();
            let sectors = plan.start..plan.start + u32::from(plan.sectors) * SECTOR_LENGTH;
            hide(sectors, address % XIP_ALIAS, out);
        }
    }
}

/// Length of the aliases of flash.
const XIP_ALIAS: u32 = 0x0400_0000;

/// Overwrites what of `range` stands in `out`, which begins at `start`.
fn hide(range: core::ops::Range<u32>, start: u32, out: &mut [u8]) {
    let end = start.saturating_add(out.len() as u32);
    if range.start < end && start < range.end {
        let first = range.start.saturating_sub(start) as usize;
        let last = range.end.min(end).saturating_sub(start) as usize;
        out.get_mut(first..last).unwrap_or_default().fill(0);
    }
}

/// Bytes that [`copy_words`] moves at a time.
const BLOCK: usize = 32;

#[inline(never)]
fn copy_bytes(from: u32, out: &mut [u8]) {
    let mut address = from;
    for byte in out {
        // SAFETY: reads one byte, without side effect, of an address that the manifest allows (see `read`).
        *byte = unsafe { load_byte(address) };
        address = address.wrapping_add(1);
    }
}
