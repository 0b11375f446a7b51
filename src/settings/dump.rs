//! The command `dump`: memory as `hexdump -Cv` prints it, rendered line by line, and then the answer.

use super::values::Settings;
use crate::block::Lba;
use crate::text::Writer;
use crate::volume::Windows;
use core::fmt;

/// Bytes in a line, and the line's length with its end: 8 digits, two blanks, sixteen times two digits and a blank, with one more
/// after eight of them, and the text between bars.
const BYTES: u32 = 16;
const LINE: u32 = 80;

/// Maximum length of a dump: the bytes of its lines are counted in 32 bits.
const LONGEST: u32 = 0x0400_0000;

/// What the console reaches of the board, in addition to the settings.
#[derive(Clone, Copy)]
pub struct Reach<'a> {
    /// The memory that files show.
    pub windows: Windows<'a>,
    /// Restarts in BOOTSEL mode a moment after it has returned, if the manifest lets hosts do that.
    pub bootsel: Option<&'a (dyn Fn() + Sync)>,
}

impl<'a> Reach<'a> {
    /// What files show of `memory`, and no restart.
    #[must_use]
    pub const fn new(windows: Windows<'a>) -> Self {
        Self { windows, bootsel: None }
    }
}

/// An address and a length, each decimal or with 0x.
pub(super) fn range(arguments: &[u8]) -> Option<(u32, u32)> {
    let mut words = arguments.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let (address, length) = (number(words.next()?)?, number(words.next()?)?);
    (words.next().is_none() && (1..=LONGEST).contains(&length)).then_some((address, length))
}

fn number(word: &[u8]) -> Option<u32> {
    let (digits, radix) = match word {
        [b'0', b'x' | b'X', digits @ ..] => (digits, 16),
        digits => (digits, 10),
    };
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u32, |number, digit| {
        let digit = char::from(*digit).to_digit(radix)?;
        number.checked_mul(radix)?.checked_add(digit)
    })
}

/// Whether a received line looks like one of a dump: a terminal has sent it back.
pub(super) fn is_line(text: &[u8]) -> bool {
    text.get(8..10) == Some(b"  ") && text.ends_with(b"|")
}

impl Settings<'_> {
    /// Whether files on the volume show all of that memory.
    pub(super) fn shows(&self, address: u32, length: u32) -> bool {
        self.reach().is_some_and(|reach| reach.windows.show(address, length, &|first| self.hides(first)))
    }

    /// Whether the file whose blocks begin at one is not on the volume. (A file of a redacted window has several regions.)
    fn hides(&self, first: Lba) -> bool {
        self.hidden().any(|file| first.0.wrapping_sub(file.blocks.0.0) < file.blocks.1.0)
    }

    /// Renders the dump from its byte `begin` on, and then what `end` writes.
    pub(super) fn write_dump(
        &self,
        (address, length): (u32, u32),
        begin: u32,
        out: &mut [u8],
        end: impl FnOnce(&mut Writer<'_>) -> fmt::Result,
    ) -> usize {
        // Every line but the last has the same length, so the lines before `begin` need not be rendered.
        let last = (length - 1) / BYTES;
        let first = (begin / LINE).min(last);
        let mut writer = Writer::new((begin - first * LINE) as usize, out);
        // The reader fetches what does not fit with its next read.
        let _ = self.write_lines((address, length), first, &mut writer).and_then(|()| end(&mut writer));
        writer.filled()
    }

    fn write_lines(&self, (address, length): (u32, u32), first: u32, out: &mut Writer<'_>) -> fmt::Result {
        let Some(reach) = self.reach() else { return Ok(()) };
        let mut offset = first * BYTES;
        while offset < length {
            let mut bytes = [0; BYTES as usize];
            let count = (length - offset).min(BYTES) as usize;
            let bytes = bytes.get_mut(..count).unwrap_or_default();
            let at = address.wrapping_add(offset);
            reach.windows.read(at, &|first| self.hides(first), bytes);
            write_line(at, bytes, out)?;
            offset += BYTES;
        }
        out.hexadecimal(u64::from(address) + u64::from(length), 8, b'a')?;
        out.text("\r\n")
    }
}

// Not inlined, because it is shorter.
#[inline(never)]
fn write_line(address: u32, bytes: &[u8], out: &mut Writer<'_>) -> fmt::Result {
    out.hexadecimal(address.into(), 8, b'a')?;
    for place in 0..BYTES as usize {
        out.text(if place % 8 == 0 { "  " } else { " " })?;
        match bytes.get(place) {
            Some(byte) => out.hexadecimal((*byte).into(), 2, b'a')?,
            None => out.text("  ")?,
        }
    }
    out.text("  |")?;
    for byte in bytes {
        out.bytes(&[if byte.is_ascii_graphic() || *byte == b' ' { *byte } else { b'.' }])?;
    }
    out.text("|\r\n")
}
