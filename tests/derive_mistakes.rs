//! Mistakes with `#[derive(picovd::Settings)]`. `settings_declared` compiles each of them; nothing is here otherwise.
#![allow(unexpected_cfgs, dead_code)]

// Its critical sections.
extern crate picovd_sim as _;

use picovd::heapless::String;
use picovd::settings::Group;

/// Of another type than the field.
const WIDE: u32 = 3600;

#[derive(Clone, Copy, picovd::Choice)]
#[cfg_attr(mistake = "word-on-choice", setting(word = "color"))]
enum Color {
    Red,
    #[cfg(mistake = "word-twice")]
    #[setting(word = "ruby", word = "rubies")]
    Twice,
    #[cfg(mistake = "two-words")]
    #[setting(word = "red")]
    Ruby,
    #[cfg(mistake = "values")]
    Of(u8),
}

#[derive(picovd::Settings)]
#[cfg_attr(not(mistake = "nameless"), settings(name = "lamp"))]
#[cfg_attr(mistake = "key", settings(nam = "lamp"))]
#[cfg_attr(mistake = "group-key-twice", settings(name = "lamps"))]
#[cfg_attr(mistake = "field-on-group", setting(secret))]
struct Lamp {
    /// What it is called.
    #[cfg_attr(mistake = "length", setting(length = 1..=24))]
    #[cfg_attr(mistake = "narrow", setting(length = 0..=25))]
    #[cfg_attr(mistake = "length-twice", setting(length = 0..=24, length = 2..=3))]
    #[cfg_attr(mistake = "too-long", setting(length = 0..=65536))]
    name: String<24>,
    /// Seconds.
    #[cfg_attr(mistake = "none", setting(range = 1..=3600, default = 10))]
    #[cfg_attr(mistake = "range-twice", setting(range = 1..=3600), setting(range = 2..=3))]
    #[cfg_attr(mistake = "far", setting(range = 1..=70000, default = 10))]
    #[cfg_attr(mistake = "below", setting(range = -1..=5))]
    #[cfg_attr(mistake = "fraction", setting(range = 1..=1.5, default = 1))]
    #[cfg_attr(mistake = "constant", setting(range = 1..=WIDE, default = 1))]
    #[cfg_attr(mistake = "backwards", setting(range = 3600..=1, default = 10))]
    #[cfg_attr(mistake = "far-default", setting(default = 70000))]
    #[cfg_attr(mistake = "default", setting(range = 1..=3600, default = 3601))]
    #[cfg_attr(mistake = "half-open", setting(range = 1..3600))]
    interval: u16,
    #[cfg_attr(not(mistake = "undocumented"), doc = "Whether it is on.")]
    #[cfg_attr(mistake = "range", setting(range = 0..=1))]
    #[cfg_attr(mistake = "attribute", setting(rang = 0..=1))]
    #[cfg_attr(mistake = "type", setting(default = 1))]
    #[cfg_attr(mistake = "group-on-field", settings(range = 0..=1))]
    #[cfg_attr(mistake = "key-twice", setting(default = true, default = false))]
    #[cfg_attr(mistake = "keys-apart", setting(secret, default = true), setting(secret))]
    on: bool,
    /// Its color.
    #[cfg_attr(not(mistake = "no-default"), setting(default = Color::Red))]
    color: Color,
    /// Counted.
    #[cfg(mistake = "wide")]
    count: u64,
    /// Beyond what a setting can be.
    #[cfg(mistake = "too-far")]
    #[setting(range = 0..=u64::MAX)]
    count: u64,
    /// No setting.
    #[cfg(mistake = "unbounded")]
    #[setting(default = "")]
    text: std::string::String,
    /// No choice.
    #[cfg(mistake = "no-choice")]
    #[setting(default = ())]
    nothing: (),
}

static LAMP: Group<Lamp> = Group::new();

#[cfg(mistake = "apart")]
struct Apart;
#[cfg(mistake = "apart")]
static APART: Group<Apart> = Group::new();

#[cfg(mistake = "enumeration")]
#[derive(picovd::Settings)]
enum Enumeration {
    A,
}
