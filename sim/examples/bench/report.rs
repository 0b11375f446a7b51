//! All that was measured, and how it compares with what the project wants.

use super::masked::{Calls, Others};
use super::measure::{Cost, Row};
use super::mount::Mount;
use super::native::{Emulated, Imaged};
use super::pace::Pace;
use super::share::Share;

/// Every kind of sector on one bus at one pace.
#[derive(Clone, Debug)]
pub struct Group {
    /// Whose driver of the USB controller: `picovd` or `rp235x-hal`.
    pub bus: &'static str,
    /// How fast the processor is.
    pub pace: Pace,
    /// By kind of sector.
    pub rows: Vec<Row>,
}

/// A volume with many files.
#[derive(Clone, Debug)]
pub struct Many {
    /// How many, all in one folder.
    pub files: u32,
    /// By kind of sector.
    pub rows: Vec<Row>,
}

/// Everything; what was not asked for is empty.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Kinds of sectors.
    pub groups: Vec<Group>,
    /// Volumes with many files.
    pub many: Vec<Many>,
    /// What Linux reads.
    pub mount: Option<Mount>,
    /// The processor's share.
    pub shares: Vec<Share>,
    /// Calls of the registry of dynamic files.
    pub calls: Option<Calls>,
    /// What else masks interrupts.
    pub others: Others,
    /// `cargo sim image`.
    pub image: Option<Imaged>,
    /// The emulator.
    pub emulated: Option<Emulated>,
}

/// What the project wants, and what is.
#[derive(Clone, Debug)]
pub struct Goal {
    /// What it is about.
    pub name: String,
    /// What is wanted.
    pub wanted: String,
    /// What was measured, the worst case with its name.
    pub measured: String,
    /// Whether it is met.
    pub met: bool,
}

/// Kinds of sectors that are made of the application's memory, flash or files.
const DATA: [&str; 15] = [
    "SRAM window",
    "ROM window",
    "flash window",
    "static file",
    "unused",
    "INFO.TXT",
    "INFO.JSON",
    "PARTITIONS.JSON",
    "partition",
    "CONFIG.JSON",
    "CONFIG.SCHEMA.JSON",
    "log file",
    "STDOUT-TAIL.TXT",
    "DEFMT.BIN",
    "file of the application",
];

impl Report {
    /// The goals that what was measured says something about.
    pub fn goals(&self) -> Vec<Goal> {
        let mut goals = Vec::new();
        for group in self.groups.iter().filter(|group| group.bus == "picovd") {
            self.wire(group, &mut goals);
        }
        if let Some(usual) = self.groups.iter().find(|group| group.bus == "picovd" && group.pace == Pace::USUAL) {
            let rows = || usual.rows.iter().chain(self.many.iter().flat_map(|many| &many.rows));
            let mut limit = |name: &str, most: f64, data: bool| {
                let kinds = rows().filter(|row| DATA.contains(&row.name) == data);
                let worst = kinds
                    .filter_map(|row| Some((row.name, row.costs.first()?.cycles)))
                    .max_by(|a, b| a.1.total_cmp(&b.1));
                if let Some((kind, cycles)) = worst {
                    goals.push(Goal {
                        name: name.to_owned(),
                        wanted: format!("at most {most:.0}"),
                        measured: format!("{cycles:.0} ({kind})"),
                        met: cycles <= most,
                    });
                }
            };
            limit("cycles a sector, memory and files", 3000.0, true);
            limit("cycles a sector, metadata, up to as many files as measured", 6000.0, false);
        }
        if let Some(Mount { attach, mount }) = self.mount {
            goals.push(Goal {
                name: "sectors that a mount by Linux reads".to_owned(),
                wanted: "at most 40".to_owned(),
                measured: format!("{mount}, and {attach} when it is attached"),
                met: mount <= 40,
            });
        }
        let mut masked = |what: &str, cycles: u64| {
            if cycles != 0 {
                // 150 cycles a microsecond.
                let masked = cycles as f64 / 150.0;
                goals.push(Goal {
                    name: format!("longest stretch with interrupts masked, {what}"),
                    wanted: "at most 100 us".to_owned(),
                    measured: format!("{masked:.1} us"),
                    met: masked <= 100.0,
                });
            }
        };
        masked("250 dynamic files", self.calls.map_or(0, |calls| calls.masked));
        masked("a `Snapshot` value of 1 KiB", self.others.value);
        masked("a `TextBuffer` and a `RingLog`", self.others.texts);
        masked("`println!` and defmt", self.others.print);
        masked("logs that a host reads", self.others.log);
        masked("settings", self.others.settings);
        if let Some(Calls { adds, all_adds, .. }) = self.calls {
            let (adds, all_adds) = (f64::from(adds) / 1e3, f64::from(all_adds) / 1e3);
            goals.push(Goal {
                name: "64 adds of dynamic files".to_owned(),
                wanted: "at most 5 ms".to_owned(),
                measured: format!("{adds:.2} ms; 99 take {all_adds:.2} ms"),
                met: adds <= 5.0,
            });
        }
        if let Some(Imaged { bytes, time }) = self.image {
            goals.push(Goal {
                name: format!("`cargo sim image`, {} MiB", bytes >> 20),
                wanted: "at most 2 s".to_owned(),
                measured: format!("{:.2} s", time.as_secs_f64()),
                met: time.as_secs_f64() <= 2.0,
            });
        }
        if let Some(Emulated { instructions, time }) = self.emulated {
            let rate = instructions as f64 / time.as_secs_f64() / 1e6;
            goals.push(Goal {
                name: "emulated instructions a second".to_owned(),
                wanted: "at least 20 million".to_owned(),
                measured: format!("{rate:.1} million"),
                met: rate >= 20.0,
            });
        }
        goals
    }

    fn wire(&self, group: &Group, goals: &mut Vec<Goal>) {
        let costs = || group.rows.iter().flat_map(|row| row.costs.iter().map(move |cost| (row.name, cost)));
        let mut least = |name: &str, least: f64, which: &dyn Fn(&Cost) -> bool| {
            let worst = costs().filter(|(_, cost)| which(cost)).min_by(|a, b| a.1.share.total_cmp(&b.1.share));
            if let Some((kind, cost)) = worst {
                goals.push(Goal {
                    name: format!("share of the wire, {name}, {}", group.pace.name),
                    wanted: format!("at least {least:.0} %"),
                    measured: format!("{:.1} % ({kind})", cost.share * 100.0),
                    met: cost.share * 100.0 >= least,
                });
            }
        };
        least("READs of 128 sectors", 99.0, &|cost| cost.blocks == 128);
        least("READs of fewer", 97.0, &|cost| cost.blocks < 128);
        if let Some((kind, cost)) = costs().max_by(|a, b| a.1.naks.total_cmp(&b.1.naks)) {
            goals.push(Goal {
                name: format!("NAKs a packet of data, {}", group.pace.name),
                wanted: "none".to_owned(),
                measured: if cost.naks == 0.0 { "none".to_owned() } else { format!("{:.2} ({kind})", cost.naks) },
                met: cost.naks == 0.0,
            });
        }
    }
}
