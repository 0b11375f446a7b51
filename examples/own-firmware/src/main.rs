//! Custom firmware: it blinks the board's LED, and a file says how often.
#![no_std]
#![no_main]

use core::fmt;
use core::time::Duration;
use embedded_hal::digital::StatefulOutputPin;
use hal::{Sio, gpio::Pins};
use picovd::clock::Instant;
use picovd::files::Snapshot;
use picovd::vd::{File, vd_add_file, vd_update_file};
use rp235x_hal as hal;

picovd::firmware!(disk);

/// From light to dark.
const PAUSE: Duration = Duration::from_millis(500);

#[derive(Clone, Copy)]
struct Blinks(u32);

impl fmt::Display for Blinks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "The LED blinked {} times.\r\n", self.0)
    }
}

static BLINKS: Snapshot<Blinks> = Snapshot::new(Blinks(0));
static BLINKS_TXT: File = File::new("BLINKS.TXT", &BLINKS, 64);

#[hal::entry]
fn main() -> ! {
    let (mut stick, mut board) = Stick::start(&disk::DESCRIPTION);
    vd_add_file(&disk::FILES, &BLINKS_TXT).expect("picovd.toml has room for it");
    let pins = Pins::new(board.IO_BANK0, board.PADS_BANK0, Sio::new(board.SIO).gpio_bank0, &mut board.RESETS);
    let mut led = pins.gpio25.into_push_pull_output();
    let mut next = Instant::default() + PAUSE;
    for half in 1u32.. {
        stick.poll_until(next);
        next += PAUSE;
        let _ = led.toggle();
        BLINKS.set(Blinks(half / 2));
        // Hosts look again because of it, so every ten seconds is more than enough.
        if half.is_multiple_of(20) {
            let _ = vd_update_file(&disk::FILES, &BLINKS_TXT);
        }
    }
    unreachable!()
}
