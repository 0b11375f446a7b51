//! Which module the firmware's bytes belong to.
//!
//! Link-time optimization merges most functions into a few big ones, so symbols say little. Text is attributed with the
//! line tables, which have the chain of inlined functions for every address. An address belongs to the innermost of them
//! that is not in the standard library. Data belongs to its symbol.

use std::collections::BTreeMap;
use std::path::Path;

use object::LittleEndian;
use object::read::elf::ElfFile32;
use object::{Object, ObjectSection};

use crate::elf::{Elf, Kind};

/// Bytes of one module, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bytes {
    pub text: u32,
    pub rodata: u32,
    pub data: u32,
    pub bss: u32,
}

impl Bytes {
    /// Adds `length` bytes of a kind.
    pub fn add(&mut self, kind: Kind, length: u32) {
        match kind {
            Kind::Text => self.text += length,
            Kind::Rodata => self.rodata += length,
            Kind::Data => self.data += length,
            Kind::Bss => self.bss += length,
        }
    }

    /// Adds another module's bytes.
    pub fn join(&mut self, other: Self) {
        self.text += other.text;
        self.rodata += other.rodata;
        self.data += other.data;
        self.bss += other.bss;
    }

    /// The bytes in flash, including initial values.
    pub fn flash(self) -> u32 {
        self.text + self.rodata + self.data
    }

    /// The bytes in RAM, without the stack.
    pub fn ram(self) -> u32 {
        self.data + self.bss
    }
}

/// Bytes by module.
pub type Modules = BTreeMap<String, Bytes>;

/// What remains when every symbol has its module: constants without a name, padding, linker sections.
pub const REST: &str = "(no symbol)";
/// Text of the standard library that was not inlined.
pub const LIBRARY: &str = "core";

/// The module of every byte of `elf`, which was read from `file`.
pub fn of(elf: &Elf, file: &Path) -> Result<Modules, String> {
    let bad = |what: &dyn std::fmt::Display| format!("{}: {what}", file.display());
    let bytes = std::fs::read(file).map_err(|e| bad(&e))?;
    let object = ElfFile32::<LittleEndian>::parse(bytes.as_slice()).map_err(|e| bad(&e))?;
    let section = |id: gimli::SectionId| -> Result<_, object::read::Error> {
        let data = object.section_by_name(id.name()).map_or(Ok(&[][..]), |section| section.data())?;
        Ok(gimli::EndianSlice::new(data, gimli::LittleEndian))
    };
    let dwarf = gimli::Dwarf::load(section).map_err(|e| bad(&e))?;
    let lines = addr2line::Context::from_dwarf(dwarf).map_err(|e| bad(&e))?;
    let mut modules = Modules::new();
    for symbol in elf.symbols.iter().filter(|symbol| symbol.kind != Kind::Text) {
        let module = crate::symbols::module(symbol);
        modules.entry(module).or_default().add(symbol.kind, symbol.length);
    }
    for symbol in elf.symbols.iter().filter(|symbol| symbol.kind == Kind::Text) {
        // An instruction is one or two halfwords.
        for address in (symbol.address..symbol.address + symbol.length).step_by(2) {
            let mut frames = lines.find_frames(u64::from(address)).skip_all_loads().map_err(|e| bad(&e))?;
            let mut module = None;
            while let Some(frame) = frames.next().map_err(|e| bad(&e))? {
                let path = frame.location.and_then(|location| location.file);
                module = path.map(by_path).or(module);
                if module.as_deref().is_some_and(|module| module != LIBRARY) {
                    break;
                }
            }
            let module = module.unwrap_or_else(|| crate::symbols::module(symbol));
            modules.entry(module).or_default().text += 2.min(symbol.address + symbol.length - address);
        }
    }
    let mut total = Bytes::default();
    for section in &elf.sections {
        total.add(section.kind, section.length);
    }
    let mut known = Bytes::default();
    for bytes in modules.values() {
        known.join(*bytes);
    }
    let rest = Bytes {
        text: total.text.saturating_sub(known.text),
        rodata: total.rodata.saturating_sub(known.rodata),
        data: total.data.saturating_sub(known.data),
        bss: total.bss.saturating_sub(known.bss),
    };
    modules.insert(REST.to_owned(), rest);
    modules.retain(|_, bytes| *bytes != Bytes::default());
    Ok(modules)
}

/// The module that a source file belongs to: ours by folder of `src`, other crates by name, the standard library as one.
fn by_path(path: &str) -> String {
    let before_version = |name: &str| {
        let digit = |c: char| c.is_ascii_digit();
        name.split('-').take_while(|part| !part.starts_with(digit)).collect::<Vec<_>>().join("-")
    };
    if let Some((_, rest)) = path.split_once("/crates/") {
        // index/NAME-VERSION/src/...
        return rest.split('/').nth(1).map_or_else(|| "(other crates)".to_owned(), before_version);
    }
    if path.contains("/rustc/") || path.contains("/rust/library") || path.contains("/library/core/") {
        return LIBRARY.to_owned();
    }
    if path.contains("/out/") {
        return "picovd (generated)".to_owned();
    }
    let parts: Vec<&str> = path.trim_start_matches("/picovd/").split('/').collect();
    match parts.as_slice() {
        ["src", module, ..] => format!("picovd::{}", module.trim_end_matches(".rs")),
        [package, "src", ..] => format!("picovd-{package}"),
        _ => "(other)".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::by_path;

    #[test]
    fn files_find_their_module() {
        assert_eq!(by_path("/picovd/src/scsi/unit.rs"), "picovd::scsi");
        assert_eq!(by_path("src/block.rs"), "picovd::block");
        assert_eq!(by_path("/picovd/exfat/src/upcase.rs"), "picovd-exfat");
        assert_eq!(by_path("/crates/index-1/usb-device-0.3.2/src/bus.rs"), "usb-device");
        assert_eq!(by_path("/crates/index-1/rp235x-hal-0.4.0/src/sio.rs"), "rp235x-hal");
        assert_eq!(by_path("/rustc/5980/library/core/src/ptr/mod.rs"), "core");
        assert_eq!(by_path("/picovd/target/thumbv8m/firmware/build/picovd-1/out/volume.rs"), "picovd (generated)");
    }
}
