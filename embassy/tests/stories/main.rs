//! The class on embassy-usb and the simulator's in-memory controller: the stories, without halts, and changes by the
//! application. A driver that leaves nothing undone shows what the class does, and what is left to embassy-usb.

mod device;
mod driver;

use device::EmbassyDevice;
use picovd::files::Snapshot;
use picovd::vd::File;
use picovd_sim::host::system::{Event, LINUX_DESKTOP, LINUX_KERNEL, System};
use picovd_sim::memory::Contents;
use picovd_sim::story::{self, Effort};
use picovd_sim::{native, plug};
use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::sync::Mutex;
use std::time::Duration;

/// There is one time for all: `embassy_time::MockDriver`.
static TIME: Mutex<()> = Mutex::new(());

fn board() -> native::Board {
    const MANIFEST: &str =
        "[[file]]\npath = 'README.TXT'\ntext = 'Hello.'\n\n[dynamic]\nfiles = 2\nwindow = '64 KiB'\n";
    let manifest = picovd_manifest::read_text("picovd.toml", MANIFEST, Path::new(".")).expect("it is TOML");
    let plan = picovd_manifest::check(&manifest, None).and_then(|checked| picovd_manifest::plan(&checked));
    plug::board(plan.expect("the manifest is right"), Contents::noise(1 << 16))
}

/// Stories that fail because of embassy-usb 0.6, whatever the driver does.
const OF_EMBASSY_USB: [&str; 3] = [
    // It accepts requests in the Default state, and to endpoints that do not exist.
    "chapter-9",
    // A request to the host without data (wLength 0) gets no status stage.
    "random-requests",
    // SET_FEATURE(DEVICE_REMOTE_WAKEUP) is accepted by a device that cannot wake its host.
    "abandoned",
];

#[test]
fn the_stories_run_without_halts() {
    let _time = TIME.lock();
    let effort = Effort { random_wrappers: 5_000, halts: false, ..Effort::NATIVE };
    let mut failed = Vec::new();
    for story in story::STORIES {
        let result = story.play(EmbassyDevice::new(board()), effort);
        if result.is_ok() == OF_EMBASSY_USB.contains(&story.name) {
            failed.push(format!("{}: {result:?}", story.name));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}

#[test]
fn an_update_wakes_the_disk() {
    static LOG: Snapshot<u32> = Snapshot::new(1);
    static LOUD: File<'static> = File::new("LOUD.TXT", &LOG, 16);
    static QUIET: File<'static> = File::new("QUIET.TXT", &LOG, 16).unannounced();
    let _time = TIME.lock();
    let device = Rc::new(RefCell::new(EmbassyDevice::new(board())));
    let files = device.borrow().files();
    for file in [&LOUD, &QUIET] {
        files.add(file).expect("room");
    }
    let mut system = System::boot(LINUX_KERNEL, Box::new(Rc::clone(&device))).expect("it mounts");
    system.elapse(Duration::from_secs(10));
    let mut device = device.borrow_mut();
    assert!(!device.is_woken_by(|| ()), "nothing happened");
    assert!(!device.is_woken_by(|| files.update(&QUIET).expect("registered")), "nothing to announce");
    assert!(device.is_woken_by(|| files.update(&LOUD).expect("registered")));
    assert!(device.is_woken_by(|| files.insert()));
}

#[test]
fn a_change_reaches_hosts_that_poll_and_hosts_that_do_not() {
    static COUNT: Snapshot<u32> = Snapshot::new(1);
    static COUNT_TXT: File<'static> = File::new("COUNT.TXT", &COUNT, 16);
    let _time = TIME.lock();
    for (profile, event) in [(LINUX_DESKTOP, Event::MediumChanged), (LINUX_KERNEL, Event::DeviceGone)] {
        COUNT.set(1);
        let device = EmbassyDevice::new(board());
        let files = device.files();
        files.add(&COUNT_TXT).expect("room");
        let mut system = System::boot(profile, Box::new(device)).expect("it mounts");
        assert_eq!(system.read("COUNT.TXT").expect("present from the start"), b"1");
        system.elapse(Duration::from_secs(10));
        system.take_events();
        COUNT.set(2);
        files.update(&COUNT_TXT).expect("registered");
        system.elapse(Duration::from_secs(20));
        let events = system.take_events();
        assert!(events.contains(&event), "{}: {events:?}", profile.name);
        if !profile.automounts {
            system.remount().expect("it is back");
        }
        assert_eq!(system.read("COUNT.TXT").expect("there"), b"2", "{}", profile.name);
    }
}
