//! Slices: contents that stand somewhere as they are.

use crate::volume::{Content, Frozen, Generation};
use core::cell::Cell;
use critical_section::Mutex;

/// Bytes that stay as they are for as long as they are lent: their type says so.
pub struct Bytes<'a> {
    /// What the next generation shows, and what the present one does.
    slices: Mutex<Cell<(&'a [u8], &'a [u8])>>,
}

impl<'a> Bytes<'a> {
    /// Begins with `bytes`.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { slices: Mutex::new(Cell::new((bytes, bytes))) }
    }

    /// Takes `bytes` for the next generation; `vd_update_file` says so.
    pub fn set(&self, bytes: &'a [u8]) {
        critical_section::with(|section| {
            let slices = self.slices.borrow(section);
            slices.set((bytes, slices.get().1));
        });
    }
}

impl Content for Bytes<'_> {
    fn length(&self) -> u32 {
        let next = critical_section::with(|section| self.slices.borrow(section).get().0);
        u32::try_from(next.len()).unwrap_or(u32::MAX)
    }

    fn freeze(&self, _: Generation) -> Frozen {
        let next = critical_section::with(|section| {
            let slices = self.slices.borrow(section);
            let (next, _) = slices.get();
            slices.set((next, next));
            next
        });
        Frozen { length: u32::try_from(next.len()).unwrap_or(u32::MAX), kept: false }
    }

    fn read(&self, _: u32, offset: u32, out: &mut [u8]) {
        let shown = critical_section::with(|section| self.slices.borrow(section).get().1);
        let rest = shown.get(offset as usize..).unwrap_or(&[]);
        for (byte, value) in out.iter_mut().zip(rest) {
            *byte = *value;
        }
    }
}

/// Text, in UTF-8.
pub struct Text<'a>(Bytes<'a>);

impl<'a> Text<'a> {
    /// Begins with `text`.
    #[must_use]
    pub const fn new(text: &'a str) -> Self {
        Self(Bytes::new(text.as_bytes()))
    }

    /// Takes `text` for the next generation; `vd_update_file` says so.
    pub fn set(&self, text: &'a str) {
        self.0.set(text.as_bytes());
    }
}

impl Content for Text<'_> {
    fn length(&self) -> u32 {
        self.0.length()
    }

    fn freeze(&self, generation: Generation) -> Frozen {
        self.0.freeze(generation)
    }

    fn read(&self, generation: u32, offset: u32, out: &mut [u8]) {
        self.0.read(generation, offset, out);
    }
}
