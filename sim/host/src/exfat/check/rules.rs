//! The list of rules: a stable name, the clause, and what it says.

macro_rules! rules {
    ($($variant:ident $id:literal $clause:literal $about:literal;)*) => {
        /// A rule.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Check {
            $(#[doc = $about] $variant,)*
        }

        impl Check {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The stable name.
            #[must_use]
            pub const fn id(self) -> &'static str {
                match self { $(Self::$variant => $id,)* }
            }

            /// The clause of the exFAT specification, or `PicoVD`.
            #[must_use]
            pub const fn clause(self) -> &'static str {
                match self { $(Self::$variant => $clause,)* }
            }

            /// What it says.
            #[must_use]
            pub const fn about(self) -> &'static str {
                match self { $(Self::$variant => $about,)* }
            }
        }
    };
}

rules! {
    BootJump "boot-jump" "3.1.1" "JumpBoot is EBh 76h 90h.";
    BootName "boot-name" "3.1.2" "FileSystemName is \"EXFAT   \".";
    BootMustBeZero "boot-must-be-zero" "3.1.3" "MustBeZero is zero.";
    PartitionTable "partition-table" "PicoVD" "A partition table has one partition, for exFAT, up to the end of the medium.";
    PartitionOffset "partition-offset" "3.1.4" "PartitionOffset is the block that the volume begins at.";
    VolumeLength "volume-length" "3.1.5" "The volume has at least 1 MiB.";
    VolumeFits "volume-fits" "3.1.5" "The volume is not longer than the medium.";
    FatOffset "fat-offset" "3.1.6" "The FAT begins after the boot regions.";
    FatLength "fat-length" "3.1.7" "The FAT has an entry for each cluster.";
    ClusterHeapOffset "cluster-heap-offset" "3.1.8" "The cluster heap begins after the FAT, within the volume.";
    ClusterCount "cluster-count" "3.1.9" "ClusterCount is exactly the quotient.";
    RootCluster "root-cluster" "3.1.10" "FirstClusterOfRootDirectory is within the heap.";
    Revision "revision" "3.1.12" "FileSystemRevision is 1.00.";
    ActiveFat "active-fat" "3.1.13.1" "ActiveFat is 0 if there is one FAT.";
    VolumeDirty "volume-dirty" "3.1.13.2" "VolumeDirty is 0.";
    MediaFailure "media-failure" "3.1.13.3" "MediaFailure is 0.";
    VolumeFlagsReserved "volume-flags-reserved" "3.1.13" "The other volume flags are 0.";
    SectorShift "sector-shift" "3.1.14" "Sectors have 512 bytes, like the medium's blocks.";
    ClusterShift "cluster-shift" "3.1.15" "A cluster has at most 32 MiB.";
    NumberOfFats "number-of-fats" "3.1.16" "There is one FAT: two are for TexFAT.";
    PercentInUse "percent-in-use" "3.1.18" "PercentInUse is the percentage of allocated clusters, or FFh.";
    BootCode "boot-code" "3.1.19" "BootCode is all F4h if there is none.";
    BootSignature "boot-signature" "3.1.20" "BootSignature is AA55h.";
    BootReserved "boot-reserved" "3.1" "The reserved bytes of the boot sector are zero.";
    ExtendedSignature "extended-signature" "3.2.2" "ExtendedBootSignature is AA550000h in all eight sectors.";
    OemParameters "oem-parameters" "3.3" "Null parameters and the reserved bytes after them are zero.";
    ReservedSector "reserved-sector" "2" "The reserved sector of a boot region is zero.";
    BootChecksum "boot-checksum" "3.4" "The checksum sector contains only repetitions of the checksum.";
    BootBackup "boot-backup" "3.1" "Both boot regions are the same except for VolumeFlags and PercentInUse.";
    FatMedia "fat-media" "4.1.1" "The first FAT entry is FFFFFFF8h.";
    FatEntryOne "fat-entry-1" "4.1.2" "The second FAT entry is FFFFFFFFh.";
    FatStray "fat-stray" "PicoVD" "FAT entries outside all chains are 0, or mark bad clusters.";
    ChainBroken "chain-broken" "4.1.3" "A cluster chain stays in the heap and ends.";
    ChainLength "chain-length" "6.3.4.2" "A cluster chain is as long as its data.";
    BitmapCount "bitmap-count" "7.1" "The root directory has one allocation bitmap entry.";
    BitmapFlags "bitmap-flags" "7.1.2" "BitmapFlags is 0 if there is one FAT.";
    BitmapReserved "bitmap-reserved" "7.1" "The reserved bytes of the bitmap entry are zero.";
    BitmapLength "bitmap-length" "7.1.5" "The bitmap has one bit for each cluster, and no further bytes.";
    BitmapLeak "bitmap-leak" "7.1.5.1" "No unused cluster is marked.";
    BitmapMissing "bitmap-missing" "7.1.5.1" "Every used cluster is marked.";
    BitmapTail "bitmap-tail" "7.1.5" "The bits after the last cluster's are 0.";
    UpcaseCount "upcase-count" "7.2" "The root directory has one up-case table entry.";
    UpcaseReserved "upcase-reserved" "7.2" "The reserved bytes of the up-case entry are zero.";
    UpcaseChecksum "upcase-checksum" "7.2.2" "TableChecksum is the table's.";
    UpcaseFormat "upcase-format" "7.2.5" "The table expands to at most 65536 mappings.";
    UpcaseMandatory "upcase-mandatory" "7.2.5" "The first 128 mappings are the mandatory ones.";
    UpcaseRecommended "upcase-recommended" "7.2.5.1" "The table is the recommended one, E619D30Dh.";
    LabelCount "label-count" "7.3" "There is at most one volume label.";
    LabelLength "label-length" "7.3.2" "The label has at most 11 characters.";
    LabelCharacters "label-characters" "7.3.3" "The label has no character that is forbidden in names.";
    LabelReserved "label-reserved" "7.3" "The reserved bytes of the label entry are zero.";
    VolumeGuid "volume-guid" "PicoVD" "There is no volume GUID: some readers refuse a volume that has one.";
    EntryType "entry-type" "6.2.1" "Entry types are known, and secondary entries are in sets.";
    EntryPlace "entry-place" "6.3.1.2.1" "Bitmap, up-case and label entries are only in the root directory.";
    DirectoryEnd "directory-end" "6.2.1" "Everything from the end-of-directory marker on is zero.";
    SecondaryCount "secondary-count" "6.3.2" "SecondaryCount secondary entries follow.";
    SetChecksum "set-checksum" "6.3.3" "SetChecksum is the set's.";
    SetStream "set-stream" "7.6" "Exactly one stream extension follows the file entry.";
    SetNames "set-names" "7.7" "NameLength / 15, rounded up, name entries follow the stream extension.";
    FileAttributes "file-attributes" "7.4.4" "Reserved attributes are 0.";
    FileReserved "file-reserved" "7.4" "The reserved bytes of a file entry are zero.";
    Timestamp "timestamp" "7.4.8" "Timestamps are valid dates and times.";
    Increment "increment" "7.4.9" "10msIncrement fields are at most 199.";
    UtcOffset "utc-offset" "7.4.10.2" "OffsetFromUtc is 0 if OffsetValid is 0.";
    UtcOffsetValid "utc-offset-valid" "7.4.10.2" "OffsetValid is 1: UTC is known.";
    StreamFlags "stream-flags" "7.6.2" "AllocationPossible is 1, reserved flags are 0.";
    StreamReserved "stream-reserved" "7.6" "The reserved bytes of a stream extension are zero.";
    NameLength "name-length" "7.6.3" "A name has at least one character.";
    NameHash "name-hash" "7.6.4" "NameHash is the up-cased name's.";
    NameFlags "name-flags" "7.7.2" "The flags of a name entry are 0.";
    NameCharacters "name-characters" "7.7.3" "A name has no character of table 35.";
    NameDots "name-dots" "7.7.3" "No name is \".\" or \"..\".";
    NameUnicode "name-unicode" "7.7.3" "A name is a Unicode string: surrogates come in pairs.";
    NamePadding "name-padding" "7.7.3" "Characters after the name's end are 0000h.";
    NameDuplicate "name-duplicate" "7.7" "No two names of a directory are equal after up-casing.";
    ValidDataLength "valid-data-length" "7.6.5" "ValidDataLength is at most DataLength; equal for a directory.";
    EmptyAllocation "empty-allocation" "6.4.4" "No cluster, no data and no NoFatChain come together.";
    AllocationRange "allocation-range" "6.2.2" "An allocation is within the cluster heap.";
    DirectoryLength "directory-length" "7.6.7" "A directory has whole clusters, at most 256 MiB.";
    DirectoryShort "directory-short" "PicoVD" "A directory has no more clusters than its entries and their end need.";
    ClusterShared "cluster-shared" "5.1" "No two allocations share a cluster.";
    FileTail "file-tail" "PicoVD" "After a file's end, its last cluster is zero.";
    FreeCluster "free-cluster" "PicoVD" "Unused clusters read as zeros.";
}

#[cfg(test)]
mod tests {
    use super::Check;

    #[test]
    fn names_are_unique() {
        let mut ids: Vec<_> = Check::ALL.iter().map(|check| check.id()).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), Check::ALL.len());
    }
}
