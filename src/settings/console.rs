//! The state that the console keeps between two packets: the line so far and the answer that is being sent.

use super::printed::Printed;
use crate::console::CommandSet;
use core::cell::{Cell, RefCell};
use critical_section::Mutex;

/// Longest packet of a console.
pub const PACKET_LENGTH: usize = 64;

/// State of a console.
pub(super) struct Console {
    session: Mutex<Cell<Session>>,
    printed: Mutex<RefCell<Printed>>,
    commands: Mutex<Cell<Option<&'static dyn CommandSet>>>,
}

/// What a console remembers of its session. None of it is secret.
#[derive(Clone, Copy)]
pub(super) struct Session {
    /// Length in bytes of the line received so far.
    pub length: u16,
    /// Whether bytes were dropped because the line was too long.
    pub longer: bool,
    /// Whether the line has ended and waits to be carried out.
    pub complete: bool,
    /// Which bytes of the received packet have not been added to a line yet: from, to.
    pub input: (u8, u8),
    /// Whether the terminal has sent printed text back.
    pub echoes: bool,
    /// Whether other output, such as the log, is in the middle of a line on this console.
    pub amid: bool,
    /// The answer being sent, and how many of its bytes have been sent.
    pub answer: Option<(Answer, u32)>,
}

impl Session {
    /// Nothing received, nothing to send.
    pub const NEW: Self =
        Self { length: 0, longer: false, complete: false, input: (0, 0), echoes: false, amid: false, answer: None };
}

/// An answer.
#[derive(Clone, Copy)]
pub(super) enum Answer {
    /// All values.
    Values,
    /// One value: the index of its group, and of its field in the group.
    Value(u8, u8),
    /// The files that the manifest leaves to the settings.
    Files,
    Help,
    /// Memory from this address on, and its length in bytes.
    Dump(u32, u32),
    /// The answer of an application's command of this name.
    Application(&'static str),
    /// The command was carried out: its name, and whether all values are saved now.
    Done(&'static str, bool),
    /// The command was refused. The line itself is not repeated: it may be a secret that was typed in place of a name, and
    /// must not end up in a log or in memory.
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

impl Console {
    pub const fn new() -> Self {
        Self {
            session: Mutex::new(Cell::new(Session::NEW)),
            printed: Mutex::new(RefCell::new(Printed::NOTHING)),
            commands: Mutex::new(Cell::new(None)),
        }
    }

    /// The application's commands.
    pub fn commands(&self) -> Option<&'static dyn CommandSet> {
        critical_section::with(|section| self.commands.borrow(section).get())
    }

    pub fn set_commands(&self, commands: &'static dyn CommandSet) {
        critical_section::with(|section| self.commands.borrow(section).set(Some(commands)));
    }

    // Not inlined, because a call is shorter than a critical section.
    #[inline(never)]
    pub fn session(&self) -> Session {
        critical_section::with(|section| self.session.borrow(section).get())
    }

    #[inline(never)]
    pub fn set(&self, session: Session) {
        critical_section::with(|section| self.session.borrow(section).set(session));
    }

    pub fn with_printed<R>(&self, work: impl FnOnce(&mut Printed) -> R) -> Option<R> {
        // Never borrowed already: `work` is always short and does not call this again.
        critical_section::with(|section| Some(work(&mut *self.printed.borrow(section).try_borrow_mut().ok()?)))
    }
}
