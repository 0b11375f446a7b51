//! The encodings of Microsoft's exFAT file system specification, and nothing else.
//!
//! The types here encode themselves as the bytes of a volume. None of them needs a buffer for a whole sector: whatever is
//! longer than a few bytes renders any *window* of itself, a slice of bytes at an offset ([`window`]). So the same code
//! encodes a whole directory on a developer's machine, and 64 bytes of a boot sector on the chip while the host waits for a
//! USB packet.
//!
//! Fields and types have the names of the specification, in snake case; numbers in comments ("7.6.3") are its clauses. The
//! crate does not read volumes and does not lay them out. It has no dependencies, no allocation, and no `unsafe`.
#![no_std]
#![forbid(unsafe_code)]

pub mod bitmap;
pub mod boot;
pub mod checksum;
pub mod entry;
pub mod fat;
pub mod name;
pub mod portable;
pub mod time;
pub mod upcase;
pub mod window;

pub use fat::ClusterIndex;

/// Bytes per sector: 512, BytesPerSectorShift 9 (3.1.14). The crate supports no other size.
pub const BYTES_PER_SECTOR: usize = 512;
