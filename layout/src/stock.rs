//! The stock firmware: where it looks for a compiled manifest, and what it has for one.

/// Where a compiled manifest begins in flash, by storage address in bytes. The firmware ends before it.
pub const MANIFEST: u32 = 512 << 10;
/// Maximum length of the tables in bytes: each boot checks all of them.
pub const TABLES: usize = 1 << 20;
/// Length of a flash sector in bytes. The chip's last one stays free, because UF2 tools may overwrite it (RP2350-E10).
pub const SECTOR: u32 = 4096;
/// Maximum number of dynamic files and folders, those of the firmware itself included.
pub const FILES: usize = 64;
/// Maximum length of the log's ring in bytes.
pub const LOG: usize = 16 << 10;
