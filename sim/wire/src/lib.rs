//! The wire between a USB host controller and one device: the trait that both ends implement, a wire that loses packets,
//! and random numbers for tests. It is independent of PicoVD, so that the host and the board at its two ends are, too.

pub mod faults;
mod forward;
pub mod link;
pub mod random;
