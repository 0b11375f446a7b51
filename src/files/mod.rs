//! Contents for dynamic files.
//!
//! | contents | what hosts see | what the program does | RAM |
//! |---|---|---|---|
//! | [`TextBuffer`] | the newest lines of a text | `write!` | two texts |
//! | [`Snapshot`] | a value that is `Display`, or `Serialize` as JSON | `set` | three values |
//! | `CsvRing` (feature `csv`) | the newest rows of a table | `push` | two tables |
//! | [`RingLog`] | what nobody has read yet | `write!`, `write` | one log |
//! | [`Text`], [`Bytes`] | a slice that does not change | `set` | three references |
//! | [`Function`] | computed bytes | computes them | nothing |
//! | [`Window`] | a range of memory | nothing | nothing |
//!
//! Each keeps one version as it is while hosts read it, but for `Function` and `Window`, where that is up to the program, and
//! `RingLog`, whose text reads as zeros where it is overwritten meanwhile, and then counts as lost.
//! Programs change contents from any context, and call `disk::FILES.update` to notify hosts.
//!
//! The firmware creates some by itself: [`BuiltIn`], [`PartitionFiles`].

mod built_in;
mod bytes;
mod config;
pub mod crash;
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
mod ring_log;
mod snapshot;
mod temperatures;
mod text_buffer;
mod window;

pub use built_in::BuiltIn;
pub use bytes::{Bytes, Text};
pub use config::ConfigFile;
#[cfg(feature = "csv")]
pub use csv_ring::{CsvRing, ROW_LENGTH, Row, RowError};
pub use function::Function;
pub use info::{BoardFacts, Info, Named, Origin, Program, ResetReason};
pub use info_file::InfoFile;
pub use log::{LogFile, LogRing, LogRingOf, LogTail};
pub use log_follower::LogFollower;
pub use log_frames::LogFrames;
pub use partition::{PartitionFiles, PartitionPlan};
pub use print::{print, set_log};
pub use ring_log::RingLog;
pub use snapshot::{AsJson, AsText, Snapshot};
pub use temperatures::Temperatures;
pub use text_buffer::TextBuffer;
pub use window::Window;
