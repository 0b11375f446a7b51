//! Progress of long work: one line on a terminal, nothing in a pipe.

use std::io::{IsTerminal, Write, stderr};
use std::time::{Duration, Instant};

/// How often the line is updated.
const INTERVAL: Duration = Duration::from_millis(100);

/// A line that shows the progress. It disappears when dropped.
pub struct Progress {
    what: &'static str,
    total: u64,
    shown: Option<Instant>,
    terminal: bool,
}

impl Progress {
    /// Nothing of `total` bytes is done yet.
    pub fn new(what: &'static str, total: u64) -> Self {
        Self { what, total, shown: None, terminal: stderr().is_terminal() }
    }

    /// `done` bytes are done.
    pub fn at(&mut self, done: u64) {
        if self.terminal && self.shown.is_none_or(|shown| shown.elapsed() >= INTERVAL) {
            self.shown = Some(Instant::now());
            let percent = (done * 100).checked_div(self.total).unwrap_or(100);
            let _ = write!(stderr(), "\r{} {percent:3} % of {} KiB", self.what, self.total / 1024);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown.is_some() {
            let _ = write!(stderr(), "\r\x1B[K");
        }
    }
}
