//! Shares work that several contexts may request: only one of them does it at a time, and none of them waits for another.
//!
//! Contexts are interrupt handlers of any priority, the main loop and the other core. A context that requests the work
//! while another one is doing it leaves a request and continues; the other one repeats the work before it leaves. So
//! whatever a context has written before its request is seen by work that begins after it, and no request is lost.
//!
//! Everything is in one word, which is changed only by read-modify-write operations. All contexts agree on their order, so
//! acquire and release are enough. With two flags, one for the request and one for the work, every access would have to be
//! sequentially consistent: one context stores "not busy" and then loads "requested", the other one stores "requested" and
//! then loads "busy", and either load may be executed before the preceding store.
//!
//! Chips without these operations, such as those with a Cortex-M0+, do not have this module.

use core::sync::atomic::{AtomicU8, Ordering};

/// No context is doing the work.
const IDLE: u8 = 0;
/// A context is doing the work and has seen every request.
const BUSY: u8 = 1;
/// A context is doing the work and has to repeat it.
const ASKED: u8 = 2;

/// The word that [`Turns`] consists of: `AtomicU8`, or a model of it in a test.
pub trait Word {
    /// Stores `value` and returns the previous value.
    fn swap(&self, value: u8, order: Ordering) -> u8;

    /// Stores `new` if the word is `current`, and returns whether it was.
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

/// Turns at doing some work.
#[derive(Debug, Default)]
pub struct Turns<W = AtomicU8> {
    state: W,
}

impl Turns {
    /// No context is doing the work.
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

    /// Requests the work. Runs it here until there are no more requests, unless another context is running it: then `busy`
    /// is called, and that context runs it once more afterwards.
    ///
    /// `work` runs in one context at a time, and sees everything that contexts have written before they ran it or requested
    /// it. `done` is called after each `work`, still exclusively: it is the last thing before another context may begin.
    /// `busy` may run at the same time as the work.
    #[inline]
    pub fn ask(&self, mut work: impl FnMut(), mut done: impl FnMut(), busy: impl FnOnce()) {
        if self.state.swap(ASKED, Ordering::AcqRel) != IDLE {
            return busy();
        }
        loop {
            // The work that follows meets all requests so far; acquire lets it see what was written before them.
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
                // Like handlers that interrupt the work.
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

    /// A word at whose every use an interrupt may come, before and after it.
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
        /// Interrupt lines that become active, by the number of steps before that.
        script: Vec<(usize, u8)>,
        places: Cell<usize>,
        /// The interrupts whose lines are active, as bits. The work clears them.
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

        /// Interrupts of higher priority than what is running are delivered for as long as their lines are active.
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
        // More steps than the longest sequence has; later interrupts find an idle core.
        const PLACES: usize = if cfg!(miri) { 12 } else { 40 };
        let mut most = 0;
        for (first, second) in (0..PLACES).flat_map(|first| (0..PLACES).map(move |second| (first, second))) {
            for numbers in [[1, 2], [2, 1], [1, 1], [2, 2]] {
                let script = Vec::from([(first, numbers[0]), (second, numbers[1])]);
                let core = Rc::new(Core::new(script));
                CORE.set(Rc::clone(&core));
                core.ask();
                let what = format!("{numbers:?} at {first} and {second}");
                assert_eq!(core.lines.get(), 0, "{what}: an interrupt was not served");
                assert!(!core.masked.get(), "{what}: interrupts stay masked");
                most = most.max(core.handlers.get());
            }
        }
        assert!(most >= 3, "{most} handlers at most: none interrupted another one");
    }
}
