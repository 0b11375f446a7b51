//! The independent core that ring 5 compares with the simulator's: Python's wheel `unicorn`, with a fixed version and
//! hashes, in its own Python environment in the cache outside of the tree.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::{self, LONG, SHORT};
use crate::setup::Policy;
use crate::workspace::{Workspace, cache_folder, cache_lock};

/// Version and hashes in pip's format; below the workspace's root.
const REQUIREMENTS: &str = "sim/reference/requirements.txt";
const WHEEL: &str = "unicorn";

/// Finds the environment, or creates it if the policy allows it. Returns the folder of its `python3`.
pub fn get(workspace: &Workspace, policy: Policy) -> Result<PathBuf, String> {
    let requirements = workspace.root.join(REQUIREMENTS);
    let text = fs::read_to_string(&requirements).map_err(|e| format!("{}: {e}", requirements.display()))?;
    let version = pinned(&text).ok_or_else(|| format!("{} pins no {WHEEL}", requirements.display()))?;
    let folder = cache_folder()?.join("reference");
    let _lock = cache_lock("reference")?;
    let programs = folder.join("bin");
    if is_there(&programs, version) {
        return Ok(programs);
    }
    let [mut environment, mut install] = steps(&folder, &requirements);
    if policy == Policy::Refuse {
        return Err(format!(
            "missing: the Python wheel {WHEEL} {version}; run: {} && {}",
            command::line(&environment),
            command::line(&install)
        ));
    }
    println!("installing into {}:", folder.display());
    println!("    Python's wheel {WHEEL} {version}  an independent Cortex-M33 to hold the simulator's against");
    command::run(&mut environment, LONG)?;
    command::run(&mut install, LONG)?;
    if is_there(&programs, version) { Ok(programs) } else { Err(format!("{WHEEL} {version} cannot be imported")) }
}

/// The commands that recreate and fill the environment.
fn steps(folder: &Path, requirements: &Path) -> [Command; 2] {
    let mut environment = command::program("python3");
    environment.args(["-m", "venv", "--clear"]).arg(folder);
    let mut install = Command::new(folder.join("bin/python3"));
    install.args(["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"]);
    install.args(["--require-hashes", "--only-binary", ":all:", "-r"]).arg(requirements);
    [environment, install]
}

/// Whether the environment's Python has the wheel and can load it: another version, or an environment whose Python is gone,
/// does not count.
fn is_there(programs: &Path, version: &str) -> bool {
    let mut python = Command::new(programs.join("python3"));
    python.args(["-c", &format!("import {WHEEL}; print({WHEEL}.__version__)")]);
    command::run(&mut python, SHORT).is_ok_and(|finished| finished.text().trim() == version)
}

/// The version in the requirements.
fn pinned(requirements: &str) -> Option<&str> {
    let line = requirements.lines().find_map(|line| line.strip_prefix(WHEEL)?.strip_prefix("=="))?;
    line.split_whitespace().next()
}

#[cfg(test)]
mod tests {
    use super::{pinned, steps};
    use crate::command;
    use std::path::Path;

    #[test]
    fn the_version_is_pinned() {
        assert_eq!(pinned("# unicorn==1\nunicorn==2.1.4 \\\n    --hash=sha256:00\n"), Some("2.1.4"));
        assert_eq!(pinned("unicorn>=2\n"), None);
    }

    #[test]
    fn the_steps_can_be_pasted() {
        let [environment, install] = steps(Path::new("/c/reference"), Path::new("r.txt"));
        assert!(command::line(&environment).ends_with("python3 -m venv --clear /c/reference"));
        assert!(command::line(&install).starts_with("/c/reference/bin/python3 -m pip install "));
        assert!(command::line(&install).ends_with("--require-hashes --only-binary :all: -r r.txt"));
    }
}
