//! A sample application that prints: what the firmware of tests/chatter says on the chip.

use std::fmt::Write;

use picovd::clock::Instant;
use picovd::vd::Files;

use crate::native::Application;

/// Lines of each of the two that log.
pub const LINES: u32 = 600;

/// From line to line, in microseconds.
const PAUSE: u64 = 20_000;

/// What the main loop says, from its first line to its last.
#[must_use]
pub fn main_lines() -> String {
    (1..=LINES).fold(String::new(), |mut text, line| {
        let _ = writeln!(text, "{}", main_line(line));
        text
    })
}

/// What the interrupt handler says.
#[must_use]
pub fn interrupt_lines() -> String {
    (1..=LINES).fold(String::new(), |mut text, line| {
        let _ = writeln!(text, "{}", interrupt_line(line));
        text
    })
}

/// What the second core says, where it is asked to.
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

/// Starts it: [`crate::native::Start`].
#[must_use]
pub fn start(_: &'static Files<'static>) -> Box<dyn Application> {
    Box::new(Chatter { said: 0, next: PAUSE })
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
