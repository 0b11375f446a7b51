//! Who does a piece of work that several contexts ask for: one of them at a time, and none of them waits for another.
//!
//! Contexts are interrupt handlers of any priority, the main loop and the other core. Who asks while another one is at work leaves a
//! note and goes on; the one at work does it once more before it leaves. So whatever a context wrote before it asked is seen by
//! work that begins after it asked, and no request is lost.
//!
//! All of it is in one word, which is only ever changed by read-modify-write operations: these are in one order that all contexts
//! agree on, so acquire and release are enough. Two flags, one for the request and one for the work, would need every one of
//! their accesses sequentially consistent: one context stores "not at work" and then loads "asked", the other one stores "asked" and then
//! loads "at work", and either load may pass the store before it.

use core::sync::atomic::{AtomicU8, Ordering};

/// Nobody is at work.
const IDLE: u8 = 0;
/// Somebody is, and has seen every request.
const BUSY: u8 = 1;
/// Somebody is, and has to do it once more.
const ASKED: u8 = 2;

/// The word that [`Turns`] are kept in: `AtomicU8`, or a model of it in a test.
pub trait Word {
    /// Stores `value`; returns what was there.
    fn swap(&self, value: u8, order: Ordering) -> u8;

    /// Stores `new` where the word is `current`; returns whether it was.
    fn replace(&self, current: u8, new: u8, success: Ordering, failure: Ordering) -> bool;
}

impl Word for AtomicU8 {
    #[inline]
    fn swap(&self, value: u8, order: Ordering) -> u8 {
        AtomicU8::swap(self, value, order)
    }

    #[inline]
    fn replace(&self, current: u8, new: u8, success: Ordering, failure: Ordering) -> bool {
        self.compare_exchange(current, new, success, failure).is_ok()
    }
}

/// Turns at a piece of work.
#[derive(Debug, Default)]
pub struct Turns<W = AtomicU8> {
    state: W,
}

impl Turns {
    /// Nobody is at work.
    #[must_use]
    pub const fn new() -> Self {
        Self { state: AtomicU8::new(IDLE) }
    }
}

impl<W: Word> Turns<W> {
    /// The same on a word that is 0.
    pub const fn on(state: W) -> Self {
        Self { state }
    }

    /// Asks for the work. Does it here, until nobody asks any more, unless another context is at it: then `busy` is called, and
    /// that context does it once more afterwards.
    ///
    /// `work` runs in one context at a time, and sees what each context wrote that ran it, or asked for it, before. `done` is called
    /// after each `work`, still alone: the last thing before another context may begin. `busy` runs beside the work.
    #[inline]
    pub fn ask(&self, mut work: impl FnMut(), mut done: impl FnMut(), busy: impl FnOnce()) {
        if self.state.swap(ASKED, Ordering::AcqRel) != IDLE {
            return busy();
        }
        loop {
            // Requests up to here are met by the work that follows; acquire lets it see what they are about.
            self.state.swap(BUSY, Ordering::AcqRel);
            work();
            done();
            if self.state.replace(BUSY, IDLE, Ordering::AcqRel, Ordering::Relaxed) {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{AtomicU8, Ordering, Turns, Word};
    use core::cell::{Cell, RefCell};
    extern crate std;
    use std::format;
    use std::rc::Rc;
    use std::thread_local;
    use std::vec::Vec;

    #[test]
    fn a_request_from_within_the_work_is_met_after_it() {
        let turns = Turns::new();
        let (works, dones, refused) = (Cell::new(0), Cell::new(0), Cell::new(0));
        let work = || {
            works.set(works.get() + 1);
            if works.get() == 1 {
                // As handlers do that interrupt the work.
                for _ in 0..3 {
                    turns.ask(|| unreachable!(), || unreachable!(), || refused.set(refused.get() + 1));
                }
            }
        };
        turns.ask(work, || dones.set(dones.get() + 1), || unreachable!());
        assert_eq!((works.get(), dones.get(), refused.get()), (2, 2, 3), "three requests, met by one more turn");
        turns.ask(|| works.set(works.get() + 1), || (), || unreachable!());
        assert_eq!(works.get(), 3);
    }

    /// A word whose every use is a place where an interrupt may come, before it and after it.
    struct Watched(AtomicU8);

    impl Watched {
        fn at<R>(&self, work: impl FnOnce(&AtomicU8) -> R) -> R {
            here();
            let result = work(&self.0);
            here();
            result
        }
    }

    impl Word for Watched {
        fn swap(&self, value: u8, order: Ordering) -> u8 {
            self.at(|word| Word::swap(word, value, order))
        }

        fn replace(&self, current: u8, new: u8, success: Ordering, failure: Ordering) -> bool {
            self.at(|word| Word::replace(word, current, new, success, failure))
        }
    }

    /// One core with a main loop and the handlers of two interrupts of different priority, which share a piece of work.
    struct Core {
        turns: Turns<Watched>,
        /// Lines that go up, by the number of places before.
        script: Vec<(usize, u8)>,
        places: Cell<usize>,
        /// The interrupts whose lines are up, a bit each. The work takes them down.
        lines: Cell<u8>,
        masked: Cell<bool>,
        /// Priority of what runs: 0 for the main loop.
        running: Cell<u8>,
        handlers: Cell<usize>,
        at_work: Cell<bool>,
    }

    thread_local! {
        static CORE: RefCell<Rc<Core>> = RefCell::new(Rc::new(Core::new(Vec::new())));
    }

    impl Core {
        fn new(script: Vec<(usize, u8)>) -> Self {
            Self {
                turns: Turns::on(Watched(AtomicU8::new(0))),
                script,
                places: Cell::new(0),
                lines: Cell::new(0),
                masked: Cell::new(false),
                running: Cell::new(0),
                handlers: Cell::new(0),
                at_work: Cell::new(false),
            }
        }

        fn ask(&self) {
            let work = || {
                assert!(!self.at_work.replace(true), "two at work");
                here();
                self.lines.set(0);
                here();
                self.at_work.set(false);
            };
            let done = || {
                self.masked.set(false);
                here();
            };
            self.turns.ask(work, done, || self.masked.set(true));
        }

        /// Interrupts that are more urgent than what runs come for as long as their lines are up.
        fn deliver(&self) {
            let next = || (self.running.get() + 1..=2).rev().find(|number| self.lines.get() >> number & 1 != 0);
            while let Some(number) = next().filter(|_| !self.masked.get()) {
                self.handlers.set(self.handlers.get() + 1);
                assert!(self.handlers.get() < 100, "handlers are called again and again");
                let before = self.running.replace(number);
                self.ask();
                self.running.set(before);
            }
        }
    }

    /// An interrupt may come here.
    fn here() {
        let core = CORE.with_borrow(Rc::clone);
        let place = core.places.replace(core.places.get() + 1);
        for (_, number) in core.script.iter().filter(|(at, _)| *at == place) {
            core.lines.set(core.lines.get() | 1 << number);
        }
        core.deliver();
    }

    #[test]
    fn interrupts_of_two_priorities_are_served_wherever_they_come() {
        // More places than the longest of these plays has; what comes later comes to an idle core.
        const PLACES: usize = if cfg!(miri) { 12 } else { 40 };
        let mut most = 0;
        for (first, second) in (0..PLACES).flat_map(|first| (0..PLACES).map(move |second| (first, second))) {
            for numbers in [[1, 2], [2, 1], [1, 1], [2, 2]] {
                let script = Vec::from([(first, numbers[0]), (second, numbers[1])]);
                let core = Rc::new(Core::new(script));
                CORE.set(Rc::clone(&core));
                core.ask();
                let what = format!("{numbers:?} at {first} and {second}");
                assert_eq!(core.lines.get(), 0, "{what}: nobody serves what came");
                assert!(!core.masked.get(), "{what}: interrupts stay masked");
                most = most.max(core.handlers.get());
            }
        }
        assert!(most >= 3, "{most} handlers at most: none interrupted another one");
    }
}
