//! The numbers of the format. `docs/COMPILED-MANIFEST.md` is their specification.

/// The first word: `PVDM`.
pub const MAGIC: u32 = u32::from_le_bytes(*b"PVDM");

/// The format that this crate writes: the major version in the upper half of the word, the minor one in the lower half. A
/// reader refuses a higher major version. Of a higher minor version it reads what it knows, and refuses it if something that
/// it does not know must not be ignored.
pub const FORMAT: u32 = 1 << 16;

/// Length of the header in words.
pub(crate) const HEADER: usize = 8;

/// Words of the header.
pub(crate) mod header {
    /// [`MAGIC`](super::MAGIC).
    pub const MAGIC: usize = 0;
    /// [`FORMAT`](super::FORMAT).
    pub const FORMAT: usize = 1;
    /// Length of the tables in bytes, including the header.
    pub const LENGTH: usize = 2;
    /// CRC-32 of the tables from byte [`SUMMED`](super::SUMMED) on.
    pub const CHECKSUM: usize = 3;
    /// Length in bytes of the contents, which follow the tables.
    pub const CONTENTS: usize = 4;
    /// Number of sections.
    pub const SECTIONS: usize = 5;
}

/// Where the bytes begin that the checksum covers.
pub(crate) const SUMMED: usize = 16;

/// Length of a section's record in words: its number, its offset in bytes from the start of the block, its length in bytes.
pub(crate) const SECTION: usize = 3;

/// Maximum number of sections.
pub(crate) const MOST_SECTIONS: usize = 64;

/// The bit of a section's number that lets a reader ignore a section that it does not know.
pub(crate) const OPTIONAL: u32 = 1 << 31;

/// The sections' numbers.
pub(crate) mod section {
    use super::OPTIONAL;

    pub const VOLUME: u32 = 1;
    pub const REGIONS: u32 = 2;
    pub const CHAIN_ENDS: u32 = 3;
    pub const FLASH_FILES: u32 = 4;
    pub const GROWING: u32 = 5;
    /// Directory entries and texts.
    pub const POOL: u32 = 6;
    pub const USB: u32 = 7;
    pub const SCSI: u32 = 8;
    pub const ANNOUNCING: u32 = 9;
    pub const CHIP: u32 = 10;
    pub const BUILT_IN: u32 = 11;
    pub const LOG: u32 = 12;
    pub const PARTITIONS: u32 = 13;
    pub const REDACTED: u32 = 14;
    pub const SETTINGS: u32 = 15;
    pub const EXPOSABLE: u32 = 16;
    pub const SENSOR: u32 = 17;
    /// The manifest's text.
    pub const TEXT: u32 = OPTIONAL | 1;
}

/// Words of the section [`VOLUME`](section::VOLUME).
pub(crate) mod volume {
    pub const PARTITION_OFFSET: usize = 0;
    pub const VOLUME_LENGTH: usize = 1;
    pub const FAT_OFFSET: usize = 2;
    pub const FAT_LENGTH: usize = 3;
    pub const CLUSTER_HEAP_OFFSET: usize = 4;
    pub const CLUSTER_COUNT: usize = 5;
    pub const ROOT: usize = 6;
    pub const SERIAL_NUMBER: usize = 7;
    pub const TIMESTAMP: usize = 8;
    pub const CLUSTER_SHIFT: usize = 9;
    pub const ALLOCATED: usize = 10;
    pub const DYNAMIC_FIRST: usize = 11;
    pub const DYNAMIC_CLUSTERS: usize = 12;
    /// `slots` in the lower half, `entries` in the upper one.
    pub const DYNAMIC_SLOTS: usize = 13;
    pub const DYNAMIC_SLOT_ENTRIES: usize = 14;
    /// The number of units in the lowest byte; bit 8: the board's digits follow.
    pub const LABEL: usize = 15;
    /// Eleven UTF-16 units and a zero.
    pub const LABEL_UNITS: usize = 16;
    pub const WORDS: usize = 22;
}

/// Kinds of regions, and of gaps.
pub(crate) mod kind {
    pub const BOOT: u32 = 0;
    pub const FAT: u32 = 1;
    pub const BITMAP: u32 = 2;
    pub const UPCASE: u32 = 3;
    /// `a`: offset of the entries from the start of the block, `b`: their length, `c`: 1 for the root directory.
    pub const DIRECTORY: u32 = 4;
    /// `a`: offset of the bytes in the contents, `b`: their length, `c`: their CRC-32.
    pub const BYTES: u32 = 5;
    /// `a`: first address, `b`: length in bytes.
    pub const MEMORY: u32 = 6;
    pub const DYNAMIC: u32 = 7;
    pub const ALIGNMENT: u32 = 8;
    pub const FREE: u32 = 9;
    pub const RESERVED: u32 = 10;
    pub const EXCESS: u32 = 11;
    /// As `BYTES`, within the tables: `a` counts from the start of the block.
    pub const PARTITION_TABLE: u32 = 12;
}
