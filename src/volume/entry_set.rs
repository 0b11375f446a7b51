//! Corrects entry sets that the manifest encoded.

use picovd_exfat::checksum;
use picovd_exfat::entry::{Allocation, ENTRY_LENGTH, StreamExtensionEntry};
use picovd_exfat::window;

/// Changes the allocation of the entry set at byte `place` of a directory's `entries`. `out` is at byte `start` of them.
pub(super) fn reallocate(entries: &[u8], place: u32, allocation: Allocation, start: u32, out: &mut [u8]) {
    let place = place as usize;
    let set = entries.get(place..).unwrap_or(&[]);
    // Both entries to be changed are at the set's start (exFAT 7.4, 7.6).
    let (&[_, secondary_count, ..], Some(stream)) = (set, set.get(ENTRY_LENGTH..)) else { return };
    let &[_, _, _, name_length, low, high, ..] = stream else { return };
    let stream = StreamExtensionEntry { name_length, name_hash: u16::from_le_bytes([low, high]), allocation }.encode();
    let names = set.get(2 * ENTRY_LENGTH..(usize::from(secondary_count) + 1) * ENTRY_LENGTH).unwrap_or(&[]);
    // SetChecksum (7.4.3) covers the whole set except its own bytes.
    let mut sum = checksum::set_checksum(0, 0, set.get(..ENTRY_LENGTH).unwrap_or(&[]));
    sum = checksum::set_checksum(sum, ENTRY_LENGTH, &stream);
    sum = checksum::set_checksum(sum, 2 * ENTRY_LENGTH, names);
    window::copy(start as usize, out, place + checksum::SET_CHECKSUM_SKIPS.start, &sum.to_le_bytes());
    window::copy(start as usize, out, place + ENTRY_LENGTH, &stream);
}
