//! What was sent over the port and may be echoed: a terminal that is not raw echoes each line (Linux's is not raw until the
//! program that opens the port changes that; `cat` never does).
//!
//! Lines are recognized by hash sums of their bytes. Control characters are hashed as Linux's driver echoes them, `^[` for
//! ESC (ECHOCTL in termios(3)), so that a line with colours is recognized as well.

use core::num::NonZero;

/// Maximum number of lines that are remembered: those on their way there and back, at the pace of users and of logs.
const LINES: usize = 64;

/// A hash sum (FNV-1a, 32 bits, minus that of nothing) of a growing line; initially of an empty one. Input may be a secret,
/// and its sums reveal something about it: they are hidden from all files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sum(u32);

impl Sum {
    /// Zero, like memory that was not used yet.
    pub const EMPTY: Self = Self(0);

    /// Adds a byte that does not end the line.
    pub fn add(&mut self, byte: u8) {
        if byte.is_ascii_control() && byte != b'\t' {
            self.fold(b'^');
            self.fold(byte ^ 0x40);
        } else {
            self.fold(byte);
        }
    }

    fn fold(&mut self, byte: u8) {
        const NOTHING: u32 = 0x811C_9DC5;
        self.0 = (self.0 ^ NOTHING ^ u32::from(byte)).wrapping_mul(0x0100_0193) ^ NOTHING;
    }

    /// A line with the sum 0 is never recognized.
    fn value(self) -> NonZero<u32> {
        NonZero::new(self.0).unwrap_or(NonZero::<u32>::MIN)
    }
}

/// The lines that were printed last and were not echoed yet.
#[derive(Debug)]
pub(super) struct Printed {
    lines: [Option<NonZero<u32>>; LINES],
    next: u8,
    /// The unfinished line.
    sum: Sum,
}

impl Printed {
    pub const NOTHING: Self = Self { lines: [None; LINES], next: 0, sum: Sum::EMPTY };

    /// Adds bytes that were sent.
    pub fn print(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if !matches!(byte, b'\r' | b'\n') {
                self.sum.add(*byte);
            } else if self.sum != Sum::EMPTY {
                if let Some(line) = self.lines.get_mut(usize::from(self.next)) {
                    *line = Some(self.sum.value());
                }
                self.next = (self.next + 1) % LINES as u8;
                self.sum = Sum::EMPTY;
            }
        }
    }

    /// Whether a received line is the echo of a printed one, which is then forgotten.
    pub fn came_back(&mut self, sum: Sum) -> bool {
        let wanted = Some(sum.value());
        let found = self.lines.iter_mut().find(|line| **line == wanted);
        found.is_some_and(|line| line.take().is_some())
    }

    /// Echoes are no longer expected, except of the unfinished line.
    pub fn forget(&mut self) {
        self.lines = [None; LINES];
    }
}
