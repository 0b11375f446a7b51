//! Problems of a manifest: a stable code, a place, what is wrong, what to do. One line each, or with an excerpt.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use crate::source::Source;

/// What kind of problem it is. The numbers are stable: a code is never given to another kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u16)]
#[non_exhaustive]
pub enum Code {
    /// The manifest cannot be read.
    Unreadable = 1,
    /// The text is not TOML.
    Syntax = 2,
    /// No such key or table.
    UnknownKey = 3,
    /// A value of another type or form than the key takes.
    WrongType = 4,
    /// A key that has to be there is not.
    MissingKey = 5,
    /// Two keys of which only one may be there.
    ExclusiveKeys = 6,
    /// A number, size or time outside of its range.
    OutOfRange = 7,
    /// The volume label is too long or holds a forbidden character.
    Label = 10,
    /// A path is empty, absolute, or has an empty part.
    Path = 11,
    /// A name holds a forbidden character, is `.` or `..`, or ends in a space or a dot.
    Name = 12,
    /// A name has more than 255 UTF-16 units.
    NameLength = 13,
    /// Folders are nested too deeply.
    Depth = 14,
    /// Two entries of one folder have the same name after up-casing.
    DuplicateName = 15,
    /// A path goes through a file.
    FileAsFolder = 16,
    /// One folder is spelled in two ways.
    FolderSpelling = 17,
    /// Two entries of one folder have names that differ by Unicode normalization only. A warning.
    Normalization = 18,
    /// A content file cannot be read.
    Content = 20,
    /// The contents do not fit into flash.
    ContentSize = 21,
    /// No such memory window.
    UnknownWindow = 30,
    /// A range outside of the memory that may be read.
    MemoryRange = 31,
    /// A redaction hides nothing.
    Redaction = 32,
    /// A USB or SCSI string is too long or holds characters that do not fit.
    Text = 40,
    /// The serial number keeps picotool from finding the board again. A warning.
    SerialNumber = 41,
    /// Every host can bring the board into BOOTSEL mode, and read saved settings there. A warning.
    ResetBesideSettings = 42,
    /// The flash size is none that the chip takes.
    FlashSize = 50,
    /// The settings sectors do not fit.
    Settings = 51,
    /// A file is left to settings, and there are none.
    Exposure = 52,
    /// The dynamic window is too small for its files.
    DynamicWindow = 60,
    /// SOURCE_DATE_EPOCH is no number of seconds.
    Epoch = 70,
    /// A moment that exFAT cannot express.
    Timestamp = 71,
    /// The volume or a directory grows past what exFAT or the library can carry.
    VolumeSize = 80,
}

impl Code {
    /// Every code, ascending.
    pub const ALL: [Self; 31] = [
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
        Self::FlashSize,
        Self::Settings,
        Self::Exposure,
        Self::DynamicWindow,
        Self::Epoch,
        Self::Timestamp,
        Self::VolumeSize,
    ];

    /// Whether it is a warning: the manifest is built all the same.
    #[must_use]
    pub const fn is_warning(self) -> bool {
        matches!(self, Self::Normalization | Self::SerialNumber | Self::ResetBesideSettings)
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
    /// Where, in bytes of the text; `None` for what is in no text.
    pub span: Option<Range<usize>>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
}

/// How many problems of one kind a report has: a file that is no manifest at all would fill the screen.
const SHOWN: usize = 20;

/// All problems that one run found, in the order of their places. As an error there is at least one; the warnings of a
/// manifest that is right may be none.
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

    /// Those that a report has: of each kind the first [`SHOWN`].
    fn shown(&self) -> impl Iterator<Item = &Diagnostic> {
        let mut counts = BTreeMap::new();
        self.items.iter().filter(move |item| {
            let count = counts.entry(item.code).or_insert(0);
            *count += 1;
            *count <= SHOWN
        })
    }

    /// For each kind of which a report leaves some out, the words for it.
    fn left_out(&self) -> Vec<String> {
        let mut counts = BTreeMap::new();
        self.items.iter().for_each(|item| *counts.entry(item.code).or_insert(0) += 1);
        let more = counts.into_iter().filter(|(_, count)| *count > SHOWN);
        more.map(|(code, count)| format!("[{code}] and {} more of this kind", count - SHOWN)).collect()
    }

    /// One line for each problem: `file:line:column: [code] what is wrong; what to do`. Of each kind the first 20 are told,
    /// and how many more there are.
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

    /// The problems with excerpts, carets and remedies, as many as [`lines`](Self::lines) tells.
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
            // Without an excerpt there is no column of line numbers: it is left blank, as the others have it.
            let text = if item.span.is_some() { text } else { text.replace('\n', "\n ") };
            out.push_str(&text);
            out.push_str("\n\n");
        }
        self.left_out().iter().for_each(|text| out.push_str(&format!("error: {text}\n\n")));
        out
    }

    /// The line that the span begins on. What goes on after the line's end is left out, so that the excerpt stays
    /// short.
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

/// One line of the text, and the part of it that is meant.
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

    /// Takes over those that `wanted` wants.
    pub fn extend_if(&mut self, other: &Self, wanted: impl Fn(&Diagnostic) -> bool) {
        self.items.extend(other.items.iter().filter(|item| wanted(item)).cloned());
    }

    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Whether there is nothing but warnings.
    pub fn is_harmless(&self) -> bool {
        self.items.iter().all(|item| item.code.is_warning())
    }

    /// The places of all problems that have one.
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

/// Insertions, deletions, replacements and swaps of neighbours (optimal string alignment). Words beyond 64 characters
/// are never near, so that the cost has a bound.
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
