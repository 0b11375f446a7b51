//! Where the firmware's bytes go: totals and a table by module, compared with budgets and with the last recorded state.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::bench;
use crate::budgets::{Budgets, Image, When};
use crate::command::{self, LONG};
use crate::elf::Elf;
use crate::firmware::{self, PROFILE, Variant};
use crate::modules::{self, Bytes, Modules};
use crate::panics;
use crate::setup::Policy;
use crate::toolchain::{Processor, TARGET, Toolchain};
use crate::workspace::Workspace;

/// Modules smaller than this share one line.
const SMALL: u32 = 64;

/// The last recorded figures, below the workspace's root.
const RECORD: &str = "xtask/sizes.toml";

/// Builds every image of the budgets, passes its table to `show`, and returns what exceeds a budget or may panic
/// unexpectedly.
pub fn run(
    workspace: &Workspace,
    toolchain: &Toolchain,
    policy: Policy,
    record: bool,
    show: impl Fn(&str),
) -> Result<Vec<String>, String> {
    let budgets = Budgets::read(workspace)?;
    let recorded = recorded(workspace)?;
    let mut wrong: Vec<String> = panic_free(workspace, toolchain, &budgets.panics).err().into_iter().collect();
    let mut sums: BTreeMap<String, BTreeMap<String, u32>> = BTreeMap::new();
    for image in &budgets.images {
        let manifest: Option<PathBuf> = image.manifest.as_ref().map(|path| workspace.root.join(path));
        let arm = image.processor == Processor::Arm;
        let name = if arm && manifest.is_none() { "picovd" } else { image.name.as_str() };
        let variant = Variant { binary: firmware::BINARY, manifest: manifest.as_deref(), name };
        let toolchain = &toolchain.of(image.processor, workspace, policy)?;
        let built = firmware::build_with(workspace, toolchain, variant, image.processor, true)?;
        let elf = Elf::read(&built.elf)?;
        let modules = modules::of(&elf, &built.elf)?;
        let before = recorded.get(&image.name);
        show(&table(image, &modules, before));
        wrong.extend(judge(image, &modules));
        if !image.stack.is_empty() {
            let played = stack_of(workspace, &built.elf, manifest.as_deref())?;
            let (text, past) = judge_stack(image, &played)?;
            show(&text);
            wrong.extend(past);
        }
        let sites = if arm { panics::sites(&elf) } else { Vec::new() };
        for what in panics::judge(&sites, &budgets.panics).into_iter().filter(|_| arm) {
            wrong.push(format!("{}: {what}", image.name));
        }
        sums.insert(image.name.clone(), modules.iter().map(|(name, bytes)| (name.clone(), bytes.flash())).collect());
    }
    if record {
        write(workspace, &sums)?;
    }
    Ok(wrong)
}

/// A manifest with settings.
const SETTINGS: &str = "tests/manifests/settings.toml";

/// Links the library, without USB, with a panic handler that does not link (tests/panic-free): stock, and with settings.
/// With an application's settings, which other crates read, it may panic at known sites.
fn panic_free(workspace: &Workspace, toolchain: &Toolchain, allowed: &BTreeMap<String, usize>) -> Result<(), String> {
    let link = |manifest: Option<&str>, features: &[&str]| {
        let mut cargo = toolchain.cargo(&workspace.root);
        cargo.args(["build", "--package", "picovd-panic-free", "--profile", PROFILE]).args(toolchain.arguments());
        cargo.args(features).env("CARGO_TARGET_DIR", &workspace.target).env_remove("PICOVD_MANIFEST");
        cargo.envs(manifest.map(|manifest| ("PICOVD_MANIFEST", workspace.root.join(manifest))));
        command::run(&mut cargo, LONG).map(|_| ())
    };
    let fail = |what: &str, e: String| format!("the panic-free program {what} does not link: {e}");
    link(None, &[]).map_err(|e| fail("of the stock manifest", e))?;
    link(Some(SETTINGS), &[]).map_err(|e| fail("with settings", e))?;
    link(Some(SETTINGS), &["--features", "application"]).map_err(|e| fail("with settings of an application", e))?;
    let elf = Elf::read(&workspace.target.join(TARGET).join(PROFILE).join("picovd-panic-free"))?;
    let sites = panics::sites(&elf);
    let wrong = panics::judge(&sites, allowed);
    if wrong.is_empty() { Ok(()) } else { Err(format!("settings of an application: {}", wrong.join("; "))) }
}

/// The table of an ELF file without a budget.
pub fn report(elf: &Elf, file: &Path) -> Result<String, String> {
    let image = Image {
        name: file.display().to_string(),
        manifest: None,
        processor: Processor::Arm,
        limits: Vec::new(),
        stack: Vec::new(),
    };
    Ok(table(&image, &modules::of(elf, file)?, None))
}

fn total(modules: &Modules) -> Bytes {
    let mut total = Bytes::default();
    for bytes in modules.values() {
        total.join(*bytes);
    }
    total
}

/// Modules by size, then the budgets.
fn table(image: &Image, modules: &Modules, before: Option<&BTreeMap<String, u32>>) -> String {
    let mut out =
        format!("{}\n{:>8} {:>8} {:>8} {:>8} {:>8}  module\n", image.name, "text", "rodata", "data", "bss", "change");
    let mut line = |name: &str, bytes: Bytes, change: Option<i64>| {
        let change =
            change.map_or(String::new(), |change| if change == 0 { "=".to_owned() } else { format!("{change:+}") });
        let _ = writeln!(
            out,
            "{:>8} {:>8} {:>8} {:>8} {change:>8}  {name}",
            bytes.text, bytes.rodata, bytes.data, bytes.bss
        );
    };
    let was = |name: &str| before.map(|before| i64::from(before.get(name).copied().unwrap_or(0)));
    let all = total(modules);
    let sum_before = before.map(|before| before.values().map(|bytes| i64::from(*bytes)).sum::<i64>());
    line("total", all, sum_before.map(|before| i64::from(all.flash()) - before));
    let mut rows: Vec<(&String, &Bytes)> = modules.iter().collect();
    rows.sort_by_key(|(name, bytes)| (std::cmp::Reverse(bytes.flash() + bytes.bss), (*name).clone()));
    let mut rest = Bytes::default();
    for (name, bytes) in rows {
        if bytes.flash() + bytes.bss < SMALL {
            rest.join(*bytes);
        } else {
            line(name, *bytes, was(name).map(|before| i64::from(bytes.flash()) - before));
        }
    }
    if rest != Bytes::default() {
        line("(small ones)", rest, None);
    }
    for limit in &image.limits {
        let is = limit.measure(modules);
        let goal = limit.goal.map_or(String::new(), |goal| format!(", goal {goal}"));
        let _ = writeln!(out, "{is:>8} of {}{goal}: {}", limit.budget, limit.name);
    }
    out
}

fn judge(image: &Image, modules: &Modules) -> Vec<String> {
    let past = |limit: &&crate::budgets::Limit| limit.measure(modules) > limit.budget;
    let tell = |limit: &crate::budgets::Limit| {
        format!("{}: {} takes {} bytes of {}", image.name, limit.name, limit.measure(modules), limit.budget)
    };
    image.limits.iter().filter(past).map(tell).collect()
}

/// What the emulated board has found in the painted stack: lines of `TO-START TO-RUN ROOM WHAT`.
fn stack_of(workspace: &Workspace, elf: &Path, manifest: Option<&Path>) -> Result<String, String> {
    let mut bench = Command::new(bench::program(workspace)?);
    bench.current_dir(&workspace.root).arg("--stack").arg("--elf").arg(elf);
    if let Some(manifest) = manifest {
        bench.arg("--manifest").arg(manifest);
    }
    Ok(command::run(&mut bench, LONG)?.text())
}

/// The maximum stack usage of all runs: a text, and what exceeds its budget.
fn judge_stack(image: &Image, played: &str) -> Result<(String, Vec<String>), String> {
    let (mut text, mut past) = (String::new(), Vec::new());
    for limit in &image.stack {
        let mut deepest = None;
        for line in played.lines() {
            let mut words = line.splitn(4, ' ');
            let mut number = || words.next().and_then(|word| word.parse::<u32>().ok());
            let (Some(start), Some(run), Some(_room), Some(what)) = (number(), number(), number(), words.next()) else {
                return Err(format!("no line about a stack looks like `{line}`"));
            };
            let used = match limit.when {
                When::Start => start,
                When::Run => run,
            };
            deepest = deepest.max(Some((used, what)));
        }
        let (used, what) = deepest.ok_or("nothing was played on a painted stack")?;
        let when = match limit.when {
            When::Start => "stack to start",
            When::Run => "stack to run",
        };
        let goal = limit.goal.map_or(String::new(), |goal| format!(", goal {goal}"));
        let _ = writeln!(text, "{used:>8} of {}{goal}: {when}, deepest in: {what}", limit.budget);
        if used > limit.budget {
            past.push(format!("{}: {when} takes {used} bytes of {}, deepest in: {what}", image.name, limit.budget));
        }
    }
    Ok((text, past))
}

fn recorded(workspace: &Workspace) -> Result<BTreeMap<String, BTreeMap<String, u32>>, String> {
    let path = workspace.root.join(RECORD);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(format!("{}: {error}", path.display())),
    };
    let value: toml::Table = text.parse().map_err(|e| format!("{}: {e}", path.display()))?;
    let number = |value: &toml::Value| value.as_integer().and_then(|n| u32::try_from(n).ok());
    let modules = |table: &toml::Table| {
        table.iter().filter_map(|(name, value)| Some((name.clone(), number(value)?))).collect::<BTreeMap<_, _>>()
    };
    Ok(value.iter().filter_map(|(name, table)| Some((name.clone(), modules(table.as_table()?)))).collect())
}

fn write(workspace: &Workspace, sums: &BTreeMap<String, BTreeMap<String, u32>>) -> Result<(), String> {
    let mut out = String::from("# Bytes of flash by module, as `cargo xtask size --record` found them.\n");
    for (image, modules) in sums {
        let _ = writeln!(out, "\n[{image}]");
        for (name, bytes) in modules {
            let _ = writeln!(out, "\"{name}\" = {bytes}");
        }
    }
    let path = workspace.root.join(RECORD);
    fs::write(&path, out).map_err(|e| format!("{}: {e}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::{judge, judge_stack, table};
    use crate::budgets::{Image, Limit, Stack, What, When};
    use crate::modules::{Bytes, Modules};
    use crate::toolchain::Processor;
    use std::collections::BTreeMap;

    #[test]
    fn a_budget_is_kept_or_not() {
        let limit = |budget| Limit {
            name: "scsi".to_owned(),
            modules: vec!["a".to_owned()],
            what: What::Flash,
            budget,
            goal: None,
        };
        let image = |budget| Image {
            name: "stock".to_owned(),
            manifest: None,
            processor: Processor::Arm,
            limits: vec![limit(budget)],
            stack: Vec::new(),
        };
        let modules = Modules::from([
            ("a".to_owned(), Bytes { text: 100, rodata: 20, data: 3, bss: 9 }),
            ("b".to_owned(), Bytes { text: 1000, ..Bytes::default() }),
        ]);
        assert!(judge(&image(123), &modules).is_empty());
        assert_eq!(judge(&image(122), &modules), ["stock: scsi takes 123 bytes of 122"]);
        let before = BTreeMap::from([("a".to_owned(), 120), ("b".to_owned(), 1000)]);
        let text = table(&image(123), &modules, Some(&before));
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[2], ["1100", "20", "3", "9", "+3", "total"]);
        assert_eq!(lines[3], ["1000", "0", "0", "0", "=", "b"]);
        assert_eq!(lines[5].join(" "), "123 of 123: scsi");
    }

    #[test]
    fn the_deepest_stack_is_judged() {
        let image = |start, run| {
            let limit = |when, budget| Stack { when, budget, goal: None };
            let stack = vec![limit(When::Start, start), limit(When::Run, run)];
            Image { name: "stock".to_owned(), manifest: None, processor: Processor::Arm, limits: Vec::new(), stack }
        };
        let played = "800 90 9999 story one\n700 100 9999 every file\n";
        let (text, past) = judge_stack(&image(800, 100), played).unwrap();
        assert_eq!(text.lines().last().unwrap().trim(), "100 of 100: stack to run, deepest in: every file");
        assert!(past.is_empty());
        let (_, past) = judge_stack(&image(799, 100), played).unwrap();
        assert_eq!(past, ["stock: stack to start takes 800 bytes of 799, deepest in: story one"]);
        let (_, past) = judge_stack(&image(800, 99), played).unwrap();
        assert_eq!(past, ["stock: stack to run takes 100 bytes of 99, deepest in: every file"]);
        assert!(judge_stack(&image(800, 100), "").is_err());
        assert!(judge_stack(&image(800, 100), "800 x 9 story").is_err());
    }
}
