//! Memory windows: picovd.toml says which, and the program only runs the stick.
#![no_std]
#![no_main]

use picovd::rp2350::rp235x_hal;

picovd::firmware!(disk);

#[rp235x_hal::entry]
fn main() -> ! {
    let (mut stick, _board) = Stick::start(&disk::DESCRIPTION);
    loop {
        stick.poll();
        stick.sleep();
    }
}
