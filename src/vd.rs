//! The application's interface: files that are added, changed and removed while the device runs.
//!
//! Calls may come from the main loop, an interrupt handler or another core, at any time; none of them waits. They take
//! effect in the next generation. Hosts are notified of it as the manifest's `[dynamic]` says, or as a call ending in
//! `_with` says. `files` is the registry from the manifest's tables: `&disk::FILES` in firmware that uses
//! `picovd::firmware!(disk)`.
//!
//! A [`File`] has a path, contents, and a maximum length. Each call is also a method of [`Files`]: `disk::FILES.add(&FILE)`.
//! [`files`](crate::files) lists the kinds of contents: [`TextBuffer`](crate::files::TextBuffer) for text that grows,
//! [`Snapshot`](crate::files::Snapshot) for values that are [`Display`](core::fmt::Display) or `Serialize`, and so on.
//!
//! | call | error | who must act |
//! |---|---|---|
//! | [`vd_add_file`], [`vd_rename_file`] | [`AddError`] | the program: path, capacity; or the manifest: `[dynamic]` |
//! | [`vd_update_file`] | [`UpdateError`] | the program |
//! | [`vd_remove_file`] | [`NotAdded`] | the program |
//!
//! # Contents from a function
//!
//! ```
//! # let mut host = picovd_sim::example::Host::new();
//! # let files = host.files();
//! # use picovd::{files::Function, vd::{AddError, File, vd_add_file}};
//! static RAMP: Function = Function { length: |_| 1000, read: ramp };
//! static RAMP_BIN: File = File::new("RAMP.BIN", &RAMP, 1000);
//! fn ramp(_generation: u32, offset: u32, out: &mut [u8]) {
//!     for (byte, value) in out.iter_mut().zip(offset..) { *byte = value as u8; }
//! }
//! vd_add_file(files, &RAMP_BIN)?;
//! # assert!(host.sees("RAMP.BIN").iter().copied().eq((0..1000u32).map(|value| value as u8)));
//! # Ok::<(), AddError>(())
//! ```
//!
//! # Contents from a formatter
//!
//! The text is never stored as a whole: each packet renders its part.
//!
//! ```
//! # let mut host = picovd_sim::example::Host::new();
//! # let files = host.files();
//! # use picovd::{files::Snapshot, vd::{AddError, File, vd_add_file}};
//! #[derive(Clone, Copy)]
//! struct Weather { celsius: i16, percent: u8 }
//! impl core::fmt::Display for Weather {
//!     fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
//!         write!(f, "{{\"celsius\": {}, \"percent\": {}}}\r\n", self.celsius, self.percent)
//!     }
//! }
//! static WEATHER: Snapshot<Weather> = Snapshot::new(Weather { celsius: 21, percent: 40 });
//! static WEATHER_JSON: File = File::new("WEATHER.JSON", &WEATHER, 64);
//! vd_add_file(files, &WEATHER_JSON)?;
//! # assert_eq!(host.sees("WEATHER.JSON"), b"{\"celsius\": 21, \"percent\": 40}\r\n");
//! # Ok::<(), AddError>(())
//! ```
//!
//! # Contents that grow
//!
//! ```
//! # let mut host = picovd_sim::example::Host::new();
//! # let files = host.files();
//! # use picovd::{files::TextBuffer, vd::{AddError, File, vd_add_file, vd_update_file}};
//! static EVENTS: TextBuffer<1024> = TextBuffer::new();
//! static EVENTS_TXT: File = File::new("EVENTS.TXT", &EVENTS, 1024);
//! vd_add_file(files, &EVENTS_TXT)?;
//! writeln!(EVENTS, "Door {} open.", 3);
//! # vd_update_file(files, &EVENTS_TXT).expect("it is registered");
//! # assert_eq!(host.sees("EVENTS.TXT"), b"Door 3 open.\n");
//! # Ok::<(), AddError>(())
//! ```
//!
//! Call [`vd_update_file`] when hosts should see what was written; the log of `[log]` does that by itself.

pub use crate::announcement::{Announcing, Refresh, Timing};
pub use crate::dynamic::{AddError, Content, File, FileSlot, Files, FilesOf, Frozen, NotAdded, UpdateError};
pub use crate::volume::Generation;

use core::time::Duration;

/// Registers a file, which shows from the next generation on.
///
/// ```
/// # let mut host = picovd_sim::example::Host::new();
/// # let files = host.files();
/// # use picovd::{files::Text, vd::{AddError, File, vd_add_file}};
/// static NOTE: Text = Text::new("Door closed.\r\n");
/// static NOTE_TXT: File = File::new("NOTE.TXT", &NOTE, 4096);
/// vd_add_file(files, &NOTE_TXT)?;
/// # assert_eq!(host.sees("NOTE.TXT"), b"Door closed.\r\n");
/// # Ok::<(), AddError>(())
/// ```
///
/// # Errors
/// If it fails, nothing is registered; each variant of [`AddError`] says who must act.
pub fn vd_add_file<'a>(files: &Files<'a>, file: &'a File<'a>) -> Result<(), AddError> {
    files.add(file)
}

/// The same, but hosts are notified as `announcing` says instead of the manifest, even if the file is
/// [`unannounced`](File::unannounced).
///
/// # Errors
/// As [`vd_add_file`].
pub fn vd_add_file_with<'a>(files: &Files<'a>, file: &'a File<'a>, announcing: Announcing) -> Result<(), AddError> {
    files.add_with(file, announcing)
}

/// Notes that a file's contents have changed: the next generation shows its contents at that time.
///
/// ```
/// # let mut host = picovd_sim::example::Host::new();
/// # let files = host.files();
/// # use picovd::{files::Text, vd::{File, UpdateError, vd_add_file, vd_update_file}};
/// static NOTE: Text = Text::new("Door closed.\r\n");
/// static NOTE_TXT: File = File::new("NOTE.TXT", &NOTE, 4096);
/// # vd_add_file(files, &NOTE_TXT).expect("there is room");
/// # assert_eq!(host.sees("NOTE.TXT"), b"Door closed.\r\n");
/// NOTE.set("Door open.\r\n");
/// vd_update_file(files, &NOTE_TXT)?;
/// # assert_eq!(host.sees("NOTE.TXT"), b"Door open.\r\n");
/// # Ok::<(), UpdateError>(())
/// ```
///
/// # Errors
/// [`UpdateError::NotAdded`], and [`UpdateError::TooLong`] if the contents exceed the maximum length. A refused update
/// changes nothing: hosts still see what they have seen, and the next generation shows what was accepted last. Contents
/// that were accepted and then exceed the capacity without another call are cut.
pub fn vd_update_file<'a>(files: &Files<'a>, file: &'a File<'a>) -> Result<(), UpdateError> {
    files.update(file)
}

/// The same, but hosts are notified as `announcing` says instead of the manifest.
///
/// If other changes are pending, all of them are announced together, as the most urgent one asks: see [`Announcing`].
///
/// ```
/// # let mut host = picovd_sim::example::Host::new();
/// # let files = host.files();
/// # mod disk { pub const ANNOUNCING: picovd::vd::Announcing = picovd_sim::example::ANNOUNCING; }
/// # use picovd::{files::Text, vd::{File, Refresh, UpdateError, vd_add_file, vd_update_file_with}};
/// use core::time::Duration;
/// # static ALARM: Text = Text::new("No.\r\n");
/// # static ALARM_TXT: File = File::new("ALARM.TXT", &ALARM, 4096);
/// # vd_add_file(files, &ALARM_TXT).expect("there is room");
/// # assert_eq!(host.sees("ALARM.TXT"), b"No.\r\n");
/// ALARM.set("Fire!\r\n");
/// let now = disk::ANNOUNCING.with_quiet(Duration::ZERO).with_hold(Duration::ZERO).with_refresh(Refresh::Reconnect);
/// vd_update_file_with(files, &ALARM_TXT, now)?;
/// # assert_eq!(host.sees("ALARM.TXT"), b"Fire!\r\n");
/// # Ok::<(), UpdateError>(())
/// ```
///
/// # Errors
/// As [`vd_update_file`].
pub fn vd_update_file_with<'a>(
    files: &Files<'a>,
    file: &'a File<'a>,
    announcing: Announcing,
) -> Result<(), UpdateError> {
    files.update_with(file, announcing)
}

/// Removes a file. Its contents can be read until the next generation.
///
/// ```
/// # let mut host = picovd_sim::example::Host::new();
/// # let files = host.files();
/// # use picovd::{files::Text, vd::{File, NotAdded, vd_add_file, vd_remove_file}};
/// static NOTE: Text = Text::new("Door closed.\r\n");
/// static NOTE_TXT: File = File::new("NOTE.TXT", &NOTE, 4096);
/// # vd_add_file(files, &NOTE_TXT).expect("there is room");
/// # assert_eq!(host.names(), ["NOTE.TXT"]);
/// vd_remove_file(files, &NOTE_TXT)?;
/// # assert!(host.names().is_empty());
/// # Ok::<(), NotAdded>(())
/// ```
///
/// # Errors
/// The file is not registered.
pub fn vd_remove_file<'a>(files: &Files<'a>, file: &'a File<'a>) -> Result<(), NotAdded> {
    files.remove(file)
}

/// The same, but hosts are notified as `announcing` says instead of the manifest.
///
/// # Errors
/// As [`vd_remove_file`].
pub fn vd_remove_file_with<'a>(files: &Files<'a>, file: &'a File<'a>, announcing: Announcing) -> Result<(), NotAdded> {
    files.remove_with(file, announcing)
}

/// Replaces `old` by `new`: a rename if both have the same contents.
///
/// ```
/// # let mut host = picovd_sim::example::Host::new();
/// # let files = host.files();
/// # use picovd::{files::Text, vd::{AddError, File, vd_add_file, vd_rename_file}};
/// static RUN: Text = Text::new("1 2 3\r\n");
/// static RUNNING: File = File::new("RUNNING.TXT", &RUN, 4096);
/// static DONE: File = File::new("DONE.TXT", &RUN, 4096);
/// # vd_add_file(files, &RUNNING).expect("there is room");
/// # assert_eq!(host.names(), ["RUNNING.TXT"]);
/// vd_rename_file(files, &RUNNING, &DONE)?;
/// # assert_eq!(host.names(), ["DONE.TXT"]);
/// # Ok::<(), AddError>(())
/// ```
///
/// # Errors
/// If it fails, nothing changes. [`AddError::NotAdded`] if `old` is not registered, [`AddError::AlreadyAdded`] if `new` is
/// registered already.
pub fn vd_rename_file<'a>(files: &Files<'a>, old: &'a File<'a>, new: &'a File<'a>) -> Result<(), AddError> {
    files.rename(old, new)
}

/// The same, but hosts are notified as `announcing` says instead of the manifest.
///
/// # Errors
/// As [`vd_rename_file`].
pub fn vd_rename_file_with<'a>(
    files: &Files<'a>,
    old: &'a File<'a>,
    new: &'a File<'a>,
    announcing: Announcing,
) -> Result<(), AddError> {
    files.rename_with(old, new, announcing)
}

/// Inserts the medium again after a host has ejected it.
///
/// ```
/// # let mut host = picovd_sim::example::Host::new();
/// # let files = host.files();
/// # use picovd::vd::vd_insert;
/// # host.eject();
/// # assert!(!host.is_mounted());
/// fn button_pressed(files: &picovd::vd::Files) {
///     vd_insert(files);
/// }
/// # button_pressed(files);
/// # assert!(host.is_mounted());
/// ```
pub fn vd_insert(files: &Files<'_>) {
    files.insert();
}

/// Sets a clock for the timestamps of files that change from now on: a function that returns the time since
/// 1970-01-01T00:00:00Z, and may be called at any time. Without one, files have the manifest's timestamp.
///
/// ```
/// # let mut host = picovd_sim::example::Host::new();
/// # let files = host.files();
/// # use core::sync::atomic::{AtomicU32, Ordering::Relaxed};
/// use core::time::Duration;
/// # use picovd::{files::Text, vd::{AddError, File, vd_add_file, vd_set_clock}};
/// static SECONDS: AtomicU32 = AtomicU32::new(1_800_000_000);  // Kept by the program: a real-time clock, GPS, the network.
/// vd_set_clock(files, || Duration::from_secs(SECONDS.load(Relaxed).into()));
/// # static NOTE: Text = Text::new("Door closed.\r\n");
/// # static NOTE_TXT: File = File::new("NOTE.TXT", &NOTE, 4096);
/// # vd_add_file(files, &NOTE_TXT)?;
/// # assert_eq!(host.modified("NOTE.TXT"), "2027-01-15 08:00:00");
/// # Ok::<(), AddError>(())
/// ```
pub fn vd_set_clock(files: &Files<'_>, clock: fn() -> Duration) {
    files.set_clock(clock);
}
