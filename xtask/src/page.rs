//! Builds CONFIGURE.HTM: the sources in web/page, the manifest compiler in WebAssembly, and perhaps the firmware, in one file.
//!
//! Bytes stand in it compressed, one character each, so the file's encoding is windows-1252. Everything else is ASCII.

use std::fs;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};

use picovd_configure::Firmware;
use sha2::{Digest, Sha256};

use crate::command::{self, LONG};
use crate::firmware;
use crate::toolchain::{Toolchain, WASM};
use crate::workspace::Workspace;

/// The cargo profile of the WebAssembly.
const PROFILE: &str = "page";

/// The page must be shorter than this: that of the release, and that in a board's flash beside the firmware.
const LONGEST: usize = 400_000;

/// Where the page is written if nothing else is said.
pub fn place(workspace: &Workspace) -> PathBuf {
    workspace.target.join("page/CONFIGURE.HTM")
}

/// Builds the page, with the firmware of a picovd.uf2 if one is given. Returns its length in bytes.
///
/// The compiler for [`WASM`] must be there, see [`toolchain::wasm`](crate::toolchain::wasm).
pub fn build(workspace: &Workspace, uf2: Option<&Path>, output: &Path) -> Result<usize, String> {
    let wasm = compile(workspace)?;
    let firmware = uf2.map(picovd).transpose()?;
    let folder = workspace.root.join("web/page");
    let source = |name: &str| {
        let path = folder.join(name);
        let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        match text.chars().find(|c| !c.is_ascii()) {
            Some(c) => Err(format!("{} contains {c:?}: the page is ASCII, write an escape", path.display())),
            None => Ok(text),
        }
    };
    let stock = workspace.root.join("picovd.toml");
    let stock = fs::read(&stock).map_err(|e| format!("{}: {e}", stock.display()))?;
    let (style, script) = (source("style.css")?, source("page.js")?);
    let (loader, worker) = (source("loader.js")?, source("worker.js")?);
    let parts = Parts { style, loader, script, worker, wasm, stock, firmware };
    let page = parts.assemble(&source("index.html")?)?;
    if page.len() >= LONGEST {
        return Err(format!("the page has {} bytes: at most {LONGEST}", page.len()));
    }
    if let Some(folder) = output.parent() {
        fs::create_dir_all(folder).map_err(|e| format!("cannot make {}: {e}", folder.display()))?;
    }
    fs::write(output, &page).map_err(|e| format!("{}: {e}", output.display()))?;
    Ok(page.len())
}

/// The firmware in a picovd.uf2, which the page checks in the same way: its family, and its bytes from flash's start on.
fn picovd(path: &Path) -> Result<(u32, Vec<u8>), String> {
    let bytes = fs::read(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let firmware = Firmware::from_uf2(&bytes).map_err(|reason| format!("{}: {reason}", path.display()))?;
    let bytes = firmware.image.segments.into_iter().flat_map(|segment| segment.bytes).collect();
    Ok((firmware.image.family, bytes))
}

/// A source without its comments on lines of their own, and without indentation.
fn stripped(source: &str) -> String {
    let is_comment = |line: &str| line.starts_with("//") || (line.starts_with("/*") && line.ends_with("*/"));
    source.lines().map(str::trim_start).filter(|line| !is_comment(line)).map(|line| format!("{line}\n")).collect()
}

/// The manifest compiler for browsers.
fn compile(workspace: &Workspace) -> Result<Vec<u8>, String> {
    let toolchain = Toolchain::InUse;
    let mut cargo = toolchain.cargo(&workspace.root);
    cargo.args(["build", "--package", "picovd-page", "--profile", PROFILE, "--target", WASM]);
    cargo.args(firmware::without_folders(workspace, &toolchain, WASM)?);
    cargo.env("CARGO_TARGET_DIR", &workspace.target);
    // Flags from the environment would replace those above.
    for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_RUSTFLAGS"] {
        cargo.env_remove(name);
    }
    command::run(&mut cargo, LONG)?;
    let made = workspace.target.join(WASM).join(PROFILE).join("picovd_page.wasm");
    fs::read(&made).map_err(|e| format!("{}: {e}", made.display()))
}

/// What the page is made of.
struct Parts {
    style: String,
    loader: String,
    script: String,
    worker: String,
    wasm: Vec<u8>,
    stock: Vec<u8>,
    firmware: Option<(u32, Vec<u8>)>,
}

impl Parts {
    /// Fills the page's template: each place is a name in double braces.
    fn assemble(&self, template: &str) -> Result<Vec<u8>, String> {
        // The browser hashes what is between the tags.
        let (style, loader, worker) = (stripped(&self.style), stripped(&self.loader), stripped(&self.worker));
        let script = stripped(&self.script);
        let policy = format!(
            "default-src 'none'; script-src '{}' blob: 'wasm-unsafe-eval'; style-src '{}'; worker-src blob:; base-uri 'none'; form-action 'none'",
            hash(&loader),
            hash(&style)
        );
        let packed = |bytes: &[u8]| -> Result<Vec<u8>, String> { Ok(characters(&deflate(bytes)?)) };
        let (family, firmware) = match &self.firmware {
            Some((family, image)) => (family.to_string(), packed(image)?),
            None => (String::new(), Vec::new()),
        };
        let places: [(&str, &[u8]); 10] = [
            ("{{VERSION}}", env!("CARGO_PKG_VERSION").as_bytes()),
            ("{{POLICY}}", policy.as_bytes()),
            ("{{STYLE}}", style.as_bytes()),
            ("{{LOADER}}", loader.as_bytes()),
            ("{{PAGE}}", &packed(script.as_bytes())?),
            ("{{WORKER}}", worker.as_bytes()),
            ("{{FAMILY}}", family.as_bytes()),
            ("{{WASM}}", &packed(&self.wasm)?),
            ("{{STOCK}}", &packed(&self.stock)?),
            ("{{FIRMWARE}}", &firmware),
        ];
        let mut page = Vec::new();
        let template = stripped(template);
        let mut rest = template.as_str();
        while let Some(at) = rest.find("{{") {
            let (before, from) = rest.split_at(at);
            let (name, bytes) = places
                .iter()
                .find(|(name, _)| from.starts_with(name))
                .ok_or_else(|| format!("the template has an unknown place: {from:.20}"))?;
            page.extend(before.as_bytes());
            page.extend(*bytes);
            rest = &from[name.len()..];
        }
        page.extend(rest.as_bytes());
        Ok(page)
    }
}

/// A source of a Content-Security-Policy (CSP 3, 2.3.1).
fn hash(text: &str) -> String {
    format!("sha256-{}", base64(&Sha256::digest(text.as_bytes())))
}

/// Base64 (RFC 4648, 4).
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for group in bytes.chunks(3) {
        let word = (0..3).fold(0, |word, index| word << 8 | u32::from(group.get(index).copied().unwrap_or(0)));
        for index in 0..4 {
            let letter = ALPHABET[(word >> (18 - 6 * index) & 63) as usize];
            out.push(if index <= group.len() { char::from(letter) } else { '=' });
        }
    }
    out
}

/// DEFLATE (RFC 1951) by a compressor that takes its time.
fn deflate(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let iteration_count = const { NonZeroU64::new(5).unwrap() };
    let options = zopfli::Options { iteration_count, ..zopfli::Options::default() };
    let mut out = Vec::new();
    zopfli::compress(options, zopfli::Format::Deflate, bytes, &mut out).map_err(|e| format!("compressing: {e}"))?;
    Ok(out)
}

/// Bytes as yEnc writes them, one character each (yenc.org, draft 1.3): 42 is added, and `=` with 64 more replaces what HTML would
/// change: NUL, CR, the `<` of an end tag, and `=` itself.
fn characters(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + bytes.len() / 50);
    for byte in bytes {
        match byte.wrapping_add(42) {
            c @ (0 | b'\r' | b'<' | b'=') => out.extend([b'=', c + 64]),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{Parts, base64, characters, stripped};

    #[test]
    fn base64_is_that_of_the_rfc() {
        // RFC 4648, 10.
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }

    #[test]
    fn characters_are_what_html_leaves_alone() {
        let all: Vec<u8> = (0..=255).collect();
        let out = characters(&all);
        assert_eq!(out.len(), 256 + 4);
        assert!(!out.iter().any(|c| matches!(c, 0 | b'\r' | b'<')));
        let mut back = Vec::new();
        let mut escaped = 0_u8;
        for c in out {
            if escaped == 0 && c == b'=' {
                escaped = 64;
            } else {
                back.push(c.wrapping_sub(escaped).wrapping_sub(42));
                escaped = 0;
            }
        }
        assert_eq!(back, all);
    }

    #[test]
    fn sources_lose_what_only_people_read() {
        assert_eq!(stripped("// why\n  a = 1; // here\n\n/* why */\n\tb"), "a = 1; // here\n\nb\n");
    }

    #[test]
    fn what_a_part_contains_is_no_place() {
        let parts = Parts {
            style: "a{{b".to_owned(),
            loader: "{{STYLE}}".to_owned(),
            script: String::new(),
            worker: String::new(),
            wasm: vec![1],
            stock: Vec::new(),
            firmware: None,
        };
        let page = parts.assemble("<{{STYLE}}>{{LOADER}};").expect("both are known");
        assert_eq!(page, b"<a{{b\n>{{STYLE}}\n;\n");
        assert!(parts.assemble("{{OTHER}}").is_err());
    }
}
