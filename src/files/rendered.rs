//! Values that are rendered as text at any offset, without a buffer for the whole.

use crate::dynamic::{Content, Frozen};
use crate::text::Writer;
use crate::volume::Generation;
use core::cell::Cell;
use core::fmt::{Display, Write};
use critical_section::Mutex;

/// A value that is shown as its [`Display`] formats it: CSV, JSON, and so on.
///
/// Each packet of 64 bytes renders the value from its start, so this suits values of up to some kilobytes of text. The
/// value itself is copied with interrupts masked: keep it below a kilobyte.
pub struct Rendered<T> {
    values: Mutex<Values<T>>,
}

struct Values<T> {
    /// The value for the next generation, and the number of the call that set it.
    next: Cell<(T, u32)>,
    /// What was accepted last, with that number.
    accepted: Cell<(T, u32)>,
    /// The value that the current generation shows.
    shown: Cell<T>,
    /// How many times a value was set.
    sets: Cell<u32>,
}

impl<T: Copy + Display + Send> Rendered<T> {
    /// Starts with `value`.
    pub const fn new(value: T) -> Self {
        let (next, accepted, shown) = (Cell::new((value, 0)), Cell::new((value, 0)), Cell::new(value));
        Self { values: Mutex::new(Values { next, accepted, shown, sets: Cell::new(0) }) }
    }

    /// Sets the value for the next generation; announce it with `vd_update_file`.
    pub fn set(&self, value: T) {
        self.with(|values| {
            let number = values.sets.get().wrapping_add(1);
            values.sets.set(number);
            values.next.set((value, number));
        });
    }

    fn with<R>(&self, work: impl FnOnce(&Values<T>) -> R) -> R {
        critical_section::with(|section| work(self.values.borrow(section)))
    }
}

impl<T: Copy + Display + Send> Content for Rendered<T> {
    fn length(&self) -> u32 {
        length(&self.with(|values| values.next.get().0))
    }

    fn accept(&self, capacity: u32) -> bool {
        // Rendered with interrupts enabled. Other contexts may set and check values meanwhile: each checks its own.
        let judged @ (value, number) = self.with(|values| values.next.get());
        let fits = length(&value) <= capacity;
        let is_newer = |other: u32| number.wrapping_sub(other).cast_signed() > 0;
        self.with(|values| {
            if !fits {
                if values.next.get().1 == number {
                    values.next.set(values.accepted.get());
                }
            } else if is_newer(values.accepted.get().1) {
                values.accepted.set(judged);
                // A newer one was refused, and was replaced by what had been accepted by then.
                if is_newer(values.next.get().1) {
                    values.next.set(judged);
                }
            }
        });
        fits
    }

    fn freeze(&self, _: Generation) -> Frozen {
        // One copy at a time, so that interrupts are enabled in between.
        let (shown, _) = self.with(|values| values.next.get());
        self.with(|values| values.shown.set(shown));
        Frozen { length: length(&shown), kept: false }
    }

    fn read(&self, _: u32, offset: u32, out: &mut [u8]) {
        render(&self.with(|values| values.shown.get()), offset, out);
    }
}

/// Length in bytes of a value's text.
fn length(value: &impl Display) -> u32 {
    u32::try_from(Writer::length(|out| write!(out, "{value}"))).unwrap_or(u32::MAX)
}

/// Fills `out` with a value's text from byte `offset` on.
fn render(value: &impl Display, offset: u32, out: &mut [u8]) {
    // Once the buffer is full, the error ends the rendering.
    let _ = write!(Writer::new(offset as usize, out), "{value}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_window_of_a_text_is_the_text() {
        let value = format_args!("{},{:05},{}", 12, 345, "six").to_string();
        let whole = value.as_bytes();
        assert_eq!(length(&value), whole.len() as u32);
        for offset in 0..=whole.len() {
            for end in offset..=whole.len() {
                let mut out = std::vec![0; end - offset];
                render(&format_args!("{},{:05},{}", 12, 345, "six"), offset as u32, &mut out);
                assert_eq!(out, whole[offset..end]);
            }
        }
    }

    #[test]
    fn a_value_shows_when_it_was_frozen() {
        let value = Rendered::new(1u32);
        value.set(22_222);
        assert_eq!(value.length(), 5);
        let mut out = [0; 1];
        value.read(0, 0, &mut out);
        assert_eq!(&out, b"1");
        assert_eq!(value.freeze(Generation::default()), Frozen { length: 5, kept: false });
        value.read(1, 4, &mut out);
        assert_eq!(&out, b"2");
    }

    /// A number that is shown as that many letters. While it is measured, another context acts.
    #[derive(Clone, Copy)]
    struct Probe(u32, fn());

    impl Display for Probe {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
            (self.1)();
            (0..self.0).try_for_each(|_| f.write_char('x'))
        }
    }

    fn next(value: &Rendered<Probe>) -> u32 {
        value.with(|values| values.next.get().0.0)
    }

    #[test]
    fn a_value_that_is_set_while_another_one_is_refused_is_judged_by_itself() {
        static VALUE: Rendered<Probe> = Rendered::new(Probe(1, || {}));
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
        static VALUE: Rendered<Probe> = Rendered::new(Probe(1, || {}));
        VALUE.set(Probe(3, || {
            VALUE.set(Probe(9, || {}));
            assert!(!VALUE.accept(5));
        }));
        assert!(VALUE.accept(5));
        assert_eq!(next(&VALUE), 3);
    }

    #[test]
    fn an_older_value_does_not_take_the_place_of_a_newer_one() {
        static VALUE: Rendered<Probe> = Rendered::new(Probe(1, || {}));
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

    extern crate std;
    use std::string::ToString;
}
