//! Why a call for dynamic files was refused.

use core::fmt;

/// Why a file was not registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AddError {
    /// The path is invalid: a component is empty, `.` or `..`, contains a character that exFAT forbids (7.7.3), or there
    /// are more than 7 folders. Correct the path.
    InvalidPath,
    /// Some hosts cannot open a file with this path: a name in it is reserved for a device on Windows, ends in a space or a
    /// dot, or contains an invisible character ([`picovd_exfat::portable`]). Choose another name.
    Unportable,
    /// A name in the path has more UTF-16 units than the manifest's `[dynamic] max-name`. Shorten it or raise the limit.
    NameTooLong,
    /// Another file or folder has that name, ignoring case: a dynamic one or one of the manifest, even if a setting hides
    /// it. A name that Unicode normalization may make equal also counts, for hosts that normalize names; if one of the two
    /// is composed and the other is not, the chip cannot tell which letters they are, and treats them as equal
    /// ([`is_alike`]). Choose another name.
    ///
    /// [`is_alike`]: picovd_exfat::portable::is_alike
    NameTaken,
    /// The file is registered already.
    AlreadyAdded,
    /// The file to be renamed is not registered. Only [`vd_rename_file`](crate::vd::vd_rename_file) returns this.
    NotAdded,
    /// All slots are taken, or directories have no room for such a long name. Each folder with dynamic files takes a slot,
    /// too. Raise `[dynamic] files`, or remove a file.
    TooManyFiles,
    /// The window has no room for the file's capacity. Raise `[dynamic] window`, or reduce the capacity.
    NoRoom,
    /// The contents are longer than the file's capacity. Raise the capacity or shorten the contents.
    TooLong,
    /// Interrupt handlers or the other core kept registering and removing files: 16 times, before this call was done with
    /// comparing names, which it does not do with interrupts masked. Call again.
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

/// Why a change was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UpdateError {
    /// The file is not registered.
    NotAdded,
    /// The contents are longer than the file's capacity. What was accepted last stays in effect, for what hosts see and for
    /// the next generation.
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
