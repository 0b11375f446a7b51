//! Names that every host can open and tell apart, which are fewer than exFAT itself allows.
//!
//! The same rules apply to every name on a stick. If a name breaks them, the manifest's check reports it, a dynamic file of
//! that name is refused, and a name that was found on the device (a partition's) is adapted.
//!
//! Hosts may also confuse two names that exFAT (7.2) tells apart: macOS compares names after Unicode normalization.
//! [`is_alike`] finds such pairs without Unicode's tables.

use core::fmt;

use crate::upcase::upcase;

/// Why some host cannot open a file of that name, or does not display the name correctly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unportable {
    /// Windows reserves the name for a device, with or without an extension.
    Device,
    /// It ends in a space or a dot, which Windows removes.
    Ending,
    /// It contains a character that is invisible, or that changes how the surrounding text is displayed.
    Unseen(char),
}

impl fmt::Display for Unportable {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device => out.write_str("Windows reserves the name for a device"),
            Self::Ending => out.write_str("the name ends in a space or a dot"),
            Self::Unseen(unseen) => write!(out, "the name contains U+{:04X}, which is invisible", u32::from(*unseen)),
        }
    }
}

impl core::error::Error for Unportable {}

/// Checks that every host can open a file of that name. Does not repeat the checks of [`Name`](crate::name::Name).
///
/// # Errors
/// The first rule that the name breaks.
pub fn check(name: &str) -> Result<(), Unportable> {
    let plain = name.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    if !plain && let Some(unseen) = name.chars().find(|character| is_unseen(*character)) {
        return Err(Unportable::Unseen(unseen));
    }
    if name.ends_with([' ', '.']) {
        return Err(Unportable::Ending);
    }
    if is_device(name.as_bytes()) { Err(Unportable::Device) } else { Ok(()) }
}

/// Whether a character is invisible: a control character, or one that changes the direction of text, has no width, or is
/// meant for markup. Zero width joiner and non-joiner are part of the spelling in many scripts, and are accepted.
#[must_use]
pub const fn is_unseen(character: char) -> bool {
    matches!(
        character,
        // C0, DEL and C1.
        '\0'..='\x1F' | '\x7F'..='\u{9F}'
        // Direction marks: Arabic letter mark, left to right, right to left.
        | '\u{061C}' | '\u{200E}' | '\u{200F}'
        // Mongolian vowel separator and zero width space.
        | '\u{180E}' | '\u{200B}'
        // Line and paragraph separators, then embeddings and overrides.
        | '\u{2028}'..='\u{202E}'
        // Word joiner, invisible operators, isolates, and deprecated characters.
        | '\u{2060}'..='\u{206F}'
        // Byte order mark, interlinear annotation, and noncharacters.
        | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{FFFE}' | '\u{FFFF}' | '\u{FDD0}'..='\u{FDEF}'
    )
}

/// Whether Windows takes the name, with or without something after a dot, for a device, so that it cannot open the file
/// ("Naming Files, Paths, and Namespaces" of its documentation). The name is UTF-8; other bytes are never part of a
/// device's name.
#[must_use]
pub fn is_device(name: &[u8]) -> bool {
    let stem = name.split(|byte| *byte == b'.').next().unwrap_or(name).trim_ascii_end();
    let is = |devices: &[&str]| devices.iter().any(|device| stem.eq_ignore_ascii_case(device.as_bytes()));
    let (port, number) = stem.split_at_checked(3).unwrap_or((stem, &[]));
    let is_port = port.eq_ignore_ascii_case(b"COM") || port.eq_ignore_ascii_case(b"LPT");
    // Windows takes the superscripts 1, 2 and 3 of Latin 1 for digits here.
    let numbers = matches!(number, [b'1'..=b'9'] | [0xC2, 0xB9 | 0xB2 | 0xB3]);
    is(&["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"]) || is_port && numbers
}

/// Whether some host may confuse two names: their up-cased units are equal (7.2), or may be equal after Unicode
/// normalization.
///
/// Unicode's tables would be larger than the rest of the file system. Without them, it is unknown which letter and which
/// marks a composed letter consists of. So a letter with marks is assumed to be like any composed letter at the same
/// position, and a character that normalization replaces is assumed to be like any other. The answer is therefore true for
/// all names that normalization makes equal, and may also be true for two names that readers can tell apart if one of them
/// is composed and the other is not: `e` and U+0301 is like `è`. Two composed names are alike only if they are equal.
/// Characters beyond U+FFFF are not compared this way, nor is the order of marks in scripts other than Latin, Greek,
/// Cyrillic, Hebrew and Arabic.
#[must_use]
pub fn is_alike(one: impl Iterator<Item = u16> + Clone, other: impl Iterator<Item = u16> + Clone) -> bool {
    let (mut one, mut other) = (one.map(upcase), other.map(upcase));
    loop {
        match (letter(&mut one), letter(&mut other)) {
            (None, None) => return true,
            (Some(one), Some(other)) if one.is_alike(other) => {}
            _ => return false,
        }
    }
}

/// A unit and the marks after it.
#[derive(Clone, Copy)]
struct Letter {
    base: u16,
    marks: u8,
    /// Sum of the marks: the order of marks on different sides of the letter does not matter.
    sum: u16,
    replaced: bool,
}

/// Takes the next letter.
fn letter(units: &mut (impl Iterator<Item = u16> + Clone)) -> Option<Letter> {
    let base = units.next()?;
    let mut letter = Letter { base, marks: 0, sum: 0, replaced: within(&REPLACED, base) };
    loop {
        let mut ahead = units.clone();
        let Some(mark) = ahead.next().filter(|unit| within(&MARKS, *unit)) else { return Some(letter) };
        *units = ahead;
        letter.marks = letter.marks.saturating_add(1);
        letter.sum = letter.sum.wrapping_add(mark);
        letter.replaced |= within(&REPLACED, mark);
    }
}

impl Letter {
    fn is_alike(self, other: Self) -> bool {
        if self.base == other.base && self.sum == other.sum || self.replaced || other.replaced {
            return true;
        }
        let (more, fewer) = if self.marks < other.marks { (other, self) } else { (self, other) };
        let composed = |letter: Self| within(&COMPOSED, letter.base);
        if more.marks == fewer.marks {
            // Each of the two may be composed, with a different one of the marks.
            return more.sum != fewer.sum && composed(more) && composed(fewer);
        }
        composed(fewer)
    }
}

/// Whether `unit` is in one of the ranges.
fn within(ranges: &[(u16, u16)], unit: u16) -> bool {
    unit > 0x7F && ranges.iter().any(|(first, last)| (*first..=*last).contains(&unit))
}

/// Marks at the end of canonical decompositions, and those that may change places with one of them.
#[rustfmt::skip]
static MARKS: [(u16, u16); 29] = [
    (0x0300, 0x036F), (0x0591, 0x05C7), (0x064B, 0x065F), (0x0670, 0x0670), (0x093C, 0x093C), (0x09BC, 0x09BE),
    (0x09D7, 0x09D7), (0x0A3C, 0x0A3C), (0x0B3C, 0x0B3E), (0x0B56, 0x0B57), (0x0BBE, 0x0BBE), (0x0BD7, 0x0BD7),
    (0x0C56, 0x0C56), (0x0CC2, 0x0CC2), (0x0CD5, 0x0CD6), (0x0D3E, 0x0D3E), (0x0D57, 0x0D57), (0x0DCA, 0x0DCA),
    (0x0DCF, 0x0DCF), (0x0DDF, 0x0DDF), (0x0F71, 0x0F75), (0x0F80, 0x0F81), (0x0FB5, 0x0FB7), (0x102E, 0x102E),
    (0x1161, 0x1175), (0x11A8, 0x11C2), (0x1B35, 0x1B35), (0x20D0, 0x20DC), (0x3099, 0x309A),
];

/// Letters with a canonical decomposition into several characters, and a few neighbours of theirs.
#[rustfmt::skip]
static COMPOSED: [(u16, u16); 47] = [
    (0x00C0, 0x017E), (0x01A0, 0x01B0), (0x01CD, 0x0233), (0x0385, 0x0390), (0x03AA, 0x03B0), (0x03CA, 0x03D4),
    (0x0400, 0x0419), (0x0439, 0x0439), (0x0450, 0x045E), (0x0476, 0x0477), (0x04C1, 0x04F9), (0x0622, 0x0626),
    (0x06C0, 0x06D3), (0x0929, 0x0934), (0x0958, 0x095F), (0x09CB, 0x09DF), (0x0A33, 0x0A36), (0x0A59, 0x0A5E),
    (0x0B48, 0x0B5D), (0x0B94, 0x0B94), (0x0BCA, 0x0BCC), (0x0C48, 0x0C48), (0x0CC0, 0x0CCB), (0x0D4A, 0x0D4C),
    (0x0DDA, 0x0DDE), (0x0F43, 0x0F81), (0x0F93, 0x0FB9), (0x1026, 0x1026), (0x1B06, 0x1B12), (0x1B3B, 0x1B43),
    (0x1E00, 0x1FFC), (0x212B, 0x212B), (0x219A, 0x219B), (0x21AE, 0x21AE), (0x21CD, 0x21CF), (0x2204, 0x220C),
    (0x2224, 0x2226), (0x2241, 0x2249), (0x2260, 0x2289), (0x22AC, 0x22AF), (0x22E0, 0x22ED), (0x2ADC, 0x2ADC),
    (0x304C, 0x307D), (0x3094, 0x30DD), (0x30F4, 0x30FE), (0xAC00, 0xD7A3), (0xFB1D, 0xFB4E),
];

/// Characters that normalization replaces by a single other one: tone marks, capital Greek letters with oxia, the ohm,
/// kelvin and angstrom signs, CJK compatibility ideographs. Also Tibetan marks that it decomposes.
#[rustfmt::skip]
static REPLACED: [(u16, u16); 23] = [
    (0x0340, 0x0344), (0x0374, 0x0374), (0x037E, 0x037E), (0x0387, 0x0387), (0x0F73, 0x0F73), (0x0F75, 0x0F75),
    (0x0F81, 0x0F81), (0x1FBB, 0x1FBB), (0x1FBE, 0x1FBE), (0x1FC9, 0x1FC9), (0x1FCB, 0x1FCB), (0x1FD3, 0x1FD3),
    (0x1FDB, 0x1FDB), (0x1FE3, 0x1FE3), (0x1FEB, 0x1FEB), (0x1FEE, 0x1FEF), (0x1FF9, 0x1FF9), (0x1FFB, 0x1FFB),
    (0x1FFD, 0x1FFD), (0x2000, 0x2001), (0x2126, 0x212B), (0x2329, 0x232A), (0xF900, 0xFAD9),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn alike(one: &str, other: &str) -> bool {
        is_alike(one.encode_utf16(), other.encode_utf16())
    }

    #[test]
    fn devices_are_those_of_windows() {
        for name in [
            "CON",
            "con",
            "Prn",
            "AUX",
            "NUL",
            "nul.txt",
            "NUL.tar.gz",
            "CON .txt",
            "COM1",
            "com9.log",
            "LPT1",
            "LPT9.x",
            "COM\u{B9}",
            "com\u{B2}.txt",
            "LPT\u{B3}",
            "CONIN$",
            "conout$",
            "CONOUT$.txt",
        ] {
            assert_eq!(check(name), Err(Unportable::Device), "{name}");
        }
        for name in [
            "CONS",
            "CO",
            "COM",
            "COM0",
            "COM10",
            "COMA",
            "LPT",
            "LPT\u{B4}",
            "XCON",
            "NULL",
            "A.CON",
            "CONIN",
            "_CON",
            "COM\u{B9}1",
            "COM\u{C9}",
            "\u{FF23}ON",
            "CLOCK$",
        ] {
            assert_eq!(check(name), Ok(()), "{name}");
        }
    }

    #[test]
    fn endings_and_unseen_characters() {
        for name in ["a.", "a ", "a. .", "...", " ", "CON."] {
            assert_eq!(check(name), Err(Unportable::Ending), "{name:?}");
        }
        for unseen in [
            '\u{7F}', '\u{80}', '\u{9F}', '\u{61C}', '\u{200E}', '\u{202E}', '\u{2066}', '\u{2069}', '\u{FEFF}',
            '\u{FFFF}',
        ] {
            let mut text = [b'a'; 5];
            unseen.encode_utf8(&mut text[1..]);
            let name = core::str::from_utf8(&text[..=unseen.len_utf8()]).unwrap();
            assert_eq!(check(name), Err(Unportable::Unseen(unseen)), "{name:?}");
        }
        // Joiners are part of words and emoji; Windows keeps other spaces and dots.
        for name in
            [" a", ".a", "a\u{200D}b", "a\u{200C}b", "a\u{A0}", "a\u{3002}", "\u{1F468}\u{200D}\u{1F469}", "é", "ﷺ"]
        {
            assert_eq!(check(name), Ok(()), "{name:?}");
        }
    }

    #[test]
    fn names_that_normalization_makes_equal_are_alike() {
        for (one, other) in [
            ("a", "A"),
            ("\u{E9}.txt", "e\u{301}.txt"),
            ("\u{C9}.TXT", "e\u{301}.txt"),
            ("\u{1EC7}", "e\u{302}\u{323}"),
            ("\u{1EB9}\u{302}", "\u{EA}\u{323}"),
            ("\u{D55C}", "\u{1112}\u{1161}\u{11AB}"),
            ("\u{212A}", "k"),
            ("\u{212B}", "a\u{30A}"),
            ("\u{30D1}", "\u{30CF}\u{309A}"),
        ] {
            assert!(alike(one, other) && alike(other, one), "{one:?} and {other:?}");
        }
    }

    #[test]
    fn other_names_are_not_alike() {
        for (one, other) in [
            ("a", "b"),
            ("a", "aa"),
            ("", "a"),
            ("\u{E9}", "\u{E8}"),
            ("\u{E9}", "e"),
            ("e\u{301}", "e\u{300}"),
            ("e\u{301}", "e"),
            ("e\u{301}", "x"),
            // Words whose composed form has marks as well: Yoruba, Hindi, Bengali, Thai.
            ("\u{1EB9}\u{301}", "\u{1ECD}\u{301}"),
            ("\u{915}\u{93E}", "\u{916}\u{93E}"),
            ("\u{995}\u{9BE}", "\u{996}\u{9BE}"),
            ("\u{E01}\u{E38}", "\u{E02}"),
            ("日", "本"),
        ] {
            assert!(!alike(one, other) && !alike(other, one), "{one:?} and {other:?}");
        }
    }
}
