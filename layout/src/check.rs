//! Checks a block that may contain anything. What is not checked is harmless: a directory's entries may say nonsense, which
//! hosts then show.

use crc::{CRC_32_ISO_HDLC, Crc, Table};

use crate::block::{BLOCK_LENGTH, Lba};
use crate::compiled::{cut, word};
use crate::decisions::ExposableRecord;
use crate::format::{self, HEADER, MOST_SECTIONS, OPTIONAL, SECTION, SUMMED, header, kind, section, volume};
use crate::{BuiltInSource, ClusterIndex, Compiled, Exposables, Layout, Refusal, RegionRecord, stock};

/// With a table of 1 KiB, because the tables are checked at each boot: without it, that takes three times as long.
static CRC: Crc<u32, Table<1>> = Crc::<u32, Table<1>>::new(&CRC_32_ISO_HDLC);

/// The sections that this reader knows, and their records' lengths in words; 0 for one that has no records.
const KNOWN: [(u32, usize); 18] = [
    (section::VOLUME, volume::WORDS),
    (section::REGIONS, 6),
    (section::CHAIN_ENDS, 1),
    (section::FLASH_FILES, 5),
    (section::GROWING, 5),
    (section::POOL, 0),
    (section::USB, 8),
    (section::SCSI, 6),
    (section::ANNOUNCING, 5),
    (section::CHIP, 2),
    (section::BUILT_IN, 4),
    (section::LOG, 2),
    (section::PARTITIONS, 2),
    (section::REDACTED, 2),
    (section::SETTINGS, 5),
    (section::EXPOSABLE, 7),
    (section::SENSOR, 1),
    (section::TEXT, 0),
];

/// The sections that there must be.
const REQUIRED: [u32; 8] = [
    section::VOLUME,
    section::REGIONS,
    section::CHAIN_ENDS,
    section::POOL,
    section::USB,
    section::SCSI,
    section::ANNOUNCING,
    section::CHIP,
];

/// The contents of a static file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StaticFile<'a> {
    /// Its first block.
    pub first: Lba,
    /// Its bytes.
    pub bytes: &'a [u8],
    /// Whether they have their checksum: if not, flash was damaged, or not written as a whole.
    pub is_whole: bool,
}

/// Maximum number of dynamic files, and of a name's directory entries (exFAT 7.4.1: 19).
const MOST_SLOTS: u16 = 600;
const MOST_ENTRIES: u8 = 19;

/// Milliseconds between two readings of the chip's temperature.
const INTERVALS: core::ops::RangeInclusive<u32> = 100..=86_400_000;

/// The CRC-32 of words, each of which is read once: they may be in flash that is not cached.
fn checksum_of_words(words: &[u32]) -> u32 {
    let mut digest = CRC.digest();
    for word in words {
        digest.update(&word.to_ne_bytes());
    }
    digest.finalize()
}

/// The CRC-32 of bytes (ISO HDLC: that of zlib).
#[cfg(any(test, feature = "alloc"))]
pub(crate) fn checksum(bytes: &[u8]) -> u32 {
    CRC.checksum(bytes)
}

/// Refuses with `what` unless it `holds`.
fn require(holds: bool, what: &'static str) -> Result<(), Refusal> {
    if holds { Ok(()) } else { Err(Refusal::Invalid(what)) }
}

impl<'a> Compiled<'a> {
    /// The compiled manifest at the start of `words`, which may contain anything: everything is checked on which the
    /// library relies, except the contents' own checksums. The contents follow the tables.
    ///
    /// # Errors
    /// Why there is none.
    pub fn read(words: &'a [u32]) -> Result<Self, Refusal> {
        if word(words, header::MAGIC) != format::MAGIC {
            return Err(Refusal::Absent);
        }
        let format = word(words, header::FORMAT);
        let (major, minor) = ((format >> 16) as u16, format as u16);
        if major != (format::FORMAT >> 16) as u16 {
            return Err(Refusal::Newer(major, minor));
        }
        let length = word(words, header::LENGTH) as usize;
        require(length.is_multiple_of(4) && length >= HEADER * 4, "its length")?;
        require(length <= stock::TABLES, "its tables are longer than 1 MiB")?;
        let (tables, rest) = words.split_at_checked(length / 4).ok_or(Refusal::Truncated)?;
        let contents: &[u8] = bytemuck::must_cast_slice(rest);
        let contents = contents.get(..word(tables, header::CONTENTS) as usize).ok_or(Refusal::Truncated)?;
        let compiled = Compiled::new(tables, contents);
        if checksum_of_words(tables.get(SUMMED / 4..).unwrap_or_default()) != word(tables, header::CHECKSUM) {
            return Err(Refusal::Checksum);
        }
        compiled.check_sections((major, minor))?;
        let layout = Layout::of(compiled);
        check_volume(&layout)?;
        check_regions(&layout)?;
        check_directories(&layout)?;
        compiled.check_decisions((major, minor))?;
        Ok(compiled)
    }

    /// The static files that have contents, in the order of their blocks. [`read`](Self::read) does not check their checksums.
    pub fn static_files(self) -> impl Iterator<Item = StaticFile<'a>> {
        let files = Layout::of(self).regions.iter().filter(|region| region.kind == kind::BYTES);
        files.map(move |file| {
            let bytes = self.content(file.a, file.b);
            StaticFile { first: file.first, bytes, is_whole: CRC.checksum(bytes) == file.c }
        })
    }

    fn check_sections(&self, (major, minor): (u16, u16)) -> Result<(), Refusal> {
        let tables = self.tables();
        let count = word(tables, header::SECTIONS) as usize;
        require(count <= MOST_SECTIONS, "too many sections")?;
        let records = cut(tables, HEADER, count * SECTION).as_chunks::<SECTION>().0;
        require(records.len() == count, "the sections' records")?;
        for (index, record) in records.iter().enumerate() {
            let [number, offset, length] = record.map(u32::from_le);
            let (offset, length) = (offset as usize, length as usize);
            let end = offset.checked_add(length).filter(|end| *end <= tables.len() * 4);
            require(
                end.is_some() && offset.is_multiple_of(4) && offset >= (HEADER + count * SECTION) * 4,
                "a section's place",
            )?;
            let again = records.iter().take(index).any(|other| u32::from_le(other[0]) == number);
            require(!again, "a section that is there twice")?;
            match KNOWN.iter().find(|known| known.0 == number) {
                Some((_, 0)) => {}
                Some((_, words)) => require(length > 0 && length.is_multiple_of(words * 4), "a section's length")?,
                None if number & OPTIONAL != 0 => {}
                None => return Err(Refusal::Newer(major, minor)),
            }
        }
        require(
            REQUIRED.iter().all(|number| records.iter().any(|record| u32::from_le(record[0]) == *number)),
            "a section is missing",
        )
    }

    /// Whether the words of a section refer to a text.
    fn is_text(&self, words: &[u32], index: usize) -> bool {
        let (offset, length) = (word(words, index), word(words, index + 1));
        self.is_text_at((offset, length))
    }

    fn is_text_at(&self, (offset, length): (u32, u32)) -> bool {
        let bytes = self.pool(offset, length);
        bytes.len() == length as usize && core::str::from_utf8(bytes).is_ok()
    }

    fn check_decisions(&self, (major, minor): (u16, u16)) -> Result<(), Refusal> {
        let usb = self.section(section::USB);
        require([2, 4, 6].iter().all(|at| self.is_text(usb, *at)), "the USB device's texts")?;
        let usb = self.usb();
        let fits = |text: &str| (1..=126).contains(&text.encode_utf16().count());
        require(fits(usb.manufacturer) && fits(usb.product), "the USB device's names")?;
        require((2..=500).contains(&usb.max_power), "the USB device's current")?;
        let digits =
            |serial: &str| (12..=32).contains(&serial.len()) && serial.bytes().all(|byte| byte.is_ascii_alphanumeric());
        require(usb.serial.is_none_or(digits), "the serial number")?;
        let scsi = self.section(section::SCSI);
        require([0, 2, 4].iter().all(|at| self.is_text(scsi, *at)), "the SCSI unit's texts")?;
        let unit = self.scsi_unit();
        let printable =
            |text: &str, most: usize| text.len() <= most && text.bytes().all(|byte| (0x20..0x7F).contains(&byte));
        require(
            printable(unit.vendor, 8) && printable(unit.product, 16) && printable(unit.revision, 4),
            "the SCSI unit's names",
        )?;
        let files = self.built_in();
        for (index, file) in files.iter().enumerate() {
            let Some(source) = file.source else {
                return Err(match minor > format::FORMAT as u16 {
                    true => Refusal::Newer(major, minor),
                    false => Refusal::Invalid("a built-in file of an unknown kind"),
                });
            };
            let interval = self.sensor_interval();
            require(source != BuiltInSource::Temperature || INTERVALS.contains(&interval), "the sensor's interval")?;
            require(
                files.iter().take(index).all(|other| other.source != file.source),
                "a built-in file that is there twice",
            )?;
            require(self.is_text_at(file.path) && !self.built_in_path(&file).is_empty(), "a built-in file's path")?;
        }
        let log = self.log();
        let ring = |size: u32| size == 0 || size.is_power_of_two() && (1 << 8..=1 << 18).contains(&size);
        require(ring(log.ring_size) && ring(log.defmt_ring_size), "a log's ring")?;
        require(self.is_text(self.section(section::PARTITIONS), 0), "the partitions' folder")?;
        let flash = self.chip().flash_size;
        let lengths = 512 << 10..=16 << 20;
        require(lengths.contains(&flash) && flash.is_multiple_of(64 << 10), "the length of flash")?;
        let settings = self.settings();
        let there = !self.section(section::SETTINGS).is_empty();
        let placed = (2..=32).contains(&settings.sectors) && settings.start.is_multiple_of(stock::SECTOR);
        require(self.is_text(self.section(section::SETTINGS), 3) && (placed || !there), "the settings")?;
        let mut end = 0;
        for range in self.redacted().iter() {
            let whole =
                range.start.is_multiple_of(BLOCK_LENGTH as u32) && range.end.is_multiple_of(BLOCK_LENGTH as u32);
            require(whole && range.start >= end && range.end > range.start, "a redaction")?;
            end = range.end;
        }
        let layout = Layout::of(*self);
        require(
            Exposables::of(*self).records().all(|file| self.is_text_at(file.path) && is_exposable(&layout, &file)),
            "a file that settings may show",
        )
    }
}

/// What exFAT requires of the boot sector's fields, and the library of the rest.
fn check_volume(layout: &Layout<'_>) -> Result<(), Refusal> {
    let shift = layout.sectors_per_cluster_shift;
    require((3..=9).contains(&shift), "SectorsPerClusterShift (exFAT 3.1.15)")?;
    let (length, heap) = (u64::from(layout.volume_length.0), u64::from(layout.cluster_heap_offset));
    let count = u64::from(layout.cluster_count);
    let fat = (u64::from(layout.fat_offset), u64::from(layout.fat_length));
    require(length >= 2048 && length + u64::from(layout.partition_offset) < 1 << 32, "VolumeLength (exFAT 3.1.5)")?;
    require(fat.0 >= 24, "FatOffset (exFAT 3.1.6)")?;
    require(fat.1 * BLOCK_LENGTH as u64 >= (count + 2) * 4, "FatLength (exFAT 3.1.7)")?;
    require(heap >= fat.0 + fat.1 && heap < length, "ClusterHeapOffset (exFAT 3.1.8)")?;
    require(count == (length - heap) >> shift && count > 0, "ClusterCount (exFAT 3.1.9)")?;
    let root = u64::from(layout.first_cluster_of_root_directory.0);
    require(root >= 2 && root < count + 2, "FirstClusterOfRootDirectory (exFAT 3.1.10)")?;
    require(u64::from(layout.allocated_clusters) <= count, "the allocated clusters")?;
    let label = word(layout.compiled.section(section::VOLUME), volume::LABEL);
    require((label & 0xFF) + if layout.label.board_digits { 4 } else { 0 } <= 11, "the label (exFAT 7.3.2)")?;
    let dynamic = layout.dynamic;
    let (first, clusters) = (u64::from(dynamic.first_cluster.0), u64::from(dynamic.cluster_count));
    let none = dynamic.slots == 0 && clusters == 0;
    require(
        none || first >= u64::from(layout.allocated_end().0) && first + clusters <= count + 2,
        "the dynamic window",
    )?;
    require(dynamic.slots <= MOST_SLOTS && dynamic.slot_entries <= MOST_ENTRIES, "the dynamic files")?;
    let mut end = 1;
    for last in layout.chain_ends.iter() {
        require(last > end && last < layout.allocated_end().0, "the FAT chains")?;
        end = last;
    }
    Ok(())
}

fn check_regions(layout: &Layout<'_>) -> Result<(), Refusal> {
    let compiled = &layout.compiled;
    let mut next = 0;
    let mut roots = 0;
    for record in layout.regions.iter() {
        let RegionRecord { first, length, kind, a, b, c } = record;
        require(u64::from(first.0) == next && length.0 > 0, "the regions leave a gap, or overlap")?;
        next += u64::from(length.0);
        let room = length.bytes();
        match kind {
            kind::DIRECTORY => {
                let entries = compiled.pool(a, b);
                require(
                    entries.len() == b as usize && b.is_multiple_of(32) && u64::from(b) <= room,
                    "a directory's entries",
                )?;
                let cluster = layout.cluster_of(first);
                require(layout.block_of(cluster) == first && cluster < layout.allocated_end(), "a directory's place")?;
                if c != 0 {
                    require(
                        cluster == layout.first_cluster_of_root_directory && b >= 32,
                        "the root directory's place",
                    )?;
                    roots += 1;
                }
            }
            kind::BYTES => {
                require(compiled.content(a, b).len() == b as usize && u64::from(b) <= room, "a file's contents")?;
            }
            kind::PARTITION_TABLE => {
                require(compiled.pool(a, b).len() == b as usize && first == Lba(0), "the partition table")?;
            }
            kind::MEMORY => {
                require(u64::from(b) <= room && u64::from(a) + u64::from(b) <= 1 << 32, "a window of memory")?;
            }
            kind::BOOT..=kind::UPCASE | kind::DYNAMIC..=kind::EXCESS => {}
            _ => return Err(Refusal::Invalid("a region of an unknown kind")),
        }
    }
    require(next == u64::from(layout.partition_offset) + u64::from(layout.volume_length.0), "the regions end early")?;
    require(roots == 1, "there is one root directory")
}

fn check_directories(layout: &Layout<'_>) -> Result<(), Refusal> {
    let mut next = ClusterIndex::FIRST;
    for file in layout.flash_files.iter() {
        require(has_set(layout, file.directory, file.entry), "a flash file's directory entries")?;
        require(u64::from(file.offset) + u64::from(file.length) <= 16 << 20, "a flash file's place")?;
        let end = u64::from(file.first_cluster.0) + u64::from(layout.clusters(file.length));
        require(file.first_cluster >= next && end <= u64::from(layout.allocated_end().0), "a flash file's clusters")?;
        next = ClusterIndex(end as u32);
    }
    let mut next = ClusterIndex::FIRST;
    for folder in layout.growing.iter() {
        require(
            folder.parent == Lba(0) || has_set(layout, folder.parent, folder.entry),
            "a folder's directory entries",
        )?;
        let end = u64::from(folder.first_cluster.0) + u64::from(folder.clusters);
        require(folder.first_cluster >= next && end <= u64::from(layout.allocated_end().0), "a folder's clusters")?;
        require(u64::from(folder.entries) < u64::from(folder.clusters) << layout.cluster_shift(), "a folder's length")?;
        next = ClusterIndex(end as u32);
    }
    Ok(())
}

/// The entries of the directory that begins at a block.
fn entries_at<'a>(layout: &Layout<'a>, directory: Lba) -> Option<&'a [u8]> {
    let record = layout.regions.get(layout.regions.partition_point(|region| region.first < directory))?;
    let here = record.first == directory && record.kind == kind::DIRECTORY;
    here.then(|| layout.compiled.pool(record.a, record.b))
}

/// Whether a directory has an entry set at this offset: at least a File and a Stream Extension entry, and a checksum over as
/// many as it says (exFAT 7.4.1).
fn has_set(layout: &Layout<'_>, directory: Lba, entry: u32) -> bool {
    let set = entries_at(layout, directory).and_then(|entries| entries.get(entry as usize..));
    set.is_some_and(|set| match set {
        [_, secondary, ..] => {
            entry.is_multiple_of(32) && *secondary >= 1 && set.len() >= (usize::from(*secondary) + 1) * 32
        }
        _ => false,
    })
}

fn is_exposable(layout: &Layout<'_>, file: &ExposableRecord) -> bool {
    let (start, length) = file.entries;
    let (first, blocks) = file.blocks;
    let end = u64::from(first.0) + u64::from(blocks.0);
    let last = u64::from(layout.block_of(layout.allocated_end()).0);
    has_set(layout, file.directory, start)
        && entries_at(layout, file.directory)
            .is_some_and(|all| u64::from(start) + u64::from(length) <= all.len() as u64)
        && (blocks.0 == 0 || first >= layout.block_of(ClusterIndex::FIRST) && end <= last)
}
