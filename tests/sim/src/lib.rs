//! The simulator: a USB host, an exFAT reader and a checker written from the standards, and what they are plugged into: the
//! library on an in-memory bus, or the firmware's ELF on an emulated RP2350.
//!
//! [`link::Link`] is the wire between the two halves. The host half never uses the library's encoders.

pub mod arena;
pub mod board;
pub mod bus;
pub mod chatter;
pub mod cli;
pub mod demo;
pub mod diagnosis;
pub mod example;
pub mod faults;
pub mod fuzz;
pub mod host;
pub mod i2c_device;
pub mod link;
pub mod memory;
pub mod native;
pub mod partitions;
pub mod plug;
pub mod random;
pub mod section;
pub mod serve;
mod settings_flash;
pub mod story;
pub mod tables;
pub mod truth;
