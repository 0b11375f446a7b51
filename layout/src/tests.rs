//! The reader against drafts, whole and damaged.

use alloc::vec;
use alloc::vec::Vec;
use picovd_property::Cases;
use proptest::prelude::*;

use crate::block::{BlockCount, Lba};
use crate::format::{self, HEADER, SECTION, SUMMED, header, section, volume};
use crate::{
    BuiltInSource, ClusterIndex, Compiled, Directory, Draft, DynamicWindow, Exposable, FlashFile, Gap, Growing, Label,
    Layout, MemoryWindow, Redacted, Refusal, Region, RegionKind, Settings,
};

/// How often a block is damaged.
const DAMAGES: u32 = 20_000;

/// The root directory's entries: a label, and a file with a name of one entry.
const ROOT: [u8; 128] = {
    let mut entries = [0; 128];
    (entries[0], entries[32], entries[33], entries[64], entries[96]) = (0x83, 0x85, 2, 0xC0, 0xC1);
    entries
};

/// A volume with one of everything.
fn draft() -> Draft<'static> {
    let region = |first, length, kind| Region { first: Lba(first), length: BlockCount(length), kind };
    let end = 32 + 252 * 8;
    Draft {
        volume_length: end,
        label: Label { units: &[0x50, 0x44, 0x2603], board_digits: true },
        chain_ends: &[2, 4, 6],
        allocated_clusters: 8,
        regions: vec![
            region(0, 12, RegionKind::Boot),
            region(12, 12, RegionKind::Boot),
            region(24, 8, RegionKind::Fat),
            region(32, 8, RegionKind::Bitmap),
            region(40, 16, RegionKind::Upcase),
            region(56, 16, RegionKind::Directory(Directory { entries: &ROOT, root: true })),
            region(72, 8, RegionKind::Bytes(b"contents")),
            region(80, 8, RegionKind::Unused(Gap::Reserved)),
            region(88, 8, RegionKind::Memory(MemoryWindow { base: 0x1C00_0000, length: 4096 })),
            region(96, 64, RegionKind::Dynamic),
            region(160, end - 160, RegionKind::Unused(Gap::Free)),
        ],
        first_cluster_of_root_directory: 5,
        flash_files: vec![FlashFile {
            directory: Lba(56),
            entry: 32,
            first_cluster: ClusterIndex(9),
            offset: 0,
            length: 4096,
        }],
        growing: vec![Growing { parent: Lba(0), entry: 0, entries: 128, first_cluster: ClusterIndex(5), clusters: 2 }],
        dynamic: DynamicWindow {
            first_cluster: ClusterIndex(10),
            cluster_count: 8,
            slots: 3,
            entries: 9,
            slot_entries: 4,
        },
        built_in: vec![
            (BuiltInSource::Stdout, "STDOUT.TXT", 4096),
            (BuiltInSource::Partitions, "P/P.JSON", 32768),
            (BuiltInSource::Temperature, "SENSOR.CSV", 2048),
        ],
        sensor_interval: 1000,
        log: crate::Log { ring_size: 4096, defmt_ring_size: 256 },
        partitions: crate::Partitions { folder: "P" },
        redacted: vec![Redacted { start: 512, end: 1024 }],
        settings: Settings {
            sectors: 2,
            start: 0x3F_D000,
            lock: true,
            show_stacks: false,
            from_end: true,
            label: "PD",
        },
        exposable: vec![Exposable {
            path: "A",
            directory: Lba(56),
            entries: (32, 96),
            blocks: (Lba(72), BlockCount(8)),
        }],
        text: Some("# a manifest\n"),
        ..Draft::default()
    }
}

/// A block's words: tables and contents.
fn block(draft: &Draft<'_>) -> Vec<u32> {
    let (tables, contents) = draft.write();
    words(&[tables, contents].concat())
}

fn words(bytes: &[u8]) -> Vec<u32> {
    let mut bytes = bytes.to_vec();
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes.as_chunks().0.iter().map(|word| u32::from_ne_bytes(*word)).collect()
}

/// Makes the checksum right.
fn seal(words: &mut [u32]) {
    let length = (words[header::LENGTH] as usize / 4).min(words.len());
    let bytes: &[u8] = bytemuck::must_cast_slice(&words[SUMMED / 4..length]);
    words[header::CHECKSUM] = crate::check::checksum(bytes);
}

/// Where a section begins, in words.
fn place(words: &[u32], number: u32) -> usize {
    let mut records = words[HEADER..].as_chunks::<SECTION>().0.iter();
    records.find(|record| record[0] == number).expect("the draft has it")[1] as usize / 4
}

#[test]
fn what_was_written_is_read() {
    let draft = draft();
    let words = block(&draft);
    let compiled = Compiled::read(&words).unwrap();
    let layout = Layout::of(compiled);
    assert!(layout.all_regions().eq(draft.regions.iter().copied()));
    assert!(layout.flash_files.iter().eq(draft.flash_files.iter().copied()));
    assert!(layout.growing.iter().eq(draft.growing.iter().copied()));
    assert!(layout.chain_ends.iter().eq([2, 4, 6]));
    assert_eq!((layout.label, layout.dynamic), (draft.label, draft.dynamic));
    assert_eq!((layout.volume_length.0, layout.allocated_clusters), (draft.volume_length, 8));
    assert_eq!((compiled.usb(), compiled.scsi_unit()), (draft.usb, draft.scsi_unit));
    assert_eq!((compiled.announcing(), compiled.chip()), (draft.announcing, draft.chip));
    assert_eq!((compiled.log(), compiled.partitions()), (draft.log, draft.partitions));
    assert_eq!(compiled.settings(), draft.settings);
    assert!(compiled.redacted().iter().eq(draft.redacted.iter().copied()));
    let files = compiled.built_in();
    let files = files.iter().map(|file| (file.source.unwrap(), compiled.built_in_path(&file), file.capacity));
    assert!(files.eq(draft.built_in.iter().copied()));
    assert_eq!(compiled.built_in_path_at(1), "P/P.JSON");
    let exposable: Vec<_> = crate::Exposables::of(compiled).iter().collect();
    assert_eq!(exposable.len(), 1);
    assert_eq!((exposable[0].path, exposable[0].directory, exposable[0].entries), ("A", Lba(56), (32, 96)));
    assert_eq!(compiled.text(), draft.text);
    assert_eq!(compiled.contents(), b"contents");
}

/// The bytes that `docs/COMPILED-MANIFEST.md` shows, by hand.
#[test]
fn the_header_is_as_specified() {
    let (tables, contents) = draft().write();
    assert_eq!(&tables[..8], b"PVDM\x00\x00\x01\x00");
    assert_eq!(tables.len() % 4, 0);
    assert_eq!(tables[8..12], (tables.len() as u32).to_le_bytes());
    let crc = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC).checksum(&tables[16..]);
    assert_eq!(tables[12..16], crc.to_le_bytes());
    assert_eq!(tables[16..20], (contents.len() as u32).to_le_bytes());
    assert_eq!(tables[20..32], [18, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn what_is_not_a_block_is_refused_with_its_reason() {
    let good = block(&draft());
    let refused = |change: &dyn Fn(&mut Vec<u32>)| {
        let mut words = good.clone();
        change(&mut words);
        Compiled::read(&words).unwrap_err()
    };
    assert_eq!(Compiled::read(&[]), Err(Refusal::Absent));
    assert_eq!(Compiled::read(&[u32::MAX; 64]), Err(Refusal::Absent));
    assert_eq!(Compiled::read(&[format::MAGIC]), Err(Refusal::Newer(0, 0)));
    assert_eq!(refused(&|words| words[header::FORMAT] = 0x2_0003), Refusal::Newer(2, 3));
    assert_eq!(refused(&|words| words[header::LENGTH] += 2), Refusal::Invalid("its length"));
    assert_eq!(refused(&|words| words[header::LENGTH] = 0), Refusal::Invalid("its length"));
    assert_eq!(refused(&|words| words[header::LENGTH] = 1 << 20), Refusal::Truncated);
    let reason = Refusal::Invalid("its tables are longer than 1 MiB");
    assert_eq!(refused(&|words| words[header::LENGTH] = (1 << 20) + 4), reason);
    assert_eq!(refused(&|words| words[header::LENGTH] = 0xFFFF_FFFC), reason);
    assert_eq!(refused(&|words| words[header::CONTENTS] = u32::MAX), Refusal::Truncated);
    assert_eq!(refused(&|words| words.truncate(words.len() - 1)), Refusal::Truncated);
    assert_eq!(refused(&|words| words[20] ^= 1 << 9), Refusal::Checksum);
}

/// Each rule by itself, in a block whose checksum is right.
#[test]
fn what_the_library_relies_on_is_checked() {
    let good = block(&draft());
    let refused = |number: u32, at: usize, value: u32| {
        let mut words = good.clone();
        let place = place(&words, number);
        words[place + at] = value;
        seal(&mut words);
        match Compiled::read(&words) {
            Err(Refusal::Invalid(reason)) => reason,
            other => panic!("word {at} of section {number:#x} is {value:#x}: {other:?}"),
        }
    };
    let region = |index: usize, word: usize| index * 6 + word;
    for (number, at, value, reason) in [
        (section::VOLUME, volume::CLUSTER_SHIFT, 40, "SectorsPerClusterShift (exFAT 3.1.15)"),
        (section::VOLUME, volume::VOLUME_LENGTH, 144, "VolumeLength (exFAT 3.1.5)"),
        (section::VOLUME, volume::PARTITION_OFFSET, u32::MAX, "VolumeLength (exFAT 3.1.5)"),
        (section::VOLUME, volume::FAT_OFFSET, 12, "FatOffset (exFAT 3.1.6)"),
        (section::VOLUME, volume::FAT_LENGTH, 0, "FatLength (exFAT 3.1.7)"),
        (section::VOLUME, volume::CLUSTER_HEAP_OFFSET, 16, "ClusterHeapOffset (exFAT 3.1.8)"),
        (section::VOLUME, volume::CLUSTER_COUNT, 200, "ClusterCount (exFAT 3.1.9)"),
        (section::VOLUME, volume::ROOT, 1, "FirstClusterOfRootDirectory (exFAT 3.1.10)"),
        (section::VOLUME, volume::ROOT, 6, "the root directory's place"),
        (section::VOLUME, volume::ALLOCATED, 253, "the allocated clusters"),
        (section::VOLUME, volume::ALLOCATED, 9, "the dynamic window"),
        (section::VOLUME, volume::LABEL, 0x109, "the label (exFAT 7.3.2)"),
        (section::VOLUME, volume::DYNAMIC_CLUSTERS, u32::MAX, "the dynamic window"),
        (section::VOLUME, volume::DYNAMIC_SLOTS, 0xFFFF, "the dynamic files"),
        (section::VOLUME, volume::DYNAMIC_SLOT_ENTRIES, 20, "the dynamic files"),
        (section::CHAIN_ENDS, 0, 1, "the FAT chains"),
        (section::CHAIN_ENDS, 2, 100, "the FAT chains"),
        (section::REGIONS, region(1, 0), 13, "the regions leave a gap, or overlap"),
        (section::REGIONS, region(1, 1), 0, "the regions leave a gap, or overlap"),
        (section::REGIONS, region(10, 1), 8, "the regions end early"),
        (section::REGIONS, region(3, 2), 13, "a region of an unknown kind"),
        (section::REGIONS, region(5, 3), 1 << 20, "a directory's entries"),
        (section::REGIONS, region(5, 4), 33, "a directory's entries"),
        (section::REGIONS, region(5, 5), 0, "there is one root directory"),
        (section::REGIONS, region(6, 3), 1, "a file's contents"),
        (section::REGIONS, region(6, 4), u32::MAX, "a file's contents"),
        (section::REGIONS, region(8, 4), 4097, "a window of memory"),
        (section::REGIONS, region(8, 3), 0xFFFF_F001, "a window of memory"),
        (section::FLASH_FILES, 0, 57, "a flash file's directory entries"),
        (section::FLASH_FILES, 1, 64, "a flash file's directory entries"),
        (section::FLASH_FILES, 2, 10, "a flash file's clusters"),
        (section::FLASH_FILES, 3, 16 << 20, "a flash file's place"),
        (section::GROWING, 0, 55, "a folder's directory entries"),
        (section::GROWING, 2, 8192, "a folder's length"),
        (section::GROWING, 4, u32::MAX, "a folder's clusters"),
        (section::USB, 1, 0, "the USB device's current"),
        (section::USB, 2, u32::MAX, "the USB device's texts"),
        (section::USB, 3, 0, "the USB device's names"),
        (section::USB, 7, 3, "the serial number"),
        (section::SCSI, 1, 9, "the SCSI unit's names"),
        (section::BUILT_IN, 0, 99, "a built-in file of an unknown kind"),
        (section::BUILT_IN, 0, 4, "a built-in file that is there twice"),
        (section::BUILT_IN, 3, 0, "a built-in file's path"),
        (section::SENSOR, 0, 99, "the sensor's interval"),
        (section::SENSOR, 0, 86_400_001, "the sensor's interval"),
        (section::LOG, 0, 4097, "a log's ring"),
        (section::PARTITIONS, 1, u32::MAX, "the partitions' folder"),
        (section::REDACTED, 1, 512, "a redaction"),
        (section::REDACTED, 0, 513, "a redaction"),
        (section::CHIP, 0, 0, "the length of flash"),
        (section::CHIP, 0, (4 << 20) + 4096, "the length of flash"),
        (section::CHIP, 0, 32 << 20, "the length of flash"),
        (section::SETTINGS, 0, 33, "the settings"),
        (section::SETTINGS, 0, 1, "the settings"),
        (section::SETTINGS, 1, 0x3F_D100, "the settings"),
        (section::EXPOSABLE, 4, 97, "a file that settings may show"),
        (section::EXPOSABLE, 5, 8, "a file that settings may show"),
    ] {
        assert_eq!(refused(number, at, value), reason, "word {at} of section {number:#x} is {value:#x}");
    }
}

#[test]
fn a_newer_minor_version_is_read_unless_it_needs_more() {
    let good = block(&draft());
    let mut words = good.clone();
    words[header::FORMAT] += 7;
    // The text, which is the last section, becomes one that is not known.
    let last = HEADER + (words[header::SECTIONS] as usize - 1) * SECTION;
    words[last] = format::OPTIONAL | 99;
    seal(&mut words);
    let compiled = Compiled::read(&words).unwrap();
    assert_eq!(compiled.text(), None);
    words[last] = 99;
    seal(&mut words);
    assert_eq!(Compiled::read(&words), Err(Refusal::Newer(1, 7)));
    words[last] = section::VOLUME;
    seal(&mut words);
    assert_eq!(Compiled::read(&words), Err(Refusal::Invalid("a section that is there twice")));
    // A built-in file that this version does not know.
    let mut words = good.clone();
    let at = place(&words, section::BUILT_IN);
    words[at] = 99;
    seal(&mut words);
    assert_eq!(Compiled::read(&words), Err(Refusal::Invalid("a built-in file of an unknown kind")));
    words[header::FORMAT] += 7;
    seal(&mut words);
    assert_eq!(Compiled::read(&words), Err(Refusal::Newer(1, 7)));
    for missing in 0..last {
        let mut words = good.clone();
        if missing >= HEADER && (missing - HEADER).is_multiple_of(SECTION) {
            words[missing] = format::OPTIONAL | 99;
            seal(&mut words);
            let refusal = Compiled::read(&words).err();
            let number = good[missing];
            // SENSOR.CSV, which is there, needs its interval.
            let optional = number > section::CHIP && number != section::SENSOR
                || number == section::FLASH_FILES
                || number == section::GROWING;
            assert_eq!(refusal.is_none(), optional, "without section {number}: {refusal:?}");
        }
    }
}

/// Whatever is changed, with the checksum right: the reader neither panics nor accepts what the layout's arithmetic cannot
/// do.
#[test]
fn damaged_blocks_are_refused_or_harmless() {
    let good = block(&draft());
    let change = (
        any::<prop::sample::Index>(),
        prop_oneof![any::<u32>(), 0..300_u32, (0..32_u32).prop_map(|bit| 1 << bit)],
        any::<bool>(),
    );
    let accepted = core::cell::Cell::new(0_u32);
    Cases { count: DAMAGES, seed: 0 }.check(prop::collection::vec(change, 1..4), |changes| {
        let mut words = good.clone();
        let length = words[header::LENGTH] as usize / 4;
        for (index, value, flip) in changes {
            let word = &mut words[header::CONTENTS + index.index(length - header::CONTENTS)];
            *word = if flip { *word ^ value } else { value };
        }
        seal(&mut words);
        if let Ok(compiled) = Compiled::read(&words) {
            accepted.set(accepted.get() + 1);
            let layout = Layout::of(compiled);
            let mut next = 0;
            for region in layout.all_regions() {
                assert_eq!(region.first.0, next);
                next += region.length.0;
            }
            assert_eq!(next, layout.partition_offset + layout.volume_length.0);
            assert!(layout.label.units.len() <= 11);
            for file in layout.flash_files.iter() {
                assert!(file.first_cluster.after(layout.clusters(file.length)) <= layout.allocated_end());
            }
        }
    });
    // Labels, times, entries and the like may be anything.
    assert!(accepted.get() > DAMAGES / 100, "{} of {DAMAGES}", accepted.get());
}
