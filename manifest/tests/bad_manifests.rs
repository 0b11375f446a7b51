//! One bad manifest for each rule, with its whole report next to it: tests/bad-manifests/CODE-RULE.toml and .txt.
//!
//! The first line of each says which rule it breaks. `PICOVD_BLESS=1`, which `cargo xtask test --bless` sets, rewrites the
//! reports. Every report must have the code with which the file's name begins.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use picovd_manifest::{Code, Diagnostics, DiskPlan, check, plan, read};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/bad-manifests")
}

/// Creates a folder with a copy of each bad manifest and the files that they name, and makes it the current one, so that
/// reports show only a manifest's name.
fn enter_copy() -> Vec<String> {
    let copy = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bad-manifests");
    fs::create_dir_all(copy.join("a-folder")).unwrap();
    fs::write(copy.join("there.bin"), "there").unwrap();
    for (name, length) in [("600-kib.bin", 600 << 10), ("17-mib.bin", 17 << 20)] {
        File::create(copy.join(name)).unwrap().set_len(length).unwrap();
    }
    let mut names = Vec::new();
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if let Some(name) = name.strip_suffix(".toml") {
            fs::copy(&path, copy.join(format!("{name}.toml"))).unwrap();
            names.push(name.to_owned());
        }
    }
    std::env::set_current_dir(copy).unwrap();
    names.sort();
    names
}

fn problems(name: &str) -> Diagnostics {
    let path = PathBuf::from(format!("{name}.toml"));
    let bytes = fs::read(&path).unwrap();
    let epoch = String::from_utf8_lossy(&bytes).contains("SOURCE_DATE_EPOCH=yesterday").then_some("yesterday");
    // A manifest that can be built has warnings, or is for the stock firmware only.
    let built = |plan: DiskPlan| if plan.stock_only.items().is_empty() { plan.warnings } else { plan.stock_only };
    read(&path).and_then(|manifest| plan(&check(&manifest, epoch)?)).map_or_else(|problems| problems, built)
}

/// What `cargo build` prints, one line for each problem, and what `cargo sim` prints, with excerpts.
fn report(problems: &Diagnostics) -> String {
    let lines: String = problems.lines().map(|line| line + "\n").collect();
    format!("{lines}\n{problems}\n")
}

#[test]
fn every_rule_has_a_bad_manifest_whose_report_is_the_blessed_one() {
    let bless = std::env::var_os("PICOVD_BLESS").is_some();
    let names = enter_copy();
    let mut seen = BTreeSet::new();
    let mut wrong = Vec::new();
    for name in &names {
        let problems = problems(name);
        let report = report(&problems);
        seen.extend(problems.items().iter().map(|item| item.code));
        let code = name.split('-').next().unwrap();
        assert!(problems.items().iter().any(|item| item.code.to_string() == code), "{name}:\n{report}");
        let warning = Code::ALL.iter().any(|known| known.to_string() == code && known.is_warning());
        assert_eq!(problems.items().iter().all(|item| item.code.is_warning()), warning, "{name}:\n{report}");
        for item in problems.items() {
            assert!(!item.message.is_empty() && !item.remedy.is_empty(), "{name}:\n{report}");
        }
        let blessed = folder().join(format!("{name}.txt"));
        if bless {
            fs::write(&blessed, &report).unwrap();
        }
        let expected = fs::read_to_string(&blessed).unwrap_or_default();
        if report != expected {
            wrong.push(format!("{name}, wanted:\n{expected}\nand got:\n{report}"));
        }
    }
    assert!(wrong.is_empty(), "`cargo xtask test --bless` accepts what is right about these:\n\n{}", wrong.join("\n"));
    let codes: BTreeSet<Code> = Code::ALL.into_iter().collect();
    assert_eq!(seen, codes, "a code without a bad manifest");
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap();
        assert!(names.iter().any(|name| name == stem), "{} belongs to no manifest", path.display());
    }
}
