//! An emulated RP2350 board that executes a firmware ELF unmodified (ring 5 of the design).
//!
//! [`ElfDevice`] is what the simulated host plugs in. Below it: [`machine`] (power, boot, resets) with two cores behind
//! [`engine::Engine`] (our interpreter is [`thumb`]) and [`system`], the board around them. The model is as wide as the
//! firmware needs (FACTS 7) and stricter than the chip: a register, instruction or ROM call that is not modelled
//! stops the board with a text that names it, its address and the symbol; see [`ElfDevice::fault`]. For firmware of other people it
//! can be told to go on where it does not model a register ([`Machine::set_lenient`]): it then remembers what is written.
//!
//! Assumed: Secure state, 150 MHz; execution from flash hits the XIP cache; the cores do not slow each other down.

pub mod bootrom;
pub mod clocks;
pub mod device;
pub mod elf;
pub mod engine;
pub mod flash;
pub mod incident;
pub mod interrupts;
pub mod machine;
pub mod memory_map;
pub mod partition;
pub mod peripherals;
pub mod ppb;
mod register_bus;
pub mod registers;
mod remembered;
pub mod sio;
pub mod stack;
mod stall;
pub mod statistics;
pub mod svd;
pub mod system;
pub mod thumb;
pub mod timer;
pub mod usb;

pub use bootrom::ChipIdentity;
pub use device::{DEFAULT_FLASH_SIZE, ElfDevice};
pub use machine::{Machine, RomReboot, RunState};
pub use sio::SecondCore;
pub use statistics::Statistics;
