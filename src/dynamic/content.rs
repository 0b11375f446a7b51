//! The contents of dynamic files.

use crate::volume::Generation;

/// The result of [`Content::freeze`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frozen {
    /// The file's length in bytes.
    pub length: u32,
    /// Whether the bytes that the previous generation showed are still at the same offsets, so that the file has only
    /// grown. Then it keeps its clusters; otherwise it moves to others, so that no host's cache mixes two versions.
    pub kept: bool,
}

/// The contents of a dynamic file.
///
/// The application may change the contents at any time and announces that with `vd_update_file`; hosts see what the last
/// [`freeze`](Self::freeze) fixed. Since only one generation exists at a time, contents keep at most two versions: the one
/// that hosts see and the next one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the contents of a file",
    label = "is no `Content`",
    note = "for text that grows, use `picovd::files::TextBuffer<N>`, or `RingLog<N>` for a log that is followed",
    note = "for a value that is `Display` or `Serialize`, such as a number or a `heapless::String<N>`, use `picovd::files::Snapshot`",
    note = "for a table, use `picovd::files::CsvRing` (feature `csv`); for anything else, implement `picovd::vd::Content`"
)]
pub trait Content: Sync {
    /// Length in bytes of what the next generation would show.
    fn length(&self) -> u32;

    /// Called when the application registers the file, or announces that the contents have changed. Returns whether they
    /// are at most `capacity` bytes.
    ///
    /// If not, the update is refused. Contents that remember what was accepted last return to it, so that the next
    /// [`freeze`](Self::freeze) fixes that; [`Text`](crate::files::Text) and similar types do. Called from the
    /// application's context.
    fn accept(&self, capacity: u32) -> bool {
        self.length() <= capacity
    }

    /// `generation` begins, with a change of this file: from now on, [`read`](Self::read) returns the present contents.
    ///
    /// Called where the device is polled, with interrupts enabled, never during a host's command. Contents that have grown
    /// past the file's capacity since they were accepted are cut.
    fn freeze(&self, generation: Generation) -> Frozen {
        let _ = generation;
        Frozen { length: self.length(), kept: false }
    }

    /// Fills `out` from byte `offset` on with what was frozen for `generation`, the number passed to the last `freeze`. All
    /// of `out` is within the frozen length.
    fn read(&self, generation: u32, offset: u32, out: &mut [u8]);
}
