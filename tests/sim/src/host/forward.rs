//! Links behind pointers are links.

use std::time::Duration;

use crate::link::{InReply, Link, OutReply, Pid};

/// Everything that a [`Link`] does, by the link behind a pointer.
macro_rules! forward {
    ($pointer:ty) => {
        impl<L: Link + ?Sized> Link for $pointer {
            fn attached(&mut self) -> bool {
                (**self).attached()
            }
            fn bus_reset(&mut self) {
                (**self).bus_reset();
            }
            fn setup(&mut self, address: u8, packet: [u8; 8]) -> OutReply {
                (**self).setup(address, packet)
            }
            fn out(&mut self, address: u8, endpoint: u8, pid: Pid, data: &[u8]) -> OutReply {
                (**self).out(address, endpoint, pid, data)
            }
            fn r#in(&mut self, address: u8, endpoint: u8, acknowledge: bool) -> InReply {
                (**self).r#in(address, endpoint, acknowledge)
            }
            fn suspend(&mut self) {
                (**self).suspend();
            }
            fn resume(&mut self) {
                (**self).resume();
            }
            fn replug(&mut self) {
                (**self).replug();
            }
            fn elapse(&mut self, time: Duration) {
                (**self).elapse(time);
            }
            fn stall(&mut self, time: Duration) -> bool {
                (**self).stall(time)
            }
            fn now(&self) -> Duration {
                (**self).now()
            }
            fn take_faults(&mut self) -> Vec<String> {
                (**self).take_faults()
            }
            fn tolerates(&mut self, what: &str) -> bool {
                (**self).tolerates(what)
            }
            fn measured(&mut self) -> Option<String> {
                (**self).measured()
            }
        }
    };
}

// A borrowed link is a link.
forward!(&mut L);
// A boxed link is a link.
forward!(Box<L>);
