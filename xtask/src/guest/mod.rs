//! A virtual machine with Debian's own kernel, to plug the simulated device into.

pub mod archive;
pub mod console;
pub mod desktop;
pub mod live;
pub mod machine;
pub mod packages;
pub mod settings;
pub mod stick;
pub mod tail;
