//! What the last crash left: CORE.ELF for GDB, CRASH.TXT for users, CRASH.JSON for programs.
//!
//! The record was written by the crashed program before the reset, in memory that outlives it. It is checked once, at the
//! start; if it is whole, the three files are on the stick until [`Crash::clear`].

mod core_elf;
mod instruction;
pub mod record;
mod report;
mod words;

#[cfg(test)]
mod tests;

use crate::console::CommandSet;
use crate::dynamic::{AddError, Content, File, Files, Frozen};
use crate::text::Writer;
use crate::volume::Generation;
use core::fmt;
use core::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use record::{Kept, View};

/// States of [`Crash`].
const UNKNOWN: u8 = 0;
const THERE: u8 = 1;
const ABSENT: u8 = 2;

/// Number of crashes in a row after which the stick starts without the application.
const ROW: u32 = 3;

/// The command that removes the record.
const CLEAR: &[u8] = b"crash clear";

/// The last crash of the program. Generated with the manifest's tables.
pub struct Crash<'a> {
    kept: &'a dyn Kept,
    program: super::Program<'a>,
    /// Stored and loaded relaxed: both cores come to the same result.
    state: AtomicU8,
    /// Whether the stick was started without the application.
    safe: AtomicBool,
    /// How much of [`CLEAR`] the serial port has received.
    heard: AtomicU8,
}

impl<'a> Crash<'a> {
    /// The crash that `kept` holds, of this program.
    #[must_use]
    pub const fn new(kept: &'a dyn Kept, program: super::Program<'a>) -> Self {
        Self { kept, program, state: AtomicU8::new(UNKNOWN), safe: AtomicBool::new(false), heard: AtomicU8::new(0) }
    }

    /// Whether there is a whole record of a crash.
    pub fn is_there(&self) -> bool {
        if self.state.load(Ordering::Relaxed) == UNKNOWN {
            let state = if View(self.kept).is_valid() { THERE } else { ABSENT };
            self.state.store(state, Ordering::Relaxed);
        }
        self.state.load(Ordering::Relaxed) == THERE
    }

    /// Number of crashes after the one that is stored.
    pub fn later(&self) -> u32 {
        self.view().map_or(0, |view| view.later())
    }

    /// Whether to start the stick without the application, because the program crashed again and again: three times in a row within
    /// ten seconds of its start. The next start is another try.
    pub fn take_safe_start(&self) -> bool {
        let safe = View(self.kept).row() >= ROW;
        if safe {
            self.kept.forget_row();
            self.safe.store(true, Ordering::Relaxed);
        }
        safe
    }

    /// Removes the record: the next crash is stored. The files stay until the next start, without contents.
    pub fn clear(&self) {
        self.kept.clear();
        self.state.store(ABSENT, Ordering::Relaxed);
    }

    /// The command `crash clear` of the serial port, where there are settings.
    ///
    /// # Errors
    ///
    /// Other arguments, and those of `answer`.
    pub fn command(&self, arguments: &str, answer: &mut dyn fmt::Write) -> Result<(), &'static str> {
        if arguments != "clear" {
            return Err("crash clear");
        }
        self.clear();
        answer.write_str("cleared").map_err(|_| "no room")
    }

    /// The serial port has received these bytes, and there are no settings, which would take commands: the line
    /// `crash clear` removes the record.
    pub fn hear(&self, bytes: &[u8]) {
        for byte in bytes {
            let heard = usize::from(self.heard.load(Ordering::Relaxed));
            let heard = match CLEAR.get(heard) {
                Some(expected) if expected == byte => heard + 1,
                None if heard == CLEAR.len() && matches!(byte, b'\r' | b'\n') => {
                    self.clear();
                    0
                }
                _ if matches!(byte, b'\r' | b'\n') => 0,
                // Not in this line: no index of the command.
                _ => usize::from(u8::MAX),
            };
            self.heard.store(heard as u8, Ordering::Relaxed);
        }
    }

    fn view(&self) -> Option<View<'a>> {
        self.is_there().then_some(View(self.kept))
    }
}

impl fmt::Debug for Crash<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Crash").field("program", &self.program).finish_non_exhaustive()
    }
}

/// One of the files.
#[derive(Clone, Copy, Debug)]
pub struct CrashFile<'a> {
    crash: &'a Crash<'a>,
    form: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Core,
    Text,
    Json,
}

impl<'a> CrashFile<'a> {
    /// CORE.ELF.
    #[must_use]
    pub const fn core(crash: &'a Crash<'a>) -> Self {
        Self { crash, form: Form::Core }
    }

    /// CRASH.TXT.
    #[must_use]
    pub const fn text(crash: &'a Crash<'a>) -> Self {
        Self { crash, form: Form::Text }
    }

    /// CRASH.JSON.
    #[must_use]
    pub const fn json(crash: &'a Crash<'a>) -> Self {
        Self { crash, form: Form::Json }
    }

    fn write(&self, view: &View<'_>, out: &mut Writer<'_>) -> fmt::Result {
        if self.form == Form::Json {
            report::json(view, &self.crash.program, out)
        } else {
            let safe = self.crash.safe.load(Ordering::Relaxed);
            report::text(view, &self.crash.program, safe, out)
        }
    }
}

impl Content for CrashFile<'_> {
    fn length(&self) -> u32 {
        let Some(view) = self.crash.view() else { return 0 };
        let length = match self.form {
            Form::Core => core_elf::length(&view),
            _ => Writer::length(|out| self.write(&view, out)),
        };
        length as u32
    }

    fn freeze(&self, _: Generation) -> Frozen {
        Frozen { length: self.length(), kept: false }
    }

    fn read(&self, _: u32, offset: u32, out: &mut [u8]) {
        let Some(view) = self.crash.view() else { return out.fill(0) };
        if self.form == Form::Core {
            return core_elf::read(&view, offset as usize, out);
        }
        let mut writer = Writer::new(offset as usize, out);
        // The reader fetches what does not fit with its next read.
        let _ = self.write(&view, &mut writer);
        let filled = writer.filled();
        out.get_mut(filled..).unwrap_or_default().fill(0);
    }
}

/// A crash, and the files that show it.
#[derive(Clone, Copy)]
pub struct CrashFiles<'a> {
    /// The crash.
    pub crash: &'a Crash<'a>,
    /// Its files.
    pub files: &'a [&'a File<'a>],
    /// Keeps a panic and restarts the program; `None` where nothing is kept.
    pub panicked: Option<fn(&core::panic::PanicInfo<'_>) -> !>,
    /// The command `crash clear`, where there are settings and until the application sets commands.
    pub commands: &'static dyn CommandSet,
}

impl fmt::Debug for CrashFiles<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("CrashFiles").field("crash", &self.crash).finish_non_exhaustive()
    }
}

impl<'a> CrashFiles<'a> {
    /// Registers the files if there was a crash.
    ///
    /// # Errors
    ///
    /// The first file that is refused, which the manifest's checks should have prevented.
    pub fn register(&self, files: &Files<'a>) -> Result<(), AddError> {
        if !self.crash.is_there() {
            return Ok(());
        }
        self.files.iter().try_for_each(|file| files.add(file))
    }
}
