//! Settings of an application, with fields of every kind but numbers with a fraction: core's conversions of those have three dozen
//! places of their own.

use core::hint::black_box;
use picovd::settings::{Field, Group, Settings, Text};
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(default)]
struct Sensor {
    name: Text<24>,
    interval: u16,
    offset: i32,
    on: bool,
    unit: Unit,
    place: Option<Text<8>>,
    password: Text<32>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Unit {
    Celsius,
    Kelvin,
}

impl Default for Sensor {
    fn default() -> Self {
        Self {
            name: Text::EMPTY,
            interval: 10,
            offset: 0,
            on: true,
            unit: Unit::Celsius,
            place: None,
            password: Text::EMPTY,
        }
    }
}

static FIELDS: [Field; 7] = [
    Field::text("name", 0, 24, "Name."),
    Field::integer("interval", 1, 3600, "Seconds."),
    Field::integer("offset", -1000, 1000, "Offset."),
    Field::boolean("on", "Whether it measures."),
    Field::choice("unit", &["celsius", "kelvin"], "Unit."),
    Field::text("place", 1, 8, "Where.").or_null(),
    Field::text("password", 0, 32, "Secret.").secret(),
];

static SENSOR: Group<Sensor> = Group::new("sensor", &FIELDS)
    .with_rule(|sensor| if sensor.interval == black_box(1) { Err(("interval", "too fast")) } else { Ok(()) });

/// Adds them.
pub fn add(settings: &'static Settings<'static>) -> bool {
    settings.add(&SENSOR).is_ok()
}

/// Reads all, changes one.
pub fn change(settings: &Settings<'_>) -> bool {
    SENSOR.set(settings, &Sensor { interval: black_box(7), ..SENSOR.get(settings) }).is_ok()
}
