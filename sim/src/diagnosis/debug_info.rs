//! An ELF file's symbols, lines and unwind tables, read with the crates that debuggers for Rust use.

use addr2line::Context;
use gimli::{DebugFrame, EndianSlice, LittleEndian, Section, SectionId};
use object::{Object, ObjectSection, ObjectSymbol, SymbolKind};
use std::borrow::Cow;

type Slice<'e> = EndianSlice<'e, LittleEndian>;

/// The debug information of a firmware.
pub struct DebugInfo<'e> {
    lines: Option<Context<Slice<'e>>>,
    pub(super) frames: DebugFrame<Slice<'e>>,
    symbols: Vec<Symbol<'e>>,
}

/// A function or an object.
struct Symbol<'e> {
    address: u32,
    size: u32,
    name: &'e str,
    is_object: bool,
}

/// A function that is running or has called another one, including those that the compiler has inlined into their callers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// Its name with its path, without the hash.
    pub function: String,
    /// The source file, as the compiler recorded it.
    pub file: Option<String>,
    /// From 1 on; `None` if the compiler has merged several locations.
    pub line: Option<u32>,
    /// From 1 on.
    pub column: Option<u32>,
}

impl<'e> DebugInfo<'e> {
    /// Reads an ELF file. Missing or broken parts are skipped.
    pub fn new(elf: &'e [u8]) -> Option<Self> {
        let file = object::File::parse(elf).ok()?;
        let section = |name: &str| match file.section_by_name(name).map(|section| section.uncompressed_data()) {
            Some(Ok(Cow::Borrowed(bytes))) => bytes,
            _ => &[],
        };
        let load = |id: SectionId| Ok::<_, gimli::Error>(EndianSlice::new(section(id.name()), LittleEndian));
        let lines = gimli::Dwarf::load(load).ok().and_then(|dwarf| Context::from_dwarf(dwarf).ok());
        let mut frames =
            DebugFrame::from(EndianSlice::new(section(DebugFrame::<Slice<'_>>::id().name()), LittleEndian));
        frames.set_address_size(4);
        let mut symbols: Vec<_> = file
            .symbols()
            .filter(|symbol| matches!(symbol.kind(), SymbolKind::Text | SymbolKind::Data))
            .filter_map(|symbol| {
                let is_object = symbol.kind() == SymbolKind::Data;
                // A function's address has the Thumb bit set.
                let address = symbol.address() as u32 & !u32::from(!is_object);
                Some(Symbol { address, size: symbol.size() as u32, name: symbol.name().ok()?, is_object })
            })
            .filter(|symbol| !symbol.name.starts_with('$') && !symbol.name.is_empty())
            .collect();
        symbols.sort_by_key(|symbol| symbol.address);
        Some(Self { lines, frames, symbols })
    }

    /// The functions at an address, the innermost first: several if the compiler has inlined them, and at least one.
    pub fn frames_at(&self, address: u32) -> Vec<Frame> {
        let mut found = Vec::new();
        if let Some(lines) = &self.lines
            && let Ok(mut frames) = lines.find_frames(u64::from(address)).skip_all_loads()
        {
            while let Ok(Some(frame)) = frames.next() {
                let name = frame.function.as_ref().and_then(|name| name.raw_name().ok().map(|raw| demangled(&raw)));
                let place = frame.location.as_ref();
                found.push(Frame {
                    function: name.unwrap_or_else(|| self.symbol_at(address)),
                    file: place.and_then(|place| place.file).map(str::to_owned),
                    line: place.and_then(|place| place.line).filter(|line| *line != 0),
                    column: place.and_then(|place| place.column).filter(|column| *column != 0),
                });
            }
        }
        if found.is_empty() {
            found.push(Frame { function: self.symbol_at(address), ..Frame::default() });
        }
        found
    }

    /// The symbol that contains an address, or the address itself.
    fn symbol_at(&self, address: u32) -> String {
        let end = self.symbols.partition_point(|symbol| symbol.address <= address);
        let nearest = self.symbols[..end].iter().rev().find(|symbol| !symbol.is_object);
        nearest
            .filter(|symbol| symbol.size == 0 || address - symbol.address < symbol.size)
            .map_or_else(|| format!("{address:#010x}"), |symbol| demangled(symbol.name))
    }

    /// Whether an address is in the function that has this symbol.
    pub fn is_in(&self, name: &str, address: u32) -> bool {
        let symbol = self.symbols.iter().find(|symbol| !symbol.is_object && symbol.name == name);
        symbol.is_some_and(|symbol| (symbol.address..symbol.address + symbol.size.max(2)).contains(&(address & !1)))
    }

    /// Address and length of the object whose name with its path matches.
    pub fn object(&self, fits: impl Fn(&str) -> bool) -> Option<(u32, u32)> {
        let symbol = self.symbols.iter().find(|symbol| symbol.is_object && fits(&demangled(symbol.name)))?;
        Some((symbol.address, symbol.size))
    }
}

fn demangled(name: &str) -> String {
    format!("{:#}", rustc_demangle::demangle(name))
}
