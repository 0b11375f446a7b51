//! The disk's map for users and programs: the plan's regions in the terms of the exFAT specification.

use std::fmt::Write;

use crate::plan::{BYTES_PER_CLUSTER, DiskPlan, Gap, RegionKind};

/// A region as a row of the map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LayoutRow<'p> {
    /// First block.
    pub first: u32,
    /// Number of blocks, at least 1.
    pub length: u32,
    /// What the blocks contain.
    pub holds: &'static str,
    /// The clause of the exFAT specification that describes it.
    pub clause: &'static str,
    /// The path of the file or directory, `/` for the root directory; empty for other regions.
    pub name: &'p str,
}

/// The rows of a plan's map: ascending, without gap or overlap, from block 0 to the volume's end.
pub fn layout_rows(plan: &DiskPlan) -> impl Iterator<Item = LayoutRow<'_>> {
    plan.regions.iter().map(|region| {
        let (holds, clause) = described(&region.kind);
        let root = matches!(region.kind, RegionKind::Directory { root: true, .. });
        let name = if root { "/" } else { region.path.as_str() };
        LayoutRow { first: region.first, length: region.length, holds, clause, name }
    })
}

fn described(kind: &RegionKind) -> (&'static str, &'static str) {
    match kind {
        RegionKind::PartitionTable(_) => ("partition table", "none"),
        RegionKind::Boot => ("boot region", "3"),
        RegionKind::Fat => ("FAT", "4.1"),
        RegionKind::Bitmap => ("allocation bitmap", "7.1"),
        RegionKind::Upcase => ("up-case table", "7.2"),
        RegionKind::Directory { .. } => ("directory", "6"),
        RegionKind::Bytes(_) => ("file", "5.1"),
        RegionKind::Memory { .. } => ("memory window", "5.1"),
        RegionKind::Dynamic => ("dynamic window", "5.1"),
        RegionKind::Unused(Gap::Alignment) => ("alignment", "2"),
        RegionKind::Unused(Gap::Free) => ("free clusters", "5.1"),
        RegionKind::Unused(Gap::Reserved) => ("reads as zeros", "5.1"),
        RegionKind::Unused(Gap::Excess) => ("excess space", "2"),
    }
}

/// The map as a table of text.
pub(crate) fn table(plan: &DiskPlan) -> String {
    // `fmt::Write` into a `String` never fails.
    let mut out = String::new();
    let _ = writeln!(out, "{:>9}  {:>8}  {:<18}  {:<12}  name", "LBA", "blocks", "holds", "exFAT clause");
    for LayoutRow { first, length, holds, clause, name } in layout_rows(plan) {
        let row = format!("{first:>9}  {length:>8}  {holds:<18}  {clause:<12}  {name}");
        let _ = writeln!(out, "{}", row.trim_end());
    }
    let _ = writeln!(
        out,
        "{} blocks of 512 bytes; {} of {} clusters of {BYTES_PER_CLUSTER} bytes allocated",
        plan.block_count(),
        plan.allocated_clusters,
        plan.cluster_count,
    );
    out
}
