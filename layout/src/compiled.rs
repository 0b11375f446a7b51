//! A compiled manifest: its sections, its texts and its contents, where they are.

use crate::format::{self, HEADER, MOST_SECTIONS, SECTION, header};

/// A compiled manifest in memory: the tables, which begin with its header, and the contents of static files.
///
/// Every function is total: what is not there reads as zero or as empty. [`read`](Self::read) makes sure that all of it is
/// there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compiled<'a> {
    tables: &'a [u32],
    contents: &'a [u8],
}

impl<'a> Compiled<'a> {
    /// A compiled manifest that a build has written and checked. `tables` are little-endian words.
    #[must_use]
    pub const fn new(tables: &'a [u32], contents: &'a [u8]) -> Self {
        Self { tables, contents }
    }

    /// The words of the tables, as they are in memory: little-endian.
    #[must_use]
    pub const fn tables(&self) -> &'a [u32] {
        self.tables
    }

    /// The contents of static files.
    #[must_use]
    pub const fn contents(&self) -> &'a [u8] {
        self.contents
    }

    /// The manifest's text, if it was kept.
    #[must_use]
    pub const fn text(&self) -> Option<&'a str> {
        let Some((offset, length)) = self.place(format::section::TEXT) else { return None };
        Some(text(cut(self.bytes(), offset, length)))
    }

    /// The tables' bytes.
    pub(crate) const fn bytes(&self) -> &'a [u8] {
        bytemuck::must_cast_slice(self.tables)
    }

    /// Offset and length in bytes of a section.
    const fn place(&self, number: u32) -> Option<(usize, usize)> {
        let mut index = 0;
        let count = word(self.tables, header::SECTIONS) as usize;
        while index < count && index < MOST_SECTIONS {
            let at = HEADER + index * SECTION;
            if word(self.tables, at) == number {
                return Some((word(self.tables, at + 1) as usize, word(self.tables, at + 2) as usize));
            }
            index += 1;
        }
        None
    }

    /// The words of a section; none if there is no such section.
    pub(crate) const fn section(&self, number: u32) -> &'a [u32] {
        match self.place(number) {
            Some((offset, length)) => cut(self.tables, offset / 4, length / 4),
            None => &[],
        }
    }

    /// Bytes of the tables.
    pub(crate) const fn pool(&self, offset: u32, length: u32) -> &'a [u8] {
        part(self.bytes(), offset, length)
    }

    /// A text of the tables.
    pub(crate) const fn text_at(&self, offset: u32, length: u32) -> &'a str {
        text(self.pool(offset, length))
    }

    /// The bytes of a static file.
    pub(crate) const fn content(&self, offset: u32, length: u32) -> &'a [u8] {
        part(self.contents, offset, length)
    }
}

/// The text of these bytes; none if they are not UTF-8.
const fn text(bytes: &[u8]) -> &str {
    match core::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(_) => "",
    }
}

/// A part of a slice; empty if it is not there as a whole.
pub(crate) const fn cut<T>(all: &[T], offset: usize, length: usize) -> &[T] {
    match all.split_at_checked(offset) {
        Some((_, rest)) => match rest.split_at_checked(length) {
            Some((part, _)) => part,
            None => &[],
        },
        None => &[],
    }
}

/// A part of some bytes; empty if it is not there as a whole. Not inlined: it is needed in several places, and not often.
#[inline(never)]
const fn part(bytes: &[u8], offset: u32, length: u32) -> &[u8] {
    cut(bytes, offset as usize, length as usize)
}

/// The word with that index; 0 if it is not there.
pub(crate) const fn word(words: &[u32], index: usize) -> u32 {
    match words.split_at_checked(index) {
        Some((_, [word, ..])) => u32::from_le(*word),
        _ => 0,
    }
}

/// The words of a file, for tables that a program includes.
///
/// # Panics
/// If `bytes` does not have `N` words: when it is compiled.
#[must_use]
pub const fn words<const N: usize>(bytes: &[u8]) -> [u32; N] {
    let (chunks, rest) = bytes.as_chunks::<4>();
    assert!(chunks.len() == N && rest.is_empty(), "the file has N words");
    let mut words = [0; N];
    let mut index = 0;
    while index < N {
        words[index] = u32::from_ne_bytes(chunks[index]);
        index += 1;
    }
    words
}
