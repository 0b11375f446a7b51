//! Builds the firmware for the chip, with the same bytes in every folder, as ELF and as UF2.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use crate::command::{self, LONG};
use crate::elf::{Elf, Kind};
use crate::toolchain::{Processor, TARGET, Toolchain, toml_string};
use crate::workspace::Workspace;
use picovd_uf2 as uf2;

/// The cargo profile for the chip's programs; also the name of the folder that cargo puts them into.
pub const PROFILE: &str = "firmware";

/// The binary target of package `picovd`. Its files are called `picovd` nevertheless: cargo would write a target of that
/// name to the path of the program of cli/.
pub const BINARY: &str = "picovd-firmware";

/// The result of a build.
#[derive(Clone, Debug)]
pub struct Built {
    /// The ELF file.
    pub elf: PathBuf,
    /// The UF2 file.
    pub uf2: PathBuf,
}

/// What to build.
#[derive(Clone, Copy, Debug)]
pub struct Variant<'a> {
    /// One of the package's binaries.
    pub binary: &'a str,
    /// The manifest that replaces picovd.toml, relative to the current folder.
    pub manifest: Option<&'a Path>,
    /// The name of the output files.
    pub name: &'a str,
}

/// Builds the firmware from picovd.toml, and writes `target/firmware/picovd.elf` and `picovd.uf2`.
pub fn build(workspace: &Workspace, toolchain: &Toolchain, quiet: bool) -> Result<Built, String> {
    build_variant(workspace, toolchain, Variant { binary: BINARY, manifest: None, name: "picovd" }, quiet)
}

/// Builds a firmware from any manifest, and writes `target/firmware/NAME.elf` and `NAME.uf2`.
pub fn build_variant(
    workspace: &Workspace,
    toolchain: &Toolchain,
    variant: Variant<'_>,
    quiet: bool,
) -> Result<Built, String> {
    build_with(workspace, toolchain, variant, Processor::Arm, quiet)
}

/// The same for either kind of core.
pub fn build_with(
    workspace: &Workspace,
    toolchain: &Toolchain,
    variant: Variant<'_>,
    processor: Processor,
    quiet: bool,
) -> Result<Built, String> {
    build_with_page(workspace, toolchain, variant, processor, None, quiet)
}

/// The same, with the bytes that the stock firmware shows as CONFIGURE.HTM.
pub fn build_with_page(
    workspace: &Workspace,
    toolchain: &Toolchain,
    variant: Variant<'_>,
    processor: Processor,
    page: Option<&Path>,
    quiet: bool,
) -> Result<Built, String> {
    let Variant { binary, manifest, name } = variant;
    if name.is_empty() || !name.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.')) {
        return Err(format!("`{name}` is not a valid file name: use letters, digits, `-`, `_` and `.`"));
    }
    let mut cargo = toolchain.cargo(&workspace.root);
    cargo.args(["build", "--package", "picovd", "--bin", binary, "--profile", PROFILE]);
    let stock = workspace.root.join("picovd.toml");
    // A manifest with DEFMT.BIN needs its logger.
    let features = if wants_defmt(manifest.unwrap_or(&stock))? { "firmware,defmt" } else { "firmware" };
    cargo.args(["--features", features]);
    cargo.args(toolchain.arguments_for(processor));
    cargo.args(reproducible(workspace, toolchain, processor)?);
    cargo.env("CARGO_TARGET_DIR", &workspace.target);
    // Replaces picovd.toml in build.rs, which runs in the package's folder.
    match manifest {
        Some(path) => {
            let path = path.canonicalize().map_err(|e| format!("{}: {e}", path.display()))?;
            cargo.env("PICOVD_MANIFEST", path);
        }
        None => {
            cargo.env_remove("PICOVD_MANIFEST");
        }
    }
    match page {
        Some(path) => {
            let path = path.canonicalize().map_err(|e| format!("{}: {e}", path.display()))?;
            cargo.env("PICOVD_PAGE", path);
        }
        None => {
            cargo.env_remove("PICOVD_PAGE");
        }
    }
    // Flags from the environment would replace those above.
    for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_RUSTFLAGS"] {
        cargo.env_remove(name);
    }
    if quiet {
        command::run(&mut cargo, LONG)?;
    } else {
        command::show(&mut cargo, LONG)?;
    }
    let made = workspace.target.join(processor.target()).join(PROFILE).join(binary);
    let folder = workspace.firmware_folder();
    fs::create_dir_all(&folder).map_err(|e| format!("cannot make {}: {e}", folder.display()))?;
    let built = Built { elf: folder.join(format!("{name}.elf")), uf2: folder.join(format!("{name}.uf2")) };
    fs::copy(&made, &built.elf).map_err(|e| format!("cannot copy {}: {e}", made.display()))?;
    write_uf2(&Elf::read(&built.elf)?, &built.uf2)?;
    Ok(built)
}

/// Whether a manifest has `[log] defmt = true`. The build reports anything else that is wrong with it.
fn wants_defmt(manifest: &Path) -> Result<bool, String> {
    let text = fs::read_to_string(manifest).map_err(|e| format!("{}: {e}", manifest.display()))?;
    let value = text.parse::<toml::Table>().unwrap_or_default();
    Ok(value.get("log").and_then(|log| log.get("defmt")).and_then(toml::Value::as_bool).unwrap_or_default())
}

/// Builds the tool that runs from SRAM and shows the flash of any board: `target/firmware/picovd-tool.elf` and its UF2.
pub fn build_tool(workspace: &Workspace, toolchain: &Toolchain, quiet: bool) -> Result<Built, String> {
    let manifest = workspace.root.join("examples/picovd-tool.toml");
    let variant = Variant { binary: BINARY, manifest: Some(&manifest), name: "picovd-tool" };
    build_variant(workspace, toolchain, variant, quiet)
}

/// Builds a package of tests/ for the chip, and writes `target/firmware/NAME.elf`.
pub fn test_program(workspace: &Workspace, toolchain: &Toolchain, package: &str) -> Result<PathBuf, String> {
    test_variant(workspace, toolchain, Variant { binary: package, manifest: None, name: package })
}

/// The same with a manifest that replaces its own.
pub fn test_variant(workspace: &Workspace, toolchain: &Toolchain, variant: Variant<'_>) -> Result<PathBuf, String> {
    test_variant_with(workspace, toolchain, variant, &[])
}

/// The same with features of the package.
pub fn test_variant_with(
    workspace: &Workspace,
    toolchain: &Toolchain,
    variant: Variant<'_>,
    features: &[&str],
) -> Result<PathBuf, String> {
    let Variant { binary: package, manifest, name } = variant;
    let mut cargo = toolchain.cargo(&workspace.root);
    cargo.arg("build");
    for feature in features {
        cargo.args(["--features", feature]);
    }
    cargo.args(["--package", package, "--profile", PROFILE]).args(toolchain.arguments());
    // defmt's own variable, read at compile time: without it, only errors are logged.
    cargo.env("CARGO_TARGET_DIR", &workspace.target).env("DEFMT_LOG", "trace");
    // Replaces picovd.toml in its build.rs.
    match manifest {
        Some(path) => cargo.env("PICOVD_TEST_MANIFEST", path),
        None => cargo.env_remove("PICOVD_TEST_MANIFEST"),
    };
    command::run(&mut cargo, LONG)?;
    let made = workspace.target.join(TARGET).join(PROFILE).join(package);
    let folder = workspace.firmware_folder();
    fs::create_dir_all(&folder).map_err(|e| format!("cannot make {}: {e}", folder.display()))?;
    let elf = folder.join(format!("{name}.elf"));
    fs::copy(&made, &elf).map_err(|e| format!("cannot copy {}: {e}", made.display()))?;
    Ok(elf)
}

/// Compiles a package of tests/ for the chip with one of its mistakes, and checks that the compiler refuses it with these words.
pub fn refused(
    workspace: &Workspace,
    toolchain: &Toolchain,
    package: &str,
    mistake: &str,
    words: &str,
) -> Result<(), String> {
    let mut cargo = toolchain.cargo(&workspace.root);
    cargo.args(["rustc", "--package", package, "--profile", PROFILE]).args(toolchain.arguments());
    cargo.env("CARGO_TARGET_DIR", &workspace.target).env("DEFMT_LOG", "trace").env_remove("PICOVD_TEST_MANIFEST");
    cargo.args(["--", "--emit=metadata", "--cfg", &format!("mistake=\"{mistake}\"")]);
    let finished = command::finish(&mut cargo, LONG)?;
    if finished.status.success() {
        return Err(format!("{mistake}: it compiles"));
    }
    let text = finished.both();
    if text.contains(words) { Ok(()) } else { Err(format!("{mistake}: {words:?} is not in\n{text}")) }
}

/// Builds the application with secrets, with its own optimization level for it and the library, and writes
/// `target/firmware/secrets-LEVEL-FEATURES.elf`.
pub fn secrets_program(
    workspace: &Workspace,
    toolchain: &Toolchain,
    level: &str,
    features: &[&str],
) -> Result<PathBuf, String> {
    const PACKAGE: &str = "picovd-secrets-board";
    let mut cargo = toolchain.cargo(&workspace.root);
    cargo.args(["build", "--package", PACKAGE, "--profile", PROFILE]).args(toolchain.arguments());
    // Numbers are numbers in TOML, the other levels are texts.
    let value = if level.parse::<u8>().is_ok() { level.to_owned() } else { toml_string(level) };
    for package in ["picovd", PACKAGE] {
        cargo.arg("--config").arg(format!("profile.{PROFILE}.package.{package}.opt-level={value}"));
    }
    // defmt's own variable: without it, only errors are logged.
    cargo
        .args(["--features", &features.join(",")])
        .env("DEFMT_LOG", "trace")
        .env("CARGO_TARGET_DIR", &workspace.target);
    command::run(&mut cargo, LONG)?;
    let made = workspace.target.join(TARGET).join(PROFILE).join(PACKAGE);
    let folder = workspace.firmware_folder();
    fs::create_dir_all(&folder).map_err(|e| format!("cannot make {}: {e}", folder.display()))?;
    let elf = folder.join(format!("{}.elf", [&["secrets", level], features].concat().join("-")));
    fs::copy(&made, &elf).map_err(|e| format!("cannot copy {}: {e}", made.display()))?;
    Ok(elf)
}

/// Writes the file to be flashed.
pub fn write_uf2(program: &Elf, file: &Path) -> Result<(), String> {
    fs::write(file, uf2::write(program.family, &program.segments)?)
        .map_err(|e| format!("cannot write {}: {e}", file.display()))
}

/// Cargo's arguments that keep this machine's folders out of the binaries: the paths of the sources, the downloaded crates,
/// the standard library and the generated files differ from folder to folder and from user to user.
fn reproducible(workspace: &Workspace, toolchain: &Toolchain, processor: Processor) -> Result<Vec<OsString>, String> {
    without_folders(workspace, toolchain, processor.target())
}

/// The same for any target.
pub fn without_folders(workspace: &Workspace, toolchain: &Toolchain, target: &str) -> Result<Vec<OsString>, String> {
    let mut flags = Vec::new();
    // The last matching prefix wins: the target folder is usually below the root.
    for (from, to) in [
        (workspace.root.clone(), "/picovd"),
        (workspace.target.clone(), "/picovd/target"),
        (cargo_home()?.join("registry/src"), "/crates"),
        (toolchain.library_source()?, "/rust"),
    ] {
        flags.push(toml_string(&format!("--remap-path-prefix={}={to}", from.display())));
    }
    Ok(vec!["--config".into(), format!("target.{target}.rustflags=[{}]", flags.join(",")).into()])
}

fn cargo_home() -> Result<PathBuf, String> {
    match env::var_os("CARGO_HOME") {
        Some(home) => Ok(PathBuf::from(home)),
        None => env::home_dir().map(|home| home.join(".cargo")).ok_or_else(|| "no home folder".to_owned()),
    }
}

/// The last line of a build.
pub fn summary(elf: &Elf) -> String {
    let [text, rodata, data, bss] = [Kind::Text, Kind::Rodata, Kind::Data, Kind::Bss].map(|kind| elf.total(kind));
    format!("text {text}, rodata {rodata}, data {data}, bss {bss} bytes (flash {})", text + rodata + data)
}

/// The files that build.rs has written for the chip, by name: those in OUT_DIR below the given target folder.
///
/// There is one folder for each set of options that the package was ever built with; the newest is the last build's. Only
/// one with a memory.x counts, which only builds for the chip have.
pub fn generated(workspace: &Workspace) -> Result<BTreeMap<String, Vec<u8>>, String> {
    let folder = workspace.target.join(TARGET).join(PROFILE).join("build");
    let bad = |e: std::io::Error| format!("{}: {e}", folder.display());
    let mut found: Vec<(SystemTime, PathBuf)> = Vec::new();
    for entry in fs::read_dir(&folder).map_err(bad)?.flatten() {
        let out = entry.path().join("out");
        // Packages of tests/ are called picovd-NAME, and a number follows.
        let ours = entry.file_name().to_string_lossy().strip_prefix("picovd-").is_some_and(|rest| !rest.contains('-'));
        if let (true, Ok(time)) = (ours, fs::metadata(out.join("memory.x")).and_then(|data| data.modified())) {
            found.push((time, out));
        }
    }
    let (_, out) = found.into_iter().max().ok_or_else(|| format!("{} contains no memory.x", folder.display()))?;
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(&out).map_err(bad)?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        files.insert(name, fs::read(entry.path()).map_err(bad)?);
    }
    Ok(files)
}

/// Copies the project's files, without build output, to another folder.
///
/// In a git repository, these are the files that git tracks or would track; otherwise everything except the target folder.
pub fn copy_sources(workspace: &Workspace, to: &Path) -> Result<(), String> {
    let mut git = Command::new("git");
    git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]).current_dir(&workspace.root);
    let names: Vec<PathBuf> = match command::run(&mut git, command::SHORT) {
        Ok(finished) => finished.text().split('\0').filter(|name| !name.is_empty()).map(PathBuf::from).collect(),
        Err(_) => walk(workspace)?,
    };
    for name in names {
        let (source, copy) = (workspace.root.join(&name), to.join(&name));
        if !source.is_file() {
            continue; // Deleted and not yet committed.
        }
        let parent = copy.parent().unwrap_or(to);
        fs::create_dir_all(parent).map_err(|e| format!("cannot make {}: {e}", parent.display()))?;
        fs::copy(&source, &copy).map_err(|e| format!("cannot copy {}: {e}", source.display()))?;
    }
    Ok(())
}

fn walk(workspace: &Workspace) -> Result<Vec<PathBuf>, String> {
    let mut names = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let full = workspace.root.join(&folder);
        for entry in fs::read_dir(&full).map_err(|e| format!("{}: {e}", full.display()))?.flatten() {
            let name = folder.join(entry.file_name());
            if entry.path() == workspace.target || name == Path::new("target") {
                continue;
            }
            if entry.path().is_dir() {
                folders.push(name);
            } else {
                names.push(name);
            }
        }
    }
    Ok(names)
}
