//! Good manifests, and edits of them that anybody's hand could slip into.

use super::random::Random;

/// The stock manifest.
pub const STOCK: &str = include_str!("../../../picovd.toml");

/// Pieces that manifests are made of, and some that they should not be made of.
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

/// Small manifests which together say everything that can be said; short, so that a mutation hits something.
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

/// One edit of a text, or up to three.
pub fn mutated(random: &mut Random, good: &str) -> String {
    let mut text = good.to_owned();
    for _ in 0..=random.below(4).saturating_sub(1) {
        text = match random.below(8) {
            0 => flipped(random, &text),
            1 | 2 => spliced(random, &text),
            3 => with_lines_moved(random, &text),
            4 | 5 => with_values_exchanged(random, &text),
            _ => with_a_token_replaced(random, &text),
        };
    }
    text
}

/// A bit of a byte. What then is no UTF-8 becomes U+FFFD: reading bytes is another test's.
fn flipped(random: &mut Random, text: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let at = random.below(bytes.len().max(1));
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= 1 << random.below(8);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A range taken out, a piece put in, or a range of the text put in once more.
fn spliced(random: &mut Random, text: &str) -> String {
    let boundary = |at: usize| text.floor_char_boundary(at);
    let at = boundary(random.below(text.len() + 1));
    let end = boundary(at + random.below(12)).max(at);
    let from = boundary(random.below(text.len() + 1));
    let upto = boundary(from + random.below(200)).max(from);
    let (end, piece) = match random.below(4) {
        0 => (end, ""),
        1 => (at, PIECES[random.below(PIECES.len())]),
        2 => (end, PIECES[random.below(PIECES.len())]),
        _ => (at, &text[from..upto]),
    };
    [&text[..at], piece, &text[end..]].concat()
}

/// Two lines exchanged, one doubled, or one taken out.
fn with_lines_moved(random: &mut Random, text: &str) -> String {
    let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
    if lines.is_empty() {
        return String::new();
    }
    let (a, b) = (random.below(lines.len()), random.below(lines.len()));
    match random.below(3) {
        0 => lines.swap(a, b),
        1 => lines.insert(b, lines[a]),
        _ => drop(lines.remove(a)),
    }
    lines.concat()
}

/// A key's value replaced by another key's, by a number or by a piece.
fn with_values_exchanged(random: &mut Random, text: &str) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let keys: Vec<usize> = (0..lines.len()).filter(|line| lines[*line].contains(" = ")).collect();
    if keys.is_empty() {
        return spliced(random, text);
    }
    let (line, other) = (keys[random.below(keys.len())], keys[random.below(keys.len())]);
    let value = match random.below(4) {
        0 => random.next().to_string(),
        1 => PIECES[random.below(PIECES.len())].to_owned(),
        _ => lines[other].split_once(" = ").map_or(String::new(), |(_, value)| value.to_owned()),
    };
    if let Some((key, _)) = lines[line].split_once(" = ") {
        lines[line] = format!("{key} = {value}");
    }
    lines.join("\n") + "\n"
}

/// A word, number, quoted text or sign replaced by another one of the same text, or by a piece.
fn with_a_token_replaced(random: &mut Random, text: &str) -> String {
    let tokens = tokens(text);
    if tokens.is_empty() {
        return spliced(random, text);
    }
    let (token, other) = (tokens[random.below(tokens.len())].clone(), tokens[random.below(tokens.len())].clone());
    let new = if random.below(3) == 0 { PIECES[random.below(PIECES.len())] } else { &text[other] };
    [&text[..token.start], new, &text[token.end..]].concat()
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
