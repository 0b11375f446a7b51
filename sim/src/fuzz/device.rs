//! Packets to the library's device on the in-memory bus.

use super::Bytes;
use crate::host::bot::{CswStatus, Data};
use crate::host::terminal::Terminal;
use crate::host::{Host, Initiator};
use crate::link::{Link, Pid};
use crate::memory::Contents;
use crate::native::NativeDevice;
use crate::plug;
use std::cell::RefCell;
use std::path::Path;
use std::time::Duration;

/// One device for all inputs of a thread, since each start of the library leaks a little memory. Between two inputs there
/// is a bus reset, from which it has to recover.
fn with_device(manifest: &str, work: impl FnOnce(&mut NativeDevice)) {
    thread_local! {
        static DEVICES: RefCell<Vec<(String, NativeDevice)>> = const { RefCell::new(Vec::new()) };
    }
    DEVICES.with_borrow_mut(|devices| {
        if !devices.iter().any(|(name, _)| name == manifest) {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/manifests").join(manifest);
            let plan = plug::plan(Some(&path)).unwrap_or_else(|problems| panic!("{problems}"));
            let contents = Contents::noise(plan.chip.flash_size as usize);
            devices.push((manifest.to_owned(), NativeDevice::new(plug::board(plan, contents))));
        }
        let (_, device) = devices.iter_mut().find(|(name, _)| name == manifest).expect("it is there now");
        work(device);
    });
}

/// After any input and a bus reset, the device must enumerate, and a READ of its first block must be correct.
fn recovers(device: &mut NativeDevice) {
    device.elapse(Duration::from_millis(200));
    // The model of the bus also reports mistakes in the input itself; the device's driver is checked elsewhere.
    let faults = device.take_faults();
    assert!(faults.is_empty(), "{faults:?}");
    if !device.attached() {
        // The input has restarted it in BOOTSEL mode.
        device.replug();
    }
    let host = Host::new(Box::new(device));
    let mut initiator = Initiator::attach(host).expect("it enumerates again");
    initiator.wait_ready().expect("it is ready again");
    let outcome = initiator.command(0, &[0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0], Data::In(512)).expect("a status");
    assert_eq!(outcome.csw.status, CswStatus::CommandPassed);
    assert_eq!(outcome.data.get(3..11), Some(&b"EXFAT   "[..]), "block 0 is the boot sector (exFAT 3.1.2)");
}

/// Transactions of a host that ignores all rules: SETUP, OUT, IN, resets and pauses, CBWs among them.
pub fn packets(data: &[u8]) {
    with_device("composite.toml", |device| {
        let mut bytes = Bytes(data);
        let mut address = 0;
        let mut pid = Pid::Data0;
        for _ in 0..200 {
            if bytes.is_empty() {
                break;
            }
            let kind = bytes.byte();
            let endpoint = kind >> 4 & 7;
            match kind & 7 {
                0 => {
                    let mut packet = [0; 8];
                    packet.iter_mut().zip(bytes.take(8)).for_each(|(to, from)| *to = *from);
                    device.setup(address, packet);
                    if packet.starts_with(&[0, 5]) {
                        // SET_ADDRESS takes effect after its status stage (USB 2.0 9.4.6).
                        device.r#in(address, 0, true);
                        address = packet[2] & 0x7F;
                    }
                }
                1 => {
                    let length = usize::from(bytes.byte() % 65);
                    device.out(address, endpoint, pid, bytes.take(length));
                    pid = pid.toggled();
                }
                // A valid CBW except for what the input changes.
                2 => {
                    let mut wrapper = [0; 31];
                    wrapper[..4].copy_from_slice(b"USBC");
                    wrapper[4..].iter_mut().zip(bytes.take(27)).for_each(|(to, from)| *to = *from);
                    device.out(address, 1, pid, &wrapper);
                    pid = pid.toggled();
                }
                3 | 4 => {
                    for _ in 0..=bytes.byte() & 15 {
                        device.r#in(address, endpoint, kind & 8 == 0);
                    }
                }
                5 => pid = pid.toggled(),
                6 => {
                    device.bus_reset();
                    address = 0;
                }
                _ => device.elapse(Duration::from_millis(u64::from(bytes.byte()))),
            }
        }
        recovers(device);
    });
}

/// Types the input into the port: the device must survive it.
pub fn console(data: &[u8]) {
    with_device("settings.toml", |device| {
        if !typed(device, data.get(..2048).unwrap_or(data)) {
            // The input has restarted it, so it is gone.
            device.replug();
        }
        recovers(device);
    });
}

/// Types into the port. Returns false if the device takes nothing any more.
fn typed(device: &mut NativeDevice, text: &[u8]) -> bool {
    let mut initiator = Initiator::attach(Host::new(Box::new(device))).expect("it enumerates");
    let mut terminal = Terminal::open(&mut initiator).expect("it has a port");
    // After what the last input has left.
    let pieces = [&b"\r\n"[..]].into_iter().chain(text.chunks(64)).chain([&b"\r\n"[..]]);
    for piece in pieces {
        if terminal.send(&mut initiator, piece).is_err() || terminal.take(&mut initiator).is_err() {
            return false;
        }
    }
    true
}
