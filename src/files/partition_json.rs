//! PARTITIONS.JSON: the partition table for programs and for interested users.

use super::partition_name::{PartitionPaths, file_name};
use crate::chip::partition_table::{
    Accessor, Flags, Link, Location, Partition, PartitionState, PartitionTable, TableState,
};
use crate::dynamic::Content;
use crate::text::Writer;
use core::fmt;

/// The whole file.
const TABLE: &str = r#"{
  "table": "$t",
  "read": "at boot",
$e  "flash_size": $s,
$u  "partitions": [$p]
}
"#;

/// Unpartitioned space.
const UNPARTITIONED: &str = r#"  "unpartitioned": { "permissions": $p, "families": $f },
"#;

/// A partition, and the part that the bootrom describes.
const PARTITION: &str = r#"
    {
      "partition": $i,
      "name": $n,
      "file": $f,
      "state": "$s"$d
    }"#;
const DESCRIBED: &str = r#",
      "offset": $o,
      "length": $l,
      "permissions": $p,
      "flags": [$g],
      "link": $k,
      "families": $f,
      "id": $i"#;

/// Permissions, as picotool writes them.
const PERMISSIONS: &str = r#"{ "secure": "$s", "nonsecure": "$n", "bootloader": "$b" }"#;

/// The table and its files, rendered on each read. It does not change after boot.
#[derive(Clone, Copy, Debug)]
pub(super) struct Description<'a> {
    pub table: &'a PartitionTable,
    pub paths: &'a PartitionPaths,
    pub flash_size: u32,
}

impl Content for Description<'_> {
    fn length(&self) -> u32 {
        Writer::length(|out| self.write(out)) as u32
    }

    fn read(&self, _: u32, offset: u32, out: &mut [u8]) {
        // The reader fetches what does not fit with its next read.
        let _ = self.write(&mut Writer::new(offset as usize, out));
    }
}

impl Description<'_> {
    fn write(&self, out: &mut Writer<'_>) -> fmt::Result {
        let (state, code) = match self.table.state() {
            TableState::None => ("none", None),
            TableState::Present => ("present", None),
            TableState::Unreadable(code) => ("unreadable", Some(code)),
        };
        out.template(TABLE, &mut |letter, out| match (letter, code) {
            (b't', _) => out.text(state),
            (b'e', Some(code)) => {
                out.text("  \"bootrom_error\": ")?;
                out.signed(code.into())?;
                out.text(",\n")
            }
            (b's', _) => out.decimal(self.flash_size.into()),
            (b'u', None) => {
                let flags = self.table.unpartitioned();
                out.template(UNPARTITIONED, &mut |letter, out| match letter {
                    b'p' => permissions(flags.0, out),
                    _ => families(flags, &[], out),
                })
            }
            (b'p', _) => self.partitions(out),
            _ => Ok(()),
        })
    }

    fn partitions(&self, out: &mut Writer<'_>) -> fmt::Result {
        let mut between = "";
        for (index, partition) in self.table.partitions().iter().enumerate() {
            out.text(core::mem::replace(&mut between, ","))?;
            out.template(PARTITION, &mut |letter, out| match letter {
                b'i' => out.decimal(index as u64),
                b'n' => or_null(partition.name(), out, Writer::quoted_bytes),
                b'f' => {
                    let path = self.paths.get(index).filter(|_| partition.state == PartitionState::Shown);
                    // It is in the same folder as this file, so the file name is enough.
                    or_null(path.map(file_name), out, Writer::quoted)
                }
                b's' => out.text(match partition.state {
                    PartitionState::Shown => "shown",
                    PartitionState::OutsideFlash => "outside of flash",
                    PartitionState::Backwards => "ends before it begins",
                    PartitionState::NoRoom => "no room: partitions overlap, or the volume is full",
                    PartitionState::Undescribed => "the bootrom does not describe it",
                }),
                _ if partition.state == PartitionState::Undescribed => Ok(()),
                _ => out.template(DESCRIBED, &mut |letter, out| described(partition, letter, out)),
            })?;
        }
        out.text(if between.is_empty() { "" } else { "\n  " })
    }
}

/// Writes the text for a letter of [`DESCRIBED`].
fn described(partition: &Partition, letter: u8, out: &mut Writer<'_>) -> fmt::Result {
    let Partition { location, flags, .. } = partition;
    match letter {
        b'o' => out.decimal(location.offset().into()),
        b'l' => or_null(location.length(), out, |out, length| out.decimal(length.into())),
        b'p' => permissions(location.0, out),
        b'g' => list(flags.names(), &mut "", out),
        b'k' => {
            let (template, of) = match flags.link() {
                Link::None => ("null", 0),
                Link::A(of) => (r#"{ "type": "a", "partition": $p }"#, of),
                Link::Owner(of) => (r#"{ "type": "owner", "partition": $p }"#, of),
                Link::Unknown => (r#"{ "type": "unknown" }"#, 0),
            };
            out.template(template, &mut |_, out| out.decimal(of.into()))
        }
        b'f' => families(*flags, partition.families(), out),
        // As a string: most JSON readers do not keep 64-bit numbers exactly.
        _ => or_null(partition.id, out, |out, id| {
            out.text("\"0x")?;
            out.hexadecimal(id, 16, b'a')?;
            out.text("\"")
        }),
    }
}

fn or_null<'o, T>(
    value: Option<T>,
    out: &mut Writer<'o>,
    write: impl FnOnce(&mut Writer<'o>, T) -> fmt::Result,
) -> fmt::Result {
    match value {
        Some(value) => write(out, value),
        None => out.text("null"),
    }
}

/// Writes the permissions of a location word or a flags word.
fn permissions(word: u32, out: &mut Writer<'_>) -> fmt::Result {
    out.template(PERMISSIONS, &mut |letter, out| {
        let who = match letter {
            b's' => Accessor::Secure,
            b'n' => Accessor::NonSecure,
            _ => Accessor::NsBoot,
        };
        out.text(match Location(word).permits(who) {
            (true, true) => "rw",
            (true, false) => "r",
            (false, true) => "w",
            (false, false) => "",
        })
    })
}

/// Writes the families that a range accepts: `more` in addition to those of `flags`.
fn families(flags: Flags, more: &[u32], out: &mut Writer<'_>) -> fmt::Result {
    let mut between = "";
    out.text("[")?;
    list(flags.families(), &mut between, out)?;
    for family in more {
        out.text(core::mem::replace(&mut between, ", "))?;
        out.text("\"0x")?;
        out.hexadecimal((*family).into(), 8, b'a')?;
        out.text("\"")?;
    }
    out.text("]")
}

/// Writes words as strings separated by commas.
fn list<'w>(words: impl Iterator<Item = &'w str>, between: &mut &'static str, out: &mut Writer<'_>) -> fmt::Result {
    for word in words {
        out.text(core::mem::replace(between, ", "))?;
        out.quoted(word)?;
    }
    Ok(())
}
