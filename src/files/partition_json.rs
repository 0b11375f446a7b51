//! PARTITIONS.JSON: the partition table for programs and for curious people.

use super::json::{Text, list};
use super::partition_name::PartitionPaths;
use super::partition_table::{Accessor, Flags, Link, Location, Partition, PartitionState, PartitionTable, TableState};
use super::rendered;
use crate::volume::Content;
use core::fmt::{self, Display, Formatter};

/// The table and the files that were made of it, rendered when they are read. Nothing of it changes after boot.
#[derive(Clone, Copy, Debug)]
pub(super) struct Description<'a> {
    pub table: &'a PartitionTable,
    pub paths: &'a PartitionPaths,
    pub flash_size: u32,
}

impl Content for Description<'_> {
    fn length(&self) -> u32 {
        rendered::length(self)
    }

    fn read(&self, _: u32, offset: u32, out: &mut [u8]) {
        rendered::render(self, offset, out);
    }
}

impl Display for Description<'_> {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let (state, code) = match self.table.state() {
            TableState::None => ("none", None),
            TableState::Present => ("present", None),
            TableState::Unreadable(code) => ("unreadable", Some(code)),
        };
        write!(out, "{{\n  \"table\": \"{state}\",\n  \"read\": \"at boot\",\n")?;
        if let Some(code) = code {
            writeln!(out, "  \"bootrom_error\": {code},")?;
        }
        writeln!(out, "  \"flash_size\": {},", self.flash_size)?;
        let unpartitioned = self.table.unpartitioned();
        if code.is_none() {
            write!(out, "  \"unpartitioned\": {{ \"permissions\": {}, ", Permissions(unpartitioned.0))?;
            writeln!(out, "\"families\": {} }},", Families { flags: unpartitioned, more: &[] })?;
        }
        out.write_str("  \"partitions\": [")?;
        for (index, partition) in self.table.partitions().iter().enumerate() {
            out.write_str(if index == 0 { "\n" } else { ",\n" })?;
            self.partition(index, partition, out)?;
        }
        out.write_str(if self.table.partitions().is_empty() { "]\n}\n" } else { "\n  ]\n}\n" })
    }
}

impl Description<'_> {
    fn partition(&self, index: usize, partition: &Partition, out: &mut Formatter<'_>) -> fmt::Result {
        write!(out, "    {{\n      \"partition\": {index},\n      \"name\": ")?;
        match partition.name() {
            Some(name) => write!(out, "{}", Text(name))?,
            None => out.write_str("null")?,
        }
        let state = match partition.state {
            PartitionState::Shown => "shown",
            PartitionState::OutsideFlash => "outside of flash",
            PartitionState::Backwards => "ends before it begins",
            PartitionState::NoRoom => "no room: partitions overlap, or the volume is full",
            PartitionState::Undescribed => "the bootrom does not describe it",
        };
        out.write_str(",\n      \"file\": ")?;
        match self.paths.get(index).filter(|_| partition.state == PartitionState::Shown) {
            // Its place is this file's, so that the folder's name says nothing new.
            Some(path) => write!(out, "{}", Text(path.rsplit('/').next().unwrap_or(path).as_bytes()))?,
            None => out.write_str("null")?,
        }
        write!(out, ",\n      \"state\": \"{state}\"")?;
        if partition.state == PartitionState::Undescribed {
            return out.write_str("\n    }");
        }
        let Partition { location, flags, .. } = partition;
        write!(out, ",\n      \"offset\": {},\n      \"length\": ", location.offset())?;
        match location.length() {
            Some(length) => write!(out, "{length}")?,
            None => out.write_str("null")?,
        }
        write!(out, ",\n      \"permissions\": {}", Permissions(location.0))?;
        out.write_str(",\n      \"flags\": [")?;
        list(out, flags.names())?;
        out.write_str("],\n      \"link\": ")?;
        match flags.link() {
            Link::None => out.write_str("null")?,
            Link::A(of) => write!(out, "{{ \"type\": \"a\", \"partition\": {of} }}")?,
            Link::Owner(of) => write!(out, "{{ \"type\": \"owner\", \"partition\": {of} }}")?,
            Link::Unknown => out.write_str("{ \"type\": \"unknown\" }")?,
        }
        write!(out, ",\n      \"families\": {}", Families { flags: *flags, more: partition.families() })?;
        out.write_str(",\n      \"id\": ")?;
        match partition.id {
            // A number of 64 bits is more than JSON readers keep exactly.
            Some(id) => write!(out, "\"{id:#018x}\"")?,
            None => out.write_str("null")?,
        }
        out.write_str("\n    }")
    }
}

/// Permissions of a location word or a flags word, as picotool writes them.
struct Permissions(u32);

impl Display for Permissions {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let of = |who| match Location(self.0).permits(who) {
            (true, true) => "rw",
            (true, false) => "r",
            (false, true) => "w",
            (false, false) => "",
        };
        let [secure, non_secure, boot] = [Accessor::Secure, Accessor::NonSecure, Accessor::NsBoot].map(of);
        write!(out, "{{ \"secure\": \"{secure}\", \"nonsecure\": \"{non_secure}\", \"bootloader\": \"{boot}\" }}")
    }
}

/// The families that a range accepts.
struct Families<'a> {
    flags: Flags,
    more: &'a [u32],
}

impl Display for Families<'_> {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        out.write_str("[")?;
        let mut known = self.flags.families().peekable();
        let any = known.peek().is_some();
        list(out, known)?;
        for (index, family) in self.more.iter().enumerate() {
            write!(out, "{}\"{family:#010x}\"", if any || index > 0 { ", " } else { "" })?;
        }
        out.write_str("]")
    }
}
