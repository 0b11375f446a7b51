//! What a dynamic file holds.

use crate::volume::Generation;

/// What [`Content::freeze`] settles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frozen {
    /// The file's length in bytes.
    pub length: u32,
    /// Whether the bytes that the generation before showed stand where they stood: the file has only grown. It keeps its
    /// clusters then; else it moves to fresh ones, so that no host's cache mixes two versions.
    pub kept: bool,
}

/// The contents of a dynamic file.
///
/// The application changes its side whenever it likes and says so by `vd_update_file`; hosts see what the last
/// [`freeze`](Self::freeze) settled. One generation is alive at a time, so contents keep two versions at most: the one that
/// hosts see and the one that comes next.
pub trait Content: Sync {
    /// Length in bytes of what the next generation would show.
    fn length(&self) -> u32;

    /// The application registers the file, or says that the contents have changed: whether they are `capacity` bytes at most.
    ///
    /// Where they are not, the update is refused. Contents that keep what was accepted last go back to it, so that the next
    /// [`freeze`](Self::freeze) settles that; [`Text`](crate::files::Text) and its like do. Called where the application calls.
    fn accept(&self, capacity: u32) -> bool {
        self.length() <= capacity
    }

    /// `generation` begins, with a change of this file: from now on, [`read`](Self::read) answers for what is there now.
    ///
    /// Called where the device is polled, with interrupts enabled, never while a host's command runs. Contents that have grown
    /// past the file's capacity since they were accepted are cut there.
    fn freeze(&self, generation: Generation) -> Frozen {
        let _ = generation;
        Frozen { length: self.length(), kept: false }
    }

    /// Fills `out` from byte `offset` on with what was frozen for `generation`, the number handed to the last `freeze`. All
    /// of `out` lies within the frozen length.
    fn read(&self, generation: u32, offset: u32, out: &mut [u8]);
}
