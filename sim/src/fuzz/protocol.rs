//! Bytes from the other end of a socket.

use super::Bytes;
use crate::memory::Contents;
use crate::native::NativeDevice;
use crate::plug;
use crate::serve::bus::Bus;
use crate::serve::come_up;
use crate::serve::front::{Front, Verdict};
use crate::serve::usbip::Usbip;
use crate::serve::usbredir::Usbredir;
use std::cell::RefCell;
use std::time::Duration;

/// As in the server: one connection, whose bytes arrive in pieces.
fn talk(mut front: impl Front, data: &[u8]) {
    thread_local! {
        static BUS: RefCell<Option<Bus>> = const { RefCell::new(None) };
    }
    BUS.with_borrow_mut(|bus| {
        let bus = bus.get_or_insert_with(|| {
            let plan = plug::plan(None).unwrap_or_else(|problems| panic!("{problems}"));
            let contents = Contents::noise(plan.chip.flash_size as usize);
            Bus::new(Box::new(NativeDevice::new(plug::board(plan, contents))))
        });
        bus.abandon();
        come_up(bus).expect("the device comes up, whatever the last connection did");
        let mut out = Vec::new();
        front.greet(&mut out);
        let mut bytes = Bytes(data);
        'pieces: while !bytes.is_empty() {
            let length = usize::from(bytes.byte()) + 1;
            let mut piece = bytes.take(length);
            // Each turn handles a message, and no piece contains more messages than bytes.
            for _ in 0..=length + 64 {
                match front.receive(std::mem::take(&mut piece), bus, &mut out) {
                    Ok(Verdict::Stay) => break,
                    Ok(Verdict::More | Verdict::Say(_)) => {}
                    Ok(Verdict::Claim) => {
                        front.plug(bus, &mut out);
                    }
                    Ok(Verdict::Close) | Err(_) => break 'pieces,
                }
            }
            for _ in 0..32 {
                if !bus.run() {
                    bus.elapse(Duration::from_micros(100));
                }
                for completion in bus.take_ended() {
                    front.complete(&completion, bus, &mut out);
                }
            }
            assert!(out.len() < 64 << 20, "an answer without an end");
        }
        bus.abandon();
        let faults = bus.take_faults();
        assert!(faults.is_empty(), "{faults:?}");
    });
}

/// A virtual machine that speaks usbredir, possibly wrong.
pub fn usbredir(data: &[u8]) {
    talk(Usbredir::default(), data);
}

/// A machine that speaks USB/IP, possibly wrong.
pub fn usbip(data: &[u8]) {
    talk(Usbip::default(), data);
}
