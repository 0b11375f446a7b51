//! Compiled manifests that may contain anything, through the reader and the whole library: what is accepted can be shown. Nothing
//! panics, and nothing takes long.

use picovd::block::Lba;
use picovd::clock::Instant;
use picovd::dynamic::{FromRegistry, Registered};
use picovd::files::{Bytes, Program};
use picovd::settings;
use picovd::stick::{Description, Parts, Room};
use picovd::vd::{File, Files, FilesOf};
use picovd::volume::layout::stock::FILES;
use picovd::volume::layout::{Compiled, Layout};
use picovd::volume::{BoardIdentity, Volume};
use picovd_manifest::{compile, load_for_stock_firmware};
use picovd_property::Cases;
use picovd_sim::fuzz::{Anywhere, seal};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use std::cell::Cell;
use std::path::Path;

/// How many blocks are damaged.
const BLOCKS: u32 = 20_000;

/// The first word that the checksum covers.
const SUMMED: usize = 4;

/// Blocks of manifests that have all kinds of sections between them.
fn blocks() -> Vec<Vec<u32>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/manifests");
    ["full", "settings", "partition-table", "redactions", "flash", "deep", "../../picovd"]
        .map(|name| {
            let plan = load_for_stock_firmware(&folder.join(name).with_extension("toml"), None);
            compile(&plan.unwrap_or_else(|problems| panic!("{problems}"))).to_words()
        })
        .to_vec()
}

/// Shows what was accepted: some of every region, with dynamic files, and everything that the stick is described with.
fn show(compiled: Compiled<'_>) {
    let layout = Layout::of(compiled);
    let content = Bytes::new(b"contents");
    let (one, other) = (File::new("A.BIN", &content, 8), File::new("folder/B.BIN", &content, 4097));
    let files = FilesOf::<64>::new(&layout);
    let files: &Files<'_> = &files;
    let _ = (files.add(&one), files.add(&other));
    let volume = Volume::new(&layout, Some(BoardIdentity(7)), Anywhere).with_flash(1 << 20);
    let mut volume = volume.with_files(Registered::of(files));
    for generation in 0..2 {
        volume.begin_other_volume(Instant(generation));
        for region in layout.all_regions() {
            let last = region.first.0 + region.length.0 - 1;
            for first in [region.first.0, region.first.0 + region.length.0 / 2, last] {
                let mut blocks = [0; 1024];
                volume.read(Lba(first), 0, &mut blocks);
            }
        }
        let _ = files.update(&one);
    }
    let program = Program { name: "p", version: "1", build: "b" };
    let _ =
        Parts { program, log: None, defmt: None, settings: None, flash: None, page: None, sensor: None, origin: None }
            .check(&compiled, FILES);
}

/// What the page and the sensor show.
static CONTENT: Bytes<'static> = Bytes::new(b"contents");

/// Makes everything that a stick is described with. On a board it lives as long as the program, so here it is leaked.
fn describe(words: Vec<u32>) {
    let compiled = Compiled::read(Vec::leak(words)).expect("it was accepted");
    let room: &'static mut Room<'static, FILES> = Box::leak(Box::new(Room::new()));
    let settings: &'static settings::Room = Box::leak(Box::new(settings::Room::new()));
    let program = Program { name: "p", version: "1", build: "b" };
    let parts = Parts {
        program,
        log: None,
        defmt: None,
        settings: Some(settings),
        flash: Some(1 << 20),
        page: Some(&CONTENT),
        sensor: Some(&CONTENT),
        origin: None,
    };
    let Description { usb, unit, announcing, .. } = room.describe(compiled, &parts);
    assert!((2..=500).contains(&usb.max_power) && unit.vendor.len() <= 8, "{usb:?} {unit:?} {announcing:?}");
}

#[test]
#[cfg_attr(miri, ignore = "takes hours in Miri")]
fn what_is_accepted_can_be_shown() {
    let good = blocks();
    for block in &good {
        show(Compiled::read(block).expect("it is not damaged"));
    }
    let value = prop_oneof![any::<u32>(), 0..300_u32, (0..32_u32).prop_map(|bit| 1 << bit), Just(u32::MAX)];
    let change = (any::<Index>(), value, any::<bool>());
    let accepted = Cell::new(0);
    Cases { count: BLOCKS, seed: 0 }.check((0..good.len(), vec(change, 1..5)), |(which, changes)| {
        let mut words = good[which].clone();
        let length = (words[2] / 4) as usize;
        for (index, value, flips) in changes {
            let word = &mut words[SUMMED + index.index(length - SUMMED)];
            *word = if flips { *word ^ value } else { value };
        }
        seal(&mut words);
        if let Ok(compiled) = Compiled::read(&words) {
            accepted.set(accepted.get() + 1);
            show(compiled);
            if u32::is_multiple_of(accepted.get(), 16) {
                describe(words);
            }
        }
    });
    assert!(accepted.get() > BLOCKS / 20, "only {} of {BLOCKS} were shown", accepted.get());
}
