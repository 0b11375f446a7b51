//! Groups, lines and views together.

use super::*;
use crate::announcement::{Announcing, Refresh, Timing};
use crate::clock::{Instant, Milliseconds};
use core::fmt::Write as _;
use serde::{Deserialize, Serialize};
extern crate std;
mod commands;
mod nonsense;
mod wear;

use std::boxed::Box;
use std::string::{String, ToString};
use std::sync::{Arc, LazyLock, Mutex};
use std::vec::Vec;
use std::{format, vec};

use crate::block::{BlockCount, Lba};
use crate::volume::layout::Draft;
use picovd_property::Cases;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

static PLAN: LazyLock<Plan<'static>> = LazyLock::new(|| Plan {
    show_stacks: false,
    sectors: 2,
    start: 0x3F_D000,
    lock: false,
    exposable: {
        let blocks = (Lba(0), BlockCount(0));
        let files =
            ["FLASH.BIN", "keys/KEY.BIN"].map(|path| Exposable { path, directory: Lba(0), entries: (0, 0), blocks });
        Exposables::of(Draft { exposable: files.to_vec(), ..Draft::default() }.leak())
    },
    board_digits: false,
    defaults: Defaults {
        label: "PICOVD",
        announcing: Announcing {
            refresh: Refresh::Auto,
            timing: Timing {
                quiet: Milliseconds(500),
                max_age: Milliseconds(5000),
                hold: Milliseconds(10_000),
                max_hold: Milliseconds(10_000),
            },
        },
        manufacturer: "PicoVD",
        product: "PicoVD memory disk",
    },
});

/// The values of a fresh stick.
const FRESH: &str = r#"{"label":"PICOVD","exposed":[],"refresh":"auto","quiet":500,"max-age":5000,"hold":10000,"manufacturer":"PicoVD","product":"PicoVD memory disk","lock":false}"#;

/// A storage whose payload survives power cuts.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Option<Vec<u8>>>>);

impl Storage for Kept {
    fn load(&mut self, out: &mut [u8]) -> Option<usize> {
        let kept = self.0.lock().unwrap();
        let bytes = kept.as_ref()?;
        out.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(bytes.len())
    }

    fn save(&mut self, payload: &[u8]) -> Result<(), SaveError> {
        *self.0.lock().unwrap() = Some(payload.to_vec());
        Ok(())
    }

    fn health(&self) -> Health {
        Health::default()
    }
}

/// Settings that have just been powered on.
fn power(plan: Plan<'static>, kept: &Kept) -> &'static Settings<'static> {
    let settings: &'static Settings<'static> =
        Box::leak(Box::new(Settings::new(plan, Box::leak(Box::new(Room::new())))));
    settings.start(Box::leak(Box::new(kept.clone())));
    settings
}

fn fresh() -> &'static Settings<'static> {
    power(*PLAN, &Kept::default())
}

/// The answers to a host's input, fetched in pieces of any length.
fn say(settings: &Settings<'_>, text: &[u8]) -> String {
    let mut out = Vec::new();
    let mut length = 1;
    for byte in text {
        assert!(settings.takes_bytes());
        settings.take_byte(*byte);
        settings.execute(Instant(0));
        loop {
            let mut piece = vec![0; length];
            let filled = settings.answer(&mut piece);
            if filled == 0 {
                break;
            }
            out.extend_from_slice(&piece[..filled]);
            settings.answered(filled);
            length = length % 63 + 1;
        }
    }
    String::from_utf8(out).unwrap()
}

/// The single line that answers a line.
fn ask(settings: &Settings<'_>, line: &str) -> String {
    let answer = say(settings, format!("{line}\r\n").as_bytes());
    let answer = answer.strip_suffix("\r\n").unwrap_or_else(|| panic!("{line}: {answer:?}"));
    assert!(!answer.contains(['\r', '\n']), "{line}: {answer:?}");
    answer.to_string()
}

/// A field that is a text.
fn text<const N: usize>(text: &str) -> heapless::String<N> {
    text.try_into().expect("it has room")
}

const SET: &str = r#"{"ok":"set","saved":false}"#;

crate::choices! {
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Unit { Celsius = "celsius", Kelvin = "kelvin" }
}

crate::group! {
    static OLD = "app";

    /// An application's settings, first version.
    #[derive(Clone, Debug, PartialEq)]
    struct Old {
        interval: u16 = 10 => integer(1, 3600, "Seconds."),
        password: heapless::String<16> = "" => text(0, 16, "Secret.").secret(),
    }
}

crate::group! {
    static NEW = "app", |new| match new {
        New { unit: Unit::Kelvin, interval: 1, .. } => Err(("unit", "too fast for kelvin")),
        _ => Ok(()),
    };

    /// The same, two versions later.
    #[derive(Clone, Debug, PartialEq)]
    struct New {
        interval: u16 = 10 => integer(1, 3600, "Seconds."),
        password: heapless::String<16> = "" => text(0, 16, "Secret.").secret(),
        unit: Unit = Unit::Celsius => choice("Unit."),
        offset: f32 = 0.5 => number("Offset."),
        place: Option<heapless::String<8>> = None => text(1, 8, "Where.").or_null(),
    }
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes in Miri")]
fn a_fresh_stick_shows_the_manifest() {
    let settings = fresh();
    assert_eq!(ask(settings, "get"), FRESH);
    assert_eq!(ask(settings, " get   label "), r#"{"label":"PICOVD"}"#);
    assert_eq!(ask(settings, "files"), r#"{"files":{"FLASH.BIN":false,"keys/KEY.BIN":false}}"#);
    assert!(ask(settings, "help").starts_with(r#"{"help":"get, get FIELD, "#));
    settings.freeze();
    assert_eq!((settings.label(), settings.hidden().count()), (None, 2));
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes in Miri")]
fn a_set_changes_what_it_names_and_nothing_else() {
    let settings = fresh();
    assert_eq!(ask(settings, r#"set {"label":"LAB7"}"#), SET);
    assert_eq!(ask(settings, "get"), FRESH.replace(r#""label":"PICOVD""#, r#""label":"LAB7""#));
    assert_eq!(ask(settings, r#"set {"refresh":"reconnect","quiet":0,"exposed":["keys/KEY.BIN"]}"#), SET);
    assert_eq!(
        settings.announcing(),
        Announcing {
            refresh: Refresh::Reconnect,
            timing: Timing {
                quiet: Milliseconds(0),
                max_age: Milliseconds(5000),
                hold: Milliseconds(10_000),
                max_hold: Milliseconds(10_000)
            }
        }
    );
    assert!(settings.has_changed());
    settings.freeze();
    assert!(!settings.has_changed());
    assert!(settings.hidden().map(|file| file.path).eq(["FLASH.BIN"]));
    assert_eq!(ask(settings, "files"), r#"{"files":{"FLASH.BIN":false,"keys/KEY.BIN":true}}"#);
    assert_eq!(ask(settings, r#"set {"label":null,"refresh":null,"quiet":null,"exposed":[]}"#), SET);
    assert_eq!(ask(settings, "get"), FRESH);
    assert_eq!(
        ask(settings, r#"set {"label":"\u00c4 \"\\n"}"#),
        r#"{"error":"no control characters and none of \" * / : < > ? \\ |","field":"label"}"#
    );
    assert_eq!(ask(settings, r#"set {"label":"\u00c4\ud83e\udd80"}"#), SET);
    assert_eq!(ask(settings, "get label"), r#"{"label":"Ä🦀"}"#);
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes in Miri")]
fn what_is_wrong_changes_nothing_and_says_why() {
    let settings = fresh();
    settings.add(&NEW).unwrap();
    let before = ask(settings, "get");
    for (line, answer) in [
        (
            r#"set {"label":"TWELVE CHARS"}"#,
            r#"{"error":"wrong length","field":"label","allowed":"text of 0 to 11 characters, or null"}"#,
        ),
        (r#"set {"label":"🦀🦀🦀🦀🦀🦀"}"#, r#"{"error":"more than 11 UTF-16 units","field":"label"}"#),
        (
            r#"set {"label":7}"#,
            r#"{"error":"wrong type","field":"label","allowed":"text of 0 to 11 characters, or null"}"#,
        ),
        (r#"set {"quiet":3600001}"#, r#"{"error":"out of range","field":"quiet","allowed":"0 to 3600000, or null"}"#),
        (r#"set {"quiet":6000}"#, r#"{"error":"quiet is longer than max-age","field":"quiet"}"#),
        (
            r#"set {"refresh":"never"}"#,
            r#"{"error":"not one of the choices","field":"refresh","allowed":"auto, attention, reinsert, reconnect, or null"}"#,
        ),
        (r#"set {"exposed":["SRAM.BIN"]}"#, r#"{"error":"not a file that `files` lists","field":"exposed"}"#),
        (
            r#"set {"exposed":[7]}"#,
            r#"{"error":"wrong type","field":"exposed","allowed":"a list of at most 16 texts"}"#,
        ),
        (
            r#"set {"product":""}"#,
            r#"{"error":"wrong length","field":"product","allowed":"text of 1 to 32 characters, or null"}"#,
        ),
        (r#"set {"product":"a\tb"}"#, r#"{"error":"no control characters","field":"product"}"#),
        (r#"set {"lock":1}"#, r#"{"error":"wrong type","field":"lock","allowed":"true or false"}"#),
        (r#"set {"interval":0}"#, r#"{"error":"out of range","field":"interval","allowed":"1 to 3600"}"#),
        (r#"set {"interval":1e1}"#, r#"{"error":"wrong type","field":"interval","allowed":"1 to 3600"}"#),
        (
            r#"set {"password":"seventeen letters"}"#,
            r#"{"error":"wrong length","field":"password","allowed":"text of 0 to 16 characters"}"#,
        ),
        (
            r#"set {"password":"ääääääääää"}"#,
            r#"{"error":"wrong length","field":"password","allowed":"text of 0 to 16 characters"}"#,
        ),
        (r#"set {"interval":1,"unit":"kelvin"}"#, r#"{"error":"too fast for kelvin","field":"unit"}"#),
        (r#"set {"offset":1.5.5}"#, r#"{"error":"wrong type","field":"offset","allowed":"a number"}"#),
        (r#"set {"labell":"X"}"#, r#"{"error":"no such setting","allowed":"what `get` lists"}"#),
        // All or nothing.
        (
            r#"set {"label":"LAB7","quiet":7,"interval":0}"#,
            r#"{"error":"out of range","field":"interval","allowed":"1 to 3600"}"#,
        ),
        (r#"set {"label":"LAB7""#, r#"{"error":"not a JSON object","allowed":"set {\"FIELD\":VALUE}"}"#),
        (r#"set {"label":"LAB7"} x"#, r#"{"error":"not a JSON object","allowed":"set {\"FIELD\":VALUE}"}"#),
        ("set", r#"{"error":"not a JSON object","allowed":"set {\"FIELD\":VALUE}"}"#),
        ("get nothing\u{7}", r#"{"error":"no such setting","allowed":"what `get` lists"}"#),
    ] {
        assert_eq!(ask(settings, line), answer, "{line}");
        assert_eq!(ask(settings, "get"), before, "{line}");
    }
    for line in ["gett", "save me", "{}", "\u{FF}\u{0}", "SET {}", "reboot now"] {
        assert!(ask(settings, line).starts_with(r#"{"error":"no such command","allowed":"get, "#), "{line}");
    }
    assert!(!settings.take_restart());
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes in Miri")]
fn lines_end_where_they_should() {
    let settings = fresh();
    assert_eq!(say(settings, b"\r\n\n\r   \r"), "");
    assert_eq!(
        say(settings, b"get quiet\nget hold\rget quiet\r\n"),
        "{\"quiet\":500}\r\n{\"hold\":10000}\r\n{\"quiet\":500}\r\n"
    );
    assert_eq!(say(settings, b"geX\x08t quieX\x7Ft\r"), "{\"quiet\":500}\r\n");
    // What fits exactly is taken, one byte more is not, and is dropped up to its end.
    let longest = format!("get quiet{}", " ".repeat(512 - 9));
    assert_eq!(ask(settings, &longest), r#"{"quiet":500}"#);
    let too_long = r#"{"error":"the line is too long","allowed":"at most 512 bytes"}"#;
    assert_eq!(ask(settings, &format!("{longest} ")), too_long);
    assert_eq!(ask(settings, &format!("{longest}{longest}get hold")), too_long);
    assert_eq!(ask(settings, "get quiet"), r#"{"quiet":500}"#);
    // What a terminal sends back is not answered.
    let answer = ask(settings, "what?");
    assert_eq!(say(settings, format!("{answer}\r\n").as_bytes()), "");
    assert_eq!(say(settings, format!("{answer}{}\r\n", "x".repeat(600)).as_bytes()), "");
    assert_eq!(say(settings, b"PicoVD 0.1.0, board E4614C311F2A9D0B\r\n"), "");
}

/// What a terminal echoes of what was printed is no command, once each; in colours, too, as Linux echoes them.
#[test]
#[cfg_attr(miri, ignore = "takes minutes in Miri")]
fn what_was_printed_is_not_obeyed() {
    let settings = fresh();
    let log = b"help\r\n\x1b[31mset {\"label\":\"RED\"}\x1b[0m\r\n  spaces \r\n\r\ntick\r\n";
    for piece in log.chunks(7) {
        settings.printed(piece);
    }
    assert_eq!(say(settings, b"help\r\n\r\n"), "");
    assert_eq!(say(settings, b"^[[31mset {\"label\":\"RED\"}^[[0m\r\n\r\n  spaces \r\n"), "");
    // What is left of a line is no command either, where others came back.
    assert_eq!(say(settings, b"ick\r\n"), "");
    assert!(ask(settings, "help").starts_with(r#"{"help":"#), "it came back once");
    assert_eq!(ask(settings, "get label"), r#"{"label":"PICOVD"}"#);
    // An answer that comes back, of whatever kind.
    for command in ["get", "files", "what"] {
        settings.disconnect();
        let answer = ask(settings, command);
        settings.printed(answer.as_bytes());
        settings.printed(b"\r\n");
        assert_eq!(say(settings, format!("{answer}\r\n\r\n").as_bytes()), "", "{command}");
    }
    // Another session knows nothing of it.
    settings.printed(b"help\r\n");
    settings.disconnect();
    assert!(ask(settings, "help").starts_with(r#"{"help":"#));
    settings.printed(b"help\r\n");
    settings.forget_printed();
    assert!(ask(settings, "help").starts_with(r#"{"help":"#), "after a while it is not expected any more");
    assert!(ask(settings, "ick").starts_with(r#"{"error":"#));
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes in Miri")]
fn backspace_takes_a_whole_character() {
    let settings = fresh();
    for (typed, label) in
        [("A\u{e9}\x7fB", "AB"), ("A\u{20ac}\x08B", "AB"), ("A\u{1f980}\x7f\x7fB", "B"), ("AB\x7f", "A")]
    {
        assert_eq!(ask(settings, &format!("set {{\"label\":\"{typed}\"}}")), SET, "{typed:?}");
        assert_eq!(ask(settings, "get label"), format!(r#"{{"label":"{label}"}}"#), "{typed:?}");
    }
    // Bytes that are no characters go one by one.
    for wrong in [&b"\x80\x7f"[..], b"\xC3\x7f", b"\xA4\xA4\x7f\x7f", b"\xC3\xA4\xA4\x7f\x7f", b"\xF0\xA4\x7f\x7f"] {
        let line = [wrong, b"get label\r\n"].concat();
        assert_eq!(say(settings, &line), "{\"label\":\"A\"}\r\n", "{wrong:02x?}");
        assert_eq!(say(settings, &[b"\x7f\x08\x7f", &line[..]].concat()), "{\"label\":\"A\"}\r\n");
    }
}

/// RFC 8259 section 8.3.
#[test]
#[cfg_attr(miri, ignore = "takes minutes in Miri")]
fn an_escaped_name_is_that_name() {
    let settings = fresh();
    settings.add(&NEW).unwrap();
    assert_eq!(ask(settings, r#"set {"\u006cabel":"\u0041B","re\u0066resh":"\u0061uto"}"#), SET);
    assert_eq!(ask(settings, "get label"), r#"{"label":"AB"}"#);
    assert_eq!(ask(settings, r#"set {"unit":"kelv\u0069n","place":"\u0052\/\ud83e\udd80"}"#), SET);
    assert_eq!(ask(settings, "get unit"), r#"{"unit":"kelvin"}"#);
    assert_eq!(ask(settings, "get place"), r#"{"place":"R/🦀"}"#);
    // What needs its escape keeps it, and an escaped backslash begins no other escape.
    assert_eq!(ask(settings, r#"set {"place":"\u0022\\u0041"}"#), SET);
    assert_eq!(ask(settings, "get place"), r#"{"place":"\"\\u0041"}"#);
    for wrong in [r"\u006Cabe", r"\u006clabel", r"\ud83elabel", r"\label", r"\u00", r"\u004cabel"] {
        let answer = ask(settings, &format!("set {{\"{wrong}\":\"X\"}}"));
        assert!(answer.starts_with(r#"{"error":"#), "{wrong}: {answer}");
    }
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes in Miri")]
fn a_session_that_ends_leaves_nothing() {
    let settings = fresh();
    for half in [&b"set {\"label\":\"OOPS\"}"[..], b"AT", b"\x7E\x00\x78\xF0\x7E", &[b'x'; 600]] {
        for byte in half {
            settings.take_byte(*byte);
        }
        settings.disconnect();
        assert_eq!(say(settings, b"\r\n"), "");
        assert_eq!(ask(settings, "get label"), r#"{"label":"PICOVD"}"#);
    }
    // A line whose result was not seen, and an answer that was not fetched.
    for byte in b"set {\"label\":\"OOPS\"}\r" {
        settings.take_byte(*byte);
    }
    settings.disconnect();
    assert!(!settings.execute(Instant(0)));
    for byte in b"get\r" {
        settings.take_byte(*byte);
    }
    assert!(settings.execute(Instant(0)));
    settings.disconnect();
    assert_eq!(settings.answer(&mut [0; 8]), 0);
    assert_eq!(ask(settings, "get label"), r#"{"label":"PICOVD"}"#);
    // A packet of which some bytes wait after a whole line.
    let mut packet = Some(b"get\r\nset {\"label\":\"OOPS\"}\r\n");
    settings.listen(|room| {
        let bytes = packet.take().map_or(&[][..], |packet| packet);
        room[..bytes.len()].copy_from_slice(bytes);
        bytes.len()
    });
    settings.disconnect();
    settings.listen(|_| 0);
    assert!(!settings.execute(Instant(0)));
    assert_eq!(ask(settings, "get label"), r#"{"label":"PICOVD"}"#);
}

#[test]
fn an_answer_that_nobody_fetches_holds_the_line() {
    let settings = fresh();
    for byte in b"get\r" {
        settings.take_byte(*byte);
    }
    assert!(
        !settings.takes_bytes()
            && settings.execute(Instant(0))
            && !settings.execute(Instant(0))
            && !settings.takes_bytes()
    );
    let mut piece = [0; 10];
    assert_eq!(settings.answer(&mut piece), 10);
    settings.answered(4);
    // The answer shows what was there at the time of the command.
    settings
        .edit::<()>(|payload| {
            payload.clear();
            Ok(())
        })
        .unwrap();
    assert_eq!(settings.answer(&mut piece), 10);
    assert_eq!(&piece, &FRESH.as_bytes()[4..14]);
    settings.drop_answer();
    assert!(settings.takes_bytes());
    assert_eq!(settings.answer(&mut piece), 0);
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes in Miri")]
fn what_is_saved_comes_back() {
    let kept = Kept::default();
    let settings = power(*PLAN, &kept);
    settings.add(&NEW).unwrap();
    assert_eq!(ask(settings, r#"set {"label":"LAB7","interval":60,"place":"ROOF"}"#), SET);
    assert_eq!(ask(settings, "save"), r#"{"ok":"save","saved":true}"#);
    let saved = ask(settings, "get");
    assert_eq!(ask(settings, r#"set {"label":"OTHER","unit":"kelvin"}"#), SET);
    assert_eq!(ask(settings, "revert"), r#"{"ok":"revert","saved":true}"#);
    assert_eq!(ask(settings, "get"), saved);
    assert_eq!(ask(settings, "defaults"), r#"{"ok":"defaults","saved":false}"#);
    assert!(ask(settings, "get").contains(r#""label":"PICOVD""#));
    let again = power(*PLAN, &kept);
    again.add(&NEW).unwrap();
    assert_eq!(ask(again, "get"), saved);
    assert_eq!(NEW.get(again), New { interval: 60, place: Some(text("ROOF")), ..New::default() });
    assert_eq!(ask(again, "reboot"), r#"{"ok":"reboot","saved":true}"#);
    assert!(again.take_restart() && !again.take_restart());
}

#[test]
fn a_name_is_one_groups_alone() {
    static LABELS: [Field; 2] =
        [Field::integer("interval", 0, 9, ""), Field::boolean("label", "The stick has that name.")];
    static LABEL: Group<New> = Group::declared("label", &LABELS);
    static OTHERS: [Group<New>; 3] =
        [Group::declared("one", &[]), Group::declared("two", &[]), Group::declared("three", &[])];
    let settings = power(*PLAN, &Kept::default());
    assert_eq!(settings.add(&LABEL), Err(GroupError::NameTaken));
    assert_eq!(settings.add(&NEW), Ok(()));
    assert_eq!(settings.add(&NEW), Err(GroupError::NameTaken));
    static SAME_FIELD: Group<New> = Group::declared("other", LABELS.split_at(1).0);
    assert_eq!(settings.add(&SAME_FIELD), Err(GroupError::NameTaken), "both have an interval");
    for other in &OTHERS {
        assert_eq!(settings.add(other), Ok(()));
    }
    static FIFTH: Group<New> = Group::declared("five", &[]);
    assert_eq!(settings.add(&FIFTH), Err(GroupError::Full));
}

#[test]
fn errors_say_what_the_console_answers() {
    fn said(error: &dyn core::error::Error) -> String {
        error.to_string()
    }
    assert_eq!(said(&SaveError::Volatile), "not saved: there is no flash for settings");
    assert_eq!(said(&SaveError::Occupied(Contents::Elf)), "occupied by an ELF file");
    assert_eq!(said(&GroupError::Full), "there are 4 groups of settings already");
    assert_eq!(said(&FlashError::Refused), "flash may not be written there");
    assert_eq!(said(&Reason::NoField), "no such setting");
}

#[test]
fn without_flash_save_says_so() {
    let settings = Settings::new(*PLAN, Box::leak(Box::new(Room::new())));
    assert_eq!(ask(&settings, "save"), r#"{"error":"not saved: there is no flash for settings"}"#);
    let settings: &'static Settings<'static> = Box::leak(Box::new(settings));
    settings.start(Box::leak(Box::new(Volatile)));
    assert_eq!(ask(settings, r#"set {"label":"LAB7"}"#), SET);
    assert_eq!(ask(settings, "save"), format!(r#"{{"error":"{}"}}"#, SaveError::Volatile));
    assert_eq!(ask(settings, "get label"), r#"{"label":"LAB7"}"#);
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes in Miri")]
fn older_and_newer_firmware_understand_each_other() {
    let kept = Kept::default();
    let old = power(*PLAN, &kept);
    old.add(&OLD).unwrap();
    ask(old, r#"set {"interval":60}"#);
    ask(old, "save");
    let new = power(*PLAN, &kept);
    new.add(&NEW).unwrap();
    assert_eq!(NEW.get(new), New { interval: 60, ..New::default() });
    ask(new, r#"set {"unit":"kelvin","offset":-1.25,"place":"ROOF"}"#);
    ask(new, "save");
    // The old one changes what it knows, and keeps what it does not.
    let old = power(*PLAN, &kept);
    old.add(&OLD).unwrap();
    assert_eq!(OLD.get(old).interval, 60);
    ask(old, r#"set {"interval":61}"#);
    OLD.set(old, &Old { interval: 62, ..OLD.get(old) }).unwrap();
    ask(old, "save");
    // One without the group keeps it whole.
    let other = power(*PLAN, &kept);
    ask(other, r#"set {"label":"LAB7"}"#);
    ask(other, "defaults");
    ask(other, "save");
    let new = power(*PLAN, &kept);
    new.add(&NEW).unwrap();
    let expected = New { interval: 62, unit: Unit::Kelvin, offset: -1.25, place: Some(text("ROOF")), ..New::default() };
    assert_eq!(NEW.get(new), expected);
}

#[test]
fn values_that_another_firmware_allowed_are_defaults() {
    #[derive(Default, Serialize, Deserialize)]
    #[serde(default)]
    struct Wild {
        interval: u16,
        password: heapless::String<16>,
        unit: u8,
        offset: f32,
    }
    static FIELDS: [Field; 4] = [
        Field::integer("interval", 0, 65_535, ""),
        Field::text("password", 0, 16, ""),
        Field::integer("unit", 0, 255, ""),
        Field::number("offset", ""),
    ];
    static WILD: Group<Wild> = Group::declared("app", &FIELDS);
    let write = |wild: Wild| {
        let kept = Kept::default();
        let settings = power(*PLAN, &kept);
        settings.add(&WILD).unwrap();
        WILD.set(settings, &wild).unwrap();
        settings.save(false, Instant(0)).unwrap();
        kept
    };
    // Out of range: that one alone.
    let kept = write(Wild { interval: 4000, unit: 1, offset: 2.0, ..Wild::default() });
    let before = kept.0.lock().unwrap().clone();
    let settings = power(*PLAN, &kept);
    settings.add(&NEW).unwrap();
    assert_eq!(NEW.get(settings), New { unit: Unit::Kelvin, offset: 2.0, ..New::default() });
    assert_eq!(*kept.0.lock().unwrap(), before, "reading destroys nothing");
    // No such variant: that one alone.
    let settings = power(*PLAN, &write(Wild { interval: 5, unit: 9, ..Wild::default() }));
    settings.add(&NEW).unwrap();
    assert_eq!(NEW.get(settings), New { interval: 5, offset: 0.0, ..New::default() });
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes in Miri")]
fn secrets_are_set_and_never_shown() {
    let settings = fresh();
    settings.add(&NEW).unwrap();
    assert_eq!(ask(settings, "get password"), r#"{"password":"not set"}"#);
    assert_eq!(ask(settings, r#"set {"password":"hunter2"}"#), SET);
    assert_eq!(ask(settings, "get password"), r#"{"password":"set"}"#);
    assert!(!ask(settings, "get").contains("hunter2"));
    assert_eq!(NEW.get(settings).password.as_str(), "");
    assert_eq!(NEW.lend(settings, |new| new.password.as_str().len()), 7);
    NEW.lend(settings, |new| assert_eq!(new.password.as_str(), "hunter2"));
    settings.freeze();
    let mut out = vec![0; 4096];
    let length = settings.render(View::Values, 0, &mut out);
    let text = String::from_utf8(out[..length].to_vec()).unwrap();
    assert!(text.contains("\r\n  \"password\":\"set\",\r\n"), "{text}");
    assert!(!format!("{:?}{:?}", NEW.get(settings), settings).contains("hunter2"));
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes in Miri")]
fn what_an_application_sets_leaves_secrets_as_they_are() {
    let settings = fresh();
    settings.add(&NEW).unwrap();
    assert_eq!(ask(settings, r#"set {"password":"hunter2","interval":7}"#), SET);
    let password = || NEW.lend(settings, |new| String::from(new.password.as_str()));
    let values = NEW.get(settings);
    assert_eq!(values.interval, 7);
    NEW.set(settings, &New { interval: 9, ..values }).unwrap();
    assert_eq!((NEW.get(settings).interval, password().as_str()), (9, "hunter2"));
    NEW.set(settings, &New { password: text("hunter3"), ..NEW.get(settings) }).unwrap();
    assert_eq!((NEW.get(settings).interval, password().as_str()), (9, "hunter3"));
    assert_eq!(NEW.forget(settings, "no such field"), Err(Reason::NoField));
    NEW.forget(settings, "interval").unwrap();
    assert_eq!((NEW.get(settings).interval, password().as_str()), (New::default().interval, "hunter3"));
    NEW.forget(settings, "password").unwrap();
    assert_eq!(password(), "");
    assert_eq!(ask(settings, "get password"), r#"{"password":"not set"}"#);
}

/// A secret typed where something else belongs, half of a line, or with a slip of the finger.
#[test]
#[cfg_attr(miri, ignore = "takes minutes in Miri")]
fn nothing_of_a_line_is_in_an_error() {
    let settings = fresh();
    settings.add(&NEW).unwrap();
    let secret = "Q7XK9ZV2";
    for line in [
        "get Q7XK9ZV2",
        "Q7XK9ZV2",
        "set Q7XK9ZV2",
        r#"set {"Q7XK9ZV2":"password"}"#,
        r#"set {"password":"Q7XK9ZV2"#,
        r#"set {"password":"Q7XK9ZV2","#,
        r#"set {"password":Q7XK9ZV2}"#,
        r#"set {"interval":"Q7XK9ZV2"}"#,
        r#"set {"unit":"Q7XK9ZV2"}"#,
        r#"set {"exposed":["Q7XK9ZV2"]}"#,
        r#"set {"label":"Q7XK9ZV2Q7XK9ZV2"}"#,
        r#"set {"password":"Q7XK9ZV2Q7XK9ZV2Q7XK9ZV2"}"#,
        "save Q7XK9ZV2",
        "reboot Q7XK9ZV2",
    ] {
        let answer = ask(settings, line);
        assert!(answer.starts_with("{\"error\":"), "{line}: {answer}");
        let windows = secret.as_bytes().windows(2).map(|window| std::str::from_utf8(window).unwrap());
        assert!(windows.into_iter().all(|window| !answer.contains(window)), "{line}: {answer}");
    }
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes in Miri")]
fn a_lock_holds_once_it_is_saved() {
    let kept = Kept::default();
    let settings = power(*PLAN, &kept);
    assert_eq!(ask(settings, r#"set {"lock":true}"#), SET);
    assert_eq!(ask(settings, r#"set {"label":"LAB7"}"#), SET);
    assert_eq!(ask(settings, "save"), r#"{"ok":"save","saved":true}"#);
    let locked = |settings: &Settings<'_>| {
        for line in [r#"set {"lock":false}"#, "save", "revert", "defaults"] {
            let answer = r#"{"error":"the settings are locked","allowed":"get, files, reboot, bootsel, help"}"#;
            assert_eq!(ask(settings, line), answer, "{line}");
        }
        ask(settings, "get label")
    };
    assert_eq!(locked(settings), r#"{"label":"LAB7"}"#);
    assert_eq!(locked(power(*PLAN, &kept)), r#"{"label":"LAB7"}"#);
    assert_eq!(locked(power(Plan { lock: true, ..*PLAN }, &Kept::default())), r#"{"label":"PICOVD"}"#);
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes in Miri")]
fn views_are_the_same_in_every_piece() {
    let settings = fresh();
    settings.add(&NEW).unwrap();
    for view in [View::Values, View::Schema] {
        settings.freeze();
        let length = settings.length(view);
        let mut whole = vec![0; length + 1];
        assert_eq!(settings.render(view, 0, &mut whole), length);
        whole.truncate(length);
        for offset in 0..=length {
            let mut out = [0; 64];
            let filled = settings.render(view, offset, &mut out);
            assert_eq!(out[..filled], whole[offset..length.min(offset + 64)]);
        }
    }
    // What changes shows with the next generation.
    settings.freeze();
    let length = settings.length(View::Values);
    ask(settings, r#"set {"label":"A"}"#);
    assert_eq!(settings.length(View::Values), length);
    settings.freeze();
    assert_eq!(settings.length(View::Values), length - 5);
}

#[test]
fn the_schema_is_json_and_says_what_may_be_set() {
    let settings = fresh();
    settings.add(&NEW).unwrap();
    settings.freeze();
    let mut out = vec![0; 8192];
    let length = settings.render(View::Schema, 0, &mut out);
    let text = std::str::from_utf8(&out[..length]).unwrap();
    for part in [
        r#""label":{"description":"The volume's name as a host shows it.","type":["string","null"],"minLength":0,"maxLength":11}"#,
        r#""interval":{"description":"Seconds.","type":"integer","minimum":1,"maximum":3600}"#,
        r#""password":{"description":"Secret.","type":"string","minLength":0,"maxLength":16,"writeOnly":true}"#,
        r#""unit":{"description":"Unit.","type":"string","enum":["celsius","kelvin"]}"#,
        r#""offset":{"description":"Offset.","type":"number"}"#,
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes in Miri")]
fn whatever_a_host_sends_is_answered_or_dropped() {
    let words: [&[u8]; 22] = [
        b"set ",
        b"get ",
        b"{",
        b"}",
        b"\"",
        b"\\",
        b"label",
        b"exposed",
        b"password",
        b":",
        b",",
        b"[",
        b"]",
        b"null",
        b"-1",
        b"99999999999999999999",
        b"\\ud800",
        b"\xFF",
        b"\r",
        b"save",
        b"1.5e400",
        b"FLASH.BIN",
    ];
    // Miri takes a second for a few lines.
    const SESSIONS: u32 = if cfg!(miri) { 1 } else { 1_000 };
    let piece = (select(words.to_vec()), prop::option::weighted(0.125, any::<u8>()));
    let text = vec(piece, 0..12).prop_map(|pieces| {
        let bytes = pieces.into_iter().flat_map(|(word, byte)| word.iter().copied().chain(byte));
        bytes.chain([b'\n']).collect::<Vec<u8>>()
    });
    Cases { count: SESSIONS, seed: 0 }.check(vec(text, 1..=40), |texts| {
        let settings = fresh();
        settings.add(&NEW).unwrap();
        for text in texts {
            let lines = text.split(|byte| matches!(byte, b'\r' | b'\n')).count() - 1;
            let answers = say(settings, &text);
            assert!(answers.lines().count() <= lines, "{} {answers}", text.escape_ascii());
            let whole = answers.lines().all(|line| line.starts_with('{') && line.ends_with('}'));
            assert!(whole, "{} {answers}", text.escape_ascii());
        }
        let mut out = String::new();
        let _ = write!(out, "{settings:?}");
    });
}
