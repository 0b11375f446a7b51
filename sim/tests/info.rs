//! INFO.TXT and INFO.JSON: they describe the volume and the board correctly in each generation; a panic is reported after
//! the reset that follows it.

mod board_elf;

use picovd_manifest::DiskPlan;
use picovd_sim::host::exfat::Volume;
use picovd_sim::host::exfat::check::check;
use picovd_sim::host::scsi::Disk;
use picovd_sim::host::{Host, Initiator};
use picovd_sim::link::Link;
use picovd_sim::plug::{self, IDENTITY};
use serde_json::Value;

fn plan() -> DiskPlan {
    plug::plan(None).unwrap_or_else(|error| panic!("{error}"))
}

/// Both files, after what they say of the volume was held against the volume.
fn look(link: &mut dyn Link) -> (String, Value) {
    let initiator = Initiator::attach(Host::new(Box::new(link))).expect("it enumerates");
    let mut disk = Disk::open(initiator).expect("the unit is ready");
    let findings = check(&mut disk).expect("the volume is readable");
    assert!(findings.is_empty(), "{findings:?}");
    let mut volume = Volume::open(&mut disk).expect("a volume");
    let mut file = |name: &str| {
        let node = volume.find(name).expect("the file is there");
        String::from_utf8(volume.read_file(&node).expect("it can be read")).expect("UTF-8")
    };
    let (text, json) = (file("INFO.TXT"), file("INFO.JSON"));
    let json: Value = serde_json::from_str(&json).unwrap_or_else(|error| panic!("{error}:\n{json}"));
    let told = &json["volume"];
    assert_eq!(told["serial_number"], volume.boot().volume_serial_number);
    assert_eq!(told["clusters"], volume.boot().cluster_count);
    assert_eq!(told["cluster_length"], volume.cluster_length());
    assert_eq!(told["length"], volume.boot().volume_length * 512);
    assert_eq!(told["label"], volume.label());
    let serial = volume.boot().volume_serial_number;
    assert!(text.contains(&format!("serial number {:04X}-{:04X}\r\n", serial >> 16, serial & 0xFFFF)), "{text}");
    for (line, key) in [("Generation     ", "generation"), ("Uptime         ", "uptime_ms")] {
        assert!(text.contains(&format!("{line}{}", json[key])), "{key}: {text}");
    }
    (text, json)
}

mod native {
    use super::{IDENTITY, Value, look, plan, plug};
    use picovd::files::Text;
    use picovd::vd::{File, vd_add_file};
    use picovd_sim::link::Link;
    use picovd_sim::memory::Contents;
    use picovd_sim::native::NativeDevice;
    use std::time::Duration;

    #[test]
    fn each_generation_describes_itself() {
        static CONTENT: Text<'static> = Text::new("news");
        static NEWS: File<'static> = File::new("NEWS.TXT", &CONTENT, 4096);
        let contents = Contents::noise(plan().chip.flash_size as usize);
        let mut device = NativeDevice::new(plug::board(plan(), contents));
        let (text, first) = look(&mut device);
        assert_eq!(first["chip"]["id"], String::from_utf8_lossy(&IDENTITY.digits()).into_owned());
        assert_eq!(first["chip"]["flash_size"], plan().chip.flash_size);
        assert_eq!(first["reset"], "power-on");
        assert_eq!(first["panic"], Value::Null);
        assert!(text.contains("Last panic     none\r\n"), "{text}");
        vd_add_file(device.files(), &NEWS).expect("there is room");
        // Longer than the quiet period, the host's look and the announcement take.
        device.elapse(Duration::from_secs(20));
        let (_, second) = look(&mut device);
        let number = |json: &Value, key: &str| json[key].as_u64().expect("a number");
        assert!(number(&second, "generation") > number(&first, "generation"), "{first}\n{second}");
        assert!(number(&second, "uptime_ms") >= number(&first, "uptime_ms") + 500, "{first}\n{second}");
    }
}

mod ring5 {
    use super::{Value, look};
    use crate::board_elf;
    use picovd_sim::board::ElfDevice;
    use picovd_sim::link::Link;

    #[test]
    #[ignore = "needs the firmware: cargo xtask test --ring 5"]
    fn a_board_that_was_plugged_in() {
        let mut device = ElfDevice::new(&board_elf::bytes()).expect("the board boots it");
        let (text, json) = look(&mut device);
        assert_eq!(device.fault(), None);
        assert_eq!(json["firmware"]["name"], "picovd", "{text}");
        assert_eq!(json["firmware"]["version"], env!("CARGO_PKG_VERSION"));
        assert_eq!(json["firmware"]["build"].as_str().map(str::len), Some(16));
        assert_eq!(json["chip"]["name"], "RP2350");
        assert_eq!(json["chip"]["bootrom"], 2);
        assert_eq!(json["chip"]["id"], "1D2E3F405A4BC0DE");
        assert_eq!(json["reset"], "power-on");
        assert_eq!(json["panic"], Value::Null);
    }

    /// The start of the program finds its peripherals taken: it panics, restarts, and reports that. After the next power-on it is
    /// forgotten.
    #[test]
    #[ignore = "needs the firmware: cargo xtask test --ring 5"]
    fn a_panic_is_told_after_the_reset() {
        let mut device = ElfDevice::new(&board_elf::bytes()).expect("the board boots it");
        let taken = device.machine().symbol("DEVICE_PERIPHERALS").expect("the peripherals are taken once");
        while device.machine().reboots() == 0 {
            let now = device.machine().cycles();
            assert!(now < 10_000_000, "it does not panic");
            device.machine().run_until(now + 20);
            assert!(device.machine().preload_sram(taken, &[1]), "{taken:#x} lies in SRAM");
        }
        // cortex-m-rt clears what was written: the program starts as ever.
        let (text, json) = look(&mut device);
        assert_eq!(device.fault(), None);
        assert_eq!(device.machine().reboots(), 1);
        assert_eq!(json["reset"], "panic", "{text}");
        let panic = json["panic"].as_str().expect("a text");
        assert!(panic.starts_with("src/") && panic.contains(".rs:") && panic.ends_with("taken"), "{panic}");
        assert!(text.contains(&format!("Last panic     {panic}")), "{text}");
        device.replug();
        let (text, json) = look(&mut device);
        assert_eq!((&json["reset"], &json["panic"]), (&"power-on".into(), &Value::Null), "{text}");
    }
}
