//! The firmware that a user flashes, on the emulated board: what the bus and the processor measure, and what survives
//! power.
//!
//! The stories run on it, too (`cargo sim story --elf`); here is what needs a look into the board.

use std::path::Path;

use picovd_sim::board::{ElfDevice, State, Statistics};
use picovd_sim::host::bot::Data;
use picovd_sim::host::{Host, Initiator};
use picovd_sim::link::Link;

/// Blocks of one READ.
const CHUNK: u16 = 128;
/// Bulk IN endpoint 1 among the statistics.
const EP1_IN: usize = 2;

fn firmware() -> ElfDevice {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/firmware/picovd.elf");
    let elf =
        std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}: `cargo xtask firmware` builds it", path.display()));
    ElfDevice::new(&elf).expect("the board boots it")
}

/// Enumerates, and takes the unit attention away.
fn attach(device: &mut ElfDevice) -> Initiator<'_> {
    let mut initiator = Initiator::attach(Host::new(Box::new(device))).expect("it enumerates");
    initiator.command(0, &[0x00, 0, 0, 0, 0, 0], Data::None).expect("TEST UNIT READY has a status");
    initiator.command(0, &[0x03, 0, 0, 0, 18, 0], Data::In(18)).expect("REQUEST SENSE has a status");
    initiator
}

fn read(initiator: &mut Initiator<'_>, lba: u32, count: u16) -> Vec<u8> {
    let (a, n) = (lba.to_be_bytes(), count.to_be_bytes());
    let cdb = [0x28, 0, a[0], a[1], a[2], a[3], 0, n[0], n[1], 0];
    initiator.command(0, &cdb, Data::In(u32::from(count) * 512)).expect("READ(10) has a status").data
}

fn well(device: &ElfDevice) {
    assert_eq!(device.fault(), None);
}

#[test]
#[ignore = "needs target/firmware/picovd.elf: cargo xtask firmware"]
fn a_long_read_fills_the_frames() {
    let mut device = firmware();
    let mut initiator = attach(&mut device);
    read(&mut initiator, 0, CHUNK);
    drop(initiator);
    *device.machine().statistics() = Statistics::default();
    let mut initiator = attach(&mut device);
    for lba in (0..2048).step_by(usize::from(CHUNK)) {
        assert_eq!(read(&mut initiator, lba, CHUNK).len(), usize::from(CHUNK) * 512);
    }
    drop(initiator);
    well(&device);
    let statistics = device.machine().statistics();
    println!("{statistics}");
    let endpoint = &statistics.endpoints[EP1_IN];
    assert!(endpoint.rearm_least.is_some());
    // 19 packets of 64 bytes are the wire's limit; 15 leave room for commands and for a late driver.
    assert!(statistics.bytes_per_frame() > 15.0 * 64.0, "{:.0} bytes per frame", statistics.bytes_per_frame());
    assert!(statistics.cycles_per_sector(EP1_IN).is_some_and(|cycles| cycles < 15_000.0));
}

#[test]
#[ignore = "needs target/firmware/picovd.elf: cargo xtask firmware"]
fn an_idle_stick_sleeps() {
    let mut device = firmware();
    drop(attach(&mut device));
    device.machine().statistics().clear();
    device.elapse(std::time::Duration::from_secs(1));
    well(&device);
    let statistics = device.machine().statistics();
    assert!(statistics.awake_cycles * 10 < statistics.cycles, "{statistics}");
}

#[test]
#[ignore = "needs target/firmware/picovd.elf: cargo xtask firmware"]
fn the_same_disk_after_power_was_gone() {
    let mut device = firmware();
    let before = read(&mut attach(&mut device), 0, CHUNK);
    device.replug();
    assert!(!device.attached(), "a cold boot takes time");
    assert_eq!(read(&mut attach(&mut device), 0, CHUNK), before);
    well(&device);
    assert_eq!(*device.machine().state(), State::Running);
    assert_eq!(device.machine().reboots(), 0);
    assert_eq!(device.machine().flash().operations(), (0, 0));
}
