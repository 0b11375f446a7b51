//! The page with the keyboard alone, for a screen reader, and for weak eyes.

use super::{BROKEN, Bench, DARK, DESKTOP, load, problems, replace};
use crate::browser::Browser;
use crate::report::Report;

/// What Tab must reach, in this order.
const ORDER: [&str; 7] = ["open", "start", "save-text", "text", "problem", "save-config", "firmware"];

pub fn run(report: &mut Report, browser: &mut Browser, bench: &Bench) {
    report.check("with the keyboard alone, everything is reached, in order, and the focus is seen", || {
        tab(browser, bench)
    });
    report.check("every text has enough contrast, in light and dark", || contrast(browser, bench));
    report.check("every control has a name, every problem is spoken", || names(browser, bench));
}

/// Texts whose contrast to what is behind them is less than 4.5 to 1 (WCAG 2.2, 1.4.3).
const PALE: &str = "(() => {
    const numbers = (colour) => (colour.match(/[\\d.]+/g) ?? []).map(Number);
    const linear = (part) => part <= 10.31 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4;
    const luminance = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
    const behind = (element) => {
        const colour = numbers(getComputedStyle(element).backgroundColor);
        return colour.length === 3 || !element.parentElement ? colour : behind(element.parentElement);
    };
    const isText = (node) => node.nodeType === Node.TEXT_NODE && node.textContent.trim() !== '';
    const texts = [...document.querySelectorAll('body *')].filter((element) => element.checkVisibility() && [...element.childNodes].some(isText));
    const seen = texts.filter((element) => numbers(getComputedStyle(element).color).length === 3);
    const pale = seen.filter((element) => {
        const [dark, light] = [luminance(numbers(getComputedStyle(element).color)), luminance(behind(element))].sort((a, b) => a - b);
        return (light + 0.05) / (dark + 0.05) < 4.5;
    });
    return seen.length < 30 ? 'only ' + seen.length + ' texts' : pale.map((element) => element.className + ': ' + element.textContent.slice(0, 40)).join();
})()";

fn contrast(browser: &mut Browser, bench: &Bench) -> Result<(), String> {
    for window in [DESKTOP, DARK] {
        load(browser, &bench.page, window)?;
        replace(browser, BROKEN)?;
        problems(browser, 2)?;
        browser.value("document.querySelectorAll('details').forEach((d) => d.open = true)")?;
        let pale = browser.text(PALE)?;
        if !pale.is_empty() {
            return Err(format!("dark: {}: {pale}", window.dark));
        }
    }
    Ok(())
}

fn tab(browser: &mut Browser, bench: &Bench) -> Result<(), String> {
    load(browser, &bench.page, DESKTOP)?;
    replace(browser, "[volume]\nlable = \"X\"\n")?;
    problems(browser, 1)?;
    browser.value("document.querySelectorAll('details').forEach((d) => d.open = true); document.activeElement.blur(); getSelection().removeAllRanges()")?;
    browser.call("Page.bringToFront", serde_json::json!({}))?;
    browser.value("document.body.tabIndex = -1, document.body.focus(), document.body.removeAttribute('tabindex')")?;
    let mut reached: Vec<String> = Vec::new();
    let before = browser.text("editor.value")?;
    for _ in 0..60 {
        browser.press("Tab", 0)?;
        let name = browser
            .text("document.activeElement.id || document.activeElement.className || document.activeElement.tagName")?;
        if name == "BODY" {
            break;
        }
        // The file inputs are transparent: their labels show the focus. The editor's frame does.
        let seen = browser.value(
            "(() => { const e = document.activeElement; const seen = (x) => x && getComputedStyle(x).outlineStyle !== 'none'; \
             return seen(e) || (e.classList.contains('choose') && seen(e.nextElementSibling)) \
             || (e.id === 'text' && getComputedStyle(e.closest('.editor')).boxShadow !== 'none') })()",
        )?;
        if seen != serde_json::json!(true) {
            return Err(format!("the focus is not seen on {name}"));
        }
        if reached.first() == Some(&name) {
            break;
        }
        reached.push(name);
    }
    if browser.text("editor.value")? != before {
        return Err("Tab changes the text".to_owned());
    }
    let mut rest = reached.iter();
    match ORDER.iter().find(|wanted| !rest.any(|name| name == *wanted)) {
        Some(missing) => Err(format!("Tab does not reach {missing} in order: {reached:?}")),
        None => Ok(()),
    }?;
    // Enter on a problem goes there, and typing mends it.
    browser.value("document.querySelector('#problems button').focus()")?;
    browser.press("Enter", 0)?;
    browser.until("document.activeElement.id === 'text'")?;
    browser.type_text("label")?;
    problems(browser, 0)?;
    browser.value("document.getElementById('save-config').focus()")?;
    browser.press("Enter", 0)?;
    browser.downloaded("CONFIG.UF2").map(|_| ())
}

fn names(browser: &mut Browser, bench: &Bench) -> Result<(), String> {
    load(browser, &bench.page, DESKTOP)?;
    replace(browser, "[volume]\nlable = \"X\"\n[[file]]\npath = \"A\"\ncontent = \"a.bin\"\n")?;
    problems(browser, 2)?;
    browser.value("document.querySelectorAll('details').forEach((d) => d.open = true)")?;
    let tree = browser.call("Accessibility.getFullAXTree", serde_json::json!({}))?;
    browser.call("Accessibility.disable", serde_json::json!({}))?;
    let mut controls = 0;
    for node in tree["nodes"].as_array().into_iter().flatten().filter(|node| node["ignored"] != serde_json::json!(true))
    {
        let role = node["role"]["value"].as_str().unwrap_or_default();
        if ["button", "textbox", "combobox", "link", "DisclosureTriangle"].contains(&role) {
            controls += 1;
            if node["name"]["value"].as_str().unwrap_or_default().trim().is_empty() {
                return Err(format!("a control has no name: {node}"));
            }
        }
    }
    if controls < 12 {
        return Err(format!("only {controls} controls"));
    }
    browser.until("document.getElementById('spoken').textContent === '2 problems. Line 2: unknown key `lable`; did you mean `label`?'")?;
    browser.until("document.getElementById('spoken').getAttribute('aria-live') === 'polite' && editor.getAttribute('aria-invalid') === 'true'")
}
