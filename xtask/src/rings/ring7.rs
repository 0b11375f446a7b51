//! Ring 7: CONFIGURE.HTM in a real browser, opened as a file. What it saves is what the program writes, and the emulated board shows it.

mod firefox;
mod hostile;
mod keyboard;

use std::fs;
use std::path::{Path, PathBuf};

use super::ring0::Copy;
use super::{Context, Lane, Ring, simulator};
use crate::browser::{Browser, Window};
use crate::command::{self, LONG};
use crate::firmware::{self, Built};
use crate::page;
use crate::report::Report;
use crate::setup::{Package, Policy};
use crate::toolchain::{self, Processor};
use crate::workspace::Workspace;
use picovd_uf2 as uf2;

/// This ring.
pub const RING: Ring = Ring {
    number: 7,
    title: "the page CONFIGURE.HTM in Debian's Chromium and Firefox, from a file; its UF2 files on the emulated board",
    packages: &[
        Package { name: "chromium", program: "chromium", purpose: "a browser that shows CONFIGURE.HTM" },
        Package { name: "firefox-esr", program: "firefox-esr", purpose: "another one" },
    ],
    chip: true,
    lane: Lane::Host,
    run,
};

/// The compiler's target for browsers, for the tasks that install what is missing.
pub fn components(policy: Policy) -> Result<(), String> {
    toolchain::wasm(policy)
}

/// A desktop's window.
const DESKTOP: Window = Window { size: (1440, 900), dark: false, phone: false };
/// The same in the dark.
const DARK: Window = Window { dark: true, ..DESKTOP };
/// A small phone.
const PHONE: Window = Window { size: (360, 740), dark: false, phone: true };

/// The manifest of the story, with one mistake.
const BROKEN: &str = "# My stick, \u{fc}ber alles.\n[volume]\nlable = \"MINE\"\n\n[[file]]\npath = \"pictures/LOGO.BIN\"\ncontent = \"logo.bin\"\n";

/// What the tests work with.
struct Bench<'a> {
    workspace: &'a Workspace,
    scratch: PathBuf,
    /// The program `picovd`.
    program: PathBuf,
    /// The stock firmware.
    built: Built,
    /// The page without firmware, as it is on a stick.
    page: PathBuf,
    /// The page with firmware, as it is released.
    released: PathBuf,
}

fn run(context: &Context, report: &mut Report) {
    let workspace = &context.workspace;
    let Some(scratch) = report.check("a scratch folder is there", || workspace.scratch("ring7")) else { return };
    let Some(program) = report.check("the program builds", || simulator::build(workspace)) else { return };
    let built = report.check("the firmware builds", || firmware::build(workspace, context.chip()?, true));
    let Some(built) = built else { return };
    let (page, released) = (scratch.join("stick/CONFIGURE.HTM"), scratch.join("release/CONFIGURE.HTM"));
    let lengths = report.check("the page builds, with and without firmware, and is short", || {
        let released = page::build(workspace, Some(&built.uf2), &released)?;
        Ok::<_, String>((page::build(workspace, None, &page)?, released))
    });
    let Some((length, long)) = lengths else { return };
    report.note(&format!("{length} bytes, {long} with the firmware"));
    let bench = Bench { workspace, scratch, program, built, page, released };
    report.check("the page has the same bytes when it is built again", || {
        let again = bench.scratch.join("again.htm");
        page::build(workspace, None, &again)?;
        if read(&again)? == read(&bench.page)? { Ok(()) } else { Err("they differ".to_owned()) }
    });
    report.check("the stock firmware that is built with the page shows it, byte for byte", || {
        let variant = firmware::Variant { binary: firmware::BINARY, manifest: None, name: "picovd-page" };
        let (arm, page) = (Processor::Arm, Some(bench.page.as_path()));
        let built = firmware::build_with_page(workspace, context.chip()?, variant, arm, page, true)?;
        let shown = bench.picovd(&["cat", "CONFIGURE.HTM", "--elf", &built.elf.display().to_string()])?;
        if shown == read(&bench.page)? { Ok(()) } else { Err(format!("{} bytes, or others", shown.len())) }
    });
    if context.long {
        report.check("the page is the same from another folder", || {
            let copy = Copy::make(workspace)?;
            let there = copy.root().join("CONFIGURE.HTM");
            page::build(&Workspace::at(copy.root()), None, &there)?;
            if read(&there)? == read(&bench.page)? { Ok(()) } else { Err("they differ".to_owned()) }
        });
    }
    let Some(mut browser) = report.check("Chromium starts", || Browser::start(&bench.scratch)) else { return };
    report.check("type, break, mend, choose a file, save: the file is the program's, and the board shows it", || {
        story(&mut browser, &bench)
    });
    report
        .check("the saved file, and a copy of flash, open as the text that was saved", || opens(&mut browser, &bench));
    report.check("with the firmware inside, PICOVD.UF2 needs no second file", || inside(&mut browser, &bench));
    report.check(
        "every manifest of the corpus: the page saves what the program writes, or refuses it with the same words",
        || corpus(&mut browser, &bench),
    );
    keyboard::run(report, &mut browser, &bench);
    hostile::run(report, &mut browser, &bench);
    report.check("on a phone of 360 pixels nothing is cut off; pictures are in the scratch folder", || {
        pictures(&mut browser, &bench)
    });
    firefox::run(report, &bench);
    report.check("the page asked no network, broke no policy and threw nothing", || {
        if browser.faults.is_empty() { Ok(()) } else { Err(browser.faults.join("\n")) }
    });
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|e| format!("{}: {e}", path.display()))
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    fs::write(path, bytes).map_err(|e| format!("{}: {e}", path.display()))
}

impl Bench<'_> {
    /// Runs the program in the scratch folder: what it prints.
    fn picovd(&self, words: &[&str]) -> Result<Vec<u8>, String> {
        let mut picovd = simulator::command(self.workspace, &self.program);
        // Without it, the page and the program have the same time.
        picovd.current_dir(&self.scratch).env_remove("SOURCE_DATE_EPOCH").args(words);
        Ok(command::run(&mut picovd, LONG)?.stdout)
    }

    /// What the program says when it refuses.
    fn refusal(&self, words: &[&str]) -> Result<String, String> {
        let mut picovd = simulator::command(self.workspace, &self.program);
        let finished = command::finish(picovd.current_dir(&self.scratch).args(words), LONG)?;
        if finished.status.success() { Err(format!("picovd {words:?} succeeded")) } else { Ok(finished.both()) }
    }

    /// Compares bytes that the page has saved with those of the program.
    fn same(&self, saved: &[u8], words: &[&str]) -> Result<(), String> {
        self.picovd(&[words, &["-o", "program.uf2"]].concat())?;
        let theirs = read(&self.scratch.join("program.uf2"))?;
        if saved == theirs {
            Ok(())
        } else {
            let at = saved.iter().zip(&theirs).position(|(a, b)| a != b);
            Err(format!(
                "the page saved {} bytes, `picovd {}` {}: they differ from {at:?} on",
                saved.len(),
                words.join(" "),
                theirs.len()
            ))
        }
    }
}

/// Loads the page, and waits until it is ready.
fn load(browser: &mut Browser, page: &Path, window: Window) -> Result<(), String> {
    browser.load(page, window)?;
    browser.until("document.getElementById('summary').textContent === 'Everything is right'")
}

/// Replaces the text as a person does.
fn replace(browser: &mut Browser, text: &str) -> Result<(), String> {
    browser.click("#text")?;
    browser.press("a", 2)?;
    browser.type_text(text)
}

/// Waits for the number of errors, and returns the list's text.
fn problems(browser: &mut Browser, number: usize) -> Result<String, String> {
    let done = format!("examined === version && document.querySelectorAll('#problems .error').length === {number}");
    let waited = browser.until(&done);
    let list = browser.text("document.getElementById('problems').innerText")?;
    waited.map_err(|reason| format!("{reason}\nthe problems are {list:?}")).map(|()| list)
}

/// Waits until this part of the text is selected.
fn selects(browser: &mut Browser, word: &str) -> Result<(), String> {
    let selected = "editor.value.slice(editor.selectionStart, editor.selectionEnd)";
    browser
        .until(&format!("document.activeElement === editor && {selected} === {word:?}"))
        .or_else(|_| Err(format!("not {word:?} is selected, but {:?}", browser.text(selected)?)))
}

fn contains(text: &str, words: &[&str]) -> Result<(), String> {
    match words.iter().find(|word| !text.contains(**word)) {
        Some(word) => Err(format!("{word:?} is not in {text:?}")),
        None => Ok(()),
    }
}

fn story(browser: &mut Browser, bench: &Bench) -> Result<(), String> {
    let logo: Vec<u8> = (0..70_000_u32).map(|at| (at.wrapping_mul(at) >> 7) as u8).collect();
    write(&bench.scratch.join("logo.bin"), &logo)?;
    let text = BROKEN.replace("lable", "label");
    write(&bench.scratch.join("broken.toml"), BROKEN.as_bytes())?;
    write(&bench.scratch.join("my.toml"), text.as_bytes())?;

    load(browser, &bench.page, DESKTOP)?;
    replace(browser, BROKEN)?;
    // A mistake, and a file that was not chosen.
    let said = problems(browser, 2)?;
    contains(&said, &["3:1", "unknown key `lable`", "did you mean `label`?", "M003", "logo.bin"])?;
    contains(
        &bench.refusal(&["uf2", "broken.toml"])?,
        &["unknown key `lable`", "did you mean `label`?", "broken.toml:3:1"],
    )?;
    contains(
        &browser.text("[...document.querySelectorAll('#mirror .mark.error')].map((e) => e.textContent).join()")?,
        &["lable"],
    )?;
    contains(&browser.text("document.querySelector('#numbers .error').textContent")?, &["3"])?;
    browser.until("document.getElementById('spoken').textContent.includes('lable')")?;
    browser.picture(&bench.scratch.join("broken.png"))?;
    browser.click("#save-config")?;
    browser.until("document.getElementById('saved').textContent.startsWith('Not saved: mend the manifest first')")?;
    browser.click("#problems button")?;
    selects(browser, "lable")?;
    browser.type_text("label")?;
    contains(&problems(browser, 1)?, &["7:", "logo.bin"])?;
    browser.until("document.querySelectorAll('#contents .missing').length === 1")?;
    browser.pick("#contents input", &[&bench.scratch.join("logo.bin")])?;
    problems(browser, 0)?;
    browser.until("document.getElementById('summary').textContent === 'Everything is right'")?;
    contains(
        &browser.text("document.getElementById('config-writes').innerText")?,
        &["Writes 512 to 588 KiB of flash", "partition table", "MicroPython"],
    )?;
    contains(&browser.text("document.getElementById('disk').innerText")?, &["MINE", "pictures/LOGO.BIN", "68 KiB"])?;

    browser.click("#save-config")?;
    let saved = browser.downloaded("CONFIG.UF2")?;
    bench.same(&saved, &["uf2", "my.toml"])?;
    write(&bench.scratch.join("CONFIG.UF2"), &saved)?;

    let elf = bench.built.elf.display().to_string();
    let board = ["--elf", &elf, "--uf2", "CONFIG.UF2", "--manifest", "my.toml"];
    let shown = bench.picovd(&[&["cat"], &board[..], &["--", "pictures/LOGO.BIN"]].concat())?;
    if shown != logo {
        return Err(format!("the board shows {} other bytes as pictures/LOGO.BIN", shown.len()));
    }
    let listed = bench.picovd(&board)?;
    contains(&String::from_utf8_lossy(&listed), &["Mounted: exFAT volume \"MINE\"", "all match the manifest"])?;

    let picovd = bench.built.uf2.display().to_string();
    browser.pick("#firmware", &[&bench.built.uf2])?;
    browser.until("document.getElementById('firmware-said').textContent.startsWith('Firmware 0.')")?;
    browser.value("document.getElementById('both').open = true")?;
    browser.until("report.picovd !== undefined")?;
    contains(
        &browser.text("document.getElementById('picovd-writes').innerText")?,
        &["Writes 0 to", "and 512 to 588 KiB of flash", "partition"],
    )?;
    browser.click("#save-picovd")?;
    let both = browser.downloaded("PICOVD.UF2")?;
    bench.same(&both, &["uf2", "my.toml", "--with-firmware", &picovd])?;
    bench.same(&both, &["uf2", "my.toml", "--with-firmware", &elf])?;
    browser.value("document.querySelectorAll('details').forEach((d) => d.open = true)")?;
    browser.click("#save-none")?;
    bench.same(&browser.downloaded("NONE.UF2")?, &["uf2", "--none"])?;
    browser.click("#save-text")?;
    if browser.downloaded("MANIFEST.TOML")? != text.as_bytes() {
        return Err("MANIFEST.TOML is not the text".to_owned());
    }
    browser.picture(&bench.scratch.join("desktop.png"))
}

fn opens(browser: &mut Browser, bench: &Bench) -> Result<(), String> {
    let text = BROKEN.replace("lable", "label");
    let saved = read(&bench.scratch.join("CONFIG.UF2"))?;
    let mut flash = vec![0xFF_u8; 1 << 20];
    for block in uf2::parse(&saved)?.into_iter().filter(|block| !block.ignore) {
        let at = (block.address - 0x1000_0000) as usize;
        flash.get_mut(at..at + block.payload.len()).ok_or("a block beyond 1 MiB")?.copy_from_slice(&block.payload);
    }
    write(&bench.scratch.join("FLASH.BIN"), &flash)?;
    // Lines of Windows stay as they are.
    let windows = "[volume]\r\nlabel = \"CRLF\"\r\nx = 1\r\n";
    write(&bench.scratch.join("windows.toml"), windows.as_bytes())?;
    for name in ["CONFIG.UF2", "FLASH.BIN", "my.toml"] {
        load(browser, &bench.page, DESKTOP)?;
        browser.pick("#open", &[&bench.scratch.join(name)])?;
        browser.until("editor.value.includes('MINE')")?;
        let shown = browser.text("editor.value")?;
        if shown != text {
            return Err(format!("{name} opens as {shown:?}"));
        }
        // What was made for a board has the file's bytes as well.
        if name == "my.toml" {
            contains(&problems(browser, 1)?, &["logo.bin"])?;
        } else {
            problems(browser, 0)?;
            browser.click("#save-config")?;
            bench.same(&browser.downloaded("CONFIG.UF2")?, &["uf2", "my.toml"])?;
        }
    }
    browser.pick("#several", &[&bench.scratch.join("logo.bin")])?;
    problems(browser, 0)?;
    // A compiler that has failed is replaced by one that knows the same.
    browser.value("compiler.restart('a test')")?;
    browser.type_text("\n# more")?;
    problems(browser, 0)?;
    browser.pick("#open", &[&bench.scratch.join("windows.toml")])?;
    contains(&problems(browser, 1)?, &["3:1", "unknown key `x`"])?;
    browser.click("#problems button")?;
    // Positions are right in spite of them.
    selects(browser, "x")?;
    browser.click("#save-text")?;
    if browser.downloaded("MANIFEST.TOML")? != windows.as_bytes() {
        return Err("the line endings of Windows are lost".to_owned());
    }
    Ok(())
}

fn corpus(browser: &mut Browser, bench: &Bench) -> Result<(), String> {
    let folder = bench.workspace.root.join("tests/manifests");
    let bad = |e: std::io::Error| format!("{}: {e}", folder.display());
    let mut paths: Vec<PathBuf> = fs::read_dir(&folder)
        .map_err(bad)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()
        .map_err(bad)?;
    paths.sort();
    let (mut saved, mut refused) = (0, 0);
    load(browser, &bench.page, DESKTOP)?;
    for path in paths.iter().filter(|path| path.extension().is_some_and(|end| end == "toml")) {
        let before = browser.value("version")?;
        browser.pick("#open", &[path])?;
        browser.until(&format!("version > {before} && examined === version"))?;
        let names = browser.value("[...rowsOfContents.keys()]")?;
        let files: Vec<PathBuf> =
            names.as_array().into_iter().flatten().filter_map(|name| Some(folder.join(name.as_str()?))).collect();
        if !files.is_empty() {
            browser.pick("#several", &files.iter().map(PathBuf::as_path).collect::<Vec<_>>())?;
            browser.until("examined === version && !document.querySelector('#contents .missing')")?;
        }
        let words = ["uf2", &path.display().to_string()];
        if browser.value("Boolean(report.config)")? == serde_json::json!(true) {
            // The bytes that "Save" would save; a browser refuses many downloads in a row.
            let hex = browser.text(
                "compiler.ask('config_uf2').then(({ bytes }) => [...bytes].map((b) => b.toString(16).padStart(2, '0')).join(''))",
            )?;
            let bytes =
                hex.as_bytes().chunks(2).map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap_or_default(), 16));
            let bytes = bytes.collect::<Result<Vec<u8>, _>>().map_err(|e| format!("{}: {e}", path.display()))?;
            bench.same(&bytes, &words).map_err(|reason| format!("{}: {reason}", path.display()))?;
            saved += 1;
        } else {
            let said = browser.text("document.querySelector('#problems .error .what').textContent")?;
            contains(&bench.refusal(&words)?, &[&said])?;
            refused += 1;
        }
    }
    if saved >= 15 { Ok(()) } else { Err(format!("only {saved} saved, and {refused} refused")) }
}

fn inside(browser: &mut Browser, bench: &Bench) -> Result<(), String> {
    load(browser, &bench.released, DESKTOP)?;
    browser.until("document.getElementById('firmware-said').textContent.endsWith('is inside this page.')")?;
    replace(browser, "[volume]\nlabel = \"NEW\"\n")?;
    write(&bench.scratch.join("new.toml"), b"[volume]\nlabel = \"NEW\"\n")?;
    problems(browser, 0)?;
    browser.value("document.getElementById('both').open = true")?;
    browser.click("#save-picovd")?;
    let both = browser.downloaded("PICOVD.UF2")?;
    bench.same(&both, &["uf2", "new.toml", "--with-firmware", &bench.built.uf2.display().to_string()])
}

fn pictures(browser: &mut Browser, bench: &Bench) -> Result<(), String> {
    for (name, window, page) in [
        ("light", DESKTOP, &bench.page),
        ("dark", DARK, &bench.released),
        ("phone", PHONE, &bench.page),
        ("phone-dark", Window { dark: true, ..PHONE }, &bench.page),
    ] {
        load(browser, page, window)?;
        if name == "phone-dark" {
            replace(browser, BROKEN)?;
            problems(browser, 2)?;
        }
        browser.value("document.querySelectorAll('details').forEach((d) => d.open = true)")?;
        browser.picture(&bench.scratch.join(format!("{name}.png")))?;
        let width = browser.value("document.documentElement.scrollWidth")?;
        if width.as_u64() > Some(u64::from(window.size.0)) {
            return Err(format!("{name}: {width} pixels wide in a window of {}", window.size.0));
        }
    }
    Ok(())
}
