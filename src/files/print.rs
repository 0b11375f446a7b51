//! `println!` into the log.

use super::log::LogRing;
use core::cell::Cell;
use core::fmt;
use critical_section::Mutex;

/// Where [`println!`](crate::println) writes: the one thing of the library that a program has once.
static LOG: Mutex<Cell<Option<&'static LogRing>>> = Mutex::new(Cell::new(None));

/// Lets [`print!`](crate::print) and [`println!`](crate::println) write into `ring`. Before, what they print is lost.
pub fn set_log(ring: &'static LogRing) {
    critical_section::with(|section| LOG.borrow(section).set(Some(ring)));
}

/// Writes text into the log that [`set_log`] chose, in one critical section: interrupts and the other core wait until it is
/// formatted.
pub fn print(text: fmt::Arguments<'_>) {
    critical_section::with(|section| {
        if let Some(mut ring) = LOG.borrow(section).get() {
            // A ring takes everything; a `Display` that fails has printed what it could.
            let _ = fmt::Write::write_fmt(&mut ring, text);
        }
    });
}

/// Prints into the log, from anywhere: main loop, interrupt handlers, the other core. What one call prints stands together.
#[macro_export]
macro_rules! print {
    ($($text:tt)*) => { $crate::files::print(::core::format_args!($($text)*)) };
}

/// Prints a line into the log, from anywhere: main loop, interrupt handlers, the other core. Lines end with CR LF, and no other
/// text comes between.
///
/// Interrupts wait while it is formatted, for some tens of microseconds; who cannot afford that formats into a buffer of their own
/// and prints that.
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
