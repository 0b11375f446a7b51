//! Texts and files that nobody should give to the page.

use super::{Bench, DESKTOP, contains, load, problems, replace, write};
use crate::browser::Browser;
use crate::report::Report;

pub fn run(report: &mut Report, browser: &mut Browser, bench: &Bench) {
    report.check("hostile texts: 5 MB, NUL, `</script>`, markup in every name, nothing becomes HTML", || {
        texts(browser, bench)
    });
    report.check(
        "hostile files: binary, a UF2 with a wrong magic number, contents beyond the room, other firmware",
        || files(browser, bench),
    );
}

const MARKUP: &str = "</script></textarea><img src=x onerror=document.title='owned'><b>";

fn texts(browser: &mut Browser, bench: &Bench) -> Result<(), String> {
    load(browser, &bench.page, DESKTOP)?;
    // In a key, a value, a path, a label, a name of contents.
    for text in [
        format!("\"{MARKUP}\" = 1\n[volume]\nlabel = \"{MARKUP}\"\n"),
        format!("[[file]]\npath = \"{MARKUP}\"\ntext = \"{MARKUP}\"\n"),
        format!("[[file]]\npath = \"A\"\ncontent = \"{MARKUP}\"\n"),
        MARKUP.to_owned(),
    ] {
        replace(browser, &text)?;
        browser.until("examined === version && document.querySelectorAll('#problems .error').length > 0")?;
    }
    replace(browser, "[[file]]\npath = \"A & &lt;b&gt; B.TXT\"\ntext = \"</script>\\u0000\"\n")?;
    problems(browser, 0)?;
    contains(&browser.text("document.getElementById('files').innerText")?, &["A & &lt;b&gt; B.TXT"])?;
    browser
        .value("editor.value = '[volume]\\nlabel = \"A\\0B\"\\n\\0\\0'; editor.dispatchEvent(new Event('input'))")?;
    browser.until("examined === version && document.querySelectorAll('#problems .error').length > 0")?;
    browser.value(
        "editor.value = ('# ' + 'x'.repeat(97) + '\\n').repeat(50000); editor.dispatchEvent(new Event('input'))",
    )?;
    contains(&problems(browser, 1)?, &["it is longer than 4 MiB"])?;
    // Just short enough, and nothing in it is right.
    browser.value("editor.value = 'a = [\\n'.repeat(60000); editor.dispatchEvent(new Event('input'))")?;
    browser.until("examined === version && document.querySelectorAll('#problems .error').length > 0")?;
    let odd = browser.value("document.querySelectorAll('main img, main b:not([id]):not(.hint b):not(.writes b)').length + (document.title.includes('owned') ? 1 : 0)")?;
    if odd != serde_json::json!(0) {
        return Err("a text became HTML".to_owned());
    }
    replace(browser, "[volume]\nlabel = \"ALIVE\"\n")?;
    problems(browser, 0)?;
    browser.until("document.getElementById('label').textContent === 'ALIVE'")
}

fn files(browser: &mut Browser, bench: &Bench) -> Result<(), String> {
    load(browser, &bench.page, DESKTOP)?;
    let mut magic = super::read(&bench.scratch.join("CONFIG.UF2"))?;
    magic[515] ^= 1;
    for (name, bytes, says) in [
        ("binary.toml", &b"\x7FELF\x02\x01\xFF\x00"[..], "which is not UTF-8"),
        ("magic.uf2", &magic, "block 1: wrong magic number"),
        ("cut.uf2", &magic[..700], "not a whole number of blocks"),
        ("erased.bin", &[0xFF; 600 << 10], "there is no compiled manifest 512 KiB after the start of flash"),
        ("long.toml", &[b'#'; 5 << 20], "longer than 4 MiB"),
    ] {
        let path = bench.scratch.join(name);
        write(&path, bytes)?;
        browser.pick("#open", &[&path])?;
        browser.until(&format!("document.getElementById('summary').textContent.includes({says:?})"))?;
    }
    // An editor has saved the page as UTF-8.
    let page = super::read(&bench.page)?;
    let damaged: String = page.iter().map(|byte| char::from(*byte)).collect();
    let path = bench.scratch.join("DAMAGED.HTM");
    write(&path, damaged.as_bytes())?;
    browser.load(&path, DESKTOP)?;
    browser.until("document.getElementById('fatal').textContent.startsWith('This file is damaged: ')")?;
    load(browser, &bench.page, DESKTOP)?;
    // Firmware that is none, and a manifest alone.
    for (name, says) in [("magic.uf2", "wrong magic number"), ("CONFIG.UF2", "a manifest and no firmware")] {
        browser.pick("#firmware", &[&bench.scratch.join(name)])?;
        browser.until(&format!("document.getElementById('firmware-said').textContent.includes({says:?})"))?;
    }
    // More than fits: refused with the program's words.
    let manifest = "[chip]\nflash-size = \"1 MiB\"\n[[file]]\npath = \"LONG.BIN\"\ncontent = \"room.bin\"\n";
    write(&bench.scratch.join("room.toml"), manifest.as_bytes())?;
    write(&bench.scratch.join("room.bin"), &vec![7; 520 << 10])?;
    replace(browser, manifest)?;
    browser.until("document.querySelectorAll('#contents .missing').length === 1")?;
    browser.pick("#contents input", &[&bench.scratch.join("room.bin")])?;
    browser.until("examined === version && !document.querySelector('#contents .missing')")?;
    let said = browser.text("document.querySelector('#problems .what').textContent")?;
    contains(&said, &["there is room for"])?;
    contains(&bench.refusal(&["uf2", "room.toml"])?, &[&said])?;
    // Longer than any flash: it is not even read.
    write(&bench.scratch.join("huge.bin"), &vec![0; (16 << 20) + 1])?;
    browser.pick("#contents input", &[&bench.scratch.join("huge.bin")])?;
    browser.until("document.getElementById('several-said').textContent.includes('at most 16 MiB')")
}
