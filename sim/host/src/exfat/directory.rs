//! Directory entries (exFAT 6 and 7), grouped into sets and otherwise unchanged.

use crate::bytes::{le16, le32, le64};

/// Length of a directory entry (exFAT 6).
pub const ENTRY: usize = 32;

/// EntryType values (exFAT 7).
pub mod entry_type {
    #![allow(missing_docs, reason = "the names are those of the standard")]
    pub const END: u8 = 0x00;
    pub const ALLOCATION_BITMAP: u8 = 0x81;
    pub const UPCASE_TABLE: u8 = 0x82;
    pub const VOLUME_LABEL: u8 = 0x83;
    pub const FILE: u8 = 0x85;
    pub const VOLUME_GUID: u8 = 0xA0;
    pub const TEXFAT_PADDING: u8 = 0xA1;
    pub const STREAM_EXTENSION: u8 = 0xC0;
    pub const FILE_NAME: u8 = 0xC1;
}

/// FileAttributes: Directory (exFAT 7.4.4).
pub const ATTRIBUTE_DIRECTORY: u16 = 0x10;

/// An item of a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item<'d> {
    /// A primary entry with the secondary entries that its SecondaryCount covers, as far as they are in use.
    Set {
        /// Index of the primary entry.
        index: usize,
        /// All entries of the set.
        entries: &'d [u8],
        /// Whether as many secondary entries follow as SecondaryCount says.
        complete: bool,
    },
    /// Allocation bitmap, up-case table or volume label: one entry without secondary ones.
    Single {
        /// Index of the entry.
        index: usize,
        /// The entry.
        entry: &'d [u8],
    },
    /// A secondary entry outside of any set, or the invalid type 80h.
    Stray {
        /// Index of the entry.
        index: usize,
        /// EntryType.
        entry_type: u8,
    },
    /// From the end-of-directory marker on.
    End {
        /// Index of the marker.
        index: usize,
        /// It and everything after it.
        rest: &'d [u8],
    },
}

/// Splits a directory's bytes.
#[must_use]
pub fn items(data: &[u8]) -> Vec<Item<'_>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(entry) = data.get(at..at + ENTRY) {
        let index = at / ENTRY;
        let mut length = ENTRY;
        match entry[0] {
            entry_type::END => {
                found.push(Item::End { index, rest: &data[at..] });
                break;
            }
            // Not in use (exFAT 6.2.1).
            0x01..=0x7F => {}
            entry_type::ALLOCATION_BITMAP | entry_type::UPCASE_TABLE | entry_type::VOLUME_LABEL => {
                found.push(Item::Single { index, entry });
            }
            0x80 => found.push(Item::Stray { index, entry_type: 0x80 }),
            primary if primary & 0x40 == 0 => {
                let wanted = usize::from(entry[1]);
                let secondary = data[at + ENTRY..].chunks_exact(ENTRY);
                let present = secondary.take(wanted).take_while(|entry| entry[0] & 0xC0 == 0xC0).count();
                length = (present + 1) * ENTRY;
                found.push(Item::Set { index, entries: &data[at..at + length], complete: present == wanted });
            }
            entry_type => found.push(Item::Stray { index, entry_type }),
        }
        at += length;
    }
    found
}

/// SetChecksum (exFAT 6.3.3, figure 2).
#[must_use]
pub fn set_checksum(entries: &[u8]) -> u16 {
    let counted = entries.iter().enumerate().filter(|(index, _)| ![2, 3].contains(index));
    counted.fold(0u16, |sum, (_, &byte)| sum.rotate_right(1).wrapping_add(u16::from(byte)))
}

/// The fields of a stream extension entry that describe an allocation (exFAT 7.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream {
    /// GeneralSecondaryFlags.
    pub flags: u8,
    /// NameLength.
    pub name_length: u8,
    /// NameHash.
    pub name_hash: u16,
    /// ValidDataLength.
    pub valid_data_length: u64,
    /// FirstCluster.
    pub first_cluster: u32,
    /// DataLength.
    pub data_length: u64,
}

impl Stream {
    /// Reads the fields of an entry.
    #[must_use]
    pub fn parse(entry: &[u8]) -> Self {
        Self {
            flags: entry[1],
            name_length: entry[3],
            name_hash: le16(entry, 4),
            valid_data_length: le64(entry, 8),
            first_cluster: le32(entry, 20),
            data_length: le64(entry, 24),
        }
    }

    /// NoFatChain (exFAT 6.4.2.2).
    #[must_use]
    pub fn no_fat_chain(&self) -> bool {
        self.flags & 2 != 0
    }
}

/// The parts of a File entry set, as far as it has the form of exFAT 7.4: stream extension, then names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSet<'d> {
    /// The File entry.
    pub file: &'d [u8],
    /// The stream extension entry.
    pub stream_entry: &'d [u8],
    /// Its fields.
    pub stream: Stream,
    /// The name entries.
    pub names: Vec<&'d [u8]>,
    /// FileAttributes.
    pub attributes: u16,
}

impl<'d> FileSet<'d> {
    /// Splits a set into its parts.
    ///
    /// # Errors
    /// If the File entry is not followed by a stream extension.
    pub fn parse(entries: &'d [u8]) -> Result<Self, String> {
        let mut parts = entries.chunks_exact(ENTRY);
        let file = parts.next().ok_or("an empty set")?;
        let stream_entry = parts
            .next()
            .filter(|entry| entry[0] == entry_type::STREAM_EXTENSION)
            .ok_or("no Stream Extension entry follows the File entry")?;
        let names = parts.take_while(|entry| entry[0] == entry_type::FILE_NAME).collect();
        let stream = Stream::parse(stream_entry);
        Ok(Self { file, stream_entry, stream, names, attributes: le16(file, 4) })
    }

    /// The name: NameLength units, or as many as the name entries have room for.
    #[must_use]
    pub fn name(&self) -> Vec<u16> {
        self.units().take(usize::from(self.stream.name_length)).collect()
    }

    /// All units of the name entries, including those after the name.
    pub fn units(&self) -> impl Iterator<Item = u16> + '_ {
        self.names.iter().flat_map(|entry| entry[2..].chunks_exact(2)).map(|unit| le16(unit, 0))
    }

    /// Whether this is a directory.
    #[must_use]
    pub fn is_directory(&self) -> bool {
        self.attributes & ATTRIBUTE_DIRECTORY != 0
    }
}
