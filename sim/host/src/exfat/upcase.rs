//! The up-case table (exFAT 7.2), with which names are compared and hashed (exFAT 7.6.4).

use crate::bytes::le16;

/// Checksum of the table that the standard recommends (exFAT 7.2.5.1).
pub const RECOMMENDED_CHECKSUM: u32 = 0xE619_D30D;

/// TableChecksum (exFAT 7.2.2, figure 3).
#[must_use]
pub fn table_checksum(table: &[u8]) -> u32 {
    table.iter().fold(0u32, |sum, &byte| sum.rotate_right(1).wrapping_add(u32::from(byte)))
}

/// A table, expanded: one mapping per UTF-16 unit.
#[derive(Clone, PartialEq, Eq)]
pub struct Upcase {
    map: Vec<u16>,
}

impl std::fmt::Debug for Upcase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upcase").finish_non_exhaustive()
    }
}

impl Upcase {
    /// Expands a table, compressed or not (exFAT 7.2.5). Units after its end map to themselves.
    ///
    /// # Errors
    /// An odd length, a run beyond the 16-bit range, FFFFh without a count.
    pub fn expand(table: &[u8]) -> Result<Self, String> {
        if !table.len().is_multiple_of(2) {
            return Err(format!("a table of {} bytes", table.len()));
        }
        let mut map: Vec<u16> = Vec::with_capacity(0x1_0000);
        let mut units = table.chunks_exact(2).map(|unit| le16(unit, 0));
        while let Some(unit) = units.next() {
            // In a full table, FFFFh at index FFFFh is a mapping, not a run.
            if unit == 0xFFFF && map.len() != 0xFFFF {
                let count = units.next().ok_or("FFFFh without a count at the end")?;
                if map.len() + usize::from(count) > 0x1_0000 {
                    return Err(format!("a run of {count} from {:04x}h on", map.len()));
                }
                map.extend((map.len()..map.len() + usize::from(count)).map(|unit| unit as u16));
            } else {
                map.push(unit);
            }
            if map.len() > 0x1_0000 {
                return Err("more than 65536 mappings".to_owned());
            }
        }
        map.extend((map.len()..0x1_0000).map(|unit| unit as u16));
        Ok(Self { map })
    }

    /// Only the mandatory mappings (exFAT table 24).
    #[must_use]
    pub fn mandatory() -> Self {
        let upper = |unit: u16| if (0x61..=0x7A).contains(&unit) { unit - 0x20 } else { unit };
        Self { map: (0..=0xFFFF).map(upper).collect() }
    }

    /// One unit.
    #[must_use]
    pub fn unit(&self, unit: u16) -> u16 {
        self.map[usize::from(unit)]
    }

    /// A name.
    #[must_use]
    pub fn name(&self, name: &[u16]) -> Vec<u16> {
        name.iter().map(|&unit| self.unit(unit)).collect()
    }

    /// NameHash (exFAT 7.6.4, figure 4).
    #[must_use]
    pub fn name_hash(&self, name: &[u16]) -> u16 {
        let bytes = name.iter().flat_map(|&unit| self.unit(unit).to_le_bytes());
        bytes.fold(0u16, |hash, byte| hash.rotate_right(1).wrapping_add(u16::from(byte)))
    }
}

#[cfg(test)]
mod tests {
    use super::Upcase;

    /// The standard's own example (exFAT 7.2.5): the first 100 mappings.
    #[test]
    fn example_of_the_standard() {
        let table: Vec<u8> = [0xFFFFu16, 0x61, 0x41, 0x42, 0x43].iter().flat_map(|unit| unit.to_le_bytes()).collect();
        let upcase = Upcase::expand(&table).expect("a good table");
        let word: Vec<u16> = "`abcd".encode_utf16().collect();
        assert_eq!(String::from_utf16_lossy(&upcase.name(&word)), "`ABCd");
    }

    #[test]
    fn broken_tables_are_refused() {
        assert!(Upcase::expand(&[1]).is_err());
        assert!(Upcase::expand(&[0xFF, 0xFF]).is_err());
        assert!(Upcase::expand(&[0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0]).is_err());
    }
}
