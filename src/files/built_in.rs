//! The files that the manifest requests from the firmware.

use super::info::Info;
use super::log::{LogRing, LogTail};
use super::partition::PartitionPlan;
use crate::dynamic::{AddError, File, Files};

/// Dynamic files of the firmware itself. Generated with the manifest's tables.
#[derive(Clone, Copy)]
pub struct BuiltIn<'a> {
    /// The files to be registered at start.
    pub files: &'a [&'a File<'a>],
    /// Where [`println!`](crate::println) writes.
    pub log: Option<&'a LogRing>,
    /// Where the defmt logger of feature `defmt` writes.
    pub defmt: Option<&'a LogRing>,
    /// The end of the log and its file: new text is announced.
    pub tail: Option<(&'a LogTail<'a>, &'a File<'a>)>,
    /// The readings of a sensor, for the program that makes them.
    pub sensor: Option<&'a File<'a>>,
    /// What the firmware reports about the board; it fills in what it finds out.
    pub info: Option<&'a Info<'a>>,
    /// How the flash partitions are shown; the firmware registers them when it has read their table.
    pub partitions: Option<PartitionPlan<'a>>,
}

impl<'a> BuiltIn<'a> {
    /// Registers the files.
    ///
    /// # Errors
    /// The first file that is refused, which the manifest's checks should have prevented.
    pub fn register(&self, files: &Files<'a>) -> Result<(), AddError> {
        self.files.iter().try_for_each(|file| files.add(file))
    }

    /// Checks for text that no generation shows yet.
    pub fn follow(&self, files: &Files<'a>) {
        if let Some((tail, file)) = self.tail.filter(|(tail, _)| tail.has_news()) {
            // If the application has removed the file, there is nothing to announce.
            let _ = files.update(file);
            tail.mark_announced();
        }
    }
}

impl core::fmt::Debug for BuiltIn<'_> {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.debug_struct("BuiltIn").field("files", &self.files).finish_non_exhaustive()
    }
}
