//! The contents of the firmware's ELF file: its load segments, sections and symbols.

use std::fs;
use std::path::Path;

use object::LittleEndian;
use object::elf::{FileHeader32, SHF_ALLOC, SHF_EXECINSTR, SHF_WRITE, SHT_NOBITS};
use object::read::elf::{FileHeader, SectionHeader};
use object::{Object, ObjectSymbol};

use picovd_uf2::{Image, Segment};

/// The kind of a section's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Executable.
    Text,
    /// Neither executable nor writable.
    Rodata,
    /// Writable with initial values, which take flash as well.
    Data,
    /// Writable, zeros at start.
    Bss,
}

/// A section that takes room on the chip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Its name.
    pub name: String,
    /// What its bytes are.
    pub kind: Kind,
    /// Its address at run time.
    pub address: u32,
    /// Its length in bytes.
    pub length: u32,
}

/// A named range of a section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symbol {
    /// Its name, mangled.
    pub name: String,
    /// What its bytes are.
    pub kind: Kind,
    /// Its address, with the Thumb bit cleared.
    pub address: u32,
    /// Its length in bytes.
    pub length: u32,
}

/// A firmware image in ELF form.
#[derive(Clone, Debug)]
pub struct Elf {
    /// Its UF2 family, which depends on the core that it is for.
    pub family: u32,
    /// Load segments with bytes in the file, by physical address.
    pub segments: Vec<Segment>,
    /// Sections that take room on the chip.
    pub sections: Vec<Section>,
    /// Symbols with a length in such a section.
    pub symbols: Vec<Symbol>,
}

impl Elf {
    /// Reads a file.
    pub fn read(path: &Path) -> Result<Self, String> {
        let bytes = fs::read(path).map_err(|e| format!("{}: {e}", path.display()))?;
        Self::parse(&bytes).map_err(|e| format!("{}: {e}", path.display()))
    }

    /// Reads the bytes of a 32-bit little-endian ELF file.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let Image { family, segments } = Image::parse(bytes)?;
        let bad = |what: &'static str| move |error: object::read::Error| format!("{what}: {error}");
        let header = FileHeader32::<LittleEndian>::parse(bytes).map_err(bad("not a 32-bit ELF file"))?;
        let endian = header.endian().map_err(bad("not a little-endian ELF file"))?;

        let table = header.sections(endian, bytes).map_err(bad("section headers"))?;
        let mut sections = Vec::new();
        for section in table.iter() {
            let flags = section.sh_flags(endian);
            let name = table.section_name(endian, section).map_err(bad("section name"))?;
            // riscv-rt's sections for the rest of RAM do not count.
            let rest = [&b".heap"[..], b".stack"].contains(&name);
            if flags & SHF_ALLOC == 0 || section.sh_size(endian) == 0 || rest {
                continue;
            }
            let kind = match (section.sh_type(endian) == SHT_NOBITS, flags & SHF_WRITE, flags & SHF_EXECINSTR) {
                (true, ..) => Kind::Bss,
                (false, 0, 0) => Kind::Rodata,
                (false, 0, _) => Kind::Text,
                (false, ..) => Kind::Data,
            };
            sections.push(Section {
                name: String::from_utf8_lossy(name).into_owned(),
                kind,
                address: section.sh_addr(endian),
                length: section.sh_size(endian),
            });
        }

        let file = object::read::elf::ElfFile32::<LittleEndian>::parse(bytes).map_err(bad("symbols"))?;
        let mut symbols = Vec::new();
        // Merged constants, each part of which has its own symbol.
        let merged = |name: &str| name.starts_with(".L_MergedGlobals");
        for symbol in file.symbols().filter(|symbol| symbol.size() > 0 && !symbol.name().is_ok_and(merged)) {
            // Bit 0 of a Thumb function's address is not part of it.
            let (Ok(address), Ok(length)) = (u32::try_from(symbol.address() & !1), u32::try_from(symbol.size())) else {
                continue;
            };
            let home = sections.iter().find(|section| {
                address >= section.address
                    && u64::from(address) < u64::from(section.address) + u64::from(section.length)
            });
            if let (Some(section), Ok(name)) = (home, symbol.name()) {
                symbols.push(Symbol { name: name.to_owned(), kind: section.kind, address, length });
            }
        }
        // Identical functions share an address under several names: count their bytes once.
        symbols.sort_by(|a, b| (a.address, &a.name).cmp(&(b.address, &b.name)));
        symbols.dedup_by_key(|symbol| symbol.address);
        Ok(Self { family, segments, sections, symbols })
    }

    /// Total length of the sections of a kind.
    pub fn total(&self, kind: Kind) -> u32 {
        self.sections.iter().filter(|section| section.kind == kind).map(|section| section.length).sum()
    }
}

/// A small ELF file with the given load segments, for tests.
#[cfg(test)]
pub fn sample(segments: &[Segment]) -> Vec<u8> {
    let mut out = Vec::new();
    let half = |out: &mut Vec<u8>, value: u16| out.extend(value.to_le_bytes());
    let word = |out: &mut Vec<u8>, value: u32| out.extend(value.to_le_bytes());
    out.extend(b"\x7fELF\x01\x01\x01\0\0\0\0\0\0\0\0\0");
    half(&mut out, 2); // ET_EXEC
    half(&mut out, 40); // EM_ARM
    word(&mut out, 1);
    word(&mut out, 0);
    word(&mut out, 52); // e_phoff
    word(&mut out, 0);
    word(&mut out, 0);
    half(&mut out, 52);
    half(&mut out, 32);
    half(&mut out, segments.len() as u16);
    half(&mut out, 40);
    half(&mut out, 0);
    half(&mut out, 0);
    let mut offset = 52 + 32 * segments.len() as u32;
    for segment in segments {
        let length = segment.bytes.len() as u32;
        for value in [object::elf::PT_LOAD, offset, 0x2000_0000, segment.address, length, length, 4, 4] {
            word(&mut out, value);
        }
        offset += length;
    }
    for segment in segments {
        out.extend(&segment.bytes);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{Elf, Segment, sample};

    #[test]
    fn segments_come_by_physical_address() {
        let late = Segment { address: 0x1000_0200, bytes: vec![2; 5] };
        let early = Segment { address: 0x1000_0000, bytes: vec![1; 300] };
        let elf = Elf::parse(&sample(&[late.clone(), early.clone()])).unwrap();
        assert_eq!(elf.segments, [early, late]);
    }

    #[test]
    fn rubbish_is_refused() {
        assert!(Elf::parse(b"").is_err());
        assert!(Elf::parse(&[0; 100]).is_err());
        let mut cut = sample(&[Segment { address: 0, bytes: vec![1; 300] }]);
        cut.truncate(200);
        assert!(Elf::parse(&cut).unwrap_err().contains("outside the file"));
    }
}
