//! Where the console is between two lines, and what it has to say.

use super::printed::Printed;
use core::cell::{Cell, RefCell};
use critical_section::Mutex;

/// Longest packet of a console.
pub const PACKET_LENGTH: usize = 64;

/// Where a console is between two lines.
pub(super) struct Console {
    place: Mutex<Cell<Place>>,
    printed: Mutex<RefCell<Printed>>,
}

#[derive(Clone, Copy)]
pub(super) struct Place {
    /// Bytes of the line so far.
    pub length: u16,
    /// There were more.
    pub longer: bool,
    /// The line is there.
    pub complete: bool,
    /// What of the input is not part of a line yet: from, to.
    pub input: (u8, u8),
    /// What was printed comes back.
    pub echoes: bool,
    /// A line of something else has begun on the console and has not ended.
    pub amid: bool,
    /// The answer under way, and how many bytes of it are out.
    pub answer: Option<(Answer, u32)>,
}

/// An answer.
#[derive(Clone, Copy)]
pub(super) enum Answer {
    /// All values.
    Values,
    /// One value: group and place of its field.
    Value(u8, u8),
    /// Files that the manifest leaves to settings.
    Files,
    Help,
    /// The command was carried out; whether all values are saved now.
    Done(&'static str, bool),
    /// Not: why, the field that it is about, and what is right. Nothing of the line is in it: who types a secret where a name
    /// belongs is not to find it in a log, nor in memory.
    Wrong {
        why: &'static str,
        field: Option<(u8, u8)>,
        right: &'static str,
    },
}

impl Answer {
    pub const fn wrong(why: &'static str, right: &'static str) -> Self {
        Self::Wrong { why, field: None, right }
    }
}

/// Nothing has come.
pub(super) const PLACE: Place =
    Place { length: 0, longer: false, complete: false, input: (0, 0), echoes: false, amid: false, answer: None };

impl Console {
    pub const fn new() -> Self {
        Self { place: Mutex::new(Cell::new(PLACE)), printed: Mutex::new(RefCell::new(Printed::NOTHING)) }
    }

    // A call is shorter than a critical section.
    #[inline(never)]
    pub fn place(&self) -> Place {
        critical_section::with(|section| self.place.borrow(section).get())
    }

    #[inline(never)]
    pub fn set(&self, place: Place) {
        critical_section::with(|section| self.place.borrow(section).set(place));
    }

    pub fn with_printed<R>(&self, work: impl FnOnce(&mut Printed) -> R) -> Option<R> {
        // Every use is short and calls nothing that comes back here.
        critical_section::with(|section| Some(work(&mut *self.printed.borrow(section).try_borrow_mut().ok()?)))
    }
}
