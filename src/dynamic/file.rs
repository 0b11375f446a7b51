//! A dynamic file, as the application declares it.

use super::content::Content;
use picovd_exfat::entry::FileAttributes;

/// A file that the application registers at run time: path, contents, and maximum length.
///
/// A `static`, or borrowed for as long as the registry lives.
#[derive(Clone, Copy)]
pub struct File<'a> {
    pub(super) path: &'a str,
    pub(super) content: &'a dyn Content,
    pub(super) capacity: u32,
    pub(super) hidden: bool,
    pub(super) announced: bool,
    pub(super) renewed: bool,
}

impl<'a> File<'a> {
    /// A file at `path` whose contents are never longer than `capacity` bytes.
    ///
    /// A path may lead through folders, separated by `/`: those of the manifest, ignoring case, and others, which appear
    /// with their first file and disappear with their last one. Names have at most as many UTF-16 units as the manifest's
    /// `[dynamic] max-name`. The capacity is taken from `[dynamic] window`, in whole clusters.
    #[must_use]
    pub const fn new(path: &'a str, content: &'a dyn Content, capacity: u32) -> Self {
        Self { path, content, capacity, hidden: false, announced: true, renewed: false }
    }

    /// Hosts hide the file.
    #[must_use]
    pub const fn hidden(self) -> Self {
        Self { hidden: true, ..self }
    }

    /// A change of this file alone is not announced: it shows when something else is announced. For logs that only grow.
    #[must_use]
    pub const fn unannounced(self) -> Self {
        Self { announced: false, ..self }
    }

    /// The file is frozen for every generation, even without an update. For contents that describe the current state.
    #[must_use]
    pub const fn renewed(self) -> Self {
        Self { renewed: true, announced: false, ..self }
    }

    /// The path.
    #[must_use]
    pub const fn path(&self) -> &'a str {
        self.path
    }

    /// Maximum length of the contents in bytes.
    #[must_use]
    pub const fn capacity(&self) -> u32 {
        self.capacity
    }

    /// FileAttributes (exFAT 7.4.4).
    pub(super) fn attributes(&self) -> FileAttributes {
        let attributes = FileAttributes::READ_ONLY | FileAttributes::ARCHIVE;
        if self.hidden { attributes | FileAttributes::HIDDEN } else { attributes }
    }
}

impl core::fmt::Debug for File<'_> {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter
            .debug_struct("File")
            .field("path", &self.path)
            .field("capacity", &self.capacity)
            .finish_non_exhaustive()
    }
}

/// The components of a path, from its start. There is always one.
#[derive(Clone)]
pub(super) struct Components<'a>(Option<&'a str>);

impl<'a> Components<'a> {
    pub fn of(path: &'a str) -> Self {
        Self(Some(path))
    }

    /// Whether there are no more components.
    pub fn is_done(&self) -> bool {
        self.0.is_none()
    }
}

impl<'a> Iterator for Components<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let path = self.0?;
        let (component, rest) = match path.bytes().position(|byte| byte == b'/') {
            Some(at) => (path.get(..at)?, path.get(at + 1..)),
            None => (path, None),
        };
        self.0 = rest;
        Some(component)
    }
}
