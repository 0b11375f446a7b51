//! What the guest consists of: Debian packages, downloaded once, unpacked in the cache outside of the tree, never
//! installed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::archive::Archive;
use crate::command::{self, LONG, SHORT};
use crate::setup::{self, Policy};
use crate::workspace::{cache_folder, cache_lock};
use picovd_host::printed::Printed;

/// Packages in addition to the kernel.
const PACKAGES: [&str; 7] =
    ["busybox-static", "libc6", "libudev1", "libsgutils2-1.46-2", "sg3-utils", "usbip", "grub-pc-bin"];
/// Drivers that the guest loads, with their dependencies.
const DRIVERS: [&str; 12] = [
    "xhci-pci",
    "usb-storage",
    "sd_mod",
    "sg",
    "exfat",
    "nls_utf8",
    "cdc-acm",
    "e1000",
    "vhci-hcd",
    "usbhid",
    "hid-generic",
    "snd-usb-audio",
];
/// Programs and their libraries, by file name, and their paths in the guest.
const PROGRAMS: [(&str, &str); 9] = [
    ("busybox", "bin/busybox"),
    ("sg_reset", "usr/bin/sg_reset"),
    ("sg_inq", "usr/bin/sg_inq"),
    ("sg_start", "usr/bin/sg_start"),
    ("usbip", "usr/sbin/usbip"),
    ("ld-linux-x86-64.so.2", "lib64/ld-linux-x86-64.so.2"),
    ("libc.so.6", "lib/x86_64-linux-gnu/libc.so.6"),
    ("libudev.so.1", "lib/x86_64-linux-gnu/libudev.so.1"),
    ("libsgutils2-1.46.so.2", "lib/x86_64-linux-gnu/libsgutils2-1.46.so.2"),
];

/// The unpacked packages.
pub struct Packages {
    root: PathBuf,
    /// The decompressed kernel, an ELF.
    pub kernel: PathBuf,
    /// The kernel's version.
    pub version: String,
}

impl Packages {
    /// Finds them in the cache, or downloads and unpacks them if the policy allows it.
    pub fn get(policy: Policy) -> Result<Self, String> {
        let folder = cache_folder()?.join("guest");
        let _lock = cache_lock("guest")?;
        let root = folder.join("root");
        let done = folder.join("complete");
        if fs::read_to_string(&done).ok().as_deref() != Some(&*PACKAGES.join(" ")) {
            if policy == Policy::Refuse {
                return Err(format!(
                    "missing in {}: a kernel and programs for the virtual machine; run: cargo xtask setup --ring 6",
                    folder.display()
                ));
            }
            // What an interrupted run has left is unusable.
            if folder.exists() {
                fs::remove_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
            }
            fs::create_dir_all(&root).map_err(|e| format!("{}: {e}", root.display()))?;
            download(&folder)?;
            unpack(&folder, &root)?;
            fs::write(&done, PACKAGES.join(" ")).map_err(|e| format!("{}: {e}", done.display()))?;
        }
        let modules = root.join("lib/modules");
        let version = entries(&modules)?
            .into_iter()
            .find_map(|path| Some(path.file_name()?.to_str()?.to_owned()))
            .ok_or_else(|| format!("{} is empty", modules.display()))?;
        let kernel = folder.join("vmlinux");
        if !kernel.exists() {
            decompress(&root.join(format!("boot/vmlinuz-{version}")), &kernel)?;
        }
        Ok(Self { root, kernel, version })
    }

    /// The initial file system with `init` as its first process.
    pub fn initial_file_system(&self, init: &Path) -> Result<Vec<u8>, String> {
        let mut archive = Archive::default();
        archive.file("init", &read(init)?);
        for (name, place) in PROGRAMS {
            archive.file(place, &read(&self.program(name)?)?);
        }
        self.add_modules(&mut archive)?;
        Ok(archive.finish())
    }

    /// Adds the drivers, and busybox, whose `insmod` loads them.
    pub fn add_drivers(&self, archive: &mut Archive) -> Result<(), String> {
        archive.file("bin/busybox", &read(&self.program("busybox")?)?);
        self.add_modules(archive)
    }

    fn add_modules(&self, archive: &mut Archive) -> Result<(), String> {
        for (index, path) in self.modules()?.iter().enumerate() {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            archive.file(&format!("modules/{index:02}-{}", name.trim_end_matches(".xz")), &module(path)?);
        }
        Ok(())
    }

    /// GRUB's folder for PCs with a BIOS.
    pub fn grub(&self) -> PathBuf {
        self.root.join("usr/lib/grub/i386-pc")
    }

    fn program(&self, name: &str) -> Result<PathBuf, String> {
        ["bin", "usr/bin", "usr/sbin", "lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu"]
            .iter()
            .map(|folder| self.root.join(folder).join(name))
            .find(|path| path.exists())
            .ok_or_else(|| format!("the downloaded packages do not contain {name}"))
    }

    /// The files of the drivers, each after its dependencies (its own `depends=`, see modinfo(8)).
    fn modules(&self) -> Result<Vec<PathBuf>, String> {
        let folder = self.root.join("lib/modules").join(&self.version);
        let mut files = BTreeMap::new();
        collect(&folder.join("kernel"), &mut files)?;
        // These are part of the kernel itself.
        let built_in = fs::read_to_string(folder.join("modules.builtin")).unwrap_or_default();
        let built_in: Vec<String> =
            built_in.lines().map(|line| module_name(line.rsplit('/').next().unwrap_or(line))).collect();
        let mut order = Vec::new();
        // The CRC drivers are requested at run time and not listed as dependencies.
        for driver in DRIVERS {
            visit(&module_name(driver), &files, &built_in, &mut order)?;
        }
        Ok(order)
    }
}

fn visit(
    name: &str,
    files: &BTreeMap<String, PathBuf>,
    built_in: &[String],
    order: &mut Vec<PathBuf>,
) -> Result<(), String> {
    let Some(path) = files.get(name) else {
        return if built_in.iter().any(|known| known == name) {
            Ok(())
        } else {
            Err(format!("the kernel package has no driver {}", Printed(name)))
        };
    };
    if order.contains(path) {
        return Ok(());
    }
    for needed in depends(&module(path)?) {
        visit(&needed, files, built_in, order)?;
    }
    order.push(path.clone());
    Ok(())
}

/// The modules that a module's information section names.
fn depends(bytes: &[u8]) -> Vec<String> {
    const KEY: &[u8] = b"\0depends=";
    let Some(at) = bytes.windows(KEY.len()).position(|window| window == KEY) else { return Vec::new() };
    let value: Vec<u8> = bytes.iter().skip(at + KEY.len()).take_while(|&&byte| byte != 0).copied().collect();
    let value = String::from_utf8_lossy(&value).into_owned();
    value.split(',').filter(|name| !name.is_empty()).map(module_name).collect()
}

/// A module's file name without its suffix; to the kernel, dashes and underscores are the same.
fn module_name(file: &str) -> String {
    file.split('.').next().unwrap_or(file).replace('-', "_")
}

fn module(path: &Path) -> Result<Vec<u8>, String> {
    if path.extension().is_some_and(|extension| extension == "xz") {
        return Ok(command::run(Command::new("xz").arg("-dc").arg(path), SHORT)?.stdout);
    }
    read(path)
}

pub(super) fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|e| format!("{}: {e}", path.display()))
}

pub(super) fn entries(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let fail = |e: std::io::Error| format!("{}: {e}", folder.display());
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .map_err(fail)?
        .map(|entry| entry.map(|e| e.path()))
        .collect::<Result<_, _>>()
        .map_err(fail)?;
    paths.sort();
    Ok(paths)
}

fn collect(folder: &Path, files: &mut BTreeMap<String, PathBuf>) -> Result<(), String> {
    for path in entries(folder)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            collect(&path, files)?;
        } else if name.ends_with(".ko") || name.ends_with(".ko.xz") {
            files.insert(module_name(&name), path);
        }
    }
    Ok(())
}

fn download(folder: &Path) -> Result<(), String> {
    // linux-image-amd64 is empty and depends on the current kernel.
    let kernel = || -> Result<String, String> {
        let text = command::run(Command::new("apt-cache").args(["depends", "linux-image-amd64"]), SHORT)?.text();
        text.lines()
            .filter_map(|line| line.split_once("Depends: "))
            .map(|(_, name)| name.trim().to_owned())
            .find(|name| name.starts_with("linux-image-"))
            .ok_or_else(|| "apt finds no kernel; try `apt-get update`".to_owned())
    };
    if command::which("apt-get").is_none() {
        return Err(
            "this is not a Debian system: there is no apt-get to download the virtual machine's packages".to_owned()
        );
    }
    let fetch = || -> Result<(), String> {
        let kernel = kernel()?;
        println!("downloading Debian packages into {}, nothing of them is installed:", folder.display());
        println!("    {} {}", Printed(&kernel), PACKAGES.join(" "));
        let mut apt = Command::new("apt-get");
        apt.current_dir(folder).args(["download", "-q", &kernel]).args(PACKAGES);
        command::run(&mut apt, LONG).map(|_| ())
    };
    // Old lists name packages that the servers no longer have: try again with new lists.
    fetch().or_else(|_| {
        setup::update()?;
        fetch()
    })
}

/// Unpacks the packages of a folder, and deletes them.
pub(super) fn unpack(folder: &Path, root: &Path) -> Result<(), String> {
    for path in entries(folder)?.iter().filter(|path| path.extension().is_some_and(|extension| extension == "deb")) {
        command::run(Command::new("dpkg").arg("-x").arg(path).arg(root), LONG)?;
        fs::remove_file(path).map_err(|e| format!("{}: {e}", path.display()))?;
    }
    Ok(())
}

/// Extracts the ELF file from a bzImage once here, because software emulation would need seconds for that each time. The
/// boot protocol (Documentation/arch/x86/boot.rst) says where the compressed kernel is.
fn decompress(image: &Path, kernel: &Path) -> Result<(), String> {
    let bytes = read(image)?;
    let malformed = || format!("{} is not a kernel image of a known format", image.display());
    let field =
        |at: usize| -> Option<usize> { Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk::<4>()?) as usize) };
    let sectors = match bytes.get(0x1F1) {
        Some(0) => 4,
        Some(&sectors) => usize::from(sectors),
        None => return Err(malformed()),
    };
    let start = (sectors + 1) * 512 + field(0x248).ok_or_else(malformed)?;
    let length = field(0x24C).ok_or_else(malformed)?;
    // The last four bytes are the length of the decompressed kernel.
    let payload = length.checked_sub(4).and_then(|length| bytes.get(start..start + length)).ok_or_else(malformed)?;
    let program = match payload {
        [0xFD, b'7', b'z', ..] => "xz",
        [0x1F, 0x8B, ..] => "gzip",
        [0x28, 0xB5, 0x2F, 0xFD, ..] => "zstd",
        _ => return Err(malformed()),
    };
    let packed = kernel.with_extension("packed");
    fs::write(&packed, payload).map_err(|e| format!("{}: {e}", packed.display()))?;
    let input = fs::File::open(&packed).map_err(|e| format!("{}: {e}", packed.display()))?;
    let mut child = Command::new(program)
        .arg("-dc")
        .stdin(Stdio::from(input))
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| format!("{program}: {e}"))?;
    let mut unpacked = Vec::new();
    if let Some(mut stdout) = child.stdout.take() {
        std::io::Read::read_to_end(&mut stdout, &mut unpacked).map_err(|e| format!("{program}: {e}"))?;
    }
    let status = child.wait().map_err(|e| format!("{program}: {e}"))?;
    if !status.success() || !unpacked.starts_with(b"\x7FELF") {
        return Err(format!("`{program} -dc` of the kernel: {status}, {} bytes", unpacked.len()));
    }
    fs::remove_file(&packed).map_err(|e| format!("{}: {e}", packed.display()))?;
    // In one step, so that an interrupted run does not leave part of a kernel.
    let part = kernel.with_extension("part");
    fs::write(&part, unpacked)
        .and_then(|()| fs::rename(&part, kernel))
        .map_err(|e| format!("{}: {e}", kernel.display()))
}

#[cfg(test)]
mod tests {
    use super::{depends, module_name};

    #[test]
    fn dependencies_are_read_from_a_module() {
        assert_eq!(depends(b"\x7FELF..\0license=GPL\0depends=usb-common,scsi_mod\0x"), ["usb_common", "scsi_mod"]);
        assert!(depends(b"\0depends=\0retpoline=Y\0").is_empty());
        assert_eq!(module_name("xhci-pci.ko.xz"), "xhci_pci");
    }
}
