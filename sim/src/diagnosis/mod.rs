//! What went wrong with a firmware on the emulated board, told to the person who wrote it: the place in the source, the last log
//! lines and a backtrace, from the ELF's debug information.
//!
//! The board reports an [`Incident`](crate::board::incident::Incident); [`Reporter`] makes text of it. Nothing here is needed to
//! run a firmware: without debug information the text has addresses and symbols.

mod debug_info;
mod log_tail;
mod panics;
mod report;
mod source;
mod stall;
mod unwind;

pub use report::{Outcome, Reporter};
