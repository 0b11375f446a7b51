//! Pointers to links are links.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use crate::link::{InReply, Link, OutReply, Pid};

/// All methods of [`Link`], forwarded to the link behind a pointer: through `$changed` if they change it, through `$seen`
/// if not.
macro_rules! forward {
    ($pointer:ty, $this:ident => $changed:expr, $seen:expr) => {
        impl<L: Link + ?Sized> Link for $pointer {
            fn attached(&mut self) -> bool {
                let $this = self;
                $changed.attached()
            }
            fn bus_reset(&mut self) {
                let $this = self;
                $changed.bus_reset();
            }
            fn setup(&mut self, address: u8, packet: [u8; 8]) -> OutReply {
                let $this = self;
                $changed.setup(address, packet)
            }
            fn out(&mut self, address: u8, endpoint: u8, pid: Pid, data: &[u8]) -> OutReply {
                let $this = self;
                $changed.out(address, endpoint, pid, data)
            }
            fn r#in(&mut self, address: u8, endpoint: u8, acknowledge: bool) -> InReply {
                let $this = self;
                $changed.r#in(address, endpoint, acknowledge)
            }
            fn suspend(&mut self) {
                let $this = self;
                $changed.suspend();
            }
            fn resume(&mut self) {
                let $this = self;
                $changed.resume();
            }
            fn replug(&mut self) {
                let $this = self;
                $changed.replug();
            }
            fn elapse(&mut self, time: Duration) {
                let $this = self;
                $changed.elapse(time);
            }
            fn stall(&mut self, time: Duration) -> bool {
                let $this = self;
                $changed.stall(time)
            }
            fn now(&self) -> Duration {
                let $this = self;
                $seen.now()
            }
            fn take_faults(&mut self) -> Vec<String> {
                let $this = self;
                $changed.take_faults()
            }
            fn tolerates(&mut self, what: &str) -> bool {
                let $this = self;
                $changed.tolerates(what)
            }
            fn measured(&mut self) -> Option<String> {
                let $this = self;
                $changed.measured()
            }
        }
    };
}

// A borrowed link is a link.
forward!(&mut L, link => (**link), (**link));
// A boxed link is a link.
forward!(Box<L>, link => (**link), (**link));
// So is a shared one.
forward!(Rc<RefCell<L>>, link => link.borrow_mut(), link.borrow());
