//! Values that are rendered as text at any offset, without a buffer for the whole.

use crate::piece::Piece;
use crate::volume::{Content, Frozen, Generation};
use core::cell::Cell;
use core::fmt::{Display, Write};
use critical_section::Mutex;

/// A value that is shown as its [`Display`] has it: CSV, JSON, whatever.
///
/// Each packet of 64 bytes renders the value from its beginning, so this suits values of some kilobytes of text.
pub struct Rendered<T> {
    values: Mutex<Cell<Values<T>>>,
}

#[derive(Clone, Copy)]
struct Values<T> {
    /// What the next generation shows.
    next: T,
    /// What was accepted last.
    accepted: T,
    /// What the present generation shows.
    shown: T,
}

impl<T: Copy + Display + Send> Rendered<T> {
    /// Begins with `value`.
    pub const fn new(value: T) -> Self {
        Self { values: Mutex::new(Cell::new(Values { next: value, accepted: value, shown: value })) }
    }

    /// Takes `value` for the next generation; `vd_update_file` says so.
    pub fn set(&self, value: T) {
        self.change(|values| values.next = value);
    }

    fn values(&self) -> Values<T> {
        self.change(|_| {})
    }

    fn change(&self, change: impl FnOnce(&mut Values<T>)) -> Values<T> {
        critical_section::with(|section| {
            let cell = self.values.borrow(section);
            let mut values = cell.get();
            change(&mut values);
            cell.set(values);
            values
        })
    }
}

impl<T: Copy + Display + Send> Content for Rendered<T> {
    fn length(&self) -> u32 {
        length(&self.values().next)
    }

    fn accept(&self, capacity: u32) -> bool {
        // Rendered with interrupts enabled: a value that came meanwhile has a call of its own.
        let next = self.values().next;
        let fits = length(&next) <= capacity;
        self.change(|values| {
            if fits {
                values.accepted = next;
            } else {
                values.next = values.accepted;
            }
        });
        fits
    }

    fn freeze(&self, _: Generation) -> Frozen {
        Frozen { length: length(&self.change(|values| values.shown = values.next).shown), kept: false }
    }

    fn read(&self, _: u32, offset: u32, out: &mut [u8]) {
        render(&self.values().shown, offset, out);
    }
}

/// Length in bytes of a value's text.
fn length(value: &impl Display) -> u32 {
    u32::try_from(Piece::length(|out| write!(out, "{value}"))).unwrap_or(u32::MAX)
}

/// Fills `out` with a value's text from byte `offset` on.
fn render(value: &impl Display, offset: u32, out: &mut [u8]) {
    // Once the piece is full, its error ends the rendering.
    let _ = write!(Piece::new(offset as usize, out), "{value}");
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

    extern crate std;
    use std::string::ToString;
}
