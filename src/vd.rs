//! The application's face: files that come, change and go while the device runs.
//!
//! Calls may come from the main loop, an interrupt handler or another core. They take effect in the next generation, which
//! hosts hear of as the manifest's `[dynamic]` says.
//!
//! ```
//! use picovd::files::Text;
//! use picovd::vd::{File, Files, vd_add_file, vd_update_file};
//!
//! static NOTE: Text = Text::new("Door closed.\r\n");
//! static NOTE_TXT: File = File::new("NOTE.TXT", &NOTE, 4096);
//!
//! fn door(files: &Files<'static>, open: bool) {
//!     NOTE.set(if open { "Door open.\r\n" } else { "Door closed.\r\n" });
//!     // NotAdded is the only error here: the text is shorter than 4096 bytes.
//!     let _ = vd_update_file(files, &NOTE_TXT);
//! }
//! ```

pub use crate::volume::{AddError, Content, File, FileSlot, Files, FilesOf, Frozen, Generation, NotAdded, UpdateError};

/// Registers a file: it shows from the next generation on. `files` is the registry that the manifest's tables made.
///
/// # Errors
/// Nothing is registered then; each variant of [`AddError`] says who must act.
pub fn vd_add_file<'a>(files: &Files<'a>, file: &'a File<'a>) -> Result<(), AddError> {
    files.add(file)
}

/// Says that a file's contents have changed: the next generation shows what they are then.
///
/// # Errors
/// [`UpdateError::NotAdded`], and [`UpdateError::TooLong`] when the contents are longer than promised: hosts go on to see
/// what they see.
pub fn vd_update_file<'a>(files: &Files<'a>, file: &'a File<'a>) -> Result<(), UpdateError> {
    files.update(file)
}

/// Takes a file away. Until the next generation its contents are still read.
///
/// # Errors
/// The file is not registered.
pub fn vd_remove_file<'a>(files: &Files<'a>, file: &'a File<'a>) -> Result<(), NotAdded> {
    files.remove(file)
}

/// Puts `new` in the place of `old`: a rename, when both have the same contents.
///
/// # Errors
/// Everything stays as it was then. [`AddError::AlreadyAdded`] when `new` is registered already or `old` is not.
pub fn vd_rename_file<'a>(files: &Files<'a>, old: &'a File<'a>, new: &'a File<'a>) -> Result<(), AddError> {
    files.rename(old, new)
}

/// Brings the medium back that a host ejected.
pub fn vd_insert(files: &Files<'_>) {
    files.insert();
}
