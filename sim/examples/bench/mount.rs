//! What Linux reads of the stock volume, as ring 6 has seen and blessed it: tests/blessed/kernel-commands.txt.

use std::path::Path;

/// Sectors that Linux reads.
#[derive(Clone, Copy, Debug)]
pub struct Mount {
    /// From the moment that the disk is attached until nothing is asked any more.
    pub attach: u64,
    /// By the mount.
    pub mount: u64,
}

/// Reads the blessed text.
pub fn read(path: &Path) -> Result<Mount, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let sectors = |phase: &str| {
        let mut rows = text.lines().filter_map(|line| line.strip_prefix(phase));
        let sectors = rows.find_map(|rest| rest.split_whitespace().next()?.parse().ok());
        sectors.ok_or_else(|| format!("{} has no row `{phase}`", path.display()))
    };
    Ok(Mount { attach: sectors("attach ")?, mount: sectors("mount ")? })
}
