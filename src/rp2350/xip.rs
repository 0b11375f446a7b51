//! Flash for a program that the bootrom has loaded into SRAM: nobody has connected it yet.

use rp235x_hal::rom_data;

/// bootrom_xip_mode_t of flash_select_xip_read_mode (section 5.4.8.13): 03h, serial read, which every flash chip knows.
const SERIAL_READ: u8 = 0;

/// Divides the system clock of 150 MHz: 37.5 MHz, within what the slowest chips take for 03h.
const CLOCK_DIVIDER: u8 = 4;

/// Makes flash readable, as a start from flash leaves it.
///
/// For a program that runs from SRAM: one that runs from flash would lose the ground under its feet.
pub fn connect() {
    // SAFETY: the program, its constants and this function's caller stand in SRAM, and the other core is in reset: nobody fetches
    // from flash meanwhile. The functions change QMI, the pads and the cache alone (sections 5.4.8.1, 5.4.8.6, 5.4.8.9).
    unsafe {
        rom_data::connect_internal_flash();
        rom_data::flash_exit_xip();
        rom_data::flash_flush_cache();
        rom_data::flash_select_xip_read_mode(SERIAL_READ, CLOCK_DIVIDER);
    }
}
