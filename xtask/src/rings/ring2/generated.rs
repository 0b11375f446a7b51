//! Large manifests: too long to be stored, and the same for every run.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

/// Generates a manifest.
type Make = fn(&mut Manifest);

/// Each manifest by name.
const MANIFESTS: [(&str, Make); 14] = [
    ("thousand-files", thousand_files),
    ("eight-deep", eight_deep),
    ("windows-of-16-mib", windows_of_16_mib),
    ("many-windows", many_windows),
    ("beyond-unit-250", beyond_unit_250),
    ("beyond-unit-250-in-other-scripts", beyond_unit_250_in_other_scripts),
    ("names-of-every-length", names_of_every_length),
    ("empty-files-only", empty_files_only),
    ("one-byte-files", one_byte_files),
    ("directories-at-cluster-ends", directories_at_cluster_ends),
    ("slots", slots),
    ("bitmap-of-two-clusters", bitmap_of_two_clusters),
    ("random-1", |manifest| random(manifest, 1)),
    ("random-2", |manifest| random(manifest, 2)),
];

/// Writes every manifest into a folder. Returns their names and paths.
pub fn write(folder: &Path) -> Result<Vec<(String, PathBuf)>, String> {
    fs::create_dir_all(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    MANIFESTS
        .iter()
        .map(|(name, make)| {
            let mut manifest = Manifest::default();
            make(&mut manifest);
            let path = folder.join(format!("{name}.toml"));
            fs::write(&path, manifest.0).map_err(|e| format!("{}: {e}", path.display()))?;
            Ok(((*name).to_owned(), path))
        })
        .collect()
}

/// A manifest's text.
#[derive(Default)]
struct Manifest(String);

impl Manifest {
    fn head(&mut self, text: &str) {
        self.0.push_str(text);
    }

    /// A file with that many bytes, which depend on its name.
    fn file(&mut self, path: &str, length: usize) {
        let text: String = path.chars().filter(char::is_ascii_alphanumeric).cycle().take(length).collect();
        // For a path without such a character.
        let text = if text.len() < length { "x".repeat(length) } else { text };
        let _ = writeln!(self.0, "[[file]]\npath = \"{path}\"\ntext = \"{text}\"\n");
    }

    fn memory(&mut self, path: &str, base: u64, length: u64) {
        let _ = writeln!(self.0, "[[memory]]\npath = \"{path}\"\nbase = {base:#x}\nlength = {length}\n");
    }
}

/// One folder whose directory takes many clusters.
fn thousand_files(manifest: &mut Manifest) {
    manifest.head("[volume]\nlabel = \"THOUSAND\"\n[chip]\nflash-size = \"16 MiB\"\n");
    for index in 0..1000 {
        manifest.file(&format!("a thousand/file number {index}.txt"), index * 7 % 4100);
    }
}

/// Folders eight deep, three in each, one of which has further ones.
fn eight_deep(manifest: &mut Manifest) {
    let mut path = String::new();
    for depth in 1..=8 {
        for side in ["left", "right"] {
            manifest.file(&format!("{path}{side} {depth}/leaf.txt"), depth * 100);
        }
        let _ = write!(path, "depth {depth}/");
        manifest.file(&format!("{path}file.txt"), depth * 1000);
    }
}

fn windows_of_16_mib(manifest: &mut Manifest) {
    manifest.head("[chip]\nflash-size = \"16 MiB\"\n[settings]\nsectors = 4\n");
    manifest.head("[[memory]]\npath = \"FLASH.BIN\"\nwindow = \"flash\"\n");
    manifest.head("[[memory]]\npath = \"SRAM.BIN\"\nwindow = \"sram\"\n");
    manifest.head("[[redact]]\nname = \"settings\"\n");
    manifest.memory("last.bin", 0x1CFF_FFFF, 1);
    manifest.file("README.TXT", 4097);
}

/// Windows of all lengths around sectors and clusters, through all aliases.
fn many_windows(manifest: &mut Manifest) {
    let bases = [0x2000_0000_u64, 0x1000_0003, 0x1400_0FFF, 0x1C00_1000, 0x0000_0001];
    for (folder, base) in bases.into_iter().enumerate() {
        for length in [1, 2, 511, 512, 513, 4095, 4096, 4097, 8191, 20_000] {
            manifest.memory(&format!("from {folder}/{length} bytes.bin"), base + length % 4096, length);
        }
    }
}

/// Names that are equal up to unit 250, but whose hashes differ.
fn beyond_unit_250(manifest: &mut Manifest) {
    let same = "n".repeat(250);
    for index in 0..30 {
        manifest.file(&format!("same/{same}{index:05}"), index * 3);
    }
    // One folder of such a name, and one that differs only in the last unit.
    manifest.file(&format!("{same}folda/a.txt"), 10);
    manifest.file(&format!("{same}foldb/b.txt"), 20);
}

fn beyond_unit_250_in_other_scripts(manifest: &mut Manifest) {
    for (script, same) in [("ж", "ж".repeat(250)), ("語", "語".repeat(250)), ("𐀀", "𐀀".repeat(125))] {
        for index in 0..5 {
            manifest.file(&format!("{script}/{same}{index:05}"), index * 100 + 1);
            manifest.file(&format!("{script}/{same}{index:04}ß"), index * 100 + 2);
        }
    }
}

/// Every possible length of a name, and so every number of name entries, except 128 units, which tests/manifests has in a
/// separate manifest because a reader aborts on it.
fn names_of_every_length(manifest: &mut Manifest) {
    for units in (1..=255).filter(|units| *units != 128) {
        manifest.file(&format!("names/{}", "abcdefghij".chars().cycle().take(units).collect::<String>()), units % 3);
    }
}

/// Folders with nothing but empty files: no file has a cluster.
fn empty_files_only(manifest: &mut Manifest) {
    for index in 0..60 {
        manifest.file(&format!("folder {}/empty {index}", index % 7), 0);
    }
}

/// A cluster for each byte.
fn one_byte_files(manifest: &mut Manifest) {
    for index in 0..150 {
        manifest.file(&format!("byte {index}"), 1);
        manifest.file(&format!("between/{index}"), index % 2);
    }
}

/// Directories whose entries end right before, at, and after the end of a cluster of 128 entries. A file's set has two
/// entries, and one for each 15 units of its name.
fn directories_at_cluster_ends(manifest: &mut Manifest) {
    for entries in [125_usize, 126, 127, 128, 129, 255, 256, 257] {
        // Sets of three entries, and the remainder as one of four or five.
        let last = 3 + entries % 3;
        for index in 0..(entries - last) / 3 {
            manifest.file(&format!("{entries} entries/{index}"), 2);
        }
        manifest.file(&format!("{entries} entries/{}", "l".repeat((last - 2) * 15)), 3);
    }
}

/// A root directory with room for as many dynamic files as there can be.
fn slots(manifest: &mut Manifest) {
    manifest.head("[dynamic]\nfiles = 256\nmax-name = 255\nwindow = \"4 MiB\"\n");
    for index in 0..20 {
        manifest.file(&format!("static {index}.txt"), index * 50);
    }
}

/// More than 32,768 clusters: their bits take a second cluster.
fn bitmap_of_two_clusters(manifest: &mut Manifest) {
    manifest.head("[volume]\nminimum-size = \"130 MiB\"\n[dynamic]\nfiles = 4\nwindow = \"1 MiB\"\n");
    manifest.file("A.TXT", 5000);
    manifest.memory("RAM.BIN", 0x2000_0000, 100_000);
}

/// The images go to programs that others wrote, a process for each: there is no property in this process that a smaller manifest
/// could be held against.
fn random(manifest: &mut Manifest, seed: u64) {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    // xorshift64* (Marsaglia 2003, Vigna 2016).
    let mut below = move |limit: u64| {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        ((state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16) % limit) as usize
    };
    let letters: Vec<char> = "aZ0 -_ñßжЯλΩ語カ한अ😀𐐨".chars().collect();
    for index in 0..80 {
        let folders: String = (0..below(5)).map(|depth| format!("{depth} {}/", below(3))).collect();
        let name: String = (0..below(60)).map(|_| letters[below(letters.len() as u64)]).collect();
        let length = if below(2) == 0 { 512 * below(20) } else { below(9000) };
        manifest.file(&format!("{folders}{index}{name}.bin"), length);
    }
    for index in 0..6 {
        let base = 0x2000_0000 + below(0x4_0000) as u64;
        manifest.memory(&format!("windows/{index}.bin"), base, 1 + below(0x4_0000) as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::{MANIFESTS, Manifest};

    #[test]
    fn every_manifest_is_toml_and_the_same_each_time() {
        for (name, make) in MANIFESTS {
            let mut texts = [Manifest::default(), Manifest::default()];
            texts.iter_mut().for_each(make);
            let table: toml::Table = texts[0].0.parse().unwrap_or_else(|e| panic!("{name}: {e}"));
            assert!(table.contains_key("file") || table.contains_key("memory"), "{name}");
            assert_eq!(texts[0].0, texts[1].0, "{name}");
        }
    }
}
