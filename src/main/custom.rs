//! Firmware for one manifest.

picovd::firmware!(disk);

#[picovd::rp2350::rp235x_hal::entry]
fn main() -> ! {
    let (mut stick, _) = Stick::start(&disk::DESCRIPTION);
    loop {
        stick.poll();
        stick.sleep();
    }
}
