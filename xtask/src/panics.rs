//! Where the firmware may still panic: every source location that a linked panic names.
//!
//! A panic is called with the address of its `core::panic::Location`: a pointer to the file's name, the name's length, line
//! and column. The image contains only those that the linker could not remove.

use std::collections::BTreeMap;

use crate::elf::Elf;

/// A line of source code that may panic.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PanicSite {
    /// The file, from the package's folder on: `usb-device-0.3.2/src/bus.rs`, `src/volume/mod.rs`.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
}

/// Longest file name.
const NAME: u32 = 240;
/// Length of a Location, in words.
const WORDS: usize = 4;

/// All sites, in order.
pub fn sites(elf: &Elf) -> Vec<PanicSite> {
    let mut found = Vec::new();
    for segment in &elf.segments {
        let words: Vec<u32> = segment
            .bytes
            .chunks_exact(4)
            .map(|bytes| bytes.iter().rev().fold(0, |word, byte| word << 8 | u32::from(*byte)))
            .collect();
        for window in words.windows(WORDS) {
            let &[pointer, length, line, column] = window else { continue };
            let plausible = (4..NAME).contains(&length) && (1..100_000).contains(&line) && (1..1000).contains(&column);
            if let Some(name) = plausible.then(|| text(elf, pointer, length)).flatten() {
                found.push(PanicSite { file: shortened(name), line });
            }
        }
    }
    found.sort();
    found.dedup();
    found
}

/// The name of a Rust file at an address.
fn text(elf: &Elf, address: u32, length: u32) -> Option<&str> {
    elf.segments.iter().find_map(|segment| {
        let start = address.checked_sub(segment.address)? as usize;
        let bytes = segment.bytes.get(start..start.checked_add(length as usize)?)?;
        let plain = bytes.ends_with(b".rs") && bytes.iter().all(u8::is_ascii_graphic);
        std::str::from_utf8(bytes).ok().filter(|_| plain)
    })
}

fn shortened(path: &str) -> String {
    // The firmware's build maps downloaded crates to /crates/; otherwise they are in cargo's registry.
    let path = match path.split_once("/crates/").or_else(|| path.split_once("/registry/src/")) {
        Some((_, rest)) => rest.split_once('/').map_or(rest, |(_, rest)| rest),
        None => path,
    };
    match path.split_once("/library/") {
        Some((_, rest)) => format!("library/{rest}"),
        None => path.trim_start_matches("/picovd/").to_owned(),
    }
}

/// Compares the sites with the allowed number for each file. Returns what is wrong.
pub fn judge(sites: &[PanicSite], allowed: &BTreeMap<String, usize>) -> Vec<String> {
    let mut by_file: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
    for site in sites {
        by_file.entry(&site.file).or_default().push(site.line);
    }
    let mut wrong = Vec::new();
    for (file, lines) in &by_file {
        let allowed = allowed.get(*file).copied().unwrap_or(0);
        if lines.len() > allowed {
            let lines: Vec<String> = lines.iter().map(u32::to_string).collect();
            wrong.push(format!(
                "{file} may panic in {} places, {allowed} are known: lines {}",
                lines.len(),
                lines.join(", ")
            ));
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::{PanicSite, judge, sites};
    use crate::elf::Elf;
    use picovd_uf2::Segment;
    use std::collections::BTreeMap;

    #[test]
    fn a_crate_has_one_name_wherever_it_is_stored() {
        for path in
            ["/crates/index-1/thing-1.0/src/lib.rs", "/home/me/.cargo/registry/src/index-1/thing-1.0/src/lib.rs"]
        {
            assert_eq!(super::shortened(path), "thing-1.0/src/lib.rs");
        }
    }

    #[test]
    fn locations_are_found_and_judged() {
        let name = b"/crates/index/thing-1.0/src/lib.rs";
        let mut bytes = name.to_vec();
        bytes.resize(36, 0);
        for word in [0x1000_0000, name.len() as u32, 42, 7] {
            bytes.extend(u32::to_le_bytes(word));
        }
        let elf = Elf {
            family: 0,
            segments: vec![Segment { address: 0x1000_0000, bytes }],
            sections: vec![],
            symbols: vec![],
        };
        let found = sites(&elf);
        assert_eq!(found, [PanicSite { file: "thing-1.0/src/lib.rs".to_owned(), line: 42 }]);
        assert!(judge(&found, &BTreeMap::from([("thing-1.0/src/lib.rs".to_owned(), 1)])).is_empty());
        assert!(judge(&found, &BTreeMap::new())[0].contains("lines 42"));
    }
}
