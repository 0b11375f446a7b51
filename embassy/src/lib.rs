//! PicoVD's disk as a mass storage class of [embassy-usb](embassy_usb), beside the classes of the application.
//!
//! [`MassStorage`] takes an interface and two bulk endpoints from the application's `Builder`; [`MassStorage::run`] is a task.
//! What the disk shows is declared in picovd.toml, as for every program with PicoVD, and in dynamic files, which any task can
//! change: `disk::FILES.update(&FILE)`.
//!
//! ```ignore
//! picovd_embassy::disk!(disk, Driver<'static, USB>);
//! picovd_embassy::task!(run_disk);
//!
//! // In main, with a `config` and a `builder` of embassy-usb:
//! config.serial_number = Some(picovd_embassy::serial_number(&disk::DESCRIPTION));
//! static STATE: StaticCell<picovd_embassy::State> = StaticCell::new();
//! let disk = Disk::new(&mut builder, STATE.init(picovd_embassy::State::new()), &disk::DESCRIPTION);
//! spawner.spawn(run_disk(disk).unwrap());
//! ```
//!
//! embassy-usb gives a class no way to halt an endpoint, so the transport pads ([`PaddingTransport`](picovd::bot::PaddingTransport)).
#![no_std]
#![forbid(unsafe_code)]

// Provides critical sections for the tests.
#[cfg(test)]
extern crate picovd_sim as _;

mod contents;
mod control;
#[cfg(feature = "log")]
mod logger;
mod mass_storage;
mod signal;

pub use control::State;
#[cfg(feature = "log")]
pub use logger::start as start_log;
pub use mass_storage::{Board, MassStorage};
pub use picovd;

/// The serial number for the `Config` of embassy-usb: of the board, or of the manifest. Hosts tell boards apart by it, and
/// Bulk-Only Transport requires one (BOT 4.1.1).
#[cfg(all(target_os = "none", target_arch = "arm"))]
#[must_use]
pub fn serial_number<S>(description: &picovd::stick::Description<'static, S>) -> &'static str {
    picovd::rp2350::Chip.serial_number(description)
}

/// Declares a module with the manifest's tables (as `picovd::tables!`), and the type `Disk` for them: the [`MassStorage`] of the
/// chip on a driver of embassy-usb.
///
/// ```ignore
/// picovd_embassy::disk!(disk, Driver<'static, USB>);
/// ```
#[macro_export]
macro_rules! disk {
    ($module:ident, $driver:ty) => {
        $crate::picovd::tables!($module);

        /// The disk that the tables describe.
        type Disk = $crate::MassStorage<'static, $driver, $module::Manifest, $crate::picovd::rp2350::AddressSpace>;
    };
}

/// Declares a task of that name, which runs the `Disk` that [`disk!`] declares: `async fn(Disk) -> !` with
/// `#[embassy_executor::task]`, which has to be a dependency of the program.
#[macro_export]
macro_rules! task {
    ($name:ident) => {
        #[::embassy_executor::task]
        async fn $name(mut disk: Disk) -> ! {
            disk.run().await
        }
    };
}
