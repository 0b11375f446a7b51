//! Looks up the boot ROM's functions (section 5.4.1).
//!
//! A result is a pointer to a function of a ROM that has it; calling it is up to the caller. `rom.rs` does so for most of
//! them, flash.rs for those that it needs while flash cannot be read.

use core::mem::transmute;

/// Address of the ROM's version: 1 is that of RP2350 A0 and A1.
const VERSION: u32 = 0x13;

/// Address of the 16-bit pointer to the look-up function.
#[cfg(target_arch = "arm")]
const LOOKUP: u32 = 0x16;
#[cfg(target_arch = "riscv32")]
const LOOKUP: u32 = 0x7DFA;
/// The same in ROMs of version 1.
#[cfg(target_arch = "arm")]
const LOOKUP_1: u32 = 0x18;
#[cfg(target_arch = "riscv32")]
const LOOKUP_1: u32 = 0x7DF8;

/// RT_FLAG_FUNC_ARM_SEC and RT_FLAG_FUNC_RISCV: functions for the processor in its state after the start.
#[cfg(target_arch = "arm")]
const FUNCTION: u32 = 0x04;
#[cfg(target_arch = "riscv32")]
const FUNCTION: u32 = 0x01;

/// The version of the ROM.
pub(super) fn version() -> u8 {
    // SAFETY: a byte of the ROM.
    unsafe { super::processor::load_byte(VERSION) }
}

/// The address of a function.
#[inline(never)]
fn look_up(code: [u8; 2]) -> usize {
    let pointer = if version() == 1 { LOOKUP_1 } else { LOOKUP };
    // SAFETY: an aligned half-word of the ROM, whose addresses fit into one. It is the address of a function that searches a table
    // in the ROM.
    unsafe {
        let address = (pointer as *const u16).read_volatile();
        let function: extern "C" fn(u32, u32) -> usize = transmute(usize::from(address));
        function(u16::from_le_bytes(code).into(), FUNCTION)
    }
}

/// Declares functions that look up those of the ROM, with their types.
macro_rules! functions {
    ($($(#[$attribute:meta])* $name:ident, $code:literal: $type:ty;)*) => {
        $(
            $(#[$attribute])*
            pub(super) fn $name() -> $type {
                // SAFETY: the ROM has a function of this type under that code.
                unsafe { transmute::<usize, $type>(look_up(*$code)) }
            }
        )*
    };
}

functions! {
    /// 5.4.8.1
    connect_internal_flash, b"IF": unsafe extern "C" fn();
    /// 5.4.8.6
    flash_exit_xip, b"EX": unsafe extern "C" fn();
    /// 5.4.8.7
    flash_flush_cache, b"FC": unsafe extern "C" fn();
    /// 5.4.8.9
    #[cfg(target_arch = "arm")]
    flash_op, b"FO": unsafe extern "C" fn(u32, u32, u32, *mut u8) -> i32;
    /// 5.4.8.13
    flash_select_xip_read_mode, b"XM": unsafe extern "C" fn(u8, u8);
    /// 5.4.8.16
    get_partition_table_info, b"GP": unsafe extern "C" fn(*mut u32, usize, u32) -> i32;
    /// 5.4.8.17
    get_sys_info, b"GS": unsafe extern "C" fn(*mut u32, usize, u32) -> i32;
    /// 5.4.8.20
    load_partition_table, b"LP": unsafe extern "C" fn(*mut u8, usize, bool) -> i32;
    /// 5.4.8.24
    reboot, b"RB": unsafe extern "C" fn(u32, u32, u32, u32) -> i32;
    /// 5.4.8.26
    #[cfg(target_arch = "riscv32")]
    set_bootrom_stack, b"SS": unsafe extern "C" fn(*mut u32) -> i32;
}
