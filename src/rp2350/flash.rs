//! The settings' sectors in the flash chip, written with the bootrom's checked call (section 5.4.8.9).
//!
//! While the flash chip erases or programs, it cannot be read: interrupts are masked on this core, the other core is parked
//! ([`park`]), and only code in RAM and ROM runs. That takes 45 to 400 ms for an erase, and 1 to 3 ms for a page. The USB
//! controller answers NAK by itself; a watchdog's timeout must be longer. A DMA transfer that reads flash gets a bus error,
//! so the application has to stop its own before settings are saved.

use super::memory::{RawMemory, translate};
use super::{boot_info, park, partitions, rom_table, xip};
use crate::chip::address_map::{SRAM, STORAGE, XIP_BASE};
use crate::settings::nor_flash::{ErrorType, MultiwriteNorFlash, NorFlash, ReadNorFlash};
use crate::settings::{FlashError, PAGE_LENGTH, SECTOR_LENGTH};
use crate::volume::Memory;
use core::mem::transmute;
use core::sync::atomic::{Ordering, compiler_fence};
use cortex_m::asm;
use rp235x_pac as pac;

/// Where the bootrom stores the function that sets up fast reading of flash, at most 256 bytes (section 4.3).
const BOOT_RAM: *const u32 = 0x400E_0000 as *const u32;
/// Cache maintenance: cleaning by set and way, at addresses that do not leave a line with a valid tag (section 4.4.1,
/// erratum RP2350-E11).
const CLEAN: *mut u8 = 0x1BFF_C001 as *mut u8;
const CACHE_LENGTH: usize = 16 << 10;
const LINE_LENGTH: usize = 8;

/// flash_op's flags: erase or program storage addresses with Secure permissions.
const ERASE: u32 = 0x0000_0100;
const PROGRAM: u32 = 0x0001_0100;

const OK: i32 = 0;
/// BOOTROM_ERROR_LOCK_REQUIRED: bootrom locks are in use, and the other core has taken this one (section 5.4.4).
const LOCK_REQUIRED: i32 = -19;

/// The flash chip that stores settings, by storage address. The program's own sectors are never written; all others can be,
/// if the partition table permits it.
///
/// Nothing prevents two stores for the same sectors: the stick creates only one.
#[derive(Debug)]
pub struct SettingsFlash {
    length: u32,
}

impl SettingsFlash {
    /// A chip of `length` bytes. Takes 3264 bytes of stack once.
    ///
    /// `None` if the chip turns out to be shorter, or if the program runs from SRAM: then flash may not be connected, or
    /// may contain the settings of another program.
    #[must_use]
    pub fn new(length: u32) -> Option<Self> {
        // A shorter chip ignores the upper bits of an address: the settings' sectors would overlap the program.
        if xip::runs_from_sram() || boot_info::flash(length).is_some() {
            return None;
        }
        // Until then flash_op permits nothing (section 5.1.3). If this fails, flash_op will report it.
        let _ = partitions::load();
        Some(Self { length: length.min(STORAGE.end - STORAGE.start) })
    }

    /// Erases a sector, or programs a page, at a storage address.
    fn operate(&mut self, flags: u32, place: u32, length: u32, page: *const u8) -> Result<(), FlashError> {
        if !place.is_multiple_of(length) || place >= self.length || is_program(place) {
            return Err(FlashError::Refused);
        }
        cortex_m::interrupt::free(|_| {
            // Released at the end of this function.
            let _parked = park::other_core().ok_or(FlashError::OtherCore)?;
            // flash_op takes storage addresses, to which the translation of section 5.1.19 does not apply.
            let address = XIP_BASE + place;
            // SAFETY: interrupts are masked and the other core does not access flash; the program is not at this address,
            // and flash_op checks the address. `page` is null, which an erase ignores, or a whole page in RAM.
            match unsafe { call_flash_op(flags, address, length, page) } {
                OK => Ok(()),
                LOCK_REQUIRED => Err(FlashError::OtherCore),
                _ => Err(FlashError::Refused),
            }
        })
    }
}

impl ErrorType for SettingsFlash {
    type Error = FlashError;
}

impl ReadNorFlash for SettingsFlash {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), FlashError> {
        if bytes.len() > self.length.saturating_sub(offset) as usize {
            return Err(FlashError::Refused);
        }
        RawMemory.read(STORAGE.start + offset, bytes);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.length as usize
    }
}

impl NorFlash for SettingsFlash {
    const WRITE_SIZE: usize = PAGE_LENGTH;
    const ERASE_SIZE: usize = SECTOR_LENGTH as usize;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), FlashError> {
        if !to.is_multiple_of(SECTOR_LENGTH) {
            return Err(FlashError::Refused);
        }
        (from..to)
            .step_by(Self::ERASE_SIZE)
            .try_for_each(|place| self.operate(ERASE, place, SECTOR_LENGTH, core::ptr::null()))
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), FlashError> {
        let (pages, rest) = bytes.as_chunks::<PAGE_LENGTH>();
        // The bootrom reads them while flash cannot be read, so they must be in RAM.
        if !rest.is_empty() || bytes.as_ptr().addr() < SRAM.start as usize {
            return Err(FlashError::Refused);
        }
        (offset..)
            .step_by(PAGE_LENGTH)
            .zip(pages)
            .try_for_each(|(place, page)| self.operate(PROGRAM, place, PAGE_LENGTH as u32, page.as_ptr()))
    }
}

/// A page is programmed bit by bit.
impl MultiwriteNorFlash for SettingsFlash {}

unsafe extern "C" {
    /// Where the initial values of variables are in flash: the last part that the program loads from there (cortex-m-rt's
    /// link.x).
    static __sidata: u8;
    static __sdata: u8;
    static __edata: u8;
}

/// Whether the sector of flash that contains storage address `place` contains part of the program.
fn is_program(place: u32) -> bool {
    let sector = place / SECTOR_LENGTH * SECTOR_LENGTH;
    let variables = (&raw const __edata).addr() - (&raw const __sdata).addr();
    let end = ((&raw const __sidata).addr() + variables) as u32 - XIP_BASE;
    let mut offset = 0;
    while offset < end {
        let (storage, length) = translate(offset);
        if storage.is_some_and(|first| sector < first + length.min(end - offset) && first < sector + SECTOR_LENGTH) {
            return true;
        }
        offset += length;
    }
    false
}

/// The functions of the sequence in section 5.4.8.9, looked up before flash becomes inaccessible.
struct Calls {
    connect_internal_flash: unsafe extern "C" fn(),
    flash_exit_xip: unsafe extern "C" fn(),
    flash_op: unsafe extern "C" fn(u32, u32, u32, *mut u8) -> i32,
    flash_flush_cache: unsafe extern "C" fn(),
    set_up_xip: unsafe extern "C" fn(),
}

/// Erases or programs, and restores fast reading of flash. Returns what flash_op returned.
///
/// # Safety
///
/// Interrupts are masked and nothing else reads flash during the call. `page` is valid for reads of `length` bytes of RAM,
/// or null for an erase.
unsafe fn call_flash_op(flags: u32, address: u32, length: u32, page: *const u8) -> i32 {
    // Boot RAM is not executable (section 4.3), and the function changes how flash is read.
    let mut set_up_xip = [0u32; 64];
    for (n, word) in set_up_xip.iter_mut().enumerate() {
        // SAFETY: boot RAM has 1 KiB, readable by Secure code, and only the program itself changes this part of it.
        *word = unsafe { BOOT_RAM.add(n).read_volatile() };
    }
    // The words must be written before they are executed: the compiler sees only a call by address, and the core has a
    // pipeline.
    compiler_fence(Ordering::SeqCst);
    asm::dsb();
    asm::isb();
    let calls = Calls {
        connect_internal_flash: rom_table::connect_internal_flash(),
        flash_exit_xip: rom_table::flash_exit_xip(),
        flash_op: rom_table::flash_op(),
        flash_flush_cache: rom_table::flash_flush_cache(),
        // SAFETY: the words are a function without arguments and result in Thumb code, and it may be located anywhere
        // (section 5.4.8.9, "copy the XIP setup function from boot RAM to SRAM and execute it"). They outlive the call.
        set_up_xip: unsafe { transmute::<usize, unsafe extern "C" fn()>(set_up_xip.as_ptr().addr() | 1) },
    };
    clean_cache();
    // SAFETY: as the caller promises; the functions are the bootrom's.
    let result = unsafe { operate_from_ram(&calls, flags, address, length, page.cast_mut()) };
    core::hint::black_box(&mut set_up_xip);
    result
}

/// Writes back what the cache contains for a RAM at the second chip select: flash_flush_cache would discard it.
fn clean_cache() {
    // SAFETY: reading the register has no side effect.
    let writable = unsafe { (*pac::XIP_CTRL::ptr()).ctrl().read() };
    if writable.writable_m0().bit() || writable.writable_m1().bit() {
        for line in (0..CACHE_LENGTH).step_by(LINE_LENGTH) {
            // SAFETY: within the window for cache maintenance, which contains no data; a clean line does not change.
            unsafe { CLEAN.add(line).write_volatile(0) };
        }
    }
}

/// Registers that connect_internal_flash and flash_exit_xip set to their defaults, and that the function in boot RAM does
/// not restore completely: the pads (section 9.11.4), and how the second chip select is read (sections 12.14.6).
const KEPT: [*mut u32; 9] = [
    0x4004_0004 as *mut u32,
    0x4004_0008 as *mut u32,
    0x4004_000C as *mut u32,
    0x4004_0010 as *mut u32,
    0x4004_0014 as *mut u32,
    0x4004_0018 as *mut u32,
    0x400D_0020 as *mut u32,
    0x400D_0024 as *mut u32,
    0x400D_0028 as *mut u32,
];

/// The part that is in RAM: flash cannot be read between the first call and the last.
///
/// # Safety
///
/// As for [`call_flash_op`].
#[inline(never)]
#[unsafe(link_section = ".data.picovd_flash_op")]
unsafe extern "C" fn operate_from_ram(calls: &Calls, flags: u32, address: u32, length: u32, page: *mut u8) -> i32 {
    // Copied to RAM, because a constant would be in flash.
    let kept: [*mut u32; 9] = core::hint::black_box(KEPT);
    let mut values = [0u32; 9];
    // SAFETY: the registers exist and contain only configuration; the calls are in the order of section 5.4.8.9, and
    // nothing else reads flash meanwhile.
    unsafe {
        for (value, register) in values.iter_mut().zip(&kept) {
            (&raw mut *value).write_volatile(register.read_volatile());
        }
        (calls.connect_internal_flash)();
        (calls.flash_exit_xip)();
        let result = (calls.flash_op)(flags, address, length, page);
        (calls.flash_flush_cache)();
        (calls.set_up_xip)();
        for (value, register) in values.iter_mut().zip(&kept) {
            register.write_volatile((&raw const *value).read_volatile());
        }
        result
    }
}
