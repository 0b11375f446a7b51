//! The host: everything that a PC does with the stick, written from the standards, with access only through
//! [`Link`](picovd_wire::link::Link).
//!
//! Nothing in here imports the library's encoders: a judge must not be built from what it judges.

pub mod audio;
pub mod bot;
pub mod bytes;
pub mod cdc;
pub mod controller;
pub mod descriptor;
pub mod enumerate;
pub mod exfat;
pub mod ms_os_20;
pub mod picotool;
pub mod printed;
pub mod raw;
pub mod scsi;
pub mod source;
pub mod system;
pub mod terminal;
pub mod trace;

pub use bot::Initiator;
pub use controller::{Host, TransferError};
pub use source::BlockSource;
