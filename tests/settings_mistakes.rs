//! Mistakes that an application's settings may have. `settings_declared` compiles each of them; nothing is here otherwise.
#![allow(unexpected_cfgs, dead_code)]

// Its critical sections.
extern crate picovd_sim as _;

use picovd::heapless::String;
use picovd::settings::Secret;

picovd::choices! {
    #[derive(Clone, Copy)]
    enum Color { Red = "red", Green = "green" }
}

const INTERVAL: u16 = if cfg!(mistake = "low") { 0 } else { 3600 };
const OFFSET: Option<i32> = if cfg!(mistake = "null") { Some(-6) } else { None };
const SCALE: f32 = if cfg!(mistake = "infinite") { f32::INFINITY } else { 0.5 };
const PLACE: Option<&str> = if cfg!(mistake = "short") {
    Some("")
} else if cfg!(mistake = "long") {
    Some("\u{1f980}\u{1f980}\u{1f980}")
} else {
    Some("R\u{f6}\u{1f980}f")
};

picovd::group! {
    static LAMP = "lamp";

    struct Lamp {
        interval: u16 = INTERVAL => integer(1, 3600, "Seconds."),
        offset: Option<i32> = OFFSET => integer(-5, 5, "Offset.").or_null(),
        scale: f32 = SCALE => number("Scale."),
        color: Color = Color::Green => choice("Color."),
        place: Option<String<8>> = PLACE => text(1, 4, "Where.").or_null(),
        password: Secret<32> = "" => text(0, 32, "Secret.").secret(),
    }
}

#[cfg(mistake = "swapped")]
picovd::group! {
    static SWAPPED = "swapped";

    struct Swapped {
        color: u16 = 5 => choice("Color."),
        interval: Color = Color::Red => integer(1, 3600, "Seconds."),
    }
}

#[cfg(mistake = "type")]
picovd::group! {
    static OF_ANOTHER_TYPE = "type";

    struct OfAnotherType {
        on: u8 = 1 => boolean("Whether it is on."),
    }
}

#[cfg(mistake = "narrow")]
picovd::group! {
    static NARROW = "narrow";

    struct Narrow {
        name: String<8> = "" => text(0, 9, "What it is called."),
    }
}

#[cfg(mistake = "far")]
picovd::group! {
    static FAR = "far";

    struct Far {
        level: Option<u8> = None => integer(0, 256, "Level.").or_null(),
    }
}

#[cfg(mistake = "backwards")]
picovd::group! {
    static BACKWARDS = "backwards";

    struct Backwards {
        level: Option<u8> = None => integer(9, 1, "Level.").or_null(),
    }
}

#[cfg(mistake = "no-integer")]
picovd::group! {
    static NO_INTEGER = "no integer";

    struct NoInteger {
        level: f32 = 1.0 => integer(0, 9, "Level."),
    }
}

#[cfg(mistake = "unbounded")]
picovd::group! {
    static UNBOUNDED = "unbounded";

    struct Unbounded {
        name: std::string::String = "" => text(0, 9, "What it is called."),
    }
}

#[cfg(mistake = "twice")]
picovd::group! {
    static TWICE = "twice";

    struct Twice {
        on: bool = true => boolean("Whether it is on."),
        on: bool = false => boolean("Whether it is off."),
    }
}

#[cfg(mistake = "apart")]
static APART: picovd::settings::Group<Lamp> = picovd::settings::Group::new("apart", &[]);

#[cfg(mistake = "misspelt")]
fn interval(lamp: &Lamp) -> u16 {
    lamp.intervall
}
