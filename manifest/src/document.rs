//! A manifest after reading: its tables, and the problems found so far.

use std::path::PathBuf;

use crate::diagnostic::Collector;
use crate::schema::Tables;
use crate::source::Source;

/// A manifest that is valid TOML, but not checked yet.
#[derive(Clone, Debug)]
pub struct Manifest {
    pub(crate) source: Source,
    pub(crate) folder: PathBuf,
    pub(crate) tables: Tables,
    pub(crate) problems: Collector,
}

impl Manifest {
    /// The files with contents, by their names in the manifest, which are relative to its folder. A build depends on them.
    pub fn contents(&self) -> impl Iterator<Item = PathBuf> + '_ {
        self.tables
            .file
            .iter()
            .filter_map(|file| file.get_ref().content.as_ref()?.value.as_ref().ok())
            .map(|content| self.folder.join(content))
    }
}
