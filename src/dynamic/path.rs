//! Paths: their components, and what the manifest contains there.

use super::error::AddError;
use super::file::Components;
use super::slot::LEVELS;
use crate::volume::layout::Layout;
use crate::volume::lookup::{self, Given};
use picovd_exfat::entry::entries_for;
use picovd_exfat::name::Name;
use picovd_exfat::portable;

/// One component of a path.
#[derive(Clone, Copy)]
pub(super) struct Part {
    /// NameHash (exFAT 7.6.4).
    pub hash: u16,
    /// Number of entries of its entry set.
    pub entries: u8,
    /// Whether this is a folder of the manifest.
    pub given: bool,
    /// Whether the name is all ASCII.
    pub ascii: bool,
}

/// A path's components, and what the manifest contains there.
pub(super) struct Parts {
    parts: [Part; LEVELS],
    count: u8,
    /// Whether the manifest has a file or folder at the path, or a file on the way there.
    pub taken: bool,
}

impl Parts {
    /// The components of a path whose names all fit the manifest's limits.
    pub fn of(layout: &Layout<'_>, path: &str) -> Result<Self, AddError> {
        const NONE: Part = Part { hash: 0, entries: 0, given: false, ascii: true };
        let mut parts = Self { parts: [NONE; LEVELS], count: 0, taken: false };
        let mut components = Components::of(path);
        let mut folder = Some(layout.first_cluster_of_root_directory);
        while let Some(component) = components.next() {
            let name = Name::new(component).map_err(|_| AddError::InvalidPath)?;
            portable::check(component).map_err(|_| AddError::Unportable)?;
            let entries = entries_for(name.length());
            if entries > layout.dynamic.slot_entries.into() {
                return Err(AddError::NameTooLong);
            }
            let part = parts.parts.get_mut(usize::from(parts.count)).ok_or(AddError::InvalidPath)?;
            parts.taken |= folder.is_some_and(|cluster| lookup::has_twin(layout, cluster, name));
            let hash = name.name_hash();
            let given = folder.and_then(|cluster| lookup::find(layout, cluster, name, hash));
            folder = match given {
                Some(Given::Folder(cluster)) if !components.is_done() => Some(cluster),
                _ => None,
            };
            parts.taken |= given.is_some() && folder.is_none();
            *part = Part { hash, entries: entries as u8, given: folder.is_some(), ascii: name.is_ascii() };
            parts.count += 1;
        }
        Ok(parts)
    }

    /// The components from `first` on: level, 0 for the last one, and the component.
    pub fn from(&self, first: u8) -> impl Iterator<Item = (u8, Part)> {
        let count = self.count;
        let level = move |index: u8| if index + 1 == count { 0 } else { index + 1 };
        (0..count).zip(self.parts).skip(first.into()).map(move |(index, part)| (level(index), part))
    }
}
