//! What watching shows of files that change.

use super::{Until, added, run, show};
use picovd::clock::Instant;
use picovd::files::Snapshot;
use picovd::vd::{File, Files, vd_add_file, vd_update_file};
use picovd_manifest::DiskPlan;
use picovd_sim::native::Application;
use picovd_sim::plug;
use std::fmt;
use std::path::Path;
use std::time::Duration;

fn plan(text: &str) -> DiskPlan {
    let manifest = picovd_manifest::read_text("watch.toml", text, Path::new("")).expect("TOML");
    let checked = picovd_manifest::check(&manifest, None).unwrap_or_else(|error| panic!("{error}"));
    picovd_manifest::plan(&checked).unwrap_or_else(|error| panic!("{error}"))
}

/// A text that changes but keeps its length.
#[derive(Clone, Copy)]
struct Value(u64);

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{\"kind\":\"lamp\",\n\"value\":{:04}}}\n", self.0)
    }
}

/// An application with a file in a folder of the manifest, and one that never changes.
struct Lamp {
    files: &'static Files<'static>,
    file: &'static File<'static>,
    content: &'static Snapshot<Value>,
    next: u64,
}

fn start(files: &'static Files<'static>) -> Box<dyn Application> {
    let content: &'static Snapshot<Value> = Box::leak(Box::new(Snapshot::new(Value(0))));
    let file = Box::leak(Box::new(File::new("logs/VALUE.JSON", content, 64)));
    let steady: &'static Snapshot<u32> = Box::leak(Box::new(Snapshot::new(7)));
    let steady = Box::leak(Box::new(File::new("STEADY.TXT", steady, 16)));
    vd_add_file(files, file).expect("there is room");
    vd_add_file(files, steady).expect("there is room");
    Box::new(Lamp { files, file, content, next: 12 })
}

impl Application for Lamp {
    fn turn(&mut self, now: Instant) {
        let seconds = now.0 / 1_000_000;
        if seconds >= self.next {
            self.next = seconds + 12;
            self.content.set(Value(seconds));
            vd_update_file(self.files, self.file).expect("it is registered");
        }
    }
}

const MANIFEST: &str = "
[[file]]
path = \"logs/README.TXT\"
text = \"the same for ever\"

[[memory]]
path = \"SCRATCH.BIN\"
base = 0x20080000
length = \"4 KiB\"

[dynamic]
files = 4
hold = \"2 s\"
";

#[test]
fn a_text_that_changes_at_the_same_length_is_shown_wherever_it_stands() {
    let plug = plug::native_with(plan(MANIFEST), Some(start));
    let mut out = Vec::new();
    let until = Until::Changes("logs/VALUE.JSON", Duration::from_secs(60));
    let result = run(plug.link, &plug.plan, &until, &mut out);
    let text = String::from_utf8(out).expect("text");
    assert!(result.is_ok(), "{text}");
    let told: Vec<&str> = text.lines().filter(|line| line.contains("logs/VALUE.JSON")).map(str::trim).collect();
    assert_eq!(told, ["30  logs/VALUE.JSON  (changed)"; 2], "{text}");
    // Only lines that differ, not those that stay.
    let values: Vec<&str> = text.lines().map(str::trim).filter(|line| line.starts_with("\"value\":")).collect();
    assert!(values.len() == 2 && values[0] != values[1], "{text}");
    for part in ["lamp", "STEADY.TXT", "README.TXT", "SCRATCH.BIN"] {
        assert!(!text.contains(part), "{part}: {text}");
    }
}

/// The notes that are printed in five minutes about a file that changes every second.
fn notes_of_a_second_hand(hold: &str) -> Vec<String> {
    struct Hand(&'static Files<'static>, &'static File<'static>, &'static Snapshot<Value>, u64);

    impl Application for Hand {
        fn turn(&mut self, now: Instant) {
            let Self(files, file, content, seconds) = self;
            if now.0 / 1_000_000 != *seconds {
                *seconds = now.0 / 1_000_000;
                content.set(Value(*seconds));
                vd_update_file(files, file).expect("it is registered");
            }
        }
    }

    fn start(files: &'static Files<'static>) -> Box<dyn Application> {
        let content: &'static Snapshot<Value> = Box::leak(Box::new(Snapshot::new(Value(0))));
        let file = Box::leak(Box::new(File::new("HAND.TXT", content, 64)));
        vd_add_file(files, file).expect("there is room");
        Box::new(Hand(files, file, content, 0))
    }

    let plug = plug::native_with(plan(&format!("[dynamic]\nfiles = 1\n{hold}")), Some(start));
    let mut out = Vec::new();
    // The host waits for a file that is not there.
    let until = Until::Changes("NONE.TXT", Duration::from_secs(300));
    assert!(run(plug.link, &plug.plan, &until, &mut out).is_err());
    let text = String::from_utf8(out).expect("text");
    text.lines().filter(|line| line.starts_with("note: ")).map(str::to_owned).collect()
}

#[test]
fn a_disk_that_is_away_too_often_is_told_once() {
    let [note] = &notes_of_a_second_hand("hold = \"10 s\"")[..] else { panic!("no note, or several") };
    let percent: u32 = note.split(' ').find_map(|word| word.parse().ok()).expect("a number");
    assert!((20..35).contains(&percent), "{note}");
    // What a manifest without a hold gets.
    assert_eq!(notes_of_a_second_hand(""), Vec::<String>::new());
}

#[test]
fn long_texts_are_cut() {
    let old: String = (0..10).map(|n| format!("line {n}\n")).collect();
    let new: String = (0..100).map(|n| format!("line {n}\n")).chain([format!("{}\n", "ä".repeat(1000))]).collect();
    let mut out = Vec::new();
    assert!(show(&old, &new, &mut out).is_ok());
    let text = String::from_utf8(out).expect("text");
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    assert_eq!((lines.len(), lines[0], lines[1]), (25, "... 67 lines more, and then:", "line 77"));
    assert_eq!(lines[24], format!("{} ...", "ä".repeat(160)));
}

#[test]
fn a_log_that_grows_shows_its_new_lines_even_where_they_repeat() {
    assert_eq!(added("tick\ntock\n", "tick\ntock\ntick\ntock\n"), ["tick", "tock"]);
    assert_eq!(added("", "tick\ntick\n"), ["tick", "tick"]);
    // Its first lines were lost.
    assert_eq!(added("a\nb\nb\nc\n", "b\nb\nc\nb\nc\n"), ["b", "c"]);
    // A text that changes in the middle, and one that is replaced.
    assert_eq!(added("a\n1\na\n", "a\n2\na\na\n"), ["2", "a"]);
    assert_eq!(added("a\nb\n", "c\na\n"), ["c"]);
}
