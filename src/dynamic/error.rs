//! Why a call about dynamic files was refused.

use core::fmt;

/// Why a file was not registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AddError {
    /// The path is no path: a component is empty, `.` or `..`, has a character that exFAT forbids (7.7.3), or there are more
    /// than 7 folders. Correct the path.
    InvalidPath,
    /// Not every host can open a file of such a path: a name in it is one that Windows keeps for a device, ends in a space or a dot,
    /// or holds a character that does not show ([`picovd_exfat::portable`]). Choose another name.
    Unportable,
    /// A name in the path has more UTF-16 units than the manifest's `[dynamic] max-name`. Shorten it or raise that.
    NameTooLong,
    /// Another file or folder has the name there, upper and lower case being the same: a dynamic one or one of the manifest, also one
    /// that a setting hides. So has one that Unicode normalization may make the same, for a host that normalizes names; where one
    /// of the two is composed and the other one is not, the chip cannot tell which letters they are, and takes them for the same
    /// ([`is_alike`]). Choose another name.
    ///
    /// [`is_alike`]: picovd_exfat::portable::is_alike
    NameTaken,
    /// The file is registered already.
    AlreadyAdded,
    /// The file that is to be renamed is not registered: [`vd_rename_file`](crate::vd::vd_rename_file) alone says so.
    NotAdded,
    /// All slots are taken, of which each folder that files are in needs one, or directories have no room for so long a name.
    /// Raise `[dynamic] files`, or remove a file.
    TooManyFiles,
    /// The window has no room for the file's capacity. Raise `[dynamic] window`, or promise less.
    NoRoom,
    /// The contents are longer than the file's capacity. Raise the capacity or shorten the contents.
    TooLong,
    /// Interrupt handlers or the other core registered and removed files all the while, 16 times before this call was done with one
    /// look at the names: it does not compare them with interrupts masked. Call again.
    Busy,
}

impl fmt::Display for AddError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::InvalidPath => "the path is not valid",
            Self::Unportable => "not every host can open a file of that name",
            Self::NameTooLong => "a name in the path is longer than the manifest's `max-name`",
            Self::NameTaken => "another file or folder has that name",
            Self::AlreadyAdded => "the file is registered already",
            Self::NotAdded => "the file is not registered",
            Self::TooManyFiles => "no slot is left for another file or folder",
            Self::NoRoom => "the window has no room for the file's capacity",
            Self::TooLong => "the contents are longer than the file's capacity",
            Self::Busy => "other contexts kept changing files; call again",
        })
    }
}

impl core::error::Error for AddError {}

/// Why a change was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UpdateError {
    /// The file is not registered.
    NotAdded,
    /// The contents are longer than the file's capacity. What was accepted last stays in place: what hosts see, and what the next
    /// generation shows.
    TooLong,
}

impl fmt::Display for UpdateError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::NotAdded => "the file is not registered",
            Self::TooLong => "the contents are longer than the file's capacity",
        })
    }
}

impl core::error::Error for UpdateError {}

/// The file is not registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NotAdded;

impl fmt::Display for NotAdded {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("the file is not registered")
    }
}

impl core::error::Error for NotAdded {}
