//! Settings of an application, with fields of every kind but numbers with a fraction: core's conversions of those have three dozen
//! places of their own.

use core::hint::black_box;
use picovd::heapless::String;
use picovd::settings::Settings;

picovd::choices! {
    #[derive(Clone, Copy)]
    enum Unit { Celsius = "celsius", Kelvin = "kelvin" }
}

picovd::group! {
    static SENSOR = "sensor", |sensor| if sensor.interval == black_box(1) { Err(("interval", "too fast")) } else { Ok(()) };

    #[derive(Clone)]
    struct Sensor {
        name: String<24> = "" => text(0, 24, "Name."),
        interval: u16 = 10 => integer(1, 3600, "Seconds."),
        offset: i32 = 0 => integer(-1000, 1000, "Offset."),
        on: bool = true => boolean("Whether it measures."),
        unit: Unit = Unit::Celsius => choice("Unit."),
        place: Option<String<8>> = None => text(1, 8, "Where.").or_null(),
        password: String<32> = "" => text(0, 32, "Secret.").secret(),
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
