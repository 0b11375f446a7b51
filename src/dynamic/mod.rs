//! Dynamic files: those that the application registers while the device runs. [`Files`] is the registry, [`Registered`] is
//! a volume's view of it.
//!
//! Calls may come from the main loop, an interrupt handler or another core. Their effect shows from the next generation on.

mod allocator;
mod content;
mod enter;
mod error;
mod file;
mod generation;
mod listing;
mod path;
mod registered;
mod registry;
mod room;
mod slot;
mod unused;

pub use content::{Content, Frozen};
pub use error::{AddError, NotAdded, UpdateError};
pub use file::File;
pub use registered::{FromRegistry, Registered};
pub use registry::{Files, FilesOf};
pub use slot::FileSlot;
