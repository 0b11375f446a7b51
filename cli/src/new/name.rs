//! Names of packages.

use std::ffi::OsStr;

/// Names that a program cannot have: Rust's keywords (a program's name is a crate's), its own libraries, cargo's folders
/// next to programs, and this package's dependencies.
const TAKEN: [&str; 70] = [
    "abstract",
    "alloc",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "build",
    "const",
    "continue",
    "core",
    "crate",
    "deps",
    "do",
    "dyn",
    "else",
    "enum",
    "examples",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "if",
    "impl",
    "in",
    "incremental",
    "let",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "override",
    "panic_abort",
    "panic_unwind",
    "picovd",
    "picovd-exfat",
    "picovd-manifest",
    "priv",
    "proc_macro",
    "proc-macro",
    "pub",
    "ref",
    "return",
    "self",
    "static",
    "std",
    "struct",
    "super",
    "test",
    "trait",
    "true",
    "try",
    "type",
    "typeof",
    "union",
    "unsafe",
    "unsized",
    "use",
    "virtual",
    "where",
    "while",
    "yield",
    "cortex-m",
    "critical-section",
    "rp235x-hal",
];

/// A folder's name as a package's: ASCII letters, digits, `-` and `_`, starting with a letter, at most 64.
///
/// # Errors
/// Why it is not valid, and what would be.
pub fn package_name(folder: &OsStr) -> Result<String, String> {
    let shown = folder.display();
    let Some(name) = folder.to_str().filter(|name| !name.is_empty()) else {
        return Err(format!("`{shown}` is not a valid package name: try `my-stick`"));
    };
    if TAKEN.contains(&name) {
        return Err(format!("a package cannot be called `{name}`, which is taken: try `my-{name}`"));
    }
    let good = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(good) && name.len() <= 64 {
        return Ok(name.to_owned());
    }
    let mut near: String = name.chars().map(|c| if good(c) { c } else { '-' }).collect();
    near = near.trim_start_matches(|c: char| !c.is_ascii_alphabetic()).chars().take(64).collect();
    let near = if near.is_empty() { "my-stick" } else { &near };
    Err(format!(
        "the folder's name becomes the package's name, but `{shown}` is not valid: letters, digits, `-` and `_`, starting with a letter; \
         try `{near}`"
    ))
}

#[cfg(test)]
mod tests {
    use super::package_name;
    use std::ffi::OsStr;

    fn of(name: &str) -> Result<String, String> {
        package_name(OsStr::new(name))
    }

    #[test]
    fn names_that_cargo_takes_are_taken() {
        for name in ["stick", "my-stick", "My_Stick2", "s"] {
            assert_eq!(of(name), Ok(name.to_owned()));
        }
    }

    #[test]
    fn others_are_refused_with_a_better_one() {
        for (name, better) in [
            ("my stick", "try `my-stick`"),
            ("2sticks", "try `sticks`"),
            ("-x", "try `x`"),
            ("größe", "try `gr--e`"),
            ("123", "try `my-stick`"),
            ("", "try `my-stick`"),
            ("test", "try `my-test`"),
            ("picovd", "try `my-picovd`"),
        ] {
            let reason = of(name).unwrap_err();
            assert!(reason.ends_with(better), "{name}: {reason}");
        }
        assert!(of(&"x".repeat(65)).is_err());
    }
}
