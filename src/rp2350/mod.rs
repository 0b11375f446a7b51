//! The RP2350: the only module that accesses hardware and the only one with `unsafe`. Compiled for the chip only.
//!
//! Its public items are what applications need; start with [`firmware!`](crate::firmware) and [`serve!`](crate::serve). Its
//! safe functions are sound with any arguments and from any context.
//!
//! With feature `chip` but without `hal`, there is only what does not need rp235x-hal: what files show of the chip ([`Chip`]).
//! The USB controller, clocks and timers belong to the program.
//!
//! Section numbers are those of the RP2350 datasheet.
#![allow(unsafe_code)]

#[cfg(feature = "hal")]
mod board;
mod board_id;
mod boot_info;
#[cfg(feature = "hal")]
mod clock;
#[cfg(target_arch = "arm")]
pub mod crash;
#[cfg(feature = "defmt")]
mod defmt;
mod disk;
mod endpoints;
#[cfg_attr(target_arch = "riscv32", path = "flash_unwritten.rs")]
mod flash;
#[cfg(feature = "hal")]
mod flash_manifest;
mod hardware;
#[cfg(feature = "hal")]
mod interrupt_driven;
mod memory;
#[cfg(all(target_arch = "arm", feature = "memory-functions"))]
mod memory_functions;
mod panic;
#[cfg(target_arch = "arm")]
pub mod park;
mod partitions;
// For `firmware!`.
#[cfg(feature = "hal")]
#[doc(hidden)]
pub mod picotool;
#[cfg_attr(target_arch = "arm", path = "arm.rs")]
#[cfg_attr(not(feature = "hal"), allow(dead_code, unused_imports, reason = "for the stick on rp235x-hal"))]
#[cfg_attr(target_arch = "riscv32", path = "riscv.rs")]
mod processor;
#[cfg_attr(not(feature = "hal"), allow(dead_code, reason = "picotool's requests come through the stick on rp235x-hal"))]
mod reboot;
mod rom;
mod rom_table;
#[cfg(feature = "hal")]
mod stick;
#[cfg(feature = "hal")]
mod thermometer;
#[cfg(feature = "hal")]
mod usb;
#[cfg(feature = "hal")]
mod usb_endpoint;
#[cfg(feature = "hal")]
mod waiting;
mod xip;

#[cfg(feature = "hal")]
pub use board::{Board, CRYSTAL};
pub use boot_info::flash as flash_length;
pub use disk::Disk;
pub use flash::SettingsFlash;
#[cfg(feature = "hal")]
pub use flash_manifest::flash_manifest;
pub use hardware::Chip;
#[cfg(feature = "hal")]
pub use interrupt_driven::Served;
pub use memory::AddressSpace;
pub use panic::{keep_reason, restart, restart_after};
#[cfg(feature = "hal")]
pub use rp235x_hal;
pub use static_cell::{ConstStaticCell, StaticCell};
#[cfg(feature = "hal")]
pub use stick::{Home, Running, Stick};
#[cfg(feature = "hal")]
pub use thermometer::Thermometer;
#[cfg(feature = "hal")]
pub use usb::UsbBus;

use rp235x_pac as pac;

/// SIO's CPUID (section 3.1.11): 0 or 1.
fn current_core() -> u32 {
    // SAFETY: the register is read-only and reading it has no side effect.
    unsafe { (*pac::SIO::ptr()).cpuid().read().bits() }
}
