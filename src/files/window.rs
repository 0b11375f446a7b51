//! Ranges of memory as files.

use crate::dynamic::Content;
use crate::volume::Memory;

/// A range of memory with its contents at the time of the read: a flash partition, for example.
pub struct Window<M> {
    memory: M,
    base: u32,
    length: u32,
}

impl<M: Memory + Sync> Window<M> {
    /// `length` bytes from `base` on. All of them must be readable without side effects.
    pub const fn new(memory: M, base: u32, length: u32) -> Self {
        Self { memory, base, length }
    }
}

impl<M: Memory + Sync> Content for Window<M> {
    fn length(&self) -> u32 {
        self.length
    }

    fn read(&self, _: u32, offset: u32, out: &mut [u8]) {
        self.memory.read(self.base.wrapping_add(offset), out);
    }
}
