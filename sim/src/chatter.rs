//! A sample application that prints the same as the firmware of tests/chatter on the chip.

use std::fmt::Write;
use std::sync::OnceLock;

use picovd::clock::Instant;
use picovd::vd::Files;

use crate::native::Application;

/// Number of lines that each of the two contexts logs.
pub const LINES: u32 = 600;

/// Time between two lines in microseconds.
const PAUSE: u64 = 20_000;

/// The main loop's lines, from the first to the last.
#[must_use]
pub fn main_lines() -> String {
    (1..=LINES).fold(String::new(), |mut text, line| {
        let _ = writeln!(text, "{}", main_line(line));
        text
    })
}

/// The interrupt handler's lines.
#[must_use]
pub fn interrupt_lines() -> String {
    (1..=LINES).fold(String::new(), |mut text, line| {
        let _ = writeln!(text, "{}", interrupt_line(line));
        text
    })
}

/// The second core's lines, if it is enabled.
#[must_use]
pub fn second_lines() -> String {
    (1..=LINES).fold(String::new(), |mut text, line| {
        let _ = writeln!(text, "second {line:05} of {LINES} 0123456789");
        text
    })
}

fn main_line(line: u32) -> String {
    format!("main {line:05} of {LINES} abcdefghijklmnopqrstuvwxyz")
}

fn interrupt_line(line: u32) -> String {
    format!("interrupt {line:05} of {LINES} ABCDEFGHIJKLMNOPQRSTUVWXYZ")
}

/// The application.
struct Chatter {
    said: u32,
    next: u64,
}

/// Numbered lines instead: their number, and how many per second.
static NUMBERED: OnceLock<(u32, u32)> = OnceLock::new();

/// Makes the application that [`start`] starts print `lines` numbered lines, `rate` of them per second. Once for the whole
/// process.
pub fn number(lines: u32, rate: u32) {
    // The first call has set it.
    let _ = NUMBERED.set((lines, rate.max(1)));
}

/// Starts it: [`crate::native::Start`].
#[must_use]
pub fn start(_: &'static Files<'static>) -> Box<dyn Application> {
    match NUMBERED.get() {
        None => Box::new(Chatter { said: 0, next: PAUSE }),
        Some(&(lines, rate)) => Box::new(Counter { lines, pause: 1_000_000 / u64::from(rate), said: 0, next: 0 }),
    }
}

/// The application that prints numbered lines.
struct Counter {
    lines: u32,
    pause: u64,
    said: u32,
    next: u64,
}

impl Application for Counter {
    fn turn(&mut self, now: Instant) {
        while self.said < self.lines && self.next <= now.0 {
            self.said += 1;
            self.next += self.pause;
            picovd::println!("line {:05} of {}", self.said, self.lines);
        }
    }
}

impl Application for Chatter {
    fn turn(&mut self, now: Instant) {
        while self.said < LINES && self.next <= now.0 {
            self.said += 1;
            self.next += PAUSE;
            picovd::println!("{}", main_line(self.said));
            picovd::println!("{}", interrupt_line(self.said));
        }
    }
}
