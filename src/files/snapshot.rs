//! A value as a file: its text at one moment, rendered at any offset, without a buffer for the whole.

use crate::dynamic::{Content, Frozen};
use crate::json;
use crate::text::Writer;
use crate::volume::Generation;
use core::cell::RefCell;
use core::fmt::{self, Display, Write};
use critical_section::Mutex;
use serde::Serialize;

/// A value as a file: what it [`Display`]s, or its JSON.
///
/// ```
/// # let mut host = picovd_sim::example::Host::new();
/// # let files = host.files();
/// # use picovd::{files::Snapshot, heapless::String, vd::{AddError, File}};
/// #[derive(Clone, serde::Serialize)]
/// struct Weather { celsius: f32, wind: Option<u8> }
///
/// static COUNT: Snapshot<u32> = Snapshot::new(0);
/// static NAME: Snapshot<String<16>> = Snapshot::new(String::new());
/// static WEATHER: Snapshot<Weather> = Snapshot::json(Weather { celsius: 21.0, wind: None });
///
/// static COUNT_TXT: File = File::new("COUNT.TXT", &COUNT, 16);
/// static NAME_TXT: File = File::new("NAME.TXT", &NAME, 16);
/// static WEATHER_JSON: File = File::new("WEATHER.JSON", &WEATHER, 64);
///
/// files.add(&COUNT_TXT)?;
/// files.add(&NAME_TXT)?;
/// files.add(&WEATHER_JSON)?;
/// COUNT.set(7);
/// NAME.set("Porch".try_into().unwrap());
/// WEATHER.set(Weather { celsius: 21.6, wind: Some(3) });
/// # for file in [&COUNT_TXT, &NAME_TXT, &WEATHER_JSON] { files.update(file).unwrap(); }
/// # assert_eq!(host.sees("COUNT.TXT"), b"7");
/// # assert_eq!(host.sees("NAME.TXT"), b"Porch");
/// # assert_eq!(host.sees("WEATHER.JSON"), b"{\"celsius\":21.6,\"wind\":3}\r\n");
/// # Ok::<(), AddError>(())
/// ```
///
/// Values may be set from any context. Hosts see the value that was there when the generation began, until the next one
/// begins.
///
/// Each packet of 64 bytes renders the value from its start, so this suits values of up to some kilobytes of text. The
/// value itself is cloned with interrupts masked: keep it below a kilobyte. There are three of it in RAM.
pub struct Snapshot<T> {
    /// Writes a value's text. It fails if the value refuses, or with the writer.
    write: fn(&T, &mut Writer<'_>) -> fmt::Result,
    values: Mutex<RefCell<Values<T>>>,
}

struct Values<T> {
    /// The value for the next generation, and the number of the call that set it.
    next: (T, u32),
    /// What was accepted last, with that number. `None` as long as that is the first value, and it is `next`.
    accepted: Option<(T, u32)>,
    /// The value that the current generation shows.
    shown: Option<T>,
    /// How many times a value was set.
    sets: u32,
}

/// What can be shown as text: anything that is `Display`, `Clone` and `Send`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the value of a `Snapshot`",
    label = "is not `Display`, `Clone` and `Send`",
    note = "implement `core::fmt::Display` for it, or derive `serde::Serialize` and use `Snapshot::json`",
    note = "for text that is put together, use `heapless::String<N>`, or a `TextBuffer<N>` in place of the `Snapshot`"
)]
pub trait AsText: Display + Clone + Send {}

#[diagnostic::do_not_recommend]
impl<T: Display + Clone + Send> AsText for T {}

/// What can be shown as JSON: anything that is `Serialize`, `Clone` and `Send`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the value of a `Snapshot::json`",
    label = "is not `Serialize`, `Clone` and `Send`",
    note = "derive `serde::Serialize` and `Clone` for it, or implement `core::fmt::Display` and use `Snapshot::new`"
)]
pub trait AsJson: Serialize + Clone + Send {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + Clone + Send> AsJson for T {}

impl<T> Snapshot<T> {
    /// The text that `value` displays.
    pub const fn new(value: T) -> Self
    where
        T: AsText,
    {
        Self::written(value, |value, out| write!(out, "{value}"))
    }

    /// `value` as JSON (RFC 8259) in one line.
    ///
    /// A value whose `Serialize` fails is refused as too long.
    pub const fn json(value: T) -> Self
    where
        T: AsJson,
    {
        Self::written(value, |value, out| {
            json::write(value, out)?;
            out.text("\r\n")
        })
    }

    const fn written(value: T, write: fn(&T, &mut Writer<'_>) -> fmt::Result) -> Self {
        let values = Values { next: (value, 0), accepted: None, shown: None, sets: 0 };
        Self { write, values: Mutex::new(RefCell::new(values)) }
    }

    /// `None` within the `Clone` of a value of this snapshot.
    fn with<R>(&self, work: impl FnOnce(&mut Values<T>) -> R) -> Option<R> {
        critical_section::with(|section| {
            let mut values = self.values.borrow(section).try_borrow_mut().ok()?;
            Some(work(&mut values))
        })
    }

    /// Length in bytes of a value's text.
    fn measure(&self, value: &T) -> u32 {
        let mut whole = true;
        let length = Writer::length(|out| {
            let result = (self.write)(value, out);
            whole = result.is_ok();
            result
        });
        u32::try_from(length).ok().filter(|_| whole).unwrap_or(u32::MAX)
    }
}

impl<T: Clone + Send> Snapshot<T> {
    /// Sets the value for the next generation; announce it with `Files::update`.
    pub fn set(&self, value: T) {
        // What it replaces is dropped with interrupts enabled.
        let _old = self.with(|values| {
            let number = values.sets.wrapping_add(1);
            values.sets = number;
            let old = core::mem::replace(&mut values.next, (value, number));
            // The first value was accepted when it was declared.
            if values.accepted.is_none() { values.accepted.replace(old) } else { Some(old) }
        });
    }

    fn next(&self) -> Option<(T, u32)> {
        self.with(|values| values.next.clone())
    }
}

impl<T: Clone + Send> Content for Snapshot<T> {
    fn length(&self) -> u32 {
        self.next().map_or(0, |(value, _)| self.measure(&value))
    }

    fn accept(&self, capacity: u32) -> bool {
        // Rendered with interrupts enabled. Other contexts may set and check values meanwhile: each checks its own.
        let Some((value, number)) = self.next() else { return false };
        let fits = self.measure(&value) <= capacity;
        let is_newer = |other: u32| number.wrapping_sub(other).cast_signed() > 0;
        let _old = self.with(|values| {
            if !fits {
                let back = values.accepted.clone().filter(|_| values.next.1 == number);
                return back.map(|accepted| core::mem::replace(&mut values.next, accepted));
            }
            if !values.accepted.as_ref().is_some_and(|accepted| is_newer(accepted.1)) {
                return None;
            }
            // A newer one was refused, and was replaced by what had been accepted by then.
            if is_newer(values.next.1) {
                values.next = (value.clone(), number);
            }
            values.accepted.replace((value, number))
        });
        fits
    }

    fn freeze(&self, _: Generation) -> Frozen {
        // One copy at a time, so that interrupts are enabled in between.
        let Some((value, _)) = self.next() else { return Frozen { length: 0, kept: false } };
        let length = self.measure(&value);
        let _old = self.with(|values| values.shown.replace(value));
        Frozen { length, kept: false }
    }

    fn read(&self, _: u32, offset: u32, out: &mut [u8]) {
        if let Some(value) = self.with(|values| values.shown.clone()).flatten() {
            // Once the buffer is full, the error ends the rendering.
            let _ = (self.write)(&value, &mut Writer::new(offset as usize, out));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    extern crate std;
    use std::string::{String, ToString};
    use std::vec;

    #[test]
    fn every_window_of_a_text_is_the_text() {
        let value = "12,00345,six".to_string();
        let snapshot = Snapshot::new(value.clone());
        let whole = value.as_bytes();
        assert_eq!(snapshot.freeze(Generation::default()), Frozen { length: whole.len() as u32, kept: false });
        for offset in 0..=whole.len() {
            for end in offset..=whole.len() {
                let mut out = vec![0; end - offset];
                snapshot.read(0, offset as u32, &mut out);
                assert_eq!(out, whole[offset..end]);
            }
        }
    }

    #[test]
    fn a_value_shows_when_it_was_frozen() {
        let value = Snapshot::new(1u32);
        assert_eq!(value.freeze(Generation::default()).length, 1);
        value.set(22_222);
        assert_eq!(value.length(), 5);
        let mut out = [0; 1];
        value.read(0, 0, &mut out);
        assert_eq!(&out, b"1");
        assert_eq!(value.freeze(Generation::default()), Frozen { length: 5, kept: false });
        value.read(1, 4, &mut out);
        assert_eq!(&out, b"2");
    }

    fn shown<T: Clone + Send>(value: &Snapshot<T>) -> String {
        let mut out = vec![0; value.freeze(Generation::default()).length as usize];
        value.read(0, 0, &mut out);
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn what_serializes_is_a_line_of_json() {
        #[derive(Clone, Serialize)]
        struct Reading {
            celsius: f32,
            door: Option<char>,
            name: heapless::String<8>,
        }
        let reading = |celsius, door| Reading { celsius, door, name: "a \"b\"".try_into().unwrap() };
        let value = Snapshot::json(reading(21.6, None));
        assert_eq!(shown(&value), "{\"celsius\":21.6,\"door\":null,\"name\":\"a \\\"b\\\"\"}\r\n");
        value.set(reading(f32::NAN, Some('x')));
        assert_eq!(shown(&value), "{\"celsius\":null,\"door\":\"x\",\"name\":\"a \\\"b\\\"\"}\r\n");
    }

    /// Neither half a text nor none: it is as if it had not been set.
    #[test]
    fn a_value_that_does_not_serialize_is_refused() {
        #[derive(Clone)]
        struct Odd(u8);
        impl Serialize for Odd {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if self.0.is_multiple_of(2) {
                    serializer.serialize_u8(self.0)
                } else {
                    Err(serde::ser::Error::custom("odd"))
                }
            }
        }
        let value = Snapshot::json(Odd(2));
        assert!(value.accept(100));
        value.set(Odd(3));
        assert!(!value.accept(100));
        assert_eq!(shown(&value), "2\r\n");
    }

    /// A value whose `Clone` uses the snapshot that it is in, with interrupts masked.
    #[test]
    fn a_clone_that_comes_back_finds_nothing_and_does_no_harm() {
        struct Nosy;
        static VALUE: Snapshot<Nosy> = Snapshot::new(Nosy);
        impl Clone for Nosy {
            fn clone(&self) -> Self {
                assert_eq!(VALUE.length(), 0);
                VALUE.set(Self);
                Self
            }
        }
        impl Display for Nosy {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("nosy")
            }
        }
        assert!(VALUE.accept(4));
        assert_eq!(shown(&VALUE), "nosy");
    }

    /// A number that is shown as that many letters. While it is measured, another context acts.
    #[derive(Clone, Copy)]
    struct Probe(u32, fn());

    impl Display for Probe {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            (self.1)();
            (0..self.0).try_for_each(|_| f.write_char('x'))
        }
    }

    fn next(value: &Snapshot<Probe>) -> u32 {
        value.next().expect("nobody clones it").0.0
    }

    #[test]
    fn a_value_that_is_set_while_another_one_is_refused_is_judged_by_itself() {
        static VALUE: Snapshot<Probe> = Snapshot::new(Probe(1, || {}));
        VALUE.set(Probe(9, || VALUE.set(Probe(2, || {}))));
        assert!(!VALUE.accept(5));
        assert_eq!(next(&VALUE), 2);
        assert!(VALUE.accept(5));
        assert_eq!(next(&VALUE), 2);
        VALUE.set(Probe(8, || {}));
        assert!(!VALUE.accept(5));
        assert_eq!(next(&VALUE), 2, "what was accepted last stays");
    }

    #[test]
    fn a_value_that_fits_holds_although_a_newer_one_was_refused_meanwhile() {
        static VALUE: Snapshot<Probe> = Snapshot::new(Probe(1, || {}));
        VALUE.set(Probe(3, || {
            VALUE.set(Probe(9, || {}));
            assert!(!VALUE.accept(5));
        }));
        assert!(VALUE.accept(5));
        assert_eq!(next(&VALUE), 3);
    }

    #[test]
    fn an_older_value_does_not_take_the_place_of_a_newer_one() {
        static VALUE: Snapshot<Probe> = Snapshot::new(Probe(1, || {}));
        VALUE.set(Probe(3, || {
            VALUE.set(Probe(4, || {}));
            assert!(VALUE.accept(5));
        }));
        assert!(VALUE.accept(5));
        assert_eq!(next(&VALUE), 4);
        VALUE.set(Probe(9, || {}));
        assert!(!VALUE.accept(5));
        assert_eq!(next(&VALUE), 4);
    }
}
