//! The File Allocation Table's entries (4.1) and the indexes of clusters.

/// Index of a cluster. The first cluster of the heap is 2 (5.1); 0 means "none" where the standard says so.
///
/// A value of this type may be beyond the end of the heap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClusterIndex(pub u32);

impl ClusterIndex {
    /// The cluster of an allocation of no bytes (6.2.2: FirstCluster 0).
    pub const NONE: Self = Self(0);
    /// The first cluster of the cluster heap.
    pub const FIRST: Self = Self(2);

    /// The cluster that many clusters later.
    #[must_use]
    pub const fn after(self, clusters: u32) -> Self {
        Self(self.0.saturating_add(clusters))
    }
}

/// Length of an entry of the FAT in bytes.
pub const FAT_ENTRY_LENGTH: usize = 4;

/// An entry of the FAT (4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FatEntry(pub u32);

impl FatEntry {
    /// `FatEntry[0]` (4.1.1): the media type F8h, all other bits set.
    pub const MEDIA: Self = Self(0xFFFF_FFF8);
    /// `FatEntry[1]` (4.1.2), which only history explains.
    pub const RESERVED: Self = Self(0xFFFF_FFFF);
    /// Last cluster of a chain (4.1.3).
    pub const END_OF_CHAIN: Self = Self(0xFFFF_FFFF);
    /// A cluster marked bad (4.1.3).
    pub const BAD: Self = Self(0xFFFF_FFF7);
    /// Not part of a chain: the cluster is free, or its allocation has NoFatChain set.
    pub const NONE: Self = Self(0);

    /// The entry of a cluster that is followed by `next` in its chain.
    #[must_use]
    pub const fn next(next: ClusterIndex) -> Self {
        Self(next.0)
    }

    /// The entry's bytes.
    #[must_use]
    pub const fn encode(self) -> [u8; FAT_ENTRY_LENGTH] {
        self.0.to_le_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_two_entries() {
        assert_eq!(FatEntry::MEDIA.encode(), [0xF8, 0xFF, 0xFF, 0xFF]);
        assert_eq!(FatEntry::RESERVED.encode(), [0xFF; 4]);
        assert_eq!(FatEntry::next(ClusterIndex(0x0102)).encode(), [2, 1, 0, 0]);
    }
}
