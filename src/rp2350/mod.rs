//! The RP2350: the only module that accesses hardware and the only one with `unsafe`. Compiled for the chip only.
//!
//! Its public items are what applications need; start with [`firmware!`](crate::firmware) and [`serve!`](crate::serve). Its
//! safe functions are sound with any arguments and from any context.
//!
//! Section numbers are those of the RP2350 datasheet.
#![allow(unsafe_code)]

mod board;
mod board_id;
mod boot_info;
mod clock;
#[cfg(feature = "defmt")]
mod defmt;
#[cfg_attr(target_arch = "riscv32", path = "flash_unwritten.rs")]
mod flash;
mod memory;
#[cfg(all(target_arch = "arm", feature = "memory-functions"))]
mod memory_functions;
mod panic;
#[cfg(target_arch = "arm")]
pub mod park;
mod partitions;
// For `firmware!`.
mod interrupt_driven;
#[doc(hidden)]
pub mod picotool;
#[cfg_attr(target_arch = "arm", path = "arm.rs")]
#[cfg_attr(target_arch = "riscv32", path = "riscv.rs")]
mod processor;
mod reboot;
mod rom;
mod stick;
mod usb;
mod usb_endpoint;
mod xip;

pub use board::{Board, CRYSTAL, restart, restart_after};
pub use flash::SettingsFlash;
pub use interrupt_driven::Served;
pub use memory::AddressSpace;
pub use rp235x_hal;
pub use static_cell::StaticCell;
pub use stick::{Home, Running, Stick};
pub use usb::UsbBus;

use rp235x_hal::pac;

/// SIO's CPUID (section 3.1.11): 0 or 1.
fn current_core() -> u32 {
    // SAFETY: the register is read-only and reading it has no side effect.
    unsafe { (*pac::SIO::ptr()).cpuid().read().bits() }
}
