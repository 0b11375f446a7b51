//! The texts of INFO.TXT and INFO.JSON: two templates, and the values for both.

use super::info::{Form, Info, Snapshot};
use super::log::LogRing;
use crate::block::BLOCK_LENGTH;
use crate::text::{Writer, divide};
use core::fmt;
use core::num::NonZero;

/// INFO.TXT.
const TEXT: &str = "Firmware       $n $v, build $b\r\n$M\
    Chip           $c$o\r\n\
    Unique id      $i\r\n\
    Flash          $f bytes$m\r\n\
    Volume         $l, serial number $s\r\n               $L bytes, $C clusters of $k bytes\r\n\
    Generation     $g\r\n\
    Uptime         $u ms at its start\r\n\
    Last reset     $r\r\n\
    Last panic     $p\r\n\
    $S$R";

/// INFO.JSON.
const JSON: &str = r#"{
  "firmware": { "name": $n, "version": $v, "build": $b },$M
  "chip": { "name": $c, "bootrom": $o, "id": $i, "flash_size": $f },
  "volume": { "label": "$l", "serial_number": $s, "length": $L, "clusters": $C, "cluster_length": $k },
  "generation": $g,
  "uptime_ms": $u,
  "reset": $r,
  "panic": $p,$S
  "rings": {$R}
}
"#;

/// A line for each ring.
const TEXT_RING: &str = "Ring           $n: $l of $c bytes left before the oldest are overwritten\r\n";
const JSON_RING: &str = " \"$n\": { \"capacity\": $c, \"left\": $l }";

/// The report of one generation.
pub(super) struct Report<'a> {
    pub info: &'a Info<'a>,
    pub form: Form,
    pub snapshot: Snapshot<'a>,
}

impl Report<'_> {
    /// Writes all of it.
    pub fn write(&self, out: &mut Writer<'_>) -> fmt::Result {
        let template = match self.form {
            Form::Text => TEXT,
            Form::Json => JSON,
        };
        out.template(template, &mut |letter, out| self.insert(letter, out))
    }

    /// Writes the text for a letter of the templates.
    fn insert(&self, letter: u8, out: &mut Writer<'_>) -> fmt::Result {
        let (Info { program, layout, .. }, board) = (self.info, &self.snapshot.board);
        match letter {
            b'n' => self.text(program.name, out),
            b'v' => self.text(program.version, out),
            b'b' => self.text(program.build, out),
            b'c' => self.text(board.chip, out),
            b'o' => match (board.bootrom, self.form) {
                (Some(version), form) => {
                    out.text(if form == Form::Text { ", bootrom version " } else { "" })?;
                    out.decimal(version.into())
                }
                (None, Form::Text) => Ok(()),
                (None, Form::Json) => out.text("null"),
            },
            b'i' => match (board.identity, self.form) {
                (Some(identity), form) => {
                    let mark = if form == Form::Json { "\"" } else { "" };
                    out.text(mark)?;
                    out.hexadecimal(identity.0, 16, b'A')?;
                    out.text(mark)
                }
                (None, Form::Text) => out.text("unknown"),
                (None, Form::Json) => out.text("null"),
            },
            b'f' => out.decimal(board.flash.unwrap_or(self.info.flash_size).into()),
            b'm' => match board.flash {
                Some(_) => {
                    out.text(", ")?;
                    out.decimal(self.info.flash_size.into())?;
                    out.text(" reserved")
                }
                None => Ok(()),
            },
            // A label cannot contain anything that JSON escapes: exFAT forbids it (7.3.3).
            b'l' => {
                let label = self.info.label(board.identity);
                char::decode_utf16(label.units().iter().copied())
                    .try_for_each(|unit| out.character(unit.unwrap_or(char::REPLACEMENT_CHARACTER)))
            }
            b's' => {
                let serial = crate::volume::serial_number(layout, board.identity, self.snapshot.generation.volumes);
                match self.form {
                    Form::Text => {
                        out.hexadecimal((serial >> 16).into(), 4, b'A')?;
                        out.text("-")?;
                        out.hexadecimal(serial.into(), 4, b'A')
                    }
                    Form::Json => out.decimal(serial.into()),
                }
            }
            b'L' => out.decimal(u64::from(layout.volume_length.0) * BLOCK_LENGTH as u64),
            b'C' => out.decimal(layout.cluster_count.into()),
            b'k' => out.decimal(layout.cluster_length().into()),
            b'g' => out.decimal(self.snapshot.generation.number.into()),
            b'u' => out.decimal(divide(self.snapshot.generation.since.0, const { NonZero::new(1000).unwrap() }).0),
            b'r' => self.text(board.reset.words(), out),
            b'p' => self.text_or(board.panic, "none", out),
            b'M' => self.info.write_origin(self.form, out),
            b'S' => self.info.write_settings(self.snapshot.occupied, self.form, out),
            _ => self.rings(out),
        }
    }

    /// Writes text, in quotation marks for programs.
    fn text(&self, text: &str, out: &mut Writer<'_>) -> fmt::Result {
        match self.form {
            // It must not contain line breaks.
            Form::Text => {
                text.bytes().try_for_each(|byte| out.bytes(&[if byte.is_ascii_control() { b' ' } else { byte }]))
            }
            Form::Json => out.quoted(text),
        }
    }

    /// The same, or a word for users if there is no text.
    fn text_or(&self, text: Option<&str>, word: &str, out: &mut Writer<'_>) -> fmt::Result {
        match (text, self.form) {
            (Some(text), _) => self.text(text, out),
            (None, Form::Text) => out.text(word),
            (None, Form::Json) => out.text("null"),
        }
    }

    /// Writes the rings: their lengths, and how many bytes may be written until the first one is overwritten.
    fn rings(&self, out: &mut Writer<'_>) -> fmt::Result {
        let Snapshot { log, defmt, .. } = self.snapshot;
        let mut before = "";
        let mut end = "";
        for (name, ring, written) in [("log", self.info.log, log), ("defmt", self.info.defmt, defmt)] {
            let Some(capacity) = ring.map(LogRing::capacity) else { continue };
            let template = match self.form {
                Form::Text => TEXT_RING,
                Form::Json => {
                    out.text(core::mem::replace(&mut before, ","))?;
                    end = " ";
                    JSON_RING
                }
            };
            out.template(template, &mut |letter, out| match letter {
                b'n' => out.text(name),
                b'c' => out.decimal(capacity as u64),
                _ => out.decimal((capacity as u64).saturating_sub(written)),
            })?;
        }
        out.text(end)
    }
}

#[cfg(test)]
mod tests {
    use super::super::info::{BoardFacts, Program, ResetReason};
    use super::super::info_file::InfoFile;
    use super::super::log::LogRingOf;
    use super::*;
    use crate::clock::Instant;
    use crate::dynamic::Content;
    use crate::volume::layout::{Draft, Label, Layout};
    use crate::volume::{BoardIdentity, Generation};
    extern crate std;
    use std::string::String;
    use std::sync::LazyLock;
    use std::vec;

    static LAYOUT: LazyLock<Layout<'static>> = LazyLock::new(|| {
        let label = Label { units: &[0x4C, 0x41, 0x42], board_digits: true };
        Layout::of(Draft { volume_serial_number: 0x1234_56FF, label, ..Draft::default() }.leak())
    });
    const PROGRAM: Program<'static> = Program { name: "lab", version: "1.2.3", build: "abc" };

    fn text(file: &InfoFile<'_>, length: u32) -> String {
        let mut out = vec![0; length as usize];
        // Piece by piece, as in packets.
        for (index, piece) in out.chunks_mut(64).enumerate() {
            file.read(0, index as u32 * 64, piece);
        }
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_report_is_that_of_its_generation() {
        static LOG: LogRingOf<256> = LogRingOf::new();
        let log: &LogRing = &LOG;
        let info = Info::new(PROGRAM, &LAYOUT, 4 << 20, Some(log), None);
        let (plain, json) = (InfoFile::text(&info), InfoFile::json(&info));
        log.write(b"ten bytes.");
        info.set(BoardFacts {
            chip: "RP2350",
            bootrom: Some(2),
            flash: Some(1 << 20),
            identity: Some(BoardIdentity(0x0011_2233_4455_6677)),
            reset: ResetReason::Panic,
            panic: Some("src/a.rs:7 \"no\""),
        });
        let generation = Generation { number: 3, since: Instant(12_345_678), volumes: 2 };
        let (length, json_length) = (plain.freeze(generation).length, json.freeze(generation).length);
        // What follows belongs to the next generation.
        log.write(&[b'x'; 300]);
        info.set(BoardFacts::default());
        assert_eq!(
            text(&plain, length),
            "Firmware       lab 1.2.3, build abc\r\n\
             Chip           RP2350, bootrom version 2\r\n\
             Unique id      0011223344556677\r\n\
             Flash          1048576 bytes, 4194304 reserved\r\n\
             Volume         LAB6677, serial number 4444-4446\r\n\
             \x20              1048576 bytes, 252 clusters of 4096 bytes\r\n\
             Generation     3\r\n\
             Uptime         12345 ms at its start\r\n\
             Last reset     panic\r\n\
             Last panic     src/a.rs:7 \"no\"\r\n\
             Ring           log: 246 of 256 bytes left before the oldest are overwritten\r\n"
        );
        assert_eq!(
            text(&json, json_length),
            r#"{
  "firmware": { "name": "lab", "version": "1.2.3", "build": "abc" },
  "chip": { "name": "RP2350", "bootrom": 2, "id": "0011223344556677", "flash_size": 1048576 },
  "volume": { "label": "LAB6677", "serial_number": 1145324614, "length": 1048576, "clusters": 252, "cluster_length": 4096 },
  "generation": 3,
  "uptime_ms": 12345,
  "reset": "panic",
  "panic": "src/a.rs:7 \"no\"",
  "rings": { "log": { "capacity": 256, "left": 246 } }
}
"#
        );
        let later = Generation { number: 4, ..generation };
        let length = plain.freeze(later).length;
        let text = text(&plain, length);
        assert!(text.contains("Generation     4\r\n") && text.contains("log: 0 of 256 bytes left"), "{text}");
        assert!(
            text.contains("Last panic     none\r\n")
                && text.contains("Unique id      unknown\r\nFlash          4194304 bytes\r\n"),
            "{text}"
        );
        assert!(text.contains("Volume         LAB, serial number 1234-5701\r\n"), "{text}");
    }
}
