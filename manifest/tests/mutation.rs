//! No edit of a manifest makes the four functions panic: the stock manifest under random mutation.

mod random;

use std::path::Path;

use picovd_manifest::{check, emit, plan, read_text};
use random::Random;

const STOCK: &str = include_str!("../../picovd.toml");

/// Pieces that manifests are made of, and some that they should not be made of.
const PIECES: &[&str] = &[
    "\"",
    "'''",
    "\"\"\"",
    "[",
    "]",
    "[[",
    "]]",
    "=",
    "\n",
    "#",
    "{",
    "}",
    ",",
    ".",
    "-",
    "0x",
    "_",
    "/",
    "\\",
    "\\u0000",
    "99999999999",
    "-1",
    "1e309",
    "nan",
    "true",
    "1979-01-01",
    "2107-12-31T23:59:59-23:59",
    "00:00:00",
    "\"4 GiB\"",
    "\"18446744073709551615 B\"",
    "0xffffffff",
    "[[file]]",
    "[[memory]]",
    "[[redact]]",
    "[dynamic]",
    "path",
    "text",
    "content",
    "window = \"flash\"",
    "base = 0x1c000000",
    "length = 1",
    "files = 256",
    "sectors = 65535",
    "name = \"settings\"",
    "\u{0}",
    "ä",
    "😀",
    "\u{feff}",
    "\r",
    "\t",
    "..",
    "a/b/c",
    "é/É",
    "minimum-size = \"32 GiB\"",
    "max-name = 255",
    "flash-size = \"16 MiB\"",
    "quiet = 3600000",
];

/// Everything that the crate does with a text. Whether it finds problems does not matter here.
fn run(text: &str) -> bool {
    let result = read_text("m", text, Path::new("/nowhere"))
        .and_then(|manifest| check(&manifest, None))
        .and_then(|checked| plan(&checked));
    match result {
        Ok(plan) => {
            assert!(emit(&plan).volume_rs.contains("LAYOUT"));
            true
        }
        Err(problems) => {
            assert!(!problems.items().is_empty(), "an error has a reason");
            assert_eq!(problems.lines().count(), problems.items().len());
            assert!(problems.lines().all(|line| !line.contains('\n')));
            assert!(!problems.excerpts(true).is_empty());
            false
        }
    }
}

/// The stock manifest without its comments, so that mutations hit what counts.
fn stock() -> String {
    STOCK.lines().filter(|line| !line.starts_with('#')).map(|line| format!("{line}\n")).collect()
}

#[test]
fn the_stock_manifest_is_good() {
    assert!(run(STOCK));
    assert!(run(&stock()));
    assert!(run(""));
}

#[test]
fn every_key_of_the_schema_stands_in_the_stock_manifest() {
    use picovd_manifest::schema::{self, keys};
    let tables: [(&str, &[&str]); 10] = [
        ("[volume]", keys::<schema::VolumeTable>()),
        ("[usb]", keys::<schema::UsbTable>()),
        ("[chip]", keys::<schema::ChipTable>()),
        ("[[file]]", keys::<schema::FileTable>()),
        ("[[memory]]", keys::<schema::MemoryTable>()),
        ("[partitions]", keys::<schema::PartitionsTable>()),
        ("[log]", keys::<schema::LogTable>()),
        ("[dynamic]", keys::<schema::DynamicTable>()),
        ("[settings]", keys::<schema::SettingsTable>()),
        ("[[redact]]", keys::<schema::RedactTable>()),
    ];
    assert_eq!(tables.len(), keys::<schema::Tables>().len());
    for (title, keys) in tables {
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
fn deeply_nested_and_very_long() {
    for piece in ["[", "a.", "{a=", "[a.b.c]\n", "[[file]]\n", "\"", "a=[", "'''", "é", "[x.", "file=[{path='"] {
        for count in [100, 3_000, 30_000 / piece.len()] {
            run(&piece.repeat(count));
            run(&format!("volume = {}", piece.repeat(count)));
        }
    }
}

#[test]
fn truncated_anywhere() {
    let stock = stock();
    for end in (0..stock.len()).filter(|end| stock.is_char_boundary(*end)) {
        run(&stock[..end]);
    }
}

#[test]
fn mutated_at_random() {
    let stock = stock();
    let mut good = 0;
    for seed in 0..4000 {
        let mut random = Random::new(seed);
        let mut text: Vec<char> = stock.chars().collect();
        for _ in 0..1 + random.below(4) {
            let at = random.below(text.len() + 1);
            let end = (at + random.below(12)).min(text.len());
            match random.below(4) {
                0 => drop(text.drain(at..end)),
                1 => drop(text.splice(at..at, PIECES[random.below(PIECES.len())].chars())),
                2 => drop(text.splice(at..end, PIECES[random.below(PIECES.len())].chars())),
                _ => {
                    let from = random.below(text.len().max(1));
                    let piece: Vec<char> = text.iter().skip(from).take(random.below(200)).copied().collect();
                    drop(text.splice(at..at, piece));
                }
            }
        }
        good += u32::from(run(&text.into_iter().collect::<String>()));
    }
    assert!(good > 100, "mutations that always break the syntax test nothing: {good}");
}

#[test]
fn values_replaced_at_random() {
    let stock = stock();
    let lines: Vec<&str> = stock.lines().collect();
    let values: Vec<usize> =
        (0..lines.len()).filter(|i| lines[*i].contains(" = ") && !lines[*i].contains("\"\"\"")).collect();
    for seed in 0..4000 {
        let mut random = Random::new(seed ^ 0xABCD);
        let mut text: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        for _ in 0..1 + random.below(3) {
            let line = values[random.below(values.len())];
            let key = lines[line].split(" = ").next().unwrap();
            let other = lines[values[random.below(values.len())]].split_once(" = ").unwrap().1;
            let value = match random.below(3) {
                0 => other.to_owned(),
                1 => random.next().to_string(),
                _ => PIECES[random.below(PIECES.len())].to_owned(),
            };
            text[line] = format!("{key} = {value}");
        }
        run(&text.join("\n"));
    }
}
