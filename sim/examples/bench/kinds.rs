//! Which kinds of sectors there are, and where the firmwares show one of each.

use picovd_manifest::{DiskPlan, RegionKind};

/// A kind of sector, and where one run of it is.
pub struct Kind {
    /// What a table calls it.
    pub name: &'static str,
    /// Its first block.
    pub first: u32,
    /// How many blocks there are.
    pub blocks: u32,
}

/// A file, or a folder, whose sectors a firmware computes: what a table calls it, and its path.
pub type Computed = (&'static str, &'static str);

/// What the firmware with everything on shows beside a partition table (tests/manifests/full.toml).
pub const FULL: [Computed; 7] = [
    ("INFO.TXT", "INFO.TXT"),
    ("INFO.JSON", "INFO.JSON"),
    ("PARTITIONS.JSON", "partitions/PARTITIONS.JSON"),
    ("partition", "partitions/n.bin"),
    ("folder of dynamic files", "partitions"),
    ("CONFIG.JSON", "CONFIG.JSON"),
    ("CONFIG.SCHEMA.JSON", "CONFIG.SCHEMA.JSON"),
];
/// What the firmware that logs shows (tests/chatter).
pub const LOGS: [Computed; 3] =
    [("log file", "STDOUT.TXT"), ("STDOUT-TAIL.TXT", "STDOUT-TAIL.TXT"), ("DEFMT.BIN", "DEFMT.BIN")];
/// What an application shows (examples/interrupts).
pub const APPLICATION: [Computed; 1] = [("file of the application", "PRIMES.TXT")];

/// The longest run of each kind of sector.
pub fn kinds(plan: &DiskPlan) -> Vec<Kind> {
    let mut kinds: Vec<Kind> = Vec::new();
    for region in &plan.regions {
        let name = match &region.kind {
            RegionKind::Boot => "boot region",
            RegionKind::Fat => "FAT",
            RegionKind::Bitmap => "allocation bitmap",
            RegionKind::Upcase => "up-case table",
            RegionKind::Directory { root: true, .. } => "root directory",
            RegionKind::Directory { .. } => "directory",
            RegionKind::Bytes(_) => "static file",
            RegionKind::Memory { base, .. } if *base < 0x1000_0000 => "ROM window",
            RegionKind::Memory { base, .. } if *base < 0x2000_0000 => "flash window",
            RegionKind::Memory { .. } => "SRAM window",
            RegionKind::Unused(_) => "unused",
            RegionKind::PartitionTable(_) | RegionKind::Dynamic => continue,
        };
        // Past its contents a region is zeros, which cost nothing.
        let blocks = match &region.kind {
            RegionKind::Bytes(bytes) => (bytes.len() as u32).div_ceil(512),
            RegionKind::Directory { entries, .. } => (entries.len() as u32).div_ceil(512),
            RegionKind::Bitmap => plan.cluster_count.div_ceil(8 * 512),
            RegionKind::Upcase => 12,
            _ => region.length,
        };
        let kind = Kind { name, first: region.first, blocks: blocks.clamp(1, region.length) };
        match kinds.iter_mut().find(|known| known.name == name) {
            Some(known) if known.blocks >= kind.blocks => {}
            Some(known) => *known = kind,
            None => kinds.push(kind),
        }
    }
    kinds
}
