//! The firmware: the stick that picovd.toml describes, or a compiled manifest in flash, and a loop that sleeps when there is
//! nothing to do. On any target except the chip, it is empty.
//!
//! With another manifest in PICOVD_MANIFEST, it is custom firmware, which shows that manifest alone.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(all(target_os = "none", configurable))]
#[path = "main/configurable.rs"]
mod firmware;

#[cfg(all(target_os = "none", not(configurable)))]
#[path = "main/custom.rs"]
mod firmware;

#[cfg(not(target_os = "none"))]
fn main() {}
