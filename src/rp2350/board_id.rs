//! The chip's unique identity.

use crate::volume::BoardIdentity;
use rp235x_hal::rom_data::sys_info_api;

/// Asks the bootrom's get_sys_info (section 5.4.8.17) for the chip's 64-bit unique identity.
///
/// `None` when the bootrom does not know it.
#[must_use]
pub fn read() -> Option<BoardIdentity> {
    let chip = sys_info_api::chip_info().ok()??;
    Some(BoardIdentity(u64::from(chip.wafer_id) << 32 | u64::from(chip.device_id)))
}
