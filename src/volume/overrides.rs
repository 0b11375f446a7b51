//! What settings may override in a volume: its label, and which files are on it.
//!
//! The manifest lays out all files; one that is hidden keeps its location. Its directory entries are unused ones (exFAT
//! 6.2.1, EntryType 01h to 7Fh), its clusters are free, and its blocks read as zeros.

use super::BoardIdentity;
use super::layout::{Label, Layout};
use crate::block::{BlockCount, Lba};
use core::ops::Range;
use picovd_exfat::entry::ENTRY_LENGTH;
use picovd_exfat::name::LABEL_UNITS;
use picovd_exfat::{ClusterIndex, bitmap};

/// EntryType of an entry that is not in use (exFAT 6.2.1.4: InUse is 0).
const UNUSED: u8 = 0x1F;

/// A file that the manifest lays out but that is not on the volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hidden {
    /// First block of the directory that contains it.
    pub directory: Lba,
    /// Range of its entry set in the directory's entries, in bytes.
    pub entries: Range<u32>,
    /// First block of its contents.
    pub first: Lba,
    /// Number of blocks, in whole clusters; 0 for an empty file.
    pub length: BlockCount,
}

/// A label's text: at most 11 UTF-16 units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LabelText {
    units: [u16; LABEL_UNITS],
    count: u8,
}

impl LabelText {
    /// The first 11 units of a text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut label = Self::default();
        label.append(text.encode_utf16());
        label
    }

    /// The label on a board: the text `set`, or the manifest's if there is none, and the board's digits if the layout adds
    /// them. Everything that shows the label calls this.
    #[must_use]
    pub fn of(label: Label<'_>, set: Option<Self>, identity: Option<BoardIdentity>) -> Self {
        let mut text = set.unwrap_or_default();
        if set.is_none() {
            text.append(label.units.iter().copied());
        }
        if let Some(identity) = identity.filter(|_| label.board_digits) {
            text.append(identity.last_digits().into_iter());
        }
        text
    }

    /// Appends units, as many as fit.
    fn append(&mut self, units: impl Iterator<Item = u16>) {
        for (place, unit) in self.units.iter_mut().skip(self.count.into()).zip(units) {
            *place = unit;
            self.count += 1;
        }
    }

    /// Its units.
    #[must_use]
    pub fn units(&self) -> &[u16] {
        self.units.get(..self.count.into()).unwrap_or_default()
    }
}

/// What settings may override. The answers do not change between two calls of [`freeze`](Self::freeze).
pub trait Overrides {
    /// Whether anything may be overridden.
    const PRESENT: bool;

    /// A generation begins.
    fn freeze(&self);

    /// Whether the next generation would have another label or other files.
    fn has_changed(&self) -> bool;

    /// The label that replaces the manifest's.
    fn label(&self) -> Option<LabelText>;

    /// Files that are not on the volume.
    fn hidden(&self) -> impl Iterator<Item = Hidden>;
}

/// No overrides: everything as in the manifest.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoOverrides;

impl Overrides for NoOverrides {
    const PRESENT: bool = false;

    fn freeze(&self) {}

    fn has_changed(&self) -> bool {
        false
    }

    fn label(&self) -> Option<LabelText> {
        None
    }

    fn hidden(&self) -> impl Iterator<Item = Hidden> {
        core::iter::empty()
    }
}

/// Whether the region that begins at block `first` belongs to a hidden file.
pub(super) fn hides(overrides: &impl Overrides, first: Lba) -> bool {
    overrides.hidden().any(|file| first.0.checked_sub(file.first.0).is_some_and(|block| block < file.length.0))
}

/// Marks the entries of hidden files as unused. `out` is at byte `start` of the directory that begins at block `directory`.
pub(super) fn blank(overrides: &impl Overrides, directory: Lba, start: u32, out: &mut [u8]) {
    for file in overrides.hidden().filter(|file| file.directory == directory) {
        for place in overlap(&file.entries, start, out.len()) {
            if let Some(byte) = out.get_mut((place - start) as usize) {
                *byte = if place % ENTRY_LENGTH as u32 == 0 { UNUSED } else { 0 };
            }
        }
    }
}

/// Frees the clusters of hidden files. `out` is at byte `start` of the allocation bitmap (exFAT 7.1.5).
pub(super) fn free(overrides: &impl Overrides, layout: &Layout<'_>, start: u32, out: &mut [u8]) {
    for file in overrides.hidden() {
        let clusters = clusters(&file, layout);
        bitmap::free(start, out, ClusterIndex(clusters.start), clusters.end - clusters.start);
    }
}

/// How many clusters of a run, given by first cluster and number, belong to hidden files.
pub(super) fn freed(overrides: &impl Overrides, layout: &Layout<'_>, (first, count): (ClusterIndex, u32)) -> u32 {
    let within = |file: Hidden| {
        let clusters = clusters(&file, layout);
        clusters.end.min(first.after(count).0).saturating_sub(clusters.start.max(first.0))
    };
    overrides.hidden().map(within).sum()
}

/// The clusters of a file.
fn clusters(file: &Hidden, layout: &Layout<'_>) -> Range<u32> {
    let cluster = |block: u32| layout.cluster_of(Lba(block)).0;
    if file.length.0 == 0 { 2..2 } else { cluster(file.first.0)..cluster(file.first.0.saturating_add(file.length.0)) }
}

/// The part of `range` that is in `length` bytes from `start` on.
fn overlap(range: &Range<u32>, start: u32, length: usize) -> Range<u32> {
    range.start.max(start)..range.end.min(start.saturating_add(length as u32))
}
