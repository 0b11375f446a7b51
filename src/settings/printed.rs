//! What the port has said, as far as it may come back: a terminal that is not raw echoes each line (Linux's is not until the
//! program that opens the port has made it so; `cat` never does).
//!
//! Lines are known by hash sums of their bytes. Control characters count as Linux's driver echoes them, `^[` for ESC (ECHOCTL in
//! termios(3)), so that a line with colours is known as well.

use core::num::NonZero;

/// Lines that are known: what is on its way there and back at most, at the pace of people and of logs.
const LINES: usize = 64;

/// A hash sum (FNV-1a, 32 bits, less that of nothing) of a line that grows; of an empty one at first. What is typed may be a secret, and
/// its sums tell of it: they are where no view of memory shows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sum(u32);

impl Sum {
    /// A zero, as that place begins.
    pub const EMPTY: Self = Self(0);

    /// The line goes on with a byte that does not end it.
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

    /// No line that was printed and came back is that of 0.
    fn value(self) -> NonZero<u32> {
        NonZero::new(self.0).unwrap_or(NonZero::<u32>::MIN)
    }
}

/// The lines that were printed last and did not come back.
#[derive(Debug)]
pub(super) struct Printed {
    lines: [Option<NonZero<u32>>; LINES],
    next: u8,
    /// The line that has begun.
    sum: Sum,
}

impl Printed {
    pub const NOTHING: Self = Self { lines: [None; LINES], next: 0, sum: Sum::EMPTY };

    /// Takes bytes that went out.
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

    /// Whether a line that came was printed before; it counts once.
    pub fn came_back(&mut self, sum: Sum) -> bool {
        let wanted = Some(sum.value());
        let found = self.lines.iter_mut().find(|line| **line == wanted);
        found.is_some_and(|line| line.take().is_some())
    }

    /// What was printed is not expected back any more; the line that has begun is.
    pub fn forget(&mut self) {
        self.lines = [None; LINES];
    }
}
