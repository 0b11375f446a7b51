//! Unused entries before those of dynamic files, in each generation a different number of them.
//!
//! Linux's exfat driver identifies inodes by the directory's cluster and the number of the entry. Inodes of open files survive a
//! change of the medium ("VFS: busy inodes on changed media"), and with them the mounted volume, which the next mount reuses: a
//! file whose entry set replaces that of an open one would be shown with the open file's length and clusters. So entry sets move
//! in each generation, if the directory's last cluster has room.

use super::slot::ROOT;
use crate::volume::layout::Layout;
use crate::volume::lookup;
use picovd_exfat::ClusterIndex;
use picovd_exfat::entry::ENTRY_LENGTH;

/// EntryType of an unused entry: InUse (exFAT 6.2.1.4) is 0.
const UNUSED: u8 = 0x05;

/// How many different numbers of unused entries there are: after so many generations, entry sets are where they were before.
const NUMBERS: u32 = 8;

/// What a generation lists of dynamic files in a directory of the manifest.
#[derive(Clone, Copy)]
pub(super) struct Listed {
    /// Its slot, or [`ROOT`].
    pub folder: u8,
    /// Length in bytes of the unused entries that come first.
    pub unused: u32,
    /// Length in bytes of all entries.
    pub length: u32,
}

impl Listed {
    pub const NOTHING: Self = Self { folder: ROOT, unused: 0, length: 0 };
}

/// How many bytes of unused entries generation `number` has in the directory of the manifest that begins at `cluster`, before
/// `listed` bytes of entries. They take no additional cluster, only unused room in those of the directory.
pub(super) fn length(layout: &Layout<'_>, cluster: ClusterIndex, listed: u32, number: u32) -> u32 {
    let entry = ENTRY_LENGTH as u32;
    if listed == 0 {
        return 0;
    }
    let own = lookup::directory_at(layout, cluster).map_or(0, |directory| directory.entries.len() as u32);
    // Including the end-of-directory entry.
    let used = own + listed + entry;
    let spare = ((layout.clusters(used) << layout.cluster_shift()) - used) / entry;
    number % NUMBERS.min(spare + 1) * entry
}

/// Renders `length` bytes of unused entries, from byte `start` on.
pub(super) fn render(length: u32, start: u32, out: &mut [u8]) {
    let first = start.next_multiple_of(ENTRY_LENGTH as u32);
    let entries = out.iter_mut().skip((first - start) as usize).step_by(ENTRY_LENGTH);
    for (entry, _) in entries.zip((first..length).step_by(ENTRY_LENGTH)) {
        *entry = UNUSED;
    }
}

#[cfg(test)]
mod tests {
    use super::render;

    #[test]
    fn entries_are_unused_in_every_piece() {
        let mut whole = [0; 128];
        render(96, 0, &mut whole);
        assert!(whole.iter().enumerate().all(|(at, byte)| (*byte == 0x05) == [0, 32, 64].contains(&at)));
        for start in 0..128 {
            for end in start..=128 {
                let mut piece = [0; 128];
                render(96, start as u32, &mut piece[..end - start]);
                assert_eq!(piece[..end - start], whole[start..end]);
            }
        }
    }
}
