//! What is at which block.

use crate::Compiled;
use crate::block::{BlockCount, Lba};
use crate::format::kind;
use crate::table::Record;

/// A run of blocks with the same meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region<'a> {
    /// First block.
    pub first: Lba,
    /// Number of blocks, at least 1.
    pub length: BlockCount,
    /// What the blocks contain.
    pub kind: RegionKind<'a>,
}

/// What the blocks of a region contain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegionKind<'a> {
    /// Main or backup boot region (exFAT 3.1 to 3.4): 12 sectors.
    Boot,
    /// First FAT (exFAT 4.1).
    Fat,
    /// Allocation bitmap (exFAT 7.1).
    Bitmap,
    /// Up-case table (exFAT 7.2).
    Upcase,
    /// A directory's clusters (exFAT 6).
    Directory(Directory<'a>),
    /// A file with contents known at build time, or a partition table; padded with zeros.
    Bytes(&'a [u8]),
    /// A window of the chip's address space; padded with zeros.
    Memory(MemoryWindow),
    /// Clusters of files registered at run time.
    Dynamic,
    /// Nothing: reads as zeros. Has the reason why it exists.
    Unused(Gap),
}

/// Why a region is unused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gap {
    /// FAT alignment (exFAT 2.2.1) or cluster heap alignment (exFAT 2.3.1).
    Alignment,
    /// Clusters that are not allocated.
    Free,
    /// Part of a file that is not shown: a redaction.
    Reserved,
    /// Sectors after the last cluster.
    Excess,
}

/// A directory: entries known at build time, then the dynamic ones, then end-of-directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Directory<'a> {
    /// The encoded entries, a multiple of 32 bytes. The root directory's start with the volume label's entry, whose bytes
    /// are replaced at run time.
    pub entries: &'a [u8],
    /// Whether this is the root directory.
    pub root: bool,
}

/// A range of the chip's address space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryWindow {
    /// First address.
    pub base: u32,
    /// Length in bytes. (Every region is shorter than 4 GiB, which the plan ensures.)
    pub length: u32,
}

/// A region as it is in the table: see `docs/COMPILED-MANIFEST.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegionRecord {
    /// First block.
    pub first: Lba,
    /// Number of blocks.
    pub length: BlockCount,
    pub(crate) kind: u32,
    pub(crate) a: u32,
    pub(crate) b: u32,
    pub(crate) c: u32,
}

impl RegionRecord {
    /// A region without blocks.
    pub const NONE: Self = Self { first: Lba(0), length: BlockCount(0), kind: kind::FREE, a: 0, b: 0, c: 0 };

    /// What it says, with the bytes it refers to. A kind that is not known reads as zeros.
    #[inline]
    #[must_use]
    pub fn resolve<'a>(&self, compiled: &Compiled<'a>) -> Region<'a> {
        let Self { first, length, kind, a, b, c } = *self;
        let kind = match kind {
            kind::BOOT => RegionKind::Boot,
            kind::FAT => RegionKind::Fat,
            kind::BITMAP => RegionKind::Bitmap,
            kind::UPCASE => RegionKind::Upcase,
            kind::DIRECTORY => RegionKind::Directory(Directory { entries: compiled.pool(a, b), root: c != 0 }),
            kind::BYTES => RegionKind::Bytes(compiled.content(a, b)),
            kind::PARTITION_TABLE => RegionKind::Bytes(compiled.pool(a, b)),
            kind::MEMORY => RegionKind::Memory(MemoryWindow { base: a, length: b }),
            kind::DYNAMIC => RegionKind::Dynamic,
            kind::ALIGNMENT => RegionKind::Unused(Gap::Alignment),
            kind::RESERVED => RegionKind::Unused(Gap::Reserved),
            kind::EXCESS => RegionKind::Unused(Gap::Excess),
            // `FREE`. A checked manifest has no other kind.
            _ => RegionKind::Unused(Gap::Free),
        };
        Region { first, length, kind }
    }

    /// Whether `lba` is one of its blocks.
    #[inline]
    #[must_use]
    pub const fn holds(&self, lba: Lba) -> bool {
        lba.0 >= self.first.0 && lba.0 - self.first.0 < self.length.0
    }
}

impl Record<6> for RegionRecord {
    #[inline]
    fn decode([first, length, kind, a, b, c]: [u32; 6]) -> Self {
        Self { first: Lba(first), length: BlockCount(length), kind, a, b, c }
    }

    fn encode(&self) -> [u32; 6] {
        [self.first.0, self.length.0, self.kind, self.a, self.b, self.c]
    }
}
