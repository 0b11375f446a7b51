//! Explains to the developer what went wrong with a firmware on the emulated board: the location in the source, the last
//! log lines and a backtrace, from the ELF file's debug information.
//!
//! The board reports an [`Incident`](crate::board::incident::Incident); [`Reporter`] turns it into text. A firmware runs
//! without any of this: without debug information, the text has addresses and symbols.

mod crashes;
mod debug_info;
mod handlers;
mod log_tail;
mod panics;
pub mod post_mortem;
mod report;
mod source;
mod stall;
mod unwind;

pub use report::{Outcome, Reporter};
