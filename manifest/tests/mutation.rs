//! No edit of a manifest makes the four functions panic, and every edit ends in a plan or in problems that can be found in
//! the text: good manifests under random mutation.

mod mutate;

use std::collections::BTreeMap;
use std::path::Path;

use mutate::{STOCK, good, mutated};
use picovd_manifest::{DiskPlan, check, emit, plan, read, read_text};
use picovd_property::Cases;
use proptest::prelude::*;
use proptest::sample::Index;

/// Mutations in a run of all tests, and in the long one.
const MUTATIONS: u32 = 150_000;
const MANY_MUTATIONS: u32 = 2_000_000;

/// Everything that the crate does with a text, and what has to be true of every report.
fn run(text: &str, rendered: bool) -> Option<DiskPlan> {
    let result = read_text("m", text, Path::new("/nowhere"))
        .and_then(|manifest| check(&manifest, None))
        .and_then(|checked| plan(&checked));
    let problems = match result {
        Ok(plan) => return Some(plan),
        Err(problems) => problems,
    };
    assert!(!problems.items().is_empty(), "an error has a reason");
    let lines: Vec<String> = problems.lines().collect();
    // Of each kind a report has twenty, and a line about the others.
    let mut kinds = BTreeMap::new();
    problems.items().iter().for_each(|item| *kinds.entry(item.code).or_insert(0) += 1);
    assert_eq!(lines.len(), kinds.values().map(|count| 21.min(*count)).sum::<usize>());
    assert!(lines.iter().all(|line| line.starts_with("m:") && !line.contains('\n')));
    for item in problems.items() {
        let span = item.span.as_ref().expect("every problem of a text has a place in it");
        assert!(span.start <= span.end && span.end <= text.len(), "{item:?}");
        assert!(!item.message.is_empty() && !item.remedy.is_empty(), "{item:?}");
    }
    if rendered {
        assert!(problems.coloured_excerpts().contains(&problems.items()[0].code.to_string()));
    }
    None
}

/// Runs mutations, and says how many were good manifests still.
fn run_mutations(cases: Cases) -> u32 {
    let good = good();
    // The stock manifest is the longest by far: a mutation in sixteen is enough.
    let of = prop_oneof![15 => 1..good.len(), 1 => Just(0)];
    let mut passed = 0;
    // Writing tables takes longer than all the rest together, as does rendering excerpts.
    cases.check((mutated(good, of), prop::bool::weighted(0.125)), |(mutated, is_written)| {
        let Some(plan) = run(&mutated.text, is_written) else { return };
        passed += 1;
        if is_written {
            assert!(emit(&plan).volume_rs.contains("LAYOUT"));
        }
    });
    passed
}

/// Half of them in a thread of its own.
fn run_in_two_threads(count: u32) {
    let good = std::thread::scope(|scope| {
        let half = move |seed| run_mutations(Cases { count: count / 2, seed });
        let other = scope.spawn(move || half(1));
        half(0) + other.join().expect("the thread says what is wrong")
    });
    assert!(good > count / 20, "mutations that always break the syntax test nothing: {good} of {count}");
    assert!(good < count / 2, "mutations that change nothing test nothing: {good} of {count}");
}

#[test]
fn the_good_manifests_are_good() {
    for text in good().iter().map(String::as_str).chain([STOCK, ""]) {
        assert!(run(text, true).is_some(), "{text}\n{}", picovd_problems(text));
    }
}

fn picovd_problems(text: &str) -> String {
    let result = read_text("m", text, Path::new("")).and_then(|manifest| check(&manifest, None));
    result.map_or_else(|problems| problems.to_string(), |_| String::new())
}

#[test]
fn every_key_of_the_schema_stands_in_the_stock_manifest() {
    for (title, keys) in picovd_manifest::schema::tables() {
        let section = STOCK.lines().map(|line| line.trim_start_matches("# ")).skip_while(|line| *line != title);
        let lines: Vec<&str> = section.collect();
        assert!(!lines.is_empty(), "{title}");
        // `hidden` and `expose` of a memory window are explained with those of a file.
        for key in keys.iter().filter(|key| title != "[[memory]]" || !["hidden", "expose"].contains(key)) {
            assert!(lines.iter().any(|line| line.starts_with(&format!("{key} = "))), "{title} {key}");
        }
    }
}

#[test]
fn every_key_of_the_schema_stands_in_a_good_manifest() {
    let all = good().concat();
    for (_, keys) in picovd_manifest::schema::tables() {
        for key in keys {
            let used = all.contains(&format!("\n{key} = ")) || key == &"content";
            assert!(used, "{key} is never mutated");
        }
    }
}

#[test]
fn deeply_nested_and_very_long() {
    for piece in ["[", "a.", "{a=", "[a.b.c]\n", "[[file]]\n", "\"", "a=[", "'''", "é", "[x.", "file=[{path='"] {
        for count in [100, 3_000, 30_000 / piece.len()] {
            run(&piece.repeat(count), true);
            run(&format!("volume = {}", piece.repeat(count)), true);
        }
    }
}

#[test]
fn truncated_anywhere() {
    for text in good() {
        for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
            run(&text[..end], true);
        }
    }
}

#[test]
fn hundreds_of_thousands_of_mutations() {
    run_in_two_threads(MUTATIONS);
}

#[test]
#[ignore = "takes minutes"]
fn millions_of_mutations() {
    run_in_two_threads(MANY_MUTATIONS);
}

#[test]
fn bytes_that_are_no_text() {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bytes.toml");
    let good = good();
    let bytes = (1..good.len(), prop::collection::vec((any::<Index>(), any::<u8>()), 1..=3));
    Cases { count: 500, seed: 0 }.check(bytes, |(of, changes)| {
        let mut bytes = good[of].clone().into_bytes();
        for (at, byte) in changes {
            *at.get_mut(&mut bytes) = byte;
        }
        std::fs::write(&path, &bytes).unwrap();
        if let Err(problems) = read(&path) {
            let length = String::from_utf8_lossy(&bytes).len();
            assert!(problems.items().iter().all(|item| item.span.as_ref().is_some_and(|span| span.end <= length)));
            assert!(problems.lines().count() > 0 && !problems.to_string().is_empty());
        }
    });
}
