//! The files: every one is read as a whole, hashed, and compared with the manifest.

use super::problem::{Problem, Problems};
use super::{Failure, Shown};
use picovd_manifest::{DiskPlan, FileSource, Partitions, PlannedFile};
use picovd_sim::host::BlockSource;
use picovd_sim::host::exfat::boot::BootSector;
use picovd_sim::host::exfat::volume::{Node, Volume};
use picovd_sim::host::printed::Printed;
use picovd_sim::host::source::{BLOCK_LENGTH, ReadError};
use sha2::{Digest, Sha256};
use std::collections::{BTreeSet, HashSet};
use std::io::Write;
use std::ops::Range;

/// Length of the shortest flash chip that a board has, in bytes.
const SHORTEST_FLASH: u64 = 512 << 10;

/// Blocks of one step through a file: 64 KiB.
const STEP: u64 = 128;

/// A file and the location of its bytes.
pub struct Found {
    path: String,
    node: Node,
    /// First block and number of blocks of each piece, or why they are unknown.
    pieces: Result<Vec<(u64, u64)>, String>,
}

/// The contents of a volume.
#[derive(Default)]
pub struct Tree {
    files: Vec<Found>,
    directories: BTreeSet<String>,
}

/// Lists everything. A directory that cannot be listed is a problem, and the others are listed nevertheless.
pub fn tree(volume: &mut Volume<'_>, problems: &mut Problems) -> Tree {
    let mut tree = Tree::default();
    let mut left = vec![(String::new(), volume.root())];
    // Two directories on the same clusters are damage, and might be a loop.
    let mut seen = HashSet::new();
    while let Some((path, directory)) = left.pop() {
        if !seen.insert(directory.first_cluster) {
            problems.add(Problem::medium("directory", format!("{path}: shares its clusters with another directory")));
            continue;
        }
        let nodes = match volume.list_damaged(&directory) {
            Ok(nodes) => nodes,
            Err(error) => {
                let text = format!("{path}/: {error}; its contents are not read");
                problems.add(Problem::medium("directory", text));
                continue;
            }
        };
        for node in nodes {
            let node = match node {
                Ok(node) => node,
                Err(error) => {
                    problems.add(Problem::medium("directory", format!("{path}/: {error}; it is not read")));
                    continue;
                }
            };
            // Names in manifests contain nothing to be escaped, so paths are compared as they are shown.
            let name = Printed(&node.name);
            let path = if path.is_empty() { name.to_string() } else { format!("{path}/{name}") };
            if node.is_directory() {
                tree.directories.insert(path.clone());
                left.push((path, node));
            } else {
                let pieces = pieces(volume, &node);
                tree.files.push(Found { path, node, pieces });
            }
        }
    }
    tree.files.sort_by(|a, b| a.path.cmp(&b.path));
    tree
}

/// Where a file's bytes are, with adjacent clusters as one piece.
fn pieces(volume: &Volume<'_>, node: &Node) -> Result<Vec<(u64, u64)>, String> {
    let boot = volume.boot();
    let blocks = 1 << boot.sectors_per_cluster_shift;
    let mut pieces: Vec<(u64, u64)> = Vec::new();
    for cluster in volume.clusters(node).map_err(|error| error.to_string())? {
        let lba = volume.block_of(cluster);
        match pieces.last_mut() {
            Some((first, count)) if *first + *count == lba => *count += blocks,
            _ => pieces.push((lba, blocks)),
        }
    }
    Ok(pieces)
}

/// Reads every file and prints a line for each.
pub fn read(
    disk: &mut Shown,
    tree: Tree,
    mut judge: Option<Judge<'_>>,
    problems: &mut Problems,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let longest = tree.files.iter().map(|file| file.path.chars().count()).max().unwrap_or_default();
    writeln!(out, "\n{:>12}  {:<64}  path", "bytes", "SHA-256")?;
    for file in &tree.files {
        let planned = judge.as_mut().map(|judge| judge.planned(&file.path));
        let mut reader = Reader { hash: Sha256::default(), at: 0, wrong: None, planned: planned.flatten() };
        let length = file.node.data_length;
        let result = match &file.pieces {
            Ok(pieces) => reader.read(disk, &file.node, pieces),
            Err(error) => Err(ReadError(error.clone())),
        };
        let (sum, mut verdict) = match result {
            Ok(()) => (hexadecimal(&reader.hash.finalize()), ""),
            Err(error) => {
                let text = format!("{}: unreadable from byte {} on: {error}", file.path, reader.at);
                problems.add(Problem::medium("unreadable", text));
                ("unreadable".to_owned(), "unreadable")
            }
        };
        if let Some(judge) = &judge {
            let words = judge.verdict(&file.path, length, reader.planned, reader.wrong, problems);
            verdict = if verdict.is_empty() { words } else { verdict };
        }
        let line = format!("{length:>12}  {sum:<64}  {:<longest$}  {verdict}", file.path);
        writeln!(out, "{}", line.trim_end())?;
    }
    if tree.files.is_empty() {
        writeln!(out, "no files")?;
    }
    if let Some(judge) = judge {
        judge.missing(&tree.directories, problems);
    }
    Ok(())
}

/// Lower-case digits, as `sha256sum` and `shasum -a 256` print them.
fn hexadecimal(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A file while it is being read.
struct Reader<'p> {
    hash: Sha256,
    /// How many bytes have been read.
    at: u64,
    /// The first byte that differs from the manifest: its offset, and its value.
    wrong: Option<(u64, u8)>,
    planned: Option<&'p PlannedFile>,
}

impl Reader<'_> {
    fn read(&mut self, disk: &mut Shown, node: &Node, pieces: &[(u64, u64)]) -> Result<(), ReadError> {
        for &(first, count) in pieces {
            for step in (0..count).step_by(STEP as usize) {
                let left = node.data_length - self.at;
                if left == 0 {
                    return Ok(());
                }
                let blocks = STEP.min(count - step).min(left.div_ceil(BLOCK_LENGTH as u64));
                let mut data = disk.read(first + step, blocks as u32)?;
                data.truncate(usize::try_from(left).unwrap_or(usize::MAX));
                // After ValidDataLength, a file reads as zeros (exFAT 7.6.5).
                let valid = node.valid_data_length.saturating_sub(self.at);
                let valid = usize::try_from(valid).unwrap_or(usize::MAX).min(data.len());
                data[valid..].fill(0);
                self.take(&data);
            }
        }
        Ok(())
    }

    /// The next bytes of the file.
    fn take(&mut self, data: &[u8]) {
        self.hash.update(data);
        if let (Some(planned), None) = (self.planned, self.wrong) {
            let place = difference(&planned.source, self.at, data);
            self.wrong = place.map(|place| (self.at + place as u64, data[place]));
        }
        self.at += data.len() as u64;
    }
}

/// The first of the bytes from `at` on that the manifest does not allow. After the length in the manifest, all are allowed:
/// a wrong length is reported separately.
fn difference(source: &FileSource, at: u64, data: &[u8]) -> Option<usize> {
    match source {
        FileSource::Bytes(bytes) => {
            let expected = usize::try_from(at).ok().and_then(|at| bytes.get(at..)).unwrap_or_default();
            data.iter().zip(expected).position(|(found, expected)| found != expected)
        }
        FileSource::Memory { redacted, .. } => {
            let end = at + data.len() as u64;
            let shown = |range: &Range<u64>| range.start.max(at)..range.end.min(end);
            redacted
                .iter()
                .map(shown)
                .filter(|range| !range.is_empty())
                .find_map(|mut range| range.find(|place| data[(place - at) as usize] != 0))
                .map(|place| (place - at) as usize)
        }
    }
}

/// The manifest, compared with what is on the disk.
pub struct Judge<'p> {
    plan: &'p DiskPlan,
    /// Files of the manifest that were not found yet.
    left: Vec<&'p PlannedFile>,
}

impl<'p> Judge<'p> {
    /// Compares length and label of the volume with the plan.
    pub fn new(plan: &'p DiskPlan, boot: &BootSector, label: &str, problems: &mut Problems) -> Self {
        let (found, expected) = (boot.volume_length, u64::from(plan.volume_length));
        if found != expected {
            let text = format!("the volume has {found} blocks; the manifest says {expected}");
            let remedy = "was the firmware built from this manifest?";
            problems.add(Problem::manifest("volume-length", text).remedy(remedy));
        }
        let (found, expected) = (boot.partition_offset, u64::from(plan.partition_offset));
        if found != expected {
            let text = format!("the volume says that it begins at LBA {found}; the manifest says {expected}");
            problems.add(Problem::manifest("partition-table", text));
        }
        let text = String::from_utf16_lossy(&plan.label.units);
        let digits = label.strip_prefix(&text);
        let is_digit = |c: char| c.is_ascii_digit() || ('A'..='F').contains(&c);
        let sound = match digits {
            Some("") => true,
            Some(digits) => plan.label.board_digits && digits.len() == 4 && digits.chars().all(is_digit),
            None => false,
        };
        if !sound {
            let more = if plan.label.board_digits { " and four digits of the board" } else { "" };
            let text = format!("the label is {label:?}; the manifest says {text:?}{more}");
            // The label is one of the settings.
            match plan.settings.sectors {
                0 => problems.add(Problem::manifest("label", text)),
                _ => problems.remark(format!("{text}; the settings may say so")),
            }
        }
        Self { plan, left: plan.files.iter().collect() }
    }

    /// What the manifest has at a path.
    fn planned(&mut self, path: &str) -> Option<&'p PlannedFile> {
        let index = self.left.iter().position(|file| file.path.trim_start_matches('/') == path)?;
        Some(self.left.swap_remove(index))
    }

    /// Checks one file; returns the remark for its line.
    fn verdict(
        &self,
        path: &str,
        length: u64,
        planned: Option<&PlannedFile>,
        wrong: Option<(u64, u8)>,
        problems: &mut Problems,
    ) -> &'static str {
        let Some(planned) = planned else {
            if let Some(most) = self.made(path) {
                if length > most {
                    let text = format!("{path} has {length} bytes; the manifest allows at most {most}");
                    problems.add(Problem::manifest("file-length", text));
                    return "DIFFERS from the manifest";
                }
                return "the firmware's own";
            }
            let text = format!("{path} is on the disk but not in the manifest");
            if self.is_open() {
                problems.remark(format!("{text}; the program may have created it"));
            } else {
                problems.add(Problem::manifest("unknown-file", text));
            }
            return "not in the manifest";
        };
        let shorter = self.is_cut_to_flash(planned, length);
        if length != planned.length && !shorter {
            let text = format!("{path} has {length} bytes; the manifest says {}", planned.length);
            problems.add(Problem::manifest("file-length", text));
        }
        if let Some((at, byte)) = wrong {
            problems.add(match &planned.source {
                FileSource::Bytes(bytes) => {
                    let expected = usize::try_from(at).ok().and_then(|at| bytes.get(at)).copied().unwrap_or_default();
                    let text = format!("{path}: byte {at} is {byte:02x}h; the manifest says {expected:02x}h");
                    Problem::manifest("file-bytes", text)
                }
                FileSource::Memory { .. } => {
                    let text = format!("{path}: byte {at} is {byte:02x}h in a range that is redacted");
                    Problem::manifest("redaction", text)
                }
            });
        }
        match &planned.source {
            _ if length != planned.length && !shorter || wrong.is_some() => "DIFFERS from the manifest",
            FileSource::Memory { .. } if shorter => "memory: readable, as long as the board's flash",
            FileSource::Bytes(_) => "matches the manifest",
            FileSource::Memory { redacted, .. } if redacted.is_empty() => "memory: readable, length right",
            FileSource::Memory { .. } => "memory: readable, length right, redacted ranges zero",
        }
    }

    /// Whether a file that shows flash ends at the end of a flash chip that is shorter than the manifest reserves.
    fn is_cut_to_flash(&self, planned: &PlannedFile, length: u64) -> bool {
        let mut places = self.plan.flash_files.iter().filter(|file| file.first_cluster.0 == planned.first_cluster);
        places.next().is_some_and(|file| {
            let end = u64::from(file.offset) + length;
            // A file after the end of flash is empty.
            length < planned.length && (length == 0 || end.is_power_of_two() && end >= SHORTEST_FLASH)
        })
    }

    /// Maximum length of a file of the firmware; `None` if the manifest does not request such a file.
    fn made(&self, path: &str) -> Option<u64> {
        let Partitions { enabled, folder } = &self.plan.partitions;
        let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
        let built_in = self.plan.built_in.iter().find(|file| file.path == path).map(|file| file.capacity.into());
        // A partition may have any name; if the folder is the root directory, so may a file of the program.
        let partition = *enabled && parent == folder && path.ends_with(".BIN");
        built_in.or_else(|| partition.then_some(u64::from(self.plan.chip.flash_size)))
    }

    /// Whether the program may add files of its own: it may use room for partitions that the board does not have.
    fn is_open(&self) -> bool {
        self.plan.changes.files > 0 || self.plan.partitions.enabled
    }

    /// Files of the manifest that are missing.
    fn missing(self, directories: &BTreeSet<String>, problems: &mut Problems) {
        // A file that depends on a setting may be there or not.
        for file in self.left.iter().filter(|file| !file.by_setting) {
            problems.add(Problem::manifest("missing-file", format!("{} is not on the disk", file.path)));
        }
        for directory in &self.plan.directories {
            let path = directory.path.trim_matches('/');
            if !path.is_empty() && !directories.contains(path) {
                problems.add(Problem::manifest("missing-directory", format!("{path}/ is not on the disk")));
            }
        }
    }
}
