//! The partition table of flash, as the bootrom reports it (RP2350 datasheet 5.1.2, 5.5.11.2, 5.9.4).
//!
//! A [`PartitionTable`] is a copy made once, at boot: the bootrom reads names, ids and families from flash on each request,
//! and rewriting the table while the device runs must not rename the files of this boot. A changed table takes effect at
//! the next boot.

/// Maximum number of partitions (5.1.2).
pub const PARTITIONS: usize = 16;

/// Length of an erase sector, the unit of locations (5.9.4.1).
pub const SECTOR_LENGTH: u32 = 4096;

/// Maximum length of a name in bytes (5.9.4.1).
pub const NAME_LENGTH: usize = 127;

/// What is requested from get_partition_table_info.
const PT_INFO: u32 = 0x0001;
const LOCATION_AND_FLAGS: u32 = 0x0010;
const ID: u32 = 0x0020;
const FAMILY_IDS: u32 = 0x0040;
const NAME: u32 = 0x0080;
const SINGLE_PARTITION: u32 = 0x8000;
const OF_PARTITION: u32 = LOCATION_AND_FLAGS | ID | FAMILY_IDS | NAME | SINGLE_PARTITION;
const PARTITION_SHIFT: u32 = 24;

/// Words of the answer to `PT_INFO`: included parts, count, location and flags of unpartitioned space.
const INFO_WORDS: usize = 4;

/// Maximum number of words in the answer to `OF_PARTITION`: included parts, location, flags, id, three families, 128 bytes
/// of name.
const PARTITION_WORDS: usize = 1 + 2 + 2 + FAMILIES + (NAME_LENGTH + 1) / 4;

/// The first word of the answer to `PT_INFO`: the count, and whether there is a table.
const COUNT: u32 = 0xFF;
const HAS_TABLE: u32 = 1 << 8;

/// Maximum number of family ids that a partition names in addition to the well-known ones.
const FAMILIES: usize = 3;

/// Fields of the flags word (5.9.4.1).
const HAS_ID: u32 = 1 << 0;
const LINK_TYPE_SHIFT: u32 = 1;
const LINK_VALUE_SHIFT: u32 = 3;
const FAMILIES_SHIFT: u32 = 7;
const HAS_NAME: u32 = 1 << 12;

/// Size in bytes of the work area that load_partition_table needs (5.4.8.19).
pub const WORK_AREA: usize = 3264;

/// The source of a table: the bootrom, or a model of it.
pub trait PartitionTableSource {
    /// load_partition_table, with `area` as its work area: [`WORK_AREA`] bytes, word-aligned.
    ///
    /// # Errors
    /// The bootrom's error code.
    fn load(&mut self, area: &mut [u8]) -> Result<(), i32>;

    /// get_partition_table_info: fills `out` and returns how many words were filled.
    ///
    /// # Errors
    /// The bootrom's error code.
    fn info(&mut self, flags_and_partition: u32, out: &mut [u32]) -> Result<usize, i32>;
}

/// The state of the table as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableState {
    /// Flash has no table, or none that the bootrom accepts.
    None,
    /// There is one.
    Present,
    /// The bootrom could not read it: its error code, or 0 if its answer is too short.
    Unreadable(i32),
}

/// Location and permissions of a range of flash: a location word, or a flags word for permissions only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Location(pub u32);

impl Location {
    const SECTOR_MASK: u32 = 0x1FFF;
    const LAST_SHIFT: u32 = 13;
    const PERMISSIONS_SHIFT: u32 = 26;

    /// First byte, counted from the start of flash.
    #[must_use]
    pub const fn offset(self) -> u32 {
        (self.0 & Self::SECTOR_MASK) * SECTOR_LENGTH
    }

    /// First byte after it, which is after the last sector. At most 32 MiB.
    #[must_use]
    pub const fn end(self) -> u32 {
        ((self.0 >> Self::LAST_SHIFT & Self::SECTOR_MASK) + 1) * SECTOR_LENGTH
    }

    /// Length in bytes; `None` if the end is before the start.
    #[must_use]
    pub const fn length(self) -> Option<u32> {
        match self.end().checked_sub(self.offset()) {
            None | Some(0) => None,
            length => length,
        }
    }

    /// Whether `who` may read, and whether it may write.
    #[must_use]
    pub const fn permits(self, who: Accessor) -> (bool, bool) {
        let bits = self.0 >> (Self::PERMISSIONS_SHIFT + 2 * who as u32);
        (bits & 1 != 0, bits & 2 != 0)
    }
}

/// Who accesses flash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accessor {
    /// Secure code.
    Secure = 0,
    /// Non-secure code.
    NonSecure = 1,
    /// The bootrom's USB boot mode.
    NsBoot = 2,
}

/// The flags word, not counting permissions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flags(pub u32);

/// What a partition is linked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// Nothing.
    None,
    /// It is the B partition of this A partition.
    A(u8),
    /// This partition owns it.
    Owner(u8),
    /// Reserved.
    Unknown,
}

impl Flags {
    /// The flags that hosts can see, with picotool's names.
    const NAMES: [(u32, &'static str); 4] = [
        (1 << 9, "ignored_during_arm_boot"),
        (1 << 10, "ignored_during_riscv_boot"),
        (1 << 11, "ab_non_bootable_owner_affinity"),
        (1 << 13, "no_reboot_on_uf2_download"),
    ];

    /// Names of the well-known families, as in picotool.
    const FAMILIES: [(u32, &'static str); 6] = [
        (1 << 14, "rp2040"),
        (1 << 15, "absolute"),
        (1 << 16, "data"),
        (1 << 17, "rp2350-arm-s"),
        (1 << 18, "rp2350-riscv"),
        (1 << 19, "rp2350-arm-ns"),
    ];

    /// The link.
    #[must_use]
    pub const fn link(self) -> Link {
        let partition = (self.0 >> LINK_VALUE_SHIFT & 15) as u8;
        match self.0 >> LINK_TYPE_SHIFT & 3 {
            0 => Link::None,
            1 => Link::A(partition),
            2 => Link::Owner(partition),
            _ => Link::Unknown,
        }
    }

    /// Names of the flags that are set.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES.into_iter().filter(move |(bit, _)| self.0 & bit != 0).map(|(_, name)| name)
    }

    /// Names of the well-known UF2 families that are accepted.
    pub fn families(self) -> impl Iterator<Item = &'static str> {
        Self::FAMILIES.into_iter().filter(move |(bit, _)| self.0 & bit != 0).map(|(_, name)| name)
    }
}

/// Whether a partition becomes a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartitionState {
    /// The bootrom does not describe it.
    Undescribed,
    /// It is a file.
    Shown,
    /// It ends beyond the flash of the manifest's `[chip] flash-size`.
    OutsideFlash,
    /// Its end is before its start.
    Backwards,
    /// All partitions together are longer than flash, so some overlap.
    NoRoom,
}

/// A copy of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partition {
    /// Location and permissions.
    pub location: Location,
    /// Flags.
    pub flags: Flags,
    /// Its id.
    pub id: Option<u64>,
    /// Whether it becomes a file.
    pub state: PartitionState,
    families: [u32; FAMILIES],
    named: bool,
    name_length: u8,
    name: [u8; NAME_LENGTH],
}

impl Partition {
    const UNKNOWN: Self = Self {
        location: Location(0),
        flags: Flags(0),
        id: None,
        state: PartitionState::Undescribed,
        families: [0; FAMILIES],
        named: false,
        name_length: 0,
        name: [0; NAME_LENGTH],
    };

    /// Decodes the answer to a request for location and flags, id, families and name; `None` if words are missing.
    #[must_use]
    pub fn decode(words: &[u32]) -> Option<Self> {
        let mut words = words.iter().copied();
        let present = words.next()?;
        if present & LOCATION_AND_FLAGS == 0 {
            return None;
        }
        let mut partition = Self { location: Location(words.next()?), flags: Flags(words.next()?), ..Self::UNKNOWN };
        let flags = partition.flags.0;
        if present & ID != 0 && flags & HAS_ID != 0 {
            partition.id = Some(u64::from(words.next()?) | u64::from(words.next()?) << 32);
        }
        if present & FAMILY_IDS != 0 {
            for family in partition.families.iter_mut().take((flags >> FAMILIES_SHIFT & 3) as usize) {
                *family = words.next()?;
            }
        }
        if present & NAME != 0 && flags & HAS_NAME != 0 {
            let mut bytes = words.flat_map(u32::to_le_bytes);
            partition.named = true;
            partition.name_length = bytes.next()? & 0x7F;
            for byte in partition.name.iter_mut().take(partition.name_length.into()) {
                *byte = bytes.next()?;
            }
        }
        partition.state = PartitionState::Shown;
        Some(partition)
    }

    /// The name's bytes, normally UTF-8; `None` without a name.
    #[must_use]
    pub fn name(&self) -> Option<&[u8]> {
        self.name.get(..self.name_length.into()).filter(|_| self.named)
    }

    /// Accepted family ids in addition to the well-known ones.
    #[must_use]
    pub fn families(&self) -> &[u32] {
        self.families.get(..(self.flags.0 >> FAMILIES_SHIFT & 3) as usize).unwrap_or(&[])
    }
}

/// A copy of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionTable {
    state: TableState,
    unpartitioned: Flags,
    count: u8,
    partitions: [Partition; PARTITIONS],
}

impl PartitionTable {
    /// No table.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            state: TableState::None,
            unpartitioned: Flags(0),
            count: 0,
            partitions: [Partition::UNKNOWN; PARTITIONS],
        }
    }

    /// Copies the table. Each partition's state says whether it can be shown; `flash_size` is the length of flash in bytes.
    pub fn read(&mut self, source: &mut impl PartitionTableSource, area: &mut [u8], flash_size: u32) {
        self.count = 0;
        self.state = match self.read_info(source, area) {
            Ok(state) => state,
            Err(code) => TableState::Unreadable(code),
        };
        let mut room = flash_size;
        for (partition, index) in self.partitions.iter_mut().zip(0..u32::from(self.count)) {
            let mut words = [0; PARTITION_WORDS];
            let filled = source.info(OF_PARTITION | index << PARTITION_SHIFT, &mut words).unwrap_or(0);
            *partition = words.get(..filled).and_then(Partition::decode).unwrap_or(Partition::UNKNOWN);
            if partition.state != PartitionState::Shown {
                continue;
            }
            partition.state = match partition.location.length() {
                None => PartitionState::Backwards,
                Some(_) if partition.location.end() > flash_size => PartitionState::OutsideFlash,
                Some(length) if length > room => PartitionState::NoRoom,
                Some(length) => {
                    room -= length;
                    PartitionState::Shown
                }
            };
        }
    }

    fn read_info(&mut self, source: &mut impl PartitionTableSource, area: &mut [u8]) -> Result<TableState, i32> {
        source.load(area)?;
        let mut words = [0; INFO_WORDS];
        let filled = source.info(PT_INFO, &mut words)?;
        let [present, info, _, unpartitioned] = words;
        if filled < INFO_WORDS || present & PT_INFO == 0 {
            return Err(0);
        }
        self.unpartitioned = Flags(unpartitioned);
        if info & HAS_TABLE == 0 {
            return Ok(TableState::None);
        }
        self.count = (info & COUNT).min(PARTITIONS as u32) as u8;
        Ok(TableState::Present)
    }

    /// The state of the table.
    #[must_use]
    pub const fn state(&self) -> TableState {
        self.state
    }

    /// Flags and permissions of unpartitioned space.
    #[must_use]
    pub const fn unpartitioned(&self) -> Flags {
        self.unpartitioned
    }

    /// The partitions.
    #[must_use]
    pub fn partitions(&self) -> &[Partition] {
        self.partitions.get(..self.count.into()).unwrap_or(&[])
    }

    /// Notes that the volume had no room for a partition.
    pub(crate) fn refuse(&mut self, index: usize) {
        if let Some(partition) = self.partitions.get_mut(index) {
            partition.state = PartitionState::NoRoom;
        }
    }
}

impl Default for PartitionTable {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    extern crate std;
    use std::vec;
    use std::vec::Vec;

    /// Answers with words that a test has prepared.
    struct Words {
        loaded: Result<(), i32>,
        info: Result<Vec<u32>, i32>,
        partitions: Vec<Vec<u32>>,
    }

    impl PartitionTableSource for Words {
        fn load(&mut self, _: &mut [u8]) -> Result<(), i32> {
            self.loaded
        }

        fn info(&mut self, flags_and_partition: u32, out: &mut [u32]) -> Result<usize, i32> {
            let words = match flags_and_partition {
                1 => self.info.clone()?,
                _ => self.partitions.get((flags_and_partition >> 24) as usize).ok_or(-5)?.clone(),
            };
            out.get_mut(..words.len()).ok_or(-13)?.copy_from_slice(&words);
            Ok(words.len())
        }
    }

    fn read(source: &mut Words) -> PartitionTable {
        let mut table = PartitionTable::new();
        table.read(source, &mut [], 4 << 20);
        table
    }

    fn location(first: u32, last: u32) -> u32 {
        0xFC00_0000 | last << 13 | first
    }

    #[test]
    fn the_last_sector_belongs_to_it() {
        let place = Location(0b10_0001 << 26 | 3 << 13 | 1);
        assert_eq!((place.offset(), place.end(), place.length()), (0x1000, 0x4000, Some(0x3000)));
        assert_eq!(place.permits(Accessor::Secure), (true, false));
        assert_eq!(place.permits(Accessor::NonSecure), (false, false));
        assert_eq!(place.permits(Accessor::NsBoot), (false, true));
        let whole = Location(u32::MAX >> 6 & !0x1FFF);
        assert_eq!(whole.length(), Some(32 << 20));
        assert_eq!(Location(4 << 13 | 4).length(), Some(SECTOR_LENGTH));
        assert_eq!(Location(3 << 13 | 4).length(), None);
        assert_eq!(Location(2 << 13 | 4).length(), None);
    }

    #[test]
    fn a_partition_has_what_its_flags_say() {
        let name =
            |text: &[u8; 8]| [0, 4].map(|at| u32::from_le_bytes([text[at], text[at + 1], text[at + 2], text[at + 3]]));
        let [one, two] = name(b"\x05hello\0\0");
        let flags = HAS_ID | HAS_NAME | 2 << FAMILIES_SHIFT | 1 << LINK_TYPE_SHIFT | 7 << LINK_VALUE_SHIFT | 1 << 14;
        let words = [0xF0, location(1, 2), flags, 0x89AB_CDEF, 0x0123_4567, 11, 12, one, two];
        let partition = Partition::decode(&words).unwrap();
        assert_eq!(partition.id, Some(0x0123_4567_89AB_CDEF));
        assert_eq!(partition.families(), [11, 12]);
        assert_eq!(partition.name(), Some(&b"hello"[..]));
        assert_eq!(partition.flags.link(), Link::A(7));
        assert_eq!(partition.flags.families().collect::<Vec<_>>(), ["rp2040"]);
        for length in 0..words.len() {
            assert_eq!(Partition::decode(&words[..length]), None, "{length} words");
        }
        let plain = Partition::decode(&[0xF0, location(1, 2), 0]).unwrap();
        assert_eq!((plain.id, plain.name(), plain.families().len()), (None, None, 0));
        // The highest bit of the name's length byte is not part of the length.
        let [one, two] = name(b"\x85hello\0\0");
        assert_eq!(Partition::decode(&[0x90, location(1, 2), HAS_NAME, one, two]).unwrap().name(), Some(&b"hello"[..]));
    }

    #[test]
    fn the_longest_answer_has_room() {
        let mut words = vec![0xF0, location(1, 2), HAS_ID | HAS_NAME | 3 << FAMILIES_SHIFT, 1, 2, 3, 4, 5];
        words.extend([u32::from_le_bytes([127, b'a', b'a', b'a'])]);
        words.extend([u32::from_le_bytes([b'a'; 4]); 31]);
        assert_eq!(words.len(), PARTITION_WORDS);
        let mut source = Words { loaded: Ok(()), info: Ok(vec![1, 0x101, 0, 0]), partitions: vec![words] };
        assert_eq!(read(&mut source).partitions()[0].name(), Some(&[b'a'; 127][..]));
    }

    #[test]
    fn a_bootrom_that_does_not_tell() {
        let mut source = Words { loaded: Err(-10), info: Ok(vec![1, 0x101, 0, 0]), partitions: vec![] };
        assert_eq!(read(&mut source).state(), TableState::Unreadable(-10));
        source.loaded = Ok(());
        source.info = Err(-14);
        assert_eq!(read(&mut source).state(), TableState::Unreadable(-14));
        source.info = Ok(vec![1, 0x101]);
        assert_eq!(read(&mut source).state(), TableState::Unreadable(0));
        source.info = Ok(vec![0, 0x101, 0, 0]);
        assert_eq!(read(&mut source).state(), TableState::Unreadable(0));
        // A count without a table, and one above the maximum.
        source.info = Ok(vec![1, 3, 0, 0]);
        assert_eq!((read(&mut source).state(), read(&mut source).partitions().len()), (TableState::None, 0));
        source.info = Ok(vec![1, 0x1FF, 0, 0]);
        let table = read(&mut source);
        assert_eq!((table.state(), table.partitions().len()), (TableState::Present, PARTITIONS));
        assert!(table.partitions().iter().all(|partition| partition.state == PartitionState::Undescribed));
    }

    #[test]
    fn places_that_cannot_be_are_not_shown() {
        let places = [(1023, 1023), (1023, 1024), (5, 4), (0, 1022), (3, 3)];
        let partitions = places.iter().map(|(first, last)| vec![0xF0, location(*first, *last), 0]).collect();
        let mut source = Words { loaded: Ok(()), info: Ok(vec![1, 0x105, 0, 0]), partitions };
        let states: Vec<_> = read(&mut source).partitions().iter().map(|partition| partition.state).collect();
        use PartitionState::{Backwards, NoRoom, OutsideFlash, Shown};
        assert_eq!(states, [Shown, OutsideFlash, Backwards, Shown, NoRoom]);
    }
}
