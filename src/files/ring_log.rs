//! A log that a program keeps beside the one of `println!`, and its file.

use super::log::{LogRing, LogRingOf, LogTail, TailState};
use super::print::Whole;
use crate::dynamic::{Content, Frozen};
use crate::volume::Generation;
use core::fmt;

/// A log of the last `N` bytes, raw, whose file shows what nobody has read yet. `N` is a power of two.
///
/// ```
/// # let mut host = picovd_sim::example::Host::new();
/// # let files = host.files();
/// # use picovd::{files::RingLog, vd::{AddError, File}};
/// static EVENTS: RingLog<1024> = RingLog::new();
/// static EVENTS_TXT: File = File::new("EVENTS.TXT", &EVENTS, RingLog::<1024>::CAPACITY);
///
/// files.add(&EVENTS_TXT)?;
/// writeln!(EVENTS, "Door {} open.", 3);
/// EVENTS.write(b"\x1B[31mred\x1B[0m\n");
/// # files.update(&EVENTS_TXT).unwrap();
/// # assert_eq!(host.sees("EVENTS.TXT"), b"Door 3 open.\n\x1B[31mred\x1B[0m\n");
/// # Ok::<(), AddError>(())
/// ```
///
/// It is a [`LogRing`] and its [`LogTail`] in one: made for `tail -F`, which gets each byte once, and a line
/// `[000000000000123 bytes lost]` where bytes were overwritten before they were read. To show the newest lines to every reader,
/// use a [`TextBuffer`](super::TextBuffer).
///
/// `write!` and `write` append from any context. Text of one `write!` stays together up to 128 bytes. What hosts see never mixes
/// two versions, but if the program overwrites what it has promised before it is read, that reads as NUL and counts as lost.
///
/// A program may follow it, too, to pass it on to a serial port for example: [`LogFollower`](super::LogFollower) takes
/// from [`ring`](Self::ring).
pub struct RingLog<const N: usize> {
    ring: LogRingOf<N>,
    state: TailState,
}

impl<const N: usize> RingLog<N> {
    /// Maximum length of its file in bytes.
    pub const CAPACITY: u32 = LogTail::capacity(N);

    /// An empty log.
    #[must_use]
    pub const fn new() -> Self {
        Self { ring: LogRingOf::new(), state: TailState::new() }
    }

    /// Appends text: what `write!` and `writeln!` call. Call `Files::update` to notify hosts.
    pub fn write_fmt(&self, text: fmt::Arguments<'_>) {
        Whole::write(text, |bytes| self.ring().write_whole(bytes));
    }

    /// Appends bytes.
    pub fn write(&self, bytes: &[u8]) {
        self.ring().write(bytes);
    }

    /// The bytes, to be followed.
    #[must_use]
    pub fn ring(&self) -> &LogRing {
        &self.ring
    }
}

impl<const N: usize> Default for RingLog<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> Content for RingLog<N> {
    fn length(&self) -> u32 {
        self.state.length(self.ring())
    }

    fn freeze(&self, _: Generation) -> Frozen {
        self.state.freeze(self.ring())
    }

    fn read(&self, _: u32, offset: u32, out: &mut [u8]) {
        self.state.read(self.ring(), offset, out);
    }
}

#[cfg(test)]
mod tests {
    use super::super::LogFollower;
    use super::*;
    extern crate std;
    use std::string::String;
    use std::vec;

    fn shown<const N: usize>(log: &RingLog<N>) -> String {
        let mut out = vec![0; log.freeze(Generation::default()).length as usize];
        log.read(0, 0, &mut out);
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn each_byte_shows_once_and_a_follower_takes_them_as_well() {
        let log: RingLog<64> = RingLog::new();
        writeln!(log, "first {}", 1);
        assert_eq!(shown(&log), "first 1\n");
        log.write(b"second\n");
        assert_eq!(shown(&log), "second\n");
        let mut follower = LogFollower::new();
        let mut out = [0; 64];
        let length = follower.peek(log.ring(), &mut out);
        assert_eq!(&out[..length], b"first 1\nsecond\n");
        follower.take(length);
        assert!(follower.is_done(log.ring()));
        writeln!(log, "{:80}", 3);
        let text = shown(&log);
        assert!(
            text.len() <= RingLog::<64>::CAPACITY as usize && text.starts_with("[000000000000017 bytes lost]"),
            "{text}"
        );
    }
}
