//! Where the firmware's bytes go: totals, and a table by module.

use std::collections::BTreeMap;

use crate::elf::{Elf, Kind, Symbol};

/// Bytes of one module, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Row {
    text: u32,
    rodata: u32,
    data: u32,
    bss: u32,
}

impl Row {
    fn add(&mut self, kind: Kind, length: u32) {
        match kind {
            Kind::Text => self.text += length,
            Kind::Rodata => self.rodata += length,
            Kind::Data => self.data += length,
            Kind::Bss => self.bss += length,
        }
    }

    fn sum(self) -> u32 {
        self.text + self.rodata + self.data + self.bss
    }
}

/// The report: totals first, then modules by size. Link-time optimization inlines across modules: a function's bytes count
/// for the module that they ended up in.
pub fn report(elf: &Elf) -> String {
    let mut rows: BTreeMap<String, Row> = BTreeMap::new();
    let mut total = Row::default();
    for section in &elf.sections {
        total.add(section.kind, section.length);
    }
    for symbol in &elf.symbols {
        rows.entry(module(symbol)).or_default().add(symbol.kind, symbol.length);
    }
    // Constants without a symbol, padding and linker sections remain.
    let mut rest = total;
    for row in rows.values() {
        rest.text = rest.text.saturating_sub(row.text);
        rest.rodata = rest.rodata.saturating_sub(row.rodata);
        rest.data = rest.data.saturating_sub(row.data);
        rest.bss = rest.bss.saturating_sub(row.bss);
    }
    rows.insert("(without a symbol)".to_owned(), rest);
    let mut rows: Vec<(String, Row)> = rows.into_iter().filter(|(_, row)| row.sum() > 0).collect();
    rows.sort_by_key(|(name, row)| (std::cmp::Reverse(row.sum()), name.clone()));

    let mut out = format!("{:>8} {:>8} {:>8} {:>8}  module\n", "text", "rodata", "data", "bss");
    for (name, row) in [("total".to_owned(), total)].into_iter().chain(rows) {
        out += &format!("{:>8} {:>8} {:>8} {:>8}  {name}\n", row.text, row.rodata, row.data, row.bss);
    }
    out
}

/// The module that a symbol belongs to: crate and first module of its path; for an implementation, of the type's path.
fn module(symbol: &Symbol) -> String {
    if symbol.name.starts_with(".Lanon.") || symbol.name.starts_with("anon.") {
        return "(unnamed constants)".to_owned();
    }
    let Ok(name) = rustc_demangle::try_demangle(&symbol.name) else {
        return "(not Rust)".to_owned();
    };
    let name = format!("{name:#}");
    // `<T as Trait>::f` and `<impl Trait for T>::f` belong to T; to Trait when T is a type parameter or a built-in type.
    let path = match name.strip_prefix('<') {
        Some(inner) => {
            let (of, by) = match (inner.split_once(" for "), inner.split_once(" as ")) {
                (Some((by, of)), _) => (of, by.trim_start_matches("impl ")),
                (None, Some((of, by))) => (of, by),
                (None, None) => (inner, inner),
            };
            let of = of.trim_start_matches(['&', '<', '*', '[', '(']);
            let of = ["mut ", "const ", "dyn "].iter().fold(of, |of, word| of.trim_start_matches(word));
            let named = of.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')).next().unwrap_or(of);
            if named.contains("::") { of } else { by }
        }
        None => &name,
    };
    let parts: Vec<&str> = path
        .split("::")
        .map(|part| part.split(|c: char| !(c.is_alphanumeric() || c == '_')).next().unwrap_or(""))
        .take_while(|part| !part.is_empty())
        .collect();
    match parts.as_slice() {
        [] => "(not Rust)".to_owned(),
        // The last part is the item itself; a type's name is no module either.
        [one] => (*one).to_owned(),
        [first, second, more @ ..] => {
            let is_module = !more.is_empty() && second.starts_with(char::is_lowercase);
            if is_module { format!("{first}::{second}") } else { (*first).to_owned() }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{module, report};
    use crate::elf::{Elf, Kind, Section, Symbol};

    fn symbol(name: &str, length: u32) -> Symbol {
        Symbol { name: name.to_owned(), kind: Kind::Text, address: 0, length }
    }

    #[test]
    fn symbols_find_their_module() {
        let of = |name: &str| module(&symbol(name, 1));
        assert_eq!(of("_ZN6picovd4scsi4unit5Thing17h0123456789abcdefE"), "picovd::scsi");
        assert_eq!(of("_ZN6picovd4main17h0123456789abcdefE"), "picovd");
        // <picovd::volume::Volume as picovd::scsi::Medium>::read
        let implementation =
            "_ZN63_$LT$picovd..volume..Volume$u20$as$u20$picovd..scsi..Medium$GT$4read17h0123456789abcdefE";
        assert_eq!(of(implementation), "picovd::volume");
        // <&T as core::fmt::Debug>::fmt
        assert_eq!(of("_ZN42_$LT$$RF$T$u20$as$u20$core..fmt..Debug$GT$3fmt17h0123456789abcdefE"), "core::fmt");
        assert_eq!(of("memcpy"), "(not Rust)");
    }

    #[test]
    fn bytes_without_a_symbol_are_shown() {
        let elf = Elf {
            segments: Vec::new(),
            sections: vec![Section { name: ".text".to_owned(), kind: Kind::Text, address: 0, length: 100 }],
            symbols: vec![symbol("_ZN6picovd4scsi4unit5Thing17h0123456789abcdefE", 60)],
        };
        let text = report(&elf);
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[1], ["100", "0", "0", "0", "total"]);
        assert_eq!(lines[2], ["60", "0", "0", "0", "picovd::scsi"]);
        assert_eq!(lines[3], ["40", "0", "0", "0", "(without", "a", "symbol)"]);
    }
}
