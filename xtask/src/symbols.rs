//! Names of symbols, and their modules.

use crate::elf::Symbol;

/// A symbol's readable path: demangled, without the hash.
pub fn path(symbol: &Symbol) -> String {
    match rustc_demangle::try_demangle(&symbol.name) {
        Ok(name) => format!("{name:#}"),
        Err(_) => symbol.name.clone(),
    }
}

/// The module that a symbol belongs to: crate and first module of its path; for an implementation, of the type's path.
pub fn module(symbol: &Symbol) -> String {
    if symbol.name.starts_with(".Lanon.") || symbol.name.starts_with("anon.") {
        return "(unnamed constants)".to_owned();
    }
    let Ok(name) = rustc_demangle::try_demangle(&symbol.name) else {
        return "(not Rust)".to_owned();
    };
    // The firmware's own crate is `main` and `firmware` of src/.
    let name = format!("{name:#}").replace("picovd_firmware::", "picovd::");
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
    use super::module;
    use crate::elf::{Kind, Symbol};

    #[test]
    fn symbols_find_their_module() {
        let of = |name: &str| module(&Symbol { name: name.to_owned(), kind: Kind::Text, address: 0, length: 1 });
        assert_eq!(of("_ZN6picovd4scsi4unit5Thing17h0123456789abcdefE"), "picovd::scsi");
        assert_eq!(of("_ZN15picovd_firmware4main17h0123456789abcdefE"), "picovd");
        assert_eq!(of("_ZN15picovd_firmware8firmware4disk17h0123456789abcdefE"), "picovd::firmware");
        // <picovd::volume::Volume as picovd::scsi::Medium>::read
        let implementation =
            "_ZN63_$LT$picovd..volume..Volume$u20$as$u20$picovd..scsi..Medium$GT$4read17h0123456789abcdefE";
        assert_eq!(of(implementation), "picovd::volume");
        // <&T as core::fmt::Debug>::fmt
        assert_eq!(of("_ZN42_$LT$$RF$T$u20$as$u20$core..fmt..Debug$GT$3fmt17h0123456789abcdefE"), "core::fmt");
        assert_eq!(of("memcpy"), "(not Rust)");
    }
}
