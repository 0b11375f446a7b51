//! The flash's partition table, by the bootrom's functions (sections 5.4.8.16 and 5.4.8.19).

use crate::files::PartitionTableSource;
use core::mem::MaybeUninit;
use rp235x_hal::rom_data;

/// Words of load_partition_table's work area: 3264 bytes.
const WORK_AREA: usize = 3264 / 4;

/// The bootrom.
#[derive(Clone, Copy, Debug)]
pub struct Bootrom;

impl PartitionTableSource for Bootrom {
    /// Needs 3264 bytes of stack. A program that was loaded into RAM has to do this; one that was started from flash has the
    /// table loaded already, which this leaves as it is.
    #[inline(never)]
    fn load(&mut self) -> Result<(), i32> {
        let mut area = MaybeUninit::<[u32; WORK_AREA]>::uninit();
        // SAFETY: the area is word-aligned, as long as it says, and lives until the function returns; nobody reads it here. The
        // bootrom reads flash, which no one writes meanwhile: interrupts are masked and the other core is in reset.
        let code = unsafe { rom_data::load_partition_table(area.as_mut_ptr().cast(), 4 * WORK_AREA, false) };
        if code < 0 { Err(code) } else { Ok(()) }
    }

    fn info(&mut self, flags_and_partition: u32, out: &mut [u32]) -> Result<usize, i32> {
        // SAFETY: `out` is word-aligned and valid for writes of that many words, all of which hold values already.
        let filled = unsafe { rom_data::get_partition_table_info(out.as_mut_ptr(), out.len(), flags_and_partition) };
        // What is not negative is a number of words, at most as many as there is room for.
        usize::try_from(filled).map_err(|_| filled)
    }
}
