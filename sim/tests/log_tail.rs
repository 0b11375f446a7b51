//! STDOUT-TAIL.TXT as a desktop reads it that looks into each volume which it mounts: text and losses are all that was written,
//! however fast the program prints and however late the desktop looks.

use std::fs;
use std::path::Path;
use std::time::Duration;

use picovd_property::Cases;
use picovd_sim::host::bot::Data;
use picovd_sim::host::scsi::read_cdb;
use picovd_sim::host::system::{Event, LINUX_DESKTOP, System};
use picovd_sim::host::{Host, Initiator};
use picovd_sim::memory::Contents;
use picovd_sim::native::NativeDevice;
use picovd_sim::plug;
use proptest::collection::vec;
use proptest::prelude::*;

fn device(ring: &str) -> NativeDevice {
    let text = format!(
        "[log]\nstdout = false\ntail = true\nring-size = \"{ring}\"\n\
         [dynamic]\nquiet = \"300 ms\"\nhold = \"2 s\"\nmax-age = \"2 s\"\n"
    );
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("log-tail-{ring}.toml"));
    fs::write(&path, text).expect("the target folder is ours");
    let plan = plug::plan(Some(&path)).unwrap_or_else(|problems| panic!("{problems}"));
    let contents = Contents::noise(plan.chip.flash_size as usize);
    NativeDevice::new(plug::board(plan, contents))
}

/// Text, bytes said to be lost, and NULs of a file.
fn count(file: &[u8]) -> (u64, u64, u64) {
    let line = file.get(..32).filter(|line| line.starts_with(b"[0") && line.ends_with(b" bytes lost]  \r\n"));
    let said = line.map_or(0, |line| String::from_utf8_lossy(&line[1..16]).parse().expect("a number"));
    let text = &file[line.map_or(0, <[u8]>::len)..];
    let nul = text.iter().filter(|byte| **byte == 0).count() as u64;
    (text.len() as u64 - nul, said, nul)
}

/// A desktop reads while the ring goes on with so many lines in each tenth of a second, and looks into a volume after so many of
/// them. Returns what the text, the losses it told of and the NULs were, in bytes.
fn read_along(lines: &[u32], waits: &[u32]) -> (u64, u64, u64) {
    let device = device("1 KiB");
    let ring = device.log().expect("the manifest asks for one");
    let mut system = System::boot(LINUX_DESKTOP, Box::new(device)).expect("a desktop mounts it");
    let read = |system: &mut System<'_>, sums: &mut (u64, u64, u64)| {
        // The volume may have gone again before it looked.
        let Ok(file) = system.read("STDOUT-TAIL.TXT") else { return };
        let (text, said, nul) = count(&file);
        *sums = (sums.0 + text, sums.1 + said, sums.2 + nul);
    };
    let mut sums = (0, 0, 0);
    read(&mut system, &mut sums);
    let (mut line, mut wait) = (0, None::<u32>);
    let mut waits = waits.iter().cycle();
    // In the end, 30 s of silence.
    for step in 0..lines.len() + 300 {
        for _ in 0..lines.get(step).copied().unwrap_or(0) {
            line += 1;
            ring.write(format!("line {line} of nobody knows how many\r\n").as_bytes());
        }
        system.elapse(Duration::from_millis(100));
        if system.take_events().iter().any(|event| matches!(event, Event::Mounted(_))) {
            // It looks at once, or later, while the ring goes on.
            wait = if step < lines.len() { waits.next().copied() } else { Some(0) };
        }
        match wait {
            Some(0) => {
                read(&mut system, &mut sums);
                wait = None;
            }
            Some(more) => wait = Some(more - 1),
            None => {}
        }
    }
    let (text, said, nul) = sums;
    assert_eq!(text + said, ring.written(), "{text} + {said} + {nul} NULs");
    sums
}

#[test]
fn text_and_losses_are_all_that_was_written() {
    let (mut lost, mut nul) = (0, 0);
    for (seed, speed) in [0_u32, 2, 10, 40, 100, 200].into_iter().enumerate() {
        let lines = vec((0..=speed).prop_map(|quarters| quarters / 4), 1..=1200);
        Cases { count: 1, seed: seed as u64 }.check((lines, vec(0..12_u32, 1..=30)), |(lines, waits)| {
            let (_, said, seen_nul) = read_along(&lines, &waits);
            lost += said;
            nul += seen_nul;
        });
    }
    assert!(lost > 10_000 && nul > 1_000, "{lost} bytes lost, {nul} of them shown as NUL: the writers are too slow");
}

/// Where udev's blkid probes the kind of a disk, in blocks, 4 KiB at a time, as Debian's does with each medium before it is
/// mounted. Afterwards it reads the disk's last 4 KiB.
const PROBED: [u64; 13] = [0, 8, 24, 32, 56, 64, 128, 256, 512, 1024, 2048, 120, 16];

/// A probe hits the tail in no generation, whether it comes before the mount or after it.
#[test]
fn a_probe_is_no_reader() {
    // In blkid's order, or in another one, as another program may.
    let last = PROBED.len();
    let order = || Just((0..=last).collect::<Vec<usize>>());
    let order = prop_oneof![order(), order().prop_shuffle()];
    Cases { count: 8, seed: 1 }.check(vec((0..50_u32, order), 1..=80), |rounds| {
        let device = device("64 KiB");
        let ring = device.log().expect("the manifest asks for one");
        let mut initiator = Initiator::attach(Host::new(Box::new(device))).expect("it enumerates");
        initiator.wait_ready().expect("ready");
        let (blocks, _) = initiator.read_capacity().expect("a medium");
        let mut line = 0;
        for (lines, order) in rounds {
            for _ in 0..lines {
                line += 1;
                ring.write(format!("line {line:05}\r\n").as_bytes());
            }
            initiator.host.elapse(Duration::from_secs(1));
            if initiator.test_unit_ready().is_err() {
                continue;
            }
            let place = |at: usize| PROBED.get(at).copied().unwrap_or(blocks - 8);
            for lba in order.into_iter().map(place).filter(|lba| lba + 8 <= blocks) {
                let read = initiator.scsi(&read_cdb(10, lba, 8), Data::In(4096));
                let hit = read.is_ok_and(|read| read.data.windows(4).any(|bytes| bytes == b"line"));
                assert!(!hit, "block {lba} is the tail's");
            }
        }
        let link = initiator.host.into_link();
        let mut system = System::boot(LINUX_DESKTOP, link).expect("a desktop mounts it");
        system.elapse(Duration::from_secs(20));
        let file = system.read("STDOUT-TAIL.TXT").expect("it reads");
        let (text, said, nul) = count(&file);
        assert_eq!((text, said, nul), (ring.written(), 0, 0));
    });
}
