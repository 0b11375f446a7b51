//! The wire between a USB host controller and one device: the trait that both ends agree on, a wire that garbles packets, and the random
//! numbers of tests. It names nothing of PicoVD, so that the host and the board on its two ends cannot either.

pub mod faults;
mod forward;
pub mod link;
pub mod random;
