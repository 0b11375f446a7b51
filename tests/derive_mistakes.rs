//! Mistakes with `#[derive(picovd::Settings)]`. `settings_declared` compiles each of them; nothing is here otherwise.
#![allow(unexpected_cfgs, dead_code)]

// Its critical sections.
extern crate picovd_sim as _;

use picovd::heapless::String;
use picovd::settings::Group;

#[derive(Clone, Copy, picovd::Choice)]
enum Color {
    Red,
    #[cfg(mistake = "two-words")]
    #[setting(word = "red")]
    Ruby,
    #[cfg(mistake = "values")]
    Of(u8),
}

#[derive(picovd::Settings)]
#[cfg_attr(not(mistake = "nameless"), settings(name = "lamp"))]
#[cfg_attr(mistake = "key", settings(nam = "lamp"))]
struct Lamp {
    /// What it is called.
    #[cfg_attr(mistake = "length", setting(length = 1..=24))]
    #[cfg_attr(mistake = "narrow", setting(length = 0..=25))]
    name: String<24>,
    /// Seconds.
    #[cfg_attr(not(any(mistake = "default", mistake = "half-open")), setting(range = 1..=3600, default = 10))]
    #[cfg_attr(mistake = "default", setting(range = 1..=3600, default = 3601))]
    #[cfg_attr(mistake = "half-open", setting(range = 1..3600))]
    interval: u16,
    #[cfg_attr(not(mistake = "undocumented"), doc = "Whether it is on.")]
    #[cfg_attr(mistake = "range", setting(range = 0..=1))]
    #[cfg_attr(mistake = "attribute", setting(rang = 0..=1))]
    #[cfg_attr(mistake = "type", setting(default = 1))]
    on: bool,
    /// Its color.
    #[cfg_attr(not(mistake = "no-default"), setting(default = Color::Red))]
    color: Color,
    /// Counted.
    #[cfg(mistake = "wide")]
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
