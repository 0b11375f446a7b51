//! What the manifest decides beside the volume. Everything is as `picovd.toml` says it; which part of it a program obeys is
//! the program's matter.

use crate::block::{BlockCount, Lba};
use crate::compiled::word;
use crate::format::section;
use crate::table::Record;
use crate::{Compiled, Table};

/// `[usb]`: the USB device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usb<'a> {
    /// idVendor.
    pub vid: u16,
    /// idProduct.
    pub pid: u16,
    /// iManufacturer's string: 1 to 126 UTF-16 units.
    pub manufacturer: &'a str,
    /// iProduct's string: 1 to 126 UTF-16 units.
    pub product: &'a str,
    /// iSerialNumber's string, if it replaces the board's identity.
    pub serial: Option<&'a str>,
    /// Whether there is a serial port.
    pub console: bool,
    /// Whether there is picotool's reset interface.
    pub picotool_reset: bool,
    /// Maximum current from the bus in milliamperes: 2 to 500, even.
    pub max_power: u16,
}

/// `[usb]`: the SCSI unit, in ASCII.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScsiUnit<'a> {
    /// T10 VENDOR IDENTIFICATION: at most 8 characters.
    pub vendor: &'a str,
    /// PRODUCT IDENTIFICATION: at most 16.
    pub product: &'a str,
    /// PRODUCT REVISION LEVEL: at most 4.
    pub revision: &'a str,
}

/// `[dynamic]`: how hosts are notified of a change. Times are in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Announcing {
    /// By which means.
    pub refresh: Refresh,
    /// How long nothing else has changed.
    pub quiet: u32,
    /// How old a change may become.
    pub max_age: u32,
    /// How long the last announcement is ago.
    pub hold: u32,
    /// The same while changes keep coming.
    pub max_hold: u32,
}

/// By which means hosts are notified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refresh {
    /// UNIT ATTENTION alone.
    Attention,
    /// The medium is away for a while.
    Reinsert,
    /// The device is away for a while.
    Reconnect,
    /// `Reinsert`, and `Reconnect` if the host does not look.
    Auto,
}

/// `[chip]`: the hardware.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chip {
    /// Length in bytes of the flash that is reserved.
    pub flash_size: u32,
    /// Whether the program is linked for SRAM.
    pub program_in_sram: bool,
}

/// A dynamic file that the firmware has by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuiltIn {
    /// What it shows.
    pub source: Option<BuiltInSource>,
    /// Maximum length in bytes.
    pub capacity: u32,
    /// Where its path is.
    pub(crate) path: (u32, u32),
}

/// What a built-in file shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum BuiltInSource {
    /// The whole log.
    Stdout = 1,
    /// The log's end.
    Tail = 2,
    /// defmt's frames.
    Defmt = 3,
    /// PARTITIONS.JSON.
    Partitions = 4,
    /// INFO.TXT.
    InfoText = 5,
    /// INFO.JSON.
    InfoJson = 6,
    /// CONFIG.JSON.
    Config = 7,
    /// CONFIG.SCHEMA.JSON.
    ConfigSchema = 8,
    /// CORE.ELF.
    CrashCore = 9,
    /// CRASH.TXT.
    CrashText = 10,
    /// CRASH.JSON.
    CrashJson = 11,
    /// MANIFEST.TOML: the manifest's text.
    Manifest = 12,
    /// CONFIGURE.HTM: the page that the firmware has.
    Page = 13,
    /// SENSOR.CSV: the chip's temperature.
    Temperature = 14,
}

impl BuiltInSource {
    /// All of them.
    pub(crate) const ALL: [Self; 14] = [
        Self::Stdout,
        Self::Tail,
        Self::Defmt,
        Self::Partitions,
        Self::InfoText,
        Self::InfoJson,
        Self::Config,
        Self::ConfigSchema,
        Self::CrashCore,
        Self::CrashText,
        Self::CrashJson,
        Self::Manifest,
        Self::Page,
        Self::Temperature,
    ];
}

impl Record<4> for BuiltIn {
    fn decode([source, capacity, offset, length]: [u32; 4]) -> Self {
        let source = BuiltInSource::ALL.into_iter().find(|known| *known as u32 == source);
        Self { source, capacity, path: (offset, length) }
    }

    fn encode(&self) -> [u32; 4] {
        [self.source.map_or(0, |source| source as u32), self.capacity, self.path.0, self.path.1]
    }
}

/// `[log]`: the rings, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Log {
    /// Text.
    pub ring_size: u32,
    /// defmt's frames.
    pub defmt_ring_size: u32,
}

/// `[partitions]`: the flash partitions as files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partitions<'a> {
    /// The folder they are in; empty for the root directory.
    pub folder: &'a str,
}

/// A range of flash that reads as zeros, by storage address: offsets in bytes, whole sectors of 512 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Redacted {
    /// Its first byte.
    pub start: u32,
    /// The byte after its last one.
    pub end: u32,
}

impl Record<2> for Redacted {
    fn decode([start, end]: [u32; 2]) -> Self {
        Self { start, end }
    }

    fn encode(&self) -> [u32; 2] {
        [self.start, self.end]
    }
}

/// The ranges of flash that read as zeros, ascending.
pub type Redactions<'a> = Table<'a, Redacted, 2>;

/// `[settings]`: flash sectors for settings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings<'a> {
    /// Number of sectors; 0 for none.
    pub sectors: u16,
    /// Offset in flash of the first one.
    pub start: u32,
    /// Whether settings are permanently read-only.
    pub lock: bool,
    /// Whether files that show SRAM show stacks.
    pub show_stacks: bool,
    /// Whether `start` is as far from the end of flash on a chip with less.
    pub from_end: bool,
    /// The label that applies if none is set.
    pub label: &'a str,
}

impl Settings<'_> {
    /// Offset of the first sector on a chip that has `length` bytes, if that is less than the `reserved` ones.
    #[must_use]
    pub const fn start_on(&self, reserved: u32, length: Option<u32>) -> u32 {
        match length {
            Some(length) if self.from_end => self.start.saturating_sub(reserved.saturating_sub(length)),
            _ => self.start,
        }
    }
}

/// A file that a setting may put on the volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exposable<'a> {
    /// Its path.
    pub path: &'a str,
    /// First block of the directory that contains it.
    pub directory: Lba,
    /// Offset and length in bytes of its entry set in the directory's entries.
    pub entries: (u32, u32),
    /// First block of its contents, and their number.
    pub blocks: (Lba, BlockCount),
}

/// The files that settings may put on the volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exposables<'a> {
    table: Table<'a, ExposableRecord, 7>,
    compiled: Compiled<'a>,
}

impl<'a> Exposables<'a> {
    /// Those of a compiled manifest.
    #[must_use]
    pub const fn of(compiled: Compiled<'a>) -> Self {
        Self { table: Table::new(compiled.section(section::EXPOSABLE)), compiled }
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// The files, in the order of their directories.
    pub fn iter(&self) -> impl Iterator<Item = Exposable<'a>> + use<'a> {
        let compiled = self.compiled;
        self.table.iter().map(move |record| {
            let ExposableRecord { path, directory, entries, blocks } = record;
            Exposable { path: compiled.text_at(path.0, path.1), directory, entries, blocks }
        })
    }

    pub(crate) fn records(&self) -> impl Iterator<Item = ExposableRecord> + use<'a> {
        self.table.iter()
    }
}

/// An [`Exposable`] as it is in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ExposableRecord {
    pub path: (u32, u32),
    pub directory: Lba,
    pub entries: (u32, u32),
    pub blocks: (Lba, BlockCount),
}

impl Record<7> for ExposableRecord {
    fn decode([at, length, directory, entry, entries, first, blocks]: [u32; 7]) -> Self {
        let (directory, blocks) = (Lba(directory), (Lba(first), BlockCount(blocks)));
        Self { path: (at, length), directory, entries: (entry, entries), blocks }
    }

    fn encode(&self) -> [u32; 7] {
        let Self { path, directory, entries, blocks } = *self;
        [path.0, path.1, directory.0, entries.0, entries.1, blocks.0.0, blocks.1.0]
    }
}

impl<'a> Compiled<'a> {
    /// The text that two words of a section refer to.
    const fn text_of(&self, words: &[u32], index: usize) -> &'a str {
        self.text_at(word(words, index), word(words, index + 1))
    }

    /// The USB device.
    #[must_use]
    pub const fn usb(&self) -> Usb<'a> {
        let words = self.section(section::USB);
        let (ids, functions) = (word(words, 0), word(words, 1));
        Usb {
            vid: ids as u16,
            pid: (ids >> 16) as u16,
            console: functions & 1 != 0,
            picotool_reset: functions & 2 != 0,
            max_power: (functions >> 16) as u16,
            manufacturer: self.text_of(words, 2),
            product: self.text_of(words, 4),
            serial: if word(words, 7) == 0 { None } else { Some(self.text_of(words, 6)) },
        }
    }

    /// The SCSI unit.
    #[must_use]
    pub const fn scsi_unit(&self) -> ScsiUnit<'a> {
        let words = self.section(section::SCSI);
        ScsiUnit { vendor: self.text_of(words, 0), product: self.text_of(words, 2), revision: self.text_of(words, 4) }
    }

    /// How hosts are notified of changes.
    #[must_use]
    pub const fn announcing(&self) -> Announcing {
        let words = self.section(section::ANNOUNCING);
        Announcing {
            refresh: match word(words, 0) {
                0 => Refresh::Attention,
                1 => Refresh::Reinsert,
                2 => Refresh::Reconnect,
                _ => Refresh::Auto,
            },
            quiet: word(words, 1),
            max_age: word(words, 2),
            hold: word(words, 3),
            max_hold: word(words, 4),
        }
    }

    /// The hardware.
    #[must_use]
    pub const fn chip(&self) -> Chip {
        let words = self.section(section::CHIP);
        Chip { flash_size: word(words, 0), program_in_sram: word(words, 1) != 0 }
    }

    /// The files that the firmware has by itself.
    #[must_use]
    pub const fn built_in(&self) -> Table<'a, BuiltIn, 4> {
        Table::new(self.section(section::BUILT_IN))
    }

    /// The path of a built-in file.
    #[must_use]
    pub const fn built_in_path(&self, file: &BuiltIn) -> &'a str {
        self.text_at(file.path.0, file.path.1)
    }

    /// The path of the built-in file with that index.
    #[must_use]
    pub const fn built_in_path_at(&self, index: usize) -> &'a str {
        self.text_of(self.section(section::BUILT_IN), index * 4 + 2)
    }

    /// The logs.
    #[must_use]
    pub const fn log(&self) -> Log {
        let words = self.section(section::LOG);
        Log { ring_size: word(words, 0), defmt_ring_size: word(words, 1) }
    }

    /// Milliseconds between two readings of the chip's temperature. Whether they are shown is up to
    /// [`BuiltInSource::Temperature`].
    #[must_use]
    pub const fn sensor_interval(&self) -> u32 {
        word(self.section(section::SENSOR), 0)
    }

    /// How the flash partitions are shown. Whether they are is up to [`BuiltInSource::Partitions`].
    #[must_use]
    pub const fn partitions(&self) -> Partitions<'a> {
        Partitions { folder: self.text_of(self.section(section::PARTITIONS), 0) }
    }

    /// Ranges of flash that read as zeros in files that are laid out at run time. Windows have no such ranges any more.
    #[must_use]
    pub const fn redacted(&self) -> Redactions<'a> {
        Table::new(self.section(section::REDACTED))
    }

    /// Flash sectors for settings.
    #[must_use]
    pub const fn settings(&self) -> Settings<'a> {
        let words = self.section(section::SETTINGS);
        let flags = word(words, 2);
        Settings {
            sectors: word(words, 0) as u16,
            start: word(words, 1),
            lock: flags & 1 != 0,
            show_stacks: flags & 2 != 0,
            from_end: flags & 4 != 0,
            label: self.text_of(words, 3),
        }
    }
}
