//! Writes a compiled manifest.

use alloc::vec::Vec;

use crate::block::Lba;
use crate::check;
use crate::decisions::ExposableRecord;
use crate::format::{self, HEADER, SECTION, SUMMED, header, kind, section, volume};
use crate::stock;
use crate::table::Record;
use crate::{
    Announcing, BuiltIn, BuiltInSource, Chip, ClusterIndex, Compiled, DynamicWindow, Exposable, FlashFile, Gap,
    Growing, Label, Log, Partitions, Redacted, Refresh, Region, RegionKind, ScsiUnit, Settings, Usb,
};

/// Everything that a compiled manifest says.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the fields are those of `Layout` and the functions of `Compiled`")]
pub struct Draft<'a> {
    pub partition_offset: u32,
    pub volume_length: u32,
    pub fat_offset: u32,
    pub fat_length: u32,
    pub cluster_heap_offset: u32,
    pub cluster_count: u32,
    pub first_cluster_of_root_directory: u32,
    pub volume_serial_number: u32,
    pub timestamp: u32,
    pub label: Label<'a>,
    pub sectors_per_cluster_shift: u8,
    pub chain_ends: &'a [u32],
    pub allocated_clusters: u32,
    pub regions: Vec<Region<'a>>,
    pub flash_files: Vec<FlashFile>,
    pub growing: Vec<Growing>,
    pub dynamic: DynamicWindow,
    pub usb: Usb<'a>,
    pub scsi_unit: ScsiUnit<'a>,
    pub announcing: Announcing,
    pub chip: Chip,
    /// Source, path and capacity.
    pub built_in: Vec<(BuiltInSource, &'a str, u32)>,
    pub log: Log,
    /// Milliseconds between two readings.
    pub sensor_interval: u32,
    pub partitions: Partitions<'a>,
    pub redacted: Vec<Redacted>,
    pub settings: Settings<'a>,
    pub exposable: Vec<Exposable<'a>>,
    /// The manifest's text.
    pub text: Option<&'a str>,
}

impl Default for Draft<'_> {
    /// A volume of 1 MiB without anything: an empty root directory in cluster 4, and no regions.
    fn default() -> Self {
        Self {
            partition_offset: 0,
            volume_length: 2048,
            fat_offset: 24,
            fat_length: 8,
            cluster_heap_offset: 32,
            cluster_count: 252,
            first_cluster_of_root_directory: 4,
            volume_serial_number: 1,
            timestamp: 0,
            label: Label { units: &[], board_digits: false },
            sectors_per_cluster_shift: 3,
            chain_ends: &[],
            allocated_clusters: 3,
            regions: Vec::new(),
            flash_files: Vec::new(),
            growing: Vec::new(),
            dynamic: DynamicWindow {
                first_cluster: ClusterIndex::NONE,
                cluster_count: 0,
                slots: 0,
                entries: 0,
                slot_entries: 0,
            },
            usb: Usb {
                vid: 0x2E8A,
                pid: 9,
                manufacturer: "PicoVD",
                product: "PicoVD",
                serial: None,
                console: false,
                picotool_reset: false,
                max_power: 100,
            },
            scsi_unit: ScsiUnit { vendor: "PicoVD", product: "Memory disk", revision: "0.1" },
            announcing: Announcing {
                refresh: Refresh::Auto,
                quiet: 500,
                max_age: 5_000,
                hold: 10_000,
                max_hold: 60_000,
            },
            chip: Chip { flash_size: 4 << 20, program_in_sram: false },
            built_in: Vec::new(),
            log: Log { ring_size: 0, defmt_ring_size: 0 },
            sensor_interval: 0,
            partitions: Partitions { folder: "" },
            redacted: Vec::new(),
            settings: Settings::default(),
            exposable: Vec::new(),
            text: None,
        }
    }
}

impl Draft<'_> {
    /// Writes it, for the rest of the process: for tests and simulators.
    #[must_use]
    pub fn leak(&self) -> Compiled<'static> {
        let (tables, contents) = self.write();
        let words: Vec<u32> = tables.as_chunks().0.iter().map(|word| u32::from_ne_bytes(*word)).collect();
        Compiled::new(Vec::leak(words), Vec::leak(contents))
    }

    /// The tables, and the contents that follow them.
    ///
    /// # Panics
    /// More than 4 GiB of either.
    #[must_use]
    pub fn write(&self) -> (Vec<u8>, Vec<u8>) {
        // What refers to the pool depends on where it begins, after the sections' records.
        let count = self.parts(Pool::after(0)).sections.len();
        let Parts { pool, contents, sections } = self.parts(Pool::after(count));
        let mut tables = assemble(pool, sections);
        seal(&mut tables, contents.len());
        (tables, contents)
    }

    /// As [`write`](Self::write), for a place in flash: the contents begin with a sector of their own. Whoever writes the tables' first
    /// sector last never leaves a block in flash that is checked and incomplete.
    ///
    /// # Panics
    /// As [`write`](Self::write).
    #[must_use]
    pub fn write_sectors(&self) -> Vec<u8> {
        let (mut tables, contents) = self.write();
        tables.resize(tables.len().next_multiple_of(stock::SECTOR as usize), 0);
        let length = number(tables.len());
        tables[header::LENGTH * 4..][..4].copy_from_slice(&length.to_le_bytes());
        seal(&mut tables, contents.len());
        tables.extend(contents);
        tables
    }

    /// Everything, for a pool at that place.
    fn parts(&self, mut pool: Pool) -> Parts {
        let mut contents = Vec::new();
        let regions: Vec<[u32; 6]> =
            self.regions.iter().map(|region| self.region(region, &mut pool, &mut contents)).collect();
        let usb = self.usb(&mut pool);
        let scsi = [self.scsi_unit.vendor, self.scsi_unit.product, self.scsi_unit.revision];
        let scsi: Vec<u32> = scsi.into_iter().flat_map(|text| pool.text(text)).collect();
        let built_in = self.built_in.iter().map(|&(source, path, capacity)| {
            let [at, length] = pool.text(path);
            BuiltIn { source: Some(source), capacity, path: (at, length) }.encode()
        });
        let built_in: Vec<u32> = built_in.flatten().collect();
        let folder = pool.text(self.partitions.folder);
        let exposable = self.exposable.iter().map(|&Exposable { path, directory, entries, blocks }| {
            let [at, length] = pool.text(path);
            ExposableRecord { path: (at, length), directory, entries, blocks }.encode()
        });
        let exposable: Vec<u32> = exposable.flatten().collect();
        let Announcing { refresh, quiet, max_age, hold, max_hold } = self.announcing;
        let refresh = match refresh {
            Refresh::Attention => 0,
            Refresh::Reinsert => 1,
            Refresh::Reconnect => 2,
            Refresh::Auto => 3,
        };
        let Settings { sectors, start, lock, show_stacks, from_end, label } = self.settings;
        let flags = u32::from(lock) | u32::from(show_stacks) << 1 | u32::from(from_end) << 2;
        let label = pool.text(if sectors == 0 { "" } else { label });
        let has_log = self
            .built_in
            .iter()
            .any(|file| matches!(file.0, BuiltInSource::Stdout | BuiltInSource::Tail | BuiltInSource::Defmt));
        let has = |source| self.built_in.iter().any(|file| file.0 == source);
        let (has_partitions, has_sensor) = (has(BuiltInSource::Partitions), has(BuiltInSource::Temperature));
        let words = [
            (section::POOL, Vec::new()),
            (section::VOLUME, self.volume().to_vec()),
            (section::CHAIN_ENDS, self.chain_ends.to_vec()),
            (section::REGIONS, regions.concat()),
            (section::FLASH_FILES, self.flash_files.iter().flat_map(Record::encode).collect()),
            (section::GROWING, self.growing.iter().flat_map(Record::encode).collect()),
            (section::USB, usb),
            (section::SCSI, scsi),
            (section::ANNOUNCING, [refresh, quiet, max_age, hold, max_hold].to_vec()),
            (section::CHIP, [self.chip.flash_size, self.chip.program_in_sram.into()].to_vec()),
            (section::BUILT_IN, built_in),
            (section::LOG, if has_log { [self.log.ring_size, self.log.defmt_ring_size].to_vec() } else { Vec::new() }),
            (section::PARTITIONS, if has_partitions { folder.to_vec() } else { Vec::new() }),
            (section::REDACTED, self.redacted.iter().flat_map(Record::encode).collect()),
            (
                section::SETTINGS,
                if sectors == 0 { Vec::new() } else { [u32::from(sectors), start, flags, label[0], label[1]].to_vec() },
            ),
            (section::EXPOSABLE, exposable),
            (section::SENSOR, if has_sensor { [self.sensor_interval].to_vec() } else { Vec::new() }),
        ];
        // Sections that say nothing are left out.
        let words = words.into_iter().filter(|(section, words)| *section == section::POOL || !words.is_empty());
        let bytes = |words: Vec<u32>| words.into_iter().flat_map(u32::to_le_bytes).collect();
        let mut sections: Vec<(u32, Vec<u8>)> = words.map(|(section, words)| (section, bytes(words))).collect();
        sections.extend(self.text.map(|text| (section::TEXT, text.as_bytes().to_vec())));
        Parts { pool, contents, sections }
    }

    fn volume(&self) -> [u32; volume::WORDS] {
        let mut words = [0; volume::WORDS];
        let Label { units, board_digits } = self.label;
        let DynamicWindow { first_cluster, cluster_count, slots, entries, slot_entries } = self.dynamic;
        for (at, value) in [
            (volume::PARTITION_OFFSET, self.partition_offset),
            (volume::VOLUME_LENGTH, self.volume_length),
            (volume::FAT_OFFSET, self.fat_offset),
            (volume::FAT_LENGTH, self.fat_length),
            (volume::CLUSTER_HEAP_OFFSET, self.cluster_heap_offset),
            (volume::CLUSTER_COUNT, self.cluster_count),
            (volume::ROOT, self.first_cluster_of_root_directory),
            (volume::SERIAL_NUMBER, self.volume_serial_number),
            (volume::TIMESTAMP, self.timestamp),
            (volume::CLUSTER_SHIFT, self.sectors_per_cluster_shift.into()),
            (volume::ALLOCATED, self.allocated_clusters),
            (volume::DYNAMIC_FIRST, first_cluster.0),
            (volume::DYNAMIC_CLUSTERS, cluster_count),
            (volume::DYNAMIC_SLOTS, u32::from(slots) | u32::from(entries) << 16),
            (volume::DYNAMIC_SLOT_ENTRIES, slot_entries.into()),
            (volume::LABEL, units.len() as u32 | u32::from(board_digits) << 8),
        ] {
            words[at] = value;
        }
        for (at, pair) in units.chunks(2).enumerate().take(volume::WORDS - volume::LABEL_UNITS) {
            words[volume::LABEL_UNITS + at] =
                u32::from(pair[0]) | u32::from(pair.get(1).copied().unwrap_or_default()) << 16;
        }
        words
    }

    fn region(&self, region: &Region<'_>, pool: &mut Pool, contents: &mut Vec<u8>) -> [u32; 6] {
        let (kind, [a, b, c]) = match region.kind {
            RegionKind::Boot => (kind::BOOT, [0; 3]),
            RegionKind::Fat => (kind::FAT, [0; 3]),
            RegionKind::Bitmap => (kind::BITMAP, [0; 3]),
            RegionKind::Upcase => (kind::UPCASE, [0; 3]),
            RegionKind::Directory(directory) => {
                let [at, length] = pool.words(directory.entries);
                (kind::DIRECTORY, [at, length, directory.root.into()])
            }
            RegionKind::Bytes(bytes) if region.first == Lba(0) => {
                let [at, length] = pool.words(bytes);
                (kind::PARTITION_TABLE, [at, length, 0])
            }
            RegionKind::Bytes(bytes) => {
                let at = number(contents.len());
                contents.extend(bytes);
                (kind::BYTES, [at, number(bytes.len()), check::checksum(bytes)])
            }
            RegionKind::Memory(window) => (kind::MEMORY, [window.base, window.length, 0]),
            RegionKind::Dynamic => (kind::DYNAMIC, [0; 3]),
            RegionKind::Unused(Gap::Alignment) => (kind::ALIGNMENT, [0; 3]),
            RegionKind::Unused(Gap::Free) => (kind::FREE, [0; 3]),
            RegionKind::Unused(Gap::Reserved) => (kind::RESERVED, [0; 3]),
            RegionKind::Unused(Gap::Excess) => (kind::EXCESS, [0; 3]),
        };
        [region.first.0, region.length.0, kind, a, b, c]
    }

    fn usb(&self, pool: &mut Pool) -> Vec<u32> {
        let Usb { vid, pid, manufacturer, product, serial, console, picotool_reset, max_power } = self.usb;
        let mut words = Vec::new();
        words.push(u32::from(vid) | u32::from(pid) << 16);
        words.push(u32::from(console) | u32::from(picotool_reset) << 1 | u32::from(max_power) << 16);
        words.extend([manufacturer, product, serial.unwrap_or_default()].into_iter().flat_map(|text| pool.text(text)));
        words
    }
}

/// What a block consists of.
struct Parts {
    pool: Pool,
    contents: Vec<u8>,
    /// Numbers and bytes. The pool's is the first one, and empty here.
    sections: Vec<(u32, Vec<u8>)>,
}

/// Bytes that records refer to, by their offsets from the start of the tables.
struct Pool {
    at: usize,
    bytes: Vec<u8>,
}

impl Pool {
    /// A pool that follows the header and the records of `count` sections.
    fn after(count: usize) -> Self {
        Self { at: (HEADER + count * SECTION) * 4, bytes: Vec::new() }
    }

    /// Where a text is: offset and length. A text that is there already is not repeated.
    fn text(&mut self, text: &str) -> [u32; 2] {
        let bytes = text.as_bytes();
        if bytes.is_empty() {
            return [0, 0];
        }
        let at = self.bytes.windows(bytes.len()).position(|window| window == bytes).unwrap_or_else(|| {
            self.bytes.extend(bytes);
            self.bytes.len() - bytes.len()
        });
        [number(self.at + at), number(bytes.len())]
    }

    /// Where these bytes are, from a word's start on.
    fn words(&mut self, bytes: &[u8]) -> [u32; 2] {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
        let at = self.bytes.len();
        self.bytes.extend(bytes);
        [number(self.at + at), number(bytes.len())]
    }
}

/// The tables: header, the sections' records, the pool, the other sections.
fn assemble(pool: Pool, sections: Vec<(u32, Vec<u8>)>) -> Vec<u8> {
    let mut records = Vec::new();
    let mut body = pool.bytes;
    for (section, bytes) in &sections {
        let (at, length) = if *section == section::POOL { (0, body.len()) } else { (body.len(), bytes.len()) };
        records.extend([*section, number(pool.at + at), number(length)]);
        body.extend(bytes);
        body.resize(body.len().next_multiple_of(4), 0);
    }
    let mut head = [0; HEADER];
    head[header::MAGIC] = format::MAGIC;
    head[header::FORMAT] = format::FORMAT;
    head[header::LENGTH] = number(pool.at + body.len());
    head[header::SECTIONS] = number(sections.len());
    let mut tables: Vec<u8> = head.iter().chain(&records).flat_map(|word| word.to_le_bytes()).collect();
    tables.extend(body);
    tables
}

/// Writes the length of the contents and the checksum.
fn seal(tables: &mut [u8], contents: usize) {
    tables[header::CONTENTS * 4..][..4].copy_from_slice(&number(contents).to_le_bytes());
    let checksum = check::checksum(&tables[SUMMED..]);
    tables[header::CHECKSUM * 4..][..4].copy_from_slice(&checksum.to_le_bytes());
}

fn number(length: usize) -> u32 {
    u32::try_from(length).expect("a compiled manifest is shorter than 4 GiB")
}
