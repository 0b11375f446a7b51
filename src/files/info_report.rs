//! How INFO.TXT and INFO.JSON are written.

use super::info::{Form, Info, Snapshot};
use super::json::Text;
use super::log::LogRing;
use crate::block::BLOCK_LENGTH;
use crate::volume::{BoardIdentity, layout};
use core::fmt::{self, Display, Formatter, Write};

/// What one generation says of the board.
pub(super) struct Report<'a> {
    pub info: &'a Info<'a>,
    pub form: Form,
    pub snapshot: Snapshot<'a>,
}

impl Display for Report<'_> {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self.form {
            Form::Text => self.text(out),
            Form::Json => self.json(out),
        }
    }
}

impl Report<'_> {
    fn uptime(&self) -> u64 {
        self.snapshot.generation.since.0 / 1000
    }

    fn serial_number(&self) -> u32 {
        self.info.layout.serial_number(self.snapshot.board.identity, self.snapshot.generation.volumes)
    }

    /// Length of flash in bytes.
    fn flash_size(&self) -> u32 {
        self.snapshot.board.flash.unwrap_or(self.info.flash_size)
    }

    fn volume_length(&self) -> u64 {
        u64::from(self.info.layout.volume_length.0) * BLOCK_LENGTH as u64
    }

    /// The rings with their names and the bytes written to them.
    fn rings(&self) -> impl Iterator<Item = (&'static str, u64, u64)> {
        let ring = |name, ring: Option<&LogRing>, written: u64| {
            ring.map(|ring| (name, ring.capacity() as u64, (ring.capacity() as u64).saturating_sub(written)))
        };
        let Snapshot { log, defmt, .. } = self.snapshot;
        [ring("log", self.info.log, log), ring("defmt", self.info.defmt, defmt)].into_iter().flatten()
    }

    fn text(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let (Info { program, layout, .. }, board, flash_size) = (self.info, &self.snapshot.board, self.flash_size());
        let serial = self.serial_number();
        write!(out, "Firmware       {} {}, build {}\r\n", program.name, program.version, program.build)?;
        write!(out, "Chip           {}", board.chip)?;
        if let Some(version) = board.bootrom {
            write!(out, ", bootrom version {version}")?;
        }
        write!(out, "\r\nUnique id      {}\r\nFlash          {flash_size} bytes", Digits(board.identity, "unknown"))?;
        if board.flash.is_some() {
            write!(out, " of the {} that there is room for", self.info.flash_size)?;
        }
        out.write_str("\r\n")?;
        write!(
            out,
            "Volume         {}, serial number {:04X}-{:04X}\r\n",
            Label(layout.label, board.identity),
            serial >> 16,
            serial & 0xFFFF
        )?;
        let (clusters, cluster) = (layout.cluster_count, layout.cluster_length());
        write!(out, "               {} bytes, {clusters} clusters of {cluster} bytes\r\n", self.volume_length())?;
        write!(out, "Generation     {}\r\n", self.snapshot.generation.number)?;
        write!(out, "Uptime         {} ms at its beginning\r\n", self.uptime())?;
        write!(out, "Last reset     {}\r\nLast panic     ", board.reset.words())?;
        for character in board.panic.unwrap_or("none").chars() {
            out.write_char(if character.is_control() { ' ' } else { character })?;
        }
        out.write_str("\r\n")?;
        for (name, capacity, left) in self.rings() {
            write!(out, "Ring           {name}: {left} of {capacity} bytes left before old ones fall out\r\n")?;
        }
        Ok(())
    }

    fn json(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let (Info { program, layout, .. }, board, flash_size) = (self.info, &self.snapshot.board, self.flash_size());
        let [name, version, build, chip] =
            [program.name, program.version, program.build, board.chip].map(|text| Text(text.as_bytes()));
        writeln!(out, "{{\n  \"firmware\": {{ \"name\": {name}, \"version\": {version}, \"build\": {build} }},")?;
        write!(out, "  \"chip\": {{ \"name\": {chip}, \"bootrom\": ")?;
        match board.bootrom {
            Some(version) => write!(out, "{version}")?,
            None => out.write_str("null")?,
        }
        match board.identity {
            Some(_) => write!(out, ", \"id\": \"{}\"", Digits(board.identity, ""))?,
            None => out.write_str(", \"id\": null")?,
        }
        writeln!(out, ", \"flash_size\": {flash_size} }},")?;
        // A label may hold nothing that JSON escapes: exFAT forbids it (7.3.3).
        write!(
            out,
            "  \"volume\": {{ \"label\": \"{}\", \"serial_number\": {}",
            Label(layout.label, board.identity),
            self.serial_number()
        )?;
        write!(out, ", \"length\": {}, \"clusters\": {}", self.volume_length(), layout.cluster_count)?;
        writeln!(out, ", \"cluster_length\": {} }},", layout.cluster_length())?;
        let number = self.snapshot.generation.number;
        writeln!(out, "  \"generation\": {number},\n  \"uptime_ms\": {},", self.uptime())?;
        write!(out, "  \"reset\": \"{}\",\n  \"panic\": ", board.reset.words())?;
        match board.panic {
            Some(panic) => write!(out, "{}", Text(panic.as_bytes()))?,
            None => out.write_str("null")?,
        }
        out.write_str(",\n  \"rings\": {")?;
        for (index, (name, capacity, left)) in self.rings().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(out, "{comma} \"{name}\": {{ \"capacity\": {capacity}, \"left\": {left} }}")?;
        }
        out.write_str(if self.rings().next().is_some() { " }\n}\n" } else { "}\n}\n" })
    }
}

/// All digits of the board's identity, or a word.
struct Digits(Option<BoardIdentity>, &'static str);

impl Display for Digits {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(identity) => identity.digits().iter().try_for_each(|digit| out.write_char(char::from(*digit))),
            None => out.write_str(self.1),
        }
    }
}

/// The volume's label, as hosts show it.
struct Label<'a>(layout::Label<'a>, Option<BoardIdentity>);

impl Display for Label<'_> {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let Self(label, identity) = self;
        let digits = identity.filter(|_| label.board_digits).map(BoardIdentity::last_digits);
        let units = label.units.iter().copied().chain(digits.into_iter().flatten());
        char::decode_utf16(units).try_for_each(|unit| out.write_char(unit.unwrap_or(char::REPLACEMENT_CHARACTER)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::info::{BoardFacts, InfoFile, Program, ResetReason};
    use super::super::log::LogRingOf;
    use super::*;
    use crate::block::{BlockCount, Lba};
    use crate::clock::Instant;
    use crate::volume::layout::{DynamicWindow, Label, Layout, Region, RegionKind};
    use crate::volume::{Content, Generation};
    extern crate std;
    use std::string::String;
    use std::vec;

    static REGION: Region<'static> = Region { first: Lba(0), length: BlockCount(2048), kind: RegionKind::Boot };
    static LAYOUT: Layout<'static> = Layout {
        volume_length: BlockCount(2048),
        fat_offset: 24,
        fat_length: 8,
        cluster_heap_offset: 32,
        cluster_count: 252,
        first_cluster_of_root_directory: 4,
        volume_serial_number: 0x1234_56FF,
        timestamp: 0,
        label: Label { units: &[b'L' as u16, b'A' as u16, b'B' as u16], board_digits: true },
        sectors_per_cluster_shift: 3,
        chain_ends: &[],
        allocated_clusters: 3,
        regions: &[REGION],
        flash_files: &[],
        dynamic: DynamicWindow { first_cluster: 0, cluster_count: 0, slots: 0, entries: 0, slot_entries: 0 },
    };
    const PROGRAM: Program<'static> = Program { name: "lab", version: "1.2.3", build: "abc" };

    fn text(file: &InfoFile<'_>, length: u32) -> String {
        let mut out = vec![0; length as usize];
        // In pieces, as packets ask for it.
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
        // What comes later is the next generation's.
        log.write(&[b'x'; 300]);
        info.set(BoardFacts::default());
        assert_eq!(
            text(&plain, length),
            "Firmware       lab 1.2.3, build abc\r\n\
             Chip           RP2350, bootrom version 2\r\n\
             Unique id      0011223344556677\r\n\
             Flash          1048576 bytes of the 4194304 that there is room for\r\n\
             Volume         LAB6677, serial number 4444-4446\r\n\
             \x20              1048576 bytes, 252 clusters of 4096 bytes\r\n\
             Generation     3\r\n\
             Uptime         12345 ms at its beginning\r\n\
             Last reset     panic\r\n\
             Last panic     src/a.rs:7 \"no\"\r\n\
             Ring           log: 246 of 256 bytes left before old ones fall out\r\n"
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
        assert!(text.contains("Volume         LAB, serial number 1234-5601\r\n"), "{text}");
    }
}
