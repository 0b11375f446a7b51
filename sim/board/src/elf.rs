//! Reads a firmware's ELF file: what is loaded at which physical address, and the symbols for messages.

use std::collections::BTreeMap;
use std::ops::Range;

/// Why a file is not a firmware for this board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ElfError(pub String);

impl std::fmt::Display for ElfError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ElfError {}

/// Bytes for one address range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Physical address.
    pub address: u32,
    /// Contents.
    pub bytes: Vec<u8>,
}

/// A firmware image.
#[derive(Clone, Debug)]
pub struct Image {
    /// In the order of the file.
    pub segments: Vec<Segment>,
    /// Where segments end at run time, including those without contents (.bss).
    pub ends: Vec<u32>,
    symbols: BTreeMap<u32, String>,
}

const PT_LOAD: u32 = 1;
const SHT_SYMTAB: u32 = 2;
const EM_ARM: u16 = 40;

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn bytes(&self, at: usize, length: usize) -> Result<&[u8], ElfError> {
        let end = at.checked_add(length).ok_or_else(|| ElfError("offset overflows".into()))?;
        self.0.get(at..end).ok_or_else(|| ElfError(format!("ends before offset {end:#x}")))
    }

    fn half(&self, at: usize) -> Result<u16, ElfError> {
        let b = self.bytes(at, 2)?;
        Ok(u16::from_le_bytes([b[0], b[1]]))
    }

    fn word(&self, at: usize) -> Result<u32, ElfError> {
        let b = self.bytes(at, 4)?;
        Ok(u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
    }
}

impl Image {
    /// Parses a 32-bit little-endian Arm ELF.
    ///
    /// # Errors
    ///
    /// What is wrong with the file.
    pub fn parse(file: &[u8]) -> Result<Self, ElfError> {
        let elf = Reader(file);
        if elf.bytes(0, 6)? != b"\x7FELF\x01\x01" || elf.half(18)? != EM_ARM {
            return Err(ElfError("not a 32-bit little-endian Arm ELF".into()));
        }
        let (table, size, count) = (elf.word(28)? as usize, usize::from(elf.half(42)?), usize::from(elf.half(44)?));
        let (mut segments, mut ends) = (Vec::new(), Vec::new());
        for n in 0..count {
            let at = table + n * size;
            let length = elf.word(at + 16)? as usize;
            if elf.word(at)? == PT_LOAD {
                ends.push(elf.word(at + 8)?.saturating_add(elf.word(at + 20)?));
            }
            if elf.word(at)? == PT_LOAD && length != 0 {
                let bytes = elf.bytes(elf.word(at + 4)? as usize, length)?.to_vec();
                segments.push(Segment { address: elf.word(at + 12)?, bytes });
            }
        }
        if segments.is_empty() {
            return Err(ElfError("nothing to load".into()));
        }
        let symbols = symbols(&elf)?;
        Ok(Self { segments, ends, symbols })
    }

    /// An image without symbols, assembled by a test.
    #[must_use]
    pub fn bare(segments: Vec<Segment>) -> Self {
        Self { segments, ends: Vec::new(), symbols: BTreeMap::new() }
    }

    /// Lowest load address.
    #[must_use]
    pub fn base(&self) -> u32 {
        self.segments.iter().map(|s| s.address).min().unwrap_or(0)
    }

    /// Address of a symbol, without a function's Thumb bit.
    #[must_use]
    pub fn symbol(&self, name: &str) -> Option<u32> {
        self.symbols.iter().find(|(_, n)| n.as_str() == name).map(|(address, _)| *address)
    }

    /// The functions and objects whose mangled names contain this, and where they are, up to the next one.
    pub fn places(&self, part: &str) -> impl Iterator<Item = (&str, Range<u32>)> {
        let ends = self.symbols.keys().skip(1).copied().chain(std::iter::once(u32::MAX));
        let places = self.symbols.iter().zip(ends).map(|((start, name), end)| (name.as_str(), *start..end));
        places.filter(move |(name, _)| name.contains(part))
    }

    /// The function or object that contains an address, with the offset from its start.
    #[must_use]
    pub fn nearest(&self, address: u32) -> Option<(&str, u32)> {
        let (start, name) = self.symbols.range(..=address).next_back()?;
        Some((name, address - start))
    }
}

fn symbols(elf: &Reader<'_>) -> Result<BTreeMap<u32, String>, ElfError> {
    let (table, size, count) = (elf.word(32)? as usize, usize::from(elf.half(46)?), usize::from(elf.half(48)?));
    let mut found = BTreeMap::new();
    for n in 0..count {
        let at = table + n * size;
        if elf.word(at + 4)? != SHT_SYMTAB {
            continue;
        }
        let (offset, length, link) =
            (elf.word(at + 16)? as usize, elf.word(at + 20)? as usize, elf.word(at + 24)? as usize);
        let names = elf.word(table + link * size + 16)? as usize;
        for entry in (offset..offset + length).step_by(16) {
            let kind = elf.bytes(entry + 12, 1)?[0] & 15;
            // Objects and functions.
            if kind != 1 && kind != 2 {
                continue;
            }
            let start = names + elf.word(entry)? as usize;
            let rest = elf.0.get(start..).unwrap_or(&[]);
            let name = rest.split(|b| *b == 0).next().unwrap_or(&[]);
            // An object may be at an odd address; in a function's address, bit 0 means Thumb code.
            let thumb = u32::from(kind == 2);
            found.insert(elf.word(entry + 4)? & !thumb, String::from_utf8_lossy(name).into_owned());
        }
    }
    Ok(found)
}
