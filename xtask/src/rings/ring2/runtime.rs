//! Volumes with dynamic files: present, grown and changed, removed; among the manifest's files and in their own folders.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::command;
use crate::readers;
use crate::report::Report;
use crate::rings::{Context, harness};
use crate::truth::{Truth, compare};

/// The stages of which sim/tests/runtime_images.rs writes images.
const MOMENTS: [&str; 3] = ["present", "changed", "removed"];

/// Has the images written, and judged by every reader.
pub fn run(context: &Context, report: &mut Report, scratch: &Path, fatfs: &Path) {
    let folder = scratch.join("runtime");
    let made = report.check("a folder for images with dynamic files is there", || {
        fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))
    });
    if made.is_none() {
        return;
    }
    let mut cargo = command::cargo(&context.workspace.root);
    cargo.args(["test", "--package", "picovd-sim", "--test", "runtime_images"]);
    cargo.args(["--", "--ignored", "ring2::"]).arg(&folder);
    harness(report, "images of volumes with dynamic files are written", cargo);
    let nothing = BTreeMap::new();
    for moment in MOMENTS {
        let image = folder.join(format!("{moment}.img"));
        let mounts = scratch.join(format!("runtime-{moment}"));
        let what = format!("dynamic files, {moment}: what should be there is known");
        let Some(truth) = report.check(&what, || Truth::of_folder(&folder.join(moment))) else { continue };
        let says = |reader: &str| format!("dynamic files, {moment}: {reader}");
        report.check(&says("fsck.exfat finds it clean"), || readers::fsck(&truth, &image));
        report.check(&says("exfat-fuse mounts it, every file is right"), || {
            compare(&truth, &readers::fuse(&image, &mounts)?, &nothing)
        });
        report.check(&says("The Sleuth Kit reads every file right"), || {
            compare(&truth, &readers::sleuth_kit(&image, &mounts)?, &nothing)
        });
        report
            .check(&says("GRUB reads every file right"), || compare(&truth, &readers::grub(&truth, &image)?, &nothing));
        report.check(&says("FatFs reads every file right"), || {
            compare(&truth, &readers::fatfs(fatfs, &image)?, &nothing)
        });
    }
}
