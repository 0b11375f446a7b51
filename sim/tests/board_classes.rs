//! The application's own USB classes beside the stick's (tests/own-classes), on the emulated board.

mod board_elf;

mod ring5 {
    use picovd_sim::board::ElfDevice;
    use picovd_sim::diagnosis::Reporter;
    use picovd_sim::host::bot::Data;
    use picovd_sim::host::cdc::CdcAcm;
    use picovd_sim::host::controller::Request;
    use picovd_sim::host::{Host, Initiator, TransferError};
    use picovd_sim::patch;
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    /// Numbers of the interfaces: the disk, the console's two, picotool's; then the application's.
    const RESET: u16 = 3;
    const MOUSE: u16 = 4;
    const PORT: u16 = 5;
    const LOOPBACK: u16 = 7;
    /// The first number that no interface has.
    const END: u16 = 8;

    /// Descriptor type of a report descriptor (HID 1.11 7.1).
    const REPORT: u16 = 0x22;

    fn board() -> ElfDevice {
        ElfDevice::new(&super::board_elf::bytes()).expect("the board boots it")
    }

    /// A host that has enumerated the stick.
    fn attached(device: &mut ElfDevice) -> Initiator<'_> {
        Initiator::attach(Host::new(Box::new(device))).expect("it enumerates")
    }

    /// The addresses of an interface's endpoints, IN and OUT.
    fn endpoints(initiator: &Initiator<'_>, interface: u16) -> (Option<u8>, Option<u8>) {
        let interface = initiator.device.configuration.interface(interface as u8).expect("it exists");
        let find = |is_in| {
            let mut found = interface.endpoints.iter().map(|endpoint| endpoint.address);
            found.find(|address| (address & 0x80 != 0) == is_in)
        };
        (find(true), find(false))
    }

    fn request(request_type: u8, request: u8, value: u16, index: u16, length: u16) -> Request {
        Request { request_type, request, value, index, length }
    }

    /// GET_DESCRIPTOR of a mouse's report descriptor.
    fn report_descriptor(index: u16) -> Request {
        request(0x81, 6, REPORT << 8, index, 256)
    }

    #[test]
    #[ignore = "needs tests/own-classes: cargo xtask test --ring 5"]
    fn the_descriptors_join_all_functions() {
        let mut device = board();
        let initiator = attached(&mut device);
        let configuration = &initiator.device.configuration;
        let classes: Vec<[u8; 3]> = configuration.interfaces.iter().map(|interface| interface.class).collect();
        assert_eq!(
            classes,
            [[8, 6, 0x50], [2, 2, 0], [10, 0, 0], [0xFF, 0, 1], [3, 0, 0], [2, 2, 0], [10, 0, 0], [0xFF, 0, 0]]
        );
        let numbers: Vec<u8> = configuration.interfaces.iter().map(|interface| interface.number).collect();
        assert_eq!(numbers, [0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(initiator.device.descriptor.class, [0xEF, 2, 1]);
        // Console, reset interface, and four interfaces of the application.
        assert_eq!(initiator.device.descriptor.release, 0x0143);
        let ports: Vec<CdcAcm> = CdcAcm::all(configuration).map(|port| port.expect("no driver is confused")).collect();
        assert_eq!(ports.iter().map(|port| port.control).collect::<Vec<_>>(), [1, PORT as u8]);
        assert_eq!(initiator.device.console, ports.first().copied());
    }

    #[test]
    #[ignore = "needs tests/own-classes: cargo xtask test --ring 5"]
    fn standard_requests_reach_the_classes_that_have_the_interface() {
        let mut device = board();
        let mut initiator = attached(&mut device);
        let host = &mut initiator.host;
        // HID's own use of GET_DESCRIPTOR (HID 1.11 7.1.1).
        let report = host.control_in(report_descriptor(MOUSE)).expect("a mouse has one");
        assert_eq!(report.get(..4), Some(&[0x05, 0x01, 0x09, 0x02][..]), "Generic Desktop, Mouse");
        for other in [0, RESET, PORT, LOOPBACK, END, MOUSE | 0x100] {
            assert_eq!(host.control_in(report_descriptor(other)), Err(TransferError::Stall), "{other:#x}");
        }
        for index in MOUSE..END {
            assert_eq!(host.control_in(request(0x81, 10, 0, index, 1)), Ok(vec![0]), "GET_INTERFACE {index}");
            assert_eq!(host.control_in(request(0x81, 0, 0, index, 2)), Ok(vec![0, 0]), "GET_STATUS {index}");
            // usbd-hid takes the number for its own SET_PROTOCOL, and refuses it.
            let first = if index == MOUSE { Err(TransferError::Stall) } else { Ok(()) };
            assert_eq!(host.control_out(request(1, 11, 0, index, 0), &[]), first, "SET_INTERFACE {index}");
            let second = host.control_out(request(1, 11, 1, index, 0), &[]);
            assert_eq!(second, Err(TransferError::Stall), "SET_INTERFACE {index}, setting 1");
        }
        assert_eq!(host.control_in(request(0x81, 10, 0, END, 1)), Err(TransferError::Stall), "GET_INTERFACE {END}");
        // Without a configuration there are no interfaces (USB 2.0 9.4.4 and following).
        host.control_out(request(0, 9, 0, 0, 0), &[]).expect("SET_CONFIGURATION 0");
        for refused in [report_descriptor(MOUSE), request(0x81, 10, 0, MOUSE, 1), request(0x81, 0, 0, MOUSE, 2)] {
            assert_eq!(host.control_in(refused), Err(TransferError::Stall), "{refused:?}");
        }
    }

    #[test]
    #[ignore = "needs tests/own-classes: cargo xtask test --ring 5"]
    fn endpoints_of_the_classes_halt_and_go_on_with_data0() {
        let mut device = board();
        let mut initiator = attached(&mut device);
        let (Some(to_host), Some(from_host)) = endpoints(&initiator, LOOPBACK) else { panic!("it has two endpoints") };
        let host = &mut initiator.host;
        let status = |host: &mut Host<'_>, address: u8| host.control_in(request(0x82, 0, 0, address.into(), 2));
        for round in 0..3 {
            for address in [to_host, from_host] {
                host.control_out(request(2, 3, 0, address.into(), 0), &[]).expect("SET_FEATURE");
                assert_eq!(status(host, address), Ok(vec![1, 0]), "{address:#04x}");
            }
            assert_eq!(host.in_packet(to_host), Err(TransferError::Stall));
            assert_eq!(host.out_packet(from_host, b"x"), Err(TransferError::Stall));
            for address in [to_host, from_host] {
                host.control_out(request(2, 1, 0, address.into(), 0), &[]).expect("CLEAR_FEATURE");
                host.reset_toggle(address);
                assert_eq!(status(host, address), Ok(vec![0, 0]), "{address:#04x}");
            }
            // An odd number of packets, so that the toggles are not DATA0 by chance.
            for packet in 0..=2 * round {
                let bytes = [round, packet, 0x55];
                host.out_packet(from_host, &bytes).expect("it is taken");
                assert_eq!(host.in_packet(to_host).as_deref(), Ok(&bytes[..]));
            }
        }
        // SET_CONFIGURATION resets them, too (USB 2.0 9.1.1.5).
        host.control_out(request(0, 9, 1, 0, 0), &[]).expect("SET_CONFIGURATION");
        host.reset_toggles();
        host.out_packet(from_host, b"again").expect("it is taken");
        assert_eq!(host.in_packet(to_host).as_deref(), Ok(&b"again"[..]));
    }

    /// SET_INTERFACE resets the toggles of the interface's endpoints (USB 2.0 9.1.1.5), also where usb-device answers it.
    #[test]
    #[ignore = "needs tests/own-classes: cargo xtask test --ring 5"]
    fn an_interface_that_is_set_goes_on_with_data0() {
        let mut device = board();
        let mut initiator = attached(&mut device);
        let (Some(to_host), Some(from_host)) = endpoints(&initiator, LOOPBACK) else { panic!("it has two endpoints") };
        let host = &mut initiator.host;
        let send = |host: &mut Host<'_>, text: &[u8]| {
            host.out_packet(from_host, text).expect("it is taken");
            assert_eq!(host.in_packet(to_host).as_deref(), Ok(text));
        };
        for round in 0..3 {
            // An odd number of packets, so that the toggles are not DATA0 by chance.
            (0..=2 * round).for_each(|packet| send(host, &[round, packet]));
            host.control_out(request(1, 11, 0, LOOPBACK, 0), &[]).expect("SET_INTERFACE");
            host.reset_toggle(to_host);
            host.reset_toggle(from_host);
            // Another one's endpoints, and a setting that does not exist, change nothing.
            send(host, b"reset");
            host.control_out(request(1, 11, 0, PORT, 0), &[]).expect("SET_INTERFACE of another one");
            send(host, b"another");
            let refused = host.control_out(request(1, 11, 1, LOOPBACK, 0), &[]);
            assert_eq!(refused, Err(TransferError::Stall));
            send(host, b"refused");
            host.control_out(request(1, 11, 0, LOOPBACK, 0), &[]).expect("SET_INTERFACE");
            host.reset_toggle(to_host);
            host.reset_toggle(from_host);
        }
    }

    /// What `cargo sim` says about a program that allocates endpoints that there are not, or polls its classes otherwise than it has
    /// allocated them.
    #[test]
    #[ignore = "needs tests/own-classes: cargo xtask test --ring 5"]
    fn mistakes_with_classes_are_named_with_what_to_do() {
        let order = "USB classes: give poll_with or serve! all that were allocated, in the same order";
        for (number, expected) in [
            (1, "no USB endpoint is left of 15 IN and 15 OUT: leave out a class"),
            (2, "a USB class wants isochronous or over 64-byte packets: only bulk and interrupt, up to 64, exist"),
            (3, order),
            (4, order),
            (5, order),
        ] {
            let elf = patch::with_words(super::board_elf::bytes(), "MISTAKE", &[number]).expect("the program has it");
            let said = Arc::new(Mutex::new(String::new()));
            let sink = Arc::clone(&said);
            let reporter = Reporter::new(elf.clone(), false, move |text: &str| *sink.lock().unwrap() += text);
            let mut device = ElfDevice::new(&elf).expect("the board boots it");
            device.machine().set_witness(reporter.witness());
            let mut host = Host::new(Box::new(&mut device));
            host.elapse(Duration::from_millis(500));
            let _ = Initiator::attach(host);
            let said = said.lock().unwrap();
            assert!(said.starts_with("the firmware panicked at "), "{number}: {said}");
            assert!(said.contains(expected), "{number}: {said}");
        }
    }

    #[test]
    #[ignore = "needs tests/own-classes: cargo xtask test --ring 5"]
    fn the_application_gets_what_comes_through_the_sticks_port() {
        let mut device = board();
        let mut initiator = attached(&mut device);
        let port = initiator.device.console.expect("the manifest has one");
        let (Some(mouse), _) = endpoints(&initiator, MOUSE) else { panic!("a mouse sends reports") };
        let host = &mut initiator.host;
        let mut sum = 0_u8;
        for length in [1, 5, 64, 64, 17] {
            let bytes: Vec<u8> = (0..length).map(|byte| byte * 3 + length).collect();
            host.out_packet(port.bulk_out, &bytes).expect("the port takes it");
            sum = bytes.iter().fold(sum, |sum, byte| sum.wrapping_add(*byte));
            host.elapse(Duration::from_millis(120));
            // The one that waited, and the next one.
            let reports = [host.in_packet(mouse), host.in_packet(mouse)].map(|report| report.expect("each 50 ms"));
            assert_eq!(reports.last().and_then(|report| report.get(3)), Some(&sum), "after {length} bytes");
        }
    }

    /// The first sectors of the disk, with READ (10).
    fn read(initiator: &mut Initiator<'_>, sectors: u8) -> Vec<u8> {
        let cdb = [0x28, 0, 0, 0, 0, 0, 0, 0, sectors, 0];
        initiator.command(0, &cdb, Data::In(u32::from(sectors) * 512)).expect("the disk is read").data
    }

    #[test]
    #[ignore = "needs tests/own-classes: cargo xtask test --ring 5"]
    fn all_functions_work_at_the_same_time() {
        let mut device = board();
        let mut initiator = attached(&mut device);
        initiator.wait_ready().expect("a disk");
        let port = CdcAcm::all(&initiator.device.configuration).nth(1).expect("two ports").expect("as they should be");
        let (Some(mouse), _) = endpoints(&initiator, MOUSE) else { panic!("a mouse sends reports") };
        let (Some(to_host), Some(from_host)) = endpoints(&initiator, LOOPBACK) else { panic!("it has two endpoints") };
        let host = &mut initiator.host;
        host.control_out(port.request(0, 0x22, 3, 0), &[]).expect("DTR and RTS");
        let mut xs = Vec::new();
        for round in 0..30_u8 {
            let sectors = read(&mut initiator, round % 8 + 1);
            assert_eq!(sectors.get(3..11), Some(&b"EXFAT   "[..]), "round {round}");
            let host = &mut initiator.host;
            let line = [b'a' + round % 26; 48];
            host.out_packet(port.bulk_out, &line).expect("the port takes it");
            let whole: Vec<u8> = (0..64).map(|byte: u8| byte ^ round).collect();
            host.out_packet(from_host, &whole).expect("the interface takes it");
            assert_eq!(host.in_packet(to_host), Ok(whole), "round {round}");
            let report = host.in_packet(mouse).expect("a report each 50 ms");
            xs.push(report.get(1).copied());
            assert_eq!(host.in_packet(port.bulk_in).as_deref(), Ok(&line[..]), "round {round}");
            host.elapse(Duration::from_millis(20));
        }
        // What was pushed before there was a configuration is lost.
        let first = xs.first().copied().flatten().expect("a report has three bytes");
        let expected: Vec<Option<u8>> = (0..30).map(|round| Some((first + round) % 10)).collect();
        assert_eq!(xs, expected, "each report once, in order");
        drop(initiator);
        assert_eq!(device.fault(), None);
    }
}
