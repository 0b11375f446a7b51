//! A manifest after reading: its tables, and the problems found so far.

use std::path::PathBuf;

use crate::contents::Contents;
use crate::diagnostic::Collector;
use crate::schema::{Field, Tables};
use crate::source::Source;

/// A manifest that is valid TOML, but not checked yet.
#[derive(Clone, Debug)]
pub struct Manifest {
    pub(crate) source: Source,
    pub(crate) contents: Contents,
    pub(crate) tables: Tables,
    pub(crate) problems: Collector,
    /// Whether the stock firmware is to show it.
    pub(crate) is_for_stock_firmware: bool,
}

impl Manifest {
    /// The same manifest for the stock firmware: it shows MANIFEST.TOML and CONFIGURE.HTM unless the manifest says otherwise,
    /// and has no secret settings, so that a warning about them is left out.
    #[must_use]
    pub fn for_stock_firmware(mut self) -> Self {
        for key in [&mut self.tables.info.manifest, &mut self.tables.page.configure] {
            key.get_or_insert(Field { span: 0..0, value: Ok(true) });
        }
        self.is_for_stock_firmware = true;
        self
    }

    /// The names of the files with contents, as the manifest spells them.
    pub fn content_names(&self) -> impl Iterator<Item = &str> {
        let contents = self.tables.file.iter().filter_map(|file| file.get_ref().content.as_ref()?.value.as_ref().ok());
        contents.map(String::as_str)
    }

    /// The files with contents: path on the volume, and name of the contents.
    pub fn content_paths(&self) -> impl Iterator<Item = (&str, &str)> {
        self.tables.file.iter().filter_map(|file| {
            let file = file.get_ref();
            let path = file.path.as_ref()?.value.as_ref().ok()?;
            Some((path.as_str(), file.content.as_ref()?.value.as_ref().ok()?.as_str()))
        })
    }

    /// The files with contents, by their paths. A build depends on them.
    pub fn contents(&self) -> impl Iterator<Item = PathBuf> + '_ {
        self.content_names().map(|name| match &self.contents {
            Contents::Folder(folder) => folder.join(name),
            Contents::Given(_) => PathBuf::from(name),
        })
    }
}
