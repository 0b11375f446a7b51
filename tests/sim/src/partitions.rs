//! The boot ROM's calls for partition tables, for the library on the simulated bus: the same model that the emulated board's
//! ROM has.

use crate::board::partition::PartitionTable;
use crate::memory::SharedMemory;
use picovd::files::PartitionTableSource;

/// Errors of the boot ROM (RP2350 datasheet 5.4.8).
const INVALID_ARG: i32 = -5;
const BUFFER_TOO_SMALL: i32 = -13;
const PRECONDITION_NOT_MET: i32 = -14;

/// The table in a memory's flash, once it is loaded.
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
