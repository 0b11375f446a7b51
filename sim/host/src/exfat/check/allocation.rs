//! Rules of clusters: their owners, and what the FAT and the bitmap say about them (exFAT 4, 5, 7.1.5).

use super::{Check, Checker};
use crate::exfat::volume::{BAD_CLUSTER, chain};
use crate::source::ReadError;

impl Checker<'_> {
    /// FatEntry[0] and FatEntry[1].
    pub(super) fn check_fat_head(&mut self) {
        let (zero, one) = (self.fat.first().copied(), self.fat.get(1).copied());
        self.ensure(zero == Some(0xFFFF_FFF8), Check::FatMedia, || format!("FatEntry[0] is {zero:08X?}"));
        self.ensure(one == Some(0xFFFF_FFFF), Check::FatEntryOne, || format!("FatEntry[1] is {one:08X?}"));
    }

    /// Follows an allocation and notes that `name` owns it. `length` is `None` for the root directory, whose chain
    /// determines it.
    ///
    /// Returns `None` if it cannot be followed, or if all of it belongs to something else.
    pub(super) fn claim(
        &mut self,
        name: &str,
        first: u32,
        length: Option<u64>,
        no_fat_chain: bool,
    ) -> Option<Vec<u32>> {
        let end = self.fat.len() as u64;
        let needed = length.map(|length| length.div_ceil(self.cluster_length()));
        let in_heap = first >= 2 && u64::from(first) < end;
        let fits = needed.is_none_or(|needed| needed <= end - 2);
        let run_end = u64::from(first).saturating_add(needed.unwrap_or(1));
        if !in_heap || !fits || (no_fat_chain && run_end > end) {
            let length = length.unwrap_or_default();
            self.report(Check::AllocationRange, format!("{name}: {length} bytes from cluster {first} on"));
            self.incomplete = true;
            return None;
        }
        let clusters: Vec<u32> = if no_fat_chain {
            (first..run_end as u32).collect()
        } else {
            match chain(&self.fat, first) {
                Ok(clusters) => clusters,
                Err(error) => {
                    self.report(Check::ChainBroken, format!("{name}: {error}"));
                    self.incomplete = true;
                    return None;
                }
            }
        };
        if let Some(needed) = needed.filter(|needed| *needed != clusters.len() as u64) {
            let found = clusters.len();
            self.report(Check::ChainLength, format!("{name}: a chain of {found} clusters for {needed}"));
            self.incomplete = true;
        }
        let owner = self.names.len() as u32;
        self.names.push(name.to_owned());
        let mut shared = None;
        for &cluster in &clusters {
            let index = cluster as usize;
            if !no_fat_chain {
                self.in_chain[index] = true;
            }
            if self.owners[index] == 0 {
                self.owners[index] = owner;
            } else {
                shared = Some((cluster, self.owners[index]));
            }
        }
        if let Some((cluster, other)) = shared {
            let other = self.names[other as usize].clone();
            self.report(Check::ClusterShared, format!("{name} and {other} share cluster {cluster}"));
            return None;
        }
        Some(clusters)
    }

    /// The bitmap compared with what was claimed, the FAT outside of chains, and what nothing uses.
    pub(super) fn check_clusters(&mut self) -> Result<(), ReadError> {
        if let Some(bitmap) = self.bitmap.take() {
            self.check_bitmap(&bitmap);
        }
        if self.incomplete {
            return Ok(());
        }
        let stray = (2..self.fat.len()).find(|&n| !self.in_chain[n] && ![0, BAD_CLUSTER].contains(&self.fat[n]));
        if let Some(cluster) = stray {
            let value = self.fat[cluster];
            self.report(Check::FatStray, format!("FatEntry[{cluster}] is {value:08X}h, but no chain contains it"));
        }
        for cluster in 2..self.fat.len() as u32 {
            if self.owners[cluster as usize] == 0 && self.fat[cluster as usize] != BAD_CLUSTER {
                let data = self.read_cluster(cluster)?;
                if data.iter().any(|&byte| byte != 0) {
                    self.report(Check::FreeCluster, format!("cluster {cluster} is free and not zero"));
                    break;
                }
            }
        }
        Ok(())
    }

    fn check_bitmap(&mut self, bitmap: &[u8]) {
        let count = self.fat.len() - 2;
        let bit = |index: usize| bitmap.get(index / 8).is_some_and(|byte| byte >> (index % 8) & 1 != 0);
        let (mut used, mut leak, mut missing) = (0u64, Vec::new(), Vec::new());
        for index in 0..count {
            let cluster = index + 2;
            let held = self.owners[cluster] != 0 || self.fat[cluster] == BAD_CLUSTER;
            used += u64::from(bit(index));
            match (bit(index), held) {
                (true, false) => leak.push(cluster),
                (false, true) => missing.push(cluster),
                _ => {}
            }
        }
        if let (Some(first), false) = (leak.first(), self.incomplete) {
            let text = format!("{} clusters are marked but not used, the first is {first}", leak.len());
            self.report(Check::BitmapLeak, text);
        }
        if let Some(&first) = missing.first() {
            let owner = self.names[self.owners[first] as usize].clone();
            let text = format!("{} clusters are used but not marked, the first is {first}, of {owner}", missing.len());
            self.report(Check::BitmapMissing, text);
        }
        let tail = (count..bitmap.len() * 8).any(bit);
        self.ensure(!tail, Check::BitmapTail, || format!("a bit after that of cluster {} is 1", count + 1));
        let percent = (used * 100 / count.max(1) as u64) as u8;
        let stated = self.boot.percent_in_use;
        self.ensure([percent, 0xFF].contains(&stated), Check::PercentInUse, || {
            format!("PercentInUse is {stated}, {used} of {count} clusters are {percent} %")
        });
    }
}
