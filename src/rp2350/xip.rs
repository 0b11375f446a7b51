//! Flash for a program that the bootrom has loaded into SRAM: nobody has connected it yet.

use super::rom::rom;
use crate::chip::address_map::SRAM;

/// bootrom_xip_mode_t of flash_select_xip_read_mode (section 5.4.8.13): 03h, serial read, which every flash chip knows.
const SERIAL_READ: u8 = 0;

/// Divides the system clock of 150 MHz: 37.5 MHz, within what the slowest chips take for 03h.
const CLOCK_DIVIDER: u8 = 4;

/// Makes flash readable, as a start from flash leaves it. Does nothing in a program that runs from flash: its next instruction could
/// not be fetched.
pub(super) fn connect() {
    if runs_from_sram() {
        rom(|rom| rom.connect_flash(SERIAL_READ, CLOCK_DIVIDER));
    }
}

/// Whether the program was loaded into SRAM, by where this function is.
pub(super) fn runs_from_sram() -> bool {
    let here: fn() -> bool = runs_from_sram;
    here as usize >= SRAM.start as usize
}
