//! From the plan to the compiled manifest: one block that the firmware, the simulator and the chip read in place.

use std::fmt;

use picovd_layout::block::{BlockCount, Lba};
use picovd_layout::{
    Announcing, BuiltInSource, Chip, Compiled, Directory, Draft, Exposable, Label, Log, MemoryWindow, Partitions,
    Redacted, Refresh, Refusal, Region, RegionKind, ScsiUnit, Settings, Usb, stock,
};

use crate::plan::{self, DiskPlan};
use crate::schema::{self, Program};

/// A compiled manifest. It is position-independent: the contents follow the tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The tables, in whole words.
    pub tables: Vec<u8>,
    /// The contents of static files.
    pub contents: Vec<u8>,
}

/// Compiles the plan. The manifest's text is left out unless a file shows it.
#[must_use]
pub fn compile(plan: &DiskPlan) -> Block {
    let is_shown = plan.built_in.iter().any(|file| file.source == BuiltInSource::Manifest);
    let (tables, contents) = draft(plan, &label(plan), is_shown.then_some(plan.text.as_str())).write();
    Block { tables, contents }
}

/// Compiles the plan for the stock firmware, which reads it from flash at [`MANIFEST`](stock::MANIFEST), with the manifest's
/// text.
///
/// # Errors
/// What the stock firmware does not have, or has no room for.
pub fn compile_for_flash(plan: &DiskPlan) -> Result<Vec<u8>, Unsupported> {
    if plan.chip.program == Program::Sram {
        return Err(Unsupported::Sram);
    }
    if usize::from(plan.dynamic.slots) > stock::FILES {
        return Err(Unsupported::Files(plan.dynamic.slots));
    }
    let has = |source| plan.built_in.iter().any(|file| file.source == source);
    if has(BuiltInSource::Defmt) {
        return Err(Unsupported::Defmt);
    }
    if has(BuiltInSource::CrashCore) {
        return Err(Unsupported::Crash);
    }
    let ring = plan.log.ring_size;
    if (has(BuiltInSource::Stdout) || has(BuiltInSource::Tail)) && ring as usize > stock::LOG {
        return Err(Unsupported::Log(ring));
    }
    let bytes = draft(plan, &label(plan), Some(&plan.text)).write_sectors();
    let tables = bytes.len() - plan.regions.iter().map(content_length).sum::<usize>();
    if tables > stock::TABLES {
        return Err(Unsupported::Tables(tables));
    }
    let end = plan.chip.flash_size - stock::SECTOR;
    let (end, what) =
        if plan.settings.sectors == 0 { (end, "flash's last sector") } else { (plan.settings.start, "the settings") };
    let room = end.saturating_sub(stock::MANIFEST) as usize;
    if bytes.len() > room {
        return Err(Unsupported::Length { length: bytes.len(), room, what });
    }
    Ok(bytes)
}

/// Why the stock firmware cannot show what a manifest says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unsupported {
    /// `[chip] program = "sram"`.
    Sram,
    /// That many dynamic files and folders.
    Files(u16),
    /// `[log] defmt`.
    Defmt,
    /// `[crash]`.
    Crash,
    /// A ring of that length in bytes.
    Log(u32),
    /// The tables' length in bytes.
    Tables(usize),
    /// Tables and contents are too long: their length, the room for them, and what follows it.
    Length {
        /// Bytes of the compiled manifest.
        length: usize,
        /// Bytes from 512 KiB on.
        room: usize,
        /// What follows.
        what: &'static str,
    },
}

impl fmt::Display for Unsupported {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sram => out.write_str(
                "program = \"sram\" is for firmware that is built from the manifest; the stock firmware runs from flash",
            ),
            Self::Files(files) => write!(
                out,
                "the manifest needs room for {files} dynamic files and folders, those of partitions, logs and INFO included, and \
                 the stock firmware has room for {}: reduce [dynamic] files",
                stock::FILES
            ),
            Self::Defmt => out.write_str("defmt = true in [log] needs firmware with a defmt logger of its own"),
            Self::Crash => out.write_str("[crash] is for firmware that is built from the manifest: the stock firmware keeps no crashes"),
            Self::Log(length) => write!(
                out,
                "ring-size in [log] is {length} bytes, and the stock firmware has {}: reduce it",
                stock::LOG
            ),
            Self::Tables(length) => write!(
                out,
                "the tables have {length} bytes, and each boot checks all of them: at most {}; use fewer files",
                stock::TABLES
            ),
            Self::Length { length, room, what } => write!(
                out,
                "the compiled manifest has {length} bytes, and there is room for {room} between 512 KiB and {what}: leave out \
                 files, or shorten them"
            ),
        }
    }
}

impl std::error::Error for Unsupported {}

/// The label's text.
fn label(plan: &DiskPlan) -> String {
    String::from_utf16_lossy(&plan.label.units)
}

/// What is to be written. `label` is the label's text.
fn draft<'p>(plan: &'p DiskPlan, label: &'p str, text: Option<&'p str>) -> Draft<'p> {
    let plan::Label { units, board_digits } = &plan.label;
    let crate::Usb { manufacturer, product, serial, .. } = &plan.usb;
    let crate::Dynamic { refresh, quiet, max_age, hold, max_hold, .. } = plan.changes;
    let crate::Settings { sectors, start, lock, show_stacks, from_end } = plan.settings;
    Draft {
        partition_offset: plan.partition_offset,
        volume_length: plan.volume_length,
        fat_offset: plan.fat_offset,
        fat_length: plan.fat_length,
        cluster_heap_offset: plan.cluster_heap_offset,
        cluster_count: plan.cluster_count,
        first_cluster_of_root_directory: plan.first_cluster_of_root_directory,
        volume_serial_number: plan.volume_serial_number,
        timestamp: plan.timestamp,
        label: Label { units, board_digits: *board_digits },
        sectors_per_cluster_shift: plan.sectors_per_cluster_shift,
        chain_ends: &plan.chain_ends,
        allocated_clusters: plan.allocated_clusters,
        regions: plan.regions.iter().map(region).collect(),
        flash_files: plan.flash_files.clone(),
        growing: plan.growing.clone(),
        dynamic: plan.dynamic,
        usb: Usb {
            vid: plan.usb.vid,
            pid: plan.usb.pid,
            manufacturer,
            product,
            serial: serial.as_deref(),
            console: plan.usb.console,
            picotool_reset: plan.usb.picotool_reset,
            max_power: plan.usb.max_power,
        },
        scsi_unit: ScsiUnit {
            vendor: &plan.usb.scsi_vendor,
            product: &plan.usb.scsi_product,
            revision: &plan.usb.scsi_revision,
        },
        announcing: Announcing { refresh: means(refresh), quiet, max_age, hold, max_hold },
        chip: Chip { flash_size: plan.chip.flash_size, program_in_sram: plan.chip.program == Program::Sram },
        built_in: plan.built_in.iter().map(|file| (file.source, file.path.as_str(), file.capacity)).collect(),
        sensor_interval: plan.stock.interval,
        log: Log { ring_size: plan.log.ring_size, defmt_ring_size: plan.log.defmt_ring_size },
        partitions: Partitions { folder: &plan.partitions.folder },
        redacted: plan.redacted_flash.iter().map(|range| Redacted { start: range.start, end: range.end }).collect(),
        settings: Settings { sectors, start, lock, show_stacks, from_end, label },
        exposable: plan
            .exposable
            .iter()
            .map(|file| {
                let entries = (file.entries.start, file.entries.end - file.entries.start);
                let blocks = (Lba(file.blocks.0), BlockCount(file.blocks.1));
                Exposable { path: &file.path, directory: Lba(file.directory), entries, blocks }
            })
            .collect(),
        text,
    }
}

impl Block {
    /// The words of tables and contents as one block, padded with zeros to a whole word.
    #[must_use]
    pub fn to_words(&self) -> Vec<u32> {
        let mut bytes = [self.tables.as_slice(), &self.contents].concat();
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes.as_chunks().0.iter().map(|word| u32::from_ne_bytes(*word)).collect()
    }

    /// Reads the block back, as firmware does with a block that may contain anything.
    ///
    /// # Errors
    /// The plan breaks a rule of the format.
    pub fn check(&self) -> Result<(), Refusal> {
        Compiled::read(&self.to_words()).map(|_| ())
    }
}

/// Length of a region's part of the contents.
fn content_length(region: &plan::Region) -> usize {
    if let plan::RegionKind::Bytes(bytes) = &region.kind { bytes.len() } else { 0 }
}

fn region(region: &plan::Region) -> Region<'_> {
    let kind = match &region.kind {
        plan::RegionKind::PartitionTable(bytes) => RegionKind::Bytes(bytes),
        plan::RegionKind::Boot => RegionKind::Boot,
        plan::RegionKind::Fat => RegionKind::Fat,
        plan::RegionKind::Bitmap => RegionKind::Bitmap,
        plan::RegionKind::Upcase => RegionKind::Upcase,
        plan::RegionKind::Directory { entries, root } => RegionKind::Directory(Directory { entries, root: *root }),
        plan::RegionKind::Bytes(bytes) => RegionKind::Bytes(bytes),
        // Every region is shorter than 4 GiB.
        plan::RegionKind::Memory { base, length } => {
            RegionKind::Memory(MemoryWindow { base: *base, length: *length as u32 })
        }
        plan::RegionKind::Dynamic => RegionKind::Dynamic,
        plan::RegionKind::Unused(gap) => RegionKind::Unused(*gap),
    };
    Region { first: Lba(region.first), length: BlockCount(region.length), kind }
}

fn means(refresh: schema::Refresh) -> Refresh {
    match refresh {
        schema::Refresh::Attention => Refresh::Attention,
        schema::Refresh::Reinsert => Refresh::Reinsert,
        schema::Refresh::Reconnect => Refresh::Reconnect,
        schema::Refresh::Auto => Refresh::Auto,
    }
}
