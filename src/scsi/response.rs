//! The buffer for short replies.

/// A reply of at most [`Response::CAPACITY`] bytes, and how much of it was sent.
///
/// Bytes beyond the capacity are dropped; no reply is that long. The functions that append are not inlined: otherwise they
/// would make up a quarter of the command set's code.
#[derive(Clone, Debug)]
pub struct Response {
    bytes: [u8; Self::CAPACITY],
    length: usize,
    sent: usize,
}

impl Response {
    /// Maximum length. The longest reply is VPD page 83h with a serial number of maximum length.
    pub const CAPACITY: usize = 64;

    /// An empty reply.
    pub const fn new() -> Self {
        Self { bytes: [0; Self::CAPACITY], length: 0, sent: 0 }
    }

    /// Empties the reply.
    pub fn clear(&mut self) {
        self.length = 0;
        self.sent = 0;
    }

    /// Appends bytes.
    #[inline(never)]
    pub fn put(&mut self, part: &[u8]) {
        for &byte in part {
            if let Some(place) = self.bytes.get_mut(self.length) {
                *place = byte;
                self.length += 1;
            }
        }
    }

    /// Appends `count` zero bytes.
    #[inline(never)]
    pub fn put_zeros(&mut self, count: usize) {
        for _ in 0..count {
            self.put(&[0]);
        }
    }

    /// Appends an ASCII field: `text` left-aligned, cut or padded with spaces to `width` bytes (SPC-4 4.4.1). Anything but
    /// printable ASCII is replaced by a space.
    #[inline(never)]
    pub fn put_text(&mut self, text: &str, width: usize) {
        let spaces = core::iter::repeat(b' ');
        for byte in text.bytes().chain(spaces).take(width) {
            let printable = matches!(byte, b' '..b'\x7F');
            self.put(&[if printable { byte } else { b' ' }]);
        }
    }

    /// Cuts the reply to the CDB's ALLOCATION LENGTH (SPC-4 4.3.5.6), and returns its length in bytes.
    pub fn truncate(&mut self, allocation_length: u32) -> usize {
        self.length = self.length.min(allocation_length as usize);
        self.length
    }

    /// Moves the next bytes into `packet`, padded with zeros after the end of the reply.
    pub fn take(&mut self, packet: &mut [u8]) {
        let rest = self.bytes.get(self.sent..self.length).unwrap_or(&[]);
        self.sent = self.sent.saturating_add(packet.len());
        let mut rest = rest.iter();
        for place in packet {
            *place = rest.next().copied().unwrap_or(0);
        }
    }
}
