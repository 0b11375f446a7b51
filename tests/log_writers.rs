//! Several writers at once: what one `println!` prints stays together, and what was lost is said where it happened.

// Its critical sections.
extern crate picovd_sim as _;

use picovd::dynamic::Content;
use picovd::files::{LogFile, LogRing, LogRingOf, LogTail, set_log};
use picovd::println;
use picovd::volume::Generation;
use std::fmt;
use std::thread;

/// Lines of each writer.
const LINES: u32 = 3_000;
const WRITERS: u32 = 3;

static RING: LogRingOf<{ 1 << 18 }> = LogRingOf::new();

/// A value that is written in many pieces, between which others would come.
struct Pieces(u32);

impl fmt::Display for Pieces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for digit in format!("{:05}", self.0).chars() {
            thread::yield_now();
            write!(f, "{digit}")?;
        }
        Ok(())
    }
}

fn text(content: &dyn Content, length: u32) -> String {
    let mut bytes = vec![0; length as usize];
    content.read(0, 0, &mut bytes);
    String::from_utf8(bytes).expect("text")
}

#[test]
fn lines_of_several_threads_stay_whole_and_in_order() {
    set_log(&RING);
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            scope.spawn(move || {
                for line in 0..LINES {
                    println!("writer {writer} line {} of {LINES}", Pieces(line));
                }
            });
        }
    });
    let ring: &LogRing = &RING;
    let file = LogFile::new(ring, 1 << 20);
    let frozen = file.freeze(Generation::default());
    let all = text(&file, frozen.length);
    let mut next = [0; WRITERS as usize];
    for line in all.split_terminator("\r\n") {
        let writer = (0..WRITERS).find(|writer| line.starts_with(&format!("writer {writer} "))).expect(line);
        let next = &mut next[writer as usize];
        assert_eq!(line, format!("writer {writer} line {next:05} of {LINES}"));
        *next += 1;
    }
    assert_eq!(next, [LINES; WRITERS as usize]);
}

/// A reader that is too slow: each generation of the tail begins with how much is missing, and the sum is right.
#[test]
fn a_loss_is_told_where_it_happened() {
    let ring: LogRingOf<256> = LogRingOf::new();
    let ring: &LogRing = &ring;
    let tail = LogTail::new(ring);
    let (mut seen, mut lost, mut said) = (String::new(), 0, String::new());
    for round in 0..50_u32 {
        // Now more than the ring holds, now less.
        for line in 0..round % 30 {
            let line = format!("round {round} line {line}\r\n");
            ring.write(line.as_bytes());
            said += &line;
        }
        let length = tail.freeze(Generation { number: round, ..Generation::default() }).length;
        let mut now = text(&tail, length);
        if let Some((count, rest)) = now.strip_prefix('[').and_then(|rest| rest.split_once(" bytes lost]")) {
            let count: usize = count.parse().expect("a number");
            let rest = rest.trim_start_matches(' ').strip_prefix("\r\n").expect("a line of its own");
            // What is missing is between what was seen before and what follows.
            assert!(said[seen.len() + lost..][count..].starts_with(rest));
            lost += count;
            now = rest.to_owned();
        }
        assert!(said[seen.len() + lost..].starts_with(&now), "round {round}");
        seen += &now;
    }
    assert!(lost > 0 && seen.len() + lost == said.len(), "{lost} lost, {} seen, {} said", seen.len(), said.len());
}
