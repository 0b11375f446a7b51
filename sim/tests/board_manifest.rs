//! The stock firmware with a compiled manifest in flash: it shows that manifest's disk, byte for byte the library's. Whatever stands
//! there, the stick comes up.

mod board_elf;
#[allow(dead_code, reason = "board_image uses all of it")]
mod disk_image;
mod random_manifests;

use picovd_manifest::{DiskPlan, compile_for_flash, load_for_stock_firmware};
use picovd_sim::board::ElfDevice;
use picovd_sim::memory::Contents;
use std::path::{Path, PathBuf};

/// Where the firmware looks for a compiled manifest.
const MANIFEST: usize = 0x8_0000;

/// The manifests of the corpus that the stock firmware can show.
fn corpus() -> Vec<(PathBuf, DiskPlan, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/manifests");
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("tests/manifests is there") {
        let path = entry.expect("a folder can be listed").path();
        if path.extension().is_some_and(|end| end == "toml") {
            let plan = load_for_stock_firmware(&path, None).unwrap_or_else(|problems| panic!("{problems}"));
            if let Ok(block) = compile_for_flash(&plan) {
                found.push((path, plan, block));
            }
        }
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

/// A board that runs the stock firmware, with these bytes where it looks for a manifest.
fn board(elf: &[u8], flash_size: usize, block: &[u8]) -> ElfDevice {
    let mut device = ElfDevice::with_board(elf, flash_size, disk_image::identity()).expect("the board boots it");
    assert!(device.machine().flash().preload(MANIFEST, block), "flash has room for it");
    device
}

/// What the board's memories contain.
fn contents(device: &mut ElfDevice) -> Contents {
    let machine = device.machine();
    Contents { rom: machine.rom().to_vec(), flash: machine.flash().bytes().to_vec(), sram: machine.sram().to_vec() }
}

mod ring5 {
    use super::disk_image::{difference, image, library, live, without_run_time};
    use super::{ElfDevice, MANIFEST, board, board_elf, contents, corpus, random_manifests};
    use picovd_manifest::{check, compile_for_flash, plan, read_text};
    use picovd_sim::fuzz::crc32;
    use picovd_sim::host::exfat::volume::Volume;
    use picovd_sim::host::scsi::Disk;
    use picovd_sim::host::terminal::Terminal;
    use picovd_sim::host::{Host, Initiator};
    use picovd_sim::link::Link;
    use picovd_sim::random::Random;
    use std::path::Path;

    /// How many manifests of the corpus are compared; `PICOVD_LONG` compares all.
    const SAMPLE: usize = 6;
    /// How many manifests are made at random; fifty times as many with `PICOVD_LONG`.
    const RANDOM: usize = 10;
    /// How many damaged blocks are tried; ten times as many with `PICOVD_LONG`.
    const DAMAGED: usize = 12;

    fn is_long() -> bool {
        std::env::var_os("PICOVD_LONG").is_some()
    }

    /// A file of the disk, as text.
    fn text(link: &mut dyn Link, path: &str) -> String {
        let initiator = Initiator::attach(Host::new(Box::new(link))).expect("it enumerates");
        let mut disk = Disk::open(initiator).expect("the unit is ready");
        let mut volume = Volume::open(&mut disk).expect("an exFAT volume");
        let file = volume.find(path).expect("it is there");
        String::from_utf8(volume.read_file(&file).expect("it can be read")).expect("UTF-8")
    }

    #[test]
    #[ignore = "needs the firmware: cargo xtask test --ring 5"]
    fn a_manifest_in_flash_is_the_librarys_disk() {
        let elf = board_elf::bytes();
        let all = corpus();
        assert!(all.len() >= 15, "{} manifests", all.len());
        let step = if is_long() { 1 } else { all.len().div_ceil(SAMPLE) };
        for (path, plan, block) in all.into_iter().step_by(step) {
            let mut device = board(&elf, plan.chip.flash_size as usize, &block);
            let before = contents(&mut device);
            let mut board = image(&mut device);
            assert_eq!(device.fault(), None, "{}", path.display());
            let mut library = library(plan.clone(), before);
            let mut names = without_run_time(&plan, &mut board);
            // The page is in the firmware only.
            names.remove("CONFIGURE.HTM");
            assert_eq!(names, without_run_time(&plan, &mut library), "{}: dynamic files", path.display());
            assert_eq!(difference(&board, &library, &live(&plan)), None, "{}", path.display());
            println!("{}: {} bytes of flash, {} blocks", path.display(), block.len(), board.len() / 512);
        }
    }

    /// Manifests at random: those that are right and fit are shown as by the library, and what does not fit has a reason.
    #[test]
    #[ignore = "needs the firmware: cargo xtask test --ring 5"]
    fn random_manifests_in_flash_are_the_librarys_disk() {
        let elf = board_elf::bytes();
        let wanted = if is_long() { RANDOM * 50 } else { RANDOM };
        let (mut shown, mut wrong, mut refused) = (0, 0, 0);
        for seed in 0.. {
            if shown == wanted {
                break;
            }
            let text = random_manifests::text(seed);
            let manifest =
                read_text("random.toml", &text, Path::new(".")).unwrap_or_else(|why| panic!("{seed}: {why}"));
            let Ok(plan) = check(&manifest.for_stock_firmware(), None).and_then(|checked| plan(&checked)) else {
                wrong += 1;
                continue;
            };
            let block = match compile_for_flash(&plan) {
                Ok(block) => block,
                Err(why) => {
                    assert!(!why.to_string().is_empty());
                    refused += 1;
                    continue;
                }
            };
            let mut device = board(&elf, plan.chip.flash_size as usize, &block);
            let before = contents(&mut device);
            let mut board = image(&mut device);
            assert_eq!(device.fault(), None, "seed {seed}");
            let mut library = library(plan.clone(), before);
            // The page is in the firmware only.
            let mut names = without_run_time(&plan, &mut board);
            names.remove("CONFIGURE.HTM");
            assert_eq!(names, without_run_time(&plan, &mut library), "seed {seed}: dynamic files");
            assert_eq!(difference(&board, &library, &live(&plan)), None, "seed {seed}\n{text}");
            shown += 1;
        }
        println!("{shown} are shown, {wrong} are wrong, {refused} do not fit");
        assert!(wrong < shown * 2 && shown > 0);
    }

    #[test]
    #[ignore = "needs the firmware: cargo xtask test --ring 5"]
    fn info_says_where_the_manifest_comes_from() {
        let elf = board_elf::bytes();
        let text_of = "[info]\ntext = true\njson = true\n[volume]\nlabel = \"MINE\"\n";
        let manifest = read_text("mine.toml", text_of, Path::new(".")).expect("the text is TOML");
        let plan = plan(&check(&manifest, None).expect("it is right")).expect("it fits");
        let good = compile_for_flash(&plan).expect("the stock firmware has all of it");
        let mut newer = good.clone();
        newer[6] = 2;
        let mut spoiled = good.clone();
        spoiled[100] ^= 1;
        let mut short = good.clone();
        short[16..20].copy_from_slice(&(16_u32 << 20).to_le_bytes());
        let mut long = good.clone();
        long[8..12].copy_from_slice(&(3_u32 << 20).to_le_bytes());
        let built_in = "Manifest       built in\r\n";
        for (block, says) in [
            (good.as_slice(), "Manifest       in flash\r\n".to_owned()),
            (&[], built_in.to_owned()),
            (&[0; 4096], built_in.to_owned()),
            (&newer, refused("its format needs newer firmware")),
            (&spoiled, refused("its checksum is wrong")),
            (&short, refused("it is incomplete")),
            (&long, refused("its tables are longer than 1 MiB")),
        ] {
            let mut device = board(&elf, 4 << 20, block);
            let told = text(&mut device, "INFO.TXT");
            assert_eq!(device.fault(), None);
            assert!(told.contains(&says), "{says:?} is not in\n{told}");
            let json = text(&mut device, "INFO.JSON");
            let source = if says.contains("in flash\r") { "flash" } else { "built-in" };
            assert!(json.contains(&format!("\"manifest\": {{ \"source\": \"{source}\", ")), "{json}");
        }
    }

    /// How much longer the board takes from power-on until it is on the bus, in cycles of 150 MHz, with more tables.
    #[test]
    #[ignore = "needs the firmware: cargo xtask test --ring 5"]
    fn a_boot_takes_10_ms_longer_for_64_kib_of_tables() {
        let elf = board_elf::bytes();
        let ready = |block: &[u8]| {
            let mut device = board(&elf, 4 << 20, block);
            while !device.attached() {
                device.elapse(std::time::Duration::from_micros(100));
            }
            device.machine().cycles()
        };
        let block_of = |files: usize| {
            let text: String = (0..files)
                .map(|number| {
                    format!("[[file]]\npath = \"a-rather-long-name-so-that-its-entries-are-many-{number}.TXT\"\ntext = \"{number}\"\n")
                })
                .collect();
            let manifest = read_text("many.toml", &text, Path::new(".")).expect("the text is TOML");
            let plan = plan(&check(&manifest, None).expect("it is right")).expect("it fits");
            let block = compile_for_flash(&plan).expect("the stock firmware has all of it");
            let tables = u32::from_le_bytes(block[8..12].try_into().expect("a word"));
            (ready(&block), tables)
        };
        let ((without, few), (with, many)) = (block_of(1), block_of(300));
        let tables = many - few;
        println!("{tables} bytes of tables: {} cycles more than {without}", with - without);
        // 10 ms at 150 MHz.
        assert!(
            with - without < u64::from(tables) * 1_500_000 / 65_536,
            "{} cycles for {tables} bytes",
            with - without
        );
    }

    /// What a person does who has made a mistake in the manifest and has no button at hand.
    #[test]
    #[ignore = "needs the firmware: cargo xtask test --ring 5"]
    fn the_console_takes_the_manifest_away() {
        let ask = |device: &mut ElfDevice, line: &str| {
            let mut initiator = Initiator::attach(Host::new(Box::new(device))).expect("it enumerates");
            let mut terminal = Terminal::open(&mut initiator).expect("it has a port");
            let answer = terminal.ask(&mut initiator, line).expect("an answer");
            initiator.host.elapse(std::time::Duration::from_secs(2));
            answer
        };
        let elf = board_elf::bytes();
        for (lock, answer, after) in [
            (false, r#"{"manifest":"the board restarts with the built-in manifest"}"#, "built in"),
            (true, r#"{"error":"the settings are locked","allowed":"manifest clear"}"#, "in flash"),
        ] {
            let text_of = format!(
                "[info]\ntext = true\n[usb]\nconsole = true\n[settings]\nsectors = 2\nlock = {lock}\n[volume]\nlabel = \"MINE\"\n"
            );
            let manifest = read_text("mine.toml", &text_of, Path::new(".")).expect("the text is TOML");
            let plan = plan(&check(&manifest, None).expect("it is right")).expect("it fits");
            let block = compile_for_flash(&plan).expect("the stock firmware has all of it");
            let mut device = board(&elf, 4 << 20, &block);
            assert!(ask(&mut device, "manifest").starts_with(r#"{"error":"no such command""#));
            assert!(text(&mut device, "INFO.TXT").contains("Manifest       in flash\r\n"));
            assert_eq!(ask(&mut device, "manifest clear"), answer);
            assert_eq!(device.fault(), None);
            let told = text(&mut device, "INFO.TXT");
            assert!(told.contains(&format!("Manifest       {after}\r\n")), "{told}");
            // Nothing else was erased.
            let flash = device.machine().flash().bytes();
            assert_eq!(flash[MANIFEST..][..4096].iter().all(|byte| *byte == 0xFF), !lock);
            assert!(flash[MANIFEST + 4096..][..block.len() - 4096] == block[4096..]);
        }
    }

    fn refused(why: &str) -> String {
        format!("Manifest       built in; the one in flash is refused: {why}\r\n")
    }

    /// Random damage with a right checksum: the stick enumerates, and its volume can be read.
    #[test]
    #[ignore = "needs the firmware: cargo xtask test --ring 5"]
    fn whatever_stands_in_flash_the_stick_comes_up() {
        let elf = board_elf::bytes();
        let (_, plan, good) = corpus()
            .into_iter()
            .find(|(path, ..)| path.ends_with("full.toml"))
            .or_else(|| corpus().pop())
            .expect("one");
        let mut random = Random::new(19);
        for round in 0..if is_long() { DAMAGED * 10 } else { DAMAGED } {
            let mut block = good.clone();
            let tables = u32::from_le_bytes(block[8..12].try_into().expect("a word")) as usize;
            // Most of the tables are padding.
            let used = block[..tables].iter().rposition(|byte| *byte != 0).unwrap_or(0) + 1;
            for _ in 0..=random.below(3) {
                let at = 16 + random.below(used as u32 - 16) as usize;
                block[at] =
                    if random.below(2) == 0 { block[at] ^ 1 << random.below(8) } else { random.below(256) as u8 };
            }
            let checksum = crc32(&block[16..tables]);
            block[12..16].copy_from_slice(&checksum.to_le_bytes());
            let mut device = board(&elf, plan.chip.flash_size as usize, &block);
            let initiator = Initiator::attach(Host::new(Box::new(&mut device))).expect("it enumerates");
            let mut disk = Disk::open(initiator).expect("the unit is ready");
            let first = picovd_sim::host::BlockSource::read(&mut disk, 0, 64).expect("blocks can be read");
            assert_eq!(&first[3..11], b"EXFAT   ", "round {round}");
            drop(disk);
            device.elapse(std::time::Duration::from_secs(1));
            assert_eq!(device.fault(), None, "round {round}");
            assert_eq!(device.machine().reboots(), 0, "round {round}");
        }
    }
}
