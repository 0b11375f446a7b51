//! Ring 2: whole images of volumes, judged by readers that others wrote.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::{Context, Ring, simulator};
use crate::command::{self, SHORT};
use crate::readers;
use crate::report::Report;
use crate::setup::Package;
use crate::truth::{Expected, Truth, compare, difference};

/// This ring.
pub const RING: Ring = Ring {
    number: 2,
    title: "whole images against fsck.exfat, exfat-fuse, The Sleuth Kit and GRUB",
    packages: &[
        EXFATPROGS,
        Package { name: "exfat-fuse", program: "mount.exfat-fuse", purpose: "ring 2: mounts volumes" },
        Package { name: "fuse3", program: "fusermount3", purpose: "ring 2: what exfat-fuse mounts by" },
        Package { name: "sleuthkit", program: "fls", purpose: "ring 2: reads volumes" },
        Package { name: "grub-common", program: "grub-fstest", purpose: "ring 2: reads volumes" },
        Package { name: "mount", program: "losetup", purpose: "ring 2: block devices of images" },
    ],
    chip: false,
    run,
};

/// fsck.exfat, mkfs.exfat and dump.exfat.
pub const EXFATPROGS: Package =
    Package { name: "exfatprogs", program: "fsck.exfat", purpose: "strict check of volumes" };

/// TableChecksum (exFAT 7.2.2) of the recommended up-case table.
const UPCASE_CHECKSUM: u32 = 0xE619_D30D;

fn run(context: &Context, report: &mut Report) {
    let workspace = &context.workspace;
    let Some(program) = report.check("the simulator builds", || simulator::build(workspace)) else { return };
    let Some(scratch) = report.check("a scratch folder is there", || workspace.scratch("ring2")) else { return };
    let Some(manifests) = report.check("the test manifests are there", || manifests(&workspace.root)) else { return };

    let mut stock = None;
    for (name, manifest) in &manifests {
        let image = scratch.join(format!("{name}.img"));
        let Some(truth) = report.check(&format!("{name}: the manifest says what to expect"), || Truth::read(manifest))
        else {
            continue;
        };
        let made = report.check(&format!("{name}: the volume is read through USB"), || {
            simulator::image(workspace, &program, manifest, &image)
        });
        if made.is_none() {
            continue;
        }
        let board = report.check(&format!("{name}: the host reads {} files right", truth.files.len()), || {
            let files = simulator::files(workspace, &program, manifest, &truth)?;
            for (path, expected) in &truth.files {
                if let (Expected::Bytes(expected), Some(seen)) = (expected, files.get(path)) {
                    difference(seen, expected).map_or(Ok(()), |what| Err(format!("{path}: {what}")))?;
                }
            }
            Ok(files)
        });
        let Some(board) = board else { continue };
        judge(report, name, &truth, &image, &scratch, &board);
        if name == "stock" {
            stock = Some((truth, image, board));
        }
    }
    let Some((truth, image, board)) = stock else { return };
    report.check("the up-case table is the one that mkfs.exfat writes, byte for byte", || {
        let (ours, checksum) = readers::upcase_table(&image)?;
        let (theirs, their_checksum) = readers::upcase_table(&readers::reference_volume(&scratch)?)?;
        difference(&ours, &theirs).map_or(Ok(()), Err)?;
        if (checksum, their_checksum) == (UPCASE_CHECKSUM, UPCASE_CHECKSUM) {
            Ok(())
        } else {
            Err(format!("checksums {checksum:08X} and {their_checksum:08X}"))
        }
    });
    planted(report, &truth, &image, &scratch, &board);
}

/// The stock manifest and those of tests/manifests, by name.
fn manifests(root: &Path) -> Result<Vec<(String, PathBuf)>, String> {
    let folder = root.join("tests/manifests");
    let mut found = vec![("stock".to_owned(), root.join("picovd.toml"))];
    for name in ["deep", "unicode", "long-names", "empty-files", "no-files"] {
        found.push((name.to_owned(), folder.join(format!("{name}.toml"))));
    }
    match found.iter().find(|(_, path)| !path.is_file()) {
        Some((_, path)) => Err(format!("{} is missing", path.display())),
        None => Ok(found),
    }
}

/// Lets every reader judge an image.
fn judge(
    report: &mut Report,
    name: &str,
    truth: &Truth,
    image: &Path,
    scratch: &Path,
    board: &BTreeMap<String, Vec<u8>>,
) {
    report.check(&format!("{name}: fsck.exfat finds it clean"), || readers::fsck(truth, image));
    report.check(&format!("{name}: exfat-fuse mounts it, every file is right"), || {
        compare(truth, &readers::fuse(image, scratch)?, board)
    });
    report.check(&format!("{name}: The Sleuth Kit reads every file right"), || {
        compare(truth, &readers::sleuth_kit(image)?, board)
    });
    report.check(&format!("{name}: GRUB reads every file right"), || {
        compare(truth, &readers::grub(truth, image)?, board)
    });
}

/// The judges judged: one changed byte of a file, and one free cluster marked as used, have to be noticed.
fn planted(report: &mut Report, truth: &Truth, image: &Path, scratch: &Path, board: &BTreeMap<String, Vec<u8>>) {
    let copy = scratch.join("planted.img");
    let spoilt = report.check("a planted wrong byte is put into a copy of the image", || {
        let mut disk = fs::read(image).map_err(|e| format!("{}: {e}", image.display()))?;
        let (path, bytes) = truth
            .files
            .iter()
            .filter_map(|(path, expected)| match expected {
                Expected::Bytes(bytes) if bytes.len() >= 64 => Some((path, bytes)),
                _ => None,
            })
            .max_by_key(|(_, bytes)| bytes.len())
            .ok_or("the stock manifest has no static file of 64 bytes")?;
        let at = disk.windows(bytes.len()).step_by(512).position(|window| window == bytes.as_slice());
        let at = at.ok_or_else(|| format!("{path} is nowhere in the image"))? * 512 + bytes.len() - 1;
        disk[at] ^= 1;
        fs::write(&copy, disk).map_err(|e| format!("{}: {e}", copy.display()))
    });
    if spoilt.is_some() {
        let noticed = |result: Result<(), String>| match result {
            Ok(()) => Err("it was not noticed".to_owned()),
            Err(_) => Ok(()),
        };
        report.check("exfat-fuse: the planted byte is noticed", || {
            noticed(compare(truth, &readers::fuse(&copy, scratch)?, board))
        });
        report.check("The Sleuth Kit: the planted byte is noticed", || {
            noticed(compare(truth, &readers::sleuth_kit(&copy)?, board))
        });
        report.check("GRUB: the planted byte is noticed", || {
            noticed(compare(truth, &readers::grub(truth, &copy)?, board))
        });
    }
    report.check("fsck.exfat: a name hash changed by one bit is noticed", || {
        let mut disk = fs::read(image).map_err(|e| format!("{}: {e}", image.display()))?;
        // The first Stream Extension entry (C0h behind a File entry 85h): its NameHash (exFAT 7.6.4) is under the set's
        // checksum as well.
        let at = (0..disk.len().saturating_sub(64)).step_by(32).find(|at| disk[*at] == 0x85 && disk[at + 32] == 0xC0);
        let at = at.ok_or("the image has no file entry")?;
        disk[at + 32 + 4] ^= 1;
        fs::write(&copy, disk).map_err(|e| format!("{}: {e}", copy.display()))?;
        // It has to complain of the volume, not of being called wrongly.
        match readers::fsck(truth, &copy) {
            Err(said) if said.contains("exfatprogs version") => Ok(()),
            other => Err(format!("it was not noticed: {other:?}")),
        }
    });
    report.check("dump.exfat reads the boot sector", || {
        let text = command::run(command::program("dump.exfat").arg(image), SHORT)?.text();
        if text.contains("Volume Length") { Ok(()) } else { Err(text) }
    });
}
