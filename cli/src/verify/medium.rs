//! Detects what a medium contains if it is not an exFAT volume: a partition table, another file system, nothing.

use super::problem::Problem;
use picovd_sim::host::bytes::le32;
use picovd_sim::host::source::BLOCK_LENGTH;
use std::ffi::OsStr;
use std::path::Path;

/// Where the four entries of a master boot record are, and how long one is (UEFI specification 5.2.1).
const MBR_ENTRIES: std::ops::Range<usize> = 446..510;
const MBR_ENTRY: usize = 16;

/// The contents of the first two blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Medium {
    /// An exFAT volume from block 0 on.
    Exfat,
    /// A partition table; the first blocks of the partitions if it is a master boot record.
    Partitioned(Vec<u32>),
    /// Another file system.
    Other(&'static str),
    /// Zeros.
    Empty,
    /// Something else.
    Unknown,
}

/// Examines blocks 0 and 1.
pub fn identify(head: &[u8]) -> Medium {
    let (first, second) = head.split_at(BLOCK_LENGTH.min(head.len()));
    let has = |at: usize, name: &[u8]| first.get(at..at + name.len()) == Some(name);
    for (at, name, system) in
        [(3, "NTFS    ", "NTFS"), (82, "FAT32", "FAT32"), (54, "FAT16", "FAT16"), (54, "FAT12", "FAT12")]
    {
        if has(at, name.as_bytes()) {
            return Medium::Other(system);
        }
    }
    if has(3, b"EXFAT   ") {
        return Medium::Exfat;
    }
    if second.starts_with(b"EFI PART") {
        return Medium::Partitioned(Vec::new());
    }
    if head.iter().all(|byte| *byte == 0) {
        return Medium::Empty;
    }
    let entries = first.get(MBR_ENTRIES).unwrap_or_default().chunks_exact(MBR_ENTRY);
    let sound = entries.clone().all(|entry| entry[0] & 0x7F == 0);
    // Type, first block, number of blocks.
    let used = |entry: &&[u8]| entry[4] != 0 && le32(entry, 8) != 0 && le32(entry, 12) != 0;
    let partitions: Vec<u32> = entries.filter(used).map(|entry| le32(entry, 8)).collect();
    if has(510, &[0x55, 0xAA]) && sound && !partitions.is_empty() {
        return Medium::Partitioned(partitions);
    }
    Medium::Unknown
}

impl Medium {
    /// Why there is no volume to verify, if there is none.
    pub fn problem(&self, head: &[u8]) -> Option<Problem> {
        let other = "is this the right disk? A PicoVD stick begins with an exFAT boot sector";
        let (text, remedy) = match self {
            Self::Exfat => return None,
            Self::Partitioned(first) => {
                let blocks: Vec<_> = first.iter().map(u32::to_string).collect();
                let place = if blocks.is_empty() { String::new() } else { format!(" at LBA {}", blocks.join(", ")) };
                let text = format!("a partition table, with partitions{place}, and no volume at LBA 0");
                let remedy = "is this the right disk? A PicoVD stick has one exFAT partition or no partition table. To verify a \
                              volume on another disk, specify the partition, such as /dev/sdb1 or /dev/rdisk4s1";
                return Some(Problem::medium("partitioned", text).remedy(remedy));
            }
            Self::Other(system) => (format!("a {system} file system"), other),
            Self::Empty => ("nothing but zeros at LBA 0 and 1".to_owned(), other),
            Self::Unknown => {
                let bytes: Vec<_> = head.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
                (format!("not an exFAT boot sector; LBA 0 begins with {}", bytes.join(" ")), other)
            }
        };
        Some(Problem::medium("not-exfat", text).remedy(remedy))
    }
}

/// The disk of a partition that does not exist, by the naming schemes of Linux (`/dev/sdb1`) and macOS (`/dev/rdisk4s1`),
/// if the disk exists.
pub fn whole_disk(partition: &OsStr) -> Option<String> {
    let name = partition.to_str()?;
    let digits = |c: char| c.is_ascii_digit();
    let disk = name.strip_suffix(digits)?.trim_end_matches(digits);
    let disk = disk.strip_suffix(['s', 'p']).filter(|disk| disk.ends_with(digits)).unwrap_or(disk);
    (name.starts_with("/dev/") && Path::new(disk).exists()).then(|| disk.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head() -> Vec<u8> {
        vec![0; 2 * BLOCK_LENGTH]
    }

    #[test]
    fn each_medium_is_told() {
        assert_eq!(identify(&head()), Medium::Empty);
        let mut exfat = head();
        exfat[3..11].copy_from_slice(b"EXFAT   ");
        assert_eq!(identify(&exfat), Medium::Exfat);
        assert_eq!(Medium::Exfat.problem(&exfat), None);
        let mut fat = head();
        fat[82..90].copy_from_slice(b"FAT32   ");
        fat[510..512].copy_from_slice(&[0x55, 0xAA]);
        assert_eq!(identify(&fat), Medium::Other("FAT32"));
        let mut gpt = head();
        gpt[512..520].copy_from_slice(b"EFI PART");
        assert_eq!(identify(&gpt), Medium::Partitioned(Vec::new()));
        let mut mbr = head();
        mbr[510..512].copy_from_slice(&[0x55, 0xAA]);
        assert_eq!(identify(&mbr), Medium::Unknown);
        (mbr[450], mbr[455], mbr[458]) = (7, 8, 1);
        assert_eq!(identify(&mbr), Medium::Partitioned(vec![0x800]));
        let problem = identify(&mbr).problem(&mbr).map(|problem| problem.to_string()).unwrap_or_default();
        assert!(problem.contains("LBA 2048") && problem.contains("specify the partition"), "{problem}");
        mbr[446] = 0x12;
        assert_eq!(identify(&mbr), Medium::Unknown);
    }

    #[test]
    fn the_disk_of_a_partition() {
        assert_eq!(whole_disk(OsStr::new("/dev/null1")), Some("/dev/null".to_owned()));
        assert_eq!(whole_disk(OsStr::new("/dev/null")), None);
        assert_eq!(whole_disk(OsStr::new("image1")), None);
    }
}
