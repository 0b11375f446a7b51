//! exFAT, read from the standard (Microsoft's exFAT file system specification, 1.00): a reader and a strict checker.

pub mod boot;
pub mod check;
pub mod directory;
pub mod partition;
pub mod upcase;
pub mod volume;

pub use volume::{ExfatError, Node, Volume};
