//! The firmware's whole disk against the library's: on boards with the same identity and the same memory, every byte is the
//! same, those of live files excepted: SRAM, and what the firmware makes while it runs.

mod board_elf;
mod disk_image;

use disk_image::{BLOCK, difference, library, live, without_run_time};
use picovd_manifest::{DiskPlan, RegionKind};
use picovd_sim::memory::Contents;
use picovd_sim::plug;

fn plan() -> DiskPlan {
    plug::plan(Some(&plug::plain_manifest())).unwrap_or_else(|error| panic!("{error}"))
}

/// The comparison sees one bit of any kind of region, and nothing of SRAM.
#[test]
fn a_difference_is_seen() {
    let plan = plan();
    let live = live(&plan);
    assert!(!live.is_empty(), "SRAM.BIN is on the disk");
    let contents = Contents::noise(plan.chip.flash_size as usize);
    let good = library(plan.clone(), contents.clone());
    assert_eq!(difference(&good, &library(plan.clone(), contents.clone()), &live), None);
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
    assert!(difference(&good, &library(plan.clone(), flash), &live).is_some());
    let mut sram = contents;
    sram.sram[0x1234] ^= 1;
    assert_eq!(difference(&good, &library(plan.clone(), sram), &live), None);
}

mod ring5 {
    use super::disk_image::{identity, image};
    use super::{BLOCK, Contents, board_elf, difference, library, live, plan, without_run_time};
    use picovd_sim::board::ElfDevice;
    use picovd_sim::host::bytes::le32;
    use picovd_sim::link::Link;

    #[test]
    #[ignore = "needs the firmware: cargo xtask test --ring 5"]
    fn the_whole_disk_is_the_librarys() {
        let plan = plan();
        let elf = board_elf::bytes();
        let mut device =
            ElfDevice::with_board(&elf, plan.chip.flash_size as usize, identity()).expect("the board boots it");
        let machine = device.machine();
        let contents = Contents {
            rom: machine.rom().to_vec(),
            flash: machine.flash().bytes().to_vec(),
            sram: machine.sram().to_vec(),
        };
        let mut board = image(&mut device);
        assert_eq!(device.fault(), None);
        let mut library = library(plan.clone(), contents);
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
