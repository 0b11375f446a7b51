//! What JSON (RFC 8259) needs beside `write!`.

use core::fmt::{self, Display, Formatter, Write};

/// Bytes as a JSON string: UTF-8, and U+FFFD for what is not.
pub(super) struct Text<'a>(pub &'a [u8]);

impl Display for Text<'_> {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        out.write_str("\"")?;
        for chunk in self.0.utf8_chunks() {
            for character in chunk.valid().chars() {
                match character {
                    '"' | '\\' => write!(out, "\\{character}")?,
                    // RFC 8259 section 7 wants these escaped; DEL would only make terminals do things.
                    '\0'..='\x1F' | '\x7F' => write!(out, "\\u{:04x}", u32::from(character))?,
                    _ => out.write_char(character)?,
                }
            }
            if !chunk.invalid().is_empty() {
                out.write_char(char::REPLACEMENT_CHARACTER)?;
            }
        }
        out.write_str("\"")
    }
}

/// Plain words as strings with commas between them.
pub(super) fn list<'w>(out: &mut Formatter<'_>, words: impl Iterator<Item = &'w str>) -> fmt::Result {
    for (index, word) in words.enumerate() {
        write!(out, "{}\"{word}\"", if index == 0 { "" } else { ", " })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    extern crate std;
    use std::string::ToString;

    #[test]
    fn texts_are_escaped() {
        assert_eq!(Text(b"a\"b\\c\n\x7F\0").to_string(), r#""a\"b\\c\u000a\u007f\u0000""#);
        assert_eq!(Text("Größe 🦀".as_bytes()).to_string(), "\"Größe 🦀\"");
        assert_eq!(Text(b"a\xFFb\xE6\x97").to_string(), "\"a\u{FFFD}b\u{FFFD}\"");
    }
}
