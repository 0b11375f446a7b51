//! The partition table of flash, read with the bootrom's functions (sections 5.4.8.16 and 5.4.8.19).

use super::rom::rom;
use crate::chip::PartitionTableSource;
#[cfg(target_arch = "arm")]
use crate::chip::WORK_AREA;

/// The bootrom.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bootrom;

impl PartitionTableSource for Bootrom {
    /// Necessary in a program that was loaded into RAM. In one that was started from flash, the table is loaded already and
    /// does not change.
    fn load(&mut self, area: &mut [u8]) -> Result<(), i32> {
        // SAFETY: a word may have any value.
        let (_, words, _) = unsafe { area.align_to_mut::<u32>() };
        let code = rom(|rom| rom.load_partition_table(words));
        if code < 0 { Err(code) } else { Ok(()) }
    }

    fn info(&mut self, flags_and_partition: u32, out: &mut [u32]) -> Result<usize, i32> {
        let filled = rom(|rom| rom.get_partition_table_info(out, flags_and_partition));
        // A result that is not negative is the number of words, which never exceeds the length of `out`.
        usize::try_from(filled).map_err(|_| filled)
    }
}

/// The same with the work area on the stack, where it takes 3264 bytes during this call.
///
/// # Errors
///
/// The bootrom's error code.
#[inline(never)]
#[cfg(target_arch = "arm")]
pub(super) fn load() -> Result<(), i32> {
    #[repr(align(4))]
    struct Area([u8; WORK_AREA]);
    Bootrom.load(&mut Area([0; WORK_AREA]).0)
}
