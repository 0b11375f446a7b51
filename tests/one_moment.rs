//! A generation is of one moment: an interrupt handler changes dynamic files wherever it can come while a generation begins,
//! and the second core does so all the time. The strict checker judges every generation and the one after it, and what it shows
//! is what was wanted at some moment.

use picovd::dynamic::{FromRegistry, Registered};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant as Time};

use picovd::block::Lba;
use picovd::clock::Instant;
use picovd::files::{CsvRing, RingLog, Snapshot, TextBuffer};
use picovd::vd::{
    AddError, Content, File, Files, FilesOf, Frozen, Generation, vd_add_file, vd_remove_file, vd_rename_file,
    vd_update_file,
};
use picovd::volume::{BoardIdentity, Volume};
use picovd_property::Cases;
use picovd_sim::host::exfat::check::check;
use picovd_sim::host::exfat::volume::{Node, Volume as ExfatVolume};
use picovd_sim::host::source::{BlockSource, ReadError};
use picovd_sim::memory::{Contents, SharedMemory};
use picovd_sim::random::Random;
use picovd_sim::section::with_interrupts;
use picovd_sim::tables::Tables;
use proptest::collection::vec;
use proptest::sample::select;

/// Blocks straight from a volume, without USB.
struct Direct<'v, 'a>(&'v mut Volume<'a, SharedMemory, Registered<'a>>);

impl BlockSource for Direct<'_, '_> {
    fn block_count(&self) -> u64 {
        u64::from(self.0.block_count().0)
    }

    fn read(&mut self, lba: u64, count: u32) -> Result<Vec<u8>, ReadError> {
        let mut data = vec![0; count as usize * 512];
        self.0.read(Lba(lba as u32), 0, &mut data);
        Ok(data)
    }
}

/// Few clusters, so that gaps are where they hurt: files of 1, 2 and 3 clusters in a window of 20, which is full of old and new
/// places soon.
const MANIFEST: &str = "
[[file]]
path = 'docs/STATIC.TXT'
text = 'It never changes.'

[dynamic]
files = 9
window = '80 KiB'
";

/// Contents whose every byte encodes file and version.
struct Versioned {
    id: u64,
    length: u32,
    next: AtomicU64,
    shown: AtomicU64,
}

impl Content for Versioned {
    fn length(&self) -> u32 {
        self.length
    }

    fn freeze(&self, _: Generation) -> Frozen {
        self.shown.store(self.next.load(SeqCst), SeqCst);
        Frozen { length: self.length, kept: false }
    }

    fn read(&self, _: u32, offset: u32, out: &mut [u8]) {
        let word = (self.id << 32 | self.shown.load(SeqCst)).to_le_bytes();
        for (byte, place) in out.iter_mut().zip(offset as usize..) {
            *byte = word[place % 8];
        }
    }
}

type Entry = &'static File<'static>;

/// Names of each content: in the root directory, in folders of the program's own, in the manifest's, and names that others have.
const NAMES: [&[&str]; 5] = [
    &["A.TXT", "own/A.TXT", "docs/A.TXT"],
    &["B.TXT", "own/B.TXT", "own/deep/B.TXT", "a.txt"],
    &["docs/C.TXT", "docs/deep/C.TXT", "own"],
    &["own/deep/D.TXT", "other/D.TXT", "docs/own/D.TXT"],
    &["E.TXT", "A.TXT/E.TXT", "other/E.TXT"],
];

fn leak<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

/// A call that the application may make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    Add(usize, usize),
    Remove(usize, usize),
    Rename(usize, usize, usize),
    Update(usize, usize),
}

fn calls() -> Vec<Call> {
    let names = || NAMES.iter().enumerate().flat_map(|(id, names)| (0..names.len()).map(move |name| (id, name)));
    let mut calls = Vec::new();
    for (id, name) in names() {
        calls.extend([Call::Add(id, name), Call::Remove(id, name), Call::Update(id, name)]);
        calls.extend((0..NAMES[id].len()).map(|other| Call::Rename(id, name, other)));
    }
    calls
}

/// An application, its files, and what it has wanted.
struct World {
    files: &'static Files<'static>,
    contents: Vec<&'static Versioned>,
    entries: Vec<Vec<Entry>>,
    wanted: BTreeSet<&'static str>,
    /// What was wanted at each moment since the history was cleared.
    history: Vec<BTreeSet<&'static str>>,
}

impl World {
    fn new(files: &'static Files<'static>) -> Self {
        let content = |id: usize| {
            let length = [4097, 100, 9000, 5000, 4096][id];
            leak(Versioned { id: id as u64, length, next: AtomicU64::new(1), shown: AtomicU64::new(0) })
        };
        let contents: Vec<&'static Versioned> = (0..NAMES.len()).map(content).collect();
        let named = |content: &'static Versioned| -> Vec<Entry> {
            let names = NAMES[content.id as usize].iter();
            names.map(|name| leak(File::new(name, content, content.length))).collect()
        };
        let entries = contents.iter().map(|content| named(content)).collect();
        Self { files, contents, entries, wanted: BTreeSet::new(), history: Vec::new() }
    }

    /// With one file of each contents.
    fn begun(files: &'static Files<'static>) -> Self {
        let mut world = Self::new(files);
        for first in [Call::Add(0, 0), Call::Add(1, 1), Call::Add(2, 0), Call::Add(3, 0), Call::Add(4, 0)] {
            assert!(world.call(first), "there is room");
        }
        world
    }

    /// Makes a call, and notes what is wanted then.
    fn call(&mut self, call: Call) -> bool {
        let entry = |id: usize, name: usize| self.entries[id][name];
        let taken = match call {
            Call::Add(id, name) => vd_add_file(self.files, entry(id, name)).is_ok(),
            Call::Remove(id, name) => vd_remove_file(self.files, entry(id, name)).is_ok(),
            Call::Rename(id, name, other) => vd_rename_file(self.files, entry(id, name), entry(id, other)).is_ok(),
            Call::Update(id, name) => {
                self.contents[id].next.fetch_add(1, SeqCst);
                vd_update_file(self.files, entry(id, name)).is_ok()
            }
        };
        if taken {
            match call {
                Call::Add(id, name) => drop(self.wanted.insert(NAMES[id][name])),
                Call::Remove(id, name) => drop(self.wanted.remove(NAMES[id][name])),
                Call::Rename(id, name, other) => {
                    self.wanted.remove(NAMES[id][name]);
                    self.wanted.insert(NAMES[id][other]);
                }
                Call::Update(..) => {}
            }
            self.history.push(self.wanted.clone());
        }
        taken
    }
}

/// Everything that a volume shows: paths and bytes. The checker finds nothing wrong with it.
fn look<'a>(
    volume: &mut Volume<'a, SharedMemory, Registered<'a>>,
    what: &dyn Fn() -> String,
) -> BTreeMap<String, Vec<u8>> {
    let mut source = Direct(volume);
    let findings = check(&mut source).expect("every block can be read");
    assert!(findings.is_empty(), "{}: {findings:?}", what());
    let mut reader = ExfatVolume::open(&mut source).expect("it is an exFAT volume");
    let mut shown = BTreeMap::new();
    let mut folders: Vec<(String, Node)> = vec![(String::new(), reader.root())];
    while let Some((path, folder)) = folders.pop() {
        for node in reader.list(&folder).expect("it can be listed") {
            let path = format!("{path}{}", node.name);
            if node.is_directory() {
                folders.push((path + "/", node));
            } else if !path.ends_with("STATIC.TXT") {
                let bytes = reader.read_file(&node).expect("it can be read");
                assert!(shown.insert(path, bytes).is_none(), "{}: one path, two files", what());
            }
        }
    }
    shown
}

/// Whether bytes are wholly of one file and version.
fn is_whole(bytes: &[u8]) -> bool {
    let word: Vec<u8> = bytes.iter().take(8).copied().collect();
    bytes.iter().zip(word.iter().cycle()).all(|(byte, expected)| byte == expected)
}

fn layout() -> &'static picovd::volume::layout::Layout<'static> {
    let folder = std::path::Path::new(".");
    let manifest = picovd_manifest::read_text("moment.toml", MANIFEST, folder).expect("the manifest is right");
    let plan = picovd_manifest::check(&manifest, None).and_then(|checked| picovd_manifest::plan(&checked));
    Tables::new(plan.expect("the manifest is right")).leak()
}

/// A generation begins, and a handler makes a call at each of some releases, counted from 0. Returns how many releases there were.
fn play(layout: &'static picovd::volume::layout::Layout<'static>, before: &[Call], script: &[(usize, Call)]) -> usize {
    let files: &'static Files<'static> = leak(FilesOf::<9>::new(layout));
    let memory = SharedMemory::new(Contents::noise(1 << 12));
    let mut volume = Volume::new(layout, Some(BoardIdentity(7)), memory).with_files(Registered::of(files));
    let world = Rc::new(RefCell::new(World::begun(files)));
    let call = |call: Call| world.borrow_mut().call(call);
    volume.begin_unseen_generation(Instant(0));
    for other in before {
        call(*other);
    }
    {
        let mut world = world.borrow_mut();
        world.history = vec![world.wanted.clone()];
    }
    let what = || format!("{before:?}, then {script:?}");
    let releases = Rc::new(RefCell::new(0));
    let (count, calls, application) = (Rc::clone(&releases), script.to_vec(), Rc::clone(&world));
    let handler = move || {
        for (_, call) in calls.iter().filter(|(point, _)| *point == *count.borrow()) {
            application.borrow_mut().call(*call);
        }
        *count.borrow_mut() += 1;
    };
    with_interrupts(handler, || volume.begin_generation(Instant(1)));
    let shown = look(&mut volume, &what);
    let paths: BTreeSet<&str> = shown.keys().map(String::as_str).collect();
    let world = world.borrow();
    assert!(world.history.contains(&paths), "{}: {paths:?} was never wanted: {:?}", what(), world.history);
    assert!(shown.values().all(|bytes| is_whole(bytes)), "{}: bytes of several versions", what());
    volume.begin_generation(Instant(2));
    let shown = look(&mut volume, &what);
    let paths: BTreeSet<&str> = shown.keys().map(String::as_str).collect();
    assert_eq!(paths, world.wanted, "{}: the next generation", what());
    *releases.borrow()
}

/// What has changed when the generation begins.
const BEFORE: [&[Call]; 4] = [
    &[Call::Update(0, 0), Call::Update(3, 0)],
    &[Call::Remove(0, 0), Call::Rename(1, 1, 0), Call::Update(2, 0)],
    &[Call::Rename(3, 0, 1), Call::Rename(4, 0, 2), Call::Update(0, 0)],
    &[Call::Remove(1, 1), Call::Rename(2, 0, 1), Call::Rename(0, 0, 1)],
];

/// Every call that is not refused then, at every release.
fn exhaust(before: &[Call]) {
    let layout = layout();
    let points = play(layout, before, &[]);
    assert!(points > 20, "only {points} releases");
    let mut played = 0;
    for call in calls() {
        let mut world = World::begun(leak(FilesOf::<9>::new(layout)));
        for other in before {
            assert!(world.call(*other), "{other:?} is refused");
        }
        if world.call(call) {
            played += 1;
            for point in 0..points {
                play(layout, before, &[(point, call)]);
            }
        }
    }
    assert!(played > 20, "only {played} calls");
}

#[test]
fn a_handler_comes_wherever_it_can_while_contents_change() {
    exhaust(BEFORE[0]);
}

#[test]
fn a_handler_comes_wherever_it_can_while_a_file_goes_and_another_takes_its_name() {
    exhaust(BEFORE[1]);
}

#[test]
fn a_handler_comes_wherever_it_can_while_files_change_folders() {
    exhaust(BEFORE[2]);
}

#[test]
fn a_handler_comes_wherever_it_can_while_a_folder_goes_and_comes() {
    exhaust(BEFORE[3]);
}

#[test]
fn handlers_that_come_at_several_points_find_a_generation_of_one_moment() {
    let layout = layout();
    let script = vec((0..60_usize, select(calls())), 2..=6);
    Cases { count: 600, seed: 0 }.check((select(&BEFORE[..]), script), |(before, script)| {
        play(layout, before, &script);
    });
}

/// Rows are copied one by one. What is shown are consecutive rows up to the newest at the start, whenever a handler pushes others.
#[test]
fn a_handler_pushes_rows_while_a_table_is_frozen() {
    const ROWS: usize = 4;
    let (mut cut, mut whole) = (0, 0);
    for before in 0..=6_u32 {
        for (point, pushed) in (0..12).flat_map(|point| (1..=9_u32).map(move |pushed| (point, pushed))) {
            let table: &'static CsvRing<(u32,), ROWS> = leak(CsvRing::new(""));
            (0..before).for_each(|row| table.push((row,)).expect("it is short"));
            let mut releases = 0;
            let handler = move || {
                if releases == point {
                    (before..before + pushed).for_each(|row| table.push((row,)).expect("it is short"));
                }
                releases += 1;
            };
            let frozen = with_interrupts(handler, || table.freeze(Generation::default()));
            let mut bytes = vec![0; frozen.length as usize];
            table.read(0, 0, &mut bytes);
            let text = String::from_utf8(bytes).expect("text");
            let rows: Vec<u32> = text.lines().map(|row| row.parse().expect("a number")).collect();
            let newest = (before.saturating_sub(ROWS as u32)..before).collect::<Vec<_>>();
            assert!(newest.ends_with(&rows), "{before} rows, {pushed} more after release {point}: {rows:?}");
            if rows.len() < newest.len() { cut += 1 } else { whole += 1 }
        }
    }
    assert!(cut > 50 && whole > 50, "{cut} cut, {whole} whole");
}

/// A value of many bytes is set over and over while it is frozen and while hosts read it. What they read is one of the values
/// set before it was frozen, with its length.
#[test]
fn a_handler_sets_a_value_while_it_is_frozen_and_read() {
    type Text = picovd::heapless::String<256>;
    let text = |number: usize| -> Text {
        let letter = char::from(b'a' + (number % 26) as u8);
        (0..=number * 37 % 250).map(|_| letter).collect()
    };
    let mut numbers = BTreeSet::new();
    for point in 0..8 {
        let value: &'static Snapshot<Text> = leak(Snapshot::new(text(0)));
        let (set, releases): (&'static Cell<usize>, &'static Cell<usize>) = (leak(Cell::new(0)), leak(Cell::new(0)));
        let handler = move || {
            releases.set(releases.get() + 1);
            if releases.get() > point {
                set.set(set.get() + 1);
                value.set(text(set.get()));
            }
        };
        let mut shown = Vec::new();
        let program = || {
            for _ in 0..20 {
                let before = set.get();
                let frozen = value.freeze(Generation::default());
                let after = set.get();
                let bytes = read(value, frozen);
                shown.push((before..=after, String::from_utf8(bytes).expect("text")));
            }
        };
        with_interrupts(handler, program);
        for (range, bytes) in shown {
            let number = range.clone().find(|number| bytes == text(*number).as_str());
            assert!(number.is_some(), "{bytes:?} is not one of {range:?}, after release {point}");
            numbers.extend(number);
        }
    }
    assert!(numbers.len() > 20, "{numbers:?}");
}

/// What hosts read, a packet at a time.
fn read(content: &dyn Content, frozen: Frozen) -> Vec<u8> {
    let mut bytes = vec![0; frozen.length as usize];
    bytes.chunks_mut(64).zip((0..).step_by(64)).for_each(|(piece, offset)| content.read(0, offset, piece));
    bytes
}

/// Numbered lines, as the handlers below write them.
fn lines(text: &str) -> Vec<u64> {
    assert!(text.is_empty() || text.ends_with('\n'), "half a line: {text:?}");
    text.lines()
        .map(|line| line.strip_prefix("line ").and_then(|number| number.parse().ok()).expect("a line"))
        .collect()
}

/// A handler that runs `act` at one in twelve releases.
fn at_times(point: usize, act: impl Fn() + 'static) -> impl FnMut() {
    let mut releases = 0;
    move || {
        releases += 1;
        if releases % 12 == point {
            act();
        }
    }
}

/// Lines are appended while a text is frozen and while hosts read it. What they read are consecutive lines up to one that was the
/// newest while the generation began, as many as there is room for unless others came meanwhile.
#[test]
fn a_handler_appends_to_a_text_while_it_is_frozen_and_read() {
    const ROOM: usize = 200;
    let (mut full, mut cut) = (0, 0);
    for (point, burst) in (0..12).flat_map(|point| [0, 1, 5, 17, 40].map(|burst| (point, burst))) {
        let text: &'static TextBuffer<ROOM> = leak(TextBuffer::new());
        let next: &'static Cell<u64> = leak(Cell::new(0));
        let append = move |count: u64| {
            for _ in 0..count {
                writeln!(text, "line {}", next.get());
                next.set(next.get() + 1);
            }
        };
        for _ in 0..30 {
            append(1);
            let before = next.get();
            let (bytes, after) = with_interrupts(at_times(point, move || append(burst)), || {
                let frozen = text.freeze(Generation::default());
                let after = next.get();
                (read(text, frozen), after)
            });
            let numbers = lines(core::str::from_utf8(&bytes).expect("text"));
            assert!(numbers.is_sorted_by(|one, other| one + 1 == *other), "{numbers:?}");
            let newest = numbers.last().map_or(before, |newest| newest + 1);
            assert!((before..=after).contains(&newest), "{numbers:?} of {before} to {after}");
            let oldest = numbers.first().copied().unwrap_or(newest);
            let is_full = oldest == 0 || bytes.len() + format!("line {}\n", oldest - 1).len() > ROOM;
            assert!(is_full || after > before, "{numbers:?} of {before}: there is room for more");
            if is_full { full += 1 } else { cut += 1 }
        }
    }
    assert!(full > 500 && cut > 100, "{full} full, {cut} cut");
}

/// The same with a log: each version shows what the one before it did not, and what was overwritten reads as NUL and is counted.
#[test]
fn a_handler_writes_to_a_log_while_it_is_frozen_and_read() {
    let (mut seen, mut lost) = (0, 0);
    for (point, burst) in (0..12).flat_map(|point| [0, 1, 5, 40, 150].map(|burst| (point, burst))) {
        let log: &'static RingLog<256> = leak(RingLog::new());
        // Each byte says where it is in the log.
        let letter = |position: u64| b'A' + (position % 23) as u8;
        let write = move |count: u64| {
            let start = log.ring().written();
            log.write(&(start..start + count).map(letter).collect::<Vec<u8>>());
        };
        // Where the reader is, and how many bytes before that read as NUL and are not counted yet.
        let (mut position, mut nul) = (0, 0);
        for _ in 0..30 {
            write(60);
            let program = || read(log, log.freeze(Generation::default()));
            let bytes = with_interrupts(at_times(point, move || write(burst)), program);
            let mut text = &bytes[..];
            if bytes.starts_with(b"[") {
                let digits = core::str::from_utf8(&bytes[1..16]).expect("digits");
                let count: u64 = digits.parse().expect("a number");
                position += count - std::mem::take(&mut nul);
                lost += count;
                text = &bytes[32..];
            }
            for byte in text {
                assert!(*byte == letter(position) || *byte == 0, "{} at {position}", char::from(*byte));
                *(if *byte == 0 { &mut nul } else { &mut seen }) += 1;
                position += 1;
            }
        }
    }
    assert!(seen > 50_000 && lost > 100, "{seen} seen, {lost} lost");
}

#[test]
fn a_handler_without_pause_delays_a_generation_and_does_not_stop_it() {
    let layout = layout();
    // Over and over, for as long as a handler comes.
    let calls = vec(select(calls()), 1..=1_000);
    Cases { count: 60, seed: 0 }.check((select(&BEFORE[..]), calls), |(before, calls)| {
        let script: Vec<(usize, Call)> = (0..5_000).zip(calls.into_iter().cycle()).collect();
        let releases = play(layout, before, &script);
        assert!(releases < 2_000, "{releases} releases");
    });
}

#[test]
fn a_call_that_is_always_late_gives_up_and_masks_nothing_for_long() {
    let files: &'static Files<'static> = leak(FilesOf::<9>::new(layout()));
    let world = World::new(files);
    let mut other = World::new(files);
    assert_eq!(vd_add_file(files, world.entries[1][0]), Ok(()));
    let looks: &'static Cell<u32> = leak(Cell::new(0));
    let handler = move || {
        // At each release something else comes or goes.
        looks.set(looks.get() + 1);
        if !other.call(Call::Add(4, 0)) {
            other.call(Call::Remove(4, 0));
        }
    };
    let late = || {
        assert_eq!(vd_add_file(files, world.entries[3][0]), Err(AddError::Busy));
        assert_eq!(vd_rename_file(files, world.entries[1][0], world.entries[3][0]), Err(AddError::Busy));
        assert!(!files.is_free("own/deep/D.TXT"), "it was not found out");
        // These look at no names.
        assert_eq!(vd_update_file(files, world.entries[1][0]), Ok(()));
        assert_eq!(vd_remove_file(files, world.entries[1][0]), Ok(()));
    };
    with_interrupts(handler, late);
    assert!((3 * 16..1_000).contains(&looks.get()), "{} releases", looks.get());
    assert!(files.is_free("own/deep/D.TXT"), "nothing was registered");
    assert_eq!(vd_add_file(files, world.entries[3][0]), Ok(()));
    assert!(!files.is_free("own/deep/D.TXT"));
}

#[test]
fn the_second_core_finds_a_generation_of_one_moment() {
    let layout = layout();
    let files: &'static Files<'static> = leak(FilesOf::<9>::new(layout));
    let memory = SharedMemory::new(Contents::noise(1 << 12));
    let mut volume = Volume::new(layout, Some(BoardIdentity(7)), memory).with_files(Registered::of(files));
    let mut world = World::begun(files);
    // Both end by the clock, so that neither waits for one that has failed.
    let end = Time::now() + Duration::from_secs(5);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // Drawn while it runs: what comes of it depends on the clock, and would shrink to nothing.
            let (calls, mut random) = (calls(), Random::new(1));
            let mut name = 0;
            while Time::now() < end {
                // The first file is always there under one name, and moves all the time. The others do whatever they can.
                let next = random.below(3) as usize;
                if world.call(Call::Rename(0, name, next)) {
                    name = next;
                }
                let call = calls[random.below(calls.len() as u32) as usize];
                if !matches!(call, Call::Add(0, _) | Call::Remove(0, _) | Call::Rename(0, ..)) {
                    world.call(call);
                }
                world.history.clear();
            }
        });
        let mut generation = 0;
        while Time::now() < end {
            generation += 1;
            volume.begin_generation(Instant(generation));
            let shown = look(&mut volume, &|| format!("generation {generation}"));
            assert!(shown.values().all(|bytes| is_whole(bytes)), "generation {generation}: bytes of several versions");
            let names = NAMES[0].iter().filter(|name| shown.contains_key(**name)).count();
            assert_eq!(names, 1, "generation {generation}: {:?}", shown.keys());
        }
        assert!(generation > 20, "{generation} generations");
    });
}
