//! From text to tables: TOML's own errors, unknown keys, tables of the wrong shape.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_spanned::Spanned;
use toml::de::{DeTable, DeValue};

use crate::diagnostic::{Code, Collector, Diagnostics, near_miss};
use crate::schema::{self, Tables};
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

/// Reads the manifest at `path`.
///
/// # Errors
/// It cannot be read, or it is not TOML. Everything else is for [`check`](crate::check()) to report.
pub fn read(path: &Path) -> Result<Manifest, Diagnostics> {
    let name = path.display().to_string();
    let folder = path.parent().unwrap_or(Path::new("")).to_owned();
    match std::fs::read_to_string(path) {
        Ok(text) => read_text(&name, &text, &folder),
        Err(error) => {
            let mut problems = Collector::default();
            problems.report(
                Code::Unreadable,
                None,
                format!("the manifest cannot be read: {error}"),
                "name a file that exists and holds UTF-8 text",
            );
            Err(problems.into_diagnostics(&Source::new(name, "")))
        }
    }
}

/// Reads a manifest from text: `name` is shown in diagnostics, contents are looked up in `folder`.
///
/// # Errors
/// The text is not TOML.
pub fn read_text(name: &str, text: &str, folder: &Path) -> Result<Manifest, Diagnostics> {
    let source = Source::new(name, text);
    let mut problems = Collector::default();
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let message = error.message().trim().replace('\n', ", ");
        problems.report(Code::Syntax, error.span().unwrap_or(0..0), message, "see https://toml.io for the syntax");
    }
    if !problems.is_empty() {
        return Err(problems.into_diagnostics(&source));
    }
    let tables = Reader { problems: &mut problems }.tables(document.into_inner());
    Ok(Manifest { source, folder: folder.to_owned(), tables, problems })
}

struct Reader<'a> {
    problems: &'a mut Collector,
}

impl Reader<'_> {
    fn tables(&mut self, document: DeTable<'_>) -> Tables {
        let mut tables = Tables::default();
        let known = schema::keys::<Tables>();
        for (key, value) in document {
            match key.get_ref().as_ref() {
                "volume" => tables.volume = self.table("[volume]", value).unwrap_or_default(),
                "usb" => tables.usb = self.table("[usb]", value).unwrap_or_default(),
                "chip" => tables.chip = self.table("[chip]", value).unwrap_or_default(),
                "file" => tables.file = self.array("[[file]]", value),
                "memory" => tables.memory = self.array("[[memory]]", value),
                "partitions" => tables.partitions = self.table("[partitions]", value).unwrap_or_default(),
                "log" => tables.log = self.table("[log]", value).unwrap_or_default(),
                "dynamic" => tables.dynamic = self.table("[dynamic]", value).unwrap_or_default(),
                "settings" => tables.settings = self.table("[settings]", value).unwrap_or_default(),
                "redact" => tables.redact = self.array("[[redact]]", value),
                unknown => self.unknown("table", unknown, key.span(), known),
            }
        }
        tables
    }

    /// The table, unless it cannot be read at all: then there is nothing left to check in it.
    fn table<T: DeserializeOwned>(&mut self, title: &str, value: Spanned<DeValue<'_>>) -> Option<T> {
        let span = value.span();
        let Some(table) = value.get_ref().as_table() else {
            let found = value.get_ref().type_str();
            self.problems.report(
                Code::WrongType,
                span,
                format!("{title} is a table, and this is {found}"),
                format!("write `{title}` on a line of its own, its keys below"),
            );
            return None;
        };
        let known = schema::keys::<T>();
        for key in table.keys() {
            if !known.contains(&key.get_ref().as_ref()) {
                self.unknown("key", key.get_ref(), key.span(), known);
            }
        }
        match T::deserialize(toml::de::ValueDeserializer::from(value)) {
            Ok(table) => Some(table),
            Err(error) => {
                self.problems.report(
                    Code::WrongType,
                    error.span().unwrap_or(span),
                    error.message().trim().replace('\n', ", "),
                    "the stock picovd.toml shows every key with a value",
                );
                None
            }
        }
    }

    fn array<T: DeserializeOwned>(&mut self, title: &str, value: Spanned<DeValue<'_>>) -> Vec<Spanned<T>> {
        let span = value.span();
        let DeValue::Array(array) = value.into_inner() else {
            self.problems.report(
                Code::WrongType,
                span,
                format!("{title} is one table of many"),
                format!("write `{title}` with two pairs of brackets, once for each"),
            );
            return Vec::new();
        };
        array
            .into_iter()
            .filter_map(|item| {
                let span = item.span();
                Some(Spanned::new(span, self.table(title, item)?))
            })
            .collect()
    }

    fn unknown(&mut self, what: &str, name: &str, span: std::ops::Range<usize>, known: &[&str]) {
        let remedy = match near_miss(name, known) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("known here: {}", known.join(", ")),
        };
        self.problems.report(Code::UnknownKey, span, format!("unknown {what} `{name}`"), remedy);
    }
}
