//! Rules of the boot regions (exFAT 3).

use super::{Check, Finding};
use crate::bytes::le32;
use crate::exfat::boot::{BootSector, REGION_SECTORS, SECTOR, boot_checksum};

/// Length of a parameters structure (exFAT 3.3).
const PARAMETERS: usize = 48;

/// Checks the 24 sectors from block `first` on, with `blocks` left on the medium; returns whether the rest of the volume
/// can be found.
pub(super) fn check(regions: &[u8], first: u64, blocks: u64, findings: &mut Vec<Finding>) -> bool {
    let (main, backup) = regions.split_at(REGION_SECTORS * SECTOR);
    check_region(main, "main", findings);
    // Differences between the regions are reported once; here, the backup's own structure is checked.
    if main == backup {
        return check_geometry(&BootSector::parse(main), first, blocks, findings);
    }
    let differs = |at: &usize| main[*at] != backup[*at] && ![106, 107, 112].contains(at);
    match (0..main.len()).find(differs) {
        Some(at) => {
            let text = format!("byte {} of sector {} differs from the backup's", at % SECTOR, at / SECTOR);
            findings.push(Finding { check: Check::BootBackup, text });
        }
        None => check_region(backup, "backup", findings),
    }
    check_geometry(&BootSector::parse(main), first, blocks, findings)
}

fn check_region(region: &[u8], which: &str, findings: &mut Vec<Finding>) {
    let mut ensure = |holds: bool, check, what: &str| {
        if !holds {
            findings.push(Finding { check, text: format!("{which} boot region: {what}") });
        }
    };
    let zero = |range: std::ops::Range<usize>| region[range].iter().all(|&byte| byte == 0);
    let boot = BootSector::parse(region);
    ensure(boot.jump_boot == [0xEB, 0x76, 0x90], Check::BootJump, &format!("JumpBoot is {:02x?}", boot.jump_boot));
    ensure(&boot.file_system_name == b"EXFAT   ", Check::BootName, "FileSystemName is wrong");
    ensure(zero(11..64), Check::BootMustBeZero, "MustBeZero is not zero");
    ensure(zero(113..120), Check::BootReserved, "bytes 113 to 119 are not zero");
    ensure(!zero(120..510), Check::BootCode, "BootCode is all zeros");
    let signature = boot.boot_signature;
    ensure(signature == 0xAA55, Check::BootSignature, &format!("BootSignature is {signature:04X}h"));
    for sector in 1..=8 {
        let signature = le32(region, (sector + 1) * SECTOR - 4);
        let text = format!("ExtendedBootSignature of sector {sector} is {signature:08X}h");
        ensure(signature == 0xAA55_0000, Check::ExtendedSignature, &text);
    }
    let oem = 9 * SECTOR;
    for index in 0..10 {
        let at = oem + index * PARAMETERS;
        let null = !zero(at..at + 16) || zero(at..at + PARAMETERS);
        ensure(null, Check::OemParameters, &format!("Parameters[{index}] has no GUID but is not empty"));
    }
    ensure(zero(oem + 10 * PARAMETERS..oem + SECTOR), Check::OemParameters, "bytes after the parameters are not zero");
    ensure(zero(10 * SECTOR..11 * SECTOR), Check::ReservedSector, "sector 10 is not zero");
    let checksum = boot_checksum(&region[..11 * SECTOR]);
    let repeated = region[11 * SECTOR..].chunks_exact(4).all(|word| le32(word, 0) == checksum);
    ensure(repeated, Check::BootChecksum, &format!("sector 11 does not repeat {checksum:08X}h"));
    let flags = boot.volume_flags;
    ensure(flags & 1 == 0 || boot.number_of_fats == 2, Check::ActiveFat, "the second FAT is active");
    ensure(flags & 2 == 0, Check::VolumeDirty, "VolumeDirty is 1");
    ensure(flags & 4 == 0, Check::MediaFailure, "MediaFailure is 1");
    ensure(flags & !7 == 0, Check::VolumeFlagsReserved, &format!("VolumeFlags is {flags:04X}h"));
    let revision = boot.file_system_revision;
    ensure(revision == 0x0100, Check::Revision, &format!("FileSystemRevision is {revision:04X}h"));
}

/// What is required before any address can be computed.
fn check_geometry(boot: &BootSector, first: u64, blocks: u64, findings: &mut Vec<Finding>) -> bool {
    let offset = boot.partition_offset;
    if offset != first {
        let text = format!("PartitionOffset is {offset}, but the volume begins at block {first}");
        findings.push(Finding { check: Check::PartitionOffset, text });
    }
    let mut sound = true;
    let mut ensure = |holds: bool, check, text: String| {
        if !holds {
            sound = false;
            findings.push(Finding { check, text });
        }
    };
    let BootSector { volume_length, cluster_count, .. } = *boot;
    let (sector_shift, cluster_shift) = (boot.bytes_per_sector_shift, boot.sectors_per_cluster_shift);
    ensure(sector_shift == 9, Check::SectorShift, format!("BytesPerSectorShift is {sector_shift}"));
    ensure(cluster_shift <= 16, Check::ClusterShift, format!("SectorsPerClusterShift is {cluster_shift}"));
    ensure(boot.number_of_fats == 1, Check::NumberOfFats, format!("NumberOfFats is {}", boot.number_of_fats));
    ensure(volume_length >= 1 << 11, Check::VolumeLength, format!("VolumeLength is {volume_length} sectors"));
    ensure(
        volume_length <= blocks,
        Check::VolumeFits,
        format!("VolumeLength is {volume_length} sectors, the medium has {blocks}"),
    );
    ensure(boot.fat_offset >= 24, Check::FatOffset, format!("FatOffset is {}", boot.fat_offset));
    if cluster_shift > 16 || sector_shift != 9 {
        return false;
    }
    let needed = (u64::from(cluster_count) + 2).div_ceil(SECTOR as u64 / 4);
    ensure(
        u64::from(boot.fat_length) >= needed,
        Check::FatLength,
        format!("FatLength is {}, {cluster_count} clusters need {needed}", boot.fat_length),
    );
    let heap = u64::from(boot.cluster_heap_offset);
    let fats_end = u64::from(boot.fat_offset) + u64::from(boot.fat_length) * u64::from(boot.number_of_fats);
    ensure(
        fats_end <= heap && heap <= volume_length,
        Check::ClusterHeapOffset,
        format!("ClusterHeapOffset is {heap}, the FAT ends at {fats_end}, the volume at {volume_length}"),
    );
    let quotient = (volume_length.saturating_sub(heap) >> cluster_shift).min((1 << 32) - 11);
    ensure(
        u64::from(cluster_count) == quotient,
        Check::ClusterCount,
        format!("ClusterCount is {cluster_count}, not {quotient}"),
    );
    let root = boot.first_cluster_of_root_directory;
    ensure(
        root >= 2 && u64::from(root) < u64::from(cluster_count) + 2,
        Check::RootCluster,
        format!("FirstClusterOfRootDirectory is {root}"),
    );
    sound
}
