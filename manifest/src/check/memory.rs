//! Rules of `[[memory]]` and `[[redact]]`: which addresses may be read.
//!
//! The ROM, flash through the execute-in-place windows, and SRAM can be read without side effects (RP2350 datasheet, 2.2).
//! Everything else is refused: reads of peripherals may have side effects, and holes in the address map are bus faults.

use std::ops::Range;

use serde_spanned::Spanned;

use super::{Chip, Content, FLASH_SECTOR, File, Partitions, Placed, Rules, Settings, bytes};
use crate::diagnostic::{Code, near_miss};
use crate::schema::{MemoryTable, RedactTable};

/// The ROM: 32 KiB at address 0 (2.2.1).
const ROM: Range<u64> = 0..0x8000;
/// SRAM with both scratch banks (2.2.3).
const SRAM: Range<u64> = 0x2000_0000..0x2008_2000;
/// The execute-in-place windows (4.4.1): four aliases of 64 MiB each.
const XIP: Range<u64> = 0x1000_0000..0x2000_0000;
const XIP_ALIAS: u64 = 0x0400_0000;
/// The window for cache maintenance, which cannot be read.
const XIP_MAINTENANCE: u64 = 0x1800_0000;
/// The window without cache and without address translation: the contents of the flash chip.
const XIP_STORAGE: u64 = 0x1C00_0000;

/// Names of windows.
const WINDOWS: [&str; 3] = ["sram", "bootrom", "flash"];

/// Names of redactions.
const REDACTIONS: [&str; 1] = ["settings"];

/// A range of readable memory. A value of this type proves that all of it is memory of the chip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    base: u32,
    length: u64,
    memory: Memory,
    offset: u64,
}

/// What is wrong with a range.
#[derive(Debug)]
enum Misfit {
    /// Its first address, for this reason.
    Base(String),
    /// Its length: the memory has only `most` bytes from the first address on.
    Length { length: u64, most: u64, flash: bool },
}

/// The memories, some of which have several addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Memory {
    Rom,
    Flash,
    Sram,
}

impl Window {
    /// The first address that a file reads: for flash, uncached.
    #[must_use]
    pub const fn base(&self) -> u32 {
        self.base
    }

    /// Length in bytes, at least 1.
    #[must_use]
    pub const fn length(&self) -> u64 {
        self.length
    }

    /// Its offset in flash, in bytes; `None` for other memory.
    #[must_use]
    pub fn flash_offset(&self) -> Option<u64> {
        (self.memory == Memory::Flash).then_some(self.offset)
    }

    /// The bytes of this window that `other` also shows, through any alias: offsets from this window's start.
    ///
    /// A translated flash address is treated like the storage address of the same offset, which is right unless the program
    /// was started from a partition. In that case the firmware translates the address first, and hides by storage address:
    /// the layout may hide more than that, never less.
    #[must_use]
    pub fn overlap(&self, other: &Self) -> Option<Range<u64>> {
        let start = self.offset.max(other.offset);
        let end = (self.offset + self.length).min(other.offset + other.length);
        (self.memory == other.memory && start < end).then(|| start - self.offset..end - self.offset)
    }

    /// Whether every byte of this window is also in `other`, through any alias.
    fn lies_within(&self, other: &Self) -> bool {
        self.overlap(other) == Some(0..self.length)
    }

    /// The window of that range, or what is wrong with it.
    fn new(base: u64, length: u64, chip: Chip) -> Result<Self, Misfit> {
        let flash = u64::from(chip.flash_size);
        let alias = base / XIP_ALIAS * XIP_ALIAS;
        // The address to be read, its offset in its memory, and the number of bytes from there on.
        let (memory, address, offset, most) = if ROM.contains(&base) {
            (Memory::Rom, base, base, ROM.end - base)
        } else if SRAM.contains(&base) {
            (Memory::Sram, base, base - SRAM.start, SRAM.end - base)
        } else if XIP.contains(&base) && alias == XIP_MAINTENANCE {
            return Err(Misfit::Base("0x18000000..0x1c000000 is for cache maintenance and cannot be read".to_owned()));
        } else if XIP.contains(&base) {
            let offset = base - alias;
            let Some(most @ 1..) = flash.checked_sub(offset) else {
                return Err(Misfit::Base(format!(
                    "flash has {}, and this range begins at offset {offset:#x}",
                    bytes(flash)
                )));
            };
            // The uncached alias of the same translation: a large read must not evict the program from the cache.
            let uncached = if alias == XIP_STORAGE { XIP_STORAGE } else { XIP.start + XIP_ALIAS };
            (Memory::Flash, uncached + offset, offset, most)
        } else {
            let reason = format!("{base:#x} is not memory that can be read without side effects");
            return Err(Misfit::Base(reason));
        };
        if !(1..=most).contains(&length) {
            return Err(Misfit::Length { length, most, flash: memory == Memory::Flash });
        }
        let base = u32::try_from(address).map_err(|_| Misfit::Base("the address has more than 32 bits".to_owned()))?;
        Ok(Self { base, length, memory, offset })
    }

    /// All of flash.
    pub(crate) fn flash(chip: Chip) -> Self {
        Self { base: XIP_STORAGE as u32, length: chip.flash_size.into(), memory: Memory::Flash, offset: 0 }
    }

    fn named(name: &str, chip: Chip) -> Option<Self> {
        let (base, length) = match name {
            "sram" => (SRAM.start, SRAM.end - SRAM.start),
            "bootrom" => (ROM.start, ROM.end),
            "flash" => (XIP_STORAGE, u64::from(chip.flash_size)),
            _ => return None,
        };
        Self::new(base, length, chip).ok()
    }
}

const RANGES: &str =
    "readable memory: ROM 0..0x8000, SRAM 0x20000000..0x20082000, and flash at 0x10000000, 0x14000000 or 0x1c000000";

impl Rules {
    /// The window of a `[[memory]]`.
    pub(super) fn window(&mut self, table: &MemoryTable, at: Range<usize>, chip: Chip) -> Option<Window> {
        if let Some(window) = &table.window {
            if table.base.is_some() || table.length.is_some() {
                self.problems.report(
                    Code::ExclusiveKeys,
                    window.span.clone(),
                    "the window has both a name and a range",
                    "keep window, or base and length",
                );
            }
            let (name, span) = self.placed(&table.window)?;
            let window = Window::named(&name, chip);
            if window.is_none() {
                self.unknown_name(Code::UnknownWindow, span, "memory window", &name, &WINDOWS);
            }
            return window;
        }
        let base = self.placed(&table.base);
        let length = self.placed(&table.length);
        if table.base.is_none() || table.length.is_none() {
            self.problems.report(
                Code::MissingKey,
                at,
                "the memory has no window, or only part of a range",
                "add window = \"sram\", \"bootrom\" or \"flash\", or both base and length",
            );
            return None;
        }
        let ((base, span), (length, length_span)) = (base?, length?);
        self.range((base, span), (length.0, length_span), chip)
    }

    fn range(&mut self, base: Placed<u32>, length: Placed<u64>, chip: Chip) -> Option<Window> {
        let ((base, base_span), (length, length_span)) = (base, length);
        let (span, message, remedy) = match Window::new(u64::from(base), length, chip) {
            Ok(window) => return Some(window),
            Err(Misfit::Base(reason)) => (base_span, reason, RANGES.to_owned()),
            Err(Misfit::Length { length: 0, most, .. }) => {
                let remedy = format!("use a length from 1 to {most} ({})", bytes(most));
                (length_span, "the range is empty".to_owned(), remedy)
            }
            Err(Misfit::Length { length, most, flash }) => {
                let message =
                    format!("there are {} from {base:#x} on, but the length is {}", bytes(most), bytes(length));
                let more = if flash { ", or set [chip] flash-size to the length of the board's flash" } else { "" };
                (length_span, message, format!("use a length of at most {}{more}", bytes(most)))
            }
        };
        self.problems.report(Code::MemoryRange, span, message, remedy);
        None
    }

    fn unknown_name(&mut self, code: Code, span: Range<usize>, what: &str, name: &str, known: &[&str]) {
        let remedy = match near_miss(name, known) {
            Some(meant) => format!("did you mean {meant:?}?"),
            None => format!("known: {}", known.join(", ")),
        };
        self.problems.report(code, span, format!("unknown {what} {}", super::names::shown(name)), remedy);
    }

    /// The ranges that read as zeros. Each must hide something.
    pub(super) fn redactions(
        &mut self,
        tables: &[Spanned<RedactTable>],
        files: &[File],
        partitions: &Partitions,
        chip: Chip,
        settings: Settings,
    ) -> Vec<Window> {
        let mut redactions: Vec<(Window, Range<usize>)> = Vec::new();
        for table in tables {
            let at = table.span();
            let Some(window) = self.redaction(table.get_ref(), at.clone(), chip, settings) else { continue };
            let hides =
                |file: &File| matches!(&file.content, Content::Memory(shown) if shown.overlap(&window).is_some());
            let partitioned = partitions.enabled && window.memory == Memory::Flash;
            if partitioned || files.iter().any(hides) {
                redactions.push((window, at));
            } else {
                self.problems.report(
                    Code::Redaction,
                    at,
                    "the redaction hides nothing: no memory window shows that range",
                    "correct the range, or remove the redaction",
                );
            }
        }
        for (index, (window, at)) in redactions.iter().enumerate() {
            // Of two equal ones, the second one is redundant.
            let mut others = redactions.iter().enumerate().filter(|(other, _)| *other != index);
            if others.any(|(other, (wider, _))| window.lies_within(wider) && (other < index || window != wider)) {
                self.problems.report(
                    Code::Redaction,
                    at.clone(),
                    "another redaction already hides everything that this one hides",
                    "correct the range, or remove the redaction",
                );
            }
        }
        let mut windows: Vec<Window> = redactions.into_iter().map(|(window, _)| window).collect();
        // The settings' sectors are always hidden.
        windows.extend(settings_sectors(chip, settings));
        windows
    }

    fn redaction(&mut self, table: &RedactTable, at: Range<usize>, chip: Chip, settings: Settings) -> Option<Window> {
        if let Some(name) = &table.name {
            if table.base.is_some() || table.length.is_some() {
                self.problems.report(
                    Code::ExclusiveKeys,
                    name.span.clone(),
                    "the redaction has both a name and a range",
                    "keep name, or base and length",
                );
            }
            let (name, span) = self.placed(&table.name)?;
            if !REDACTIONS.contains(&name.as_str()) {
                self.unknown_name(Code::Redaction, span, "redaction", &name, &REDACTIONS);
                return None;
            }
            if settings.sectors == 0 {
                self.problems.report(
                    Code::Redaction,
                    span,
                    "there are no settings sectors to hide",
                    "set [settings] sectors, or remove the redaction",
                );
                return None;
            }
            return settings_sectors(chip, settings);
        }
        let base = self.placed(&table.base);
        let length = self.placed(&table.length);
        if table.base.is_none() || table.length.is_none() {
            self.problems.report(
                Code::MissingKey,
                at,
                "the redaction has no name, or only part of a range",
                "add name = \"settings\", or both base and length",
            );
            return None;
        }
        let ((base, span), (length, length_span)) = (base?, length?);
        self.range((base, span), (length.0, length_span), chip)
    }
}

/// The settings' sectors, if there are any.
fn settings_sectors(chip: Chip, settings: Settings) -> Option<Window> {
    let length = u64::from(settings.sectors) * u64::from(FLASH_SECTOR);
    Window::new(XIP_STORAGE + u64::from(settings.start), length, chip).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Program;

    const CHIP: Chip = Chip { flash_size: 4 << 20, program: Program::Flash };

    #[test]
    fn only_memory_is_readable() {
        for (base, length, ok) in [
            (0, 0x8000, true),
            (0, 0x8001, false),
            (0x7FFF, 1, true),
            (0x8000, 1, false),
            (0x2000_0000, 0x8_2000, true),
            (0x2000_0000, 0x8_2001, false),
            (0x1FFF_FFFF, 1, false),
            (0x2008_2000, 1, false),
            (0x1000_0000, 4 << 20, true),
            (0x1000_0000, (4 << 20) + 1, false),
            (0x1040_0000, 1, false),
            (0x1400_0000, 16, true),
            (0x1800_0000, 16, false),
            (0x1C3F_FFFF, 1, true),
            (0x1C3F_FFFF, 2, false),
            // The cache's memory, an alias of the RP2040, boot RAM, registers, the USB controller's buffers.
            (0x13FF_C000, 16, false),
            (0x2100_0000, 4, false),
            (0x400E_0000, 4, false),
            (0x4000_0000, 4, false),
            (0x5010_0000, 4, false),
            (0xFFFF_FFFF, u64::MAX, false),
            (0x1000_0000, u64::MAX, false),
            (0x2000_0000, 0, false),
        ] {
            assert_eq!(Window::new(base, length, CHIP).is_ok(), ok, "{base:#x} {length:#x}");
        }
    }

    #[test]
    fn aliases_overlap() {
        let window = |base, length| Window::new(base, length, CHIP).unwrap();
        let flash = Window::named("flash", CHIP).unwrap();
        assert_eq!(flash.overlap(&window(0x1000_1000, 16)), Some(0x1000..0x1010));
        assert_eq!(window(0x1400_1008, 16).overlap(&window(0x1000_1000, 16)), Some(0..8));
        assert_eq!(window(0x1400_1010, 16).overlap(&window(0x1000_1000, 16)), None);
        assert_eq!(window(0, 16).overlap(&window(0x2000_0000, 16)), None);
        assert_eq!(window(0x1000_0000, 1).base(), 0x1400_0000, "read without the cache");
    }
}
