//! Mistakes with contents of files. `contents_declared` compiles each of them; nothing is here otherwise.
#![allow(unexpected_cfgs, dead_code)]

// Its critical sections.
extern crate picovd_sim as _;

use picovd::files::{CsvRing, Snapshot};
use picovd::heapless::String;
use picovd::vd::File;

static NAME: Snapshot<String<16>> = Snapshot::new(String::new());
static NAME_TXT: File = File::new("NAME.TXT", &NAME, 16);

static EVENTS: CsvRing<(u32, String<8>), 8> = CsvRing::new("second,event");
static EVENTS_CSV: File = File::new("EVENTS.CSV", &EVENTS, 256);

/// Of an application: neither `Display` nor `Serialize`.
#[derive(Clone)]
struct Reading {
    celsius: f32,
}

#[cfg(mistake = "bare")]
static BARE: String<16> = String::new();
#[cfg(mistake = "bare")]
static BARE_TXT: File = File::new("BARE.TXT", &BARE, 16);

#[cfg(mistake = "number")]
static NUMBER_TXT: File = File::new("NUMBER.TXT", &7_u32, 16);

#[cfg(mistake = "display")]
static DISPLAY: Snapshot<Reading> = Snapshot::new(Reading { celsius: 21.5 });

#[cfg(mistake = "serialize")]
static SERIALIZE: Snapshot<Reading> = Snapshot::json(Reading { celsius: 21.5 });

#[cfg(mistake = "row")]
static ROW: CsvRing<(u32, Reading), 8> = CsvRing::new("second,celsius");
