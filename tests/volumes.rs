//! Volumes are arguments: one process holds many of them, and each is right.

use picovd::block::Lba;
use picovd::clock::Instant;
use picovd::dynamic::{FromRegistry, Registered};
use picovd::files::Bytes;
use picovd::vd::{AddError, File, Files, FilesOf, vd_add_file, vd_remove_file};
use picovd::volume::layout::RegionKind;
use picovd::volume::{BoardIdentity, DynamicFiles, Volume};
use picovd_manifest::{check, load, plan, read_text};
use picovd_sim::host::exfat::check::check as check_volume;
use picovd_sim::host::exfat::volume::Volume as ExfatVolume;
use picovd_sim::host::source::{BlockSource, ReadError};
use picovd_sim::memory::{Contents, SharedMemory};
use picovd_sim::random::Random;
use picovd_sim::section::with_interrupts;
use picovd_sim::tables::Tables;
use std::cell::Cell;
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
    let (first_regions, second_regions) = (first.regions(), second.regions());
    let (first, second) = (first.layout(&first_regions), second.layout(&second_regions));
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

/// A manifest with folders, files of all lengths, names of all lengths, windows and slots.
fn random_manifest(random: &mut Random) -> String {
    let mut text =
        format!("[volume]\nlabel = \"V{}\"\nlabel-board-digits = {}\n", random.below(999), random.below(2) == 0);
    if random.below(2) == 0 {
        text += &format!("[dynamic]\nfiles = {}\nmax-name = {}\n", 1 + random.below(20), 1 + random.below(255));
    }
    for file in 0..random.below(24) {
        let folders: String = (0..random.below(4)).map(|depth| format!("d{}-{depth}/", random.below(3))).collect();
        let name: String =
            (0..random.below(120)).map(|_| ['x', 'Ä', 'ß', 'ж', '語', '9'][random.below(6) as usize]).collect();
        let length = [0, 1, 511, 512, 513, 4095, 4096, 4097, 9000][random.below(9) as usize];
        let contents: String = (0..length).map(|_| char::from(b'a' + random.below(26) as u8)).collect();
        text += &format!("[[file]]\npath = \"{folders}{file}{name}\"\ntext = \"{contents}\"\n");
    }
    for window in 0..random.below(4) {
        let (base, length) = (0x2000_0000 + random.below(0x4_0000), 1 + random.below(0x4_0000));
        text += &format!("[[memory]]\npath = \"w{window}.bin\"\nbase = {base:#x}\nlength = {length}\n");
    }
    text
}

/// Registers random dynamic files, in the manifest's folders and in others, and returns those that were taken.
fn register(random: &mut Random, files: &'static Files<'static>, folders: &[String]) -> Vec<(String, Vec<u8>)> {
    let mut taken = Vec::new();
    for index in 0..random.below(24) {
        let mut folder = folders[random.below(folders.len() as u32) as usize].clone();
        if random.below(3) == 0 {
            folder = if folder.is_empty() { "made".to_owned() } else { format!("{folder}/made") };
        }
        let name: String = (0..random.below(30)).map(|_| ['R', 'Ö', 'ñ', '7'][random.below(4) as usize]).collect();
        let path = if folder.is_empty() { format!("r{index}{name}") } else { format!("{folder}/r{index}{name}") };
        let mut bytes = vec![0; [0, 1, 512, 4095, 4096, 4097][random.below(6) as usize]];
        random.fill(&mut bytes);
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
    let mut random = Random::new(6);
    let mut shown = [0; 2];
    for round in 0..VOLUMES / 10 {
        let text = random_manifest(&mut random);
        let tables = tables(&text);
        let mut folders = vec![String::new()];
        folders.extend(tables.plan().directories.iter().map(|directory| directory.path.clone()));
        let layout = tables.leak();
        let files: &'static Files<'static> = Box::leak(Box::new(FilesOf::<32>::new(layout)));
        let mut volume =
            Volume::new(layout, Some(BoardIdentity(round.into())), memory.clone()).with_files(Registered::of(files));
        let taken = register(&mut random, files, &folders);
        volume.begin_other_volume(Instant(0));
        let findings = check_volume(&mut Direct(&mut volume)).expect("every block can be read");
        assert!(findings.is_empty(), "{findings:?}\nvolume {round}: {taken:?}\n{text}");
        let mut source = Direct(&mut volume);
        let mut reader = ExfatVolume::open(&mut source).expect("it is an exFAT volume");
        for (path, bytes) in taken {
            let node = reader.find(&path).unwrap_or_else(|error| panic!("{path}: {error}\n{text}"));
            assert!(reader.read_file(&node).expect("it can be read") == bytes, "{path} of volume {round}");
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            shown[usize::from(!folder.is_empty() && folders.iter().any(|known| known == folder))] += 1;
        }
    }
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
    for region in layout.regions {
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
            // 20 folders may be told of in one piece, and 8 slots are looked at in one critical section.
            assert!(count.get() < 20 * SLOTS / 4, "{} critical sections at byte {start} of {region:?}", count.get());
        }
    }
    assert!(most > SLOTS / 16, "only {most} critical sections: what reads dynamic files?");
}

/// Holds a whole volume against the standard.
fn assert_sound(tables: &Tables, identity: u64, memory: &SharedMemory, what: impl Fn() -> String) {
    let regions = tables.regions();
    let layout = tables.layout(&regions);
    // Directories have the clusters that their entries need: who has no registry keeps all that the layout reserves.
    let files = FilesOf::<0>::new(&layout);
    let volume = Volume::new(&layout, Some(BoardIdentity(identity)), memory.clone());
    let mut volume = volume.with_files(Registered::of(&files));
    let findings = check_volume(&mut Direct(&mut volume)).expect("every block can be read");
    assert!(findings.is_empty(), "{findings:?}\n{}", what());
}

#[test]
fn thousands_of_random_volumes_follow_the_standard() {
    let memory = SharedMemory::new(Contents::noise(1 << 20));
    let mut random = Random::new(2);
    for round in 0..VOLUMES {
        let text = random_manifest(&mut random);
        let identity = random.next_u64();
        assert_sound(&tables(&text), identity, &memory, || format!("volume {round}:\n{text}"));
    }
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
        assert_sound(&Tables::new(plan), 0xE461_0000_0000_0001, &memory, || path.display().to_string());
        seen += 1;
    }
    assert!(seen >= 13, "{seen} manifests");
}
