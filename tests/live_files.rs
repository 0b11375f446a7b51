//! Files that come, grow, change and go while every kind of host has the disk mounted: readers see whole generations, every
//! change within its bound, none twice.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use picovd::vd::{
    Announcing, Content, File, Files, Frozen, Generation, Refresh, Timing, vd_add_file, vd_add_file_with,
    vd_remove_file, vd_remove_file_with, vd_rename_file, vd_rename_file_with, vd_set_clock, vd_update_file,
    vd_update_file_with,
};
use picovd_manifest::RegionKind;
use picovd_property::Cases;
use picovd_sim::host::system::{Event, LINUX_DESKTOP, LINUX_KERNEL, LINUX_UDEV, PROFILES, Profile, System};
use picovd_sim::memory::Contents;
use picovd_sim::native::NativeDevice;
use picovd_sim::plug;
use picovd_sim::random::Random;
use proptest::prelude::*;
use proptest::sample::Index;

/// What was frozen: generation, file, version. Shared by all files of a bench.
type Ledger = Arc<Mutex<Vec<(u32, u32, u64)>>>;

/// Contents whose every byte encodes file and version.
struct Versioned {
    id: u32,
    /// Version and length of what comes next, and of what is shown.
    state: Mutex<[(u64, u32); 2]>,
    ledger: Ledger,
}

impl Content for Versioned {
    fn length(&self) -> u32 {
        self.state.lock().expect("not poisoned")[0].1
    }

    fn freeze(&self, generation: Generation) -> Frozen {
        let mut state = self.state.lock().expect("not poisoned");
        state[1] = state[0];
        self.ledger.lock().expect("not poisoned").push((generation.number, self.id, state[1].0));
        Frozen { length: state[1].1, kept: false }
    }

    fn read(&self, _: u32, offset: u32, out: &mut [u8]) {
        let (version, length) = self.state.lock().expect("not poisoned")[1];
        let bytes = bytes(self.id, version, length);
        out.copy_from_slice(&bytes[offset as usize..][..out.len()]);
    }
}

/// Header of a file's bytes: id, version, length.
const HEADER: usize = 16;

fn bytes(id: u32, version: u64, length: u32) -> Vec<u8> {
    let mut bytes = vec![0; length as usize];
    Random::new(u64::from(id) << 48 ^ version).fill(&mut bytes);
    bytes[..4].copy_from_slice(&id.to_le_bytes());
    bytes[4..12].copy_from_slice(&version.to_le_bytes());
    bytes[12..16].copy_from_slice(&length.to_le_bytes());
    bytes
}

/// The version that the bytes of a file carry, where a host may have kept a directory that is out of date: what the file has left
/// reads as zeros then. `None`: it has left wholly. Never are there bytes of another version, or of another file.
fn version_or_gone(id: u32, read: &[u8]) -> Result<Option<u64>, String> {
    if read.iter().take(HEADER).all(|byte| *byte == 0) {
        let rest = read.iter().all(|byte| *byte == 0);
        return if rest { Ok(None) } else { Err(format!("file {id}: bytes after a start that is missing")) };
    }
    let version = u64::from_le_bytes(read.get(4..12).and_then(|bytes| bytes.try_into().ok()).ok_or("too short")?);
    let blocks = bytes(id, version, read.len() as u32);
    let whole = |(block, expected): (&[u8], &[u8])| block == expected || block.iter().all(|byte| *byte == 0);
    if read.chunks(512).zip(blocks.chunks(512)).all(whole) {
        return Ok(Some(version));
    }
    Err(format!("file {id}: bytes of several versions; the header says version {version}"))
}

/// The version that the bytes of a file carry, when they are wholly of that version.
fn version(id: u32, read: &[u8]) -> Result<u64, String> {
    if read.len() < HEADER {
        return Err(format!("{} bytes", read.len()));
    }
    let version = u64::from_le_bytes(read[4..12].try_into().expect("eight bytes"));
    if bytes(id, version, read.len() as u32) != read {
        return Err(format!("file {id}: bytes that no version has; the header says version {version}"));
    }
    Ok(version)
}

/// How many files there are at most.
const FILES: usize = 6;

/// Most bytes of a file.
const CAPACITY: u32 = 3 * 4096;

const MANIFEST: &str = "
[[file]]
path = 'STATIC.TXT'
text = 'It never changes.'

[[file]]
path = 'docs/deep/STATIC.TXT'
text = 'Neither does this.'

[dynamic]
files = 10
# A host that is never notified, and keeps an old directory for some generations, must not find other files' clusters in it.
window = '512 KiB'
";

/// The application's side: files, and what is wanted of them.
struct Bench {
    files: &'static Files<'static>,
    contents: Vec<&'static Versioned>,
    /// Two names for each file.
    names: Vec<[&'static File<'static>; 2]>,
    /// The name under which a file is registered.
    wanted: BTreeMap<usize, usize>,
    next_version: u64,
    ledger: Ledger,
    /// What readers choose.
    coin: Coin,
    /// The first block of the dynamic window.
    window: u64,
}

/// Sides of a coin: 64 of them, over and over.
#[derive(Clone, Copy, Debug, Default)]
struct Coin(u64);

impl Coin {
    fn toss(&mut self) -> bool {
        self.0 = self.0.rotate_right(1);
        self.0 >> 63 != 0
    }
}

/// A change of a file, and what happens until the next one.
#[derive(Clone, Debug)]
struct Step {
    change: Change,
    /// What the change asks for by itself, where changes do so.
    asked: Option<Asked>,
    /// Milliseconds.
    pause: u32,
    /// Whether a host reads then.
    looks: bool,
    coin: Coin,
}

/// What is done with a file. One that is not there is added.
#[derive(Clone, Debug)]
struct Change {
    id: usize,
    /// Under which of its names it is added.
    name: usize,
    what: What,
    /// How long the new version is.
    length: u32,
}

#[derive(Clone, Copy, Debug)]
enum What {
    Update,
    Rename,
    Remove,
}

/// Another way to announce a change, of those that a host knows, and shorter times.
#[derive(Clone, Copy, Debug)]
struct Asked {
    way: Index,
    quiet: u32,
    max_age: u32,
    hold: u32,
}

impl Asked {
    /// So that a host of that profile still sees it.
    fn of(self, profile: Profile) -> Announcing {
        let ways = [Refresh::Auto, Refresh::Reconnect, Refresh::Reinsert];
        let ways = if profile.poll.is_some() { &ways[..] } else { &ways[..2] };
        let [quiet, max_age, hold] =
            [self.quiet, self.max_age, self.hold].map(|time| Duration::from_millis(time.into()));
        Announcing { refresh: *self.way.get(ways), timing: Timing::new(quiet, max_age, hold) }
    }
}

fn step(asks: bool) -> impl Strategy<Value = Step> {
    let what = prop_oneof![6 => Just(What::Update), 1 => Just(What::Rename), 1 => Just(What::Remove)];
    let change = (0..FILES, 0..2_usize, what, HEADER as u32..=CAPACITY);
    let change = change.prop_map(|(id, name, what, length)| Change { id, name, what, length });
    let times = [TIMING.quiet(), TIMING.max_age(), TIMING.hold()].map(|time| 0..=time.as_millis() as u32);
    let asked = (any::<Index>(), times).prop_map(|(way, [quiet, max_age, hold])| Asked { way, quiet, max_age, hold });
    let asked = prop::option::of(asked).prop_map(move |asked| asked.filter(|_| asks));
    (change, asked, 0..400_u32, prop::bool::weighted(0.33), any::<u64>().prop_map(Coin))
        .prop_map(|(change, asked, pause, looks, coin)| Step { change, asked, pause, looks, coin })
}

fn leak<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

const TIMING: Timing = Timing::new(Duration::from_millis(100), Duration::from_secs(1), Duration::from_secs(2));

impl Bench {
    fn new(refresh: Refresh) -> (Self, NativeDevice) {
        let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
        let manifest = picovd_manifest::read_text("live.toml", MANIFEST, folder).expect("the manifest is right");
        let plan = picovd_manifest::check(&manifest, None).and_then(|checked| picovd_manifest::plan(&checked));
        let plan = plan.expect("the manifest is right");
        let mut board = plug::board(plan.clone(), Contents::noise(plan.chip.flash_size as usize));
        board.announcing = Announcing { refresh, timing: TIMING };
        let device = NativeDevice::new(board);
        let window = plan.regions.iter().find(|region| matches!(region.kind, RegionKind::Dynamic));
        let ledger = Ledger::default();
        let contents: Vec<&'static Versioned> = (0..FILES as u32)
            .map(|id| leak(Versioned { id, state: Mutex::new([(0, 0); 2]), ledger: Arc::clone(&ledger) }))
            .collect();
        let names = contents
            .iter()
            .map(|content| {
                let path = |suffix: &str| -> &'static str {
                    // A dynamic folder, none, one of the manifest.
                    let folder = ["folder/", "", "docs/deep/"][content.id as usize % 3];
                    format!("{folder}FILE{}{suffix}.BIN", content.id).leak()
                };
                [path(""), path("-RENAMED")].map(|path| leak(File::new(path, *content, CAPACITY)))
            })
            .collect();
        let bench = Self {
            files: device.files(),
            contents,
            names,
            wanted: BTreeMap::new(),
            next_version: 1,
            ledger,
            coin: Coin::default(),
            window: u64::from(window.expect("the manifest has one").first),
        };
        (bench, device)
    }

    /// Gives a file a new version.
    fn renew(&mut self, id: usize, length: u32) {
        self.contents[id].state.lock().expect("not poisoned")[0] = (self.next_version, length);
        self.next_version += 1;
    }

    /// A change, with what it asks for by itself.
    fn change(&mut self, Change { id, name, what, length }: Change, asked: Option<Announcing>) {
        let files = self.files;
        let Some(present) = self.wanted.get(&id).copied() else {
            self.renew(id, length);
            let file = self.names[id][name];
            let added = asked.map_or_else(|| vd_add_file(files, file), |asked| vd_add_file_with(files, file, asked));
            added.expect("there is room");
            self.wanted.insert(id, name);
            return;
        };
        let [old, new] = [present, 1 - present].map(|name| self.names[id][name]);
        match what {
            What::Remove => {
                let gone =
                    asked.map_or_else(|| vd_remove_file(files, old), |asked| vd_remove_file_with(files, old, asked));
                gone.expect("it is registered");
                self.wanted.remove(&id);
            }
            What::Rename => {
                let renamed =
                    asked.map_or_else(|| vd_rename_file(files, old, new), |a| vd_rename_file_with(files, old, new, a));
                renamed.expect("the other name is free");
                self.wanted.insert(id, 1 - present);
            }
            What::Update => {
                self.renew(id, length);
                let taken =
                    asked.map_or_else(|| vd_update_file(files, old), |asked| vd_update_file_with(files, old, asked));
                taken.expect("it is registered");
            }
        }
    }

    /// Reads some files, or all of them, and holds what they say against the ledger: all bytes of a file are of one version, and
    /// all files of one generation. Returns what was seen: path and version.
    ///
    /// With `stale` the host may hold on to a directory of an older generation.
    fn look(&mut self, system: &mut System<'_>, all: bool, stale: bool) -> Option<BTreeMap<String, u64>> {
        if stale {
            // What is read again comes from another generation than the rest.
            system.evict(self.window, || self.coin.toss());
        }
        let mut paths = Vec::new();
        let mut folders = vec![String::new()];
        while let Some(folder) = folders.pop() {
            for node in system.list(&folder).ok()? {
                let path = if folder.is_empty() { node.name.clone() } else { format!("{folder}/{}", node.name) };
                if node.is_directory() {
                    folders.push(path);
                } else if node.name != "STATIC.TXT" {
                    paths.push(path);
                }
            }
        }
        let mut seen = BTreeMap::new();
        let (mut first, mut last) = (0, u32::MAX);
        for path in paths {
            if !all && self.coin.toss() {
                continue;
            }
            let id = self.names.iter().position(|names| names.iter().any(|name| name.path() == path));
            let id = id.unwrap_or_else(|| panic!("{path} is no file of ours")) as u32;
            let read = system.read(&path).ok()?;
            let version = if stale { version_or_gone(id, &read) } else { version(id, &read).map(Some) };
            let Some(version) = version.unwrap_or_else(|problem| panic!("{path}: {problem}")) else { continue };
            let ledger = self.ledger.lock().expect("not poisoned");
            let mut frozen = ledger.iter().filter(|(_, file, _)| *file == id);
            let begin = frozen.find(|(.., frozen)| *frozen == version).expect("only what was frozen can be read").0;
            // The same version may be frozen again, by a rename.
            let end = frozen.find(|(.., frozen)| *frozen != version).map_or(u32::MAX, |(generation, ..)| *generation);
            (first, last) = (first.max(begin), last.min(end));
            assert!(first < last, "{path} is of another generation than the files before it");
            seen.insert(path, version);
        }
        Some(seen)
    }

    /// What the disk should show in the end.
    fn truth(&self) -> BTreeMap<String, u64> {
        let shown = |(id, name): (&usize, &usize)| {
            let version = self.contents[*id].state.lock().expect("not poisoned")[0].0;
            (self.names[*id][*name].path().to_owned(), version)
        };
        self.wanted.iter().map(shown).collect()
    }
}

/// How long after its change a host shows it at most: max-age, hold, a reader's gap, or the gap after the mount of what was announced
/// just before; and then what the host needs. The README has these in a table.
fn bound(profile: Profile, refresh: Refresh) -> Duration {
    let away = Duration::from_millis(2_500);
    let patience = Duration::from_secs(5);
    let attach = Duration::from_millis(500);
    let needed = match (refresh, profile.poll) {
        (Refresh::Reconnect, poll) => attach + poll.unwrap_or_default(),
        (Refresh::Auto, None) => patience + attach,
        // Seen, away, seen again, mounted.
        (_, Some(poll)) => poll * 3 + away,
        (_, None) => unreachable!("a host that never looks needs auto or reconnect"),
    };
    let announced = TIMING.max_age() + TIMING.hold() + Duration::from_millis(500);
    let after_mount = needed + Duration::from_secs(4);
    announced.max(after_mount) + needed
}

/// `asks`: changes ask for other ways and times.
fn drive(profile: Profile, refresh: Refresh, asks: bool, steps: &[Step]) {
    let what = format!("{}, {refresh:?}", profile.name);
    let (mut bench, device) = Bench::new(refresh);
    let mut system = System::boot(profile, Box::new(device)).expect("the stick is right");
    let mut done = 0;
    for steps in steps.chunks(20) {
        for Step { change, asked, pause, looks, coin } in steps {
            bench.coin = *coin;
            bench.change(change.clone(), asked.map(|asked| asked.of(profile)));
            done += 1;
            system.elapse(Duration::from_millis(u64::from(*pause)));
            if *looks {
                // A host that does not mount automatically is operated by a person.
                if !system.is_mounted() {
                    let _ = system.remount();
                }
                bench.look(&mut system, false, !profile.automounts);
            }
        }
        // Whichever way a change asks for, the slowest is its bound.
        let slowest = if asks && profile.poll.is_some() { Refresh::Reinsert } else { refresh };
        let slowest = if asks && profile.poll.is_none() { Refresh::Auto } else { slowest };
        let end = system.now() + bound(profile, refresh).max(bound(profile, slowest));
        while system.now() < end {
            system.elapse(Duration::from_millis(500));
            if system.is_mounted() {
                bench.look(&mut system, false, !profile.automounts);
            }
        }
        if !profile.automounts {
            system.remount().unwrap_or_else(|error| panic!("{what}: {error}"));
        }
        assert!(system.is_mounted(), "{what}: nothing is mounted after {:?}", bound(profile, refresh));
        let seen = bench.look(&mut system, true, false).unwrap_or_else(|| panic!("{what}: the disk cannot be read"));
        assert_eq!(seen, bench.truth(), "{what}: after {done} changes");
    }
    // Nothing is announced twice.
    system.take_events();
    system.elapse(Duration::from_secs(120));
    assert_eq!(system.take_events(), [], "{what}");
}

/// Some histories of up to so many changes each. Returns how many changes there were.
fn histories(profile: Profile, refresh: Refresh, asks: bool, longest: usize, seed: u64) -> usize {
    let mut changes = 0;
    Cases { count: 4, seed }.check(prop::collection::vec(step(asks), 1..=longest), |steps| {
        changes += steps.len();
        drive(profile, refresh, asks, &steps);
    });
    changes
}

#[test]
fn random_changes_lose_nothing_and_mix_nothing() {
    let mut changes = 0;
    for (index, profile) in PROFILES.into_iter().enumerate() {
        for refresh in [Refresh::Auto, Refresh::Reinsert, Refresh::Reconnect] {
            // The manifest's documentation says so: reinsert is for hosts that poll.
            if refresh == Refresh::Reinsert && profile.poll.is_none() {
                continue;
            }
            changes += histories(profile, refresh, false, 400, index as u64);
        }
    }
    assert!(changes > 10_000, "{changes} changes");
}

#[test]
fn changes_that_ask_for_their_own_way_and_times_lose_nothing_and_mix_nothing() {
    let mut changes = 0;
    for (index, profile) in PROFILES.into_iter().enumerate() {
        changes += histories(profile, Refresh::Auto, true, 220, 100 + index as u64);
        changes += histories(profile, Refresh::Reconnect, true, 220, 200 + index as u64);
    }
    assert!(changes > 4_000, "{changes} changes");
}

#[test]
fn attention_alone_leaves_a_mounted_volume_as_it_was() {
    // What the README says of `attention`: a host that keeps the volume mounted shows what it has in its cache.
    let (mut bench, device) = Bench::new(Refresh::Attention);
    bench.renew(1, 700);
    vd_add_file(bench.files, bench.names[1][0]).expect("there is room");
    let mut system = System::boot(LINUX_UDEV, Box::new(device)).expect("the stick is right");
    let before = system.read("FILE1.BIN").expect("it is there");
    bench.renew(1, 700);
    vd_update_file(bench.files, bench.names[1][0]).expect("it is registered");
    system.elapse(Duration::from_secs(10));
    assert!(system.take_events().contains(&Event::MediumChanged), "the unit attention came");
    assert_eq!(system.read("FILE1.BIN").expect("it is there"), before, "and the cache is stale");
    system.remount().expect("the volume is right");
    let after = system.read("FILE1.BIN").expect("it is there");
    assert_eq!(version(1, &after), Ok(2));
}

#[test]
fn a_host_that_never_looks_sees_the_device_go_and_come() {
    let (mut bench, device) = Bench::new(Refresh::Auto);
    let mut system = System::boot(LINUX_KERNEL, Box::new(device)).expect("the stick is right");
    bench.renew(1, 700);
    vd_add_file(bench.files, bench.names[1][0]).expect("there is room");
    system.take_events();
    system.elapse(Duration::from_secs(10));
    assert_eq!(system.take_events(), [Event::DeviceGone, Event::Unmounted]);
    system.remount().expect("the volume is right");
    assert_eq!(version(1, &system.read("FILE1.BIN").expect("it is there")), Ok(1));
}

#[test]
fn dynamic_files_are_in_folders_of_the_manifest() {
    let (mut bench, device) = Bench::new(Refresh::Auto);
    let files = bench.files;
    bench.renew(2, 700);
    vd_add_file(files, bench.names[2][0]).expect("there is room");
    let taken = |path: &'static str| vd_add_file(files, leak(File::new(path, bench.contents[0], 4096)));
    use picovd::vd::AddError::NameTaken;
    assert_eq!(taken("DOCS/Deep/static.txt"), Err(NameTaken), "a file of the manifest");
    assert_eq!(taken("docs/DEEP"), Err(NameTaken), "a folder of the manifest");
    assert_eq!(taken("docs/deep/STATIC.TXT/x"), Err(NameTaken), "a file is no folder");
    assert_eq!(taken("docs/deep/file2.bin"), Err(NameTaken), "a dynamic file");
    assert_eq!(taken("docs/deep/FILE2.BIN/x"), Err(NameTaken), "a file is no folder");
    assert_eq!(taken("docs/deep/caf\u{E9}"), Ok(()));
    assert_eq!(taken("docs/deep/CAFE\u{301}"), Err(NameTaken), "the same after Unicode normalization");
    assert_eq!(taken("docs/deep/cafe\u{301}/x"), Err(NameTaken), "the same after Unicode normalization");
    assert_eq!(taken("docs/deep/caf\u{E8}"), Ok(()), "another letter");
    assert_eq!(taken("Docs/NEW/inner.bin"), Ok(()), "a dynamic folder in one of the manifest");
    let mut system = System::boot(LINUX_DESKTOP, Box::new(device)).expect("the stick is right");
    let mut names = |path: &str| -> Vec<String> {
        let nodes = system.list(path).expect("it can be listed").into_iter();
        let mut names: Vec<String> = nodes.map(|node| node.name).collect();
        names.sort();
        names
    };
    assert_eq!(names(""), ["STATIC.TXT", "docs"]);
    assert_eq!(names("docs"), ["NEW", "deep"]);
    assert_eq!(names("docs/deep"), ["FILE2.BIN", "STATIC.TXT", "caf\u{E8}", "caf\u{E9}"]);
    assert_eq!(names("docs/NEW"), ["inner.bin"]);
    assert_eq!(version(2, &system.read("docs/deep/FILE2.BIN").expect("it is there")), Ok(1));
    assert_eq!(system.read("docs/deep/STATIC.TXT").expect("it is there"), b"Neither does this.");
    vd_remove_file(files, bench.names[2][0]).expect("it is registered");
    system.elapse(Duration::from_secs(20));
    let left = system.list("docs/deep").expect("it can be listed");
    assert_eq!(left.len(), 3, "the manifest's folder stays: {left:?}");
}

#[test]
fn a_host_sees_the_applications_clock_and_else_the_builds() {
    let (mut bench, device) = Bench::new(Refresh::Auto);
    for id in [1, 3, 4] {
        bench.renew(id, 700);
    }
    vd_add_file(bench.files, bench.names[1][0]).expect("there is room");
    let mut system = System::boot(LINUX_DESKTOP, Box::new(device)).expect("the stick is right");
    let mut times = |wait: u64| -> BTreeMap<String, String> {
        system.elapse(Duration::from_secs(wait));
        let listed = system.list("").expect("a volume is mounted").into_iter();
        let told = listed.map(|node| {
            // Valid, and zero: UTC (exFAT 7.4.10).
            assert_eq!(node.modified.utc_offset, 0x80);
            (node.name, node.modified.to_string())
        });
        told.collect()
    };
    let build = times(0)["STATIC.TXT"].clone();
    assert_eq!(times(0)["FILE1.BIN"], build, "without a clock");
    // 2026-11-21T10:20:30Z, then ten minutes later.
    vd_set_clock(bench.files, || Duration::from_secs(1_795_256_430));
    vd_add_file(bench.files, bench.names[4][0]).expect("there is room");
    vd_add_file(bench.files, bench.names[3][0]).expect("there is room");
    let seen = times(20);
    assert_eq!(seen["FILE4.BIN"], "2026-11-21 10:20:30");
    assert_eq!(seen["folder"], "2026-11-21 10:20:30", "a folder, too");
    assert_eq!(seen["FILE1.BIN"], build, "it has not changed");
    vd_set_clock(bench.files, || Duration::from_secs(1_795_257_030));
    bench.renew(1, 700);
    vd_update_file(bench.files, bench.names[1][0]).expect("it is registered");
    let seen = times(20);
    assert_eq!(seen["FILE1.BIN"], "2026-11-21 10:30:30");
    assert_eq!(seen["FILE4.BIN"], "2026-11-21 10:20:30", "it has not changed");
    assert_eq!(seen["STATIC.TXT"], build);
}
