//! Directories: the entries that the manifest encoded at build time, the board's label, the dynamic files, then
//! end-of-directory.

use super::dynamic_files::DynamicFiles;
use super::layout::Directory;
use picovd_exfat::ClusterIndex;
use picovd_exfat::entry::ENTRY_LENGTH;
use picovd_exfat::window;

/// Renders bytes of a directory of the manifest, from byte `start` of it on. `cluster` is its first cluster; `label` is at
/// the start of the root directory, and is only needed there.
pub(super) fn render(
    directory: &Directory<'_>,
    cluster: ClusterIndex,
    files: &mut impl DynamicFiles,
    label: Option<&[u8; ENTRY_LENGTH]>,
    start: u32,
    out: &mut [u8],
) {
    super::copy_padded(directory.entries, start, out);
    if let Some(label) = label {
        window::copy(start as usize, out, 0, label);
    }
    let first = directory.entries.len() as u32;
    let before = first.saturating_sub(start) as usize;
    if let Some(rest) = out.get_mut(before..).filter(|rest| !rest.is_empty()) {
        files.list(cluster, (start + before as u32) - first, rest);
    }
}
