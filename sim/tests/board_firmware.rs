//! The firmware that a user flashes, on the emulated board: what the bus and the processor measure, and what survives
//! power.
//!
//! The stories run on it, too (`cargo sim story --elf`); here is what needs a look into the board.

mod board_elf;

use picovd_sim::board::ElfDevice;
use picovd_sim::host::bot::Data;
use picovd_sim::host::{Host, Initiator};

/// Blocks of one READ.
const CHUNK: u16 = 128;
/// Bulk IN endpoint 1 among the statistics.
const EP1_IN: usize = 2;

fn firmware() -> ElfDevice {
    ElfDevice::new(&board_elf::bytes()).expect("the board boots it")
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

mod ring5 {
    use super::{CHUNK, EP1_IN, attach, firmware, read, well};
    use picovd_manifest::{Region, RegionKind};
    use picovd_sim::board::{RunState, Statistics};
    use picovd_sim::host::bot::{Cbw, CswStatus, Data};
    use picovd_sim::host::{Host, Initiator};
    use picovd_sim::link::Link;
    use picovd_sim::plug;
    use std::cell::RefCell;
    use std::rc::Rc;
    use std::time::Duration;

    #[test]
    #[ignore = "needs the firmware: cargo xtask test --ring 5"]
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

    /// As picotool finds it: a header in the first 4 KiB of the image, which names a table of entries in flash.
    #[test]
    #[ignore = "needs the firmware: cargo xtask test --ring 5"]
    fn picotool_finds_name_version_and_features() {
        const START: u32 = 0x7188_EBF2;
        const END: u32 = 0xE71A_A390;
        /// An entry that is an id and a text, of Raspberry Pi ("RP").
        const ID_AND_STRING: u32 = 6 | 0x5052 << 16;
        let mut device = firmware();
        let flash = device.machine().flash().bytes();
        let word = |at: usize| u32::from_le_bytes(flash[at..at + 4].try_into().expect("a word"));
        let place = |address: u32| (address - 0x1000_0000) as usize;
        let text = |address: u32| {
            let bytes = &flash[place(address)..];
            let length = bytes.iter().position(|byte| *byte == 0).expect("an end");
            String::from_utf8(bytes[..length].to_vec()).expect("UTF-8")
        };
        let header = (0..4096 - 16).step_by(4).find(|at| word(*at) == START && word(at + 16) == END);
        let header = header.expect("a header in the first 4 KiB");
        assert_eq!(word(place(word(header + 12))), 0, "no address has to be translated");
        let (first, end) = (place(word(header + 4)), place(word(header + 8)));
        let mut told: Vec<_> = (first..end)
            .step_by(4)
            .map(|at| {
                let entry = place(word(at));
                assert_eq!(word(entry), ID_AND_STRING);
                (word(entry + 4), text(word(entry + 8)))
            })
            .collect();
        told.sort();
        let expected = [
            (0x0203_1C86, "picovd".to_owned()),
            (0x11A9_BC3A, env!("CARGO_PKG_VERSION").to_owned()),
            (0xA1F4_B453, "USB disk, serial port, picotool reset, settings in flash".to_owned()),
        ];
        assert_eq!(told, expected);
    }

    #[test]
    #[ignore = "needs the firmware: cargo xtask test --ring 5"]
    fn an_idle_stick_sleeps() {
        let mut device = firmware();
        drop(attach(&mut device));
        device.machine().statistics().clear();
        device.elapse(std::time::Duration::from_secs(1));
        well(&device);
        let statistics = device.machine().statistics();
        assert!(statistics.awake_cycles * 10 < statistics.cycles, "{statistics}");
    }

    /// The stick looks every 131 ms for changes of the other core: an alarm wakes it, amid a READ, too. That costs one wake-up, and the
    /// packets after it go the short way on.
    #[test]
    #[ignore = "needs the firmware: cargo xtask test --ring 5"]
    fn an_alarm_amid_a_read_costs_one_wake_up() {
        const READS: u32 = 40;
        let plan = plug::plan(None).expect("the stock manifest is right");
        let is_flash =
            |region: &&Region| matches!(region.kind, RegionKind::Memory { base: 0x1000_0000..0x2000_0000, .. });
        let flash = plan.regions.iter().find(is_flash).expect("a window of flash").first;
        let device = Rc::new(RefCell::new(firmware()));
        let mut initiator = Initiator::attach(Host::new(Box::new(Rc::clone(&device)))).expect("it enumerates");
        initiator.wait_ready().expect("a disk");
        let begin = device.borrow().now();
        let awake: Vec<u64> = (0..READS)
            .map(|_| {
                device.borrow_mut().machine().statistics().clear();
                assert_eq!(read(&mut initiator, flash, CHUNK).len(), usize::from(CHUNK) * 512);
                device.borrow_mut().machine().statistics().awake_cycles
            })
            .collect();
        let took = device.borrow().now().saturating_sub(begin);
        well(&device.borrow());
        println!("{awake:?} cycles in {took:?}");
        // They follow each other: nearly all of the looks in that time came amid one, at some place of it.
        assert!(took > Duration::from_millis(15 * 131), "{took:?}");
        let (least, most) = (awake.iter().min().expect("many"), awake.iter().max().expect("many"));
        // A wake-up takes some hundred cycles, and from then on two moments are compared for each packet: 2.2 % for a look at the
        // READ's beginning. The long way for each packet cost 32 %.
        assert!(most - least < least / 20, "{least} to {most} cycles: {awake:?}");
    }

    #[test]
    #[ignore = "needs the firmware: cargo xtask test --ring 5"]
    fn the_same_disk_after_power_was_gone() {
        let mut device = firmware();
        let before = read(&mut attach(&mut device), 0, CHUNK);
        device.replug();
        assert!(!device.attached(), "a cold boot takes time");
        assert_eq!(read(&mut attach(&mut device), 0, CHUNK), before);
        well(&device);
        assert_eq!(*device.machine().state(), RunState::Running);
        assert_eq!(device.machine().reboots(), 0);
        assert_eq!(device.machine().flash().operations(), (0, 0));
    }

    #[test]
    #[ignore = "needs the firmware: cargo xtask test --ring 5"]
    fn packets_that_wait_survive_a_cleared_halt() {
        let mut device = firmware();
        let mut initiator = attach(&mut device);
        let before = read(&mut initiator, 0, 2);
        // How many packets went decides which of the two packet buffers is the first to go on with.
        for packets in 0..16 {
            let cdb = [0x28, 0, 0, 0, 0, 0, 0, 0, 2, 0];
            let tag = initiator.next_tag();
            initiator.send_wrapper(&Cbw::new(tag, 0, &cdb, Data::In(1024)).bytes()).expect("the wrapper is taken");
            let mut seen = Vec::new();
            for _ in 0..packets {
                seen.extend(initiator.data_in(64).data);
            }
            // The next two packets, or the last one and the CSW, wait in the endpoint.
            initiator.host.elapse(std::time::Duration::from_micros(100));
            initiator.clear_in().expect("the request is taken");
            let rest = initiator.data_in(1024 - 64 * packets);
            assert_eq!(rest.end, Ok(()), "after {packets} packets");
            seen.extend(rest.data);
            assert!(seen == before, "after {packets} packets the rest is not the same");
            let csw = initiator.status(tag).expect("a status");
            assert_eq!((csw.status, csw.residue), (CswStatus::CommandPassed, 0), "after {packets} packets");
        }
        drop(initiator);
        well(&device);
    }
}
