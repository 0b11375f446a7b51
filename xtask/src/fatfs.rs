//! ChaN's FatFs, the exFAT driver of many players: its sources, with a fixed version and hash, from a package that contains
//! them, stored in the cache outside of the tree and compiled with tests/fatfs, which reads everything in an image with it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::{self, LONG, SHORT};
use crate::setup::Policy;
use crate::workspace::{Workspace, cache_folder, cache_lock};

/// Our part, below the workspace's root.
const FOLDER: &str = "tests/fatfs";
/// The package's folder with the sources, and the files that are used.
const SOURCES: &str = "foreign/fatfs/source";
const USED: [&str; 4] = ["ff.c", "ff.h", "diskio.h", "ffunicode.c"];
/// The start of ff.c.
const VERSION: &str = "FatFs - Generic FAT Filesystem Module  R0.16 ";

/// Finds the sources, or downloads them if the policy allows it.
pub fn get(workspace: &Workspace, policy: Policy) -> Result<PathBuf, String> {
    let folder = cache_folder()?.join("fatfs");
    let _lock = cache_lock("fatfs")?;
    if is_there(&folder) {
        return Ok(folder);
    }
    let packed = folder.join("packed");
    let [mut environment, mut download] =
        steps(&folder.join("environment"), &workspace.root.join(FOLDER).join("requirements.txt"), &packed);
    if policy == Policy::Refuse {
        return Err("missing: the sources of FatFs; `cargo xtask test` without --no-install fetches them".to_owned());
    }
    println!("fetching into {}:", folder.display());
    println!("    the sources of FatFs R0.16, which fatfs-ng 0.1.16 carries  ring 2: reads volumes");
    fs::create_dir_all(&packed).map_err(|e| format!("{}: {e}", packed.display()))?;
    command::run(&mut environment, LONG)?;
    command::run(&mut download, LONG)?;
    let bad = |e: std::io::Error| format!("{}: {e}", packed.display());
    let archive = fs::read_dir(&packed).map_err(bad)?.next().ok_or("pip left no package")?.map_err(bad)?.path();
    let mut unpack = command::program("tar");
    unpack.arg("-xzf").arg(&archive).args(["--strip-components=1", "-C"]).arg(&folder);
    command::run(&mut unpack, SHORT)?;
    for name in USED {
        fs::copy(folder.join(SOURCES).join(name), folder.join(name)).map_err(|e| format!("{name} of FatFs: {e}"))?;
    }
    if is_there(&folder) { Ok(folder) } else { Err(format!("{} is not FatFs R0.16", archive.display())) }
}

/// Compiles the reader into `scratch` and returns it.
pub fn build(workspace: &Workspace, sources: &Path, scratch: &Path) -> Result<PathBuf, String> {
    let folder = scratch.join("fatfs");
    fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    // ff.h includes the ffconf.h next to it, and exFAT is disabled in the one of the package.
    let ours = workspace.root.join(FOLDER);
    let files =
        USED.map(|name| sources.join(name)).into_iter().chain(["ffconf.h", "reader.c"].map(|name| ours.join(name)));
    for file in files {
        let name = file.file_name().ok_or("a file has a name")?;
        fs::copy(&file, folder.join(name)).map_err(|e| format!("{}: {e}", file.display()))?;
    }
    let mut compiler = Command::new("gcc");
    compiler.current_dir(&folder).args(["-O1", "-o", "reader", "ff.c", "ffunicode.c", "reader.c"]);
    command::run(&mut compiler, LONG)?;
    Ok(folder.join("reader"))
}

/// The commands that create a Python environment and download the package with it, with a fixed version and hash.
fn steps(folder: &Path, requirements: &Path, packed: &Path) -> [Command; 2] {
    let mut environment = command::program("python3");
    environment.args(["-m", "venv", "--clear"]).arg(folder);
    let mut pip = Command::new(folder.join("bin/python3"));
    pip.args(["-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check", "--no-deps"]);
    pip.args(["--no-binary", "fatfs-ng", "--require-hashes", "-r"]).arg(requirements).arg("--dest").arg(packed);
    [environment, pip]
}

fn is_there(folder: &Path) -> bool {
    let source = fs::read_to_string(folder.join(USED[0])).unwrap_or_default();
    source.lines().nth(1).is_some_and(|line| line.contains(VERSION))
        && USED.iter().all(|name| folder.join(name).exists())
}
