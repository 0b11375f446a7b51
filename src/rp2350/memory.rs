//! The chip's address space as files show it: without what may be secret.
//!
//! What is hidden depends on where bytes are, not on who has written them. In flash, the storage address decides: addresses
//! in a window with translation are translated first (section 12.14.4), and read as zeros where the translation ends.
//! Sectors with records of settings are hidden in every program, since a program without settings may have replaced one
//! with settings. In RAM, a program with settings shows only its variables: see [`show_variables`].

pub(super) use super::processor::copy_words;
use super::processor::load_byte;
use crate::chip::address_map::{
    CHIP_SELECT, ROM, ROM_REGION, SRAM, SRAM_REGION, STORAGE, TRANSLATED, XIP_MAINTENANCE, XIP_REGION,
    XIP_UNTRANSLATED, XIP_WINDOW, flash_offset,
};
use crate::settings::{
    Configured, HEADER_LENGTH, PAGE_LENGTH, RECORD_START, SECTOR_LENGTH, STACKS, Settings, record_pages,
};
use crate::volume::Memory;
use crate::volume::layout::Redactions;
use core::ops::Range;
use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering};
use rp235x_pac as pac;
use static_cell::StaticCell;

/// Everything that the core can read and that is not hidden. Zeros until a [`Stick`](super::Stick) has been created.
///
/// The manifest's ranges are checked when the firmware is built.
#[derive(Clone, Copy, Debug)]
pub struct AddressSpace;

/// All of ROM, SRAM and flash by storage address ([`STORAGE`]), for code that does not show it to hosts. Zeros elsewhere.
#[derive(Clone, Copy, Debug)]
pub(super) struct RawMemory;

/// What is hidden.
struct Guard {
    /// Ranges of flash, by storage address.
    redacted: Redactions<'static>,
    /// The settings' sectors, which may be elsewhere than the manifest's redactions say; empty without settings.
    store: Range<u32>,
    /// Length of flash in bytes.
    flash: u32,
    /// How RAM is read in programs with settings.
    ram: Option<Read>,
}

type Read = fn(u32, &mut [u8]);

/// Set once, before the stick appears on the bus. Stored with release and loaded with acquire, so that either core sees the
/// guard's contents.
static GUARD: AtomicPtr<Guard> = AtomicPtr::new(core::ptr::null_mut());

/// Offset in QMI of the first register for address translation of flash (section 12.14.4).
const ATRANS0: usize = 0x34;

impl Memory for AddressSpace {
    #[inline]
    fn read(&self, address: u32, out: &mut [u8]) {
        // SAFETY: the pointer is null, or a guard that is never freed or changed.
        let Some(guard) = (unsafe { GUARD.load(Ordering::Acquire).as_ref() }) else {
            out.fill(0);
            return;
        };
        match (address >> 28, guard.ram) {
            (XIP_REGION, _) => read_flash(guard, address, out),
            (SRAM_REGION, Some(read)) => read(address, out),
            (ROM_REGION | SRAM_REGION, _) => RawMemory.read(address, out),
            // Registers, the USB controller's buffers, the boot RAM.
            _ => out.fill(0),
        }
    }

    fn flash_offset(&self, address: u32) -> Option<u32> {
        flash_offset(address)
    }
}

impl Memory for RawMemory {
    fn read(&self, address: u32, out: &mut [u8]) {
        let range = match address >> 28 {
            ROM_REGION => ROM,
            XIP_REGION => STORAGE,
            SRAM_REGION => SRAM,
            _ => 0..0,
        };
        // SAFETY: the core can read all of these ranges without side effects.
        unsafe { read_within(&range, address, out) };
    }
}

/// Reads any number of bytes.
///
/// # Safety
///
/// The core can read all of them without side effects.
// Not inlined, because a call is shorter.
#[inline(never)]
unsafe fn read_all(address: u32, out: &mut [u8]) {
    let words = out.len() / BLOCK * BLOCK;
    if words != 0 && address.is_multiple_of(4) && out.as_ptr().addr().is_multiple_of(4) {
        // SAFETY: `out` is valid for writes of `words` bytes, a multiple of 32 and not 0, and word-aligned like `address`, which
        // is as the caller promises. It may be address 0, which no Rust reference can name; asm may read it.
        unsafe { copy_words(address as usize, out.as_mut_ptr().cast(), words) };
        if let Some(rest) = out.get_mut(words..).filter(|rest| !rest.is_empty()) {
            // SAFETY: as the caller promises.
            unsafe { copy_bytes(address.wrapping_add(words as u32), rest) };
        }
    } else {
        // SAFETY: as the caller promises.
        unsafe { copy_bytes(address, out) };
    }
}

/// Sets what is hidden from now on: `redacted` ranges of flash, everything beyond the `flash` bytes of the chip, records of
/// settings, and, if there are `settings`, everything in RAM that may contain their secrets. To be called once, before
/// secrets are read.
pub(super) fn hide<S: Configured<'static>>(settings: S, redacted: Redactions<'static>, flash: u32) {
    static ROOM: StaticCell<Guard> = StaticCell::new();
    let ram = settings.settings().map(guard_ram);
    let store = settings.settings().map_or(0..0, |settings| {
        let plan = settings.plan();
        plan.start..plan.start.saturating_add(u32::from(plan.sectors) * SECTOR_LENGTH)
    });
    // The second chip select is never shown.
    let flash = flash.min(CHIP_SELECT);
    if let Some(guard) = ROOM.try_init(Guard { redacted, store, flash, ram }) {
        GUARD.store(guard, Ordering::Release);
    }
}

/// How RAM is read in programs with settings.
fn guard_ram(settings: &Settings<'_>) -> Read {
    if settings.plan().show_stacks {
        return show_stacks;
    }
    let shown = variables();
    STACKS.watch(shown.start as usize..shown.end as usize);
    show_variables
}

unsafe extern "C" {
    /// Start of the variables that files may show; the section `.settings` follows the last of them (memory.x).
    static __picovd_shown_start: u8;
    static __settings_start: u8;
    static __settings_end: u8;
}

/// The variables except those that may contain secrets: `.data` and `.bss`.
fn variables() -> Range<u32> {
    (&raw const __picovd_shown_start).addr() as u32..(&raw const __settings_start).addr() as u32
}

/// Reads the variables, and zeros elsewhere: no stack is shown, nor anything that a previous program has left in
/// uninitialized memory. Once settings were handled on a stack that is one of the variables, nothing at all is shown.
fn show_variables(address: u32, out: &mut [u8]) {
    // SAFETY: the linker puts variables into SRAM.
    unsafe { read_within(&variables(), address, out) };
    if STACKS.are_exposed() {
        out.fill(0);
    }
}

/// Reads everything except the section `.settings`.
fn show_stacks(address: u32, out: &mut [u8]) {
    let before = variables().end.saturating_sub(address) as usize;
    let (shown, rest) = split(out, before);
    RawMemory.read(address, shown);
    let after = (&raw const __settings_end).addr() as u32..SRAM.end;
    // SAFETY: the linker puts the section into SRAM.
    unsafe { read_within(&after, address.wrapping_add(before as u32), rest) };
}

/// Reads the part of `shown` at an address, and zeros elsewhere.
///
/// # Safety
///
/// The core can read all of `shown` without side effects.
unsafe fn read_within(shown: &Range<u32>, address: u32, out: &mut [u8]) {
    let at = |place: u32| (place.saturating_sub(address) as usize).min(out.len());
    let (first, end) = (at(shown.start), at(shown.end));
    let (head, rest) = split(out, first);
    let (part, tail) = split(rest, end.saturating_sub(first));
    head.fill(0);
    tail.fill(0);
    if !part.is_empty() {
        // SAFETY: the part is within `shown`, see there.
        unsafe { read_all(address.wrapping_add(first as u32), part) };
    }
}

/// Splits off the first `first` bytes, or all if there are fewer.
fn split(out: &mut [u8], first: usize) -> (&mut [u8], &mut [u8]) {
    let first = first.min(out.len());
    out.split_at_mut_checked(first).unwrap_or_default()
}

/// Reads flash through any of its windows.
fn read_flash(guard: &Guard, address: u32, out: &mut [u8]) {
    let alias = address / XIP_WINDOW % 4;
    let mut offset = address % XIP_WINDOW;
    let mut rest = out;
    while !rest.is_empty() {
        let (storage, most) = match alias {
            XIP_UNTRANSLATED => (Some(offset), XIP_WINDOW - offset % XIP_WINDOW),
            XIP_MAINTENANCE => (None, u32::MAX),
            _ => translate(offset),
        };
        let storage = storage.filter(|place| *place < guard.flash);
        let most = storage.map_or(most, |place| most.min(guard.flash - place));
        let (part, later) = split(rest, most as usize);
        match storage {
            Some(place) => read_storage(guard, place, part),
            None => part.fill(0),
        }
        offset = offset.saturating_add(part.len() as u32);
        rest = later;
    }
}

/// Translates an offset from XIP_BASE to an offset in flash, if there is one there, and for how many bytes that is valid
/// (section 12.14.4). Access to an address that is not translated would be a bus fault.
pub(super) fn translate(offset: u32) -> (Option<u32>, u32) {
    let within = offset % TRANSLATED;
    // Four registers: the following ones are for the second chip select, which is never shown.
    let register = pac::QMI::ptr().addr() + ATRANS0 + (offset / TRANSLATED % 4) as usize * 4;
    // SAFETY: an aligned register of QMI; reading it has no side effect.
    let window = unsafe { (register as *const u32).read_volatile() };
    // BASE and SIZE count sectors.
    let (base, size) = ((window & 0xFFF) * SECTOR_LENGTH, (window >> 16 & 0x7FF) * SECTOR_LENGTH);
    let length = size.min(TRANSLATED);
    if offset < CHIP_SELECT && within < length {
        let storage = base.wrapping_add(within) % CHIP_SELECT;
        (Some(storage), (length - within).min(CHIP_SELECT - storage))
    } else {
        (None, TRANSLATED - within)
    }
}

/// Reads flash by storage address, which must be within the chip.
fn read_storage(guard: &Guard, place: u32, out: &mut [u8]) {
    RawMemory.read(STORAGE.start.wrapping_add(place), out);
    for range in guard.redacted.iter() {
        blank(&(range.start..range.end), place, out);
    }
    blank(&guard.store, place, out);
    let mut sector = place / SECTOR_LENGTH * SECTOR_LENGTH;
    while sector < place.saturating_add(out.len() as u32) {
        if holds_records(sector) {
            blank(&(sector..sector + SECTOR_LENGTH), place, out);
        }
        sector += SECTOR_LENGTH;
    }
}

/// Overwrites the part of `range` that is in `out`, which begins at `start`.
fn blank(range: &Range<u32>, start: u32, out: &mut [u8]) {
    let at = |place: u32| (place.saturating_sub(start) as usize).min(out.len());
    let hidden = at(range.start)..at(range.end);
    out.get_mut(hidden).unwrap_or_default().fill(0);
}

/// The sector that was checked last, with whether it contains records in the lowest bit. The initial value is no sector's
/// number. Since it is a single word, it is loaded and stored relaxed: a core that sees an older value checks again.
static LOOKED: AtomicU32 = AtomicU32::new(u32::MAX);

/// Whether a sector of flash contains a record of settings, from any firmware: then the whole sector is hidden, including
/// remains of records whose start was lost. Hosts read sequentially, so the last answer is cached. Only
/// [`SettingsFlash`](super::SettingsFlash) can add a record to a sector, and it is redacted.
fn holds_records(sector: u32) -> bool {
    let looked = LOOKED.load(Ordering::Relaxed);
    if looked & !1 == sector {
        return looked & 1 != 0;
    }
    let holds = (0..SECTOR_LENGTH).step_by(PAGE_LENGTH).any(|page| {
        let address = STORAGE.start.wrapping_add(sector).wrapping_add(page);
        // SAFETY: a byte of flash within the chip; reading it has no side effect. Each read takes a transfer from the flash
        // chip, and for most pages this one is enough.
        if unsafe { load_byte(address) } != RECORD_START {
            return false;
        }
        let mut start = [0; HEADER_LENGTH];
        RawMemory.read(address, &mut start);
        record_pages(&start).is_some()
    });
    LOOKED.store(sector | u32::from(holds), Ordering::Relaxed);
    holds
}

/// Number of bytes that [`copy_words`] copies at a time.
const BLOCK: usize = 32;

/// # Safety
///
/// As for [`read_all`].
#[inline(never)]
unsafe fn copy_bytes(from: u32, out: &mut [u8]) {
    let mut address = from;
    for byte in out {
        // SAFETY: as the caller promises.
        *byte = unsafe { load_byte(address) };
        address = address.wrapping_add(1);
    }
}
