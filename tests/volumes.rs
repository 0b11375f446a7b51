//! Volumes are arguments: one process holds many of them, and each is right.

use picovd::block::Lba;
use picovd::clock::Instant;
use picovd::dynamic::{FromRegistry, Registered};
use picovd::files::Bytes;
use picovd::vd::{AddError, File, Files, FilesOf, vd_add_file, vd_remove_file};
use picovd::volume::layout::RegionKind;
use picovd::volume::{BoardIdentity, DynamicFiles, Volume};
use picovd_manifest::{check, load, plan, read_text};
use picovd_property::Cases;
use picovd_sim::host::exfat::check::check as check_volume;
use picovd_sim::host::exfat::volume::Volume as ExfatVolume;
use picovd_sim::host::source::{BlockSource, ReadError};
use picovd_sim::memory::{Contents, SharedMemory};
use picovd_sim::section::with_interrupts;
use picovd_sim::tables::Tables;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use std::cell::Cell;
use std::fmt;
use std::fs;
use std::path::Path;

/// How many random volumes are made.
const VOLUMES: u32 = 2_000;

fn tables(text: &str) -> Tables {
    let manifest = read_text("test.toml", text, Path::new(".")).expect("the text is TOML");
    Tables::new(plan(&check(&manifest, None).expect("the manifest is right")).expect("the volume is small"))
}

#[test]
fn two_volumes_of_two_manifests_live_side_by_side() {
    let first = tables("[volume]\nlabel = \"FIRST\"\n[[file]]\npath = \"A.TXT\"\ntext = \"first\"\n");
    let second = tables("[volume]\nlabel = \"SECOND\"\n[[file]]\npath = \"A.TXT\"\ntext = \"second\"\n");
    let memory = SharedMemory::new(Contents::noise(1 << 20));
    let (first, second) = (first.layout(), second.layout());
    let mut volumes = [&first, &second].map(|layout| Volume::new(layout, Some(BoardIdentity(7)), memory.clone()));

    // Interleaved, so that neither can lean on what it read last.
    for (volume, text) in volumes.iter_mut().zip([&b"first"[..], b"second"]) {
        let mut image = vec![0; volume.block_count().bytes() as usize];
        for (lba, block) in image.chunks_mut(512).enumerate() {
            volume.read(Lba(lba as u32), 0, block);
        }
        assert_eq!(image.windows(text.len()).filter(|window| *window == text).count(), 1);
    }
}

/// Blocks straight from a volume, without USB.
struct Direct<'v, 'a, D>(&'v mut Volume<'a, SharedMemory, D>);

impl<D: DynamicFiles> BlockSource for Direct<'_, '_, D> {
    fn block_count(&self) -> u64 {
        u64::from(self.0.block_count().0)
    }

    fn read(&mut self, lba: u64, count: u32) -> Result<Vec<u8>, ReadError> {
        let mut data = vec![0; count as usize * 512];
        self.0.read(Lba(lba as u32), 0, &mut data);
        Ok(data)
    }
}

/// A manifest, shown as it is where a test fails.
struct Manifest(String);

impl fmt::Debug for Manifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\n{}", self.0)
    }
}

/// A manifest with folders, files of all lengths, names of all lengths, windows and slots.
fn manifest() -> impl Strategy<Value = Manifest> {
    let volume = (0..999_u32, any::<bool>())
        .prop_map(|(label, digits)| format!("[volume]\nlabel = \"V{label}\"\nlabel-board-digits = {digits}\n"));
    let dynamic = prop::option::of((1..=20_u32, 1..=255_u32)).prop_map(|dynamic| {
        dynamic.map_or(String::new(), |(files, name)| format!("[dynamic]\nfiles = {files}\nmax-name = {name}\n"))
    });
    let folders = vec(0..3_u32, 0..4).prop_map(|folders| {
        let folders = folders.iter().enumerate();
        folders.map(|(depth, folder)| format!("d{folder}-{depth}/")).collect::<String>()
    });
    let name = vec(select(&['x', 'Ä', 'ß', 'ж', '語', '9'][..]), 0..120).prop_map(String::from_iter);
    let length = select(&[0, 1, 511, 512, 513, 4095, 4096, 4097, 9000][..]);
    let window = (0..0x4_0000_u32, 1..=0x4_0000_u32);
    let parts = (volume, dynamic, vec((folders, name, length), 0..24), vec(window, 0..4));
    parts.prop_map(|(volume, dynamic, files, windows)| {
        let mut text = volume + &dynamic;
        for (number, (folders, name, length)) in files.into_iter().enumerate() {
            let contents: String = ('a'..='z').cycle().skip(number).take(length).collect();
            text += &format!("[[file]]\npath = \"{folders}{number}{name}\"\ntext = \"{contents}\"\n");
        }
        for (number, (offset, length)) in windows.into_iter().enumerate() {
            let base = 0x2000_0000 + offset;
            text += &format!("[[memory]]\npath = \"w{number}.bin\"\nbase = {base:#x}\nlength = {length}\n");
        }
        Manifest(text)
    })
}

/// A dynamic file.
#[derive(Debug)]
struct Drawn {
    /// A folder of the manifest, and whether it is in one of its own in there.
    folder: Index,
    made: bool,
    name: String,
    length: usize,
}

fn dynamic_file() -> impl Strategy<Value = Drawn> {
    let name = vec(select(&['R', 'Ö', 'ñ', '7'][..]), 0..30).prop_map(String::from_iter);
    let length = select(&[0, 1, 512, 4095, 4096, 4097][..]);
    (any::<Index>(), prop::bool::weighted(0.33), name, length).prop_map(|(folder, made, name, length)| Drawn {
        folder,
        made,
        name,
        length,
    })
}

/// Registers dynamic files, in the manifest's folders and in others, and returns those that were taken.
fn register(drawn: Vec<Drawn>, files: &'static Files<'static>, folders: &[String]) -> Vec<(String, Vec<u8>)> {
    let mut taken = Vec::new();
    for (number, Drawn { folder, made, name, length }) in drawn.into_iter().enumerate() {
        let mut folder = folder.get(folders).clone();
        if made {
            folder = if folder.is_empty() { "made".to_owned() } else { format!("{folder}/made") };
        }
        let path = if folder.is_empty() { format!("r{number}{name}") } else { format!("{folder}/r{number}{name}") };
        // Bytes of a file that no other one has at the same place.
        let bytes: Vec<u8> = (0..length).map(|at| (at * 7 + at / 251 + number * 11) as u8).collect();
        let content: &'static Bytes<'static> = Box::leak(Box::new(Bytes::new(bytes.clone().leak())));
        let file = Box::leak(Box::new(File::new(path.clone().leak(), content, bytes.len() as u32)));
        match vd_add_file(files, file) {
            Ok(()) => taken.push((path, bytes)),
            Err(error) => assert!(
                matches!(
                    error,
                    AddError::TooManyFiles | AddError::NoRoom | AddError::NameTooLong | AddError::InvalidPath
                ),
                "{path}: {error:?}"
            ),
        }
    }
    taken
}

#[test]
fn random_volumes_with_dynamic_files_follow_the_standard() {
    let memory = SharedMemory::new(Contents::noise(1 << 20));
    let mut shown = [0; 2];
    let volume = (manifest(), vec(dynamic_file(), 0..24), any::<u64>());
    Cases { count: VOLUMES / 10, seed: 0 }.check(volume, |(manifest, drawn, identity)| {
        let tables = tables(&manifest.0);
        let mut folders = vec![String::new()];
        folders.extend(tables.plan().directories.iter().map(|directory| directory.path.clone()));
        let layout = tables.leak();
        let files: &'static Files<'static> = Box::leak(Box::new(FilesOf::<32>::new(layout)));
        let volume = Volume::new(layout, Some(BoardIdentity(identity)), memory.clone());
        let mut volume = volume.with_files(Registered::of(files));
        let taken = register(drawn, files, &folders);
        volume.begin_other_volume(Instant(0));
        let findings = check_volume(&mut Direct(&mut volume)).expect("every block can be read");
        assert!(findings.is_empty(), "{findings:?}");
        let mut source = Direct(&mut volume);
        let mut reader = ExfatVolume::open(&mut source).expect("it is an exFAT volume");
        for (path, bytes) in taken {
            let node = reader.find(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
            assert!(reader.read_file(&node).expect("it can be read") == bytes, "{path}");
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            shown[usize::from(!folder.is_empty() && folders.iter().any(|known| known == folder))] += 1;
        }
    });
    assert!(shown[0] > 100 && shown[1] > 100, "{shown:?} files outside and inside of the manifest's folders");
}

/// Clusters of a directory, by its FAT chain.
fn directory_clusters(volume: &mut Volume<'_, SharedMemory, Registered<'_>>, path: &str) -> usize {
    let mut source = Direct(volume);
    let mut reader = ExfatVolume::open(&mut source).expect("it is an exFAT volume");
    let node = if path.is_empty() { reader.root() } else { reader.find(path).expect("the directory is there") };
    reader.clusters(&node).expect("its chain is whole").len()
}

#[test]
fn a_directory_has_a_second_cluster_only_while_its_entries_need_one() {
    let text = "[volume]\npartition-table = true\n[dynamic]\nfiles = 60\nwindow = \"1 MiB\"\n[[file]]\npath = \"given/A.TXT\"\ntext = \"a\"\n";
    let memory = SharedMemory::new(Contents::noise(1 << 20));
    for folder in ["", "given", "made", "given/made"] {
        let layout = tables(text).leak();
        let files: &'static Files<'static> = Box::leak(Box::new(FilesOf::<64>::new(layout)));
        let mut volume = Volume::new(layout, Some(BoardIdentity(7)), memory.clone()).with_files(Registered::of(files));
        let round = |volume: &mut Volume<'static, SharedMemory, Registered<'static>>, count: usize, needs: &str| {
            volume.begin_other_volume(Instant(0));
            let findings = check_volume(&mut Direct(volume)).expect("every block can be read");
            assert!(findings.is_empty(), "{count} files in {folder:?}: {findings:?}");
            for other in ["", "given"].into_iter().filter(|other| *other != folder) {
                assert_eq!(directory_clusters(volume, other), 1, "{other:?} with {count} files in {folder:?}");
            }
            // Names of 8 units: 3 entries each, and one for the end.
            let own = match folder {
                "" => 3 + 3,
                "given" => 3,
                _ => 0,
            };
            let expected = ((own + 3 * count + 1) * 32).div_ceil(4096);
            if count != 0 || !folder.contains("made") {
                assert_eq!(directory_clusters(volume, folder), expected, "{count} files in {folder:?}, {needs}");
            }
            expected
        };
        let mut most = round(&mut volume, 0, "none yet");
        let mut added = Vec::new();
        for index in 0..50 {
            let path = if folder.is_empty() { format!("R{index:07}") } else { format!("{folder}/R{index:07}") };
            let content: &'static Bytes<'static> = Box::leak(Box::new(Bytes::new(b"contents")));
            let file: &'static File<'static> = Box::leak(Box::new(File::new(path.leak(), content, 8)));
            vd_add_file(files, file).expect("there is room");
            added.push(file);
            most = most.max(round(&mut volume, index + 1, "growing"));
        }
        assert_eq!(most, 2, "it has grown");
        while let Some(file) = added.pop() {
            vd_remove_file(files, file).expect("it is there");
            round(&mut volume, added.len(), "shrinking");
        }
    }
}

/// How long directories are is found out when a generation begins. A read looks at some slots in each critical section, and not at
/// every slot for each directory.
#[test]
fn reads_of_metadata_do_not_look_at_every_file_for_each_directory() {
    const SLOTS: usize = 200;
    let mut text = format!("[dynamic]\nfiles = {SLOTS}\nwindow = \"2 MiB\"\n");
    for folder in 0..20 {
        text += &format!("[[file]]\npath = \"given{folder:02}/A.TXT\"\ntext = \"a\"\n");
    }
    let layout = tables(&text).leak();
    let files: &'static Files<'static> = Box::leak(Box::new(FilesOf::<SLOTS>::new(layout)));
    let memory = SharedMemory::new(Contents::noise(1 << 20));
    let mut volume = Volume::new(layout, Some(BoardIdentity(7)), memory).with_files(Registered::of(files));
    for index in 0..170 {
        let path = match index % 3 {
            0 => format!("R{index:07}"),
            1 => format!("given{:02}/R{index:07}", index % 20),
            _ => format!("made/R{index:07}"),
        };
        let content: &'static Bytes<'static> = Box::leak(Box::new(Bytes::new(b"contents")));
        vd_add_file(files, Box::leak(Box::new(File::new(path.leak(), content, 8)))).expect("there is room");
    }
    volume.begin_other_volume(Instant(0));
    let mut most = 0;
    for region in layout.all_regions() {
        let length = match region.kind {
            RegionKind::Fat | RegionKind::Bitmap => region.length.bytes() as usize,
            RegionKind::Directory(directory) => directory.entries.len(),
            _ => continue,
        };
        for start in (0..length).step_by(64) {
            let mut piece = vec![0; 64.min(length - start)];
            let count: &'static Cell<usize> = Box::leak(Box::new(Cell::new(0)));
            with_interrupts(|| count.set(count.get() + 1), || volume.read(region.first, start, &mut piece));
            most = most.max(count.get());
            // 20 folders may be reported in one call, and 8 slots are checked in one critical section.
            assert!(count.get() < 20 * SLOTS / 4, "{} critical sections at byte {start} of {region:?}", count.get());
        }
    }
    assert!(most > SLOTS / 16, "only {most} critical sections: what reads dynamic files?");
}

/// Holds a whole volume against the standard.
fn assert_sound(tables: &Tables, identity: u64, memory: &SharedMemory, what: &str) {
    let layout = tables.layout();
    // Directories have the clusters that their entries need: without a registry, they keep all that the layout reserves.
    let files = FilesOf::<0>::new(&layout);
    let volume = Volume::new(&layout, Some(BoardIdentity(identity)), memory.clone());
    let mut volume = volume.with_files(Registered::of(&files));
    let findings = check_volume(&mut Direct(&mut volume)).expect("every block can be read");
    assert!(findings.is_empty(), "{what}: {findings:?}");
}

#[test]
fn thousands_of_random_volumes_follow_the_standard() {
    let memory = SharedMemory::new(Contents::noise(1 << 20));
    Cases { count: VOLUMES, seed: 0 }.check((manifest(), any::<u64>()), |(manifest, identity)| {
        assert_sound(&tables(&manifest.0), identity, &memory, "a random volume");
    });
}

#[test]
fn every_stored_manifest_makes_a_volume_that_follows_the_standard() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/manifests");
    let mut seen = 0;
    for entry in fs::read_dir(&folder).expect("tests/manifests is there") {
        let path = entry.expect("a folder can be listed").path();
        if path.extension().is_none_or(|end| end != "toml") {
            continue;
        }
        let plan = load(&path, None).unwrap_or_else(|problems| panic!("{problems}"));
        let memory = SharedMemory::new(Contents::noise(plan.chip.flash_size as usize));
        assert_sound(&Tables::new(plan), 0xE461_0000_0000_0001, &memory, &path.display().to_string());
        seen += 1;
    }
    assert!(seen >= 13, "{seen} manifests");
}
