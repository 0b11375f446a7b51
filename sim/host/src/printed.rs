//! Text from a device or a foreign disk, for a terminal: what could move the cursor, recolour the screen or reverse the
//! surrounding text is shown as an escape.

use std::fmt;
use std::io;

/// Text that is shown escaped, including line breaks.
#[derive(Clone, Copy, Debug)]
pub struct Printed<'t>(pub &'t str);

impl fmt::Display for Printed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        for character in self.0.chars() {
            if is_unseen(character) { text.extend(character.escape_unicode()) } else { text.push(character) }
        }
        f.pad(&text)
    }
}

/// Whether a character is invisible (Unicode's Cc, Zl and Zp, and its direction and format marks). Joiners are part of
/// emoji and of many scripts.
fn is_unseen(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{AD}' | '\u{61C}' | '\u{180E}' | '\u{200B}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}'
        )
}

/// Writes lines with everything escaped except line endings and tabs: a safety net for code that prints names.
pub struct Lines<W: io::Write> {
    out: W,
    /// The start of a character that is still incomplete.
    begun: Vec<u8>,
}

impl<W: io::Write> Lines<W> {
    /// Nothing written so far.
    pub fn new(out: W) -> Self {
        Self { out, begun: Vec::new() }
    }

    /// Escapes `bytes`, except an incomplete character at their end.
    fn escaped(bytes: &[u8]) -> (String, Vec<u8>) {
        let mut text = String::new();
        let mut chunks = bytes.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            for character in chunk.valid().chars() {
                if is_unseen(character) && !matches!(character, '\n' | '\r' | '\t') {
                    text.extend(character.escape_unicode());
                } else {
                    text.push(character);
                }
            }
            let invalid = chunk.invalid();
            let incomplete = std::str::from_utf8(invalid).is_err_and(|error| error.error_len().is_none());
            if chunks.peek().is_none() && incomplete {
                return (text, invalid.to_vec());
            }
            text.extend(invalid.iter().map(|byte| format!("\\x{byte:02x}")));
        }
        (text, Vec::new())
    }
}

impl<W: io::Write> io::Write for Lines<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.begun.extend_from_slice(bytes);
        let (text, begun) = Self::escaped(&self.begun);
        self.begun = begun;
        self.out.write_all(text.as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::{Lines, Printed};
    use std::io::Write;

    #[test]
    fn names_are_shown_in_one_line() {
        assert_eq!(Printed("Größe 日本 👨\u{200D}👩.txt").to_string(), "Größe 日本 👨\u{200D}👩.txt");
        assert_eq!(Printed("a\n\u{1B}[2J\u{7F}\u{9B}").to_string(), "a\\u{a}\\u{1b}[2J\\u{7f}\\u{9b}");
        assert_eq!(Printed("exe\u{202E}txt").to_string(), "exe\\u{202e}txt");
        assert_eq!(format!("{:<5}|", Printed("ab")), "ab   |");
    }

    #[test]
    fn lines_are_escaped_however_they_are_cut() {
        let said = "Größe\r\n\u{1B}]0;title\u{7}\t\u{202E}".as_bytes();
        let said = [said, b"\xFF\xE6\x97a"].concat();
        for cut in 0..=said.len() {
            let mut out = Vec::new();
            let mut lines = Lines::new(&mut out);
            lines.write_all(&said[..cut]).unwrap();
            lines.write_all(&said[cut..]).unwrap();
            let expected = "Größe\r\n\\u{1b}]0;title\\u{7}\t\\u{202e}\\xff\\xe6\\x97a";
            assert_eq!(String::from_utf8(out).unwrap(), expected, "cut at {cut}");
        }
    }
}
