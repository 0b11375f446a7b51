//! Contents that are slices.

use crate::dynamic::{Content, Frozen};
use crate::volume::Generation;
use core::cell::Cell;
use critical_section::Mutex;
use picovd_exfat::window;

/// Bytes that do not change while they are borrowed, as their type guarantees.
pub struct Bytes<'a> {
    slices: Mutex<Cell<Slices<'a>>>,
}

#[derive(Clone, Copy)]
struct Slices<'a> {
    /// The bytes for the next generation.
    next: &'a [u8],
    /// What was accepted last.
    accepted: &'a [u8],
    /// The bytes that the current generation shows.
    shown: &'a [u8],
}

impl<'a> Bytes<'a> {
    /// Starts with `bytes`.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { slices: Mutex::new(Cell::new(Slices { next: bytes, accepted: bytes, shown: bytes })) }
    }

    /// Sets the bytes for the next generation; announce them with `vd_update_file`.
    pub fn set(&self, bytes: &'a [u8]) {
        self.change(|slices| slices.next = bytes);
    }

    /// Not inlined: a critical section is 90 bytes.
    #[inline(never)]
    fn slices(&self) -> Slices<'a> {
        self.change(|_| {})
    }

    fn change(&self, change: impl FnOnce(&mut Slices<'a>)) -> Slices<'a> {
        critical_section::with(|section| {
            let cell = self.slices.borrow(section);
            let mut slices = cell.get();
            change(&mut slices);
            cell.set(slices);
            slices
        })
    }
}

/// Length of a slice; no file is longer than 4 GiB.
fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}

impl Content for Bytes<'_> {
    fn length(&self) -> u32 {
        length(self.slices().next)
    }

    fn accept(&self, capacity: u32) -> bool {
        let mut fits = true;
        self.change(|slices| {
            fits = length(slices.next) <= capacity;
            if fits {
                slices.accepted = slices.next;
            } else {
                slices.next = slices.accepted;
            }
        });
        fits
    }

    fn freeze(&self, _: Generation) -> Frozen {
        Frozen { length: length(self.change(|slices| slices.shown = slices.next).shown), kept: false }
    }

    fn read(&self, _: u32, offset: u32, out: &mut [u8]) {
        window::copy(offset as usize, out, 0, self.slices().shown);
    }
}

/// UTF-8 text.
pub struct Text<'a>(Bytes<'a>);

impl<'a> Text<'a> {
    /// Starts with `text`.
    #[must_use]
    pub const fn new(text: &'a str) -> Self {
        Self(Bytes::new(text.as_bytes()))
    }

    /// Sets the text for the next generation; announce it with `vd_update_file`.
    pub fn set(&self, text: &'a str) {
        self.0.set(text.as_bytes());
    }
}

impl Content for Text<'_> {
    fn length(&self) -> u32 {
        self.0.length()
    }

    fn accept(&self, capacity: u32) -> bool {
        self.0.accept(capacity)
    }

    fn freeze(&self, generation: Generation) -> Frozen {
        self.0.freeze(generation)
    }

    fn read(&self, generation: u32, offset: u32, out: &mut [u8]) {
        self.0.read(generation, offset, out);
    }
}
