//! What an application adds to the stick's serial port: commands of its own, or what becomes of each byte that comes.
//!
//! With settings, the port takes lines: `SETTINGS.set_commands` adds [`Commands`] to those that it knows. Without settings it
//! takes bytes, and [`on_input`] says who gets them.

use core::cell::{Cell, RefCell};
use core::fmt;
use critical_section::Mutex;
use heapless::String;

/// A command of the application.
///
/// ```
/// use core::fmt::Write;
/// use core::sync::atomic::{AtomicBool, Ordering};
/// use picovd::console::{Command, Commands};
///
/// static LED: AtomicBool = AtomicBool::new(false);
///
/// /// `led on`, `led off`, or `led`, which is answered by `{"led":"on"}` or `{"led":"off"}`.
/// static COMMANDS: Commands<16> = Commands::new(&[Command {
///     name: "led",
///     usage: "led on|off",
///     run: |arguments, answer| {
///         match arguments {
///             "on" => LED.store(true, Ordering::Relaxed),
///             "off" => LED.store(false, Ordering::Relaxed),
///             "" => {}
///             _ => return Err("on or off"),
///         }
///         answer.write_str(if LED.load(Ordering::Relaxed) { "on" } else { "off" }).map_err(|_| "there is room for it")
///     },
/// }]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Command {
    /// The line's first word. The stick's own commands go first.
    pub name: &'static str,
    /// What `help` shows, such as `led on|off`.
    pub usage: &'static str,
    /// Carries it out: gets the rest of the line, and writes the answer. Runs where the stick is polled, which may be an
    /// interrupt handler, never during a host's command. An error is why it was refused, and the answer is dropped.
    pub run: Run,
}

/// As [`Command::run`].
pub type Run = fn(arguments: &str, answer: &mut dyn fmt::Write) -> Result<(), &'static str>;

/// Commands of the application, with room for an answer of at most `LENGTH` bytes of UTF-8. A longer one is an error.
pub struct Commands<const LENGTH: usize> {
    list: &'static [Command],
    answer: Mutex<RefCell<String<LENGTH>>>,
}

impl<const LENGTH: usize> fmt::Debug for Commands<LENGTH> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Commands").field("list", &self.list).finish_non_exhaustive()
    }
}

impl<const LENGTH: usize> Commands<LENGTH> {
    /// These commands.
    #[must_use]
    pub const fn new(list: &'static [Command]) -> Self {
        Self { list, answer: Mutex::new(RefCell::new(String::new())) }
    }
}

/// [`Commands`] with any room.
pub trait CommandSet: Sync {
    /// All of them.
    fn list(&self) -> &'static [Command];

    /// Carries one out, and keeps its answer.
    ///
    /// # Errors
    ///
    /// Why it was refused.
    fn run(&self, command: &Command, arguments: &str) -> Result<(), &'static str>;

    /// Passes the last answer to `show`.
    ///
    /// # Errors
    ///
    /// Those of `show`.
    fn answer(&self, show: &mut dyn FnMut(&str) -> fmt::Result) -> fmt::Result;
}

impl<const LENGTH: usize> CommandSet for Commands<LENGTH> {
    fn list(&self) -> &'static [Command] {
        self.list
    }

    fn run(&self, command: &Command, arguments: &str) -> Result<(), &'static str> {
        let mut answer = Answer { text: String::<LENGTH>::new(), is_whole: true };
        (command.run)(arguments, &mut answer)?;
        if !answer.is_whole {
            return Err("the answer is too long");
        }
        critical_section::with(|section| {
            // Never borrowed already: the other borrow ends with its critical section.
            if let Ok(mut kept) = self.answer.borrow(section).try_borrow_mut() {
                *kept = answer.text;
            }
        });
        Ok(())
    }

    fn answer(&self, show: &mut dyn FnMut(&str) -> fmt::Result) -> fmt::Result {
        let answer =
            critical_section::with(|section| self.answer.borrow(section).try_borrow().map(|text| text.clone()));
        show(answer.as_deref().unwrap_or_default())
    }
}

/// An answer that notices what it has no room for, even if the command does not.
struct Answer<const LENGTH: usize> {
    text: String<LENGTH>,
    is_whole: bool,
}

impl<const LENGTH: usize> fmt::Write for Answer<LENGTH> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.is_whole &= self.text.push_str(text).is_ok();
        if self.is_whole { Ok(()) } else { Err(fmt::Error) }
    }
}

/// Who gets what comes through a port without settings.
static INPUT: Mutex<Cell<Option<Take>>> = Mutex::new(Cell::new(None));

/// What [`on_input`] is given: gets the bytes.
pub type Take = fn(bytes: &[u8]);

/// From now on, `take` gets what the host sends to the port, up to 64 bytes at a time, where the stick is polled, which may be an
/// interrupt handler. Only for a stick without settings, whose port takes no commands; before the first call, input is dropped.
pub fn on_input(take: Take) {
    critical_section::with(|section| INPUT.borrow(section).set(Some(take)));
}

/// Passes input on.
pub(crate) fn pass(bytes: &[u8]) {
    if let Some(take) = critical_section::with(|section| INPUT.borrow(section).get()) {
        take(bytes);
    }
}
