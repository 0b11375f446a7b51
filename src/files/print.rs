//! `println!` into the log.

use super::log::LogRing;
use core::cell::Cell;
use core::fmt;
use critical_section::Mutex;
use heapless::Vec;

/// Where [`println!`](crate::println) writes: the one thing of the library that a program has once.
static LOG: Mutex<Cell<Option<&'static LogRing>>> = Mutex::new(Cell::new(None));

/// Lets [`print!`](crate::print) and [`println!`](crate::println) write into `ring`. Before, what they print is lost.
pub fn set_log(ring: &'static LogRing) {
    critical_section::with(|section| LOG.borrow(section).set(Some(ring)));
}

/// Bytes of one call that no other text comes between.
const WHOLE: usize = 128;

/// What a call has formatted and not written yet.
struct Pending {
    ring: &'static LogRing,
    bytes: Vec<u8, WHOLE>,
}

impl Pending {
    fn flush(&mut self) {
        self.ring.write_whole(&self.bytes);
        self.bytes.clear();
    }
}

impl fmt::Write for Pending {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            if self.bytes.is_full() {
                self.flush();
            }
            let _ = self.bytes.push(byte);
        }
        Ok(())
    }
}

/// Writes text into the log that [`set_log`] chose. It is formatted with interrupts as they are, on the stack of the caller, and
/// copied in critical sections of at most 128 bytes.
pub fn print(text: fmt::Arguments<'_>) {
    if let Some(ring) = critical_section::with(|section| LOG.borrow(section).get()) {
        let mut pending = Pending { ring, bytes: Vec::new() };
        // A ring takes everything; a `Display` that fails has printed what it could.
        let _ = fmt::Write::write_fmt(&mut pending, text);
        pending.flush();
    }
}

/// Prints into the log, from anywhere: main loop, interrupt handlers, the other core. What one call prints stays together, where
/// it has 128 bytes at most. Of a longer text each 128 bytes stay together: what other contexts print meanwhile may come
/// between.
///
/// It is formatted with interrupts enabled; they wait while at most 128 bytes are copied. Texts are in the order in which they
/// were done: an interrupt handler that prints while the main loop formats comes first.
#[macro_export]
macro_rules! print {
    ($($text:tt)*) => { $crate::files::print(::core::format_args!($($text)*)) };
}

/// Prints a line into the log, from anywhere: main loop, interrupt handlers, the other core. Lines end with CR LF, which counts to
/// the 128 bytes that no other text comes between: see [`print!`](crate::print).
#[macro_export]
macro_rules! println {
    () => { $crate::print!("\r\n") };
    ($format:literal $($rest:tt)*) => { $crate::print!("{}\r\n", ::core::format_args!($format $($rest)*)) };
}

#[cfg(test)]
mod tests {
    use super::super::log::LogRingOf;
    use super::*;

    #[test]
    fn lines_go_where_they_were_sent() {
        static RING: LogRingOf<32> = LogRingOf::new();
        crate::println!("lost");
        set_log(&RING);
        crate::println!("a {} b", 1 + 1);
        let three = 3;
        crate::println!("{three}");
        crate::println!();
        let mut out = [0; 12];
        (&RING as &LogRing).read(0, &mut out);
        assert_eq!(&out[..], b"a 2 b\r\n3\r\n\r\n");
    }
}
