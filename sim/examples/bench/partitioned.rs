//! A partition table beside a firmware, as picotool would have written it.

#[path = "../../tests/partition_tables/mod.rs"]
mod partition_tables;

use partition_tables::{Entry, block};
use picovd_sim::board::ElfDevice;
use picovd_sim::board::engine::Engine;
use std::error::Error;

const SECTOR: usize = 4096;
const BLOCK_START: u32 = 0xFFFF_DED3;
const BLOCK_END: u32 = 0xAB12_3579;

/// Puts a partition table with names of all lengths into the loop of blocks that the firmware's image definition begins.
pub fn program<E: Engine + Default>(device: &mut ElfDevice<E>, flash_size: usize) -> Result<(), Box<dyn Error>> {
    let flash = device.machine().flash();
    let word =
        |at: usize| flash.bytes().get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes);
    let find = |from: usize, wanted: u32| (from..SECTOR).step_by(4).find(|at| word(*at) == Some(wanted));
    let first = find(0, BLOCK_START).ok_or("no image definition")?;
    let end = find(first, BLOCK_END).ok_or("an image definition without an end")?;
    // In the middle of flash, past the program and in front of the settings.
    let middle = flash_size / 2;
    let place = (middle / SECTOR) as u32;
    let mut entries = vec![Entry::new(place, place)];
    entries.extend([1, 30, 127].map(|length| Entry::named(place + 1, place + 8, "n".repeat(length))));
    let table = block(&entries, first as i32 - middle as i32);
    let done = flash.preload(end - 4, &((middle - first) as u32).to_le_bytes()) && flash.preload(middle, &table);
    if done { Ok(()) } else { Err("the table does not fit into flash".into()) }
}
