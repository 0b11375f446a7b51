//! What a host requested from the device: the simulator's record, divided into phases, and the table created from it.

use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

/// A phase counts as over after this time without additions.
const SETTLED: Duration = Duration::from_millis(400);
/// Time limit for a host that never stops.
const LIMIT: Duration = Duration::from_secs(20);

/// The file that `cargo sim serve --record` writes.
pub struct Record {
    path: PathBuf,
    seen: usize,
}

impl Record {
    /// A record of which nothing was read.
    pub fn new(path: PathBuf) -> Self {
        Self { path, seen: 0 }
    }

    /// Everything.
    pub fn all(&self) -> Result<String, String> {
        fs::read_to_string(&self.path).map_err(|e| format!("{}: {e}", self.path.display()))
    }

    /// Waits until the host has stopped for a moment, and returns the lines since the last call.
    pub fn settle(&mut self) -> Result<Vec<String>, String> {
        let start = Instant::now();
        let mut last = (self.all()?, Instant::now());
        while last.1.elapsed() < SETTLED && start.elapsed() < LIMIT {
            thread::sleep(Duration::from_millis(20));
            let now = self.all()?;
            if now != last.0 {
                last = (now, Instant::now());
            }
        }
        let lines: Vec<String> = last.0.lines().skip(self.seen).map(str::to_owned).collect();
        self.seen += lines.len();
        Ok(lines)
    }
}

/// One command of the record.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    name: String,
    blocks: Option<(u64, u64)>,
    bytes: u64,
    passed: bool,
}

impl Entry {
    /// A line of the record: name, LBA, blocks, bytes, status. `None` for lines that are not commands.
    fn parse(line: &str) -> Option<Self> {
        let fields: Vec<&str> = line.split('\t').collect();
        let [name, lba, count, bytes, status] = fields[..] else { return None };
        let blocks = lba.parse().ok().zip(count.parse().ok());
        Some(Self { name: name.to_owned(), blocks, bytes: bytes.parse().ok()?, passed: status == "0" })
    }
}

/// What happened during one action of the guest.
pub struct Phase {
    name: &'static str,
    entries: Vec<Entry>,
}

impl Phase {
    /// A phase from the lines of the record.
    pub fn new(name: &'static str, lines: Vec<String>) -> Self {
        Self { name, entries: lines.iter().filter_map(|line| Entry::parse(line)).collect() }
    }
}

/// Sums per phase in this run. The number of READs that fetch the sectors depends on the guest's speed.
pub fn summary(phases: &[Phase]) -> String {
    let mut text = format!("{:<16}{:>10}{:>10}{:>10}{:>10}\n", "phase", "commands", "reads", "sectors", "bytes");
    let mut sums = [0; 4];
    for phase in phases {
        let reads = phase.entries.iter().filter_map(|entry| entry.blocks);
        let sectors: u64 = reads.clone().map(|(_, count)| count).sum();
        let bytes = phase.entries.iter().map(|entry| entry.bytes).sum();
        let row = [phase.entries.len() as u64, reads.count() as u64, sectors, bytes];
        text += &line(phase.name, &row);
        for (sum, value) in sums.iter_mut().zip(row) {
            *sum += value;
        }
        if phase.name == "mount" {
            text += &line("until mounted", &sums);
        }
    }
    text
}

/// What does not depend on speed: sectors and bytes per phase, then every command in order. Adjacent equal commands, and
/// READs that continue each other, share a line.
pub fn table(phases: &[Phase]) -> String {
    let mut text = format!("{:<16}{:>10}{:>10}\n", "phase", "sectors", "bytes");
    let mut sums = [0; 2];
    for phase in phases {
        let sectors = phase.entries.iter().filter_map(|entry| entry.blocks).map(|(_, count)| count).sum();
        let row = [sectors, phase.entries.iter().map(|entry| entry.bytes).sum()];
        text += &line(phase.name, &row);
        for (sum, value) in sums.iter_mut().zip(row) {
            *sum += value;
        }
        if phase.name == "mount" {
            text += &line("until mounted", &sums);
        }
    }
    for phase in phases {
        text += &format!("\n{}\n", phase.name);
        let merged = merge(&phase.entries);
        let mut rest = merged.as_slice();
        while let [first, ..] = rest {
            let same = rest.iter().take_while(|entry| *entry == first).count();
            let blocks = match first.blocks {
                Some((lba, count)) => format!("lba {lba:>6}  blocks {count:>3}"),
                None => String::new(),
            };
            let status = if first.passed { "" } else { "failed" };
            let times = if same > 1 { format!("{same} times") } else { String::new() };
            let shown = format!("    {:<24}{blocks:<24}{:>8} bytes  {status:<8}{times}", first.name, first.bytes);
            text += shown.trim_end();
            text += "\n";
            rest = &rest[same..];
        }
    }
    text
}

/// Joins each READ with the one that ends where it starts.
fn merge(entries: &[Entry]) -> Vec<Entry> {
    let mut merged: Vec<Entry> = Vec::new();
    for entry in entries {
        if let (Some(last), Some((lba, count))) = (merged.last_mut(), entry.blocks)
            && let Some((start, length)) = last.blocks
            && start + length == lba
            && last.passed
            && entry.passed
        {
            last.blocks = Some((start, length + count));
            last.bytes += entry.bytes;
        } else {
            merged.push(entry.clone());
        }
    }
    merged
}

fn line(name: &str, row: &[u64]) -> String {
    let cells: String = row.iter().map(|value| format!("{value:>10}")).collect();
    format!("{name:<16}{cells}\n")
}

#[cfg(test)]
mod tests {
    use super::{Phase, summary, table};

    #[test]
    fn phases_are_added_up() {
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        let phases = [
            Phase::new(
                "attach",
                lines("plugged in\nINQUIRY\t-\t-\t36\t0\nREAD(10)\t0\t8\t4096\t0\nREAD(10)\t8\t1\t512\t0"),
            ),
            Phase::new("mount", lines("READ(10)\t24\t1\t0\t1\nREAD(10)\t24\t1\t512\t0\nREAD(10)\t24\t1\t512\t0")),
        ];
        let text = summary(&phases);
        assert!(text.contains("until mounted            6         5        12      5668\n"), "{text}");
        let text = table(&phases);
        assert!(text.contains("until mounted           12      5668\n"), "{text}");
        assert!(text.contains("lba      0  blocks   9      4608 bytes\n"), "{text}");
        assert!(text.contains("2 times") && text.contains("failed"), "{text}");
    }
}
