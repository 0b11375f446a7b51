//! What several contexts print at once: an interrupt handler comes wherever it can while the main loop prints.

use picovd::files::{LogRing, LogRingOf, set_log};
use picovd::println;
use picovd_sim::section::with_interrupts;
use std::cell::Cell;
use std::fmt;
use std::rc::Rc;

/// A value that looks, while it is formatted, whether an interrupt handler can come.
struct Interruptible(Rc<Cell<u32>>);

impl fmt::Display for Interruptible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let before = self.0.get();
        critical_section::with(|_| {});
        f.write_str(if self.0.get() == before { "masked" } else { "free" })
    }
}

/// What a handler has printed by then that comes whenever it can: 3 bytes each time.
const HANDLER: &str = "<h>";

#[test]
fn handlers_come_while_a_line_is_formatted_and_not_within_128_bytes_of_it() {
    static RING: LogRingOf<1024> = LogRingOf::new();
    let ring: &LogRing = &RING;
    set_log(&RING);
    let came = Rc::new(Cell::new(0));
    for length in [1, 100, 122, 123, 150, 245, 400] {
        let begin = ring.written();
        let text = "x".repeat(length);
        let (count, value) = (came.clone(), Interruptible(came.clone()));
        let handler = move || {
            count.set(count.get() + 1);
            picovd::print!("{HANDLER}");
        };
        with_interrupts(handler, || println!("{value}{text}"));
        let mut out = vec![0; (ring.written() - begin) as usize];
        assert_eq!(ring.read(begin, &mut out), 0);
        let all = String::from_utf8(out).expect("text");
        let line = format!("free{text}\r\n");
        let pieces: Vec<&str> = all.split(HANDLER).filter(|piece| !piece.is_empty()).collect();
        let whole: Vec<&str> = line.as_bytes().chunks(128).map(|piece| std::str::from_utf8(piece).unwrap()).collect();
        assert_eq!(pieces, whole, "of {length}");
    }
}
