//! A board's whole disk, and how it compares with the library's.

use std::collections::BTreeSet;
use std::ops::Range;

use picovd_manifest::{DiskPlan, RegionKind};
use picovd_sim::board::ChipIdentity;
use picovd_sim::host::exfat::directory::{ENTRY, FileSet, Item, entry_type, items};
use picovd_sim::host::scsi::Disk;
use picovd_sim::host::{BlockSource, Host, Initiator};
use picovd_sim::link::Link;
use picovd_sim::memory::Contents;
use picovd_sim::native::NativeDevice;
use picovd_sim::plug::{self, IDENTITY};

pub const BLOCK: usize = 512;

/// The identity of the library's boards, for an emulated one.
pub fn identity() -> ChipIdentity {
    ChipIdentity { device: IDENTITY.0 as u32, wafer: (IDENTITY.0 >> 32) as u32, ..ChipIdentity::default() }
}

/// Every block, through USB.
pub fn image(link: &mut dyn Link) -> Vec<u8> {
    let initiator = Initiator::attach(Host::new(Box::new(link))).expect("it enumerates");
    let mut disk = Disk::open(initiator).expect("the unit is ready");
    let blocks = u32::try_from(disk.block_count()).expect("a small disk");
    disk.read(0, blocks).expect("every block can be read")
}

/// The disk of the library on a board that holds `contents`.
pub fn library(plan: DiskPlan, contents: Contents) -> Vec<u8> {
    image(&mut NativeDevice::new(plug::board(plan, contents)))
}

/// Blocks that show SRAM, which the program that shows it changes.
pub fn live(plan: &DiskPlan) -> Vec<Range<usize>> {
    let sram = |kind: &RegionKind| matches!(kind, RegionKind::Memory { base, .. } if base >> 28 == 2);
    let regions = plan.regions.iter().filter(|region| sram(&region.kind));
    regions.map(|region| region.first as usize..(region.first + region.length) as usize).collect()
}

/// Takes the dynamic files out of an image, and returns their names: their entry sets in the root directory, their clusters
/// in the dynamic window, the bits of these, and the percentage that follows from them.
pub fn without_run_time(plan: &DiskPlan, image: &mut [u8]) -> BTreeSet<String> {
    let paths = plan.files.iter().map(|file| &file.path).chain(plan.directories.iter().map(|folder| &folder.path));
    let planned: BTreeSet<&str> = paths.filter_map(|path| path.trim_start_matches('/').split('/').next()).collect();
    let mut names = BTreeSet::new();
    for region in &plan.regions {
        let bytes = region.first as usize * BLOCK..(region.first + region.length) as usize * BLOCK;
        match &region.kind {
            RegionKind::Directory { root: true, .. } => {
                let directory = image[bytes.clone()].to_vec();
                for item in items(&directory) {
                    let Item::Set { index, entries, .. } = item else { continue };
                    let Ok(set) = FileSet::parse(entries) else { continue };
                    let name = String::from_utf16_lossy(&set.name());
                    if entries[0] == entry_type::FILE && !planned.contains(name.as_str()) {
                        let at = bytes.start + index * ENTRY;
                        image[at..at + entries.len()].fill(0);
                        names.insert(name);
                    }
                }
            }
            RegionKind::Bitmap => {
                let first = plan.dynamic.first_cluster.0;
                let window = first..first + plan.dynamic.cluster_count;
                for bit in window.filter(|cluster| *cluster >= 2).map(|cluster| cluster as usize - 2) {
                    image[bytes.start + bit / 8] &= !(1 << (bit % 8));
                }
            }
            RegionKind::Dynamic => image[bytes].fill(0),
            // PercentInUse (exFAT 3.1.18), which the boot checksum leaves out.
            RegionKind::Boot => image[bytes.start + 112] = 0xFF,
            _ => {}
        }
    }
    names
}

/// The first byte in which two images differ outside of these blocks.
pub fn difference(board: &[u8], library: &[u8], live: &[Range<usize>]) -> Option<String> {
    if board.len() != library.len() {
        return Some(format!("{} bytes and {}", board.len(), library.len()));
    }
    let blocks = board.chunks(BLOCK).zip(library.chunks(BLOCK)).enumerate();
    let mut compared = blocks.filter(|(block, _)| !live.iter().any(|range| range.contains(block)));
    compared.find_map(|(block, (board, library))| {
        let at = board.iter().zip(library).position(|(board, library)| board != library)?;
        Some(format!("block {block}, byte {at}: {:02x}h and {:02x}h", board[at], library[at]))
    })
}
