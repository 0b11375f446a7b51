//! From text to tables: TOML's syntax errors, unknown keys, tables of the wrong shape.

use std::fmt::Display;
use std::io::{ErrorKind, Read as _};
use std::path::Path;

use serde::de::DeserializeOwned;
use serde_spanned::Spanned;
use toml::de::{DeTable, DeValue};

use crate::check;
use crate::contents::Contents;
use crate::diagnostic::{Code, Collector, Diagnostics, near_miss};
use crate::document::Manifest;
use crate::schema::{self, Mismatch, Tables};
use crate::source::Source;

/// Reads the manifest at `path`.
///
/// # Errors
/// It cannot be read, or it is not valid TOML: then as [`read_text`]. [`check`](crate::check()) reports everything else.
pub fn read(path: &Path) -> Result<Manifest, Diagnostics> {
    let name = path.display().to_string();
    let folder = path.parent().unwrap_or(Path::new(""));
    match read_regular(path) {
        Ok(bytes) => read_bytes(&name, bytes, folder),
        Err(error) => Err(refused(&name, &error, unreadable(path, &error))),
    }
}

/// The report that a manifest cannot be read.
fn refused(name: &str, why: &dyn Display, remedy: impl Into<String>) -> Diagnostics {
    let mut problems = Collector::default();
    problems.report(Code::Unreadable, None, format!("the manifest cannot be read: {why}"), remedy);
    problems.into_diagnostics(&Source::new(name, ""))
}

/// Maximum length of a manifest in bytes: enough for thousands of files. A longer file is not a manifest.
const LONGEST: u64 = 4 << 20;
/// What is said about a longer one.
const TOO_LONG: &str = "it is longer than 4 MiB";

/// The bytes of a regular file.
fn read_regular(path: &Path) -> std::io::Result<Vec<u8>> {
    // A pipe or a device could block forever, so it is not opened. For a folder, opening fails.
    let metadata = std::fs::metadata(path)?;
    if !metadata.is_file() && !metadata.is_dir() {
        return Err(std::io::Error::other("it is not a regular file"));
    }
    let mut bytes = Vec::new();
    // Files in /proc claim to be empty, and a log may grow while it is read.
    std::fs::File::open(path)?.take(LONGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LONGEST {
        return Err(std::io::Error::other(TOO_LONG));
    }
    Ok(bytes)
}

/// What to do about a file that cannot be read.
fn unreadable(path: &Path, error: &std::io::Error) -> String {
    let inside = path.join("picovd.toml");
    match error.kind() {
        _ if inside.is_file() => format!("it is a folder: specify the manifest in it, {}", inside.display()),
        _ if path.is_dir() => "it is a folder: specify a file".to_owned(),
        ErrorKind::NotFound => "specify an existing file".to_owned(),
        ErrorKind::PermissionDenied => "specify a file that you may read".to_owned(),
        _ => "specify an existing file that contains UTF-8 text".to_owned(),
    }
}

fn read_bytes(name: &str, bytes: Vec<u8>, folder: &Path) -> Result<Manifest, Diagnostics> {
    // Byte order marks of UTF-16, which some editors call Unicode.
    let marked = bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]);
    let error = match String::from_utf8(bytes) {
        Ok(text) => return read_text(name, &text, folder),
        Err(error) => error,
    };
    let at = error.utf8_error().valid_up_to();
    let byte = error.as_bytes().get(at).copied().unwrap_or_default();
    let remedy = if marked { "save it as UTF-8; it looks like UTF-16" } else { "save it as UTF-8" };
    let mut problems = Collector::default();
    problems.report(Code::Unreadable, at..at + 1, format!("byte {byte:#04x} is not UTF-8"), remedy);
    Err(problems.into_diagnostics(&Source::new(name, String::from_utf8_lossy(error.as_bytes()))))
}

/// Reads a manifest from text: `name` is shown in diagnostics, contents are looked up in `folder`.
///
/// # Errors
/// The text is not valid TOML. The report then also includes what [`check`](crate::check()) finds in the lines that could
/// be read.
pub fn read_text(name: &str, text: &str, folder: &Path) -> Result<Manifest, Diagnostics> {
    read_with(name, text, Contents::Folder(folder.to_owned()))
}

/// The same with contents from anywhere.
///
/// # Errors
/// As [`read_text`]; and the text is longer than the longest file that [`read`] reads.
pub fn read_with(name: &str, text: &str, contents: Contents) -> Result<Manifest, Diagnostics> {
    if text.len() as u64 > LONGEST {
        return Err(refused(name, &TOO_LONG, "specify an existing file that contains UTF-8 text"));
    }
    let source = Source::new(name, text);
    let mut problems = Collector::default();
    let mut syntax = Collector::default();
    // After a broken table heading or a broken multi-line value, it is unclear which table the rest belongs to.
    let mut unclear = usize::MAX;
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let message = error.message().trim().replace('\n', ", ");
        let span = error.span().unwrap_or(0..0);
        let heading = source.line(span.start).trim_start().starts_with('[');
        if heading || ["unclosed", "multi-line", "inline table"].iter().any(|word| message.contains(word)) {
            unclear = unclear.min(span.start);
        }
        let remedy = remedy(&message, heading);
        syntax.report(Code::Syntax, span, message, remedy);
    }
    let tables = Reader { problems: &mut problems }.tables(document.into_inner());
    let manifest = Manifest { source, contents, tables, problems, is_for_stock_firmware: false };
    if syntax.is_empty() { Ok(manifest) } else { Err(check::recovered(&manifest, syntax, unclear)) }
}

/// What to do about a syntax error, by the parser's message.
fn remedy(message: &str, heading: bool) -> &'static str {
    const REMEDIES: [(&str, &str); 6] = [
        ("string values must be quoted", "write texts, and sizes such as \"4 KiB\", in quotation marks"),
        (
            "duplicate key",
            "use each key once in a table; a table that may occur several times has two pairs of brackets",
        ),
        ("unquoted key", "write `key = value`; keys have letters, digits, `-` and `_`"),
        ("key with no value", "write the key, `=`, and the value"),
        ("basic string", "close the text with the quotation marks that it begins with"),
        ("literal string", "close the text with the quotation marks that it begins with"),
    ];
    match REMEDIES.iter().find(|(words, _)| message.contains(words)) {
        Some((_, remedy)) => remedy,
        None if heading => "write `[table]`, or `[[table]]` for one that may occur several times, on a separate line",
        None => "see https://toml.io for the syntax",
    }
}

/// How a message calls a value.
fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
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
                "info" => tables.info = self.table("[info]", value).unwrap_or_default(),
                "page" => tables.page = self.table("[page]", value).unwrap_or_default(),
                "sensor" => tables.sensor = self.table("[sensor]", value).unwrap_or_default(),
                "crash" => tables.crash = self.table("[crash]", value).unwrap_or_default(),
                "dynamic" => tables.dynamic = self.table("[dynamic]", value).unwrap_or_default(),
                "settings" => tables.settings = self.table("[settings]", value).unwrap_or_default(),
                "redact" => tables.redact = self.array("[[redact]]", value),
                unknown => self.unknown("table", unknown, key.span(), known),
            }
        }
        tables
    }

    /// The table, unless it cannot be read at all: then there is nothing in it to be checked.
    fn table<T: DeserializeOwned>(&mut self, title: &str, mut value: Spanned<DeValue<'_>>) -> Option<T> {
        let span = value.span();
        let DeValue::Table(table) = value.get_mut() else {
            let found = kind(value.get_ref());
            self.problems.report(
                Code::WrongType,
                span,
                format!("{title} is a table, and this is {found}"),
                format!("write `{title}` on a separate line, with its keys below"),
            );
            return None;
        };
        let known = schema::keys::<T>();
        let mut readable = DeTable::new();
        for (key, value) in std::mem::take(table) {
            // The deserializer gives up on a whole table if a number fits no type.
            let too_large = matches!(value.get_ref(), DeValue::Integer(number)
                if i64::from_str_radix(number.as_str(), number.radix()).is_err());
            if !known.contains(&key.get_ref().as_ref()) {
                self.unknown("key", key.get_ref(), key.span(), known);
            } else if too_large {
                let remedy = "the stock picovd.toml shows every key with a value";
                self.problems.report(Code::WrongType, value.span(), "the number is too large for any key", remedy);
            } else {
                readable.insert(key, value);
            }
        }
        *table = readable;
        match T::deserialize(toml::de::ValueDeserializer::from(value)) {
            Ok(table) => Some(table),
            Err(error) => {
                let Mismatch { found, remedy } = Mismatch::new(error.message());
                self.problems.report(Code::WrongType, error.span().unwrap_or(span), found, remedy);
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
                format!("{title} may occur several times"),
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
        let elsewhere = schema::tables().into_iter().filter(|(_, keys)| keys.contains(&name)).map(|(title, _)| title);
        let elsewhere: Vec<&str> = elsewhere.collect();
        let remedy = match near_miss(name, known) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None if !elsewhere.is_empty() => format!("it is a key of {}", elsewhere.join(", ")),
            None => format!("known here: {}", known.join(", ")),
        };
        self.problems.report(Code::UnknownKey, span, format!("unknown {what} `{name}`"), remedy);
    }
}
