//! The flash partitions as files: one for each, and PARTITIONS.JSON, which describes them all.
//!
//! The table is read once, at boot. From then on, each file shows the range of flash of its partition, with the contents at
//! the time of the read. Rewriting the table while the device runs changes neither locations nor names of the files; new
//! partitions show after the next boot.

use super::partition_json::Description;
use super::partition_name::PartitionPaths;
use crate::chip::address_map::STORAGE_BASE;
use crate::chip::partition_table::{PARTITIONS, PartitionState, PartitionTable, PartitionTableSource};
use crate::dynamic::{AddError, Content, File, Files};
use crate::volume::Memory;
use crate::volume::layout::Redactions;

/// The manifest's settings for the partitions' files. Generated with its tables.
#[derive(Clone, Copy, Debug)]
pub struct PartitionPlan<'a> {
    /// The folder they are in; empty for the root directory.
    pub folder: &'a str,
    /// The path of PARTITIONS.JSON.
    pub description: &'a str,
    /// Maximum length of PARTITIONS.JSON in bytes.
    pub capacity: u32,
    /// Length of flash in bytes.
    pub flash_size: u32,
    /// Ranges of flash that read as zeros: offsets, ascending.
    pub redacted: Redactions<'a>,
}

/// Storage for the files, about 8 KiB. Usually a `static`, or from `cortex_m::singleton!`.
#[derive(Debug)]
pub struct PartitionFiles<'a, M> {
    table: PartitionTable,
    paths: PartitionPaths,
    contents: [ZeroOption<FlashRange<'a, M>>; PARTITIONS],
    files: [ZeroOption<File<'a>>; PARTITIONS],
    description: Option<Description<'a>>,
    description_file: ZeroOption<File<'a>>,
}

/// An `Option` whose `Empty` is all zero bytes, so that a `static` of them goes to .bss and takes no flash.
#[derive(Debug)]
#[repr(u8)]
enum ZeroOption<T> {
    Empty = 0,
    Full(T),
}

impl<T> ZeroOption<T> {
    fn fill(&mut self, value: T) -> &T {
        *self = Self::Full(value);
        match self {
            Self::Full(value) => value,
            Self::Empty => unreachable!(),
        }
    }

    fn as_ref(&self) -> Option<&T> {
        match self {
            Self::Empty => None,
            Self::Full(value) => Some(value),
        }
    }
}

impl<'a, M: Memory + Clone + Sync> PartitionFiles<'a, M> {
    /// No files yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            table: PartitionTable::new(),
            paths: PartitionPaths::new(),
            contents: [const { ZeroOption::Empty }; PARTITIONS],
            files: [const { ZeroOption::Empty }; PARTITIONS],
            description: None,
            description_file: ZeroOption::Empty,
        }
    }

    /// Reads the table and registers the files. `memory` must show flash at its storage address, 0x1C00_0000.
    ///
    /// On a board without a table, there is only PARTITIONS.JSON, which says so.
    ///
    /// # Errors
    /// PARTITIONS.JSON is refused, which the manifest's checks should have prevented. PARTITIONS.JSON itself reports
    /// partitions that were refused.
    pub fn register(
        &'a mut self,
        plan: PartitionPlan<'a>,
        source: &mut impl PartitionTableSource,
        memory: M,
        files: &Files<'a>,
    ) -> Result<(), AddError> {
        self.table.read(source, self.paths.work_area_mut(), plan.flash_size);
        self.paths.fill(&mut self.table, plan.folder, files);
        let paths = &self.paths;
        for (slot, partition) in self.contents.iter_mut().zip(self.table.partitions()) {
            let length = partition.location.length().filter(|_| partition.state == PartitionState::Shown);
            if let Some(length) = length {
                let offset = partition.location.offset();
                *slot =
                    ZeroOption::Full(FlashRange { memory: memory.clone(), offset, length, redacted: plan.redacted });
            }
        }
        for (index, (slot, content)) in self.files.iter_mut().zip(&self.contents).enumerate() {
            if let Some((path, content)) = paths.get(index).zip(content.as_ref()) {
                *slot = ZeroOption::Full(File::new(path, content, content.length));
            }
        }
        for (index, file) in self.files.iter().enumerate() {
            if file.as_ref().is_some_and(|file| files.add(file).is_err()) {
                self.table.refuse(index);
            }
        }
        let description =
            self.description.insert(Description { table: &self.table, paths, flash_size: plan.flash_size });
        files.add(self.description_file.fill(File::new(plan.description, description, plan.capacity)))
    }
}

impl<M: Memory + Clone + Sync> Default for PartitionFiles<'_, M> {
    fn default() -> Self {
        Self::new()
    }
}

/// A range of flash, with the contents at the time of the read.
#[derive(Debug)]
struct FlashRange<'a, M> {
    memory: M,
    offset: u32,
    length: u32,
    redacted: Redactions<'a>,
}

impl<M: Memory + Sync> Content for FlashRange<'_, M> {
    fn length(&self) -> u32 {
        self.length
    }

    fn read(&self, _: u32, offset: u32, out: &mut [u8]) {
        let start = self.offset.saturating_add(offset);
        // Uncached and untranslated: a large read does not evict the program from the cache, and offset 0 is the start of
        // the chip, whatever partition the program was started from (RP2350 datasheet 4.4.1, 5.1.19).
        self.memory.read(STORAGE_BASE.wrapping_add(start), out);
        for range in self.redacted.iter() {
            let first = range.start.saturating_sub(start) as usize;
            let end = (range.end.saturating_sub(start) as usize).min(out.len());
            if let Some(hidden) = out.get_mut(first..end) {
                hidden.fill(0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dynamic::FilesOf;
    use crate::volume::layout::{ClusterIndex, Draft, DynamicWindow, Layout};
    extern crate std;
    use std::sync::LazyLock;
    use std::vec;
    use std::vec::Vec;

    static LAYOUT: LazyLock<Layout<'static>> = LazyLock::new(|| {
        let dynamic = DynamicWindow {
            first_cluster: ClusterIndex(5),
            cluster_count: 1100,
            slots: 17,
            entries: 16 * 11 + 3,
            slot_entries: 11,
        };
        Layout::of(Draft { volume_length: 1 << 20, cluster_count: 2000, dynamic, ..Draft::default() }.leak())
    });

    /// Byte n of flash is n.
    #[derive(Clone)]
    struct Counting;

    impl Memory for Counting {
        fn read(&self, address: u32, out: &mut [u8]) {
            for (byte, address) in out.iter_mut().zip(address..) {
                assert!((STORAGE_BASE..STORAGE_BASE + (4 << 20)).contains(&address), "{address:#x}");
                *byte = address as u8;
            }
        }
    }

    /// Sixteen partitions with all parts of maximum length.
    struct Longest;

    impl PartitionTableSource for Longest {
        fn load(&mut self, _: &mut [u8]) -> Result<(), i32> {
            Ok(())
        }

        fn info(&mut self, flags_and_partition: u32, out: &mut [u32]) -> Result<usize, i32> {
            let mut words = vec![1, 0x110, 0, u32::MAX];
            if flags_and_partition != 1 {
                let first = flags_and_partition >> 24;
                words = vec![0xF0, 0xFC00_0000 | (1000 + first) << 13 | (1000 + first), !(1 << 2), 1, 2];
                words.extend([u32::MAX; 3]);
                words.extend([0x0101_017F; 1]);
                words.extend([0x0101_0101; 31]);
            }
            out.get_mut(..words.len()).ok_or(-13)?.copy_from_slice(&words);
            Ok(words.len())
        }
    }

    const PLAN: PartitionPlan<'static> = PartitionPlan {
        folder: "",
        description: "PARTITIONS.JSON",
        capacity: 32 << 10,
        flash_size: 4 << 20,
        redacted: Redactions::new(&[0x3E_8010, 0x3E_8020, 0x3E_8FFF, 0x3E_9001]),
    };

    #[test]
    #[cfg_attr(miri, ignore = "takes minutes in Miri")]
    fn the_longest_description_has_room() {
        let registry = FilesOf::<17>::new(&LAYOUT);
        let files: &Files<'_> = &registry;
        let mut storage = PartitionFiles::new();
        assert_eq!(storage.register(PLAN, &mut Longest, Counting, files), Ok(()));
        assert!(!files.is_free("PARTITIONS.JSON"));
        assert!(!files.is_free(&(std::string::String::from("_").repeat(127) + "~16.bin")));
    }

    #[test]
    #[cfg_attr(miri, ignore = "takes minutes in Miri")]
    fn less_room_is_an_error() {
        let registry = FilesOf::<17>::new(&LAYOUT);
        let mut storage = PartitionFiles::new();
        let plan = PartitionPlan { capacity: 16 << 10, ..PLAN };
        assert_eq!(storage.register(plan, &mut Longest, Counting, &registry), Err(AddError::TooLong));
    }

    #[test]
    #[cfg_attr(miri, ignore = "takes minutes in Miri")]
    fn redactions_hide_wherever_a_read_begins() {
        let range = FlashRange { memory: Counting, offset: 0x3E_8000, length: 0x2000, redacted: PLAN.redacted };
        let hidden =
            |at: u32| PLAN.redacted.iter().any(|range| (range.start..range.end).contains(&(range_start() + at)));
        fn range_start() -> u32 {
            0x3E_8000
        }
        let whole: Vec<u8> = (0..0x2000).map(|at| if hidden(at) { 0 } else { at as u8 }).collect();
        for start in (0..0x40u32).chain(0xFF0..0x1010) {
            for length in [1, 2, 15, 16, 17, 64, 0x30] {
                let mut out = vec![0xEE; length];
                range.read(0, start, &mut out);
                assert_eq!(out, whole[start as usize..][..length], "{start:#x} {length}");
            }
        }
    }
}
