//! Contents that are computed by functions.

use crate::dynamic::{Content, Frozen};
use crate::volume::Generation;

/// Contents that are computed by two functions. For the same generation number they must return the same bytes, unless the
/// file is meant to differ at every read.
pub struct Function {
    /// Length in bytes in `generation`; `None` is the next one.
    pub length: fn(generation: Option<u32>) -> u32,
    /// Fills the slice with the bytes of the generation from that offset on. All of it is within the length.
    pub read: fn(generation: u32, offset: u32, out: &mut [u8]),
}

impl Content for Function {
    fn length(&self) -> u32 {
        (self.length)(None)
    }

    fn freeze(&self, generation: Generation) -> Frozen {
        Frozen { length: (self.length)(Some(generation.number)), kept: false }
    }

    fn read(&self, generation: u32, offset: u32, out: &mut [u8]) {
        (self.read)(generation, offset, out);
    }
}
