//! The boot ROM's functions (section 5.4), except flash_op, which flash.rs calls from RAM.

use super::rom_table;
#[cfg(target_arch = "riscv32")]
use crate::chip::bootrom::STACK_WORDS;
use crate::chip::bootrom::{Rom, Stacked};

/// The chip's own.
pub(super) struct Chip;

impl Rom for Chip {
    #[cfg(target_arch = "riscv32")]
    fn set_bootrom_stack(&mut self, stack: &mut [u32; 2]) -> i32 {
        // SAFETY: two words that the function exchanges for two others; `Stacked` is responsible for the stack that they
        // name.
        unsafe { (rom_table::set_bootrom_stack())(stack.as_mut_ptr()) }
    }

    /// The functions run on the caller's stack, so there is none to set.
    #[cfg(target_arch = "arm")]
    fn set_bootrom_stack(&mut self, _: &mut [u32; 2]) -> i32 {
        -1
    }

    fn load_partition_table(&mut self, area: &mut [u32]) -> i32 {
        // SAFETY: the area is word-aligned and has this length. The bootrom keeps the table in boot RAM, which nothing else
        // changes: see `rom`. It reads flash, which is not written meanwhile: writing it would require parking this core
        // first, which cannot happen in here.
        unsafe { (rom_table::load_partition_table())(area.as_mut_ptr().cast(), size_of_val(area), false) }
    }

    fn get_partition_table_info(&mut self, out: &mut [u32], flags_and_partition: u32) -> i32 {
        // SAFETY: `out` is word-aligned and valid for writes of this many words, all of which are initialized.
        unsafe { (rom_table::get_partition_table_info())(out.as_mut_ptr(), out.len(), flags_and_partition) }
    }

    fn get_sys_info(&mut self, out: &mut [u32], flags: u32) -> i32 {
        // SAFETY: as above.
        unsafe { (rom_table::get_sys_info())(out.as_mut_ptr(), out.len(), flags) }
    }

    fn reboot(&mut self, flags: u32, delay: u32, [p0, p1]: [u32; 2]) -> i32 {
        // SAFETY: the function takes any arguments and refuses wrong ones.
        unsafe { (rom_table::reboot())(flags, delay, p0, p1) }
    }

    fn connect_flash(&mut self, mode: u8, clock_divider: u8) {
        // SAFETY: only `xip` calls this, when the program and its constants are in SRAM, so neither core fetches from
        // flash. The functions change only QMI, the pads and the cache (sections 5.4.8.1, 5.4.8.6, 5.4.8.9).
        unsafe {
            (rom_table::connect_internal_flash())();
            (rom_table::flash_exit_xip())();
            (rom_table::flash_flush_cache())();
            (rom_table::flash_select_xip_read_mode())(mode, clock_divider);
        }
    }
}

/// Calls the boot ROM. One context at a time on either core: its functions share data in boot RAM, and a stack.
pub(super) fn rom<T>(work: impl FnOnce(&mut Stacked<Chip>) -> T) -> T {
    critical_section::with(|_| work(&mut Stacked::new(Chip, stack())))
}

#[cfg(target_arch = "arm")]
const fn stack() -> Option<[u32; 2]> {
    None
}

/// The stack for the ROM's emulated Arm code.
#[cfg(target_arch = "riscv32")]
fn stack() -> Option<[u32; 2]> {
    use core::cell::UnsafeCell;

    struct Stack(UnsafeCell<[u32; STACK_WORDS]>);
    // SAFETY: only the ROM accesses it, and `rom` calls it from one context at a time.
    unsafe impl Sync for Stack {}
    static STACK: Stack = Stack(UnsafeCell::new([0; STACK_WORDS]));
    Some([STACK.0.get().expose_provenance() as u32, 4 * STACK_WORDS as u32])
}
