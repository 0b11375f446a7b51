//! File names for partitions.

use crate::chip::partition_table::{PARTITIONS, Partition, PartitionState, PartitionTable, WORK_AREA};
use crate::dynamic::Files;
use crate::text::Writer;
use core::fmt;
use picovd_exfat::name::{Name, is_forbidden};
use picovd_exfat::portable::{is_alike, is_device, is_unseen};

/// Maximum length in bytes of a partition file's path.
const PATH_LENGTH: usize = FOLDER_LENGTH + 1 + FILE_NAME_LENGTH;

/// Maximum length in bytes of the folder, which the manifest's checks ensure.
const FOLDER_LENGTH: usize = 64;

/// Maximum length in bytes of the last component: 127 for the name, `_` before a device's name, a suffix of three that
/// makes equal names different, and `.BIN`.
const FILE_NAME_LENGTH: usize = 127 + 1 + 3 + 4;

/// The paths of all partitions, empty where there is no file.
#[derive(Debug)]
#[repr(C, align(4))]
pub(super) struct PartitionPaths {
    /// Used as the bootrom's work area before there are paths.
    texts: [[u8; WORK_AREA / PARTITIONS]; PARTITIONS],
    heads: [Head; PARTITIONS],
}

const _: () = assert!(PATH_LENGTH <= WORK_AREA / PARTITIONS, "the bootrom's work area has room for the paths");
const _: () = assert!(WORK_AREA.is_multiple_of(PARTITIONS), "the paths have room for the bootrom's work area");

impl PartitionPaths {
    /// No paths yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { texts: [[0; WORK_AREA / PARTITIONS]; PARTITIONS], heads: [Head::EMPTY; PARTITIONS] }
    }

    /// [`WORK_AREA`] bytes, word-aligned, that may be used before there are paths.
    pub fn work_area_mut(&mut self) -> &mut [u8] {
        self.texts.as_flattened_mut()
    }

    /// Gives each partition that can be shown a path in `folder` (empty for the root directory) that neither another
    /// partition nor a file on the volume has.
    ///
    /// If there is no path because the folder's name is too long, the partition is refused in the table.
    pub fn fill(&mut self, table: &mut PartitionTable, folder: &str, files: &Files<'_>) {
        for index in 0..PARTITIONS {
            let Some(partition) = table.partitions().get(index) else { continue };
            if partition.state != PartitionState::Shown {
                continue;
            }
            let Some((before, [text, ..])) = self.texts.split_at_mut_checked(index) else { continue };
            // One suffix more than there are partitions and dynamic files, so one of them is free.
            let head = (1..=u16::from(u8::MAX) + PARTITIONS as u16).find_map(|number| {
                let head = write_path(text, folder, partition, index, number)?;
                let path = Path { head, text };
                let taken = before.iter().zip(&self.heads).any(|(text, head)| path.is_same(Path { head: *head, text }))
                    || !files.is_free(path.text());
                (!taken).then_some(head)
            });
            match (self.heads.get_mut(index), head) {
                (Some(place), Some(head)) => *place = head,
                _ => table.refuse(index),
            }
        }
    }

    /// The path of a partition's file.
    #[must_use]
    pub fn get(&self, partition: usize) -> Option<&str> {
        let path = Path { head: *self.heads.get(partition)?, text: self.texts.get(partition)? };
        Some(path.text()).filter(|path| !path.is_empty())
    }
}

impl Default for PartitionPaths {
    fn default() -> Self {
        Self::new()
    }
}

/// Facts about a path in addition to its text.
#[derive(Clone, Copy, Debug)]
struct Head {
    /// NameHash (exFAT 7.6.4) of the last component.
    hash: u16,
    /// Length of the text in bytes.
    length: u8,
}

const _: () = assert!(PATH_LENGTH <= u8::MAX as usize, "a byte counts the bytes of a path");

impl Head {
    const EMPTY: Self = Self { hash: 0, length: 0 };
}

/// Writes the path of a partition for try `number`: from the second try on with that number after the name. `None` if it is
/// too long.
fn write_path(text: &mut [u8], folder: &str, partition: &Partition, index: usize, number: u16) -> Option<Head> {
    let mut path = Writer::new(0, text.get_mut(..PATH_LENGTH)?);
    let written = path.template("$f$n$t.BIN", &mut |letter, path| match letter {
        b'f' if folder.is_empty() => Ok(()),
        b'f' => {
            path.text(folder)?;
            path.text("/")
        }
        b'n' => match partition.name().filter(|name| !name.is_empty()) {
            Some(name) => {
                path.text(if is_device(name) { "_" } else { "" })?;
                write_name(name, path)
            }
            None => {
                path.text("PART")?;
                path.decimal(index as u64)
            }
        },
        _ if number > 1 => {
            path.text("~")?;
            path.decimal(number.into())
        }
        _ => Ok(()),
    });
    written.ok()?;
    let head = Head { hash: 0, length: path.filled() as u8 };
    let hash = Path { head, text }.name()?.name_hash();
    Some(Head { hash, ..head })
}

/// Writes a name, with `_` for every character that exFAT forbids (7.7.3) or that is invisible, and for every byte that is
/// not valid UTF-8.
fn write_name(name: &[u8], path: &mut Writer<'_>) -> fmt::Result {
    for chunk in name.utf8_chunks() {
        for character in chunk.valid().chars() {
            // All forbidden characters are ASCII.
            let bad = is_unseen(character) || character.is_ascii() && is_forbidden(character as u16);
            path.character(if bad { '_' } else { character })?;
        }
        for _ in chunk.invalid() {
            path.text("_")?;
        }
    }
    Ok(())
}

/// The last component of a path.
pub(super) fn file_name(path: &str) -> &str {
    let begin = path.bytes().rposition(|byte| byte == b'/').map_or(0, |slash| slash + 1);
    path.get(begin..).unwrap_or_default()
}

/// A path in its buffer.
#[derive(Clone, Copy)]
struct Path<'a> {
    head: Head,
    text: &'a [u8],
}

impl<'a> Path<'a> {
    fn text(self) -> &'a str {
        // Only whole characters were written.
        self.text.get(..self.head.length.into()).and_then(|text| core::str::from_utf8(text).ok()).unwrap_or("")
    }

    /// The last component.
    fn name(self) -> Option<Name<'a>> {
        Name::new(file_name(self.text())).ok()
    }

    /// Whether some host may take both for the same file; their folders are the same. Up-casing is slow: a boot must not
    /// wait for sixteen names cubed.
    fn is_same(self, other: Path<'_>) -> bool {
        let (name, other_name) = (file_name(self.text()), file_name(other.text()));
        if name.is_ascii() && other_name.is_ascii() {
            return self.head.hash == other.head.hash && name.eq_ignore_ascii_case(other_name);
        }
        is_alike(name.encode_utf16(), other_name.encode_utf16())
    }
}
