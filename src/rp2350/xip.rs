//! Flash for a program that the bootrom has loaded into SRAM: nobody has connected it yet.

use super::rom::rom;

/// bootrom_xip_mode_t of flash_select_xip_read_mode (section 5.4.8.13): 03h, serial read, which every flash chip knows.
const SERIAL_READ: u8 = 0;

/// Divides the system clock of 150 MHz: 37.5 MHz, within what the slowest chips take for 03h.
const CLOCK_DIVIDER: u8 = 4;

/// Makes flash readable, as a start from flash leaves it.
///
/// For a program that runs from SRAM: one that runs from flash would lose the ground under its feet.
pub fn connect() {
    rom(|rom| rom.connect_flash(SERIAL_READ, CLOCK_DIVIDER));
}
