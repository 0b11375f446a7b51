//! Settings: values that survive a power cut, in their own flash sectors.
//!
//! [`Store`] keeps a payload of bytes, which contains all settings, as records in the sectors that the manifest's
//! `[settings]` reserves, in any [`Flash`]. [`Storage`] is the same for code that does not depend on the kind of flash.

mod choice;
mod codec;
mod commands;
mod configured;
mod console;
mod declare;
mod dump;
mod field;
mod foreign;
mod group;
mod hash;
mod integer;
mod json;
mod nor;
mod own;
mod payload;
mod printed;
mod reason;
mod record;
mod secret;
mod section;
mod stacks;
mod store;
#[cfg(test)]
mod tests;
mod text;
mod value;
mod values;
mod wear;

pub use crate::volume::layout::{Exposable, Exposables};
#[doc(hidden)]
pub use choice::deserialize_choice;
pub use configured::Configured;
pub use console::PACKET_LENGTH;
pub use declare::Choice;
pub use dump::Reach;
pub use embedded_storage::nor_flash;
pub use field::Field;
pub use foreign::{Contents, START_LENGTH, foreign_contents};
pub use group::{Declared, Group, Rule};
pub use integer::IntegerField;
pub use nor::{Flash, FlashError, PAGE_LENGTH, SECTOR_LENGTH};
pub use own::{Defaults, MAX_EXPOSABLE, Plan};
pub use reason::Reason;
pub use record::{HEADER_LENGTH, RECORD_START, record_pages};
pub use secret::Secret;
pub use section::Section;
#[doc(hidden)]
pub use serde;
pub use stacks::STACKS;
pub use store::{Health, MAX_PAYLOAD, MAX_SECTORS, SaveError, Storage, Store, Volatile};
pub use text::{TextField, characters, measure};
pub use values::{GroupError, MAX_GROUPS, Room, Settings, View};
