//! Settings of an application: a lamp that blinks as the serial port says. `help` says how; what is saved outlives the power.
#![no_std]
#![no_main]

use core::time::Duration;
use picovd::clock::Instant;
use picovd::heapless::String;
use picovd::println;
use picovd::settings::Secret;
use rp235x_hal as hal;

picovd::firmware!(disk);

picovd::choices! {
    #[derive(Clone, Copy, Debug)]
    enum Color { Red = "red", Green = "green", Blue = "blue" }
}

picovd::group! {
    static LAMP = "lamp";

    /// What can be set, by whom and to what: name, type, default, range, and what it is good for. Fields are only ever added, and
    /// at the end: what an older firmware saved stays readable.
    struct Lamp {
        name: String<24> = "" => text(0, 24, "What the lamp is called."),
        interval: u16 = 2 => integer(1, 3600, "Seconds from one blink to the next."),
        color: Color = Color::Green => choice("The color of its light."),
        password: Secret<32> = "" => text(0, 32, "What the lamp logs in with.").secret(),
    }
}

#[hal::entry]
fn main() -> ! {
    let (mut stick, _board) = Stick::start(&disk::DESCRIPTION);
    // One of four groups at most, and none of its fields has a name that the stick or another group has.
    assert!(disk::SETTINGS.add(&LAMP).is_ok());
    let mut next = Instant::default();
    loop {
        if next <= stick.now() {
            next += Duration::from_secs(blink().into());
        }
        stick.poll();
        stick.wake_at(next);
        stick.sleep();
    }
}

/// Blinks once. Returns the seconds to the next time.
fn blink() -> u16 {
    // Secrets are not in here.
    let lamp = LAMP.get(&disk::SETTINGS);
    // They are lent where they are needed. What is copied elsewhere, files that show memory may show.
    let login = LAMP.lend(&disk::SETTINGS, |lamp| if lamp.password.is_empty() { "nobody" } else { "somebody" });
    println!("{} blinks {:?}, logged in as {login}", lamp.name.as_str(), lamp.color);
    lamp.interval
}
