//! Measures a program's stack usage: painted before the program starts, checked afterwards.
//!
//! The stack is between the end of the program's variables and the stack pointer in its vector table. The board paints it
//! before the first instruction after every reset, so that the program needs no change, and paints its free part again when
//! the processor sleeps for the first time: so start and operation are measured separately. A word counts as used when its
//! paint is gone. This measures what was written: a frame whose deep end was never written is not seen, nor is a path that
//! was never taken.

use std::ops::Range;

use super::elf::Image;
use super::system::{SRAM_BASE, SRAM_SIZE};

const WORD: u32 = 4;

/// A painted stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stack {
    /// Addresses, multiples of four.
    range: Range<u32>,
    /// Whether the processor has slept since the program started.
    slept: bool,
    to_start: u32,
    to_run: u32,
}

/// The paint of an address: different for each, so that no common value looks like paint.
fn paint(address: u32) -> u32 {
    address.wrapping_mul(0x9E37_79B1) ^ 0x5A5A_5A5A
}

impl Stack {
    /// The stack of a program; `None` if its stack pointer is not in SRAM, or its variables leave no room.
    #[must_use]
    pub fn of(image: &Image) -> Option<Self> {
        let vector_table = image.segments.iter().min_by_key(|segment| segment.address)?;
        let top = u32::from_le_bytes(*vector_table.bytes.first_chunk()?) & !(WORD - 1);
        let below = image.ends.iter().filter(|end| (SRAM_BASE..=top).contains(end));
        let bottom = below.max().copied().unwrap_or(SRAM_BASE).next_multiple_of(WORD);
        let inside = top <= SRAM_BASE + SRAM_SIZE as u32 && bottom < top;
        inside.then_some(Self { range: bottom..top, slept: false, to_start: 0, to_run: 0 })
    }

    /// The program is about to start.
    pub(super) fn start(&mut self, sram: &mut [u8]) {
        self.slept = false;
        self.paint(sram, self.range.end);
    }

    /// The processor sleeps with this stack pointer.
    pub(super) fn sleeps(&mut self, sram: &mut [u8], stack_pointer: u32) {
        if !self.slept {
            self.look(sram);
            self.slept = true;
            self.paint(sram, stack_pointer);
        }
    }

    /// Paints what is below `end`.
    fn paint(&self, sram: &mut [u8], end: u32) {
        for address in (self.range.start..end.min(self.range.end)).step_by(WORD as usize) {
            let at = (address - SRAM_BASE) as usize;
            if let Some(word) = sram.get_mut(at..at + 4) {
                word.copy_from_slice(&paint(address).to_le_bytes());
            }
        }
    }

    /// Updates the maximum usage.
    pub(super) fn look(&mut self, sram: &[u8]) {
        let is_painted = |address: u32| {
            let at = (address - SRAM_BASE) as usize;
            sram.get(at..at + 4) == Some(&paint(address).to_le_bytes())
        };
        let deepest = self.range.clone().step_by(WORD as usize).find(|address| !is_painted(*address));
        let used = self.range.end - deepest.unwrap_or(self.range.end);
        let most = if self.slept { &mut self.to_run } else { &mut self.to_start };
        *most = used.max(*most);
    }

    /// Where it is.
    #[must_use]
    pub fn range(&self) -> Range<u32> {
        self.range.clone()
    }

    /// Maximum number of bytes used between a start and the first sleep, as of the last check.
    #[must_use]
    pub fn to_start(&self) -> u32 {
        self.to_start
    }

    /// Maximum number of bytes used from the first sleep on, including those in use at that time.
    #[must_use]
    pub fn to_run(&self) -> u32 {
        self.to_run
    }

    /// Length in bytes.
    #[must_use]
    pub fn room(&self) -> u32 {
        self.range.end - self.range.start
    }
}

#[cfg(test)]
mod tests {
    use super::super::elf::Segment;
    use super::*;

    fn stack() -> Stack {
        let vector_table = Segment { address: 0x1000_0000, bytes: 0x2000_0400u32.to_le_bytes().to_vec() };
        let mut image = Image::bare(vec![Segment { address: 0x1000_0100, bytes: vec![1; 9] }, vector_table]);
        image.ends = vec![0x1000_0109, 0x2000_00F1, 0x2000_0002, 0x2008_1000];
        Stack::of(&image).unwrap()
    }

    #[test]
    fn it_lies_between_variables_and_stack_pointer() {
        assert_eq!((stack().room(), stack().to_start()), (0x400 - 0xF4, 0));
        let no_room = |top: u32| {
            let mut image = Image::bare(vec![Segment { address: 0x1000_0000, bytes: top.to_le_bytes().to_vec() }]);
            image.ends = vec![top];
            Stack::of(&image)
        };
        assert_eq!(no_room(0x2000_0400), None);
        assert_eq!(no_room(0x1000_0400), None);
    }

    #[test]
    fn the_deepest_word_counts_and_stays() {
        let (mut stack, mut sram) = (stack(), vec![0; SRAM_SIZE]);
        stack.start(&mut sram);
        stack.look(&sram);
        assert_eq!(stack.to_start(), 0);
        // Outside of it: a variable, and what lies above.
        sram[0xF0] = !sram[0xF0];
        sram[0x400] = !sram[0x400];
        stack.look(&sram);
        assert_eq!(stack.to_start(), 0);
        // One byte of a word, with untouched words above it.
        sram[0x302] = !sram[0x302];
        stack.look(&sram);
        assert_eq!(stack.to_start(), 0x100);
        stack.start(&mut sram);
        stack.look(&sram);
        assert_eq!(stack.to_start(), 0x100);
        sram[0xF4] = !sram[0xF4];
        stack.look(&sram);
        assert_eq!(stack.to_start(), stack.room());
    }

    #[test]
    fn what_the_start_took_is_not_what_running_takes() {
        let (mut stack, mut sram) = (stack(), vec![0; SRAM_SIZE]);
        stack.start(&mut sram);
        sram[0x380] = !sram[0x380];
        sram[0x3E0] = !sram[0x3E0];
        stack.sleeps(&mut sram, 0x2000_03E0);
        stack.look(&sram);
        assert_eq!((stack.to_start(), stack.to_run()), (0x80, 0x20));
        sram[0x3C0] = !sram[0x3C0];
        // Only the first sleep ends the start.
        stack.sleeps(&mut sram, 0x2000_03E0);
        stack.look(&sram);
        assert_eq!((stack.to_start(), stack.to_run()), (0x80, 0x40));
    }
}
