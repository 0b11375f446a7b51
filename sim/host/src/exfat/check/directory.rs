//! Rules of directories (exFAT 6): entry types, sets, the end.

use std::collections::HashSet;

use super::file::Child;
use super::tables::Counts;
use super::{Check, Checker};
use crate::bytes::le16;
use crate::exfat::directory::{Item, entry_type, items, set_checksum};
use crate::source::ReadError;

impl Checker<'_> {
    /// The root directory and everything below it.
    pub(super) fn check_tree(&mut self) -> Result<(), ReadError> {
        let first = self.boot.first_cluster_of_root_directory;
        let Some(clusters) = self.claim("the root directory", first, None, false) else { return Ok(()) };
        let data = self.read_clusters(&clusters)?;
        // The tables first: names are checked with the volume's own up-case table.
        let mut counts = Counts::default();
        for item in items(&data) {
            if let Item::Single { entry, .. } = item {
                self.check_single(entry, &mut counts)?;
            }
        }
        self.check_counts(&counts);
        let mut directories = Vec::new();
        let mut next = Some((String::new(), data));
        while let Some((path, data)) = next {
            for Child { path, first_cluster, data_length, no_fat_chain } in self.check_directory(&path, &data)? {
                if let Some(mut clusters) = self.claim(&path, first_cluster, Some(data_length), no_fat_chain) {
                    // A chain that is too long was reported before.
                    clusters
                        .truncate(usize::try_from(data_length.div_ceil(self.cluster_length())).unwrap_or(usize::MAX));
                    directories.push((path, clusters));
                }
            }
            // One directory is in memory at a time.
            drop(data);
            next = match directories.pop() {
                Some((path, clusters)) => Some((path, self.read_clusters(&clusters)?)),
                None => None,
            };
        }
        Ok(())
    }

    /// Checks one directory's entries; returns its sub-directories. `path` is empty for the root.
    fn check_directory(&mut self, path: &str, data: &[u8]) -> Result<Vec<Child>, ReadError> {
        // Some readers do not follow a directory into a second cluster, so it should have one only if its entries need it.
        let cluster = self.cluster_length() as usize;
        let used = data.chunks_exact(32).take_while(|entry| entry[0] != 0).count() + 1;
        let needed = (used * 32).div_ceil(cluster);
        self.ensure(data.len() <= needed * cluster, Check::DirectoryShort, || {
            format!("{path}/: {} clusters for {used} entries, its end among them", data.len() / cluster)
        });
        let mut children = Vec::new();
        let mut names = HashSet::new();
        for item in items(data) {
            match item {
                Item::Single { index, entry } => {
                    let kind = entry[0];
                    self.ensure(path.is_empty(), Check::EntryPlace, || {
                        format!("{path}/: entry {index} is of type {kind:02X}h")
                    });
                }
                Item::Stray { index, entry_type } => {
                    let text = format!("{path}/: entry {index} of type {entry_type:02X}h is outside of any set");
                    self.report(Check::EntryType, text);
                }
                Item::End { index, rest } => {
                    let zero = rest.iter().all(|&byte| byte == 0);
                    self.ensure(zero, Check::DirectoryEnd, || {
                        format!("{path}/: not all bytes after the end-of-directory marker, entry {index}, are zero")
                    });
                }
                Item::Set { index, entries, complete } => {
                    let place = format!("{path}/: entry {index}");
                    if complete {
                        let (stated, sum) = (le16(entries, 2), set_checksum(entries));
                        self.ensure(stated == sum, Check::SetChecksum, || {
                            format!("{place}: SetChecksum is {stated:04X}h, not {sum:04X}h")
                        });
                    } else {
                        self.report(Check::SecondaryCount, format!("{place}: fewer than {} follow", entries[1]));
                    }
                    match entries[0] {
                        entry_type::FILE => children.extend(self.check_file(path, &place, entries, &mut names)?),
                        entry_type::VOLUME_GUID => self.report(Check::VolumeGuid, place),
                        // Benign primary entries may be unknown (exFAT 8.2).
                        kind if kind & 0x20 != 0 => {}
                        kind => self.report(Check::EntryType, format!("{place} is of the unknown type {kind:02X}h")),
                    }
                }
            }
        }
        Ok(children)
    }
}
