//! Flash in a program that the bootrom has loaded into SRAM, where it is not connected at the start.

use super::rom::rom;
use crate::chip::address_map::SRAM;

/// bootrom_xip_mode_t of flash_select_xip_read_mode (section 5.4.8.13): 03h, serial read, which every flash chip supports.
const SERIAL_READ: u8 = 0;

/// Divides the system clock of 150 MHz: 37.5 MHz, which even the slowest chips support for 03h.
const CLOCK_DIVIDER: u8 = 4;

/// Makes flash readable, as it is after a start from flash. Does nothing in a program that runs from flash, which could not
/// fetch its next instruction.
pub(super) fn connect() {
    if runs_from_sram() {
        rom(|rom| rom.connect_flash(SERIAL_READ, CLOCK_DIVIDER));
    }
}

/// Whether the program was loaded into SRAM, judging by the location of this function.
pub(super) fn runs_from_sram() -> bool {
    let here: fn() -> bool = runs_from_sram;
    here as usize >= SRAM.start as usize
}
