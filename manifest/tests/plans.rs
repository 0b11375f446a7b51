//! Plans of random manifests, checked against the standard's inequalities and decoded again: directories, entry sets,
//! clusters.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::Path;

use picovd_manifest::{BYTES_PER_CLUSTER, DiskPlan, FileSource, Gap, RegionKind, check, emit, plan, read_text};
use picovd_property::Cases;
use proptest::prelude::*;
use proptest::sample::Index;

fn planned(text: &str) -> DiskPlan {
    let manifest = read_text("m", text, Path::new("")).unwrap_or_else(|e| panic!("{e}"));
    let checked = check(&manifest, None).unwrap_or_else(|e| panic!("{text}\n{e}"));
    plan(&checked).unwrap_or_else(|e| panic!("{e}"))
}

/// A manifest, and each file's path with its length.
#[derive(Default)]
struct Drawn {
    text: String,
    files: BTreeMap<String, u64>,
    redacted: Vec<Range<usize>>,
}

/// The text as it is, so that a failure shows a manifest.
impl fmt::Debug for Drawn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\n{}", self.text)
    }
}

/// Of a file: the folders above it, characters of its name, and its length.
type File = (Vec<u32>, usize, usize);
/// Of a window: offset and length in SRAM, and what is redacted of it.
type Window = (usize, Index, Option<(Index, Index)>);

impl Drawn {
    fn volume(&mut self, label: usize, size: usize) {
        self.text += &format!("[volume]\nlabel = \"{}\"\nminimum-size = {size}\n", "L".repeat(label));
    }

    fn dynamic(&mut self, slots: usize, more: usize, name: usize) {
        let window = slots * 8192 + more;
        self.text += &format!("[dynamic]\nfiles = {slots}\nwindow = {window}\nmax-name = {name}\n");
    }

    fn file(&mut self, index: usize, (folders, name, length): File) {
        let folders: String = folders.iter().map(|folder| format!("folder {folder}/")).collect();
        let path = format!("{folders}{index} {}", "ö".repeat(name)).trim_end().to_owned();
        self.text += &format!("[[file]]\npath = \"{path}\"\ntext = \"{}\"\n", "x".repeat(length));
        self.files.insert(path, length as u64);
    }

    fn window(&mut self, index: usize, (offset, length, redacted): Window) {
        let path = format!("folder 1/memory {index}");
        let length = 1 + length.index(0x8_2000 - offset);
        self.text += &format!("[[memory]]\npath = \"{path}\"\nbase = {}\nlength = {length}\n", 0x2000_0000 + offset);
        self.files.insert(path, length as u64);
        if let Some((at, count)) = redacted {
            let at = offset + at.index(length);
            let range = at..at + 1 + count.index(length + offset - at);
            // A redaction that hides nothing new is an error.
            let within = |a: &Range<usize>, b: &Range<usize>| b.start <= a.start && a.end <= b.end;
            if !self.redacted.iter().any(|other| within(&range, other) || within(other, &range)) {
                self.text += &format!("[[redact]]\nbase = {}\nlength = {}\n", 0x2000_0000 + at, range.len());
                self.redacted.push(range);
            }
        }
    }
}

fn manifest() -> impl Strategy<Value = Drawn> {
    use prop::collection::vec;
    let volume = prop::option::of((0..12_usize, 1 << 20..41_usize << 20));
    let dynamic = prop::option::weighted(0.975, (1..40_usize, 0..1_usize << 20, 1..256_usize));
    let length =
        prop_oneof![1 => Just(0), 1 => (0..4_usize).prop_map(|clusters| 4096 * clusters), 2 => 0..20_000_usize];
    let file = (vec(0..3_u32, 0..4), 0..250_usize, length);
    let window = (0..0x8_0000_usize, any::<Index>(), prop::option::of(any::<(Index, Index)>()));
    (volume, dynamic, vec(file, 0..60), vec(window, 0..4)).prop_map(|(volume, dynamic, files, windows)| {
        let mut drawn = Drawn::default();
        if let Some((label, size)) = volume {
            drawn.volume(label, size);
        }
        if let Some((slots, more, name)) = dynamic {
            drawn.dynamic(slots, more, name);
        }
        files.into_iter().enumerate().for_each(|(index, file)| drawn.file(index, file));
        windows.into_iter().enumerate().for_each(|(index, window)| drawn.window(index, window));
        drawn
    })
}

fn word(bytes: &[u8], at: usize) -> u64 {
    bytes[at..at + 4].iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

/// Reads the directory at `cluster` and those below it: path, first cluster, length, flags of each file.
fn list(plan: &DiskPlan, cluster: u32, path: &str, found: &mut BTreeMap<String, (u64, u64, u8)>) {
    let block = plan.cluster_heap_offset + (cluster - 2) * 8;
    let region = plan.regions.iter().find(|region| region.first == block).expect("a directory begins a region");
    let RegionKind::Directory { entries, .. } = &region.kind else { panic!("{path} is no directory") };
    let mut rest: Vec<&[u8]> = entries.chunks_exact(32).collect();
    while let Some(first) = rest.first() {
        if first[0] != 0x85 {
            assert!(matches!(first[0], 0x81..=0x83) && path.is_empty(), "{:02x} in {path}", first[0]);
            rest.remove(0);
            continue;
        }
        let count = usize::from(first[1]) + 1;
        let set: Vec<u8> = rest.drain(..count).flatten().copied().collect();
        let sum = set.iter().enumerate().filter(|(i, _)| *i != 2 && *i != 3);
        let sum = sum.fold(0u16, |sum, (_, byte)| sum.rotate_right(1).wrapping_add(u16::from(*byte)));
        assert_eq!(u64::from(sum), word(&set, 2) & 0xFFFF, "SetChecksum");
        let units: Vec<u16> = set[64..]
            .chunks_exact(32)
            .flat_map(|entry| entry[2..].chunks_exact(2))
            .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
            .take(usize::from(set[35]))
            .collect();
        assert_eq!(count, 2 + units.len().div_ceil(15));
        let name = String::from_utf16(&units).unwrap();
        let path = if path.is_empty() { name } else { format!("{path}/{name}") };
        let (cluster, length, valid) = (word(&set, 52), word(&set, 56) | word(&set, 60) << 32, word(&set, 40));
        assert_eq!(length, valid, "ValidDataLength");
        if set[4] & 0x10 != 0 {
            assert_eq!((length % 4096, set[33]), (0, 1), "a directory has whole clusters and a FAT chain");
            let at = plan.directories.iter().find(|at| at.path == path).unwrap();
            assert_eq!(u64::from(at.first_cluster), cluster);
            // Clusters are reserved for dynamic files; the directory has what its entries and the end-of-directory entry
            // need (7.1).
            let block = u64::from(plan.cluster_heap_offset) + (cluster - 2) * 8;
            let region = plan.regions.iter().find(|region| u64::from(region.first) == block).unwrap();
            let RegionKind::Directory { entries, .. } = &region.kind else { panic!("{path} is no directory") };
            assert_eq!(length, (entries.len() as u64 + 32).next_multiple_of(4096));
            assert!(length / 4096 <= u64::from(at.cluster_count));
            list(plan, cluster as u32, &path, found);
        } else {
            assert!(found.insert(path, (cluster, length, set[33])).is_none(), "a name occurs twice in a directory");
        }
    }
}

fn check_plan(text: &str, files: &BTreeMap<String, u64>) {
    let plan = planned(text);
    let (heap, count) = (u64::from(plan.cluster_heap_offset), u64::from(plan.cluster_count));
    assert!(u64::from(plan.volume_length) * 512 >= 1 << 20, "VolumeLength (3.1.5)");
    assert!(plan.fat_offset >= 24, "FatOffset (3.1.6)");
    assert_eq!(u64::from(plan.fat_length), ((count + 2) * 4).div_ceil(512), "FatLength (3.1.7), and not more");
    assert!(heap >= u64::from(plan.fat_offset + plan.fat_length) && heap % 8 == 0, "ClusterHeapOffset (3.1.8)");
    assert_eq!(count, (u64::from(plan.volume_length) - heap) / 8, "ClusterCount (3.1.9)");

    let mut next = 0;
    for region in &plan.regions {
        assert_eq!(region.first, next, "regions neither overlap nor leave gaps");
        assert!(region.length > 0);
        next += region.length;
        let room = u64::from(region.length) * 512;
        match &region.kind {
            RegionKind::Bytes(bytes) => assert_eq!(room, (bytes.len() as u64).next_multiple_of(4096)),
            RegionKind::Memory { length, .. } => assert!(*length > 0 && *length <= room),
            RegionKind::Directory { entries, .. } => {
                let slots = usize::from(plan.dynamic.slots) * usize::from(plan.dynamic.slot_entries) * 32;
                let used = entries.len() + slots;
                assert!((used as u64) < room, "an end-of-directory entry fits");
            }
            _ => {}
        }
    }
    assert_eq!(next, plan.volume_length, "the regions cover the volume");

    // What is permanently allocated: chains first, without gap; then files; then the dynamic window.
    let mut end = 2;
    for chain in &plan.chain_ends {
        assert!(*chain >= end);
        end = chain + 1;
    }
    assert_eq!(plan.chain_ends.len(), 2 + plan.directories.len());
    for file in &plan.files {
        let clusters = file.length.div_ceil(u64::from(BYTES_PER_CLUSTER)) as u32;
        assert_eq!(file.first_cluster, if clusters == 0 { 0 } else { end }, "{}", file.path);
        assert_eq!(
            file.region.map(|at| plan.regions[at].first),
            (clusters > 0).then(|| plan.cluster_heap_offset + (end - 2) * 8)
        );
        end += clusters;
    }
    assert_eq!(plan.allocated_clusters, end - 2);
    if plan.dynamic.slots > 0 {
        assert_eq!(plan.dynamic.first_cluster.0, end);
        end += plan.dynamic.cluster_count;
    }
    assert!(u64::from(end) <= count + 2, "everything fits into the heap");

    let mut found = BTreeMap::new();
    list(&plan, plan.first_cluster_of_root_directory, "", &mut found);
    let lengths: BTreeMap<String, u64> = found.iter().map(|(path, (_, length, _))| (path.clone(), *length)).collect();
    assert_eq!(&lengths, files);
    for file in &plan.files {
        let flags = if file.length == 0 { 1 } else { 3 };
        assert_eq!(found[&file.path], (u64::from(file.first_cluster), file.length, flags));
        if let (FileSource::Memory { base, length, redacted }, Some(region)) = (&file.source, file.region) {
            check_memory(&plan, region, *base, *length, redacted);
        }
    }
    assert!(emit(&plan).volume_rs.is_ascii(), "the text is the same in every locale");
}

/// Checks a window's regions sector by sector: each shows the right address, or zeros if it is redacted.
fn check_memory(plan: &DiskPlan, first: usize, base: u32, length: u64, redacted: &[std::ops::Range<u64>]) {
    let mut at = 0;
    for region in &plan.regions[first..] {
        if at >= length {
            return;
        }
        for sector in 0..u64::from(region.length) {
            let offset = at + sector * 512;
            if offset >= length {
                break;
            }
            let hidden = redacted.iter().any(|range| range.contains(&offset));
            match region.kind {
                RegionKind::Memory { base: shown, length: left } => {
                    assert!(!hidden);
                    assert_eq!(u64::from(shown) + sector * 512, u64::from(base) + offset);
                    assert!(at + left <= length);
                }
                RegionKind::Unused(Gap::Reserved) => assert!(hidden, "only what is redacted is not shown"),
                _ => panic!("a window is cut off"),
            }
        }
        at += u64::from(region.length) * 512;
    }
}

#[test]
fn random_manifests_make_sound_volumes() {
    Cases { count: 1500, seed: 0 }.check(manifest(), |drawn| check_plan(&drawn.text, &drawn.files));
}

#[test]
fn sizes_around_every_boundary() {
    // Sizes where a FAT sector, a bitmap cluster or the heap's alignment makes the geometry change.
    let sizes = (1 << 20..2 << 20).step_by(1 << 10).chain(((126 << 20)..(130 << 20)).step_by(3 << 9));
    for size in sizes {
        check_plan(&format!("[volume]\nminimum-size = {size}\n"), &BTreeMap::new());
    }
    check_plan("[volume]\nminimum-size = \"32 GiB\"\n", &BTreeMap::new());
    for length in 1030..1060 {
        let text = format!("[dynamic]\nfiles = 1\nwindow = {}\n", length * 4096);
        check_plan(&text, &BTreeMap::new());
    }
}

#[test]
fn a_thousand_files_in_one_folder() {
    let mut files = BTreeMap::new();
    let mut text = String::new();
    for index in 0..1000 {
        let path = format!("many/{index}");
        text += &format!("[[file]]\npath = \"{path}\"\ntext = \"{index}\"\n");
        files.insert(path, index.to_string().len() as u64);
    }
    check_plan(&text, &files);
}

#[test]
fn a_redaction_holds_for_every_alias() {
    let plan = planned(
        "[[memory]]\npath = \"FLASH.BIN\"\nwindow = \"flash\"\n\
         [[memory]]\npath = \"SAME.BIN\"\nbase = 0x10000100\nlength = 1000\n\
         [[redact]]\nbase = 0x1400_0310\nlength = 16\n",
    );
    let redacted = |path: &str| {
        let file = plan.files.iter().find(|file| file.path == path).unwrap();
        let FileSource::Memory { redacted, .. } = &file.source else { panic!("{path} shows memory") };
        redacted.iter().map(|range| (range.start, range.end)).collect::<Vec<_>>()
    };
    assert_eq!(redacted("FLASH.BIN"), [(0x200, 0x400)]);
    assert_eq!(redacted("SAME.BIN"), [(0x200, 0x400)], "0x210 of the file, widened to its sector");
}
