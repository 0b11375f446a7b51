//! Facts about the RP2350 that need no access to it: its address map, the boot ROM's answers, the length of its flash.

pub mod address_map;
pub mod bootrom;
mod flash_length;
pub(crate) mod partition_table;
pub mod temperature;

pub use flash_length::flash_length;
pub use partition_table::{PartitionTableSource, WORK_AREA};
