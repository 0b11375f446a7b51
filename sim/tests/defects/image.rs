//! A volume in memory, and the means to damage one thing of it and repair the sums over it.

use std::fs;
use std::ops::Range;
use std::path::Path;

use picovd_sim::host::exfat::boot::{BootSector, boot_checksum};
use picovd_sim::host::exfat::directory::{FileSet, Item, entry_type, items, set_checksum};
use picovd_sim::host::exfat::upcase::{Upcase, table_checksum};
use picovd_sim::host::scsi::Disk;
use picovd_sim::host::{BlockSource, Host, Initiator};
use picovd_sim::plug;

/// Bytes of one boot region.
pub const REGION: usize = 12 * 512;
/// Bytes of a cluster of the stick.
pub const CLUSTER: usize = 4096;

/// Names without the letter q: a defect of the up-case table is about that letter.
const MANIFEST: &str = r#"
[volume]
label = "DEFECTS"
# 260 clusters: the bitmap's last byte has bits left.
minimum-size = 1081344

[[file]]
path = "A.TXT"
text = "the first file\n"

[[file]]
path = "B.TXT"
text = "the second file\n"

[[file]]
path = "EMPTY.TXT"
text = ""

[[file]]
path = "A NAME OF MORE THAN FIFTEEN UNITS.TXT"
text = "long\n"

[[file]]
path = "DIR/INSIDE.TXT"
text = "inside\n"
"#;

/// A volume.
#[derive(Clone)]
pub struct Image {
    /// All blocks.
    pub bytes: Vec<u8>,
}

impl Image {
    /// The volume of a small manifest, read through USB from the library.
    pub fn good() -> Self {
        let path =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("defects-{:?}.toml", std::thread::current().id()));
        fs::write(&path, MANIFEST).expect("the temporary folder is writable");
        let plug = plug::open(Some(&path), None).unwrap_or_else(|error| panic!("{error}"));
        let initiator = Initiator::attach(Host::new(plug.link)).expect("the device enumerates");
        let mut disk = Disk::open(initiator).expect("the unit is ready");
        let blocks = u32::try_from(disk.block_count()).expect("a small volume");
        Self { bytes: disk.read(0, blocks).expect("the volume can be read") }
    }

    pub fn boot(&self) -> BootSector {
        BootSector::parse(&self.bytes)
    }

    /// Changes both boot regions alike and repairs their checksums.
    pub fn boot_regions(&mut self, change: impl Fn(&mut [u8])) {
        for region in 0..2 {
            change(&mut self.bytes[region * REGION..(region + 1) * REGION]);
        }
        self.fix_boot_checksums();
    }

    pub fn fix_boot_checksums(&mut self) {
        for region in 0..2 {
            let region = &mut self.bytes[region * REGION..(region + 1) * REGION];
            let checksum = boot_checksum(&region[..11 * 512]).to_le_bytes();
            region[11 * 512..].chunks_exact_mut(4).for_each(|word| word.copy_from_slice(&checksum));
        }
    }

    /// Bytes of a cluster.
    pub fn cluster(&self, cluster: u32) -> Range<usize> {
        let start = self.boot().cluster_heap_offset as usize * 512 + (cluster as usize - 2) * CLUSTER;
        start..start + CLUSTER
    }

    pub fn set_fat(&mut self, index: u32, value: u32) {
        let at = self.boot().fat_offset as usize * 512 + index as usize * 4;
        self.bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
    }

    /// The last cluster, which nothing uses.
    pub fn free_cluster(&self) -> u32 {
        self.boot().cluster_count + 1
    }

    /// Marks a cluster or not, and repairs PercentInUse.
    pub fn mark(&mut self, cluster: u32, used: bool) {
        let bitmap = self.cluster(self.u32_at(self.single(entry_type::ALLOCATION_BITMAP).start + 20)).start;
        let (byte, bit) = (bitmap + (cluster as usize - 2) / 8, 1 << ((cluster - 2) % 8));
        if used {
            self.bytes[byte] |= bit;
        } else {
            self.bytes[byte] &= !bit;
        }
        let count = self.boot().cluster_count;
        let bitmap = &self.bytes[bitmap..bitmap + (count as usize).div_ceil(8)];
        let marked: u32 = bitmap.iter().map(|byte| byte.count_ones()).sum();
        let percent = (marked * 100 / count) as u8;
        (self.bytes[112], self.bytes[REGION + 112]) = (percent, percent);
    }

    pub fn u32_at(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.bytes[at..at + 4].try_into().expect("four bytes"))
    }

    /// Bytes of a directory; all directories here have one cluster.
    fn directory(&self, path: &str) -> Range<usize> {
        match path {
            "" => self.cluster(self.boot().first_cluster_of_root_directory),
            name => self.cluster(self.u32_at(self.set(name).start + 32 + 20)),
        }
    }

    /// The root directory's only entry of a type.
    pub fn single(&self, wanted: u8) -> Range<usize> {
        let directory = self.directory("");
        let found = items(&self.bytes[directory.clone()]).into_iter().find_map(|item| match item {
            Item::Single { index, entry } if entry[0] == wanted => Some(directory.start + index * 32),
            _ => None,
        });
        let start = found.expect("the entry is there");
        start..start + 32
    }

    /// The entry set of a path.
    pub fn set(&self, path: &str) -> Range<usize> {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let directory = self.directory(folder);
        let found = items(&self.bytes[directory.clone()]).into_iter().find_map(|item| match item {
            Item::Set { index, entries, .. } => {
                let set = FileSet::parse(entries).expect("a file set");
                let start = directory.start + index * 32;
                (String::from_utf16_lossy(&set.name()) == name).then_some(start..start + entries.len())
            }
            _ => None,
        });
        found.unwrap_or_else(|| panic!("{path} is there"))
    }

    /// Changes an entry set and repairs NameHash, if `hash`, and SetChecksum.
    fn change_set(&mut self, path: &str, hash: bool, change: impl FnOnce(&mut [u8])) {
        let range = self.set(path);
        let upcase = self.upcase();
        let entries = &mut self.bytes[range];
        change(entries);
        if hash {
            let name = FileSet::parse(entries).expect("a file set").name();
            entries[36..38].copy_from_slice(&upcase.name_hash(&name).to_le_bytes());
        }
        let sum = set_checksum(entries).to_le_bytes();
        entries[2..4].copy_from_slice(&sum);
    }

    /// Changes an entry set and repairs SetChecksum.
    pub fn entries(&mut self, path: &str, change: impl FnOnce(&mut [u8])) {
        self.change_set(path, false, change);
    }

    /// Changes an entry set and repairs NameHash and SetChecksum.
    pub fn name(&mut self, path: &str, change: impl FnOnce(&mut [u8])) {
        self.change_set(path, true, change);
    }

    /// Puts an entry after the last of a directory.
    pub fn append(&mut self, directory: &str, entry: [u8; 32]) {
        let at = self.end(directory);
        self.bytes[at..at + 32].copy_from_slice(&entry);
    }

    /// Where a directory ends.
    pub fn end(&self, directory: &str) -> usize {
        let range = self.directory(directory);
        let found = items(&self.bytes[range.clone()]).into_iter().find_map(|item| match item {
            Item::End { index, .. } => Some(range.start + index * 32),
            _ => None,
        });
        found.expect("the directory has room")
    }

    fn table(&self) -> Range<usize> {
        let entry = self.single(entry_type::UPCASE_TABLE).start;
        let start = self.cluster(self.u32_at(entry + 20)).start;
        start..start + self.u32_at(entry + 24) as usize
    }

    fn upcase(&self) -> Upcase {
        Upcase::expand(&self.bytes[self.table()]).expect("a good table")
    }

    /// Changes the up-case table and its length, and repairs TableChecksum.
    pub fn change_table(&mut self, change: impl FnOnce(&mut [u8]), shorter: u32) {
        let entry = self.single(entry_type::UPCASE_TABLE).start;
        let table = self.table();
        change(&mut self.bytes[table]);
        let length = self.u32_at(entry + 24) - shorter;
        self.bytes[entry + 24..entry + 28].copy_from_slice(&length.to_le_bytes());
        let sum = table_checksum(&self.bytes[self.table()]).to_le_bytes();
        self.bytes[entry + 4..entry + 8].copy_from_slice(&sum);
    }
}
