//! A stick served by its interrupts, on the emulated board: it leaves the bus without blocking the program and returns, the other
//! core can wake it but not serve it, and it may begin wherever the main loop is.

mod board_elf;

mod ring5 {
    use picovd_sim::board::ElfDevice;
    use picovd_sim::host::{Host, Initiator};
    use picovd_sim::link::Link;
    use picovd_sim::patch;
    use std::time::Duration;

    /// Cycles in a microsecond.
    const MICROSECOND: u64 = 150;

    /// The program of tests/served-board with another case in it.
    fn board(case: u32, number: u32) -> ElfDevice {
        let elf = patch::with_words(super::board_elf::bytes(), "CASE", &[case, number]).expect("the program has it");
        ElfDevice::new(&elf).expect("the board boots it")
    }

    fn place(device: &mut ElfDevice, name: &str) -> u32 {
        device.machine().symbol(name).unwrap_or_else(|| panic!("the program has {name}"))
    }

    fn get(device: &mut ElfDevice, name: &str) -> u32 {
        let address = place(device, name);
        assert_eq!(device.fault(), None);
        device.machine().word(address).expect("it is in SRAM")
    }

    fn set(device: &mut ElfDevice, name: &str, value: u32) {
        let address = place(device, name);
        assert!(device.machine().preload_sram(address, &value.to_le_bytes()));
    }

    /// A host enumerates it, and finds a disk.
    fn enumerate(device: &mut ElfDevice) {
        let mut initiator = Initiator::attach(Host::new(Box::new(device))).expect("it enumerates");
        initiator.wait_ready().expect("a disk");
    }

    /// Lets time pass until the device is on the bus, or is not. How long it took, in microseconds, to a tenth of a millisecond.
    fn until(device: &mut ElfDevice, attached: bool, most: u64) -> u64 {
        let begin = device.machine().cycles();
        while device.attached() != attached {
            device.elapse(Duration::from_micros(100));
            let took = (device.machine().cycles() - begin) / MICROSECOND;
            assert!(took <= most, "attached: {}, for {took} us", !attached);
        }
        (device.machine().cycles() - begin) / MICROSECOND
    }

    /// The stick leaves the bus for 20 ms without blocking the program: the main loop is never interrupted for a tenth of that
    /// time, whether the main loop asks or a handler does, whether it polls the stick or interrupts serve it, and
    /// however often they ask. A stick that is asked to leave while it is away does not stay away for longer.
    #[test]
    #[ignore = "needs tests/served-board: cargo xtask test --ring 5"]
    fn a_stick_that_leaves_the_bus_keeps_nobody_waiting_and_comes_back() {
        for case in 0..3 {
            let mut device = board(case, 0);
            device.elapse(Duration::from_millis(10));
            for times in [1, 2, 1] {
                enumerate(&mut device);
                let context = format!("case {case}, {times} times");
                set(&mut device, "LONGEST", 0);
                set(&mut device, "LEAVE", times);
                until(&mut device, false, 10_000);
                if times == 2 {
                    // Once more while it is away.
                    device.elapse(Duration::from_millis(10));
                    set(&mut device, "LEAVE", 1);
                }
                let away = until(&mut device, true, 40_000) + if times == 2 { 10_000 } else { 0 };
                // It stays away long enough for a host to notice, and no longer however often it was asked.
                assert!((19_900..21_000).contains(&away), "{context}: away for {away} us");
                assert_eq!(get(&mut device, "LEAVE"), 0, "{context}");
                let longest = get(&mut device, "LONGEST");
                println!("{context}: away for {away} us; the main loop waited for {longest} us at most");
                assert!(longest < 2_000, "{context}: the main loop waited for {longest} us");
                assert!(longest > 0, "{context}: nothing was measured");
            }
            enumerate(&mut device);
        }
    }

    /// A change of the other core is answered when that core wakes the stick, not 131 ms later: at each place of what an earlier
    /// change has caused. So it is when that core calls what the handlers of this one call, whose interrupts stay masked there:
    /// they would be taken by either core, and the controller is the first one's.
    #[test]
    #[ignore = "needs tests/served-board: cargo xtask test --ring 5"]
    fn the_other_core_wakes_the_stick_and_no_wake_up_is_lost() {
        for (case, seed) in [(3, 1), (3, 2), (5, 1), (5, 2)] {
            let mut device = board(case, 0);
            device.machine().interleave(seed);
            for _ in 0..400 {
                device.elapse(Duration::from_millis(10));
                if get(&mut device, "ANSWERED") == 1_000 {
                    break;
                }
            }
            let context = format!("case {case}, seed {seed}");
            let (answered, latest) = (get(&mut device, "ANSWERED"), get(&mut device, "LATEST"));
            println!("{context}: {answered} changes, the latest answer took {latest} us");
            assert_eq!(answered, 1_000, "{context}: a change was not answered; the latest answer took {latest} us");
            assert!((1..1_000).contains(&latest), "{context}: an answer took {latest} us");
            assert_eq!(get(&mut device, "ENABLED"), 0, "{context}: the other core takes the stick's interrupts");
            enumerate(&mut device);
        }
    }

    /// A handler brings the stick at any place of a main loop that serves it already: it is on the bus afterwards.
    #[test]
    #[ignore = "needs tests/served-board: cargo xtask test --ring 5"]
    fn a_stick_that_begins_while_it_is_served_is_there_afterwards() {
        for after in (1_000..1_420).step_by(7) {
            let mut device = board(4, after);
            // The crystal alone takes 63 ms.
            device.elapse(Duration::from_millis(80));
            assert!(device.attached(), "after {after} cycles");
            if after % 70 == 0 {
                enumerate(&mut device);
            }
        }
    }
}
