//! Settings of an application: a lamp that blinks as the serial port says. `help` says how; what is saved outlives the power.
#![no_std]
#![no_main]

use picovd::clock::Instant;
use picovd::println;
use picovd::rp2350::rp235x_hal;
use picovd::settings::{Field, Group, Secret, Text};
use serde::{Deserialize, Serialize};

picovd::firmware!(disk);

/// What can be set. Fields are only ever added, and at the end: what an older firmware saved stays readable.
#[derive(Serialize, Deserialize)]
#[serde(default)]
struct Lamp {
    name: Text<24>,
    interval: u16,
    color: Color,
    password: Secret<32>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Color {
    Red,
    Green,
    Blue,
}

impl Default for Lamp {
    fn default() -> Self {
        Self { name: Text::EMPTY, interval: 2, color: Color::Green, password: Secret::EMPTY }
    }
}

/// The same for those who set them: names, ranges, and what they are good for.
static FIELDS: [Field; 4] = [
    Field::text("name", 0, 24, "What the lamp is called."),
    Field::integer("interval", 1, 3600, "Seconds from one blink to the next."),
    Field::choice("color", &["red", "green", "blue"], "The color of its light."),
    Field::text("password", 0, 32, "What the lamp logs in with.").secret(),
];

static LAMP: Group<Lamp> = Group::new("lamp", &FIELDS);

#[rp235x_hal::entry]
fn main() -> ! {
    let (mut stick, _board) = Stick::start(&disk::DESCRIPTION);
    // One of four groups at most, and none of its fields has a name that the stick or another group has.
    assert!(disk::SETTINGS.add(&LAMP).is_ok());
    let mut next = Instant::default();
    loop {
        if next <= stick.now() {
            next = next.after(u32::from(blink()) * 1000);
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
