//! The checker catches what it says it does: a good volume has no findings, and each rule has a defect that brings up exactly
//! this rule.

#[path = "defects/image.rs"]
mod image;
#[path = "defects/table.rs"]
mod table;

use std::collections::BTreeSet;

use image::Image;
use picovd_property::Cases;
use picovd_sim::host::exfat::check::{Check, check};
use proptest::prelude::*;
use table::DEFECTS;

#[test]
fn a_good_volume_has_no_findings() {
    let findings = check(&mut Image::good().bytes).expect("memory can be read");
    assert!(findings.is_empty(), "{findings:#?}");
}

#[test]
fn each_defect_brings_up_exactly_its_rule() {
    let good = Image::good();
    let mut wrong = Vec::new();
    for (expected, plant) in DEFECTS {
        let mut image = good.clone();
        plant(&mut image);
        assert_ne!(image.bytes, good.bytes, "the defect for {expected:?} changes nothing");
        let findings = check(&mut image.bytes).expect("memory can be read");
        let found: BTreeSet<Check> = findings.iter().map(|finding| finding.check).collect();
        if found != BTreeSet::from([*expected]) {
            wrong.push(format!("{expected:?}: {findings:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_rule_has_a_defect() {
    let planted: BTreeSet<Check> = DEFECTS.iter().map(|(check, _)| *check).collect();
    let missing: Vec<_> = Check::ALL.iter().filter(|check| !planted.contains(check)).collect();
    assert!(missing.is_empty(), "no defect for {missing:?}");
}

/// Damage of any kind ends in findings or nothing, never in a panic.
#[test]
fn random_damage_does_not_stop_the_checker() {
    let good = Image::good();
    // The boot regions, the FAT, and the clusters of bitmap and directories.
    let damage = (0..60 * 512_usize, any::<u8>(), any::<bool>());
    Cases { count: 2_000, seed: 5 }.check(prop::collection::vec(damage, 1..=4), |damages| {
        let mut image = good.clone();
        for (at, byte, fixed) in damages {
            image.bytes[at] = byte;
            if fixed {
                image.fix_boot_checksums();
            }
        }
        check(&mut image.bytes).expect("memory can be read");
        let _ = picovd_sim::host::exfat::Volume::open(&mut image.bytes).map(|mut volume| {
            let root = volume.root();
            volume.list(&root).map(|nodes| nodes.iter().map(|node| volume.read_file(node).is_ok()).count())
        });
    });
}
