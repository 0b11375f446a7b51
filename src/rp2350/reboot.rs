//! Restarts the chip with the bootrom's reboot function (section 5.4.8.24).

use super::rom::rom;

/// Reboot types and flags.
const NORMAL: u32 = 0x0;
const BOOTSEL: u32 = 0x2;

/// Flags of a restart in BOOTSEL mode.
const DISABLE_MASS_STORAGE: u32 = 0x01;
const DISABLE_PICOBOOT: u32 = 0x02;
const GPIO_PIN_SPECIFIED: u32 = 0x20;

/// Number of GPIOs of the QFN-80 package. The other package has fewer; a GPIO without a pin has no effect.
const GPIOS: u8 = 48;

/// Delay of the restart in milliseconds: a USB control transfer that requested it can still finish.
const DELAY: u32 = 100;

/// Restarts in BOOTSEL mode, shortly after this has returned. `activity_led` is the GPIO of an LED that shows activity
/// there.
pub(super) fn to_bootsel(no_mass_storage: bool, no_picoboot: bool, activity_led: Option<u8>) {
    let led = activity_led.filter(|&gpio| gpio < GPIOS);
    let mut flags = 0;
    for (set, flag) in
        [(no_mass_storage, DISABLE_MASS_STORAGE), (no_picoboot, DISABLE_PICOBOOT), (led.is_some(), GPIO_PIN_SPECIFIED)]
    {
        if set {
            flags |= flag;
        }
    }
    rom(|rom| rom.reboot(BOOTSEL, DELAY, [flags, led.map_or(0, u32::from)]));
}

/// Restarts the program, shortly after this has returned.
pub(super) fn to_flash() {
    rom(|rom| rom.reboot(NORMAL, DELAY, [0; 2]));
}
