//! Locations in source files: their names, and the text there.

use super::debug_info::Frame;
use std::env;
use std::fs;
use std::path::Path;

/// Number of lines of a call that are searched for its message.
const LINES: usize = 6;

/// A source file as its author calls it: below the current folder, in a crate, or in Rust's library.
pub fn shown(file: &str) -> String {
    if let Some(inside) = file.split_once("/library/").filter(|(root, _)| is_rust(root)) {
        return format!("rust/library/{}", inside.1);
    }
    if let Some((_, inside)) = file.split_once("/registry/src/") {
        return inside.split_once('/').map_or(inside, |(_, inside)| inside).to_owned();
    }
    let here = env::current_dir().ok();
    let below = here.as_deref().and_then(|here| Path::new(file).strip_prefix(here).ok());
    below.map_or_else(|| file.to_owned(), |below| below.display().to_string())
}

/// `/rustc/HASH`, its replacement in this project's own firmware, or a toolchain's rust-src.
fn is_rust(root: &str) -> bool {
    root == "/rust" || root.starts_with("/rustc/") || root.ends_with("/lib/rustlib/src/rust")
}

/// Whether a frame is code of Rust's library.
pub fn is_library(frame: &Frame) -> bool {
    let by_file =
        frame.file.as_deref().and_then(|file| file.split_once("/library/")).is_some_and(|(root, _)| is_rust(root));
    let by_name =
        |name: &str| ["core::", "alloc::", "compiler_builtins::"].iter().any(|crate_| name.starts_with(crate_));
    by_file || by_name(frame.function.trim_start_matches('<'))
}

/// Whether a frame is code of the package itself, not of a crate that was downloaded.
pub fn is_own(frame: &Frame) -> bool {
    let downloaded = |file: &str| file.contains("/registry/src/") || file.starts_with("/crates/");
    !is_library(frame) && frame.file.as_deref().is_some_and(|file| !downloaded(file))
}

/// The innermost function of the package itself, or the innermost that is not Rust's, or the innermost one.
pub fn own(frames: &[Frame]) -> Option<&Frame> {
    let other = || frames.iter().find(|frame| !is_library(frame));
    frames.iter().find(|frame| is_own(frame)).or_else(other).or(frames.first())
}

/// The location of a frame, as far as it is known.
pub fn place(frame: &Frame) -> Option<String> {
    let file = shown(frame.file.as_deref()?);
    Some(match (frame.line, frame.column) {
        (Some(line), Some(column)) => format!("{file}:{line}:{column}"),
        (Some(line), None) => format!("{file}:{line}"),
        (None, _) => file,
    })
}

/// The line that a frame executes, with its number, if the file still exists.
pub fn excerpt(frame: &Frame) -> Option<String> {
    let (number, text) = (frame.line?, fs::read_to_string(frame.file.as_deref()?).ok()?);
    let line = text.lines().nth(number as usize - 1)?;
    Some(format!("{number:>5} | {}", line.trim_end()))
}

/// The start of calls that end in a panic. An assertion's first text may be one of the compared values.
const CALLS: [&str; 8] =
    ["panic!", "todo!", "unimplemented!", "unreachable!", "assert", "debug_assert", "expect(", "unwrap("];

/// The column of the only call in a frame's line that ends in a panic, for a frame without a column.
pub fn column(frame: &Frame) -> Option<u32> {
    let (line, text) = (frame.line?, fs::read_to_string(frame.file.as_deref()?).ok()?);
    let line = text.lines().nth(line as usize - 1)?;
    let found: Vec<usize> = CALLS.iter().flat_map(|call| line.match_indices(call)).map(|(at, _)| at).collect();
    match found[..] {
        [only] => Some(only as u32 + 1),
        _ => None,
    }
}

/// The message of a call that ends in a panic, if a frame is at one.
pub fn literal(frame: &Frame) -> Option<String> {
    let (line, column, text) = (frame.line?, frame.column?, fs::read_to_string(frame.file.as_deref()?).ok()?);
    let lines: Vec<&str> = text.lines().skip(line as usize - 1).take(LINES).collect();
    let (first, rest) = lines.split_first()?;
    let call = first.get(column as usize - 1..)?;
    literal_in(&[&[call], rest].concat().join("\n"))
}

/// The same for a call's text.
fn literal_in(call: &str) -> Option<String> {
    if !CALLS.iter().any(|name| call.starts_with(name)) {
        return None;
    }
    // Only up to the end of the statement: the next one's text does not belong to this call.
    let (before, quoted) = call.split_once('"')?;
    if before.contains([';', '}']) {
        return None;
    }
    let mut text = String::new();
    let mut letters = quoted.chars();
    loop {
        match letters.next()? {
            '"' => return Some(text),
            '\\' => text.extend(letters.next()),
            letter => text.push(letter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_as_their_authors_do() {
        let here = env::current_dir().unwrap().join("src/main.rs");
        assert_eq!(shown(here.to_str().unwrap()), "src/main.rs");
        assert_eq!(shown("/rustc/0123abc/library/core/src/option.rs"), "rust/library/core/src/option.rs");
        assert_eq!(shown("/home/x/.cargo/registry/src/index-1/hal-0.4.0/src/i2c.rs"), "hal-0.4.0/src/i2c.rs");
        assert_eq!(shown("/elsewhere/a.rs"), "/elsewhere/a.rs");
    }

    #[test]
    fn the_text_of_a_call_is_found() {
        assert_eq!(literal_in("panic!(\"boom\");").as_deref(), Some("boom"));
        assert_eq!(literal_in("panic!(\n    \"the \\\"x\\\" is {}\", x\n)").as_deref(), Some("the \"x\" is {}"));
        assert_eq!(literal_in("expect(\"there is room\");\n let a = \"b\";").as_deref(), Some("there is room"));
        assert_eq!(literal_in("unwrap();\n let a = \"b\";"), None);
        assert_eq!(literal_in("panic!()"), None);
    }
}
