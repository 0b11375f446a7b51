//! A log and answers on one serial port. In a process of its own: `println!` goes to the log of the board that was made last.

use std::path::Path;
use std::time::Duration;

use picovd::clock::Instant;
use picovd::println;
use picovd::vd::Files;
use picovd_sim::host::system::{LINUX_DESKTOP, System};
use picovd_sim::host::terminal::Terminal;
use picovd_sim::memory::Contents;
use picovd_sim::native::{Application, Board, NativeDevice};
use picovd_sim::plug;

/// An application that logs in pieces, one each 8 ms: the host looks at the port until nothing has come for 5 ms.
struct Chatter {
    pieces: u64,
    last: Instant,
}

impl Application for Chatter {
    fn turn(&mut self, now: Instant) {
        if now.0 < self.last.0 + 8_000 {
            return;
        }
        *self = Self { pieces: self.pieces + 1, last: now };
        match self.pieces % 3 {
            0 => picovd::print!("turn {}, ", self.pieces),
            1 => picovd::print!("half, "),
            _ => println!("done."),
        }
    }
}

#[test]
fn answers_and_log_stay_apart() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/manifests/settings.toml");
    let plan = plug::plan(Some(&manifest)).unwrap_or_else(|problems| panic!("{problems}"));
    let contents = Contents::noise(plan.chip.flash_size as usize);
    let chatter =
        |_: &'static Files<'static>| Box::new(Chatter { pieces: 0, last: Instant(0) }) as Box<dyn Application>;
    let device = NativeDevice::new(Board { application: Some(chatter), ..plug::board(plan, contents) });
    let mut system = System::boot(LINUX_DESKTOP, Box::new(device)).expect("a desktop mounts it");
    let mut terminal = Terminal::open(system.initiator()).expect("it has a port");
    let (mut answers, mut lines) = (0, 0);
    for round in 0..300 {
        let line = ["get\r\n", "get label\n", "what\r", "help\r\n", "files\n"][round % 5];
        terminal.send(system.initiator(), line.as_bytes()).expect("taken");
        system.elapse(Duration::from_millis(3));
        terminal.take(system.initiator()).expect("it works");
        while let Some(line) = terminal.line() {
            lines += 1;
            if line.contains(['{', '}']) {
                answers += 1;
                let whole =
                    ["{\"label\":", "{\"error\":", "{\"help\":", "{\"files\":"].iter().any(|b| line.starts_with(b));
                assert!(whole && line.ends_with('}') && !line.contains("turn") && !line.contains("half"), "{line}");
            }
        }
    }
    assert_eq!(answers, 300);
    assert!(lines > answers + 50, "{lines} lines");
}
