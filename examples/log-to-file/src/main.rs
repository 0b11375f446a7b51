//! A log: a line every quarter of a second, which the host finds in STDOUT.TXT and STDOUT-TAIL.TXT.
#![no_std]
#![no_main]

use picovd::clock::{Instant, Milliseconds};
use picovd::println;
use picovd::rp2350::rp235x_hal;

picovd::firmware!(disk);

/// From line to line.
const PAUSE: Milliseconds = Milliseconds(250);

#[rp235x_hal::entry]
fn main() -> ! {
    let (mut stick, _board) = Stick::start(&disk::DESCRIPTION);
    println!("The program begins.");
    let mut next = Instant::default().after(PAUSE);
    for line in 1u32.. {
        while stick.now() < next {
            stick.poll();
            stick.wake_at(next);
            stick.sleep();
        }
        // Anything that is `Display` or `Debug`, from anywhere: interrupt handlers and the other core, too.
        println!("Line {line} at {} ms.", next.0 / 1000);
        next = next.after(PAUSE);
    }
    unreachable!()
}
