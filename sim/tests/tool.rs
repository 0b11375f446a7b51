//! The program that runs from SRAM and shows the flash of a board that was programmed with something else.

mod board_elf;
mod partition_tables;

mod ring5 {
    use super::board_elf;
    use super::partition_tables::{block, cases};
    use picovd_sim::board::{ChipIdentity, ElfDevice};
    use picovd_sim::host::exfat::Volume;
    use picovd_sim::host::exfat::check::check;
    use picovd_sim::host::scsi::Disk;
    use picovd_sim::host::{Host, Initiator};
    use picovd_sim::memory::Contents;
    use picovd_sim::plug;
    use picovd_sim::truth;
    use serde_json::Value;
    use std::path::Path;

    /// A board with that flash, the tool in its RAM.
    fn board(flash: &[u8]) -> ElfDevice {
        let mut device = ElfDevice::with_board(&board_elf::bytes(), flash.len(), ChipIdentity::default())
            .expect("the boot ROM takes it into SRAM");
        assert!(device.machine().flash().bytes().iter().all(|byte| *byte == 0xFF), "the tool is not in flash");
        // What a programmer put there before; nothing has run yet.
        assert!(device.machine().flash().preload(0, flash));
        device
    }

    fn mount(device: &mut ElfDevice) -> Disk<'_> {
        let initiator = Initiator::attach(Host::new(Box::new(device))).expect("it enumerates");
        let mut disk = Disk::open(initiator).expect("the unit is ready");
        let findings = check(&mut disk).expect("the volume is readable");
        assert!(findings.is_empty(), "{findings:?}");
        disk
    }

    #[test]
    #[ignore = "needs the tool: cargo xtask test --ring 5"]
    fn every_file_of_a_foreign_board() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/picovd-tool.toml");
        let plan = plug::plan(Some(&path)).unwrap_or_else(|error| panic!("{error}"));
        let case = cases().into_iter().find(|case| case.entries.as_ref().is_some_and(|all| all.len() == 4));
        let entries = case.and_then(|case| case.entries).expect("a table of four partitions");
        for length in [1 << 20, 4 << 20] {
            let mut contents = Contents::noise(length);
            let table = block(&entries, 0);
            contents.flash[..table.len()].copy_from_slice(&table);
            let mut device = board(&contents.flash);
            contents.rom = device.machine().rom().to_vec();
            let mut disk = mount(&mut device);
            let mut volume = Volume::open(&mut disk).expect("a volume");
            for file in truth::files(&plan, &contents).into_iter().filter(|file| !file.live) {
                let node = volume.find(&file.path).expect("the file is there");
                assert!(volume.read_file(&node).expect("it can be read") == file.bytes, "{}", file.path);
            }
            let mut json = |path: &str| -> Value {
                let node = volume.find(path).expect("the file is there");
                serde_json::from_slice(&volume.read_file(&node).expect("it can be read")).expect("JSON")
            };
            assert_eq!(json("INFO.JSON")["chip"]["flash_size"], length);
            let report = json("partitions/PARTITIONS.JSON");
            assert_eq!(report["flash_size"], length);
            let partitions = report["partitions"].as_array().expect("a list");
            assert_eq!(partitions.len(), 4, "{report}");
            let mut shown = 0;
            for partition in partitions {
                let (Some(file), Some(offset)) = (partition["file"].as_str(), partition["offset"].as_u64()) else {
                    continue;
                };
                let node = volume.find(&format!("partitions/{file}")).expect("the file is there");
                let bytes = volume.read_file(&node).expect("it can be read");
                assert_eq!(Some(bytes.len() as u64), partition["length"].as_u64(), "{partition}");
                assert!(bytes == contents.flash[offset as usize..][..bytes.len()], "{partition}");
                shown += 1;
            }
            // The table's partitions are after the first two mebibytes.
            assert_eq!(shown, if length == 4 << 20 { 4 } else { 0 }, "{report}");
            drop(disk);
            assert_eq!(device.fault(), None);
            assert_eq!(device.machine().flash().operations(), (0, 0), "flash is as it was");
            assert!(device.machine().flash().bytes() == contents.flash);
        }
    }

    /// An erased chip is the same everywhere: its length stays unknown, and the file is as long as it may be.
    #[test]
    #[ignore = "needs the tool: cargo xtask test --ring 5"]
    fn an_erased_board() {
        let mut device = board(&vec![0xFF; 2 << 20]);
        let mut disk = mount(&mut device);
        let mut volume = Volume::open(&mut disk).expect("a volume");
        assert_eq!(volume.find("FLASH.BIN").expect("the file is there").data_length, 16 << 20);
        drop(disk);
        assert_eq!(device.fault(), None);
        assert_eq!(device.machine().flash().operations(), (0, 0));
    }
}
