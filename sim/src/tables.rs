//! A manifest's plan as the tables that the library takes, created at run time: the counterpart of the firmware's
//! `volume.rs`.

use crate::arena::Arena;
use picovd::block::{BlockCount, Lba};
use picovd::files::{
    BuiltIn, ConfigFile, Info, InfoFile, LogFile, LogFrames, LogRing, LogRingOf, LogTail, PartitionPlan, Program,
};
use picovd::settings::{self, Defaults, Exposable, Settings};
use picovd::vd::{Announcing, File, Refresh, Timing};
use picovd::volume::layout::{
    ClusterIndex, Directory, DynamicWindow, FlashFile, Gap, Growing, Label, Layout, MemoryWindow, Region, RegionKind,
};
use picovd_manifest as manifest;
use picovd_manifest::DiskPlan;
use std::time::Duration;

/// Tables that own what a [`Layout`] borrows.
#[derive(Debug)]
pub struct Tables {
    plan: DiskPlan,
    flash_files: Vec<FlashFile>,
    growing: Vec<Growing>,
}

impl Tables {
    /// The tables of `plan`.
    #[must_use]
    pub fn new(plan: DiskPlan) -> Self {
        let flash_files = plan.flash_files.iter().map(|file| FlashFile {
            directory: Lba(file.directory),
            entry: file.entry,
            first_cluster: ClusterIndex(file.first_cluster),
            offset: file.offset,
            length: file.length,
        });
        let growing = plan.growing.iter().map(|folder| Growing {
            parent: Lba(folder.parent),
            entry: folder.entry,
            entries: folder.entries,
            first_cluster: ClusterIndex(folder.first_cluster),
            clusters: folder.clusters,
        });
        Self { flash_files: flash_files.collect(), growing: growing.collect(), plan }
    }

    /// The plan.
    #[must_use]
    pub fn plan(&self) -> &DiskPlan {
        &self.plan
    }

    /// The regions, borrowing from the plan: what [`layout`](Self::layout) needs in addition to it.
    #[must_use]
    pub fn regions(&self) -> Vec<Region<'_>> {
        self.plan.regions.iter().map(region).collect()
    }

    /// The layout of the plan over its [`regions`](Self::regions).
    #[must_use]
    pub fn layout<'t>(&'t self, regions: &'t [Region<'t>]) -> Layout<'t> {
        let plan = &self.plan;
        Layout {
            partition_offset: plan.partition_offset,
            volume_length: BlockCount(plan.volume_length),
            fat_offset: plan.fat_offset,
            fat_length: plan.fat_length,
            cluster_heap_offset: plan.cluster_heap_offset,
            cluster_count: plan.cluster_count,
            first_cluster_of_root_directory: ClusterIndex(plan.first_cluster_of_root_directory),
            volume_serial_number: plan.volume_serial_number,
            timestamp: plan.timestamp,
            label: Label { units: &plan.label.units, board_digits: plan.label.board_digits },
            sectors_per_cluster_shift: plan.sectors_per_cluster_shift,
            chain_ends: &plan.chain_ends,
            allocated_clusters: plan.allocated_clusters,
            regions,
            flash_files: &self.flash_files,
            growing: &self.growing,
            dynamic: DynamicWindow {
                first_cluster: ClusterIndex(plan.dynamic.first_cluster),
                cluster_count: plan.dynamic.cluster_count,
                slots: plan.dynamic.slots,
                entries: plan.dynamic.entries,
                slot_entries: plan.dynamic.slot_entries,
            },
        }
    }

    /// A layout for the rest of the process, for a device that owns its tables.
    #[must_use]
    pub fn leak(self) -> &'static Layout<'static> {
        let tables: &'static Self = Box::leak(Box::new(self));
        let regions = Vec::leak(tables.regions());
        Box::leak(Box::new(tables.layout(regions)))
    }
}

/// How hosts are notified of changes.
#[must_use]
pub fn announcing(plan: &DiskPlan) -> Announcing {
    let manifest::Dynamic { refresh, quiet, max_age, hold, max_hold, .. } = plan.changes;
    let [quiet, max_age, hold, max_hold] =
        [quiet, max_age, hold, max_hold].map(|time| Duration::from_millis(time.into()));
    let refresh = match refresh {
        manifest::Refresh::Attention => Refresh::Attention,
        manifest::Refresh::Reinsert => Refresh::Reinsert,
        manifest::Refresh::Reconnect => Refresh::Reconnect,
        manifest::Refresh::Auto => Refresh::Auto,
    };
    Announcing { refresh, timing: Timing::new(quiet, max_age, hold).with_max_hold(max_hold) }
}

/// The manifest's decisions about settings, if it has sectors for them; for the rest of the process.
///
/// # Panics
/// The plan is not from a manifest that passed its checks.
#[must_use]
pub fn settings(plan: &DiskPlan) -> Option<settings::Plan<'static>> {
    let manifest::Settings { sectors, start, lock, show_stacks } = plan.settings;
    let exposable = plan.exposable.iter().map(|file| Exposable {
        path: file.path.clone().leak(),
        directory: file.directory,
        entries: (file.entries.start, file.entries.end - file.entries.start),
        blocks: file.blocks,
    });
    let defaults = Defaults {
        label: String::from_utf16_lossy(&plan.label.units).leak(),
        announcing: announcing(plan),
        manufacturer: plan.usb.manufacturer.clone().leak(),
        product: plan.usb.product.clone().leak(),
    };
    (sectors != 0).then(|| settings::Plan {
        sectors: u8::try_from(sectors).expect("the manifest's rules keep it below"),
        start,
        lock,
        show_stacks,
        exposable: exposable.collect::<Vec<_>>().leak(),
        board_digits: plan.label.board_digits,
        defaults,
    })
}

/// The firmware's own dynamic files, to be created for each power cycle.
#[derive(Clone, Debug)]
pub struct BuiltInFiles {
    planned: Vec<manifest::BuiltIn>,
    log: manifest::Log,
    flash_size: u32,
    partitions: manifest::Partitions,
    redacted_flash: Vec<std::ops::Range<u32>>,
}

impl BuiltInFiles {
    /// Those of `plan`.
    #[must_use]
    pub fn of(plan: &DiskPlan) -> Self {
        Self {
            planned: plan.built_in.clone(),
            log: plan.log,
            flash_size: plan.chip.flash_size,
            partitions: plan.partitions.clone(),
            redacted_flash: plan.redacted_flash.clone(),
        }
    }

    /// Creates them in `arena`.
    ///
    /// # Panics
    /// The plan is not from a manifest that passed its checks.
    #[must_use]
    pub fn make(
        &self,
        layout: &'static Layout<'static>,
        settings: Option<&'static Settings<'static>>,
        arena: &mut Arena,
    ) -> BuiltIn<'static> {
        let mut ring = |size: u32| -> &'static LogRing {
            // Rings have their sizes in their types; these are the sizes that the manifest allows.
            match size.trailing_zeros() {
                8 => arena.keep(LogRingOf::<{ 1 << 8 }>::new()),
                9 => arena.keep(LogRingOf::<{ 1 << 9 }>::new()),
                10 => arena.keep(LogRingOf::<{ 1 << 10 }>::new()),
                11 => arena.keep(LogRingOf::<{ 1 << 11 }>::new()),
                12 => arena.keep(LogRingOf::<{ 1 << 12 }>::new()),
                13 => arena.keep(LogRingOf::<{ 1 << 13 }>::new()),
                14 => arena.keep(LogRingOf::<{ 1 << 14 }>::new()),
                15 => arena.keep(LogRingOf::<{ 1 << 15 }>::new()),
                16 => arena.keep(LogRingOf::<{ 1 << 16 }>::new()),
                17 => arena.keep(LogRingOf::<{ 1 << 17 }>::new()),
                _ => arena.keep(LogRingOf::<{ 1 << 18 }>::new()),
            }
        };
        let log = ring(self.log.ring_size);
        let defmt = ring(self.log.defmt_ring_size);
        let logged = (self.log.stdout || self.log.tail).then_some(log);
        let program = Program { name: "picovd-sim", version: env!("CARGO_PKG_VERSION"), build: "native" };
        let info = Info::new(program, layout, self.flash_size, logged, self.log.defmt.then_some(defmt));
        let info = &*arena.keep(match settings {
            Some(settings) => info.named_by(settings),
            None => info,
        });
        let mut told = None;
        let mut partitions = None;
        let mut files: Vec<&'static File<'static>> = Vec::new();
        let mut tail = None;
        for manifest::BuiltIn { path, source, capacity } in &self.planned {
            let path: &'static str = arena.keep(path.clone());
            match source {
                manifest::BuiltInSource::Stdout => {
                    let content = arena.keep(LogFile::new(log, *capacity));
                    files.push(arena.keep(File::new(path, content, *capacity).renewed()));
                }
                manifest::BuiltInSource::Defmt => {
                    let content = arena.keep(LogFrames::new(defmt, *capacity));
                    files.push(arena.keep(File::new(path, content, *capacity).renewed()));
                }
                manifest::BuiltInSource::Tail => {
                    let content = &*arena.keep(LogTail::new(log));
                    let file = &*arena.keep(File::new(path, content, *capacity));
                    files.push(file);
                    tail = Some((content, file));
                }
                manifest::BuiltInSource::Partitions => {
                    partitions = Some(PartitionPlan {
                        folder: arena.keep(self.partitions.folder.clone()),
                        description: path,
                        capacity: *capacity,
                        flash_size: self.flash_size,
                        redacted: arena.keep(self.redacted_flash.clone()),
                    });
                }
                manifest::BuiltInSource::Config | manifest::BuiltInSource::ConfigSchema => {
                    let settings = settings.expect("the manifest has sectors for them");
                    let values = *source == manifest::BuiltInSource::Config;
                    let content = if values { ConfigFile::values(settings) } else { ConfigFile::schema(settings) };
                    let content = arena.keep(content);
                    files.push(arena.keep(File::new(path, content, *capacity).renewed()));
                }
                // No program crashes here.
                manifest::BuiltInSource::CrashCore
                | manifest::BuiltInSource::CrashText
                | manifest::BuiltInSource::CrashJson => {}
                manifest::BuiltInSource::InfoText => {
                    let content = arena.keep(InfoFile::text(info));
                    files.push(arena.keep(File::new(path, content, *capacity).renewed()));
                    told = Some(info);
                }
                manifest::BuiltInSource::InfoJson => {
                    let content = arena.keep(InfoFile::json(info));
                    files.push(arena.keep(File::new(path, content, *capacity).renewed()));
                    told = Some(info);
                }
            }
        }
        BuiltIn {
            files: arena.keep(files),
            log: logged,
            defmt: self.log.defmt.then_some(defmt),
            tail,
            info: told,
            partitions,
        }
    }
}

fn region(region: &manifest::Region) -> Region<'_> {
    let kind = match &region.kind {
        manifest::RegionKind::PartitionTable(bytes) => RegionKind::Bytes(bytes),
        manifest::RegionKind::Boot => RegionKind::Boot,
        manifest::RegionKind::Fat => RegionKind::Fat,
        manifest::RegionKind::Bitmap => RegionKind::Bitmap,
        manifest::RegionKind::Upcase => RegionKind::Upcase,
        manifest::RegionKind::Directory { entries, root } => RegionKind::Directory(Directory { entries, root: *root }),
        manifest::RegionKind::Bytes(bytes) => RegionKind::Bytes(bytes),
        manifest::RegionKind::Memory { base, length } => RegionKind::Memory(MemoryWindow {
            base: *base,
            length: u32::try_from(*length).expect("a window lies within the 32-bit address space"),
        }),
        manifest::RegionKind::Dynamic => RegionKind::Dynamic,
        manifest::RegionKind::Unused(gap) => RegionKind::Unused(match gap {
            manifest::Gap::Alignment => Gap::Alignment,
            manifest::Gap::Free => Gap::Free,
            manifest::Gap::Reserved => Gap::Reserved,
            manifest::Gap::Excess => Gap::Excess,
        }),
    };
    Region { first: Lba(region.first), length: BlockCount(region.length), kind }
}
