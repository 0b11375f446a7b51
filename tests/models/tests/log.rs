//! The log ring between writers in several contexts and a reader that follows: what is shown and what is said to be lost are together what
//! was written, and a piece is never torn.

use std::sync::Arc;

use loom::thread;
use picovd::files::{LogFollower, LogRing, LogRingOf};
// The critical sections.
use picovd_models as _;

const PIECES: [&[u8]; 2] = [b"abc", b"xyz"];

/// Takes what comes next, with pieces of a few bytes as a port takes them.
fn follow(follower: &mut LogFollower, ring: &LogRing, text: &mut Vec<u8>, most: usize) {
    let mut piece = [0; 24];
    let piece = &mut piece[..most];
    let length = follower.peek(ring, piece);
    text.extend(&piece[..length]);
    follower.take(length);
}

/// The bytes that lines say are missing, and the text without those lines.
fn accounted(text: &[u8]) -> (usize, Vec<u8>) {
    const LINE: usize = 32;
    let (mut lost, mut rest, mut shown) = (0, text, Vec::new());
    while let Some((first, later)) = rest.split_first() {
        if *first == b'[' {
            let (line, later) = rest.split_at(LINE);
            lost += std::str::from_utf8(&line[1..16]).expect("digits").parse::<usize>().expect("a number");
            rest = later;
        } else {
            shown.push(*first);
            rest = later;
        }
    }
    (lost, shown)
}

fn follows<const CAPACITY: usize>() {
    loom::model(|| {
        let ring: Arc<LogRingOf<CAPACITY>> = Arc::new(LogRingOf::new());
        let writer = Arc::clone(&ring);
        let other = thread::spawn(move || {
            let ring: &LogRing = &*writer;
            ring.write(PIECES[1]);
        });
        let reader = Arc::clone(&ring);
        let reader = thread::spawn(move || {
            let (mut follower, mut text) = (LogFollower::new(), Vec::new());
            follow(&mut follower, &*reader, &mut text, 5);
            (follower, text)
        });
        (&*ring as &LogRing).write(PIECES[0]);
        other.join().expect("it ends");
        let (mut follower, mut text) = reader.join().expect("it ends");
        while !follower.is_done(&*ring) {
            follow(&mut follower, &*ring, &mut text, 24);
        }
        let (lost, shown) = accounted(&text);
        assert_eq!(lost + shown.len(), 6, "{}", text.escape_ascii());
        assert!(!shown.contains(&0), "{}", text.escape_ascii());
        if lost == 0 {
            let whole: [Vec<u8>; 2] = [[PIECES[0], PIECES[1]].concat(), [PIECES[1], PIECES[0]].concat()];
            assert!(whole.contains(&shown), "{}", shown.escape_ascii());
        }
    });
}

#[test]
fn a_ring_with_room_loses_nothing() {
    follows::<8>();
}

#[test]
fn a_ring_that_is_overtaken_says_what_is_missing() {
    follows::<4>();
}
