//! A manifest as it was read: its tables, and what was wrong with them already.

use std::path::PathBuf;

use crate::diagnostic::Collector;
use crate::schema::Tables;
use crate::source::Source;

/// A manifest that is TOML, not checked yet.
#[derive(Clone, Debug)]
pub struct Manifest {
    pub(crate) source: Source,
    pub(crate) folder: PathBuf,
    pub(crate) tables: Tables,
    pub(crate) problems: Collector,
}

impl Manifest {
    /// The files that hold contents, as the manifest names them, relative to its folder: what a build depends on.
    pub fn contents(&self) -> impl Iterator<Item = PathBuf> + '_ {
        self.tables
            .file
            .iter()
            .filter_map(|file| file.get_ref().content.as_ref()?.value.as_ref().ok())
            .map(|content| self.folder.join(content))
    }
}
