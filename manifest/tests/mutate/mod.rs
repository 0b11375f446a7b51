//! Valid manifests, and random edits such as an author might make by mistake.

use std::fmt;

use proptest::prelude::*;
use proptest::sample::{Index, select};

/// The stock manifest.
pub const STOCK: &str = include_str!("../../../picovd.toml");

/// Pieces that manifests consist of, and some that they should not contain.
const PIECES: &[&str] = &[
    "\"",
    "'''",
    "\"\"\"",
    "[",
    "]",
    "[[",
    "]]",
    "=",
    "\n",
    "#",
    "{",
    "}",
    ",",
    ".",
    "-",
    "0x",
    "_",
    "/",
    "\\",
    "\\u0000",
    "99999999999",
    "99999999999999999999999",
    "-1",
    "1e309",
    "nan",
    "true",
    "1979-01-01",
    "2107-12-31T23:59:59-23:59",
    "00:00:00",
    "\"4 GiB\"",
    "\"18446744073709551615 B\"",
    "0xffffffff",
    "[[file]]",
    "[[memory]]",
    "[[redact]]",
    "[dynamic]",
    "path",
    "text",
    "content",
    "window = \"flash\"",
    "base = 0x1c000000",
    "length = 1",
    "files = 256",
    "sectors = 65535",
    "name = \"settings\"",
    "\u{0}",
    "ä",
    "😀",
    "\u{feff}",
    "\r",
    "\t",
    "..",
    "a/b/c",
    "é/É",
    "minimum-size = \"32 GiB\"",
    "max-name = 255",
    "flash-size = \"16 MiB\"",
    "quiet = 3600000",
];

/// Small manifests that together use every feature; short, so that most mutations matter.
const SMALL: [&str; 6] = [
    "[volume]\nlabel = \"Ä B\"\nlabel-board-digits = true\nserial-number = 0xFFFF_FFFF\ntimestamp = 2026-01-01T00:00:00+01:00\n\
     minimum-size = \"2 MiB\"\n\n[chip]\nflash-size = \"2 MiB\"\n",
    "[usb]\nvid = 0x1209\npid = 1\nmanufacturer = \"me\"\nproduct = \"a disk\"\nserial = \"0123456789ABCDEF\"\n\
     scsi-vendor = \"ME\"\nscsi-product = \"disk\"\nscsi-revision = \"1\"\nconsole = true\npicotool-reset = true\n",
    "[[file]]\npath = \"A/B/ü.txt\"\ntext = \"\"\"\nlines\n\"\"\"\nhidden = true\ntimestamp = 1999-12-31\nexpose = \"always\"\n\n\
     [[file]]\npath = \"a.txt\"\ntext = 'x'\nexpose = \"setting\"\n\n[[file]]\npath = \"A/C\"\ntext = \"\"\n\n[settings]\n\
     sectors = 2\n",
    "[[memory]]\npath = \"F\"\nwindow = \"flash\"\nhidden = false\n\n[[memory]]\npath = \"R\"\nbase = 0x20000100\n\
     length = 700\n\n[[redact]]\nbase = 0x2000_0200\nlength = \"1 KiB\"\n\n[[redact]]\nname = \"settings\"\n\n[settings]\n\
     sectors = 3\nstart = 0x10_0000\nlock = true\n",
    "[dynamic]\nfiles = 3\nmax-name = 12\nwindow = \"64 KiB\"\nrefresh = \"attention\"\nquiet = 0\nmax-age = \"1 min\"\n\
     hold = \"250 ms\"\n\n[partitions]\nenabled = true\nfolder = \"parts\"\n\n[log]\nstdout = true\ntail = true\ndefmt = true\n\
     ring-size = 256\ndefmt-ring-size = \"256 KiB\"\nmax-file = \"4 KiB\"\n",
    "file = [{ path = \"a\", text = \"b\" }, { path = \"c\", text = \"\\u00e9\\n\" }]\nmemory = [{ path = \"m\", window = \"sram\" }]\n\
     volume.label = \"X\"\nusb = { vid = 7 }\n",
];

/// The stock manifest without its comments, then the small ones.
pub fn good() -> Vec<String> {
    let stock = STOCK.lines().filter(|line| !line.starts_with('#')).map(|line| format!("{line}\n")).collect();
    std::iter::once(stock).chain(SMALL.map(str::to_owned)).collect()
}

/// A good manifest with one edit, or up to three.
pub struct Mutated {
    edits: Vec<Edit>,
    /// What is left of the manifest.
    pub text: String,
}

/// The text as it is, so that a failure shows a manifest.
impl fmt::Debug for Mutated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} make\n{}", self.edits, self.text)
    }
}

/// Edits of those of `good` that `of` draws.
pub fn mutated(good: Vec<String>, of: impl Strategy<Value = usize>) -> impl Strategy<Value = Mutated> {
    (of, prop::collection::vec(edit(), 1..=3)).prop_map(move |(of, edits)| {
        let text = edits.iter().fold(good[of].clone(), |text, edit| edit.apply(&text));
        Mutated { edits, text }
    })
}

/// An edit of any text: places are fractions of its length.
#[derive(Clone, Debug)]
enum Edit {
    /// A bit of a byte. What then is no UTF-8 becomes U+FFFD: reading bytes is another test's.
    Flip { at: Index, bit: u8 },
    /// As many bytes, or a few less, taken out, and a piece put in.
    Splice { at: Index, out: usize, piece: &'static str },
    /// A range of the text put in once more.
    Repeat { at: Index, from: Index, length: usize },
    /// Two lines exchanged.
    SwapLines(Index, Index),
    /// A line put in once more, in front of another one.
    DoubleLine(Index, Index),
    /// A line taken out.
    DropLine(Index),
    /// A key's value replaced.
    Value(Index, New),
    /// A word, number, quoted text or sign replaced.
    Token(Index, New),
}

/// What is put in the place of a value or a token.
#[derive(Clone, Debug)]
enum New {
    Piece(&'static str),
    Number(u64),
    /// Another one of the same text.
    Other(Index),
}

fn edit() -> impl Strategy<Value = Edit> {
    let place = any::<Index>;
    let value = prop_oneof![
        1 => select(PIECES).prop_map(New::Piece),
        1 => any::<u64>().prop_map(New::Number),
        2 => place().prop_map(New::Other),
    ];
    let token = prop_oneof![1 => select(PIECES).prop_map(New::Piece), 2 => place().prop_map(New::Other)];
    prop_oneof![
        6 => (place(), 0..8_u8).prop_map(|(at, bit)| Edit::Flip { at, bit }),
        3 => (place(), 0..12_usize).prop_map(|(at, out)| Edit::Splice { at, out, piece: "" }),
        3 => (place(), select(PIECES)).prop_map(|(at, piece)| Edit::Splice { at, out: 0, piece }),
        3 => (place(), 0..12_usize, select(PIECES)).prop_map(|(at, out, piece)| Edit::Splice { at, out, piece }),
        3 => (place(), place(), 0..200_usize).prop_map(|(at, from, length)| Edit::Repeat { at, from, length }),
        2 => (place(), place()).prop_map(|(a, b)| Edit::SwapLines(a, b)),
        2 => (place(), place()).prop_map(|(a, b)| Edit::DoubleLine(a, b)),
        2 => place().prop_map(Edit::DropLine),
        12 => (place(), value).prop_map(|(at, new)| Edit::Value(at, new)),
        12 => (place(), token).prop_map(|(at, new)| Edit::Token(at, new)),
    ]
}

impl Edit {
    fn apply(&self, text: &str) -> String {
        let place = |at: &Index| text.floor_char_boundary(at.index(text.len() + 1));
        let end = |at: usize, length: usize| text.floor_char_boundary(at + length).max(at);
        match self {
            Self::Flip { at, bit } => {
                let mut bytes = text.as_bytes().to_vec();
                let at = at.index(bytes.len().max(1));
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << bit;
                }
                String::from_utf8_lossy(&bytes).into_owned()
            }
            Self::Splice { at, out, piece } => {
                let at = place(at);
                [&text[..at], piece, &text[end(at, *out)..]].concat()
            }
            Self::Repeat { at, from, length } => {
                let (at, from) = (place(at), place(from));
                [&text[..at], &text[from..end(from, *length)], &text[at..]].concat()
            }
            Self::SwapLines(..) | Self::DoubleLine(..) | Self::DropLine(_) => self.apply_to_lines(text),
            Self::Value(at, new) => with_value_replaced(text, at, new),
            Self::Token(at, new) => {
                let tokens = tokens(text);
                if tokens.is_empty() {
                    return text.to_owned();
                }
                let new = new.text(|other| text[other.get(&tokens).clone()].to_owned());
                let token = at.get(&tokens).clone();
                [&text[..token.start], &new, &text[token.end..]].concat()
            }
        }
    }

    fn apply_to_lines(&self, text: &str) -> String {
        let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
        if lines.is_empty() {
            return String::new();
        }
        let count = lines.len();
        match self {
            Self::SwapLines(a, b) => lines.swap(a.index(count), b.index(count)),
            Self::DoubleLine(a, b) => lines.insert(b.index(count), lines[a.index(count)]),
            Self::DropLine(a) => drop(lines.remove(a.index(count))),
            _ => {}
        }
        lines.concat()
    }
}

impl New {
    fn text(&self, other: impl Fn(&Index) -> String) -> String {
        match self {
            Self::Piece(piece) => (*piece).to_owned(),
            Self::Number(number) => number.to_string(),
            Self::Other(index) => other(index),
        }
    }
}

fn with_value_replaced(text: &str, at: &Index, new: &New) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let keys: Vec<usize> = (0..lines.len()).filter(|line| lines[*line].contains(" = ")).collect();
    if keys.is_empty() {
        return text.to_owned();
    }
    let value = |other: &Index| {
        let line = &lines[*other.get(&keys)];
        line.split_once(" = ").map_or(String::new(), |(_, value)| value.to_owned())
    };
    let (new, line) = (new.text(value), *at.get(&keys));
    if let Some((key, _)) = lines[line].split_once(" = ") {
        lines[line] = format!("{key} = {new}");
    }
    lines.join("\n") + "\n"
}

fn tokens(text: &str) -> Vec<std::ops::Range<usize>> {
    let mut tokens: Vec<std::ops::Range<usize>> = Vec::new();
    let mut quoted = false;
    let mut word = false;
    for (at, c) in text.char_indices() {
        let end = at + c.len_utf8();
        let part = quoted || c.is_alphanumeric() || "-_.".contains(c);
        match tokens.last_mut() {
            Some(last) if part && word && last.end == at => last.end = end,
            _ if c.is_whitespace() && !quoted => {}
            _ => tokens.push(at..end),
        }
        word = part || c == '"';
        quoted ^= c == '"';
        quoted &= c != '\n';
    }
    tokens
}
