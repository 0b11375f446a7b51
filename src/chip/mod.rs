//! What is known of the RP2350 without touching it: its address map, the boot ROM's answers, how long its flash is.

pub mod address_map;
pub mod bootrom;
mod flash_length;
pub(crate) mod partition_table;

pub use flash_length::flash_length;
pub use partition_table::{PartitionTableSource, WORK_AREA};
