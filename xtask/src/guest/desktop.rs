//! The heavier guest: systemd, D-Bus, udev, udisks, and udiskie, which mounts what udisks finds, like desktops.
//!
//! Its Debian packages are downloaded and unpacked like those of the small guest, into the cache outside of the tree. They
//! are never configured: what their scripts would create, and the tests need, is written here. The result is the kernel's
//! initial file system, so no disk image is needed, nor root on this side.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::archive::{Archive, DIRECTORY, FILE, PROGRAM};
use super::packages::{self, Packages};
use crate::command::{self, LONG};
use crate::setup::{self, Policy};
use crate::workspace::{cache_folder, cache_lock};

/// The requested packages; apt adds their dependencies.
const PACKAGES: [&str; 8] = ["systemd-sysv", "udev", "dbus", "udisks2", "udiskie", "bash", "coreutils", "mount"];

/// Folders that no test reads, with most of the bytes.
const LEFT_OUT: [&str; 11] = [
    "boot",
    "lib/udev/hwdb.d",
    "usr/lib/x86_64-linux-gnu/perl",
    "usr/share/doc",
    "usr/share/info",
    "usr/share/lintian",
    "usr/share/locale",
    "usr/share/man",
    "usr/share/perl",
    "usr/share/perl5",
    "usr/share/zsh",
];

/// What the packages' scripts create when they are installed, as far as it is needed here.
const CONFIGURED: [(&str, &str); 7] = [
    ("etc/passwd", "root:x:0:0:root:/root:/bin/bash\nmessagebus:x:100:101::/nonexistent:/usr/sbin/nologin\n"),
    ("etc/group", "root:x:0:\nmessagebus:x:101:\n"),
    ("etc/nsswitch.conf", "passwd: files\ngroup: files\n"),
    ("etc/hostname", "guest\n"),
    ("etc/machine-id", "0123456789abcdef0123456789abcdef\n"),
    ("etc/fstab", ""),
    ("etc/crypttab", ""),
];

/// Links that they create: libparted runs a shell, D-Bus's clients use /var/run.
const LINKS: [(&str, &str); 2] = [("bin/sh", "bash"), ("var/run", "/run")];

/// Memory of the guest in MiB: it contains the file system.
pub const MEMORY: u32 = 1024;

/// Where the guest mounts the stick, and a link to it that has the small guest's name.
pub const MOUNTED: &str = "/media/root/";

/// The unpacked packages as the kernel's archive.
pub struct Desktop {
    archive: PathBuf,
}

impl Desktop {
    /// Finds them in the cache, or downloads and unpacks them if the policy allows it.
    pub fn get(policy: Policy) -> Result<Self, String> {
        let folder = cache_folder()?.join("desktop");
        let _lock = cache_lock("desktop")?;
        let (archive, done) = (folder.join("packages.cpio"), folder.join("complete"));
        if fs::read_to_string(&done).ok().as_deref() != Some(&*PACKAGES.join(" ")) {
            if policy == Policy::Refuse {
                return Err(format!(
                    "missing in {}: the packages of the heavier guest; run: \
                     cargo xtask setup --ring 6 --long",
                    folder.display()
                ));
            }
            // What an interrupted run has left is unusable.
            if folder.exists() {
                fs::remove_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
            }
            let (debs, root) = (folder.join("archives"), folder.join("root"));
            for folder in [&debs.join("partial"), &root] {
                fs::create_dir_all(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
            }
            download(&folder, &debs)?;
            packages::unpack(&debs, &root)?;
            fs::write(&archive, pack(&root)?).map_err(|e| format!("{}: {e}", archive.display()))?;
            // A separate file system is not needed in addition to the archive.
            for folder in [&debs, &root] {
                fs::remove_dir_all(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
            }
            fs::write(&done, PACKAGES.join(" ")).map_err(|e| format!("{}: {e}", done.display()))?;
        }
        Ok(Self { archive })
    }

    /// The initial file system: the packages, the small guest's drivers and busybox, and the files of `folder`.
    pub fn initial_file_system(&self, small: &Packages, folder: &Path) -> Result<Vec<u8>, String> {
        let mut own = Archive::default();
        own.file("init", &packages::read(&folder.join("init"))?);
        own.file("console", &packages::read(&folder.join("console"))?);
        small.add_drivers(&mut own)?;
        for unit in ["console.service", "udiskie.service", "default.target"] {
            let text = packages::read(&folder.join(unit))?;
            own.entry(&format!("etc/systemd/system/{unit}"), FILE, &text);
        }
        // Concatenated archives are one file system.
        let mut bytes = packages::read(&self.archive)?;
        bytes.extend(own.finish());
        Ok(bytes)
    }
}

/// Downloads the packages and all their dependencies, as for an empty system.
fn download(folder: &Path, debs: &Path) -> Result<(), String> {
    if command::which("apt-get").is_none() {
        return Err("this is not a Debian system: there is no apt-get to download the guest's packages".to_owned());
    }
    let status = folder.join("status");
    fs::write(&status, "").map_err(|e| format!("{}: {e}", status.display()))?;
    println!("downloading Debian packages into {}, nothing of them is installed:", folder.display());
    println!("    {}, and what they need, some 50 MB", PACKAGES.join(" "));
    let fetch = || {
        let mut apt = Command::new("apt-get");
        for option in [
            format!("Dir::State::status={}", status.display()),
            format!("Dir::Cache::archives={}", debs.display()),
            "Dir::Cache::pkgcache=".to_owned(),
            "Dir::Cache::srcpkgcache=".to_owned(),
            "Debug::NoLocking=1".to_owned(),
            "APT::Sandbox::User=".to_owned(),
        ] {
            apt.arg("-o").arg(option);
        }
        apt.args(["install", "--download-only", "--no-install-recommends", "-y", "-q"]).args(PACKAGES);
        command::run(&mut apt, LONG).map(|_| ())
    };
    // Old lists name packages that the servers no longer have: try again with new lists.
    fetch().or_else(|_| {
        setup::update()?;
        fetch()
    })
}

/// The unpacked tree, with what the packages' scripts would have created, as an archive.
fn pack(root: &Path) -> Result<Vec<u8>, String> {
    let mut archive = Archive::default();
    // Folders of the packages that become links.
    add(&mut archive, root, "")?;
    for (path, text) in CONFIGURED {
        archive.entry(path, FILE, text.as_bytes());
    }
    for (path, target) in LINKS {
        archive.link(path, target);
    }
    Ok(archive.finish())
}

fn add(archive: &mut Archive, root: &Path, below: &str) -> Result<(), String> {
    for path in packages::entries(&root.join(below))? {
        let name =
            path.file_name().and_then(|name| name.to_str()).ok_or_else(|| format!("{}: a name", path.display()))?;
        let place = if below.is_empty() { name.to_owned() } else { format!("{below}/{name}") };
        if LEFT_OUT.contains(&&*place) || LINKS.iter().any(|(link, _)| *link == place) {
            continue;
        }
        let fail = |e: std::io::Error| format!("{}: {e}", path.display());
        let data = path.symlink_metadata().map_err(fail)?;
        let mode = data.permissions().mode() & 0o7777;
        if data.is_symlink() {
            let target = fs::read_link(&path).map_err(fail)?;
            archive.link(&place, &target.to_string_lossy());
        } else if data.is_dir() {
            archive.entry(&place, DIRECTORY & !0o7777 | mode, &[]);
            add(archive, root, &place)?;
        } else {
            archive.entry(&place, PROGRAM & !0o7777 | mode, &packages::read(&path)?);
        }
    }
    Ok(())
}
