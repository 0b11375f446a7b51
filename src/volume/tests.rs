//! Parts of the volume against the whole: reads of any length at any position agree with it.

use super::layout::{
    ClusterIndex, Directory, Draft, DynamicWindow, Gap, Label, Layout, MemoryWindow, Region, RegionKind,
};
use super::{BoardIdentity, Memory, Volume};
use crate::block::{BLOCK_LENGTH, BlockCount, Lba};
use crate::clock::Instant;
use std::sync::LazyLock;
use std::vec;
use std::vec::Vec;

/// Memory whose bytes are derived from their addresses.
#[derive(Clone, Copy, Debug)]
struct Addresses;

impl Memory for Addresses {
    fn read(&self, address: u32, out: &mut [u8]) {
        for (index, byte) in out.iter_mut().enumerate() {
            *byte = byte_at(address + index as u32);
        }
    }
}

fn byte_at(address: u32) -> u8 {
    (address ^ address >> 8 ^ address >> 16) as u8 | 1
}

const ENTRIES: [u8; 96] = {
    let mut bytes = [0x11; 96];
    bytes[0] = 0x83;
    bytes
};

const fn region(first: u32, length: u32, kind: RegionKind<'static>) -> Region<'static> {
    Region { first: Lba(first), length: BlockCount(length), kind }
}

static LAYOUT: LazyLock<Layout<'static>> = LazyLock::new(|| Layout::of(draft().leak()));

/// A small volume.
pub(super) fn draft() -> Draft<'static> {
    Draft {
        volume_length: 144,
        fat_length: 1,
        cluster_count: 14,
        first_cluster_of_root_directory: 5,
        volume_serial_number: 0x1234_5678,
        timestamp: 0x5C21_0000,
        label: Label { units: &[0x50, 0x44], board_digits: true },
        sectors_per_cluster_shift: 3,
        chain_ends: &[2, 4, 5],
        allocated_clusters: 6,
        regions: vec![
            region(0, 12, RegionKind::Boot),
            region(12, 12, RegionKind::Boot),
            region(24, 1, RegionKind::Fat),
            region(25, 7, RegionKind::Unused(Gap::Alignment)),
            region(32, 8, RegionKind::Bitmap),
            region(40, 16, RegionKind::Upcase),
            region(56, 8, RegionKind::Directory(Directory { entries: &ENTRIES, root: true })),
            region(64, 8, RegionKind::Bytes(&[0x5A; 700])),
            region(72, 8, RegionKind::Memory(MemoryWindow { base: 0x2000_0100, length: 1001 })),
            region(80, 64, RegionKind::Unused(Gap::Free)),
        ],
        dynamic: DynamicWindow { slots: 2, entries: 8, slot_entries: 4, ..Draft::default().dynamic },
        ..Draft::default()
    }
}

/// A layout with a dynamic window in clusters of so many sectors.
pub(super) fn layout_with_window(first: u32, count: u32, sectors_per_cluster_shift: u8) -> Layout<'static> {
    let dynamic = DynamicWindow { first_cluster: ClusterIndex(first), cluster_count: count, ..LAYOUT.dynamic };
    Layout { volume_length: BlockCount(1 << 16), sectors_per_cluster_shift, dynamic, ..*LAYOUT }
}

fn volume() -> Volume<'static, Addresses> {
    Volume::new(&LAYOUT, Some(BoardIdentity(0x0123_4567_89AB_CDEF)), Addresses)
}

fn whole() -> Vec<u8> {
    let mut bytes = vec![0xEE; LAYOUT.volume_length.bytes() as usize];
    volume().read(Lba(0), 0, &mut bytes);
    bytes
}

fn block(bytes: &[u8], lba: usize) -> &[u8] {
    &bytes[lba * BLOCK_LENGTH..]
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes in Miri")]
fn any_piece_agrees_with_the_whole() {
    let whole = whole();
    let mut volume = volume();
    for start in (0..whole.len() - 200).step_by(37) {
        for length in [1, 5, 64, 200] {
            let mut piece = vec![0xEE; length];
            volume.read(Lba((start / BLOCK_LENGTH) as u32), start % BLOCK_LENGTH, &mut piece);
            assert_eq!(piece, whole[start..start + length], "{length} bytes at {start}");
        }
    }
}

#[test]
fn both_boot_regions_are_alike_and_carry_the_board() {
    let bytes = whole();
    let (main, backup) = (&bytes[..12 * BLOCK_LENGTH], &bytes[12 * BLOCK_LENGTH..24 * BLOCK_LENGTH]);
    assert_eq!(main, backup);
    assert_eq!(main[3..8], *b"EXFAT");
    assert_eq!(main[100..104], (0x0123_4567u32 ^ 0x89AB_CDEF).to_le_bytes(), "VolumeSerialNumber");
    assert_eq!(main[112], 42, "PercentInUse: 6 of 14 clusters");
}

#[test]
fn the_fat_chains_what_has_no_nofatchain_flag() {
    let bytes = whole();
    let entries: Vec<u32> = block(&bytes, 24)
        .chunks_exact(4)
        .take(9)
        .map(|entry| u32::from_le_bytes(entry.try_into().expect("four bytes")))
        .collect();
    let end = 0xFFFF_FFFF;
    assert_eq!(entries, [0xFFFF_FFF8, end, end, 4, end, end, 0, 0, 0]);
}

#[test]
fn the_bitmap_tells_what_is_allocated() {
    assert_eq!(block(&whole(), 32)[..3], [0b0011_1111, 0, 0]);
}

#[test]
fn the_root_directory_begins_with_the_label_and_ends_with_zeros() {
    let bytes = whole();
    let root = block(&bytes, 56);
    assert_eq!(root[..2], [0x83, 6]);
    let label: Vec<u8> = root[2..14].iter().copied().step_by(2).collect();
    assert_eq!(label, b"PDCDEF");
    assert_eq!(root[32..96], [0x11; 64]);
    assert!(root[3 * 32..8 * BLOCK_LENGTH].iter().all(|byte| *byte == 0), "end of directory");
}

#[test]
fn contents_end_with_zeros() {
    let bytes = whole();
    let file = block(&bytes, 64);
    assert!(file[..700].iter().all(|byte| *byte == 0x5A));
    assert!(file[700..8 * BLOCK_LENGTH].iter().all(|byte| *byte == 0));
    let window = block(&bytes, 72);
    for (index, byte) in window[..8 * BLOCK_LENGTH].iter().enumerate() {
        assert_eq!(*byte, if index < 1001 { byte_at(0x2000_0100 + index as u32) } else { 0 }, "byte {index}");
    }
}

#[test]
fn past_the_end_there_are_zeros() {
    let mut piece = [0xEE; 600];
    volume().read(Lba(143), 500, &mut piece);
    assert_eq!(piece, [0; 600]);
    piece.fill(0xEE);
    volume().read(Lba(u32::MAX), 511, &mut piece);
    assert_eq!(piece, [0; 600]);
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes in Miri")]
fn no_announced_volume_has_the_serial_number_of_an_earlier_one() {
    let mut volume = volume();
    let mut seen = std::collections::BTreeSet::new();
    // More than 8 and more than 16 bits are used.
    for announced in 0..70_000 {
        let mut serial = [0; 4];
        volume.read(Lba(0), 100, &mut serial);
        assert!(seen.insert(serial), "{serial:?} comes back after {announced} announcements");
        let mut backup = [0; 4];
        volume.read(Lba(12), 100, &mut backup);
        assert_eq!(serial, backup);
        volume.begin_other_volume(Instant(announced));
    }
}

#[test]
fn a_board_without_identity_gets_the_layouts_own() {
    let mut volume = Volume::new(&LAYOUT, None, Addresses);
    let mut bytes = [0; 4];
    volume.read(Lba(0), 100, &mut bytes);
    assert_eq!(bytes, LAYOUT.volume_serial_number.to_le_bytes());
    volume.read(Lba(56), 0, &mut bytes);
    assert_eq!(bytes, [0x83, 2, 0x50, 0]);
}
