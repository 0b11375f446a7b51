//! The firmware's whole disk against the library's: on boards with the same identity and the same memory, every byte is the
//! same, those of live files excepted: SRAM, and what the firmware makes while it runs.

mod board_elf;

use std::collections::BTreeSet;
use std::ops::Range;

use picovd_manifest::{DiskPlan, RegionKind};
use picovd_sim::host::bytes::le32;
use picovd_sim::host::exfat::directory::{ENTRY, FileSet, Item, entry_type, items};
use picovd_sim::host::scsi::Disk;
use picovd_sim::host::{BlockSource, Host, Initiator};
use picovd_sim::link::Link;
use picovd_sim::memory::Contents;
use picovd_sim::native::NativeDevice;
use picovd_sim::plug;

const BLOCK: usize = 512;

fn plan() -> DiskPlan {
    plug::plan(None).unwrap_or_else(|error| panic!("{error}"))
}

/// Every block, through USB.
fn image(link: &mut dyn Link) -> Vec<u8> {
    let initiator = Initiator::attach(Host::new(Box::new(link))).expect("it enumerates");
    let mut disk = Disk::open(initiator).expect("the unit is ready");
    let blocks = u32::try_from(disk.block_count()).expect("a small disk");
    disk.read(0, blocks).expect("every block can be read")
}

/// The disk of the library on a board that holds `contents`.
fn library(contents: Contents) -> Vec<u8> {
    image(&mut NativeDevice::new(plug::board(plan(), contents)))
}

/// Blocks that show SRAM, which the program that shows it changes.
fn live(plan: &DiskPlan) -> Vec<Range<usize>> {
    let sram = |kind: &RegionKind| matches!(kind, RegionKind::Memory { base, .. } if base >> 28 == 2);
    let regions = plan.regions.iter().filter(|region| sram(&region.kind));
    regions.map(|region| region.first as usize..(region.first + region.length) as usize).collect()
}

/// Takes the dynamic files out of an image, and returns their names: their entry sets in the root directory, their clusters
/// in the dynamic window, the bits of these, and the percentage that follows from them.
fn without_run_time(plan: &DiskPlan, image: &mut [u8]) -> BTreeSet<String> {
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
                let window = plan.dynamic.first_cluster..plan.dynamic.first_cluster + plan.dynamic.cluster_count;
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
fn difference(board: &[u8], library: &[u8], live: &[Range<usize>]) -> Option<String> {
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

/// The comparison sees one bit of any kind of region, and nothing of SRAM.
#[test]
fn a_difference_is_seen() {
    let plan = plan();
    let live = live(&plan);
    assert!(!live.is_empty(), "SRAM.BIN is on the disk");
    let contents = Contents::noise(plan.chip.flash_size as usize);
    let good = library(contents.clone());
    assert_eq!(difference(&good, &library(contents.clone()), &live), None);
    for region in &plan.regions {
        let (first, last) = (region.first as usize * BLOCK, (region.first + region.length) as usize * BLOCK - 1);
        let excepted = live.iter().any(|range| range.contains(&(region.first as usize)));
        for at in [first, last] {
            let mut spoiled = good.clone();
            spoiled[at] ^= 0x10;
            let seen = difference(&good, &spoiled, &live);
            assert_eq!(seen.is_none(), excepted, "byte {at} of {:?}: {seen:?}", region.path);
        }
    }
    // Without its dynamic files the image still has all that the manifest put there.
    let mut bare = good.clone();
    without_run_time(&plan, &mut bare);
    for region in &plan.regions {
        let bytes = region.first as usize * BLOCK..(region.first + region.length) as usize * BLOCK;
        let kept = matches!(
            region.kind,
            RegionKind::Fat | RegionKind::Upcase | RegionKind::Bytes(_) | RegionKind::Memory { .. }
        );
        assert!(!kept || bare[bytes.clone()] == good[bytes], "{:?} changed", region.path);
    }
    let mut flash = contents.clone();
    flash.flash[0x1234] ^= 1;
    assert!(difference(&good, &library(flash), &live).is_some());
    let mut sram = contents;
    sram.sram[0x1234] ^= 1;
    assert_eq!(difference(&good, &library(sram), &live), None);
}

mod ring5 {
    use super::{BLOCK, Contents, board_elf, difference, image, le32, library, live, plan, without_run_time};
    use picovd_sim::board::{ChipIdentity, ElfDevice};
    use picovd_sim::link::Link;
    use picovd_sim::plug::IDENTITY;

    #[test]
    #[ignore = "needs the firmware: cargo xtask test --ring 5"]
    fn the_whole_disk_is_the_librarys() {
        let plan = plan();
        let identity =
            ChipIdentity { device: IDENTITY.0 as u32, wafer: (IDENTITY.0 >> 32) as u32, ..ChipIdentity::default() };
        let elf = board_elf::bytes();
        let mut device =
            ElfDevice::with_board(&elf, plan.chip.flash_size as usize, identity).expect("the board boots it");
        let machine = device.machine();
        let contents = Contents {
            rom: machine.rom().to_vec(),
            flash: machine.flash().bytes().to_vec(),
            sram: machine.sram().to_vec(),
        };
        let mut board = image(&mut device);
        assert_eq!(device.fault(), None);
        let mut library = library(contents);
        // The same identity: the same serial number, and with it the same boot checksum.
        assert_eq!(le32(&board, 100), le32(&library, 100), "VolumeSerialNumber");
        assert_ne!(le32(&board, 100), plan.volume_serial_number, "it is the board's own");
        assert_eq!(board[11 * BLOCK..12 * BLOCK], library[11 * BLOCK..12 * BLOCK], "boot checksum");
        let names = without_run_time(&plan, &mut board);
        assert_eq!(names, without_run_time(&plan, &mut library), "dynamic files: the board's and the library's");
        assert_eq!(difference(&board, &library, &live(&plan)), None);
        // What `cargo sim --elf` ends with.
        let measured = device.measured().expect("the board measures");
        for part in ["bytes a frame", "NAKs a packet", "cycles a sector", "margin to re-arm"] {
            assert!(measured.contains(part), "{part:?} is missing in\n{measured}");
        }
    }
}
