//! Files that exist only at run time: the room reserved for them, and which of them the firmware creates by itself.

use picovd_exfat::ClusterIndex;
use picovd_exfat::entry::{ENTRY_LENGTH, entries_for};

use super::{BYTES_PER_CLUSTER, BuiltInSource, DynamicWindow};
use crate::check::Checked;

/// Maximum number of partitions of an RP2350 (datasheet 5.1.2), and the number of entries of the longest name: 127
/// characters, a suffix that distinguishes equal names, and `.BIN`.
const PARTITIONS: u16 = 16;
const PARTITION_ENTRIES: usize = entries_for(134);

/// How often a file can move to other clusters before it comes back to the first ones.
const VERSIONS: u64 = 8;

/// Maximum length of PARTITIONS.JSON in bytes: sixteen partitions with every byte of their names escaped.
const DESCRIPTION_LENGTH: u32 = 32 << 10;

/// Maximum length of INFO.TXT and INFO.JSON in bytes: the texts in them are short.
const INFO_LENGTH: u32 = 4 << 10;

/// Maximum length of CONFIG.JSON and CONFIG.SCHEMA.JSON in bytes: some dozens of fields.
const CONFIG_LENGTH: u32 = 16 << 10;

/// Maximum length of CONFIGURE.HTM in bytes: what fits between the stock program and the compiled manifest.
const PAGE_LENGTH: u32 = 400 << 10;

/// Maximum length of SENSOR.CSV in bytes: `picovd::files::Temperatures` keeps 1 KiB of rows after the columns' names.
const SENSOR_LENGTH: u32 = 2 << 10;

/// Length in bytes of CORE.ELF without the stack; `picovd::files::crash` defines it.
const CORE_HEADER: u32 = 512;

/// Maximum length of CRASH.TXT and CRASH.JSON in bytes: some registers, and the log's last 512 bytes, all of them escaped.
const CRASH_LENGTH: u32 = 8 << 10;

/// Length of the line at the start of a log's tail that reports lost bytes; `picovd::files::LogTail` defines it.
const LOSS_LENGTH: u32 = 32;

/// A file that the firmware creates by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuiltIn {
    /// Its path.
    pub path: String,
    /// What it shows.
    pub source: BuiltInSource,
    /// Maximum length in bytes.
    pub capacity: u32,
}

/// The files that the manifest requests.
pub(super) fn built_in(manifest: &Checked) -> Vec<BuiltIn> {
    let (log, info, crash) = (&manifest.log, &manifest.info, &manifest.crash);
    let stock = &manifest.stock;
    // No manifest is longer than 4 GiB.
    let text_length = manifest.source.text().len() as u32;
    let partitions = &manifest.partitions;
    let set = manifest.settings.sectors > 0;
    let description = join(&partitions.folder, "PARTITIONS.JSON");
    [
        (log.stdout, "STDOUT.TXT", BuiltInSource::Stdout, log.max_file),
        (log.tail, "STDOUT-TAIL.TXT", BuiltInSource::Tail, log.ring_size + LOSS_LENGTH),
        (log.defmt, "DEFMT.BIN", BuiltInSource::Defmt, log.max_file),
        (partitions.enabled, description.as_str(), BuiltInSource::Partitions, DESCRIPTION_LENGTH),
        (info.text, "INFO.TXT", BuiltInSource::InfoText, INFO_LENGTH),
        (info.json, "INFO.JSON", BuiltInSource::InfoJson, INFO_LENGTH),
        (info.manifest, "MANIFEST.TOML", BuiltInSource::Manifest, text_length),
        (stock.page, "CONFIGURE.HTM", BuiltInSource::Page, PAGE_LENGTH),
        (stock.temperature, "SENSOR.CSV", BuiltInSource::Temperature, SENSOR_LENGTH),
        (crash.enabled, "CORE.ELF", BuiltInSource::CrashCore, CORE_HEADER + crash.stack),
        (crash.enabled, "CRASH.TXT", BuiltInSource::CrashText, CRASH_LENGTH),
        (crash.enabled, "CRASH.JSON", BuiltInSource::CrashJson, CRASH_LENGTH),
        (set, "CONFIG.JSON", BuiltInSource::Config, CONFIG_LENGTH),
        (set, "CONFIG.SCHEMA.JSON", BuiltInSource::ConfigSchema, CONFIG_LENGTH),
    ]
    .into_iter()
    .filter(|(wanted, ..)| *wanted)
    .map(|(_, path, source, capacity)| BuiltIn { path: path.to_owned(), source, capacity })
    .collect()
}

/// Number of entries of a checked name.
fn units(name: &str) -> usize {
    u8::try_from(name.encode_utf16().count()).map_or(0, entries_for)
}

/// The path of `name` in a folder; the root directory's is empty.
fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// What is reserved for dynamic files, without the first cluster.
pub(super) fn window(manifest: &Checked) -> DynamicWindow {
    let dynamic = &manifest.dynamic;
    let mut slots = dynamic.files;
    let mut slot_entries = if dynamic.files > 0 { entries_for(dynamic.max_name) } else { 0 };
    let mut entries = usize::from(dynamic.files) * slot_entries;
    let mut clusters = dynamic.window.div_ceil(u64::from(BYTES_PER_CLUSTER));
    let mut keep = |names: u16, longest: usize, length: u64| {
        slots += names;
        slot_entries = slot_entries.max(longest);
        entries += usize::from(names) * longest;
        clusters += length.div_ceil(u64::from(BYTES_PER_CLUSTER));
    };
    for file in built_in(manifest) {
        // A log rarely moves; rendered files move with each generation.
        let versions = match file.source {
            BuiltInSource::Stdout | BuiltInSource::Defmt => 2,
            BuiltInSource::Tail | BuiltInSource::InfoText | BuiltInSource::InfoJson => VERSIONS,
            BuiltInSource::Config | BuiltInSource::ConfigSchema => 4,
            BuiltInSource::Partitions | BuiltInSource::Manifest | BuiltInSource::Page => 1,
            BuiltInSource::Temperature => 4,
            BuiltInSource::CrashCore | BuiltInSource::CrashText | BuiltInSource::CrashJson => 2,
        };
        let length = u64::from(file.capacity).next_multiple_of(u64::from(BYTES_PER_CLUSTER));
        let name = file.path.rsplit('/').next().unwrap_or("");
        keep(1, units(name), length * versions);
    }
    if manifest.partitions.enabled {
        keep(PARTITIONS, PARTITION_ENTRIES, u64::from(manifest.chip.flash_size));
        let folder = manifest.partitions.folder.as_str();
        let folders: Vec<usize> = folder.split('/').filter(|name| !name.is_empty()).map(units).collect();
        for name in &folders {
            keep(1, *name, 0);
        }
        // While a file is being registered, the entries of its folders are counted twice.
        entries += folders.iter().sum::<usize>();
        // Each folder has room for all entries and an end-of-directory entry, both here and where it moves after a change.
        let length = ((entries + 1) * ENTRY_LENGTH).div_ceil(BYTES_PER_CLUSTER as usize);
        clusters += 2 * (folders.len() * length) as u64;
    }
    DynamicWindow {
        first_cluster: ClusterIndex::NONE,
        cluster_count: clusters as u32,
        slots,
        entries: entries as u16,
        slot_entries: slot_entries as u8,
    }
}
