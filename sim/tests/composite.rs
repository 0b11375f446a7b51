//! Devices with more than a disk, natively: each combination of console and reset interface plays every story that is about it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use picovd::usb::Reset;
use picovd_sim::host::ms_os_20::SetInformation;
use picovd_sim::host::picotool::{BOOTSEL, FLASH};
use picovd_sim::host::{Host, Initiator, descriptor};
use picovd_sim::memory::Contents;
use picovd_sim::native::NativeDevice;
use picovd_sim::plug;
use picovd_sim::story::{self, Effort};

/// The manifest tests/manifests/composite.toml with these switches.
fn manifest(console: bool, picotool_reset: bool) -> PathBuf {
    let stock = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/manifests/composite.toml");
    let text = fs::read_to_string(&stock).unwrap_or_else(|error| panic!("{}: {error}", stock.display()));
    let text = text
        .replace("console = true", &format!("console = {console}"))
        .replace("picotool-reset = true", &format!("picotool-reset = {picotool_reset}"));
    // Tests run at the same time: none reads what another one is writing.
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let path =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("composite-{console}-{picotool_reset}-{count}.toml"));
    fs::write(&path, text).expect("the target folder is ours");
    path
}

fn device(console: bool, picotool_reset: bool) -> NativeDevice {
    let plan = plug::plan(Some(&manifest(console, picotool_reset))).unwrap_or_else(|problems| panic!("{problems}"));
    let contents = Contents::noise(plan.chip.flash_size as usize);
    NativeDevice::new(plug::board(plan, contents))
}

fn attach(device: &mut NativeDevice) -> Initiator<'_> {
    Initiator::attach(Host::new(Box::new(device))).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn every_combination_plays_its_stories() {
    let mut failures = Vec::new();
    for (console, picotool_reset) in [(true, true), (true, false), (false, true)] {
        let path = manifest(console, picotool_reset);
        let usb = plug::plan(Some(&path)).unwrap_or_else(|problems| panic!("{problems}")).usb;
        let effort = Effort { random_wrappers: 5_000, ..Effort::NATIVE };
        let more = story::stories(&usb).count() - story::STORIES.len();
        assert_eq!(more, if console { 6 } else { 0 } + if picotool_reset { 4 } else { 0 });
        for story in story::stories(&usb) {
            let plug = plug::open(Some(&path), None).unwrap_or_else(|error| panic!("{error}"));
            if let Err(error) = story.play(plug.link, effort) {
                failures.push(format!("console {console}, reset {picotool_reset}, {}: {error}", story.name));
            }
        }
    }
    assert!(failures.is_empty(), "{} stories failed\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn stories_have_names_of_their_own() {
    let mut names: Vec<_> = story::all().map(|story| story.name).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
}

#[test]
fn each_switch_adds_its_interfaces_and_nothing_else() {
    let storage = [0x08, 0x06, 0x50];
    let (control, data, reset) = ([0x02, 0x02, 0x00], [0x0A, 0x00, 0x00], [0xFF, 0x00, 0x01]);
    for (console, picotool_reset, classes) in [
        (false, false, vec![storage]),
        (true, false, vec![storage, control, data]),
        (false, true, vec![storage, reset]),
        (true, true, vec![storage, control, data, reset]),
    ] {
        let mut device = device(console, picotool_reset);
        let found = attach(&mut device).device;
        let interfaces: Vec<_> = found.configuration.interfaces.iter().map(|interface| interface.class).collect();
        assert_eq!(interfaces, classes);
        let endpoints = found.configuration.interfaces.iter().flat_map(|interface| &interface.endpoints);
        let (ins, outs): (Vec<u8>, Vec<u8>) =
            endpoints.map(|endpoint| endpoint.address).partition(|address| address & 0x80 != 0);
        // The RP2350's controller has 15 each; a packet buffer takes 64 of its 3712 bytes.
        assert_eq!((ins.len(), outs.len()), if console { (3, 2) } else { (1, 1) });
        assert_eq!(found.configuration.associations.len(), usize::from(console));
        assert_eq!(found.descriptor.class, if classes.len() == 1 { [0, 0, 0] } else { [0xEF, 0x02, 0x01] });
        // Only what Windows reads there needs a BOS, and a device that has one says LPM in the USB 2.0 extension.
        assert_eq!(found.descriptor.usb_version, if picotool_reset { 0x210 } else { 0x200 });
        assert_eq!(found.bos.is_some(), picotool_reset);
        let Some(bos) = found.bos else { continue };
        assert_eq!(bos[5..12], [7, 16, 2, 2, 0, 0, 0]);
        let capabilities = descriptor::parse_bos(&bos).expect("a right BOS");
        assert!(SetInformation::find(&capabilities).expect("a right capability").is_some());
    }
}

/// The configuration descriptor's bMaxPower of a device whose `[usb]` has these lines.
fn max_power(lines: &str) -> u8 {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("max-power.toml");
    fs::write(&path, format!("[usb]\n{lines}\n")).expect("the target folder is ours");
    let plan = plug::plan(Some(&path)).unwrap_or_else(|problems| panic!("{problems}"));
    let contents = Contents::noise(plan.chip.flash_size as usize);
    let mut device = NativeDevice::new(plug::board(plan, contents));
    attach(&mut device).device.configuration.max_power
}

#[test]
fn power_is_what_a_hub_without_a_supply_gives_unless_the_manifest_says_otherwise() {
    // In units of 2 mA (USB 2.0 9.6.3).
    assert_eq!(max_power(""), 50);
    for (milliamperes, power) in [(2, 1), (3, 2), (99, 50), (100, 50), (250, 125), (499, 250), (500, 250)] {
        assert_eq!(max_power(&format!("max-power = {milliamperes}")), power, "{milliamperes} mA");
    }
}

#[test]
fn each_composition_has_a_release_of_its_own() {
    let releases = [(false, false), (true, false), (false, true), (true, true)];
    let releases = releases.map(|(console, reset)| attach(&mut device(console, reset)).device.descriptor.release);
    assert_eq!(releases, [0x0100, 0x0101, 0x0102, 0x0103]);
}

#[test]
fn the_descriptors_of_a_plain_disk_are_what_they_were() {
    let mut device = device(false, false);
    let mut initiator = attach(&mut device);
    let configuration = picovd_sim::host::enumerate::get_descriptor(&mut initiator.host, 2, 0, 0, 255).expect("it is");
    #[rustfmt::skip]
    let expected = [
        9, 2, 32, 0, 1, 1, 0, 0x80, 50,
        9, 4, 0, 0, 2, 8, 6, 0x50, 0,
        7, 5, 0x81, 2, 64, 0, 0,
        7, 5, 0x01, 2, 64, 0, 0,
    ];
    assert_eq!(configuration, expected);
    assert_eq!(initiator.device.bos, None);
}

#[test]
fn what_picotool_asks_for_is_what_is_done() {
    let cases = [
        (FLASH, 0, Reset::Flash),
        (FLASH, 0x1FF, Reset::Flash),
        (BOOTSEL, 0, Reset::Bootsel { no_mass_storage: false, no_picoboot: false, activity_led: None }),
        (BOOTSEL, 1, Reset::Bootsel { no_mass_storage: true, no_picoboot: false, activity_led: None }),
        (BOOTSEL, 2, Reset::Bootsel { no_mass_storage: false, no_picoboot: true, activity_led: None }),
        // Without bit 8 there is no GPIO.
        (BOOTSEL, 25 << 9, Reset::Bootsel { no_mass_storage: false, no_picoboot: false, activity_led: None }),
        (BOOTSEL, 25 << 9 | 0x103, Reset::Bootsel { no_mass_storage: true, no_picoboot: true, activity_led: Some(25) }),
        (BOOTSEL, 0xFFFF, Reset::Bootsel { no_mass_storage: true, no_picoboot: true, activity_led: Some(127) }),
    ];
    for (request, value, expected) in cases {
        let mut device = device(false, true);
        let mut initiator = attach(&mut device);
        let interface = initiator.device.reset_interface.expect("it has one");
        interface.send(&mut initiator.host, request, value).expect("accepted");
        initiator.host.elapse(Duration::from_millis(50));
        // The restart leaves the status stage its time.
        initiator.test_unit_ready().expect_err("the first command meets a unit attention, not silence");
        initiator.host.elapse(Duration::from_millis(100));
        drop(initiator);
        assert_eq!(device.restarts(), [expected], "request {request} with {value:#06x}");
    }
}
