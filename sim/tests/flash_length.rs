//! Files that show flash end where the chip ends: on the library and on the firmware's ELF, chips of all lengths.

mod board_elf;

use picovd_manifest::{DiskPlan, RegionKind};
use picovd_sim::host::exfat::Volume;
use picovd_sim::host::exfat::check::check;
use picovd_sim::host::scsi::Disk;
use picovd_sim::host::{BlockSource, Host, Initiator};
use picovd_sim::link::Link;
use picovd_sim::memory::Contents;
use picovd_sim::truth::{TrueFile, files};
use serde_json::Value;

/// The files of the plan that a host finds, after the volume was held against the standard and every file and raw sector of flash
/// against the chip's contents.
fn look(link: &mut dyn Link, plan: &DiskPlan, contents: &Contents) -> Vec<TrueFile> {
    let initiator = Initiator::attach(Host::new(Box::new(link))).expect("it enumerates");
    let mut disk = Disk::open(initiator).expect("the unit is ready");
    let findings = check(&mut disk).expect("the volume is readable");
    assert!(findings.is_empty(), "{findings:?}");
    let truth = files(plan, contents);
    let mut volume = Volume::open(&mut disk).expect("a volume");
    for file in truth.iter().filter(|file| !file.live) {
        let node = volume.find(&file.path).expect("the file is there");
        assert_eq!(node.data_length, file.bytes.len() as u64, "{}", file.path);
        assert_eq!(node.valid_data_length, file.bytes.len() as u64, "{}", file.path);
        assert!(volume.read_file(&node).expect("it can be read") == file.bytes, "{}", file.path);
    }
    let info = volume.find("INFO.JSON").expect("the file is there");
    let info: Value = serde_json::from_slice(&volume.read_file(&info).expect("it can be read")).expect("JSON");
    let length = contents.flash.len();
    assert_eq!(info["chip"]["flash_size"], length);
    let text = volume.find("INFO.TXT").expect("the file is there");
    let text = String::from_utf8(volume.read_file(&text).expect("it can be read")).expect("text");
    let said = match plan.chip.flash_size {
        reserved if reserved as usize == length => format!("Flash          {length} bytes\r\n"),
        reserved => format!("Flash          {length} bytes, {reserved} reserved\r\n"),
    };
    assert!(text.contains(&said), "{text}");
    // Sectors that no file has any more.
    for region in &plan.regions {
        let RegionKind::Memory { base, length: shown } = region.kind else { continue };
        let Some(offset) = (base >> 28 == 1).then_some(base % 0x0400_0000) else { continue };
        let kept = (length as u64).saturating_sub(u64::from(offset)).min(shown);
        let first = u64::from(region.first) + kept.div_ceil(512);
        let end = u64::from(region.first + region.length);
        for lba in [first, u64::midpoint(first, end), end - 1].into_iter().filter(|lba| (first..end).contains(lba)) {
            let bytes = disk.read(lba, 1).expect("it can be read");
            assert!(bytes.iter().all(|byte| *byte == 0), "block {lba} of {}", region.path);
        }
    }
    truth
}

/// Length of a file.
fn length(truth: &[TrueFile], path: &str) -> usize {
    truth.iter().find(|file| file.path == path).expect("the manifest has it").bytes.len()
}

mod native {
    use super::{Contents, length, look};
    use picovd_sim::native::NativeDevice;
    use picovd_sim::plug;
    use std::path::Path;

    #[test]
    fn chips_of_all_lengths() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/manifests/flash.toml");
        let plan = plug::plan(Some(&path)).unwrap_or_else(|error| panic!("{error}"));
        let mut seen = Vec::new();
        for shift in 19..=23 {
            let contents = Contents::noise(1 << shift);
            let mut device = NativeDevice::new(plug::board(plan.clone(), contents.clone()));
            let truth = look(&mut device, &plan, &contents);
            seen.push([
                length(&truth, "parts/ODD.BIN"),
                length(&truth, "parts/deep/SECOND-MEBIBYTE-WITH-A-NAME-OF-MORE-THAN-ONE-ENTRY.BIN"),
                length(&truth, "LAST.BIN"),
            ]);
        }
        assert_eq!(seen, [[0, 0, 0], [511, 0, 0], [5001, 1 << 20, 0], [5001, 1 << 20, 0], [5001, 1 << 20, 65_000]]);
    }

    #[test]
    fn the_stock_stick() {
        let plan = plug::plan(None).unwrap_or_else(|error| panic!("{error}"));
        for length in [1 << 20, 2 << 20, 4 << 20] {
            let contents = Contents::noise(length);
            let mut device = NativeDevice::new(plug::board(plan.clone(), contents.clone()));
            look(&mut device, &plan, &contents);
        }
    }
}

mod ring5 {
    use super::{Contents, board_elf, length, look};
    use picovd_sim::board::{ChipIdentity, ElfDevice};
    use picovd_sim::plug;

    #[test]
    #[ignore = "needs the firmware: cargo xtask test --ring 5"]
    fn chips_of_all_lengths() {
        let plan = plug::plan(Some(&plug::plain_manifest())).unwrap_or_else(|error| panic!("{error}"));
        // The chip's true length, what OTP says of it, and what shows.
        for (chip, told, shown) in [
            (4 << 20, None, 4 << 20),
            (2 << 20, None, 2 << 20),
            (512 << 10, None, 512 << 10),
            (2 << 20, Some(9), 2 << 20),
            // OTP keeps the rest to itself.
            (4 << 20, Some(8), 1 << 20),
            // OTP knows of no chip, and the program came from one.
            (4 << 20, Some(0), 4 << 20),
        ] {
            let identity = ChipIdentity { flash_devinfo: told, ..ChipIdentity::default() };
            let mut device = ElfDevice::with_board(&board_elf::bytes(), chip, identity).expect("the board boots it");
            let machine = device.machine();
            let contents = Contents {
                rom: machine.rom().to_vec(),
                flash: machine.flash().bytes()[..shown].to_vec(),
                sram: machine.sram().to_vec(),
            };
            let truth = look(&mut device, &plan, &contents);
            assert_eq!(device.fault(), None);
            assert_eq!(length(&truth, "FLASH.BIN"), shown);
            assert_eq!(device.machine().flash().operations(), (0, 0));
        }
    }
}
