//! `print!` and `println!` into the log.

use super::log::LogRing;
use core::cell::Cell;
use core::fmt;
use critical_section::Mutex;
use heapless::Vec;

/// Where [`println!`](crate::println) writes: the only global state of the library.
static LOG: Mutex<Cell<Option<&'static LogRing>>> = Mutex::new(Cell::new(None));

/// Makes [`print!`](crate::print) and [`println!`](crate::println) write to `ring`. Anything printed before is lost.
pub fn set_log(ring: &'static LogRing) {
    critical_section::with(|section| LOG.borrow(section).set(Some(ring)));
}

/// Number of bytes of one call that are not interrupted by other text.
const WHOLE: usize = 128;

/// Text that a call formats: `write` gets it in pieces that must stay together.
pub(super) struct Whole<W> {
    bytes: Vec<u8, WHOLE>,
    write: W,
}

impl<W: Fn(&[u8])> Whole<W> {
    /// Formats `text` on the caller's stack, with interrupts enabled.
    pub fn write(text: fmt::Arguments<'_>, write: W) {
        let mut whole = Self { bytes: Vec::new(), write };
        // `write` accepts everything; a `Display` that fails has written what it could.
        let _ = fmt::Write::write_fmt(&mut whole, text);
        whole.flush();
    }

    fn flush(&mut self) {
        (self.write)(&self.bytes);
        self.bytes.clear();
    }
}

impl<W: Fn(&[u8])> fmt::Write for Whole<W> {
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

/// Writes text to the log that [`set_log`] has set. It is formatted on the caller's stack without masking interrupts, and
/// copied in critical sections of at most 128 bytes.
pub fn print(text: fmt::Arguments<'_>) {
    if let Some(ring) = critical_section::with(|section| LOG.borrow(section).get()) {
        Whole::write(text, |bytes| ring.write_whole(bytes));
    }
}

/// Prints to the log, from any context: main loop, interrupt handlers, the other core. The text of one call stays together
/// if it has at most 128 bytes. Of a longer text, each 128 bytes stay together, and text from other contexts may come
/// between them.
///
/// Formatting is done with interrupts enabled; they are masked while at most 128 bytes are copied. Texts appear in the
/// order in which they were finished: that of an interrupt handler comes before that of the main loop if the handler
/// interrupts its formatting.
#[macro_export]
macro_rules! print {
    ($($text:tt)*) => { $crate::files::print(::core::format_args!($($text)*)) };
}

/// Prints a line to the log, from any context: main loop, interrupt handlers, the other core. Lines end with CR LF, which
/// counts towards the 128 bytes that stay together: see [`print!`](crate::print).
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
