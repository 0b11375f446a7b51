//! The boot ROM's functions that the firmware calls, and their stack.
//!
//! On Hazard3, most of them are Arm code that the ROM emulates on its own stack: a few hundred bytes of boot RAM, too
//! little for the longer functions, and for one that is called while another one runs (RP2350 datasheet 5.4.8.26,
//! set_bootrom_stack). [`Stacked`] sets another stack for each call, and restores the previous one afterwards.

/// Length of that stack in words: 4 KiB, which is known to be enough for load_partition_table.
#[cfg(target_arch = "riscv32")]
pub const STACK_WORDS: usize = 1024;

/// The functions, with the boot ROM's own results: negative ones are errors. The caller is responsible for what they
/// require of the chip's state.
pub trait Rom {
    /// Sets a stack, base address and length in bytes, and stores the previous one in its place.
    fn set_bootrom_stack(&mut self, stack: &mut [u32; 2]) -> i32;

    /// load_partition_table (5.4.8.20), without force.
    fn load_partition_table(&mut self, area: &mut [u32]) -> i32;

    /// get_partition_table_info (5.4.8.16).
    fn get_partition_table_info(&mut self, out: &mut [u32], flags_and_partition: u32) -> i32;

    /// get_sys_info (5.4.8.17).
    fn get_sys_info(&mut self, out: &mut [u32], flags: u32) -> i32;

    /// reboot (5.4.8.24).
    fn reboot(&mut self, flags: u32, delay: u32, parameters: [u32; 2]) -> i32;

    /// connect_internal_flash, flash_exit_xip, flash_flush_cache and flash_select_xip_read_mode (5.4.8.1 and further).
    fn connect_flash(&mut self, mode: u8, clock_divider: u8);
}

/// A ROM whose functions run on `stack`, if there is one, which is set for each call.
#[derive(Debug)]
pub struct Stacked<R> {
    rom: R,
    stack: Option<[u32; 2]>,
}

impl<R: Rom> Stacked<R> {
    /// `stack` is base address and length in bytes of memory that nothing else uses; without one, the ROM's own stack is
    /// used.
    pub const fn new(rom: R, stack: Option<[u32; 2]>) -> Self {
        Self { rom, stack }
    }

    /// Calls a function. If the ROM refuses the stack, it is called nevertheless: the ROM's own one is enough for the
    /// shorter ones.
    fn call<T>(&mut self, function: impl FnOnce(&mut R) -> T) -> T {
        let mut other = self.stack;
        let set = other.as_mut().is_some_and(|stack| self.rom.set_bootrom_stack(stack) >= 0);
        let result = function(&mut self.rom);
        if let Some(stack) = other.as_mut().filter(|_| set) {
            // The previous stack was accepted before.
            let _ = self.rom.set_bootrom_stack(stack);
        }
        result
    }

    /// As [`Rom::load_partition_table`].
    pub fn load_partition_table(&mut self, area: &mut [u32]) -> i32 {
        self.call(|rom| rom.load_partition_table(area))
    }

    /// As [`Rom::get_partition_table_info`].
    pub fn get_partition_table_info(&mut self, out: &mut [u32], flags_and_partition: u32) -> i32 {
        self.call(|rom| rom.get_partition_table_info(out, flags_and_partition))
    }

    /// As [`Rom::get_sys_info`].
    pub fn get_sys_info(&mut self, out: &mut [u32], flags: u32) -> i32 {
        self.call(|rom| rom.get_sys_info(out, flags))
    }

    /// As [`Rom::reboot`].
    pub fn reboot(&mut self, flags: u32, delay: u32, parameters: [u32; 2]) -> i32 {
        self.call(|rom| rom.reboot(flags, delay, parameters))
    }

    /// As [`Rom::connect_flash`].
    pub fn connect_flash(&mut self, mode: u8, clock_divider: u8) {
        self.call(|rom| rom.connect_flash(mode, clock_divider));
    }
}

#[cfg(test)]
mod tests {
    use super::{Rom, Stacked};
    use std::vec::Vec;

    const OURS: [u32; 2] = [0x2000_1000, 4096];
    const BOOT_RAM: [u32; 2] = [0x400E_0200, 256];

    /// Records what is called, and on which stack.
    struct Double {
        stack: [u32; 2],
        takes_stacks: bool,
        calls: Vec<(&'static str, [u32; 2])>,
    }

    impl Double {
        fn note(&mut self, name: &'static str) -> i32 {
            self.calls.push((name, self.stack));
            7
        }
    }

    impl Rom for &mut Double {
        fn set_bootrom_stack(&mut self, stack: &mut [u32; 2]) -> i32 {
            self.calls.push(("set_bootrom_stack", *stack));
            if !self.takes_stacks {
                return -1;
            }
            core::mem::swap(&mut self.stack, stack);
            0
        }
        fn load_partition_table(&mut self, _: &mut [u32]) -> i32 {
            self.note("load_partition_table")
        }
        fn get_partition_table_info(&mut self, _: &mut [u32], _: u32) -> i32 {
            self.note("get_partition_table_info")
        }
        fn get_sys_info(&mut self, _: &mut [u32], _: u32) -> i32 {
            self.note("get_sys_info")
        }
        fn reboot(&mut self, _: u32, _: u32, _: [u32; 2]) -> i32 {
            self.note("reboot")
        }
        fn connect_flash(&mut self, _: u8, _: u8) {
            self.note("connect_flash");
        }
    }

    /// Every call that the firmware makes, in an order that may occur.
    fn call_all(double: &mut Double, stack: Option<[u32; 2]>) {
        let mut rom = Stacked::new(double, stack);
        rom.connect_flash(0, 4);
        let results = [
            rom.load_partition_table(&mut [0; 4]),
            rom.get_partition_table_info(&mut [0; 4], 1),
            rom.get_sys_info(&mut [0; 4], 1),
            rom.reboot(0, 100, [0; 2]),
        ];
        assert_eq!(results, [7; 4]);
    }

    const NAMES: [&str; 5] =
        ["connect_flash", "load_partition_table", "get_partition_table_info", "get_sys_info", "reboot"];

    #[test]
    fn a_stack_is_set_before_every_call_and_taken_back_after_it() {
        let mut double = Double { stack: BOOT_RAM, takes_stacks: true, calls: Vec::new() };
        call_all(&mut double, Some(OURS));
        let expected: Vec<_> = NAMES
            .into_iter()
            .flat_map(|name| [("set_bootrom_stack", OURS), (name, OURS), ("set_bootrom_stack", BOOT_RAM)])
            .collect();
        assert_eq!(double.calls, expected);
        assert_eq!(double.stack, BOOT_RAM);
    }

    #[test]
    fn nothing_is_set_where_no_stack_is_needed_or_none_is_taken() {
        let mut double = Double { stack: BOOT_RAM, takes_stacks: true, calls: Vec::new() };
        call_all(&mut double, None);
        assert_eq!(double.calls, NAMES.map(|name| (name, BOOT_RAM)));
        let mut double = Double { stack: BOOT_RAM, takes_stacks: false, calls: Vec::new() };
        call_all(&mut double, Some(OURS));
        let expected: Vec<_> =
            NAMES.into_iter().flat_map(|name| [("set_bootrom_stack", OURS), (name, BOOT_RAM)]).collect();
        assert_eq!(double.calls, expected);
    }
}
