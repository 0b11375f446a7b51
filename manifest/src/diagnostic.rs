//! Problems of a manifest: a stable code, a location, what is wrong, what to do. Printed as one line each, or with an
//! excerpt.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use crate::source::Source;

/// The kind of a problem. The numbers are stable: a number is never used for another kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u16)]
#[non_exhaustive]
pub enum Code {
    /// The manifest cannot be read.
    Unreadable = 1,
    /// The text is not TOML.
    Syntax = 2,
    /// Unknown key or table.
    UnknownKey = 3,
    /// A value whose type or form is wrong for the key.
    WrongType = 4,
    /// A required key is missing.
    MissingKey = 5,
    /// Two keys that exclude each other.
    ExclusiveKeys = 6,
    /// A number, size or time outside of its range.
    OutOfRange = 7,
    /// The volume label is too long or contains a forbidden character.
    Label = 10,
    /// A path is empty, absolute, or has an empty part.
    Path = 11,
    /// A name contains a forbidden character, is `.` or `..`, or ends in a space or a dot.
    Name = 12,
    /// A name has more than 255 UTF-16 units.
    NameLength = 13,
    /// Folders are nested too deeply.
    Depth = 14,
    /// Two entries of one folder have the same name after up-casing.
    DuplicateName = 15,
    /// A path goes through a file.
    FileAsFolder = 16,
    /// A folder is spelled in two ways.
    FolderSpelling = 17,
    /// Two entries of one folder have names that differ only by Unicode normalization. A warning.
    Normalization = 18,
    /// A content file cannot be read.
    Content = 20,
    /// The contents do not fit into flash.
    ContentSize = 21,
    /// Unknown memory window.
    UnknownWindow = 30,
    /// A range outside of readable memory.
    MemoryRange = 31,
    /// A redaction hides nothing.
    Redaction = 32,
    /// A USB or SCSI string is too long or contains invalid characters.
    Text = 40,
    /// With this serial number, picotool does not find the board again. A warning.
    SerialNumber = 41,
    /// Every host can restart the board in BOOTSEL mode, and read saved settings there. A warning.
    ResetBesideSettings = 42,
    /// Settings that nobody but the program can change. A warning.
    SettingsWithoutConsole = 43,
    /// Something that only the stock firmware has, in the manifest that other firmware is built from.
    StockOnly = 44,
    /// The chip does not support this flash size.
    FlashSize = 50,
    /// The settings sectors do not fit.
    Settings = 51,
    /// A file is left to settings, but there are none.
    Exposure = 52,
    /// The dynamic window is too small for its files.
    DynamicWindow = 60,
    /// SOURCE_DATE_EPOCH is not a number of seconds.
    Epoch = 70,
    /// A time that exFAT cannot represent.
    Timestamp = 71,
    /// The volume or a directory exceeds what exFAT or the library supports.
    VolumeSize = 80,
}

impl Code {
    /// Every code, ascending.
    pub const ALL: [Self; 33] = [
        Self::Unreadable,
        Self::Syntax,
        Self::UnknownKey,
        Self::WrongType,
        Self::MissingKey,
        Self::ExclusiveKeys,
        Self::OutOfRange,
        Self::Label,
        Self::Path,
        Self::Name,
        Self::NameLength,
        Self::Depth,
        Self::DuplicateName,
        Self::FileAsFolder,
        Self::FolderSpelling,
        Self::Normalization,
        Self::Content,
        Self::ContentSize,
        Self::UnknownWindow,
        Self::MemoryRange,
        Self::Redaction,
        Self::Text,
        Self::SerialNumber,
        Self::ResetBesideSettings,
        Self::SettingsWithoutConsole,
        Self::StockOnly,
        Self::FlashSize,
        Self::Settings,
        Self::Exposure,
        Self::DynamicWindow,
        Self::Epoch,
        Self::Timestamp,
        Self::VolumeSize,
    ];

    /// Whether it is a warning, with which the manifest can still be built.
    #[must_use]
    pub const fn is_warning(self) -> bool {
        matches!(
            self,
            Self::Normalization | Self::SerialNumber | Self::ResetBesideSettings | Self::SettingsWithoutConsole
        )
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "M{:03}", *self as u16)
    }
}

/// One problem.
#[derive(Clone, Debug)]
pub struct Diagnostic {
    /// What kind.
    pub code: Code,
    /// Where, in bytes of the text; `None` if it is not about the text.
    pub span: Option<Range<usize>>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
}

/// Maximum number of reported problems of one kind: a file that is not a manifest at all would fill the screen.
const SHOWN: usize = 20;

/// All problems of one run, in the order of their locations. As an error, there is at least one; for a valid manifest,
/// there are only warnings, or none.
#[derive(Clone, Debug)]
pub struct Diagnostics {
    source: Source,
    items: Vec<Diagnostic>,
}

impl Diagnostics {
    pub(crate) fn new(source: Source, mut items: Vec<Diagnostic>) -> Self {
        items.sort_by_key(|item| (item.span.as_ref().map(|span| span.start), item.code));
        Self { source, items }
    }

    /// The problems.
    #[must_use]
    pub fn items(&self) -> &[Diagnostic] {
        &self.items
    }

    /// The problems that are reported: the first 20 of each kind.
    pub fn shown(&self) -> impl Iterator<Item = &Diagnostic> {
        let mut counts = BTreeMap::new();
        self.items.iter().filter(move |item| {
            let count = counts.entry(item.code).or_insert(0);
            *count += 1;
            *count <= SHOWN
        })
    }

    /// For each kind of which some are left out, the message that says so.
    #[must_use]
    pub fn left_out(&self) -> Vec<String> {
        let mut counts = BTreeMap::new();
        self.items.iter().for_each(|item| *counts.entry(item.code).or_insert(0) += 1);
        let more = counts.into_iter().filter(|(_, count)| *count > SHOWN);
        more.map(|(code, count)| format!("[{code}] and {} more of this kind", count - SHOWN)).collect()
    }

    /// One line for each problem: `file:line:column: [code] what is wrong; what to do`. Of each kind, only the first 20 are
    /// reported, with the number of the others.
    pub fn lines(&self) -> impl Iterator<Item = String> + '_ {
        let left_out = self.left_out().into_iter().map(|text| format!("{}: {text}", self.source.name()));
        let told = self.shown().map(|item| {
            let text = format!("[{}] {}; {}", item.code, item.message, item.remedy).replace(['\n', '\r'], " ");
            match &item.span {
                Some(span) => {
                    let at = self.source.position(span.start);
                    format!("{}:{}:{}: {text}", self.source.name(), at.line, at.column)
                }
                None => format!("{}: {text}", self.source.name()),
            }
        });
        told.chain(left_out)
    }

    /// The problems with excerpts, carets and remedies; as many as in [`lines`](Self::lines).
    #[must_use]
    pub fn excerpts(&self) -> String {
        self.render(&Renderer::plain())
    }

    /// The same in colour, for a terminal.
    #[must_use]
    pub fn coloured_excerpts(&self) -> String {
        self.render(&Renderer::styled())
    }

    fn render(&self, renderer: &Renderer) -> String {
        let mut out = String::new();
        for item in self.shown() {
            let code = item.code.to_string();
            let level = if item.code.is_warning() { Level::WARNING } else { Level::ERROR };
            let title = level.primary_title(item.message.as_str()).id(code.as_str());
            let help = Level::HELP.message(item.remedy.as_str());
            let group = match &item.span {
                Some(span) => {
                    let excerpt = self.excerpt(span);
                    title.element(
                        Snippet::source(excerpt.line)
                            .line_start(excerpt.number)
                            .path(self.source.name())
                            .annotation(AnnotationKind::Primary.span(excerpt.span)),
                    )
                }
                None => title.element(annotate_snippets::Origin::path(self.source.name())),
            };
            let text = renderer.render(&[group.element(help)]);
            // Without an excerpt, the column of line numbers is left blank.
            let text = if item.span.is_some() { text } else { text.replace('\n', "\n ") };
            out.push_str(&text);
            out.push_str("\n\n");
        }
        self.left_out().iter().for_each(|text| out.push_str(&format!("error: {text}\n\n")));
        out
    }

    /// The line on which the span begins. The rest of the span is cut off, to keep the excerpt short.
    fn excerpt(&self, span: &Range<usize>) -> Excerpt<'_> {
        let text = self.source.text();
        let start = self.source.boundary(span.start);
        let end = self.source.boundary(span.end.max(start));
        let first = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let last = text[start..].find('\n').map_or(text.len(), |length| start + length);
        Excerpt {
            line: &text[first..last],
            number: self.source.position(start).line,
            span: start - first..end.min(last) - first,
        }
    }
}

/// One line of the text, and the marked part of it.
struct Excerpt<'a> {
    line: &'a str,
    number: usize,
    span: Range<usize>,
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.excerpts().trim_end())
    }
}

impl std::error::Error for Diagnostics {}

/// Collects problems, so that one run reports them all.
#[derive(Clone, Debug, Default)]
pub(crate) struct Collector {
    items: Vec<Diagnostic>,
}

impl Collector {
    pub fn report(
        &mut self,
        code: Code,
        span: impl Into<Option<Range<usize>>>,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.items.push(Diagnostic { code, span: span.into(), message: message.into(), remedy: remedy.into() });
    }

    pub fn extend(&mut self, other: &Self) {
        self.items.extend(other.items.iter().cloned());
    }

    /// Takes over the problems that `wanted` selects.
    pub fn extend_if(&mut self, other: &Self, wanted: impl Fn(&Diagnostic) -> bool) {
        self.items.extend(other.items.iter().filter(|item| wanted(item)).cloned());
    }

    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Whether there are only warnings.
    pub fn is_harmless(&self) -> bool {
        self.items.iter().all(|item| item.code.is_warning())
    }

    /// The locations of all problems that have one.
    pub fn spans(&self) -> impl Iterator<Item = &Range<usize>> {
        self.items.iter().filter_map(|item| item.span.as_ref())
    }

    pub fn into_diagnostics(self, source: &Source) -> Diagnostics {
        Diagnostics::new(source.clone(), self.items)
    }
}

/// The candidate that `word` was probably meant to be: at most a third of its letters differ.
pub(crate) fn near_miss<'a>(word: &str, candidates: &[&'a str]) -> Option<&'a str> {
    candidates
        .iter()
        .map(|candidate| (distance(word, candidate), *candidate))
        .filter(|(distance, candidate)| *distance <= candidate.len().max(3) / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Insertions, deletions, replacements and swaps of neighbours (optimal string alignment). Words of more than 64 characters
/// are never near, which limits the cost.
fn distance(a: &str, b: &str) -> usize {
    let long = |word: &str| word.chars().nth(64).is_some();
    if long(a) || long(b) { usize::MAX } else { strsim::osa_distance(a, b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_misses() {
        let keys = ["label", "serial-number", "timestamp", "minimum-size"];
        assert_eq!(near_miss("lable", &keys), Some("label"));
        assert_eq!(near_miss("serial_number", &keys), Some("serial-number"));
        assert_eq!(near_miss("colour", &keys), None);
        assert_eq!(near_miss(&"x".repeat(10_000), &keys), None);
    }

    #[test]
    fn excerpts_show_line_column_caret_code_and_remedy() {
        let source = Source::new("picovd.toml", "[volume]\nlable = \"A\"\n");
        let mut collector = Collector::default();
        collector.report(Code::UnknownKey, 9..14, "unknown key `lable`", "did you mean `label`?");
        let problems = collector.into_diagnostics(&source);
        let text = problems.to_string();
        for part in ["error[M003]", "picovd.toml:2:1", "2 | lable = \"A\"", "^^^^^", "did you mean `label`?"] {
            assert!(text.contains(part), "{part} in\n{text}");
        }
        let lines: Vec<String> = problems.lines().collect();
        assert_eq!(lines, ["picovd.toml:2:1: [M003] unknown key `lable`; did you mean `label`?"]);
    }

    #[test]
    fn all_codes_are_listed() {
        let declared =
            include_str!("diagnostic.rs").split("pub enum Code {").nth(1).unwrap().split('}').next().unwrap();
        let numbers: Vec<u16> =
            declared.lines().filter_map(|line| line.split_once(" = ")?.1.trim_end_matches(',').parse().ok()).collect();
        assert_eq!(Code::ALL.map(|code| code as u16).to_vec(), numbers);
        assert!(numbers.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn any_span_renders() {
        let source = Source::new("m", "ä = \"\n\u{0}ö\t\"\r\n");
        for start in 0..20 {
            for end in start..20 {
                let mut collector = Collector::default();
                collector.report(Code::Syntax, start..end, "m", "r");
                assert!(collector.into_diagnostics(&source).coloured_excerpts().contains("M002"));
            }
        }
    }
}
