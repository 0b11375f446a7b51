//! Partitions: the image has a partition table, and the stick shows each partition as a file.
//!
//! The table is in a block after the program. Each of the two blocks contains the distance to the other one: they form a ring
//! (RP2350 datasheet 5.9.1), and memory.x knows the distances.
#![no_std]
#![no_main]

use hal::block;
use rp235x_hal as hal;

unsafe extern "C" {
    /// Distances from block to block, as addresses of nothing.
    #[link_name = "start_to_end"]
    static START_TO_END: u32;
    #[link_name = "end_to_start"]
    static END_TO_START: u32;
}

picovd::firmware!(disk, block::ImageDef::secure_exe().with_offset(&raw const START_TO_END));

/// Everybody may read and write: the six bits of a location's permissions (5.9.4).
const ALL: u32 = 0x3F << 26;
/// A partition's flags: the name follows (bit 12), and the boot ROM puts UF2 files for data there (family `data`, bit 16).
const NAMED: u32 = 1 << 12;
const DATA: u32 = 1 << 16;
/// What is no partition takes UF2 files with programs for the Arm cores in secure state, and absolute ones.
const UNPARTITIONED: u32 = 1 << 17 | 1 << 15;

/// Where a partition lies: its first and its last sector of 4 KiB.
const fn sectors(first: u32, last: u32) -> u32 {
    ALL | last << 13 | first
}

/// A length and text, in words.
const fn name(text: [u8; 7]) -> [u32; 2] {
    let [a, b, c, d, e, f, g] = text;
    [u32::from_le_bytes([7, a, b, c]), u32::from_le_bytes([d, e, f, g])]
}

const PRESETS: [u32; 2] = name(*b"Presets");
const SAMPLES: [u32; 2] = name(*b"Samples");

/// Words of the table: header, space outside of partitions, and for each of two partitions place, flags and name.
const WORDS: usize = 2 + 2 * 4;

#[unsafe(link_section = ".end_block")]
#[used]
static TABLE: block::Block<WORDS> = block::Block::new([
    block::item_generic_2bs(2, WORDS as u16, block::ITEM_2BS_PARTITION_TABLE),
    ALL | UNPARTITIONED,
    sectors(512, 515),
    ALL | NAMED | DATA,
    PRESETS[0],
    PRESETS[1],
    sectors(516, 771),
    ALL | NAMED | DATA,
    SAMPLES[0],
    SAMPLES[1],
])
.with_offset(&raw const END_TO_START);

#[hal::entry]
fn main() -> ! {
    let (mut stick, _board) = Stick::start(&disk::DESCRIPTION);
    loop {
        stick.poll();
        stick.sleep();
    }
}
