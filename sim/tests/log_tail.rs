//! STDOUT-TAIL.TXT as a desktop reads it that looks into each volume which it mounts: text and losses are all that was written,
//! however fast the program prints and however late the desktop looks.

use std::fs;
use std::path::Path;
use std::time::Duration;

use picovd_sim::host::bot::Data;
use picovd_sim::host::scsi::read_cdb;
use picovd_sim::host::system::{Event, LINUX_DESKTOP, System};
use picovd_sim::host::{Host, Initiator};
use picovd_sim::memory::Contents;
use picovd_sim::native::NativeDevice;
use picovd_sim::plug;
use picovd_sim::random::Random;

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

#[test]
fn text_and_losses_are_all_that_was_written() {
    let (mut lost, mut nul) = (0, 0);
    for seed in 1..=6 {
        let device = device("1 KiB");
        let ring = device.log().expect("the manifest asks for one");
        let mut system = System::boot(LINUX_DESKTOP, Box::new(device)).expect("a desktop mounts it");
        let mut random = Random::new(seed);
        let read = |system: &mut System<'_>, sums: &mut (u64, u64, u64)| {
            // The volume may have gone again before it looked.
            let Ok(file) = system.read("STDOUT-TAIL.TXT") else { return };
            let (text, said, nul) = count(&file);
            *sums = (sums.0 + text, sums.1 + said, sums.2 + nul);
        };
        let mut sums = (0, 0, 0);
        read(&mut system, &mut sums);
        let speed = [0, 2, 10, 40, 100, 200][seed as usize - 1];
        let (mut line, mut wait) = (0, None::<u32>);
        for step in 0..900 {
            // 60 s of lines, 30 s of silence.
            if step < 600 {
                for _ in 0..random.below(speed + 1) / 4 {
                    line += 1;
                    ring.write(format!("line {line} of nobody knows how many\r\n").as_bytes());
                }
            }
            system.elapse(Duration::from_millis(100));
            if system.take_events().iter().any(|event| matches!(event, Event::Mounted(_))) {
                // It looks at once, or later, while the ring goes on.
                wait = Some(if step < 600 { random.below(12) } else { 0 });
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
        let (text, said, seen_nul) = sums;
        assert_eq!(text + said, ring.written(), "speed {speed}: {text} + {said} + {seen_nul} NULs");
        lost += said;
        nul += seen_nul;
    }
    assert!(lost > 10_000 && nul > 1_000, "{lost} bytes lost, {nul} of them shown as NUL: the writers are too slow");
}

/// Where udev's blkid probes the kind of a disk, in blocks, 4 KiB at a time, as Debian's does with each medium before it is
/// mounted. Afterwards it reads the disk's last 4 KiB.
const PROBED: [u64; 13] = [0, 8, 24, 32, 56, 64, 128, 256, 512, 1024, 2048, 120, 16];

/// A probe hits the tail in no generation, whether it comes before the mount or after it.
#[test]
fn a_probe_is_no_reader() {
    for seed in 1..=8 {
        let device = device("64 KiB");
        let ring = device.log().expect("the manifest asks for one");
        let mut initiator = Initiator::attach(Host::new(Box::new(device))).expect("it enumerates");
        initiator.wait_ready().expect("ready");
        let (blocks, _) = initiator.read_capacity().expect("a medium");
        let mut random = Random::new(seed);
        let mut line = 0;
        for _ in 0..40 {
            for _ in 0..random.below(50) {
                line += 1;
                ring.write(format!("line {line:05}\r\n").as_bytes());
            }
            initiator.host.elapse(Duration::from_secs(1));
            if initiator.test_unit_ready().is_err() {
                continue;
            }
            let mut probed: Vec<u64> = PROBED.into_iter().chain([blocks - 8]).filter(|lba| lba + 8 <= blocks).collect();
            if seed % 2 == 0 {
                // In another order, as another program may.
                for place in 1..probed.len() {
                    probed.swap(place, random.below(place as u32 + 1) as usize);
                }
            }
            for lba in probed {
                let read = initiator.scsi(&read_cdb(10, lba, 8), Data::In(4096));
                let hit = read.is_ok_and(|read| read.data.windows(4).any(|bytes| bytes == b"line"));
                assert!(!hit, "seed {seed}: block {lba} is the tail's");
            }
        }
        let link = initiator.host.into_link();
        let mut system = System::boot(LINUX_DESKTOP, link).expect("a desktop mounts it");
        system.elapse(Duration::from_secs(20));
        let file = system.read("STDOUT-TAIL.TXT").expect("it reads");
        let (text, said, nul) = count(&file);
        assert_eq!((text, said, nul), (ring.written(), 0, 0), "seed {seed}");
    }
}
