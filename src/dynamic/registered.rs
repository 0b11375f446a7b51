//! The volume's view of the registry.

use super::listing::{self, Bookmark};
use super::registry::Files;
use super::unused::Listed;
use crate::volume::{DynamicFiles, Generation, NoFiles};
use picovd_exfat::ClusterIndex;

/// The dynamic files of a volume, or none at all, so that the linker can remove unused code.
pub trait FromRegistry<'a>: DynamicFiles {
    /// The files of a registry.
    fn of(files: &'a Files<'a>) -> Self;

    /// The registry, if there is one.
    fn registry(&self) -> Option<&'a Files<'a>>;
}

impl<'a> FromRegistry<'a> for NoFiles {
    fn of(_: &'a Files<'a>) -> Self {
        Self
    }

    fn registry(&self) -> Option<&'a Files<'a>> {
        None
    }
}

/// What hosts see of a registry's files: their entries, and the clusters of the dynamic window.
#[derive(Debug)]
pub struct Registered<'a> {
    files: &'a Files<'a>,
    /// The slot that was found by the last read.
    slot: usize,
    bookmark: Bookmark,
}

impl<'a> FromRegistry<'a> for Registered<'a> {
    fn of(files: &'a Files<'a>) -> Self {
        Self { files, slot: 0, bookmark: Bookmark::START }
    }

    fn registry(&self) -> Option<&'a Files<'a>> {
        Some(self.files)
    }
}

impl DynamicFiles for Registered<'_> {
    const PRESENT: bool = true;

    fn begin(&mut self, generation: Generation, seen: bool) {
        self.files.begin(generation, seen);
        self.bookmark = Bookmark::START;
    }

    fn allocated(&self, found: impl FnMut(u32, u32)) {
        self.files.allocated(found);
    }

    fn listed(&self, cluster: ClusterIndex) -> u32 {
        self.files.listed_at(cluster).map_or(0, |listed| listed.length)
    }

    fn list(&mut self, cluster: ClusterIndex, start: u32, out: &mut [u8]) {
        if let Some(Listed { folder, unused, .. }) = self.files.listed_at(cluster) {
            listing::render(self.files, &mut self.bookmark, folder, unused, start, out);
        }
    }

    fn read(&mut self, cluster: u32, offset: u32, out: &mut [u8]) -> bool {
        let Some((slot, shown)) = self.files.at_cluster(cluster, self.slot) else { return false };
        self.slot = slot;
        let shift = self.files.layout.cluster_shift();
        let position = ((cluster - shown.first) << shift).saturating_add(offset);
        let inside = (shown.length.saturating_sub(position) as usize).min(out.len());
        let piece = out.split_at_mut(inside).0;
        if shown.is_folder() {
            listing::render(self.files, &mut self.bookmark, slot as u8, 0, position, piece);
        } else if !piece.is_empty() {
            shown.file.content.read(shown.generation, position, piece);
        }
        true
    }
}
