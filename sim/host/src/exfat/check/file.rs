//! Rules of file entry sets (exFAT 7.4, 7.6, 7.7).

use std::collections::HashSet;

use super::{Check, Checker};
use crate::bytes::{le16, le32};
use crate::exfat::directory::{ENTRY, FileSet, entry_type};
use crate::exfat::volume::LONGEST_DIRECTORY;
use crate::printed::Printed;
use crate::source::ReadError;

/// A sub-directory to be checked.
pub(super) struct Child {
    pub(super) path: String,
    pub(super) first_cluster: u32,
    pub(super) data_length: u64,
    pub(super) no_fat_chain: bool,
}

/// 16-bit units.
pub(super) fn units(bytes: &[u8]) -> impl Iterator<Item = u16> + '_ {
    bytes.chunks_exact(2).map(|unit| le16(unit, 0))
}

/// Characters that names and labels may not have (exFAT table 35).
pub(super) fn is_illegal(unit: u16) -> bool {
    unit < 0x20 || [0x22, 0x2A, 0x2F, 0x3A, 0x3C, 0x3E, 0x3F, 0x5C, 0x7C].contains(&unit)
}

fn zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|&byte| byte == 0)
}

impl Checker<'_> {
    /// Checks one set; returns the directory that it describes, if it is one and has clusters. Files are checked here.
    pub(super) fn check_file(
        &mut self,
        directory: &str,
        place: &str,
        entries: &[u8],
        names: &mut HashSet<Vec<u16>>,
    ) -> Result<Option<Child>, ReadError> {
        let set = match FileSet::parse(entries) {
            Ok(set) => set,
            Err(error) => {
                self.report(Check::SetStream, format!("{place}: {error}"));
                self.incomplete = true;
                return Ok(None);
            }
        };
        let name = set.name();
        let path = format!("{directory}/{}", Printed(&String::from_utf16_lossy(&name)));
        self.check_secondary(&path, &set, entries);
        self.check_file_entry(&path, &set);
        self.check_name(&path, &set, &name);
        if !names.insert(self.upcase.name(&name)) {
            self.report(Check::NameDuplicate, format!("{path} exists twice"));
        }
        self.check_stream(&path, &set);
        let stream = set.stream;
        let (first_cluster, data_length, no_fat_chain) =
            (stream.first_cluster, stream.data_length, stream.no_fat_chain());
        if first_cluster == 0 || data_length == 0 {
            // The stream's rules report a mismatch; then some clusters' owner may be unknown.
            self.incomplete |= first_cluster != 0 || data_length != 0;
            return Ok(None);
        }
        if set.is_directory() {
            return Ok(Some(Child { path, first_cluster, data_length, no_fat_chain }));
        }
        if let Some(clusters) = self.claim(&path, first_cluster, Some(data_length), no_fat_chain) {
            let used = (data_length % self.cluster_length()) as usize;
            if let (Some(&last), true) = (clusters.last(), used != 0) {
                let data = self.read_cluster(last)?;
                self.ensure(zero(&data[used..]), Check::FileTail, || {
                    format!("{path}: bytes after its end are not zero")
                });
            }
        }
        Ok(None)
    }

    /// Checks the secondary entries of the set: one stream extension, the names, then benign ones.
    fn check_secondary(&mut self, path: &str, set: &FileSet<'_>, entries: &[u8]) {
        let needed = usize::from(set.stream.name_length).div_ceil(15);
        let found = set.names.len();
        self.ensure(found == needed || set.stream.name_length == 0, Check::SetNames, || {
            format!("{path}: {found} name entries, not {needed}")
        });
        for entry in entries.chunks_exact(ENTRY).skip(2 + found) {
            match entry[0] {
                entry_type::STREAM_EXTENSION => {
                    self.report(Check::SetStream, format!("{path}: a second Stream Extension entry"));
                }
                entry_type::FILE_NAME => {
                    self.report(Check::SetNames, format!("{path}: a File Name entry after other entries"));
                }
                kind if kind & 0x20 != 0 => {}
                kind => self.report(Check::EntryType, format!("{path}: unknown secondary type {kind:02X}h")),
            }
        }
    }

    fn check_file_entry(&mut self, path: &str, set: &FileSet<'_>) {
        let FileSet { file, attributes, .. } = *set;
        self.ensure(attributes & !0x37 == 0, Check::FileAttributes, || {
            format!("{path}: FileAttributes is {attributes:04X}h")
        });
        let reserved = zero(&file[6..8]) && zero(&file[25..32]);
        self.ensure(reserved, Check::FileReserved, || format!("{path}: bytes 6, 7 or 25 to 31 are not zero"));
        for (field, at) in [("Create", 8), ("LastModified", 12), ("LastAccessed", 16)] {
            let value = le32(file, at);
            self.ensure(is_time(value), Check::Timestamp, || format!("{path}: {field}Timestamp is {value:08X}h"));
        }
        for (field, at) in [("Create", 20), ("LastModified", 21)] {
            let value = file[at];
            self.ensure(value <= 199, Check::Increment, || format!("{path}: {field}10msIncrement is {value}"));
        }
        for (field, at) in [("Create", 22), ("LastModified", 23), ("LastAccessed", 24)] {
            let value = file[at];
            if value & 0x80 == 0 {
                let check = if value == 0 { Check::UtcOffsetValid } else { Check::UtcOffset };
                self.report(check, format!("{path}: {field}UtcOffset is {value:02X}h"));
            }
        }
    }

    fn check_name(&mut self, path: &str, set: &FileSet<'_>, name: &[u16]) {
        self.ensure(!name.is_empty(), Check::NameLength, || format!("{path}: NameLength is 0"));
        let (stated, hash) = (set.stream.name_hash, self.upcase.name_hash(name));
        self.ensure(stated == hash, Check::NameHash, || format!("{path}: NameHash is {stated:04X}h, not {hash:04X}h"));
        let flags = set.names.iter().all(|entry| entry[1] == 0);
        self.ensure(flags, Check::NameFlags, || format!("{path}: the flags of a name entry are not 0"));
        if let Some(unit) = name.iter().find(|unit| is_illegal(**unit)) {
            self.report(Check::NameCharacters, format!("{path}: {unit:04X}h"));
        }
        let dot = u16::from(b'.');
        self.ensure(name != [dot] && name != [dot, dot], Check::NameDots, || path.to_owned());
        let unicode = char::decode_utf16(name.iter().copied()).all(|unit| unit.is_ok());
        self.ensure(unicode, Check::NameUnicode, || path.to_owned());
        // An empty name was reported above; then its entries' contents are not known to be padding.
        let padding = name.is_empty() || set.units().skip(name.len()).all(|unit| unit == 0);
        self.ensure(padding, Check::NamePadding, || format!("{path}: characters after its end"));
    }

    fn check_stream(&mut self, path: &str, set: &FileSet<'_>) {
        let (entry, stream) = (set.stream_entry, set.stream);
        self.ensure(stream.flags & !2 == 1, Check::StreamFlags, || {
            format!("{path}: GeneralSecondaryFlags is {:02X}h", stream.flags)
        });
        let reserved = entry[2] == 0 && zero(&entry[6..8]) && zero(&entry[16..20]);
        self.ensure(reserved, Check::StreamReserved, || format!("{path}: bytes 2, 6, 7 or 16 to 19 are not zero"));
        let (valid, length) = (stream.valid_data_length, stream.data_length);
        let fits = if set.is_directory() { valid == length } else { valid <= length };
        self.ensure(fits, Check::ValidDataLength, || format!("{path}: ValidDataLength is {valid} of {length}"));
        let empty = (stream.first_cluster == 0, length == 0, stream.no_fat_chain());
        self.ensure(matches!(empty, (true, true, false) | (false, false, _)), Check::EmptyAllocation, || {
            format!("{path}: {length} bytes, cluster {}, NoFatChain {}", stream.first_cluster, u8::from(empty.2))
        });
        if set.is_directory() {
            let whole = length % self.cluster_length() == 0 && length <= LONGEST_DIRECTORY;
            self.ensure(whole, Check::DirectoryLength, || format!("{path}: a directory of {length} bytes"));
        }
    }
}

/// Whether a Timestamp is a valid time (exFAT 7.4.8).
fn is_time(value: u32) -> bool {
    let (second, minute, hour) = (value & 31, (value >> 5) & 63, (value >> 11) & 31);
    let (day, month, year) = ((value >> 16) & 31, (value >> 21) & 15, 1980 + (value >> 25));
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return false,
    };
    second <= 29 && minute <= 59 && hour <= 23 && (1..=days).contains(&day)
}

#[cfg(test)]
mod tests {
    use super::is_time;

    fn time(year: u32, month: u32, day: u32) -> u32 {
        (year - 1980) << 25 | month << 21 | day << 16
    }

    #[test]
    fn calendar() {
        for good in [time(1980, 1, 1), time(2000, 2, 29), time(2024, 2, 29), time(2107, 12, 31)] {
            assert!(is_time(good), "{good:08x}");
        }
        // 2100 is not a leap year.
        for bad in [0, time(2023, 2, 29), time(2100, 2, 29), time(2024, 4, 31), time(2024, 13, 1), time(2024, 0, 1)] {
            assert!(!is_time(bad), "{bad:08x}");
        }
    }
}
