//! The same story in Debian's Firefox, which shares no code with Chromium.

use super::{BROKEN, Bench, contains, read};
use crate::firefox::Firefox;
use crate::report::Report;

pub fn run(report: &mut Report, bench: &Bench) {
    report.check("Firefox: type, break, mend, choose a file, save: the file is the program's", || story(bench));
}

/// Chooses everything, so that typing replaces it.
const ALL: &str = "\u{E009}a\u{E000}";
const ERRORS: &str = "document.querySelectorAll('#problems .error').length";
const RIGHT: &str = "document.getElementById('summary').textContent === 'Everything is right'";

fn story(bench: &Bench) -> Result<(), String> {
    let mut firefox = Firefox::start(&bench.scratch)?;
    firefox.load(&bench.page)?;
    firefox.until(RIGHT)?;
    firefox.click("#text")?;
    firefox.type_into("#text", ALL)?;
    firefox.type_into("#text", BROKEN)?;
    firefox.until(&format!("{ERRORS} === 2"))?;
    let said = firefox.value("document.getElementById('problems').innerText")?;
    contains(&said.to_string(), &["3:1", "unknown key `lable`", "did you mean `label`?", "logo.bin"])?;
    firefox.click("#problems button")?;
    firefox.until("document.activeElement.id === 'text'")?;
    let select = "(() => { const e = document.getElementById('text'); return e.value.slice(e.selectionStart, e.selectionEnd) === 'lable' })()";
    firefox.until(select)?;
    let insert = "document.execCommand('insertText', false, 'label')";
    firefox.until(insert)?;
    firefox.until(&format!("{ERRORS} === 1"))?;
    firefox.type_into("#contents input", &bench.scratch.join("logo.bin").display().to_string())?;
    firefox.until(RIGHT)?;
    firefox.click("#save-config")?;
    let saved = firefox.downloaded("CONFIG.UF2")?;
    if saved != read(&bench.scratch.join("CONFIG.UF2"))? {
        return Err("Firefox saves other bytes than Chromium and the program".to_owned());
    }
    // With the firmware inside.
    firefox.load(&bench.released)?;
    firefox.until("document.getElementById('firmware-said').textContent.endsWith('is inside this page.')")?;
    firefox.click("#both summary")?;
    firefox.click("#save-picovd")?;
    let both = firefox.downloaded("PICOVD.UF2")?;
    if both.len() > saved.len() { Ok(()) } else { Err(format!("PICOVD.UF2 has {} bytes", both.len())) }
}
