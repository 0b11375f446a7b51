//! Rules of what only the root directory has: allocation bitmap, up-case table, volume label (exFAT 7.1 to 7.3).

use super::file::{is_illegal, units};
use super::{Check, Checker};
use crate::bytes::{le32, le64};
use crate::exfat::directory::entry_type;
use crate::exfat::upcase::{RECOMMENDED_CHECKSUM, Upcase, table_checksum};
use crate::source::ReadError;

/// How many single entries of each type the root directory has.
#[derive(Default)]
pub(super) struct Counts {
    bitmaps: u32,
    upcases: u32,
    labels: u32,
}

fn zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|&byte| byte == 0)
}

impl Checker<'_> {
    /// One bitmap, up-case or label entry of the root directory.
    pub(super) fn check_single(&mut self, entry: &[u8], counts: &mut Counts) -> Result<(), ReadError> {
        let counter = match entry[0] {
            entry_type::ALLOCATION_BITMAP => &mut counts.bitmaps,
            entry_type::UPCASE_TABLE => &mut counts.upcases,
            _ => &mut counts.labels,
        };
        *counter += 1;
        // Their number is reported later; only the first one is used.
        if *counter > 1 {
            return Ok(());
        }
        match entry[0] {
            entry_type::ALLOCATION_BITMAP => self.check_bitmap_entry(entry),
            entry_type::UPCASE_TABLE => self.check_upcase_entry(entry),
            _ => {
                self.check_label_entry(entry);
                Ok(())
            }
        }
    }

    /// Checks the number of each.
    pub(super) fn check_counts(&mut self, counts: &Counts) {
        let Counts { bitmaps, upcases, labels } = *counts;
        self.ensure(bitmaps == 1, Check::BitmapCount, || format!("{bitmaps} allocation bitmap entries"));
        self.ensure(upcases == 1, Check::UpcaseCount, || format!("{upcases} up-case table entries"));
        self.ensure(labels <= 1, Check::LabelCount, || format!("{labels} volume label entries"));
        // Without its entry, the owner of the table's clusters is unknown.
        self.incomplete |= bitmaps == 0 || upcases == 0;
    }

    fn check_bitmap_entry(&mut self, entry: &[u8]) -> Result<(), ReadError> {
        let flags = entry[1];
        self.ensure(flags == 0, Check::BitmapFlags, || format!("BitmapFlags is {flags:02X}h"));
        self.ensure(zero(&entry[2..20]), Check::BitmapReserved, || "bytes 2 to 19 are not zero".to_owned());
        let (length, expected) = (le64(entry, 24), u64::from(self.boot.cluster_count).div_ceil(8));
        self.ensure(length == expected, Check::BitmapLength, || format!("DataLength is {length}, not {expected}"));
        let data = self.read_table("the allocation bitmap", entry)?;
        if let Some(data) = data.filter(|_| length == expected) {
            self.bitmap = Some(data);
        }
        Ok(())
    }

    fn check_upcase_entry(&mut self, entry: &[u8]) -> Result<(), ReadError> {
        let reserved = zero(&entry[1..4]) && zero(&entry[8..20]);
        self.ensure(reserved, Check::UpcaseReserved, || "bytes 1 to 3 or 8 to 19 are not zero".to_owned());
        let Some(table) = self.read_table("the up-case table", entry)? else { return Ok(()) };
        let (stated, checksum) = (le32(entry, 4), table_checksum(&table));
        self.ensure(stated == checksum, Check::UpcaseChecksum, || {
            format!("TableChecksum is {stated:08X}h, the table's is {checksum:08X}h")
        });
        match Upcase::expand(&table) {
            Err(error) => self.report(Check::UpcaseFormat, error),
            Ok(upcase) => {
                let mandatory = Upcase::mandatory();
                match (0..128).find(|&unit| upcase.unit(unit) != mandatory.unit(unit)) {
                    Some(unit) => {
                        let upper = upcase.unit(unit);
                        self.report(Check::UpcaseMandatory, format!("{unit:04X}h maps to {upper:04X}h"));
                    }
                    None => self.ensure(checksum == RECOMMENDED_CHECKSUM, Check::UpcaseRecommended, || {
                        format!("the table's checksum is {checksum:08X}h, not {RECOMMENDED_CHECKSUM:08X}h")
                    }),
                }
                self.upcase = upcase;
            }
        }
        Ok(())
    }

    fn check_label_entry(&mut self, entry: &[u8]) {
        let count = entry[1];
        self.ensure(count <= 11, Check::LabelLength, || format!("CharacterCount is {count}"));
        let label: Vec<u16> = units(&entry[2..24]).take(usize::from(count)).collect();
        // If the count is wrong, it is unknown which characters belong to the label.
        let legal = count > 11 || !label.iter().any(|&unit| is_illegal(unit));
        self.ensure(legal, Check::LabelCharacters, || format!("the label is {:?}", String::from_utf16_lossy(&label)));
        self.ensure(zero(&entry[24..]), Check::LabelReserved, || "bytes 24 to 31 are not zero".to_owned());
    }

    /// The bytes of the table that an entry describes; `None` if it cannot be followed. Checks its tail, too.
    fn read_table(&mut self, name: &str, entry: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        let length = le64(entry, 24);
        let Some(clusters) = self.claim(name, le32(entry, 20), Some(length), false) else { return Ok(None) };
        let mut data = self.read_clusters(&clusters)?;
        let length = usize::try_from(length).unwrap_or(usize::MAX).min(data.len());
        self.ensure(zero(&data[length..]), Check::FileTail, || format!("{name}: bytes after its end are not zero"));
        data.truncate(length);
        Ok(Some(data))
    }
}
