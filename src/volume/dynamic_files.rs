//! What a volume requires of files that come and go while the device runs. Their implementation is unknown here.

use super::generation::Generation;
use picovd_exfat::ClusterIndex;

/// Files that come and go while the device runs. Within a generation they do not change.
pub trait DynamicFiles {
    /// Whether there may be any. If not, the linker removes their code.
    const PRESENT: bool;

    /// A generation begins. If hosts have not `seen` the previous one, any file may move.
    fn begin(&mut self, generation: Generation, seen: bool);

    /// Calls `found` with the first cluster, counted from the window's first, and the length in bytes of everything that
    /// takes clusters of the window.
    fn allocated(&self, found: impl FnMut(u32, u32));

    /// Length in bytes of the dynamic entries in the directory of the manifest that begins at a cluster.
    fn listed(&self, cluster: ClusterIndex) -> u32;

    /// Renders these entries, from byte `start` of them on. Bytes after the last one are left unchanged.
    fn list(&mut self, cluster: ClusterIndex, start: u32, out: &mut [u8]);

    /// Renders bytes of a cluster, counted from the window's first one, from byte `offset` of it on. Bytes that belong to no
    /// file are left unchanged. Returns false if the cluster is free.
    fn read(&mut self, cluster: u32, offset: u32, out: &mut [u8]) -> bool;
}

/// No dynamic files.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoFiles;

impl DynamicFiles for NoFiles {
    const PRESENT: bool = false;

    fn begin(&mut self, _: Generation, _: bool) {}

    fn allocated(&self, _: impl FnMut(u32, u32)) {}

    fn listed(&self, _: ClusterIndex) -> u32 {
        0
    }

    fn list(&mut self, _: ClusterIndex, _: u32, _: &mut [u8]) {}

    fn read(&mut self, _: u32, _: u32, _: &mut [u8]) -> bool {
        false
    }
}
