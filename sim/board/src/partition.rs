//! Partition tables as the boot ROM reads them (RP2350 datasheet 5.9.4, 5.1.2).

/// First word of a block, and its last.
const BLOCK_START: u32 = 0xFFFF_DED3;
const BLOCK_END: u32 = 0xAB12_3579;
const ITEM_PARTITION_TABLE: u8 = 0x0A;
const ITEM_LAST: u8 = 0xFF;
/// The ROM searches the first 4 KiB.
const SEARCH: usize = 4096;

/// Location and permissions of space outside partitions on a board without a table (FACTS 7).
const NO_TABLE: [u32; 2] = [0xFFFF_E000, 0xFC07_8000];

const PT_INFO: u32 = 0x0001;
const LOCATION_AND_FLAGS: u32 = 0x0010;
const ID: u32 = 0x0020;
const FAMILY_IDS: u32 = 0x0040;
const NAME: u32 = 0x0080;
const SINGLE: u32 = 0x8000;

/// One partition's words: permissions and location, permissions and flags, and what follows them.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Partition {
    location: u32,
    flags: u32,
    id: Option<[u32; 2]>,
    families: Vec<u32>,
    name: Vec<u8>,
}

/// A table, or the fact that there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionTable {
    present: bool,
    unpartitioned: [u32; 2],
    partitions: Vec<Partition>,
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes)
}

impl PartitionTable {
    /// Looks for a table in the block loop that begins in the first 4 KiB of flash. A table that is cut off counts as none:
    /// load_partition_table succeeds then, too.
    #[must_use]
    pub fn find(flash: &[u8]) -> Self {
        let none = Self { present: false, unpartitioned: NO_TABLE, partitions: Vec::new() };
        let Some(first) = (0..SEARCH).step_by(4).find(|at| word(flash, *at) == Some(BLOCK_START)) else {
            return none;
        };
        let mut block = first;
        for _ in 0..16 {
            let mut at = block + 4;
            let link = loop {
                let Some(header) = word(flash, at) else { return none };
                let kind = header as u8;
                let size = if kind & 0x80 != 0 { header >> 8 & 0xFFFF } else { header >> 8 & 0xFF } as usize;
                if kind == ITEM_LAST {
                    break at + 4;
                }
                // The highest bit tells how the size is encoded.
                if kind & 0x7F == ITEM_PARTITION_TABLE {
                    return flash.get(at..at + 4 * size).and_then(Self::parse).unwrap_or(none);
                }
                if size == 0 {
                    return none;
                }
                at += 4 * size;
            };
            if word(flash, link + 4) != Some(BLOCK_END) {
                return none;
            }
            let next = block.wrapping_add_signed(word(flash, link).unwrap_or(0) as i32 as isize);
            if next == first || word(flash, next) != Some(BLOCK_START) {
                return none;
            }
            block = next;
        }
        none
    }

    fn parse(item: &[u8]) -> Option<Self> {
        let header = word(item, 0)?;
        // The highest bit says that the table is a singleton.
        let count = header >> 24 & 0x7F;
        if count > 16 {
            return None;
        }
        let mut at = 8;
        let mut next = |item: &[u8]| {
            let value = word(item, at)?;
            at += 4;
            Some(value)
        };
        let unpartitioned_flags = word(item, 4)?;
        let mut partitions = Vec::new();
        for _ in 0..count {
            let location = next(item)?;
            let flags = next(item)?;
            let id = if flags & 1 != 0 { Some([next(item)?, next(item)?]) } else { None };
            let mut families = Vec::new();
            for _ in 0..flags >> 7 & 3 {
                families.push(next(item)?);
            }
            let mut name = Vec::new();
            if flags >> 12 & 1 != 0 {
                let first = next(item)?;
                name.extend(first.to_le_bytes());
                let length = usize::from(name[0] & 0x7F) + 1;
                while name.len() < length {
                    name.extend(next(item)?.to_le_bytes());
                }
            }
            partitions.push(Partition { location, flags, id, families, name });
        }
        // The unpartitioned space has the whole range as its location; permissions come from the table.
        let location = NO_TABLE[0] & 0x03FF_FFFF | unpartitioned_flags & 0xFC00_0000;
        Some(Self { present: true, unpartitioned: [location, unpartitioned_flags], partitions })
    }

    /// The words of get_partition_table_info, or `None` for a partition that does not exist.
    #[must_use]
    pub fn info(&self, flags: u32) -> Option<Vec<u32>> {
        let known = flags & (PT_INFO | LOCATION_AND_FLAGS | ID | FAMILY_IDS | NAME | SINGLE);
        let mut words = vec![known];
        if flags & PT_INFO != 0 {
            words.push(self.partitions.len() as u32 | u32::from(self.present) << 8);
            words.extend(self.unpartitioned);
        }
        let wanted = if flags & SINGLE != 0 {
            std::slice::from_ref(self.partitions.get((flags >> 24) as usize)?)
        } else {
            &self.partitions
        };
        for partition in wanted {
            if flags & LOCATION_AND_FLAGS != 0 {
                words.extend([partition.location, partition.flags]);
            }
            if flags & ID != 0
                && let Some(id) = partition.id
            {
                words.extend(id);
            }
            if flags & FAMILY_IDS != 0 {
                words.extend(&partition.families);
            }
            if flags & NAME != 0 {
                words.extend(partition.name.chunks(4).map(|c| {
                    let mut bytes = [0; 4];
                    bytes[..c.len()].copy_from_slice(c);
                    u32::from_le_bytes(bytes)
                }));
            }
        }
        Some(words)
    }

    /// Whether code at a security level (1 secure, 2 non-secure, 3 boot loader) may read or write a range.
    #[must_use]
    pub fn permits(&self, offset: u32, size: u32, level: u32, write: bool) -> bool {
        // Bits 26 to 31: S read, S write, NS read, NS write, BL read, BL write.
        let bit = 26 + 2 * (level - 1) + u32::from(write);
        let last = offset + size.saturating_sub(1);
        let mut covered = false;
        for partition in &self.partitions {
            let first = (partition.location & 0x1FFF) * 4096;
            let end = (partition.location >> 13 & 0x1FFF) * 4096 + 4095;
            if offset <= end && last >= first {
                if partition.location >> bit & 1 == 0 {
                    return false;
                }
                covered = offset >= first && last <= end;
            }
        }
        covered || self.unpartitioned[1] >> bit & 1 != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flash_with(table: &[u32]) -> Vec<u8> {
        let mut words = vec![BLOCK_START];
        words.extend(table);
        words.push(u32::from(ITEM_LAST) | (table.len() as u32) << 8);
        words.extend([0, BLOCK_END]);
        let mut flash: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
        flash.resize(SEARCH, 0xFF);
        flash
    }

    #[test]
    fn a_board_without_a_table_says_so() {
        let table = PartitionTable::find(&[0xFF; SEARCH]);
        assert_eq!(table.info(PT_INFO), Some(vec![1, 0, 0xFFFF_E000, 0xFC07_8000]));
        assert!(table.permits(0, 4096, 1, true));
        assert_eq!(table.info(SINGLE | NAME), None);
    }

    #[test]
    fn a_named_partition_is_found() {
        let location = 0xFC00_0000 | 2 << 13 | 1;
        let item =
            [0x0A | 6 << 8 | 1 << 24, 0xFC07_8000, location, 0xFC00_0000 | 1 << 12, u32::from_le_bytes(*b"\x03abc")];
        let mut item = item.to_vec();
        item[0] = 0x0A | (item.len() as u32) << 8 | 1 << 24;
        let table = PartitionTable::find(&flash_with(&item));
        assert_eq!(table.info(PT_INFO).unwrap()[1], 0x101);
        assert_eq!(table.info(SINGLE | LOCATION_AND_FLAGS | NAME).unwrap()[1..], item[2..]);
    }
}
