//! What picotool's requests do to the board: the ROM function that the firmware calls, and with what.

mod board_elf;

mod ring5 {
    use super::board_elf;
    use picovd_sim::board::{ElfDevice, RomReboot, RunState};
    use picovd_sim::host::picotool::{BOOTSEL, FLASH};
    use picovd_sim::host::{Host, Initiator};
    use std::time::Duration;

    /// Sends one request to a board with the reset interface and gives it time to restart.
    fn restarted(request: u8, value: u16) -> ElfDevice {
        let mut device = ElfDevice::new(&board_elf::bytes()).expect("the board boots it");
        let mut initiator = Initiator::attach(Host::new(Box::new(&mut device))).expect("it enumerates");
        let interface = initiator.device.reset_interface.expect("the manifest has picotool-reset");
        // The status stage comes before the restart.
        interface.send(&mut initiator.host, request, value).expect("accepted");
        initiator.host.elapse(Duration::from_millis(50));
        assert!(initiator.host.link().attached(), "the restart leaves the host no time");
        initiator.host.elapse(Duration::from_millis(150));
        drop(initiator);
        assert_eq!(device.fault(), None);
        assert_eq!(device.machine().reboots(), 1);
        device
    }

    #[test]
    #[ignore = "needs the firmware: cargo xtask test --ring 5"]
    fn the_descriptors_have_the_manifests_power_and_the_compositions_release() {
        let mut device = ElfDevice::new(&board_elf::bytes()).expect("the board boots it");
        let initiator = Initiator::attach(Host::new(Box::new(&mut device))).expect("it enumerates");
        assert_eq!(initiator.device.configuration.max_power, 50, "100 mA");
        assert_eq!(initiator.device.descriptor.release, 0x0103);
    }

    #[test]
    #[ignore = "needs the firmware: cargo xtask test --ring 5"]
    fn bootsel_passes_the_flags_on() {
        // p0: 01h no drive, 02h no PICOBOOT, 20h a GPIO for the LED in p1 (datasheet 5.4.8.24).
        let cases = [
            (0, [0x00, 0]),
            (1, [0x01, 0]),
            (2, [0x02, 0]),
            (25 << 9 | 0x100, [0x20, 25]),
            (47 << 9 | 0x103, [0x23, 47]),
            // A GPIO that no package has.
            (48 << 9 | 0x103, [0x03, 0]),
            (0xFFFF, [0x03, 0]),
        ];
        for (value, parameters) in cases {
            let mut device = restarted(BOOTSEL, value);
            assert_eq!(*device.machine().state(), RunState::BootSel);
            let call = device.machine().rom_reboot();
            assert_eq!(call, Some(RomReboot { flags: 2, parameters }), "wValue {value:#06x}");
        }
    }

    #[test]
    #[ignore = "needs the firmware: cargo xtask test --ring 5"]
    fn flash_starts_the_program_again() {
        let mut device = restarted(FLASH, 1);
        assert_eq!(*device.machine().state(), RunState::Running);
        assert_eq!(device.machine().rom_reboot(), Some(RomReboot { flags: 0, parameters: [0, 0] }));
        let initiator = Initiator::attach(Host::new(Box::new(&mut device))).expect("it enumerates again");
        assert!(initiator.device.console.is_some());
    }
}
