//! Settings of an application, with fields of every kind but numbers with a fraction: core's conversions of those have three dozen
//! places of their own.

use core::hint::black_box;
use picovd::settings::{Settings, Text};

picovd::choices! {
    #[derive(Clone, Copy)]
    enum Unit { Celsius = "celsius", Kelvin = "kelvin" }
}

picovd::group! {
    static SENSOR = "sensor", |sensor| if sensor.interval == black_box(1) { Err(("interval", "too fast")) } else { Ok(()) };

    #[derive(Clone, Copy)]
    struct Sensor {
        name: Text<24> = Text::EMPTY => text(0, 24, "Name."),
        interval: u16 = 10 => integer(1, 3600, "Seconds."),
        offset: i32 = 0 => integer(-1000, 1000, "Offset."),
        on: bool = true => boolean("Whether it measures."),
        unit: Unit = Unit::Celsius => choice("Unit."),
        place: Option<Text<8>> = None => text(1, 8, "Where.").or_null(),
        password: Text<32> = Text::EMPTY => text(0, 32, "Secret.").secret(),
    }
}

/// Adds them.
pub fn add(settings: &'static Settings<'static>) -> bool {
    settings.add(&SENSOR).is_ok()
}

/// Reads all, changes one.
pub fn change(settings: &Settings<'_>) -> bool {
    SENSOR.set(settings, &Sensor { interval: black_box(7), ..SENSOR.get(settings) }).is_ok()
}
