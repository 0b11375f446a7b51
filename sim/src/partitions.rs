//! Flash partitions of a simulated board: the table that it is programmed with, and the boot ROM's calls for it, for the
//! library on the simulated bus. It is the same model as in the emulated board's ROM.

use crate::board::partition::PartitionTable;
use crate::memory::SharedMemory;
use picovd::chip::PartitionTableSource;

/// Errors of the boot ROM (RP2350 datasheet 5.4.8).
const INVALID_ARG: i32 = -5;
const BUFFER_TOO_SMALL: i32 = -13;
const PRECONDITION_NOT_MET: i32 = -14;

const BLOCK_START: u32 = 0xFFFF_DED3;
const BLOCK_END: u32 = 0xAB12_3579;
/// Items of a block: a table whose size has two bytes, and the last one.
const PARTITION_TABLE: u32 = 0x8A;
const LAST: u32 = 0xFF;
/// Full read and write permissions.
const PERMISSIONS: u32 = 0xFC00_0000;
/// picotool's default for space outside of partitions.
const UNPARTITIONED: u32 = 0xFC07_8000;
/// PARTITION_FLAGS: a name follows.
const HAS_NAME: u32 = 1 << 12;

const SECTOR: u32 = 4096;
/// Number of sectors that a table can address (5.9.4).
const SECTORS: u32 = 1 << 13;
/// Where the boot ROM looks for the first block.
const SEARCH: usize = 4096;
/// Where the table is on a board with a program at the start: at this distance from the end of flash.
const TABLE: usize = 4096;

/// One partition that a board has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// At most 127 bytes; empty for no name.
    pub name: String,
    /// Its first sector of 4 KiB.
    pub first: u32,
    /// Its last sector.
    pub last: u32,
}

impl Partition {
    /// A partition from its first byte and its length, both multiples of 4 KiB within 32 MiB; `None` otherwise.
    #[must_use]
    pub fn new(name: &str, start: u32, length: u32) -> Option<Self> {
        let whole = start.is_multiple_of(SECTOR) && length.is_multiple_of(SECTOR) && length > 0 && name.len() < 128;
        let (first, end) = (start / SECTOR, start.checked_add(length)? / SECTOR);
        (whole && end <= SECTORS).then(|| Self { name: name.to_owned(), first, last: end - 1 })
    }

    fn words(&self) -> Vec<u32> {
        let flags = if self.name.is_empty() { 0 } else { HAS_NAME };
        let mut words = vec![PERMISSIONS | self.last << 13 | self.first, PERMISSIONS | flags];
        if flags != 0 {
            let mut bytes = vec![self.name.len() as u8];
            bytes.extend(self.name.as_bytes());
            bytes.resize(bytes.len().next_multiple_of(4), 0);
            words.extend(bytes.chunks_exact(4).map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]])));
        }
        words
    }
}

/// The block of a table (5.9.4), with the next block of the loop at distance `next` in bytes; 0 closes the loop.
fn block(partitions: &[Partition], next: i32) -> Vec<u8> {
    let table: Vec<u32> = partitions.iter().flat_map(Partition::words).collect();
    let size = 2 + table.len() as u32;
    let mut words = vec![BLOCK_START, PARTITION_TABLE | size << 8 | (partitions.len() as u32) << 24, UNPARTITIONED];
    words.extend(table);
    words.extend([LAST | size << 8, next as u32, BLOCK_END]);
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// Puts a table into a flash chip: into the loop of blocks that starts with the image definition of its program, or at the
/// start if there is no program. Returns the pieces to be programmed, each with its offset.
///
/// # Errors
/// Why that is impossible, in one line.
pub fn table(flash: &[u8], partitions: &[Partition]) -> Result<Vec<(usize, Vec<u8>)>, String> {
    if partitions.len() > 16 {
        return Err(format!("{} partitions, but a table has at most 16", partitions.len()));
    }
    let word = |at: usize| flash.get(at..at + 4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    let find = |from: usize, what: u32| (from..SEARCH).step_by(4).find(|at| word(*at) == Some(what));
    let Some(first) = find(0, BLOCK_START) else { return Ok(vec![(0, block(partitions, 0))]) };
    let link = find(first, BLOCK_END).map_or(0, |end| end - 4);
    if word(link) != Some(0) {
        return Err("the program's image definition is not a loop of one block".to_owned());
    }
    let place = flash.len().saturating_sub(TABLE);
    let away = place as i32 - first as i32;
    Ok(vec![(link, away.to_le_bytes().to_vec()), (place, block(partitions, -away))])
}

/// The table in a memory's flash, after it was loaded.
#[derive(Debug)]
pub struct RomTable {
    memory: SharedMemory,
    loaded: Option<PartitionTable>,
}

impl RomTable {
    /// Nothing is loaded yet.
    #[must_use]
    pub fn new(memory: SharedMemory) -> Self {
        Self { memory, loaded: None }
    }
}

impl PartitionTableSource for RomTable {
    fn load(&mut self, _: &mut [u8]) -> Result<(), i32> {
        self.loaded = Some(self.memory.with(|contents| PartitionTable::find(&contents.flash)));
        Ok(())
    }

    fn info(&mut self, flags_and_partition: u32, out: &mut [u32]) -> Result<usize, i32> {
        let table = self.loaded.as_ref().ok_or(PRECONDITION_NOT_MET)?;
        let words = table.info(flags_and_partition).ok_or(INVALID_ARG)?;
        out.get_mut(..words.len()).ok_or(BUFFER_TOO_SMALL)?.copy_from_slice(&words);
        Ok(words.len())
    }
}
