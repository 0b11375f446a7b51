//! Paths: the workspace's root and cargo's target folder.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// The folders that every task works in.
#[derive(Clone, Debug)]
pub struct Workspace {
    /// The folder of the workspace's Cargo.toml.
    pub root: PathBuf,
    /// Cargo's target folder.
    pub target: PathBuf,
}

impl Workspace {
    /// Finds the workspace that contains the current folder.
    pub fn find() -> Result<Self, String> {
        let here = env::current_dir().map_err(|e| format!("no current folder: {e}"))?;
        let root = here
            .ancestors()
            .find(|folder| fs::read_to_string(folder.join("Cargo.toml")).is_ok_and(|text| text.contains("[workspace]")))
            .ok_or_else(|| format!("{} is not inside the PicoVD workspace", here.display()))?;
        // Cargo's own variable for its target folder; a relative one is relative to the current folder, as in cargo.
        let target = match env::var_os("CARGO_TARGET_DIR") {
            Some(folder) => here.join(folder),
            None => root.join("target"),
        };
        Ok(Self { root: root.to_path_buf(), target })
    }

    /// A workspace elsewhere with the default target folder.
    pub fn at(root: &Path) -> Self {
        Self { root: root.to_path_buf(), target: root.join("target") }
    }

    /// The folder that firmware images are written to.
    pub fn firmware_folder(&self) -> PathBuf {
        self.target.join("firmware")
    }

    /// An empty scratch folder of the given name below the target folder.
    pub fn scratch(&self, name: &str) -> Result<PathBuf, String> {
        let folder = self.target.join("xtask").join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder).map_err(|e| format!("cannot empty {}: {e}", folder.display()))?;
        }
        fs::create_dir_all(&folder).map_err(|e| format!("cannot make {}: {e}", folder.display()))?;
        Ok(folder)
    }

    /// The oldest Rust that builds the project, from `rust-version` in Cargo.toml, as (major, minor).
    pub fn rust_version(&self) -> Result<(u32, u32), String> {
        let path = self.root.join("Cargo.toml");
        let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        let value: toml::Value = toml::from_str(&text).map_err(|e| format!("{}: {e}", path.display()))?;
        value
            .get("workspace")
            .and_then(|v| v.get("package"))
            .and_then(|v| v.get("rust-version"))
            .and_then(toml::Value::as_str)
            .and_then(version_pair)
            .ok_or_else(|| format!("{}: no workspace.package.rust-version", path.display()))
    }
}

/// The first two numbers of a version such as `1.96.0+dfsg1-1~deb12u2`.
pub fn version_pair(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// The cache outside of the tree, `$XDG_CACHE_HOME/picovd` or `~/.cache/picovd`: for downloads that should survive `cargo
/// clean` and be shared by clones.
pub fn cache_folder() -> Result<PathBuf, String> {
    let base = env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let base = match base {
        Some(base) => base,
        None => env::home_dir().ok_or("neither XDG_CACHE_HOME nor a home folder is set")?.join(".cache"),
    };
    let folder = base.join("picovd");
    fs::create_dir_all(&folder).map_err(|e| format!("cannot make {}: {e}", folder.display()))?;
    Ok(folder)
}

/// Waits until no other task uses a part of the cache. The part is free again when the file is dropped.
pub fn cache_lock(part: &str) -> Result<fs::File, String> {
    let path = cache_folder()?.join(format!("{part}.lock"));
    let file = fs::File::create(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    file.lock().map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::version_pair;

    #[test]
    fn versions_are_read() {
        assert_eq!(version_pair("1.96.0+dfsg1-1~deb12u2"), Some((1, 96)));
        assert_eq!(version_pair("1.95"), Some((1, 95)));
        assert_eq!(version_pair("stable"), None);
    }
}
