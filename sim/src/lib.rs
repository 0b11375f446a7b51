//! The simulator: a USB host, an exFAT reader and a checker written from the standards, and what they are plugged into: the
//! library on an in-memory bus, or the firmware's ELF file on an emulated RP2350.
//!
//! The judges are separate crates, which do not depend on the library: `picovd-host` and `picovd-board`, with `picovd-wire`
//! between them. This crate connects them with the library and the manifest.

pub mod arena;
pub mod bus;
pub mod chatter;
pub mod demo;
pub mod diagnosis;
pub mod example;
pub mod fuzz;
pub mod i2c_device;
pub mod memory;
pub mod native;
pub mod partitions;
pub mod patch;
pub mod plug;
pub mod section;
pub mod sensor;
pub mod serve;
mod settings_flash;
pub mod story;
pub mod tables;
pub mod truth;

pub use picovd::volume::layout;
pub use picovd_board as board;
pub use picovd_host as host;
pub use picovd_wire::{faults, link, random};
