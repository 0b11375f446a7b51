//! A SETUP packet at every moment after a control transfer that the host gave up, on the image with everything in it.

mod ring5 {
    use picovd_sim::board::device::SETUP_WINDOW;
    use picovd_sim::board::{ChipIdentity, ElfDevice};
    use picovd_sim::story::{Effort, SETUP_SWEEP};
    use std::path::PathBuf;

    /// How many are drawn without `--long`.
    const DRAWN: u32 = 5_000;

    #[test]
    #[ignore = "needs the firmware: cargo xtask test --ring 5"]
    fn each_setup_packet_begins_a_transfer_of_its_own() {
        let elf = std::env::args_os().map(PathBuf::from).find(|word| word.ends_with("full.elf"));
        let elf = elf.expect("no argument names full.elf; `cargo xtask test --ring 5` builds it");
        let elf = std::fs::read(&elf).unwrap_or_else(|e| panic!("{}: {e}", elf.display()));
        let mut device = ElfDevice::with_board(&elf, 1 << 20, ChipIdentity::default()).expect("the board boots it");
        let drawn = if std::env::var_os("PICOVD_LONG").is_some() { u32::MAX } else { DRAWN };
        let effort = Effort { random_wrappers: drawn, ..Effort::EMULATED };
        SETUP_SWEEP.play(&mut device, effort).unwrap_or_else(|error| panic!("{error}"));
        let statistics = device.machine().statistics();
        let (voided, most) = (statistics.voided, statistics.voided_most);
        println!(
            "{voided} SETUP packets found endpoint 0 armed; taken back after {most} of {SETUP_WINDOW} cycles at most"
        );
        // No luck: the driver is always much faster than any host. That there is something to take back, the sweep sees to.
        assert!(voided >= u64::from(drawn.min(DRAWN) / 50), "{voided} SETUP packets found endpoint 0 armed");
        assert!(most <= SETUP_WINDOW / 4, "endpoint 0 stayed armed for {most} cycles, a host needs {SETUP_WINDOW}");
    }
}
