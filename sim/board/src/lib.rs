//! An emulated RP2350 board that executes a firmware ELF unmodified (ring 5 of the design).
//!
//! [`ElfDevice`] is what the simulated host plugs in. It consists of [`machine`] (power, boot, resets), two cores that
//! implement [`engine::Engine`] (our interpreter is [`thumb`]), and [`system`], the rest of the board. The model is as
//! complete as the firmware requires (FACTS 7) and stricter than the chip: a register, instruction or ROM call that is not
//! modelled stops the board with a message that names it, its address and the symbol; see [`ElfDevice::fault`]. For other
//! people's firmware, it can continue at registers that are not modelled ([`Machine::set_lenient`]): then it remembers what
//! is written.
//!
//! Assumptions: Secure state, 150 MHz; execution from flash hits the XIP cache; the cores do not slow each other down.

pub mod bootrom;
pub mod clocks;
pub mod device;
pub mod elf;
pub mod engine;
pub mod fault;
pub mod flash;
pub mod incident;
pub mod interrupts;
pub mod machine;
pub mod memory_map;
pub mod partition;
pub mod peripherals;
pub mod powman;
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
