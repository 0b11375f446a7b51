//! PicoVD: an exFAT volume that is synthesized sector by sector, and the USB stick that shows it.
//!
//! The library is a chain of pure translations. [`bot`] turns packets into commands, [`scsi`] commands into block reads,
//! [`volume`] block reads into bytes of an exFAT volume that a [`Layout`](volume::layout::Layout) describes; [`device`] plugs
//! them together and [`usb`] carries the packets over any usb-device bus. `picovd-manifest` makes the layout from
//! `picovd.toml`. Identity, memory and packets are parameters: the library never reads them from its environment.
//!
//! Hardware access is in `rp2350`, which is compiled for the chip only.
#![no_std]
#![deny(unsafe_code)]

// Provides critical sections for the tests.
#[cfg(test)]
extern crate picovd_sim as _;
#[cfg(test)]
extern crate std;

pub mod announcement;
pub mod bot;
pub mod chip;
pub mod clock;
pub mod console;
pub mod device;
pub mod dynamic;
pub mod files;
mod json;
#[cfg(all(target_os = "none", feature = "chip", any(target_arch = "arm", feature = "hal")))]
pub mod rp2350;
/// What a crash leaves, on the chip: see `docs/CRASH.md`.
#[cfg(all(target_os = "none", target_arch = "arm", feature = "chip"))]
pub use rp2350::crash;
pub mod scsi;
pub mod settings;
pub mod stick;
pub mod text;
#[cfg(target_has_atomic = "8")]
pub mod turns;
pub mod usb;
pub mod vd;
pub mod volume;

pub use picovd_layout::block;
// For its strings, which are fields of settings.
pub use heapless;
#[cfg(feature = "derive")]
pub use picovd_derive::{Choice, Settings};

/// Whether the defmt logger (feature `defmt`) is compiled in, which `[log] defmt = true` of a manifest requires.
pub const DEFMT: bool = cfg!(feature = "defmt");

/// On a PC and on cores other than Arm, no crash is kept.
#[cfg(not(all(target_os = "none", target_arch = "arm", feature = "chip")))]
#[doc(hidden)]
#[macro_export]
macro_rules! crash_memory {
    ($words:expr, $build:expr, $log:expr, $stack:ident $(, without $handlers:ident)?) => {
        static CRASH_MEMORY: $crate::files::crash::record::NothingKept = $crate::files::crash::record::NothingKept;
        const PANICKED: Option<fn(&::core::panic::PanicInfo<'_>) -> !> = None;

        /// On the chip, keeps where the program is.
        pub fn capture() {}

        /// On the chip, keeps a fault, and restarts the program.
        ///
        /// # Safety
        ///
        /// None is needed here.
        pub unsafe fn faulted(_: *const u32) -> ! {
            loop {
                ::core::hint::spin_loop();
            }
        }
    };
}

/// Declares a module with the tables that `picovd_manifest::build` generated from the manifest: `DESCRIPTION`, `LAYOUT`,
/// `FILES` ...
///
/// ```ignore
/// picovd::tables!(disk);
/// ```
#[macro_export]
macro_rules! tables {
    ($module:ident) => {
        /// The tables generated from picovd.toml.
        #[allow(dead_code)]
        mod $module {
            include!(concat!(env!("OUT_DIR"), "/volume.rs"));
        }
    };
}
