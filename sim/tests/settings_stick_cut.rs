//! The stick itself on the emulated board: its label is set and saved over the serial port, and power fails in each operation
//! of the flash chip that the save takes.

mod board_elf;

mod ring5 {
    use super::board_elf;
    use picovd_sim::board::flash::{PowerCut, Torn};
    use picovd_sim::board::{ElfDevice, RunState};
    use picovd_sim::host::terminal::Terminal;
    use picovd_sim::host::{Host, Initiator};
    use picovd_sim::link::Link;
    use std::time::Duration;

    /// Where tests/manifests/settings.toml puts the settings: two sectors in front of flash's last.
    const START: usize = 0x3F_D000;
    const LENGTH: usize = 0x2000;
    const SAVED: &str = r#"{"ok":"save","saved":true}"#;

    /// Plugs the board in, opens its port, and does something there.
    fn at_the_port<R>(device: &mut ElfDevice, work: impl FnOnce(&mut Terminal, &mut Initiator<'_>) -> R) -> R {
        device.replug();
        let mut initiator = Initiator::attach(Host::new(Box::new(&mut *device))).expect("it enumerates");
        let mut terminal = Terminal::open(&mut initiator).expect("it has a port");
        work(&mut terminal, &mut initiator)
    }

    fn ask(terminal: &mut Terminal, initiator: &mut Initiator<'_>, line: &str) -> String {
        terminal.ask(initiator, line).unwrap_or_else(|error| panic!("{line}: {error}"))
    }

    fn set(terminal: &mut Terminal, initiator: &mut Initiator<'_>, label: &str) {
        let answer = ask(terminal, initiator, &format!(r#"set {{"label":"{label}"}}"#));
        assert_eq!(answer, r#"{"ok":"set","saved":false}"#);
    }

    /// All values, as they are after another start.
    fn saved(device: &mut ElfDevice) -> String {
        let values = at_the_port(device, |terminal, initiator| ask(terminal, initiator, "get"));
        assert_eq!(device.fault(), None);
        values
    }

    /// Saves labels until the next save takes as many operations. Returns the sectors with label OLD.
    fn prepared(device: &mut ElfDevice, saves: usize) -> Vec<u8> {
        assert!(device.machine().flash().preload(START, &[0xFF; LENGTH]));
        at_the_port(device, |terminal, initiator| {
            for _ in 0..saves {
                set(terminal, initiator, "OLD");
                assert_eq!(ask(terminal, initiator, "save"), SAVED);
            }
        });
        device.machine().flash().bytes()[START..START + LENGTH].to_vec()
    }

    fn operations(device: &mut ElfDevice) -> u64 {
        let (erases, programs) = device.machine().flash().operations();
        erases + programs
    }

    /// Saves a label, and power fails in it; then, where the next start writes anything, in that, too. Returns whether the save
    /// was acknowledged.
    fn save_and_fail(device: &mut ElfDevice, cut: PowerCut) -> bool {
        at_the_port(device, |terminal, initiator| {
            assert_eq!(ask(terminal, initiator, "get label"), r#"{"label":"OLD"}"#, "before {cut:?}");
            set(terminal, initiator, "NEW");
        });
        // The port is opened again for the last line: the plan for the power is made in between, without a restart.
        device.machine().flash().set_power_cut(Some(cut));
        let acknowledged = {
            let mut initiator = Initiator::attach(Host::new(Box::new(&mut *device))).expect("it is still there");
            let mut terminal = Terminal::open(&mut initiator).expect("it has a port");
            terminal.send(&mut initiator, b"save\r\n").expect("taken");
            initiator.host.elapse(Duration::from_secs(1));
            // It may be gone.
            let _ = terminal.take(&mut initiator);
            String::from_utf8_lossy(&terminal.text()).contains(SAVED)
        };
        assert_eq!(device.fault(), None);
        assert_eq!(*device.machine().state(), RunState::Off, "{cut:?} does not happen");
        let again = PowerCut { after: cut.after % 2, torn: Torn::Unstable(cut.after + 100) };
        device.machine().flash().set_power_cut(Some(again));
        device.replug();
        device.elapse(Duration::from_secs(2));
        assert_eq!(device.fault(), None);
        device.machine().flash().set_power_cut(None);
        acknowledged
    }

    #[test]
    #[ignore = "needs the firmware of tests/manifests/settings.toml: cargo xtask test --ring 5"]
    fn a_power_cut_leaves_the_old_settings_or_the_new() {
        let mut device = ElfDevice::new(&board_elf::bytes()).expect("the board boots it");
        let (mut old, mut new, mut erases) = (0, 0, 0);
        // In the middle of a sector, and where the next sector has to be erased first.
        for saves in [1, 16] {
            let state = prepared(&mut device, saves);
            let before = saved(&mut device);
            let after = before.replace(r#""label":"OLD""#, r#""label":"NEW""#);
            assert_ne!(before, after);
            let (count, wear) = (operations(&mut device), device.machine().flash().operations().0);
            at_the_port(&mut device, |terminal, initiator| {
                set(terminal, initiator, "NEW");
                assert_eq!(ask(terminal, initiator, "save"), SAVED);
            });
            let count = operations(&mut device) - count;
            erases += device.machine().flash().operations().0 - wear;
            for number in 0..count {
                let torn = [Torn::Before, Torn::At(2), Torn::At(11), Torn::At(60), Torn::At(256), Torn::Anyhow];
                for torn in torn.into_iter().chain((1..=2).map(Torn::Unstable)) {
                    let cut = PowerCut { after: number, torn };
                    assert!(device.machine().flash().preload(START, &state));
                    let acknowledged = save_and_fail(&mut device, cut);
                    // If a start was cut short, nothing was read during it. From now on, the answer must not change.
                    let first = saved(&mut device);
                    assert!(first == before || first == after, "after {cut:?}: {first}");
                    assert!(!acknowledged || first == after, "{cut:?}: it was acknowledged");
                    *(if first == after { &mut new } else { &mut old }) += 1;
                    for start in 0..3 {
                        assert_eq!(saved(&mut device), first, "start {start} after {cut:?}");
                    }
                }
            }
        }
        println!("{} power cuts: {old} left the old settings, {new} the new", old + new);
        assert!(erases > 0 && old > 5 && new > 5, "{erases} erases, {old} old, {new} new");
    }
}
