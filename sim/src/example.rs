//! A desktop with a small stick plugged in, for the examples in the library's documentation.

use crate::host::system::{LINUX_DESKTOP, System};
use crate::memory::Contents;
use crate::native::NativeDevice;
use crate::plug;
use picovd::vd::{Announcing, Files, Refresh, Timing};
use std::path::Path;
use std::time::Duration;

/// How hosts are notified of the stick's changes.
pub const ANNOUNCING: Announcing = Announcing {
    refresh: Refresh::Auto,
    timing: Timing::new(Duration::from_millis(500), Duration::from_secs(5), Duration::from_secs(10)),
};

/// Its manifest.
const MANIFEST: &str = "[dynamic]\nfiles = 4\nwindow = '256 KiB'\n";

/// Longer than a desktop takes to mount a change.
const LONG: Duration = Duration::from_secs(20);

/// The desktop.
pub struct Host {
    system: System<'static>,
    files: &'static Files<'static>,
}

impl Host {
    /// Plugs the stick in.
    ///
    /// # Panics
    /// If the stick cannot be mounted.
    #[must_use]
    pub fn new() -> Self {
        let manifest = picovd_manifest::read_text("picovd.toml", MANIFEST, Path::new(".")).expect("it is TOML");
        let plan = picovd_manifest::check(&manifest, None).and_then(|checked| picovd_manifest::plan(&checked));
        let mut board = plug::board(plan.expect("the manifest is right"), Contents::noise(1 << 16));
        board.announcing = ANNOUNCING;
        let device = NativeDevice::new(board);
        let files = device.files();
        let system = System::boot(LINUX_DESKTOP, Box::new(device)).expect("the stick is right");
        Self { system, files }
    }

    /// The dynamic files.
    #[must_use]
    pub fn files(&self) -> &'static Files<'static> {
        self.files
    }

    /// The bytes of a file, after all changes have been announced.
    ///
    /// # Panics
    /// If there is no such file.
    pub fn sees(&mut self, path: &str) -> Vec<u8> {
        self.system.elapse(LONG);
        self.system.read(path).expect("the file is there")
    }

    /// The names of all files, after all changes have been announced.
    ///
    /// # Panics
    /// If nothing is mounted.
    pub fn names(&mut self) -> Vec<String> {
        self.system.elapse(LONG);
        self.system.list("").expect("a volume is mounted").into_iter().map(|node| node.name).collect()
    }

    /// The time at which a file was changed, as it shows it.
    ///
    /// # Panics
    /// If there is no such file.
    pub fn modified(&mut self, path: &str) -> String {
        self.system.elapse(LONG);
        let nodes = self.system.list("").expect("a volume is mounted");
        let node = nodes.into_iter().find(|node| node.name == path).expect("the file is there");
        node.modified.to_string()
    }

    /// Ejects the medium.
    ///
    /// # Panics
    /// If the stick refuses.
    pub fn eject(&mut self) {
        self.system.eject().expect("the medium can be taken out");
    }

    /// Whether a volume is mounted, some time from now.
    pub fn is_mounted(&mut self) -> bool {
        self.system.elapse(LONG);
        self.system.is_mounted()
    }
}

impl Default for Host {
    fn default() -> Self {
        Self::new()
    }
}
