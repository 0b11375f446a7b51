//! The stored payload: the bytes of all groups, one after the other.
//!
//! Each group starts with four bytes that identify it and two with its length, least significant byte first. Unknown groups
//! are those of another firmware: they are kept as long as there is room.

use super::store::MAX_PAYLOAD;
use picovd_exfat::window;
use zeroize::Zeroize;

/// Number of bytes before a group's values.
const HEADER: usize = 6;

/// The bytes of all groups. If there are none, every value is its default.
pub(super) struct Payload {
    length: u16,
    bytes: [u8; MAX_PAYLOAD],
}

impl Payload {
    /// No groups: zeros.
    pub const EMPTY: Self = Self { length: 0, bytes: [0; MAX_PAYLOAD] };

    /// Fills it with what a store loads.
    pub fn fill(&mut self, load: impl FnOnce(&mut [u8]) -> Option<usize>) -> bool {
        self.clear();
        match load(&mut self.bytes) {
            Some(length) if length <= MAX_PAYLOAD => {
                self.length = length as u16;
                true
            }
            _ => {
                self.clear();
                false
            }
        }
    }

    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length.into()).unwrap_or_default()
    }

    // Not inlined, because a call is shorter.
    #[inline(never)]
    pub fn clear(&mut self) {
        self.length = 0;
        self.bytes.zeroize();
    }

    /// Copies another one.
    #[inline(never)]
    pub fn copy(&mut self, other: &Self) {
        self.length = other.length;
        // This also clears longer old contents: there are only zeros after the length.
        self.bytes = other.bytes;
    }

    /// A group's bytes; empty if there is no such group.
    pub fn get(&self, id: u32) -> &[u8] {
        self.groups().find(|(other, _)| *other == id).map_or(&[], |(_, bytes)| bytes)
    }

    /// Replaces a group's bytes. Groups that are not `known` are dropped if the room is needed. Returns whether there is
    /// room; if not, nothing has changed.
    pub fn put(&mut self, id: u32, bytes: &[u8], known: impl Fn(u32) -> bool) -> bool {
        let mut new = Self::EMPTY;
        let fits = [false, true].into_iter().any(|sparing| {
            new.clear();
            let others = self.groups().filter(|(other, _)| *other != id && (!sparing || known(*other)));
            let fits = new.append(id, bytes);
            others.fold(fits, |fits, (other, bytes)| fits && new.append(other, bytes))
        });
        if fits {
            self.copy(&new);
        }
        fits
    }

    /// Removes the `known` groups: their values are defaults then.
    pub fn forget(&mut self, known: impl Fn(u32) -> bool) {
        let mut new = Self::EMPTY;
        // They fitted before.
        let _ = self.groups().filter(|(id, _)| !known(*id)).all(|(id, bytes)| new.append(id, bytes));
        self.copy(&new);
    }

    /// Cuts each group to the number of bytes that it knows.
    pub fn shorten(&mut self, known: impl Fn(u32, &[u8]) -> usize) {
        let mut new = Self::EMPTY;
        // They fitted before.
        let _ = self.groups().all(|(id, bytes)| new.append(id, bytes.get(..known(id, bytes)).unwrap_or(bytes)));
        self.copy(&new);
    }

    fn append(&mut self, id: u32, bytes: &[u8]) -> bool {
        if bytes.is_empty() {
            return true;
        }
        let begin = usize::from(self.length);
        let Some(room) = self.bytes.get_mut(begin..begin + HEADER + bytes.len()) else { return false };
        let header = id.to_le_bytes().into_iter().chain((bytes.len() as u16).to_le_bytes());
        self.length += window::put(room, header.chain(bytes.iter().copied())) as u16;
        true
    }

    /// All groups, up to the first bytes that are not a group.
    fn groups(&self) -> impl Iterator<Item = (u32, &[u8])> {
        let mut rest = self.bytes();
        core::iter::from_fn(move || {
            let (header, later) = rest.split_first_chunk::<HEADER>()?;
            let [a, b, c, d, low, high] = *header;
            let (bytes, later) = later.split_at_checked(u16::from_le_bytes([low, high]).into())?;
            rest = later;
            Some((u32::from_le_bytes([a, b, c, d]), bytes))
        })
    }
}

impl Drop for Payload {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    extern crate std;
    use std::vec;

    const ALL: fn(u32) -> bool = |_| true;

    #[test]
    fn groups_replace_each_other() {
        let mut payload = Payload::EMPTY;
        assert_eq!(payload.get(1), []);
        assert!(payload.put(1, b"one", ALL) && payload.put(2, b"two", ALL) && payload.put(1, b"other", ALL));
        assert_eq!((payload.get(1), payload.get(2), payload.get(3)), (&b"other"[..], &b"two"[..], &b""[..]));
        assert_eq!(payload.bytes().len(), 2 * HEADER + 8);
        payload.forget(|id| id == 1);
        assert_eq!((payload.get(1), payload.get(2)), (&b""[..], &b"two"[..]));
        assert!(payload.put(2, b"", ALL));
        assert_eq!(payload.bytes(), b"");
    }

    #[test]
    fn strangers_make_room_and_nothing_else_does() {
        let mut payload = Payload::EMPTY;
        assert!(payload.put(1, &[1; 400], ALL) && payload.put(2, &[2; 400], ALL));
        assert!(!payload.put(3, &[3; 400], ALL));
        assert_eq!((payload.get(1).len(), payload.get(2).len(), payload.get(3).len()), (400, 400, 0));
        assert!(payload.put(3, &[3; 180], ALL), "they fit together");
        assert_eq!(payload.get(2).len(), 400);
        assert!(payload.put(3, &[3; 400], |id| id != 2));
        assert_eq!((payload.get(1).len(), payload.get(2).len(), payload.get(3).len()), (400, 0, 400));
    }

    #[test]
    fn what_is_no_group_ends_the_groups() {
        let mut payload = Payload::EMPTY;
        for bytes in [&b"\x01\0\0\0\x05\0abc"[..], b"\x01\0\0", b"\xFF\xFF\xFF\xFF\xFF\xFF"] {
            assert!(payload.fill(|out| {
                out[..bytes.len()].copy_from_slice(bytes);
                Some(bytes.len())
            }));
            assert_eq!(payload.get(1), b"");
            assert!(payload.put(7, b"seven", ALL));
            assert_eq!(payload.get(7), b"seven");
        }
        assert!(!payload.fill(|_| Some(MAX_PAYLOAD + 1)) && payload.bytes().is_empty());
        let mut all = vec![0; 8];
        all.extend([9; 4]);
        assert!(!payload.fill(|_| None));
    }
}
