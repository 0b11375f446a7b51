//! The strict checker: every rule of the standard that can be checked in an image, including those that file system
//! checkers skip.
//!
//! [`check`] reads all of a volume except the contents of files. It stops after the boot region if the fields there do not
//! allow it to find anything else. A rule that the standard leaves open and PicoVD obeys has `PicoVD` as its clause.

mod allocation;
mod boot;
mod directory;
mod file;
mod rules;
mod tables;

use std::fmt;

pub use rules::Check;

use super::boot::{BootSector, SECTOR};
use super::partition;
use super::upcase::Upcase;
use super::volume::{LONGEST_DIRECTORY, MOST_CLUSTERS};
use crate::bytes::le32;
use crate::source::{BlockSource, ReadError};

/// Maximum length of a volume that is checked, in sectors: 64 GiB.
const MOST_SECTORS: u64 = 64 << 21;

/// A rule that the volume violates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The rule.
    pub check: Check,
    /// Where, and what was found.
    pub text: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clause = self.check.clause();
        let standard = if clause.starts_with(|c: char| c.is_ascii_digit()) { "exFAT " } else { "" };
        write!(f, "{}: {} ({standard}{clause})", self.check.id(), self.text)
    }
}

/// Checks a volume against the standard.
///
/// # Errors
/// If blocks cannot be read. Wrong contents are findings, not errors.
pub fn check(source: &mut dyn BlockSource) -> Result<Vec<Finding>, ReadError> {
    let mut findings = Vec::new();
    let (medium, mut first) = (source.block_count(), 0);
    if medium != 0 {
        first = partition::first_block(source)?;
        if first != 0
            && let Some(text) = partition::wrong(&source.read(0, 1)?, medium)
        {
            findings.push(Finding { check: Check::PartitionTable, text });
        }
    }
    let blocks = medium.saturating_sub(first);
    if blocks < 24 {
        let text = format!("the medium has {blocks} blocks, the boot regions alone take 24");
        findings.push(Finding { check: Check::VolumeFits, text });
        return Ok(findings);
    }
    let regions = source.read(first, 24)?;
    if !boot::check(&regions, first, blocks, &mut findings) {
        return Ok(findings);
    }
    let boot = BootSector::parse(&regions);
    // A disk of terabytes is not a PicoVD stick, whose volume has at most 32 GiB. This limits memory and time.
    if boot.cluster_count > MOST_CLUSTERS || boot.volume_length > MOST_SECTORS {
        let (gib, count) = (boot.volume_length >> 21, boot.cluster_count);
        return Err(ReadError(format!(
            "the volume has {gib} GiB in {count} clusters; volumes of up to {} GiB in {MOST_CLUSTERS} clusters are checked",
            MOST_SECTORS >> 21
        )));
    }
    let sectors = (u64::from(boot.cluster_count) + 2).div_ceil(SECTOR as u64 / 4) as u32;
    let fat = source.read(first + u64::from(boot.fat_offset), sectors)?;
    let entries = boot.cluster_count as usize + 2;
    let fat: Vec<u32> = fat.chunks_exact(4).take(entries).map(|entry| le32(entry, 0)).collect();
    let mut checker = Checker {
        source,
        first,
        boot,
        in_chain: vec![false; fat.len()],
        owners: vec![0; fat.len()],
        names: vec![String::new()],
        fat,
        findings,
        upcase: Upcase::mandatory(),
        bitmap: None,
        incomplete: false,
    };
    checker.check_fat_head();
    checker.check_tree()?;
    checker.check_clusters()?;
    Ok(checker.findings)
}

/// What the parts of the checker share.
struct Checker<'s> {
    source: &'s mut dyn BlockSource,
    /// The block that the volume begins at.
    first: u64,
    boot: BootSector,
    fat: Vec<u32>,
    /// FAT entries that are part of a chain.
    in_chain: Vec<bool>,
    /// The owner of each cluster: index into `names`, 0 for none.
    owners: Vec<u32>,
    names: Vec<String>,
    findings: Vec<Finding>,
    upcase: Upcase,
    bitmap: Option<Vec<u8>>,
    /// Some allocation could not be followed, so unused clusters are not known any more.
    incomplete: bool,
}

impl Checker<'_> {
    fn report(&mut self, check: Check, text: String) {
        self.findings.push(Finding { check, text });
    }

    fn ensure(&mut self, holds: bool, check: Check, text: impl FnOnce() -> String) {
        if !holds {
            self.report(check, text());
        }
    }

    fn cluster_length(&self) -> u64 {
        (SECTOR as u64) << self.boot.sectors_per_cluster_shift
    }

    /// Bytes of one cluster, whose index is known to be in the heap.
    fn read_cluster(&mut self, cluster: u32) -> Result<Vec<u8>, ReadError> {
        let shift = self.boot.sectors_per_cluster_shift;
        let lba = self.first + u64::from(self.boot.cluster_heap_offset) + (u64::from(cluster - 2) << shift);
        self.source.read(lba, 1 << shift)
    }

    /// Bytes of a directory or a table, up to the length of the longest directory (exFAT 7.6.7).
    fn read_clusters(&mut self, clusters: &[u32]) -> Result<Vec<u8>, ReadError> {
        let most = LONGEST_DIRECTORY / self.cluster_length();
        if clusters.len() as u64 > most {
            self.incomplete = true;
        }
        let mut data = Vec::new();
        for &cluster in clusters.iter().take(most as usize) {
            data.extend(self.read_cluster(cluster)?);
        }
        Ok(data)
    }
}
