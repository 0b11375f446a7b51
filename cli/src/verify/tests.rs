//! Reports about media that fail while they are read.

use super::report;
use picovd_sim::host::exfat::boot::BootSector;
use picovd_sim::host::exfat::volume::Volume;
use picovd_sim::host::raw::{Kind, RawDisk};
use picovd_sim::host::scsi::Disk;
use picovd_sim::host::{BlockSource, Host, Initiator};
use picovd_sim::plug;
use std::io::{self, Cursor, Read, Seek, SeekFrom};

/// A medium with bad blocks.
struct Failing {
    bytes: Cursor<Vec<u8>>,
    bad: Vec<u64>,
}

impl Read for Failing {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let blocks = self.bytes.position() / 512..(self.bytes.position() + out.len() as u64).div_ceil(512);
        match self.bad.iter().any(|lba| blocks.contains(lba)) {
            true => Err(io::Error::other("no such luck")),
            false => self.bytes.read(out),
        }
    }
}

impl Seek for Failing {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.bytes.seek(to)
    }
}

/// The stock device's image.
fn image() -> Vec<u8> {
    let plug = plug::open(None, None).unwrap_or_else(|error| panic!("{error}"));
    let initiator = Initiator::attach(Host::new(plug.link)).expect("the device enumerates");
    let mut disk = Disk::open(initiator).expect("the unit is ready");
    let blocks = disk.block_count();
    disk.read(0, blocks as u32).expect("blocks can be read")
}

/// First block of a file of the root directory.
fn place(image: &[u8], name: &str) -> u64 {
    let mut image = image.to_vec();
    let mut volume = Volume::open(&mut image).expect("it mounts");
    let node = volume.find(name).expect("it is there");
    u64::from(volume.boot().cluster_heap_offset) + (u64::from(node.first_cluster) - 2) * 8
}

fn verify(bytes: Vec<u8>, bad: Vec<u64>) -> (usize, String) {
    let plan = plug::plan(None).expect("the stock manifest is good");
    let disk = RawDisk::new(Box::new(Failing { bytes: Cursor::new(bytes), bad }), Kind::Device).expect("a length");
    let mut out = Vec::new();
    let Ok(count) = report(disk, Some(&plan), &mut out) else { panic!("no report") };
    (count, String::from_utf8(out).expect("text"))
}

fn line<'t>(text: &'t str, part: &str) -> &'t str {
    text.lines().find(|line| line.contains(part)).unwrap_or_else(|| panic!("{part:?} is missing in\n{text}"))
}

#[test]
fn a_bad_block_in_a_file_leaves_the_others() {
    let image = image();
    let bad = place(&image, "FLASH.BIN") + 1000;
    let (count, text) = verify(image, vec![bad]);
    assert_eq!(count, 2, "{text}");
    assert!(line(&text, "read-error").contains(&format!("LBA {bad}: no such luck")), "{text}");
    assert!(line(&text, "unreadable: FLASH.BIN").contains(&format!("LBA {bad}")), "{text}");
    // The files before and after it.
    for file in ["BOOTROM.BIN", "README.TXT", "SRAM.BIN", "about/PICOVD.TXT"] {
        let line = line(&text, file);
        assert!(line.contains("matches the manifest") || line.contains("length right"), "{line}");
    }
}

#[test]
fn bad_blocks_of_the_tables_are_named() {
    let image = image();
    let readme = place(&image, "README.TXT");
    // One of the main boot region after the boot sector, one of the up-case table, one of a file.
    let upcase = u64::from(BootSector::parse(&image).cluster_heap_offset) + 8;
    let (count, text) = verify(image.clone(), vec![3, upcase, readme]);
    for lba in [3, upcase, readme] {
        assert!(text.contains(&format!("read-error: LBA {lba}: no such luck (medium)")), "{text}");
    }
    assert!(count >= 3 && text.contains("upcase-checksum"), "{text}");
    assert!(line(&text, "about/PICOVD.TXT").contains("matches the manifest"), "{text}");
    // Nothing at all can be read.
    let (count, text) = verify(image.clone(), (0..image.len() as u64 / 512).collect());
    assert!(count >= 2 && text.contains("read-error: LBA 0 to 1: no such luck"), "{text}");
}

#[test]
fn directories_on_the_same_clusters_end() {
    let mut image = image();
    let (root, about) = {
        let mut copy = image.clone();
        let mut volume = Volume::open(&mut copy).expect("it mounts");
        let about = volume.find("about").expect("it is there");
        (volume.boot().first_cluster_of_root_directory, about.first_cluster)
    };
    // The sub-directory's stream extension entry gets the root directory's cluster.
    let at = image.chunks(32).position(|entry| entry[0] == 0xC0 && entry[20..24] == about.to_le_bytes());
    let at = at.expect("its stream extension") * 32;
    image[at + 20..at + 24].copy_from_slice(&root.to_le_bytes());
    // SetChecksum (exFAT 6.3.3).
    let entries = image[at - 32..at + 64].to_vec();
    let counted = entries.iter().enumerate().filter(|(index, _)| ![2, 3].contains(index));
    let sum = counted.fold(0u16, |sum, (_, &byte)| sum.rotate_right(1).wrapping_add(u16::from(byte)));
    image[at - 30..at - 28].copy_from_slice(&sum.to_le_bytes());
    let (count, text) = verify(image, Vec::new());
    assert!(count > 0 && text.contains("directory: about: shares its clusters"), "{text}");
    assert!(text.contains("cluster-shared"), "{text}");
}
