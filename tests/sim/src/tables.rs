//! A manifest's plan as the tables that the library takes: what `volume.rs` is for the firmware, made at run time.

use picovd::block::{BlockCount, Lba};
use picovd::volume::layout::{Directory, DynamicWindow, Gap, Label, Layout, MemoryWindow, Region, RegionKind};
use picovd_manifest as manifest;
use picovd_manifest::DiskPlan;

/// Tables that own what a [`Layout`] borrows.
#[derive(Debug)]
pub struct Tables {
    plan: DiskPlan,
}

impl Tables {
    /// The tables of `plan`.
    #[must_use]
    pub fn new(plan: DiskPlan) -> Self {
        Self { plan }
    }

    /// The regions, borrowing from the plan: what [`layout`](Self::layout) needs beside it.
    #[must_use]
    pub fn regions(&self) -> Vec<Region<'_>> {
        self.plan.regions.iter().map(region).collect()
    }

    /// The layout of the plan over its [`regions`](Self::regions).
    #[must_use]
    pub fn layout<'t>(&'t self, regions: &'t [Region<'t>]) -> Layout<'t> {
        let plan = &self.plan;
        Layout {
            volume_length: BlockCount(plan.volume_length),
            fat_offset: plan.fat_offset,
            fat_length: plan.fat_length,
            cluster_heap_offset: plan.cluster_heap_offset,
            cluster_count: plan.cluster_count,
            first_cluster_of_root_directory: plan.first_cluster_of_root_directory,
            volume_serial_number: plan.volume_serial_number,
            label: Label { units: &plan.label.units, board_digits: plan.label.board_digits },
            sectors_per_cluster_shift: plan.sectors_per_cluster_shift,
            chain_ends: &plan.chain_ends,
            allocated_clusters: plan.allocated_clusters,
            regions,
            dynamic: DynamicWindow {
                first_cluster: plan.dynamic.first_cluster,
                cluster_count: plan.dynamic.cluster_count,
                slots: plan.dynamic.slots,
                slot_entries: plan.dynamic.slot_entries,
            },
        }
    }

    /// A layout for the rest of the program: what a device that owns its tables takes.
    #[must_use]
    pub fn leak(self) -> &'static Layout<'static> {
        let tables: &'static Self = Box::leak(Box::new(self));
        let regions = Vec::leak(tables.regions());
        Box::leak(Box::new(tables.layout(regions)))
    }
}

fn region(region: &manifest::Region) -> Region<'_> {
    let kind = match &region.kind {
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
