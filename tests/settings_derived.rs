//! `#[derive(picovd::Settings)]` declares what `group!` declares: the same table, the same defaults, and the same bytes in flash.

// Its critical sections.
extern crate picovd_sim as _;

use picovd::heapless::String;
use picovd::settings::{Choice, Group, Secret, Section};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// As the derive writes it.
mod derived {
    use super::{Group, Secret, String};

    #[derive(Clone, Copy, Debug, PartialEq, picovd::Choice)]
    pub enum Color {
        Red,
        DarkGreen,
        #[setting(word = "sky blue")]
        Blue,
    }

    #[derive(Debug, PartialEq, picovd::Settings)]
    #[settings(name = "lamp", rule = rule)]
    pub struct Lamp {
        /// What the lamp is called.
        #[setting(length = 1..=24, default = "lamp")]
        pub name: String<24>,
        /// Seconds from one blink
        /// to the next.
        #[setting(range = 1..=3600, default = 10)]
        pub interval: u16,
        /// An offset.
        #[setting(range = -5..=5)]
        pub offset: Option<i32>,
        /// All of a type.
        pub level: u8,
        /// A factor.
        #[setting(default = 0.5)]
        pub scale: f32,
        /// Whether it is on.
        #[setting(default = true)]
        pub on: bool,
        /// The color of its light.
        #[setting(default = Color::DarkGreen)]
        pub color: Color,
        /// Another one.
        #[setting(default = Some(Color::Red))]
        pub other: Option<Color>,
        /// Where it is.
        #[setting(length = 1..=8)]
        pub place: Option<String<8>>,
        /// Hidden text.
        #[setting(secret)]
        pub hint: String<8>,
    }

    fn rule(lamp: &Lamp) -> Result<(), (&'static str, &'static str)> {
        if lamp.interval == 7 { Err(("interval", "no sevens")) } else { Ok(()) }
    }

    pub static LAMP: Group<Lamp> = Group::new();

    /// With a `Secret`, which is neither `Debug` nor `PartialEq`.
    #[derive(picovd::Settings)]
    #[settings(name = "door")]
    pub struct Door {
        /// What opens it.
        #[setting(length = 4..=32, default = "1234")]
        pub code: Secret<32>,
        /// What else does.
        pub master: Option<Secret<16>>,
    }

    pub static DOOR: Group<Door> = Group::new();
}

/// Names that a program may have, beside those that the derive writes.
#[allow(non_camel_case_types)]
mod named {
    use super::{Group, String};

    pub const DEFAULT: u16 = 10;
    pub const FIELD: u16 = 1;
    pub const FIELDS: u16 = 3600;
    const MAX_RATE: u64 = 9_000_000_000;
    const LENGTH: usize = 8;

    #[derive(Clone, Copy, Debug, PartialEq, picovd::Choice)]
    pub enum A {
        Off,
        r#fn,
    }
    pub type S = u8;
    pub type D = bool;

    #[derive(Debug, PartialEq, picovd::Settings)]
    #[settings(name = "fields")]
    pub struct Fields {
        /// Constants.
        #[setting(range = FIELD..=FIELDS, default = DEFAULT)]
        pub interval: u16,
        /// An expression, beyond 32 bits.
        #[setting(range = 0..=2 * MAX_RATE, default = MAX_RATE)]
        pub rate: u64,
        /// A keyword.
        #[setting(length = 0..=LENGTH - 1)]
        pub r#type: String<LENGTH>,
        /// An enumeration of one letter.
        #[setting(default = A::Off)]
        pub value: A,
        /// A type of one letter.
        #[setting(range = 0..=S::MAX / 2)]
        pub field: S,
        /// Another one, which is no choice.
        #[setting(range = -100..=-1, default = -1)]
        pub all: i8,
    }

    pub static FIELDS_GROUP: Group<Fields> = Group::new();

    /// Used, so that the alias is.
    pub const ON: D = true;
}

/// The same by hand.
mod declared {
    use super::{Secret, String};

    picovd::choices! {
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub enum Color { Red = "red", DarkGreen = "dark-green", Blue = "sky blue" }
    }

    picovd::group! {
        pub static LAMP = "lamp", |lamp| if lamp.interval == 7 { Err(("interval", "no sevens")) } else { Ok(()) };

        #[derive(Debug, PartialEq)]
        pub struct Lamp {
            pub name: String<24> = "lamp" => text(1, 24, "What the lamp is called."),
            pub interval: u16 = 10 => integer(1, 3600, "Seconds from one blink to the next."),
            pub offset: Option<i32> = None => integer(-5, 5, "An offset.").or_null(),
            pub level: u8 = 0 => integer(0, 255, "All of a type."),
            pub scale: f32 = 0.5 => number("A factor."),
            pub on: bool = true => boolean("Whether it is on."),
            pub color: Color = Color::DarkGreen => choice("The color of its light."),
            pub other: Option<Color> = Some(Color::Red) => choice("Another one.").or_null(),
            pub place: Option<String<8>> = None => text(1, 8, "Where it is.").or_null(),
            pub hint: String<8> = "" => text(0, 8, "Hidden text.").secret(),
        }
    }

    picovd::group! {
        pub static DOOR = "door";

        pub struct Door {
            pub code: Secret<32> = "1234" => text(4, 32, "What opens it.").secret(),
            pub master: Option<Secret<16>> = None => text(0, 16, "What else does.").or_null().secret(),
        }
    }
}

/// The two declarations of a group.
fn pairs() -> [(&'static dyn Section, &'static dyn Section); 2] {
    [(&derived::LAMP, &declared::LAMP), (&derived::DOOR, &declared::DOOR)]
}

/// The same by hand, with constants that the macro's own ones must not hide.
mod named_by_hand {
    use super::String;
    use super::named::{A, DEFAULT, FIELD, FIELDS};

    picovd::group! {
        pub static FIELDS_GROUP = "fields";

        #[derive(Debug, PartialEq)]
        pub struct Fields {
            pub interval: u16 = DEFAULT => integer(FIELD as i64, FIELDS as i64, "Constants."),
            pub rate: u64 = 9_000_000_000 => integer(0, 18_000_000_000, "An expression, beyond 32 bits."),
            pub r#type: String<8> = "" => text(0, 7, "A keyword."),
            pub value: A = A::Off => choice("An enumeration of one letter."),
            pub field: u8 = 0 => integer(0, 127, "A type of one letter."),
            pub all: i8 = -1 => integer(-100, -1, "Another one, which is no choice."),
        }
    }
}

#[test]
fn a_program_may_use_any_name() {
    const { assert!(named::ON) };
    let (derived, declared): (&dyn Section, &dyn Section) = (&named::FIELDS_GROUP, &named_by_hand::FIELDS_GROUP);
    let fields = format!("{:?}", derived.fields());
    assert_eq!(fields, format!("{:?}", declared.fields()));
    assert!(fields.contains("\"type\"") && !fields.contains("r#"), "{fields}");
    assert_eq!(bytes(&named::Fields::default()), bytes(&named_by_hand::Fields::default()));
    for (index, json) in [(0, "3600"), (1, "18000000000"), (2, r#""kind""#), (3, r#""fn""#), (4, "127"), (5, "-100")] {
        let mut out = [[0; 512]; 2];
        let [ours, theirs] = &mut out;
        let results =
            [(derived, ours), (declared, theirs)].map(|(group, out)| group.set(&[], index, json.as_bytes(), out));
        assert_eq!(format!("{:?}", results[0]), format!("{:?}", results[1]), "{index} = {json}");
        assert!(results[0].is_ok(), "{index} = {json}: {:?}", results[0]);
        assert_eq!(out[0], out[1], "{index} = {json}");
    }
}

#[test]
fn the_tables_are_the_same() {
    assert_eq!(derived::Color::NAMES, declared::Color::NAMES);
    for (derived, declared) in pairs() {
        assert_eq!(derived.id(), declared.id());
        assert_eq!(format!("{:?}", derived.fields()), format!("{:?}", declared.fields()));
    }
}

fn bytes(value: &impl Serialize) -> Vec<u8> {
    let mut out = [0; 256];
    postcard::to_slice(value, &mut out).expect("there is room").to_vec()
}

#[test]
fn the_bytes_are_the_same() {
    assert_eq!(bytes(&derived::Lamp::default()), bytes(&declared::Lamp::default()));
    assert_eq!(bytes(&derived::Door::default()), bytes(&declared::Door::default()));
    let values = [
        (0, r#""Porch""#),
        (0, r#""""#),
        (1, "3600"),
        (1, "3601"),
        (1, "7"),
        (2, "-5"),
        (2, "null"),
        (3, "255"),
        (3, "256"),
        (4, "1.25"),
        (5, "false"),
        (5, "1"),
        (6, r#""sky blue""#),
        (6, r#""Blue""#),
        (6, "2"),
        (7, r#""dark-green""#),
        (7, "null"),
        (8, r#""R\u00f6\ud83e\udd80f""#),
        (8, "null"),
        (9, r#""psst""#),
        (10, "0"),
    ];
    let (mut taken, mut refused) = (0, 0);
    for (derived, declared) in pairs() {
        let mut present: Vec<u8> = Vec::new();
        for (index, json) in values {
            let mut out = [[0; 512]; 2];
            let [ours, theirs] = &mut out;
            let results = [
                derived.set(&present, index, json.as_bytes(), ours),
                declared.set(&present, index, json.as_bytes(), theirs),
            ];
            assert_eq!(format!("{:?}", results[0]), format!("{:?}", results[1]), "{index} = {json}");
            assert_eq!(ours, theirs, "{index} = {json}");
            match results[0] {
                Ok(length) => {
                    present = ours[..length].to_vec();
                    taken += 1;
                }
                Err(_) => refused += 1,
            }
            assert_eq!(format!("{:?}", derived.check(&present, 0)), format!("{:?}", declared.check(&present, 0)));
        }
    }
    assert!(taken > 12 && refused > 6, "{taken} taken, {refused} refused");
}

#[test]
fn each_reads_what_the_other_has_written() {
    fn both<A: Serialize + DeserializeOwned, B: Serialize + DeserializeOwned>(written: &A) -> B {
        let saved = bytes(written);
        let read: B = postcard::from_bytes(&saved).expect("it is readable");
        assert_eq!(bytes(&read), saved);
        read
    }
    let lamp = derived::Lamp {
        name: "Porch".try_into().expect("it fits"),
        offset: Some(-3),
        color: derived::Color::Blue,
        other: None,
        ..Default::default()
    };
    let other: declared::Lamp = both(&lamp);
    assert_eq!((other.name.as_str(), other.offset, other.color), ("Porch", Some(-3), declared::Color::Blue));
    assert_eq!(both::<_, derived::Lamp>(&other), lamp);
    assert_eq!(both::<_, derived::Door>(&declared::Door::default()).code.as_str(), "1234");
}

#[test]
fn a_choice_that_is_none_is_refused() {
    assert!(postcard::from_bytes::<derived::Color>(&[2]).is_ok());
    assert!(postcard::from_bytes::<derived::Color>(&[3]).is_err());
}
