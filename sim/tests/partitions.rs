//! Flash partitions as files: tables with known layouts, on the library and on the firmware's ELF; every name, every place, and
//! bytes at random offsets and lengths compared with the board's flash.

mod board_elf;
mod partition_tables;

use std::collections::BTreeSet;

use partition_tables::{Case, Entry, block, cases};
use picovd_manifest::DiskPlan;
use picovd_property::Cases;
use picovd_sim::host::exfat::check::check;
use picovd_sim::host::exfat::{Node, Volume};
use picovd_sim::host::scsi::Disk;
use picovd_sim::host::{BlockSource, Host, Initiator};
use picovd_sim::link::Link;
use picovd_sim::memory::Contents;
use picovd_sim::native::NativeDevice;
use picovd_sim::plug;
use serde_json::{Value, json};

const BLOCK: usize = 512;
const SECTOR: usize = 4096;

fn plan() -> DiskPlan {
    plug::plan(Some(&plug::plain_manifest())).unwrap_or_else(|error| panic!("{error}"))
}

/// The native board whose flash begins with a table.
fn native(plan: DiskPlan, case: &Case) -> (NativeDevice, Vec<u8>) {
    let mut contents = Contents::noise(plan.chip.flash_size as usize);
    if let Some(entries) = &case.entries {
        let table = block(entries, 0);
        contents.flash[..table.len()].copy_from_slice(&table);
    }
    let flash = contents.flash.clone();
    (NativeDevice::new(plug::board(plan, contents)), flash)
}

/// What a host finds: the folder's files, and PARTITIONS.JSON.
struct Seen {
    files: Vec<(Node, Vec<u8>)>,
    description: Value,
}

fn look(link: &mut dyn Link, folder: &str) -> Seen {
    let initiator = Initiator::attach(Host::new(Box::new(link))).expect("it enumerates");
    let mut disk = Disk::open(initiator).expect("the unit is ready");
    let findings = check(&mut disk).expect("the volume is readable");
    assert!(findings.is_empty(), "{findings:?}");
    let mut volume = Volume::open(&mut disk).expect("a volume");
    let folder = if folder.is_empty() { volume.root() } else { volume.find(folder).expect("the folder") };
    let nodes = volume.list(&folder).expect("the folder can be listed");
    let mut seen = Seen { files: Vec::new(), description: Value::Null };
    for node in nodes {
        if node.is_directory() || !(node.name.to_uppercase().ends_with(".BIN") || node.name == "PARTITIONS.JSON") {
            continue;
        }
        let bytes = volume.read_file(&node).expect("the file can be read");
        if node.name == "PARTITIONS.JSON" {
            let text = String::from_utf8(bytes).expect("UTF-8");
            seen.description = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}:\n{text}"));
        } else {
            seen.files.push((node, bytes));
        }
    }
    let heap = volume.boot().cluster_heap_offset;
    let places: Vec<u32> = seen.files.iter().map(|(node, _)| volume.clusters(node).expect("its clusters")[0]).collect();
    drop(volume);
    // Bytes at random places, in commands of random lengths.
    for ((node, bytes), cluster) in seen.files.iter().zip(places).filter(|((_, bytes), _)| bytes.len() >= BLOCK) {
        let blocks = (bytes.len() / BLOCK) as u32;
        Cases { count: 8, seed: 7 }.check((0..blocks, 1..=64_u32), |(first, count)| {
            let count = count.min(blocks - first);
            let lba = heap + (cluster - 2) * (SECTOR / BLOCK) as u32 + first;
            let read = disk.read(u64::from(lba), count).expect("blocks can be read");
            assert!(read == bytes[first as usize * BLOCK..][..count as usize * BLOCK], "{}", node.name);
        });
    }
    seen
}

/// Holds what was seen against the case.
fn compare(case: &Case, seen: &Seen, flash: &[u8]) {
    let names: Vec<&str> = seen.files.iter().map(|(node, _)| node.name.as_str()).collect();
    let wanted: Vec<&str> = case.files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, wanted, "{}", case.what);
    let entries = case.entries.clone().unwrap_or_default();
    for ((name, index), (_, bytes)) in case.files.iter().zip(&seen.files) {
        let Entry { first, last, .. } = entries[*index];
        assert!(*bytes == flash[first as usize * SECTOR..(last as usize + 1) * SECTOR], "{}: {name}", case.what);
    }
    let table = if case.entries.is_some() { "present" } else { "none" };
    assert_eq!(seen.description["table"], table, "{}", case.what);
    let described = seen.description["partitions"].as_array().expect("a list");
    assert_eq!(described.len(), entries.len(), "{}", case.what);
    for (index, (described, entry)) in described.iter().zip(&entries).enumerate() {
        let file = case.files.iter().find(|(_, place)| *place == index).map(|(name, _)| name.as_str());
        assert_eq!(described["partition"], index);
        assert_eq!(described["file"], json!(file), "{}", case.what);
        assert_eq!(described["state"] == "shown", file.is_some(), "{}", case.what);
        let name = entry.name.as_ref().map(|name| String::from_utf8_lossy(name).into_owned());
        assert_eq!(described["name"], json!(name), "{}", case.what);
        assert_eq!(described["offset"], entry.first as usize * SECTOR);
        let length = (entry.last + 1).checked_sub(entry.first).filter(|sectors| *sectors > 0);
        assert_eq!(described["length"], json!(length.map(|sectors| sectors as usize * SECTOR)), "{}", case.what);
        assert_eq!(described["id"], json!(entry.id.map(|id| format!("0x{id:016x}"))));
    }
}

/// What PARTITIONS.JSON says of the four of all kinds.
fn compare_four(description: &Value) {
    let partitions = &description["partitions"];
    let all = json!({ "secure": "rw", "nonsecure": "rw", "bootloader": "rw" });
    assert_eq!(partitions[0]["permissions"], all);
    assert_eq!(partitions[0]["families"], json!(["0xe48bff59", "0x12345678", "0xffffffff"]));
    assert_eq!(partitions[0]["link"], Value::Null);
    assert_eq!(partitions[1]["link"], json!({ "type": "a", "partition": 0 }));
    assert_eq!(partitions[1]["flags"], json!(["ignored_during_riscv_boot"]));
    assert_eq!(partitions[1]["families"], json!(["rp2350-arm-s"]));
    assert_eq!(partitions[2]["link"], json!({ "type": "owner", "partition": 1 }));
    assert_eq!(partitions[2]["permissions"], json!({ "secure": "r", "nonsecure": "r", "bootloader": "rw" }));
    let unpartitioned = &description["unpartitioned"];
    assert_eq!(unpartitioned["permissions"], all);
    assert_eq!(unpartitioned["families"], json!(["absolute", "data", "rp2350-arm-s", "rp2350-riscv"]));
}

#[test]
fn every_table_on_the_library() {
    let folder = plan().partitions.folder;
    let mut names = BTreeSet::new();
    for case in cases() {
        let (mut device, flash) = native(plan(), &case);
        let seen = look(&mut device, &folder);
        compare(&case, &seen, &flash);
        if case.what.starts_with("four") {
            compare_four(&seen.description);
        }
        names.insert(case.files.len());
    }
    assert!(names.is_superset(&BTreeSet::from([0, 1, 4, 16])), "{names:?}");
}

/// In the root directory a partition finds names taken by other files.
#[test]
fn the_root_directorys_names_are_taken() {
    let manifest = "[partitions]\nenabled = true\n[info]\njson = true\n[[file]]\npath = \"Notes.bin\"\ntext = \"x\"\n\
                    [[file]]\npath = \"part1~2.bin/x\"\ntext = \"x\"\n";
    let manifest = picovd_manifest::read_text("picovd.toml", manifest, ".".as_ref()).expect("TOML");
    let plan = picovd_manifest::plan(&picovd_manifest::check(&manifest, None).expect("no problem")).expect("a plan");
    let entries = vec![Entry::named(512, 512, "NOTES"), Entry::named(513, 514, "part1~2"), Entry::new(520, 530)];
    let files = vec![("NOTES~2.BIN".to_owned(), 0), ("part1~2~2.BIN".to_owned(), 1), ("PART2.BIN".to_owned(), 2)];
    let case = Case { what: "taken", entries: Some(entries), files };
    let (mut device, flash) = native(plan, &case);
    let mut seen = look(&mut device, "");
    assert_eq!(seen.files.remove(0).0.name, "Notes.bin");
    compare(&case, &seen, &flash);
}

/// A redaction hides in a partition what it hides elsewhere.
#[test]
fn a_secret_in_a_partition_stays_one() {
    let secret: Vec<u8> = (0..600u32).map(|index| (index * 167 + 13) as u8 | 1).collect();
    let manifest = "[partitions]\nenabled = true\n[[redact]]\nbase = 0x10200e00\nlength = 600\n";
    let manifest = picovd_manifest::read_text("picovd.toml", manifest, ".".as_ref()).expect("TOML");
    let plan = picovd_manifest::plan(&picovd_manifest::check(&manifest, None).expect("no problem")).expect("a plan");
    let mut contents = Contents::noise(plan.chip.flash_size as usize);
    let table = block(&[Entry::new(511, 511), Entry::new(512, 600)], 0);
    contents.flash[..table.len()].copy_from_slice(&table);
    contents.flash[0x20_0E00..][..600].copy_from_slice(&secret);
    let mut flash = contents.flash.clone();
    // Whole blocks.
    flash[0x20_0E00..0x20_1200].fill(0);
    let seen = look(&mut NativeDevice::new(plug::board(plan, contents)), "");
    assert!(seen.files[0].1 == flash[511 * SECTOR..512 * SECTOR]);
    assert!(seen.files[1].1 == flash[512 * SECTOR..601 * SECTOR]);
    assert!(!seen.files[1].1.windows(16).any(|window| window == &secret[8..24]));
}

/// Somebody writes another table while the device runs: files stay where they were until the next boot.
#[test]
fn a_table_that_changes_shows_after_the_next_boot() {
    let folder = plan().partitions.folder;
    let cases = cases();
    let (before, after) = (&cases[2], &cases[3]);
    let mut contents = Contents::noise(plan().chip.flash_size as usize);
    let table = block(before.entries.as_ref().expect("a table"), 0);
    contents.flash[..table.len()].copy_from_slice(&table);
    let board = plug::board(plan(), contents);
    let memory = board.memory.clone();
    let mut device = NativeDevice::new(board);
    compare(before, &look(&mut device, &folder), &memory.with(|contents| contents.flash.clone()));
    let table = block(after.entries.as_ref().expect("a table"), 0);
    memory.with(|contents| {
        contents.flash[..table.len()].copy_from_slice(&table);
        contents.flash[513 * SECTOR + 5] ^= 0xFF;
    });
    let flash = memory.with(|contents| contents.flash.clone());
    compare(before, &look(&mut device, &folder), &flash);
    device.replug();
    compare(after, &look(&mut device, &folder), &flash);
}

mod ring5 {
    use super::{Contents, SECTOR, block, cases, compare, compare_four, look, plan};
    use crate::board_elf;
    use picovd_sim::board::ElfDevice;
    use picovd_sim::link::Link;

    /// Where the table's block is on the board that has the firmware in front.
    const TABLE: usize = 1000 * SECTOR - 2048;

    /// Puts a table into the loop of blocks that the firmware's image definition begins.
    fn program(device: &mut ElfDevice, table: &dyn Fn(i32) -> Vec<u8>) {
        let flash = device.machine().flash();
        let word = |at: usize| u32::from_le_bytes(flash.bytes()[at..at + 4].try_into().expect("four bytes"));
        let first = (0..SECTOR).step_by(4).find(|at| word(*at) == 0xFFFF_DED3).expect("an image definition");
        let end = (first..SECTOR).step_by(4).find(|at| word(*at) == 0xAB12_3579).expect("its end");
        assert_eq!(word(end - 4), 0, "a loop of one block");
        // Noise, so that every byte shows where it came from.
        let noise = Contents::noise(4 * 512 * SECTOR).flash;
        assert!(flash.preload(512 * SECTOR, &noise[..512 * SECTOR]));
        assert!(flash.preload(end - 4, &((TABLE - first) as u32).to_le_bytes()));
        assert!(flash.preload(TABLE, &table(first as i32 - TABLE as i32)));
    }

    #[test]
    #[ignore = "needs the firmware: cargo xtask test --ring 5"]
    fn every_table_on_the_board() {
        let elf = board_elf::bytes();
        let folder = plan().partitions.folder;
        for case in cases() {
            let mut device = ElfDevice::new(&elf).expect("the board boots it");
            if let Some(entries) = &case.entries {
                program(&mut device, &|next| block(entries, next));
                device.replug();
            }
            let seen = look(&mut device, &folder);
            println!("{}: the host read all of it within {:?}", case.what, device.now());
            assert_eq!(device.fault(), None);
            compare(&case, &seen, device.machine().flash().bytes());
            if case.what.starts_with("four") {
                compare_four(&seen.description);
            }
        }
    }

    #[test]
    #[ignore = "needs the firmware: cargo xtask test --ring 5"]
    fn a_torn_table_is_none() {
        let elf = board_elf::bytes();
        let mut device = ElfDevice::new(&elf).expect("the board boots it");
        program(&mut device, &|next| {
            let mut table = block(cases()[3].entries.as_ref().expect("a table"), next);
            // The count says more than there is.
            table[7] = 16;
            table
        });
        device.replug();
        let seen = look(&mut device, &plan().partitions.folder);
        assert_eq!(device.fault(), None);
        assert_eq!(seen.description["table"], "none");
        assert!(seen.files.is_empty());
    }
}
