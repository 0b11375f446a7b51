//! Settings of an application: a lamp that blinks as the serial port says. `help` says how; what is saved outlives the power.
#![no_std]
#![no_main]

use core::sync::atomic::{AtomicU8, Ordering};
use core::time::Duration;
use picovd::clock::Instant;
use picovd::console::{Command, Commands};
use picovd::heapless::String;
use picovd::println;
use picovd::settings::{Group, Secret};
use rp235x_hal as hal;

picovd::firmware!(disk);

#[derive(Clone, Copy, Debug, picovd::Choice)]
enum Color {
    Red,
    Green,
    Blue,
}

/// Blinks that the port has asked for and that were not made yet.
static ASKED: AtomicU8 = AtomicU8::new(0);

/// A command of our own at the port: `blink`, which is answered by `{"blink":"at once"}`, and listed by `help`.
static COMMANDS: Commands<32> = Commands::new(&[Command {
    name: "blink",
    usage: "blink",
    run: |arguments, answer| {
        if !arguments.is_empty() {
            return Err("it blinks once");
        }
        ASKED.fetch_add(1, Ordering::Relaxed);
        answer.write_str("at once").map_err(|_| "there is room for it")
    },
}]);

/// What can be set, and to what. Users read what is written above each field. Fields are only ever added, and at the end: what an
/// older firmware saved stays readable.
#[derive(picovd::Settings)]
#[settings(name = "lamp")]
struct Lamp {
    /// What the lamp is called.
    name: String<24>,
    /// Seconds from one blink to the next.
    #[setting(range = 1..=3600, default = 2)]
    interval: u16,
    /// The color of its light.
    #[setting(default = Color::Green)]
    color: Color,
    /// What the lamp logs in with.
    password: Secret<32>,
}

static LAMP: Group<Lamp> = Group::new();

#[hal::entry]
fn main() -> ! {
    let (mut stick, _board) = Stick::start(&disk::DESCRIPTION);
    // One of four groups at most, and none of its fields has a name that the stick or another group has.
    assert!(disk::SETTINGS.add(&LAMP).is_ok());
    disk::SETTINGS.set_commands(&COMMANDS);
    let mut next = Instant::default();
    loop {
        if next <= stick.now() {
            next += Duration::from_secs(blink().into());
        }
        stick.poll();
        if ASKED.swap(0, Ordering::Relaxed) != 0 {
            next = stick.now();
        }
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
