//! Firmware for one manifest.

picovd::firmware!(disk);

#[picovd::rp2350::rp235x_hal::entry]
fn main() -> ! {
    let (mut stick, _) = Stick::start(&disk::DESCRIPTION);
    // The tool; custom firmware prints what its own program has to say.
    if disk::DESCRIPTION.program_in_sram && disk::BUILT_IN.log.is_some() {
        picovd::println!(
            "{} {}, build {}: runs in RAM, and leaves flash as it is",
            env!("CARGO_PKG_NAME"),
            env!("CARGO_PKG_VERSION"),
            disk::BUILD
        );
    }
    loop {
        stick.poll();
        stick.sleep();
    }
}
