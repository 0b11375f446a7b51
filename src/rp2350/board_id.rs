//! The chip's unique identity.

use super::rom::rom;
use crate::volume::BoardIdentity;

/// CHIP_INFO of get_sys_info: package, device id and wafer id, a word each.
const CHIP_INFO: u32 = 0x0001;

/// The chip's unique 64-bit identity, from the bootrom's get_sys_info (section 5.4.8.17).
///
/// `None` if the bootrom does not know it.
pub(super) fn read() -> Option<BoardIdentity> {
    let mut words = [0; 4];
    let filled = rom(|rom| rom.get_sys_info(&mut words, CHIP_INFO));
    let [known, _, device, wafer] = words;
    let told = filled == 4 && known & CHIP_INFO != 0;
    told.then(|| BoardIdentity(u64::from(wafer) << 32 | u64::from(device)))
}
