//! Custom firmware: it blinks the board's LED, and a file says how often.
#![no_std]
#![no_main]

use core::fmt;
use embedded_hal::digital::StatefulOutputPin;
use picovd::clock::{Instant, Milliseconds};
use picovd::files::Snapshot;
use picovd::rp2350::rp235x_hal::{self, Sio, gpio::Pins};
use picovd::vd::{File, vd_add_file, vd_update_file};

picovd::firmware!(disk);

/// From light to dark.
const PAUSE: Milliseconds = Milliseconds(500);

#[derive(Clone, Copy)]
struct Blinks(u32);

impl fmt::Display for Blinks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "The LED blinked {} times.\r\n", self.0)
    }
}

static BLINKS: Snapshot<Blinks> = Snapshot::new(Blinks(0));
static BLINKS_TXT: File = File::new("BLINKS.TXT", &BLINKS, 64);

#[rp235x_hal::entry]
fn main() -> ! {
    let (mut stick, mut board) = Stick::start(&disk::DESCRIPTION);
    vd_add_file(&disk::FILES, &BLINKS_TXT).expect("picovd.toml has room for it");
    let pins = Pins::new(board.IO_BANK0, board.PADS_BANK0, Sio::new(board.SIO).gpio_bank0, &mut board.RESETS);
    let mut led = pins.gpio25.into_push_pull_output();
    let mut next = Instant::default().after(PAUSE);
    for half in 1u32.. {
        while stick.now() < next {
            stick.poll();
            stick.wake_at(next);
            stick.sleep();
        }
        next = next.after(PAUSE);
        let _ = led.toggle();
        BLINKS.set(Blinks(half / 2));
        // Hosts look again because of it, so every ten seconds is more than enough.
        if half.is_multiple_of(20) {
            let _ = vd_update_file(&disk::FILES, &BLINKS_TXT);
        }
    }
    unreachable!()
}
