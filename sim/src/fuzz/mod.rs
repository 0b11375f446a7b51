//! What hostile bytes must not do: one judge for each kind of bytes that comes from outside. The fuzz targets of fuzz/ and
//! the test that replays their corpora call these.
//!
//! A judge panics if its subject panics, does not terminate, or violates its rule.
#![allow(clippy::missing_panics_doc, reason = "a judge reports by panicking")]

mod compiled;
mod device;
mod disk;
mod protocol;

pub use compiled::{Anywhere, compiled, crc32, seal};
pub use device::{console, packets};
pub use disk::{image, manifest, partition_table, settings_flash};
pub use protocol::{usbip, usbredir};

/// A judge.
pub type Judge = fn(&[u8]);

/// All judges, by the names of their targets and of their corpora's folders.
pub const TARGETS: [(&str, Judge); 9] = [
    ("packets", packets),
    ("console", console),
    ("settings_flash", settings_flash),
    ("partition_table", partition_table),
    ("manifest", manifest),
    ("image", image),
    ("compiled", compiled),
    ("usbredir", usbredir),
    ("usbip", usbip),
];

/// The input, read from the front.
struct Bytes<'d>(&'d [u8]);

impl<'d> Bytes<'d> {
    /// The next bytes, fewer at the end.
    fn take(&mut self, length: usize) -> &'d [u8] {
        let (taken, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// The next byte, 0 past the end.
    fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or(0)
    }

    /// The next word, little-endian, zeros past the end.
    fn word(&mut self) -> u32 {
        let mut word = [0; 4];
        for (to, from) in word.iter_mut().zip(self.take(4)) {
            *to = *from;
        }
        u32::from_le_bytes(word)
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
