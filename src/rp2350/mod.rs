//! The RP2350: the only place that touches hardware and the only place with `unsafe`. Compiled for the chip alone.
//!
//! What is public is what applications need: [`firmware!`](crate::firmware) and [`serve!`](crate::serve) say how to begin.
//! No safe function of it does harm, whatever it is called with and from wherever it is called.
//!
//! Section numbers are those of the RP2350 datasheet.
#![allow(unsafe_code)]

mod board;
mod board_id;
mod clock;
#[cfg(feature = "defmt")]
mod defmt;
mod facts;
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
#[doc(hidden)]
pub mod picotool;
#[cfg_attr(target_arch = "arm", path = "arm.rs")]
#[cfg_attr(target_arch = "riscv32", path = "riscv.rs")]
mod processor;
mod reboot;
mod rom;
mod served;
mod stick;
mod usb;
mod usb_endpoint;
mod xip;

pub use board::{Board, CRYSTAL, restart, restart_after};
pub use flash::SettingsFlash;
pub use memory::AddressSpace;
pub use rp235x_hal;
pub use served::Served;
pub use static_cell::StaticCell;
pub use stick::{Home, Running, Stick};
pub use usb::UsbBus;

use rp235x_hal::clocks::UsbClock;
use rp235x_hal::pac;

/// The bus that the firmware runs on.
#[cfg(not(feature = "hal-usb"))]
pub type FirmwareUsbBus = usb::UsbBus;
/// The HAL's bus, for comparison.
#[cfg(feature = "hal-usb")]
pub type FirmwareUsbBus = rp235x_hal::usb::UsbBus;

/// SIO's CPUID (section 3.1.11): 0 or 1.
fn current_core() -> u32 {
    // SAFETY: the register is read-only and reading it has no side effect.
    unsafe { (*pac::SIO::ptr()).cpuid().read().bits() }
}

/// Whether the bus has something to report that no interrupt tells of.
fn bus_waits() -> bool {
    // The HAL's keeps its interrupt up instead.
    cfg!(not(feature = "hal-usb")) && usb::waits()
}

/// Lets nothing out of endpoint 0 while something takes long ([`usb::UsbBus::withhold`]).
#[inline]
fn withhold(bus: &FirmwareUsbBus) {
    #[cfg(not(feature = "hal-usb"))]
    bus.withhold();
    let _ = bus;
}

/// Everything is done: endpoint 0 sends what it has ([`usb::UsbBus::release`]).
#[inline]
fn release(bus: &FirmwareUsbBus) {
    #[cfg(not(feature = "hal-usb"))]
    bus.release();
    let _ = bus;
}

/// Sleeps, while endpoint 0 sends what it has ([`usb::UsbBus::wait`]).
#[inline]
fn wait(bus: &FirmwareUsbBus) {
    #[cfg(not(feature = "hal-usb"))]
    bus.wait();
    #[cfg(feature = "hal-usb")]
    processor::wfi();
    let _ = bus;
}

/// In how many microseconds a poll has to bring the stick back to the bus, where it has left it.
fn attaches_in(bus: &FirmwareUsbBus) -> Option<u32> {
    #[cfg(not(feature = "hal-usb"))]
    let wait = bus.attaches_in();
    // The HAL's never leaves the bus.
    #[cfg(feature = "hal-usb")]
    let (wait, _) = (None, bus);
    wait
}

/// Takes the USB controller into use, VBUS taken for granted. Its interrupt stays masked: `Stick::sleep` waits for it.
fn usb_bus(registers: pac::USB, dpram: pac::USB_DPRAM, clock: UsbClock, resets: &mut pac::RESETS) -> FirmwareUsbBus {
    #[cfg(not(feature = "hal-usb"))]
    let bus = usb::UsbBus::new(registers, dpram, clock, resets);
    #[cfg(feature = "hal-usb")]
    let bus = rp235x_hal::usb::UsbBus::new(registers, dpram, clock, true, resets);
    bus
}
