//! One defect for each rule.

use picovd_sim::host::exfat::check::Check;
use picovd_sim::host::exfat::directory::{entry_type, set_checksum};

use super::image::{CLUSTER, Image, REGION};

/// Offsets in an entry set: the stream extension is the second entry, the first name entry the third.
const STREAM: usize = 32;
const NAME: usize = 64;

type Defect = (Check, fn(&mut Image));

fn put32(bytes: &mut [u8], at: usize, value: u32) {
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

fn get32(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

/// First cluster of a path.
fn first_cluster(image: &Image, path: &str) -> u32 {
    image.u32_at(image.set(path).start + STREAM + 20)
}

pub const DEFECTS: &[Defect] = &[
    (Check::BootJump, |image| image.boot_regions(|region| region[0] = 0xE9)),
    (Check::BootName, |image| image.boot_regions(|region| region[3] = b'e')),
    (Check::BootMustBeZero, |image| image.boot_regions(|region| region[63] = 1)),
    (Check::PartitionTable, |image| {
        image.boot_regions(|region| put32(region, 64, 8));
        let mut table = vec![0; 8 * 512];
        table[510..512].copy_from_slice(&[0x55, 0xAA]);
        (table[450], table[454]) = (7, 8);
        put32(&mut table, 458, (image.bytes.len() / 512) as u32);
        // One block of the medium is in no partition.
        image.bytes.extend([0; 512]);
        image.bytes.splice(0..0, table);
    }),
    (Check::PartitionOffset, |image| image.boot_regions(|region| region[64] = 8)),
    (Check::VolumeLength, |image| {
        image.boot_regions(|region| {
            let heap = get32(region, 88);
            put32(region, 72, 2040);
            put32(region, 92, (2040 - heap) / 8);
        });
    }),
    (Check::VolumeFits, |image| {
        // Less than a cluster more: ClusterCount is still the quotient.
        let length = image.boot().volume_length as u32;
        let excess = (length - image.boot().cluster_heap_offset) % 8;
        assert_ne!(excess, 7, "one sector more is no cluster more");
        image.boot_regions(|region| put32(region, 72, length + 1));
    }),
    (Check::FatOffset, |image| image.boot_regions(|region| put32(region, 80, 23))),
    (Check::FatLength, |image| image.boot_regions(|region| put32(region, 84, 1))),
    (Check::ClusterHeapOffset, |image| {
        image.boot_regions(|region| {
            let length = get32(region, 72);
            put32(region, 88, 24);
            put32(region, 92, (length - 24) / 8);
        });
    }),
    (Check::ClusterCount, |image| image.boot_regions(|region| put32(region, 92, get32(region, 92) - 1))),
    (Check::RootCluster, |image| image.boot_regions(|region| put32(region, 96, 1))),
    (Check::Revision, |image| image.boot_regions(|region| region[104] = 1)),
    (Check::ActiveFat, |image| image.boot_regions(|region| region[106] = 1)),
    (Check::VolumeDirty, |image| image.boot_regions(|region| region[106] = 2)),
    (Check::MediaFailure, |image| image.boot_regions(|region| region[106] = 4)),
    (Check::VolumeFlagsReserved, |image| image.boot_regions(|region| region[107] = 1)),
    (Check::SectorShift, |image| image.boot_regions(|region| region[108] = 10)),
    (Check::ClusterShift, |image| image.boot_regions(|region| region[109] = 17)),
    (Check::NumberOfFats, |image| image.boot_regions(|region| region[110] = 2)),
    (Check::PercentInUse, |image| image.bytes[112] += 1),
    (Check::BootCode, |image| image.boot_regions(|region| region[120..510].fill(0))),
    (Check::BootSignature, |image| image.boot_regions(|region| region[510] = 0)),
    (Check::BootReserved, |image| image.boot_regions(|region| region[119] = 1)),
    (Check::ExtendedSignature, |image| image.boot_regions(|region| region[9 * 512 - 1] = 0)),
    (Check::OemParameters, |image| image.boot_regions(|region| region[9 * 512 + 16] = 1)),
    (Check::ReservedSector, |image| image.boot_regions(|region| region[10 * 512] = 1)),
    (Check::BootChecksum, |image| {
        for region in 0..2 {
            image.bytes[region * REGION + 12 * 512 - 1] ^= 1;
        }
    }),
    (Check::BootBackup, |image| {
        image.bytes[REGION + 300] ^= 1;
        image.fix_boot_checksums();
    }),
    (Check::FatMedia, |image| image.set_fat(0, 0xFFFF_FFF0)),
    (Check::FatEntryOne, |image| image.set_fat(1, 0)),
    (Check::FatStray, |image| image.set_fat(image.free_cluster(), 0xFFFF_FFFF)),
    (Check::ChainBroken, |image| image.set_fat(first_cluster(image, "DIR"), 1)),
    (Check::ChainLength, |image| {
        let free = image.free_cluster();
        image.set_fat(first_cluster(image, "DIR"), free);
        image.set_fat(free, 0xFFFF_FFFF);
        image.mark(free, true);
    }),
    (Check::BitmapCount, |image| {
        let entry = image.single(entry_type::ALLOCATION_BITMAP);
        // Not in use any more.
        image.bytes[entry.start] &= 0x7F;
    }),
    (Check::BitmapFlags, |image| single(image, entry_type::ALLOCATION_BITMAP, 1, 2)),
    (Check::BitmapReserved, |image| single(image, entry_type::ALLOCATION_BITMAP, 19, 1)),
    (Check::BitmapLength, |image| {
        let entry = image.single(entry_type::ALLOCATION_BITMAP);
        image.bytes[entry.start + 24] += 1;
    }),
    (Check::BitmapLeak, |image| image.mark(image.free_cluster(), true)),
    (Check::BitmapMissing, |image| image.mark(first_cluster(image, "A.TXT"), false)),
    (Check::BitmapTail, |image| {
        let count = image.boot().cluster_count as usize;
        assert_ne!(count % 8, 0, "the last byte of the bitmap has bits left");
        let entry = image.single(entry_type::ALLOCATION_BITMAP);
        let bitmap = image.cluster(image.u32_at(entry.start + 20)).start;
        image.bytes[bitmap + count / 8] |= 0x80;
    }),
    (Check::UpcaseCount, |image| append_copy(image, "", entry_type::UPCASE_TABLE)),
    (Check::UpcaseReserved, |image| single(image, entry_type::UPCASE_TABLE, 19, 1)),
    (Check::UpcaseChecksum, |image| single(image, entry_type::UPCASE_TABLE, 4, 0)),
    (Check::UpcaseFormat, |image| {
        image.change_table(|table| *table.last_mut().expect("a table") = 0, 1);
    }),
    // The letter q stays what it is; no name has it.
    (Check::UpcaseMandatory, |image| image.change_table(|table| table[usize::from(b'q') * 2] = b'q', 0)),
    (Check::UpcaseRecommended, |image| image.change_table(|table| table[0xE0 * 2] = 0xE0, 0)),
    (Check::LabelCount, |image| append_copy(image, "", entry_type::VOLUME_LABEL)),
    (Check::LabelLength, |image| single(image, entry_type::VOLUME_LABEL, 1, 12)),
    (Check::LabelCharacters, |image| single(image, entry_type::VOLUME_LABEL, 2, b'*')),
    (Check::LabelReserved, |image| single(image, entry_type::VOLUME_LABEL, 31, 1)),
    (Check::VolumeGuid, |image| {
        let mut entry = [7; 32];
        (entry[0], entry[1]) = (entry_type::VOLUME_GUID, 0);
        entry[22..].fill(0);
        let sum = set_checksum(&entry).to_le_bytes();
        entry[2..4].copy_from_slice(&sum);
        image.append("", entry);
    }),
    (Check::EntryType, |image| image.append("DIR", [0x80; 32])),
    (Check::EntryPlace, |image| append_copy(image, "DIR", entry_type::VOLUME_LABEL)),
    (Check::DirectoryEnd, |image| {
        let end = image.end("DIR");
        image.bytes[end + 37] = 1;
    }),
    (Check::SecondaryCount, |image| image.entries("DIR/INSIDE.TXT", |entries| entries[1] += 1)),
    (Check::SetChecksum, |image| {
        let set = image.set("A.TXT");
        image.bytes[set.start + 2] ^= 1;
    }),
    // A benign entry where the stream extension should be.
    (Check::SetStream, |image| image.entries("A.TXT", |entries| entries[STREAM] = 0xE0)),
    (Check::SetNames, |image| {
        image.name("A NAME OF MORE THAN FIFTEEN UNITS.TXT", |entries| entries[NAME + 32] = 0xE0);
    }),
    (Check::FileAttributes, |image| image.entries("A.TXT", |entries| entries[4] |= 0x40)),
    (Check::FileReserved, |image| image.entries("A.TXT", |entries| entries[31] = 1)),
    // The 30th of February.
    (Check::Timestamp, |image| image.entries("A.TXT", |entries| put32(entries, 12, 44 << 25 | 2 << 21 | 30 << 16))),
    (Check::Increment, |image| image.entries("A.TXT", |entries| entries[20] = 200)),
    (Check::UtcOffset, |image| image.entries("A.TXT", |entries| entries[22] = 4)),
    (Check::UtcOffsetValid, |image| image.entries("A.TXT", |entries| entries[24] = 0)),
    (Check::StreamFlags, |image| image.entries("A.TXT", |entries| entries[STREAM + 1] |= 4)),
    (Check::StreamReserved, |image| image.entries("A.TXT", |entries| entries[STREAM + 19] = 1)),
    (Check::NameLength, |image| image.name("A.TXT", |entries| entries[STREAM + 3] = 0)),
    (Check::NameHash, |image| image.entries("A.TXT", |entries| entries[STREAM + 4] ^= 1)),
    (Check::NameFlags, |image| image.entries("A.TXT", |entries| entries[NAME + 1] = 1)),
    (Check::NameCharacters, |image| image.name("A.TXT", |entries| entries[NAME + 2] = b'?')),
    (Check::NameDots, |image| {
        image.name("A.TXT", |entries| {
            entries[STREAM + 3] = 2;
            entries[NAME + 2..].fill(0);
            (entries[NAME + 2], entries[NAME + 4]) = (b'.', b'.');
        });
    }),
    (Check::NameUnicode, |image| {
        image.name("A.TXT", |entries| entries[NAME + 2..NAME + 4].copy_from_slice(&0xD800u16.to_le_bytes()));
    }),
    (Check::NamePadding, |image| image.entries("A.TXT", |entries| entries[NAME + 30] = b'x')),
    // Equal but for the case.
    (Check::NameDuplicate, |image| image.name("B.TXT", |entries| entries[NAME + 2] = b'a')),
    (Check::ValidDataLength, |image| image.entries("A.TXT", |entries| entries[STREAM + 8] += 1)),
    (Check::EmptyAllocation, |image| image.entries("EMPTY.TXT", |entries| entries[STREAM + 1] |= 2)),
    (Check::AllocationRange, |image| {
        let end = image.free_cluster() + 1;
        image.entries("A.TXT", |entries| put32(entries, STREAM + 20, end));
    }),
    (Check::DirectoryLength, |image| {
        image.entries("DIR", |entries| {
            put32(entries, STREAM + 8, CLUSTER as u32 - 1);
            put32(entries, STREAM + 24, CLUSTER as u32 - 1);
        });
    }),
    (Check::DirectoryShort, |image| {
        // The free clusters before the last one are as zero as a directory's end.
        let (first, more) = (image.free_cluster() - 1, image.free_cluster());
        let old = first_cluster(image, "DIR");
        let bytes = image.bytes[image.cluster(old)].to_vec();
        let (from, to) = (image.cluster(old), image.cluster(first));
        image.bytes[to].copy_from_slice(&bytes);
        image.bytes[from].fill(0);
        image.entries("DIR", |entries| {
            put32(entries, STREAM + 20, first);
            put32(entries, STREAM + 8, 2 * CLUSTER as u32);
            put32(entries, STREAM + 24, 2 * CLUSTER as u32);
        });
        image.set_fat(old, 0);
        image.set_fat(first, more);
        image.set_fat(more, 0xFFFF_FFFF);
        image.mark(old, false);
        image.mark(first, true);
        image.mark(more, true);
    }),
    (Check::ClusterShared, |image| {
        let (first, second) = (first_cluster(image, "A.TXT"), first_cluster(image, "B.TXT"));
        image.entries("B.TXT", |entries| put32(entries, STREAM + 20, first));
        image.mark(second, false);
        let cluster = image.cluster(second);
        image.bytes[cluster].fill(0);
    }),
    (Check::FileTail, |image| {
        let end = image.cluster(first_cluster(image, "A.TXT")).end;
        image.bytes[end - 1] = 1;
    }),
    (Check::FreeCluster, |image| {
        let start = image.cluster(image.free_cluster()).start;
        image.bytes[start] = 1;
    }),
];

/// Sets one byte of the root directory's entry of a type.
fn single(image: &mut Image, kind: u8, at: usize, value: u8) {
    let entry = image.single(kind);
    image.bytes[entry.start + at] = value;
}

/// Puts a copy of the root directory's entry of a type after the last entry of a directory.
fn append_copy(image: &mut Image, directory: &str, kind: u8) {
    let entry = image.single(kind);
    let copy = image.bytes[entry].try_into().expect("an entry of 32 bytes");
    image.append(directory, copy);
}
