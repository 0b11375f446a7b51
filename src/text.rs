//! Text that is rendered on demand: every read writes the whole text again and keeps only the bytes that it asked for, so no
//! buffer for the whole is needed.
//!
//! Numbers and JSON (RFC 8259) are written here without `core::fmt`, which would add several kilobytes to a program that does
//! not use it otherwise.

use core::fmt::{self, Write};
use core::num::NonZero;

/// Writes one part of a text into a buffer. The whole text is passed through it: bytes before the part are skipped, and once
/// the buffer is full, [`fmt::Error`] tells the caller to stop.
pub struct Writer<'o> {
    skip: usize,
    out: &'o mut [u8],
    filled: usize,
}

/// Writes the text for a letter of a [`template`](Writer::template).
pub type Insert<'p, 'o> = &'p mut dyn FnMut(u8, &mut Writer<'o>) -> fmt::Result;

impl<'o> Writer<'o> {
    /// Skips the first `skip` bytes of the text and writes the following ones to `out` until it is full.
    pub fn new(skip: usize, out: &'o mut [u8]) -> Self {
        Self { skip, out, filled: 0 }
    }

    /// Length in bytes of the text that `write` writes.
    pub fn length(write: impl FnOnce(&mut Writer<'_>) -> fmt::Result) -> usize {
        let mut writer = Writer::new(usize::MAX, &mut []);
        // Cannot fail: all bytes are skipped.
        let _ = write(&mut writer);
        usize::MAX - writer.skip
    }

    /// Number of bytes written to `out`.
    #[must_use]
    pub fn filled(&self) -> usize {
        self.filled
    }

    /// Writes bytes as they are.
    ///
    /// # Errors
    /// Not all of them fitted, here and below.
    pub fn bytes(&mut self, bytes: &[u8]) -> fmt::Result {
        let skipped = self.skip.min(bytes.len());
        self.skip -= skipped;
        let room = self.out.get_mut(self.filled..).unwrap_or_default();
        let rest = bytes.get(skipped..).unwrap_or_default();
        for (byte, value) in room.iter_mut().zip(rest) {
            *byte = *value;
            self.filled += 1;
        }
        if rest.len() > room.len() { Err(fmt::Error) } else { Ok(()) }
    }

    /// Writes text without escaping it.
    ///
    /// # Errors
    /// As [`bytes`](Self::bytes).
    pub fn text(&mut self, text: &str) -> fmt::Result {
        self.bytes(text.as_bytes())
    }

    /// Writes a character.
    ///
    /// # Errors
    /// As [`bytes`](Self::bytes).
    pub fn character(&mut self, character: char) -> fmt::Result {
        self.text(character.encode_utf8(&mut [0; 4]))
    }

    /// Writes a number.
    ///
    /// # Errors
    /// As [`bytes`](Self::bytes).
    pub fn decimal(&mut self, number: u64) -> fmt::Result {
        // `u64::MAX` has 20 digits.
        let mut digits = [0; 20];
        let mut rest = number;
        let mut begin = digits.len();
        for place in digits.iter_mut().rev() {
            let digit;
            (rest, digit) = divide(rest, const { NonZero::new(10).unwrap() });
            *place = b'0' + digit as u8;
            begin -= 1;
            if rest == 0 {
                break;
            }
        }
        self.bytes(digits.get(begin..).unwrap_or_default())
    }

    /// Writes a number that may be negative.
    ///
    /// # Errors
    /// As [`bytes`](Self::bytes).
    pub fn signed(&mut self, number: i64) -> fmt::Result {
        if number < 0 {
            self.text("-")?;
        }
        self.decimal(number.unsigned_abs())
    }

    /// Writes the last `digits` hexadecimal digits of a number. `ten` selects their case: `a` or `A`.
    ///
    /// # Errors
    /// As [`bytes`](Self::bytes).
    pub fn hexadecimal(&mut self, number: u64, digits: u8, ten: u8) -> fmt::Result {
        (0..digits).rev().try_for_each(|place| {
            let digit = number.checked_shr(4 * u32::from(place)).unwrap_or(0) as u8 & 0xF;
            self.bytes(&[if digit < 10 { b'0' + digit } else { ten + digit - 10 }])
        })
    }

    /// Writes text as a JSON string.
    ///
    /// # Errors
    /// As [`bytes`](Self::bytes).
    pub fn quoted(&mut self, text: &str) -> fmt::Result {
        self.text("\"")?;
        self.escaped(text.as_bytes())?;
        self.text("\"")
    }

    /// Writes what is between a JSON string's quotation marks.
    ///
    /// # Errors
    /// As [`bytes`](Self::bytes).
    pub fn escaped(&mut self, text: &[u8]) -> fmt::Result {
        text.iter().try_for_each(|byte| match byte {
            b'"' | b'\\' => self.bytes(&[b'\\', *byte]),
            // RFC 8259 section 7 requires escapes for control characters. DEL is escaped for the sake of terminals.
            0..=0x1F | 0x7F => {
                self.text("\\u00")?;
                self.hexadecimal((*byte).into(), 2, b'a')
            }
            _ => self.bytes(&[*byte]),
        })
    }

    /// Writes bytes as a JSON string. Invalid UTF-8 is replaced by U+FFFD.
    ///
    /// # Errors
    /// As [`bytes`](Self::bytes).
    pub fn quoted_bytes(&mut self, bytes: &[u8]) -> fmt::Result {
        self.text("\"")?;
        for chunk in bytes.utf8_chunks() {
            self.escaped(chunk.valid().as_bytes())?;
            if !chunk.invalid().is_empty() {
                self.character(char::REPLACEMENT_CHARACTER)?;
            }
        }
        self.text("\"")
    }

    /// Writes `template`. Wherever it has `$` and a letter, `insert` is called to write the replacement.
    ///
    /// # Errors
    /// Those of `insert`, and as [`bytes`](Self::bytes).
    pub fn template(&mut self, template: &str, insert: Insert<'_, 'o>) -> fmt::Result {
        let mut parts = template.as_bytes().split(|byte| *byte == b'$');
        self.bytes(parts.next().unwrap_or_default())?;
        for part in parts {
            if let [letter, text @ ..] = part {
                insert(*letter, self)?;
                self.bytes(text)?;
            }
        }
        Ok(())
    }
}

impl Write for Writer<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.text(text)
    }
}

/// Quotient and remainder, computed in steps of 16 bits: on processors without a 64-bit division, the library routine takes a
/// kilobyte.
#[must_use]
pub fn divide(number: u64, by: NonZero<u16>) -> (u64, u16) {
    let by = NonZero::<u32>::from(by);
    let (mut quotient, mut rest) = (0, 0);
    for shift in [48, 32, 16, 0] {
        let part = rest << 16 | (number >> shift) as u32 & 0xFFFF;
        quotient |= u64::from(part / by) << shift;
        rest = part % by;
    }
    (quotient, rest as u16)
}

#[cfg(test)]
mod tests {
    use super::*;
    extern crate std;
    use std::format;
    use std::string::String;
    use std::vec;

    fn written(write: impl Fn(&mut Writer<'_>) -> fmt::Result) -> String {
        let mut out = vec![0; Writer::length(&write)];
        let mut writer = Writer::new(0, &mut out);
        write(&mut writer).unwrap();
        assert_eq!(writer.filled(), out.len());
        String::from_utf8(out).unwrap()
    }

    #[test]
    #[cfg_attr(miri, ignore = "takes minutes in Miri")]
    fn every_part_of_a_text_is_written() {
        let whole = "{\"label\":\"Größe\"}\r\n";
        for skip in 0..=whole.len() {
            for length in 0..=whole.len() + 1 {
                let mut out = vec![0; length];
                let mut writer = Writer::new(skip, &mut out);
                let result = whole.chars().try_for_each(|character| writer.character(character));
                let filled = writer.filled();
                assert_eq!(result.is_ok(), skip + length >= whole.len());
                assert_eq!(out[..filled], whole.as_bytes()[skip..whole.len().min(skip + length)]);
            }
        }
    }

    #[test]
    fn numbers_are_written() {
        for number in [0, 1, 9, 10, 65_535, 65_536, 655_360, 999_999_999_999, 1 << 48, u64::MAX - 1, u64::MAX] {
            assert_eq!(written(|out| out.decimal(number)), format!("{number}"));
            assert_eq!(written(|out| out.hexadecimal(number, 16, b'a')), format!("{number:016x}"));
            assert_eq!(written(|out| out.hexadecimal(number, 3, b'A')), format!("{:03X}", number & 0xFFF));
            for by in [1, 7, 10, 1000, u16::MAX] {
                let (quotient, rest) = divide(number, NonZero::new(by).unwrap());
                assert_eq!((quotient, u64::from(rest)), (number / u64::from(by), number % u64::from(by)));
            }
        }
        for number in [0, -1, 7, -3600, i64::MAX, i64::MIN] {
            assert_eq!(written(|out| out.signed(number)), format!("{number}"));
        }
    }

    #[test]
    fn texts_are_escaped() {
        assert_eq!(written(|out| out.quoted("a\"b\\c\n\x7F\0")), r#""a\"b\\c\u000a\u007f\u0000""#);
        assert_eq!(written(|out| out.quoted("Größe 🦀")), "\"Größe 🦀\"");
        assert_eq!(written(|out| out.quoted_bytes("Größe \"🦀\"".as_bytes())), "\"Größe \\\"🦀\\\"\"");
        assert_eq!(written(|out| out.quoted_bytes(b"a\xFFb\xE6\x97")), "\"a\u{FFFD}b\u{FFFD}\"");
    }

    #[test]
    fn templates_are_filled() {
        let filled = |template: &str| {
            written(|out| {
                out.template(template, &mut |letter, out| match letter {
                    b'n' => out.decimal(12),
                    b'o' => Ok(()),
                    _ => out.character('?'),
                })
            })
        };
        assert_eq!(filled(""), "");
        assert_eq!(filled("no place"), "no place");
        assert_eq!(filled("$n"), "12");
        assert_eq!(filled("a $n$o$n, {$x}$"), "a 1212, {?}");
        let mut out = [0; 4];
        let mut writer = Writer::new(1, &mut out);
        assert_eq!(writer.template("ab$ncd", &mut |_, out| out.decimal(345)), Err(fmt::Error));
        assert_eq!(&out, b"b345");
    }
}
