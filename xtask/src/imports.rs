//! Checks the paths in src/ against the table in docs/ARCHITECTURE.md of which module may import which.
//!
//! A small tokenizer of Rust is enough: comments, strings and test modules are skipped, `use` trees are expanded, and every
//! path that starts with `crate`, `self`, `super` or the name of a dependency is checked, wherever it occurs.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use toml::Value;

/// What one part of src/ may import.
struct Rule {
    /// The part: a module's path with slashes. The longest prefix of a file's path applies.
    part: &'static str,
    /// Modules of this crate.
    modules: &'static [&'static str],
    /// Dependencies, by their names in code.
    crates: &'static [&'static str],
}

/// The table in docs/ARCHITECTURE.md, for the library. The files that combine everything (lib.rs, main.rs with its folder, and the other
/// binaries) may import anything.
const RULES: &[Rule] = &[
    Rule { part: "clock", modules: &[], crates: &["fugit"] },
    Rule { part: "text", modules: &[], crates: &[] },
    Rule { part: "json", modules: &["text"], crates: &["serde"] },
    Rule { part: "turns", modules: &[], crates: &[] },
    Rule { part: "announcement", modules: &["clock"], crates: &[] },
    Rule { part: "volume", modules: &["block", "clock"], crates: &["picovd_exfat", "picovd_layout"] },
    Rule { part: "dynamic", modules: &["announcement", "volume"], crates: &["picovd_exfat", "critical_section"] },
    // Facts about the RP2350; its memory is a parameter.
    Rule { part: "chip", modules: &["volume"], crates: &[] },
    Rule { part: "scsi", modules: &["block"], crates: &[] },
    Rule { part: "bot", modules: &["block"], crates: &[] },
    Rule {
        part: "settings",
        // The clock: saves are timed. `group` is the macro of that name.
        modules: &["console", "announcement", "block", "chip", "clock", "group", "json", "text", "volume"],
        crates: &[
            "crc",
            "critical_section",
            "embedded_storage",
            "heapless",
            "picovd_exfat",
            "postcard",
            "serde",
            "serde_json_core",
            "zeroize",
        ],
    },
    Rule {
        part: "files",
        // `print` is the macro of that name. The console: the command that removes a crash.
        modules: &["block", "chip", "clock", "console", "dynamic", "json", "settings", "print", "text", "volume"],
        crates: &["critical_section", "heapless", "picovd_exfat", "serde", "serde_csv_core"],
    },
    // Uses the basic types of every layer that it combines.
    Rule {
        part: "device",
        modules: &["announcement", "block", "bot", "clock", "dynamic", "scsi", "volume"],
        crates: &[],
    },
    // The clock: a port that was opened is silent for a moment, a detached device comes back after one.
    Rule {
        part: "usb",
        modules: &["clock", "device", "bot"],
        crates: &["critical_section", "heapless", "usb_device", "usbd_serial", "usbd_storage"],
    },
    // What the application adds to the port's commands.
    Rule { part: "console", modules: &[], crates: &["critical_section", "heapless"] },
    // Combines layers, like `device`.
    Rule {
        part: "stick",
        modules: &[
            "announcement",
            "clock",
            "console",
            "device",
            "dynamic",
            "files",
            "scsi",
            "settings",
            "text",
            "usb",
            "volume",
        ],
        crates: &["heapless", "usb_device"],
    },
    Rule { part: "vd", modules: &["announcement", "clock", "dynamic", "volume"], crates: &[] },
    // Partitions and the board's facts: it passes to `files` what only the hardware knows.
    Rule {
        part: "rp2350",
        modules: &["block", "chip", "clock", "files", "settings", "turns", "volume"],
        crates: HARDWARE,
    },
    // `firmware`, `tables`, `panic_handler` and `program_info` are the macros of those names.
    Rule { part: "rp2350/panic", modules: &["panic_handler", "stick"], crates: HARDWARE },
    // `crash_memory` and `panic_handler` are the macros of those names, `crash` its own public name.
    Rule {
        part: "rp2350/crash",
        modules: &["chip", "crash", "files", "crash_memory", "panic_handler"],
        crates: HARDWARE,
    },
    Rule { part: "rp2350/hardware", modules: &["files", "settings", "stick", "vd", "volume"], crates: HARDWARE },
    Rule {
        part: "rp2350/board",
        modules: &["firmware", "panic_handler", "program_info", "stick", "stick_of", "tables"],
        crates: HARDWARE_AND_USB,
    },
    // The disk on a program's own bus.
    Rule { part: "rp2350/disk", modules: &["stick"], crates: HARDWARE_AND_USB },
    // `serve` is the macro of that name.
    Rule { part: "rp2350/interrupt_driven", modules: &["serve", "stick", "turns", "usb"], crates: HARDWARE },
    Rule {
        part: "rp2350/stick",
        modules: &["clock", "files", "settings", "stick", "usb", "vd", "volume"],
        crates: HARDWARE_AND_USB,
    },
    Rule { part: "rp2350/thermometer", modules: &["chip"], crates: HARDWARE },
    Rule { part: "rp2350/waiting", modules: &["clock", "stick"], crates: HARDWARE },
    // One adapter in two files.
    Rule { part: "rp2350/usb", modules: &["block", "usb", "volume"], crates: HARDWARE_AND_USB },
    Rule { part: "rp2350/usb_endpoint", modules: &["block", "volume"], crates: HARDWARE_AND_USB },
];

/// The HAL and its dependencies, and the NorFlash trait.
const HARDWARE: &[&str] = &[
    "rp235x_hal",
    "rp235x_pac",
    "cortex_m",
    "cortex_m_rt",
    "critical_section",
    "embedded_storage",
    "heapless",
    "riscv",
    "static_cell",
    "defmt",
];
/// The same for the files of rp2350/ that may use usb-device.
const HARDWARE_AND_USB: &[&str] = &[
    "rp235x_hal",
    "rp235x_pac",
    "cortex_m",
    "cortex_m_rt",
    "critical_section",
    "embedded_storage",
    "static_cell",
    "riscv",
    "defmt",
    "usb_device",
];

/// Reads src/ of the workspace. Every violation is one line of the error.
///
/// Returns the number of files and of paths that were checked, because a tokenizer that finds none would never complain.
pub fn check(root: &Path) -> Result<(usize, usize), String> {
    let dependencies = dependencies(root)?;
    let mut files = Vec::new();
    collect(&root.join("src"), &mut files)?;
    let (mut named, mut wrong) = (0, Vec::new());
    for file in &files {
        let text = fs::read_to_string(file).map_err(|e| format!("{}: {e}", file.display()))?;
        let relative = file.strip_prefix(root.join("src")).unwrap_or(file);
        let found = paths(&text, &module_of(relative), &dependencies);
        named += found.len();
        wrong.extend(violations(relative, &found));
    }
    if wrong.is_empty() { Ok((files.len(), named)) } else { Err(wrong.join("\n")) }
}

/// The dependencies' names in code, from the tables of Cargo.toml.
fn dependencies(root: &Path) -> Result<BTreeSet<String>, String> {
    let path = root.join("Cargo.toml");
    let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let value: Value = toml::from_str(&text).map_err(|e| format!("{}: {e}", path.display()))?;
    let mut names = BTreeSet::new();
    let targets = value.get("target").and_then(Value::as_table);
    let tables = targets.into_iter().flat_map(|targets| targets.values()).chain([&value]);
    for table in tables {
        for kind in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let keys = table.get(kind).and_then(Value::as_table).into_iter().flat_map(|table| table.keys());
            names.extend(keys.map(|key| key.replace('-', "_")));
        }
    }
    Ok(names)
}

/// Every Rust file below a folder, in order; none if there is no such folder. Test modules are called tests.rs, or are in a
/// folder of that name, and both are skipped.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), String> {
    if !folder.exists() {
        return Ok(());
    }
    let entries = fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut entries: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            if !path.ends_with("tests") {
                collect(&path, files)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("tests.rs") {
            files.push(path);
        }
    }
    Ok(())
}

/// The module of a file in src/: `bot/cases.rs` is bot::cases, `bot/mod.rs` is bot, `lib.rs` is the root.
fn module_of(relative: &Path) -> Vec<String> {
    let mut parts: Vec<String> =
        relative.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if matches!(parts.last().map(String::as_str), Some("mod" | "lib" | "main")) {
        parts.pop();
    }
    parts
}

/// A path in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Named {
    line: usize,
    /// Whether it leads to a dependency rather than to a module of the crate.
    external: bool,
    /// The dependency or the module just below the crate's root.
    first: String,
}

fn violations(relative: &Path, found: &[Named]) -> Vec<String> {
    let module = module_of(relative);
    let Some(top) = module.first() else { return Vec::new() };
    if top == "bin" || top == "main" {
        return Vec::new();
    }
    let full = module.join("/");
    let fits = |part: &str| full == part || full.strip_prefix(part).is_some_and(|rest| rest.starts_with('/'));
    let Some(rule) = RULES.iter().filter(|rule| fits(rule.part)).max_by_key(|rule| rule.part.len()) else {
        return vec![format!("src/{}: the import table has no line for `{top}`", relative.display())];
    };
    let bad = |path: &&Named| {
        if path.external {
            !rule.crates.contains(&path.first.as_str())
        } else {
            path.first != *top && !rule.modules.contains(&path.first.as_str())
        }
    };
    let line = |path: &Named| {
        let what = if path.external { "the crate " } else { "crate::" };
        format!("src/{}:{}: `{}` may not name {what}{}", relative.display(), path.line, rule.part, path.first)
    };
    found.iter().filter(bad).map(line).collect()
}

/// A token that matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    /// `::`
    Separator,
    /// Any other character.
    Sign(char),
}

/// Splits a text into tokens with their lines; comments, strings, characters and lifetimes are skipped.
fn tokens(text: &str) -> Vec<(Token, usize)> {
    let chars: Vec<char> = text.chars().collect();
    let at = |index: usize| chars.get(index).copied().unwrap_or('\0');
    let (mut out, mut i, mut line) = (Vec::new(), 0, 1);
    while i < chars.len() {
        let start = i;
        let c = at(i);
        if c == '/' && at(i + 1) == '/' {
            while i < chars.len() && at(i) != '\n' {
                i += 1;
            }
        } else if c == '/' && at(i + 1) == '*' {
            let mut depth = 0;
            loop {
                match (at(i), at(i + 1)) {
                    ('/', '*') => (depth, i) = (depth + 1, i + 2),
                    ('*', '/') => (depth, i) = (depth - 1, i + 2),
                    _ => i += 1,
                }
                if depth == 0 || i >= chars.len() {
                    break;
                }
            }
        } else if c == '"' {
            i = after_string(&chars, i + 1);
        } else if c == '\'' {
            // A character ends with a quote after one character or an escape; anything else is a lifetime.
            if at(i + 1) == '\\' {
                i += 3;
                while i < chars.len() && at(i) != '\'' {
                    i += 1;
                }
                i += 1;
            } else if at(i + 2) == '\'' {
                i += 3;
            } else {
                i += 1;
                while at(i).is_alphanumeric() || at(i) == '_' {
                    i += 1;
                }
            }
        } else if c.is_alphabetic() || c == '_' {
            while at(i).is_alphanumeric() || at(i) == '_' {
                i += 1;
            }
            let word: String = chars[start..i].iter().collect();
            let hashes = (i..chars.len()).take_while(|index| at(*index) == '#').count();
            if matches!(word.as_str(), "r" | "br" | "cr") && at(i + hashes) == '"' {
                i += hashes + 1;
                let close: String = ['"'].into_iter().chain(std::iter::repeat_n('#', hashes)).collect();
                while i < chars.len() && !(0..=hashes).all(|n| at(i + n) == close.chars().nth(n).unwrap_or('"')) {
                    i += 1;
                }
                i += hashes + 1;
            } else if matches!(word.as_str(), "b" | "c") && at(i) == '"' {
                i = after_string(&chars, i + 1);
            } else {
                out.push((Token::Word(word), line));
            }
        } else if c == ':' && at(i + 1) == ':' {
            out.push((Token::Separator, line));
            i += 2;
        } else {
            if !c.is_whitespace() {
                out.push((Token::Sign(c), line));
            }
            i += 1;
        }
        line += chars[start..i.min(chars.len())].iter().filter(|c| **c == '\n').count();
    }
    out
}

/// The index after a string's closing quote.
fn after_string(chars: &[char], mut i: usize) -> usize {
    while i < chars.len() && chars[i] != '"' {
        i += if chars[i] == '\\' { 2 } else { 1 };
    }
    i + 1
}

/// Removes test items: `#[cfg(test)]` and the item after it.
fn without_tests(tokens: Vec<(Token, usize)>) -> Vec<(Token, usize)> {
    let mark: Vec<Token> = vec![
        Token::Sign('#'),
        Token::Sign('['),
        Token::Word("cfg".to_owned()),
        Token::Sign('('),
        Token::Word("test".to_owned()),
        Token::Sign(')'),
        Token::Sign(']'),
    ];
    let (mut out, mut i) = (Vec::new(), 0);
    while i < tokens.len() {
        let here = tokens[i..].iter().map(|(token, _)| token);
        if !here.take(mark.len()).eq(mark.iter()) {
            out.push(tokens[i].clone());
            i += 1;
            continue;
        }
        i += mark.len();
        // The item ends with a semicolon outside of braces, or with the brace that closes its first one.
        let mut depth = 0;
        while i < tokens.len() {
            let token = &tokens[i].0;
            i += 1;
            match token {
                Token::Sign('{') => depth += 1,
                Token::Sign('}') => depth -= 1,
                _ => {}
            }
            if depth == 0 && matches!(token, Token::Sign('}' | ';')) {
                break;
            }
        }
    }
    out
}

/// Every path in a text that leads to a dependency or to a module below the crate's root.
fn paths(text: &str, file: &[String], dependencies: &BTreeSet<String>) -> Vec<Named> {
    let tokens = without_tests(tokens(text));
    let mut reader = Reader { tokens: &tokens, dependencies, module: file.to_vec(), found: Vec::new() };
    let mut opened: Vec<Option<usize>> = Vec::new();
    let mut i = 0;
    while i < tokens.len() {
        let word = |index: usize| match tokens.get(index) {
            Some((Token::Word(word), _)) => Some(word.as_str()),
            _ => None,
        };
        match &tokens[i].0 {
            // An inline module: paths inside start from it.
            Token::Word(keyword) if keyword == "mod" && matches!(tokens.get(i + 2), Some((Token::Sign('{'), _))) => {
                let length = reader.module.len();
                reader.module.push(word(i + 1).unwrap_or_default().to_owned());
                opened.push(Some(length));
                i += 3;
            }
            Token::Sign('{') => {
                opened.push(None);
                i += 1;
            }
            Token::Sign('}') => {
                if let Some(Some(length)) = opened.pop() {
                    reader.module.truncate(length);
                }
                i += 1;
            }
            Token::Word(keyword) if keyword == "use" => {
                i += 1;
                if matches!(tokens.get(i), Some((Token::Separator, _))) {
                    i += 1;
                }
                i = reader.tree(i, &[]);
            }
            Token::Word(_) => {
                // The middle of a path, a field or a method is not a start.
                let before = i.checked_sub(1).map(|index| &tokens[index].0);
                let starts = !matches!(before, Some(Token::Sign('.')))
                    && (before != Some(&Token::Separator)
                        || !matches!(i.checked_sub(2).map(|n| &tokens[n].0), Some(Token::Word(_) | Token::Sign('>'))));
                i = if starts { reader.path(i) } else { i + 1 };
            }
            _ => i += 1,
        }
    }
    reader.found
}

struct Reader<'a> {
    tokens: &'a [(Token, usize)],
    dependencies: &'a BTreeSet<String>,
    module: Vec<String>,
    found: Vec<Named>,
}

impl Reader<'_> {
    /// Reads a `use` tree from `i` on, with the segments that lead to it. Returns the index after it.
    fn tree(&mut self, mut i: usize, lead: &[String]) -> usize {
        let mut segments = lead.to_vec();
        let mut line = 0;
        while let Some((token, here)) = self.tokens.get(i) {
            match token {
                Token::Word(word) if word == "as" => i += 2,
                Token::Word(word) => {
                    segments.push(word.clone());
                    line = *here;
                    i += 1;
                }
                Token::Separator => i += 1,
                Token::Sign('{') => {
                    i += 1;
                    loop {
                        match self.tokens.get(i) {
                            None => return i,
                            Some((Token::Sign('}'), _)) => return i + 1,
                            Some((Token::Sign(','), _)) => i += 1,
                            Some(_) => i = self.tree(i, &segments),
                        }
                    }
                }
                Token::Sign('*') => i += 1,
                Token::Sign(_) => break,
            }
        }
        self.note(&segments, line);
        // Progress must be made at an unexpected token.
        if line == 0 { i + 1 } else { i }
    }

    /// Reads a path in an expression or a type from `i` on. Returns the index after it.
    fn path(&mut self, mut i: usize) -> usize {
        let mut segments = Vec::new();
        let line = self.tokens[i].1;
        while let Some((Token::Word(word), _)) = self.tokens.get(i) {
            segments.push(word.clone());
            i += 1;
            match self.tokens.get(i) {
                Some((Token::Separator, _)) => i += 1,
                _ => break,
            }
        }
        // A single word is a local name, not a path to another module.
        if segments.len() > 1 {
            self.note(&segments, line);
        }
        i
    }

    fn note(&mut self, segments: &[String], line: usize) {
        let Some(first) = segments.first() else { return };
        let mut rest = segments;
        let mut base: Vec<String> = match first.as_str() {
            "crate" => Vec::new(),
            "self" | "super" => self.module.clone(),
            name => {
                if self.dependencies.contains(name) {
                    self.found.push(Named { line, external: true, first: name.to_owned() });
                }
                return;
            }
        };
        while let Some((word, more)) = rest.split_first() {
            match word.as_str() {
                "crate" | "self" => {}
                "super" => drop(base.pop()),
                _ => break,
            }
            rest = more;
        }
        base.extend(rest.iter().cloned());
        if let Some(first) = base.into_iter().next() {
            self.found.push(Named { line, external: false, first });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Named, module_of, paths, violations};
    use std::collections::BTreeSet;
    use std::path::Path;

    fn read(file: &str, text: &str) -> Vec<Named> {
        let dependencies: BTreeSet<String> = ["usb_device", "picovd_exfat"].map(str::to_owned).into();
        paths(text, &module_of(Path::new(file)), &dependencies)
    }

    fn firsts(file: &str, text: &str) -> Vec<String> {
        read(file, text).into_iter().map(|named| named.first).collect()
    }

    fn wrong(file: &str, text: &str) -> Vec<String> {
        violations(Path::new(file), &read(file, text))
    }

    #[test]
    fn the_library_obeys() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        if let Err(wrong) = super::check(&root) {
            panic!("{wrong}");
        }
    }

    #[test]
    fn planted_violations_are_found() {
        assert_eq!(wrong("bot/mod.rs", "use crate::scsi::Cdb;"), ["src/bot/mod.rs:1: `bot` may not name crate::scsi"]);
        assert_eq!(wrong("scsi/unit.rs", "\nfn f() { crate::volume::g() }").len(), 1);
        assert_eq!(wrong("scsi/unit.rs", "use super::super::volume;").len(), 1);
        assert_eq!(wrong("scsi/unit.rs", "use crate::{block::Lba, volume::{self, Volume}};").len(), 2);
        assert_eq!(wrong("volume/mod.rs", "type T = usb_device::Bus;").len(), 1);
        assert_eq!(wrong("rp2350/flash.rs", "use usb_device::bus::UsbBus;").len(), 1);
        assert_eq!(wrong("stranger.rs", "").len(), 1);
        assert_eq!(wrong("settings/mod.rs", "mod inner { use super::super::device::X; }").len(), 1);
    }

    #[test]
    fn what_the_table_allows_passes() {
        for (file, text) in [
            ("bot/cases.rs", "use super::wrapper::Cbw; use crate::block::BLOCK_LENGTH; use core::fmt;"),
            (
                "volume/mod.rs",
                "use picovd_exfat::entry; use crate::block::{Lba, BlockCount}; use self::region::Region;",
            ),
            ("rp2350/usb.rs", "use usb_device::bus::UsbBus;"),
            ("device/mod.rs", "use crate::{bot, scsi, volume};"),
            ("main.rs", "use usb_device::prelude::*; use picovd::scsi;"),
            ("bot/mod.rs", "mod inner { use super::Cbw; }"),
        ] {
            assert_eq!(wrong(file, text), Vec::<String>::new(), "{file}");
        }
    }

    #[test]
    fn comments_strings_and_tests_do_not_count() {
        let text = r##"
            // use crate::volume;
            /* crate::volume::x /* nested */ crate::volume::y */
            const A: &str = "crate::volume::x \" crate::volume::y"; const B: &str = r#"crate::volume::"z""#;
            const C: char = '"'; fn f<'a>(x: &'a str) -> char { '\'' }
            #[cfg(test)] mod tests { use crate::volume::Volume; fn g() { { } } }
            #[cfg(test)] use crate::volume;
            use crate::block;
        "##;
        assert_eq!(firsts("scsi/mod.rs", text), ["block"]);
    }

    #[test]
    fn lines_are_counted() {
        assert_eq!(read("scsi/mod.rs", "//\n/*\n*/ \"\n\"\nuse crate::volume;")[0].line, 5);
    }
}
