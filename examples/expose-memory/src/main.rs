//! Memory windows: picovd.toml says which, and the program only runs the stick.
#![no_std]
#![no_main]

use rp235x_hal as hal;

picovd::firmware!(disk);

#[hal::entry]
fn main() -> ! {
    let (mut stick, _board) = Stick::start(&disk::DESCRIPTION);
    loop {
        stick.poll();
        stick.sleep();
    }
}
