//! A log: a line every quarter of a second, which the host finds in STDOUT.TXT and STDOUT-TAIL.TXT.
#![no_std]
#![no_main]

use core::time::Duration;
use picovd::clock::Instant;
use picovd::println;
use rp235x_hal as hal;

picovd::firmware!(disk);

/// From line to line.
const PAUSE: Duration = Duration::from_millis(250);

#[hal::entry]
fn main() -> ! {
    let (mut stick, _board) = Stick::start(&disk::DESCRIPTION);
    println!("The program begins.");
    let mut next = Instant::default() + PAUSE;
    for line in 1u32.. {
        stick.poll_until(next);
        // Anything that is `Display` or `Debug`, from anywhere: interrupt handlers and the other core, too.
        println!("Line {line} at {} ms.", next.as_micros() / 1000);
        next += PAUSE;
    }
    unreachable!()
}
