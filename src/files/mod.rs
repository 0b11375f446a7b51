//! Contents for dynamic files.
//!
//! | contents | what the application does | cost |
//! |---|---|---|
//! | [`Text`], [`Bytes`] | sets a slice that does not change | two slices |
//! | [`Function`] | renders any bytes of a generation | two function pointers |
//! | [`Snapshot`] | sets a value that is `Display`, or `Serialize` | three values |
//! | [`LogRing`] | writes text, from any context | the ring |
//! | [`Window`] | gives a range of memory | nothing |
//!
//! The firmware creates some by itself: [`BuiltIn`], [`PartitionFiles`].

mod built_in;
mod bytes;
mod config;
#[cfg(feature = "csv")]
mod csv_ring;
mod function;
mod info;
mod info_file;
mod info_report;
mod log;
mod log_follower;
mod log_frames;
mod partition;
mod partition_json;
mod partition_name;
mod print;
mod snapshot;
mod window;

pub use built_in::BuiltIn;
pub use bytes::{Bytes, Text};
pub use config::ConfigFile;
#[cfg(feature = "csv")]
pub use csv_ring::{CsvRing, ROW_LENGTH, Row, RowError};
pub use function::Function;
pub use info::{BoardFacts, Info, Named, Program, ResetReason};
pub use info_file::InfoFile;
pub use log::{LogFile, LogRing, LogRingOf, LogTail};
pub use log_follower::LogFollower;
pub use log_frames::LogFrames;
pub use partition::{PartitionFiles, PartitionPlan};
pub use print::{print, set_log};
pub use snapshot::{AsJson, AsText, Snapshot};
pub use window::Window;

/// The former name of [`Snapshot`].
#[doc(hidden)]
pub type Rendered<T> = Snapshot<T>;
