//! PicoVD: an exFAT volume that is synthesized sector by sector, and the USB stick that shows it.
//!
//! The library is a chain of pure translations. [`bot`] turns packets into commands, [`scsi`] commands into block reads,
//! [`volume`] block reads into bytes of an exFAT volume that a [`Layout`](volume::layout::Layout) describes; [`device`] plugs
//! them together and [`usb`] carries the packets over any usb-device bus. `picovd-manifest` makes the layout from
//! `picovd.toml`. Nothing here asks the world for anything: identity, memory and packets are handed in.
//!
//! Hardware lives in `rp2350`, compiled for the chip alone.
#![no_std]
#![deny(unsafe_code)]

// Its critical sections.
#[cfg(test)]
extern crate picovd_sim as _;
#[cfg(test)]
extern crate std;

pub mod announcement;
pub mod block;
pub mod bot;
pub mod chip;
pub mod clock;
pub mod device;
pub mod dynamic;
pub mod files;
#[cfg(all(target_os = "none", feature = "hal"))]
pub mod rp2350;
pub mod scsi;
pub mod settings;
pub mod stick;
pub mod text;
pub mod turns;
pub mod usb;
pub mod vd;
pub mod volume;

// Fields of settings are its strings.
pub use heapless;

/// Whether the defmt logger is there, which `[log] defmt = true` of a manifest takes for granted: feature `defmt`.
pub const DEFMT: bool = cfg!(feature = "defmt");

/// Declares a module with the tables that `picovd_manifest::build` made of the manifest: `DESCRIPTION`, `LAYOUT`, `FILES` ...
///
/// ```ignore
/// picovd::tables!(disk);
/// ```
#[macro_export]
macro_rules! tables {
    ($module:ident) => {
        /// What the build made of picovd.toml.
        #[allow(dead_code)]
        mod $module {
            include!(concat!(env!("OUT_DIR"), "/volume.rs"));
        }
    };
}
