//! MODE SENSE(6) and (10) (SPC-4 6.11, 6.12), from which hosts learn that the medium is write-protected.
//!
//! Nothing can be changed or saved: the current values are the default values, and MODE SELECT is not supported.

use super::Sense;
use super::cdb::{Cdb, OperationCode};
use super::response::Response;

/// Caching mode page (SBC-3 6.4.5): no write cache. No bit of it needs to be set.
const CACHING: [u8; 2] = [0x08, 0x12];
/// Informational exceptions control mode page (SPC-4 7.5.11).
const INFORMATIONAL_EXCEPTIONS: [u8; 2] = [0x1C, 0x0A];
/// DEXCPT, byte 2 of that page: no informational exceptions are reported.
const DEXCPT: u8 = 0x08;

/// Builds the reply to a MODE SENSE. There are never block descriptors, whatever DBD says (SPC-4 6.11 leaves that to the
/// unit).
pub fn mode_sense(cdb: &Cdb<'_>, response: &mut Response) -> Result<(), Sense> {
    /// PC: changeable values.
    const CHANGEABLE: u8 = 0b01;
    /// PC: saved values.
    const SAVED: u8 = 0b11;
    const ALL_PAGES: u8 = 0x3F;
    /// Vendor specific, without a page format. The unit has no such page: hosts that request it want the header.
    const NO_PAGE: u8 = 0x00;
    const ALL_SUBPAGES: u8 = 0xFF;
    /// Length of the header of MODE SENSE(6) and (10).
    const HEADER_6: usize = 4;
    const HEADER_10: usize = 8;
    /// WP, DEVICE-SPECIFIC PARAMETER of direct access devices (SBC-3 6.4.1).
    const WP: u8 = 0x80;

    let page_control = cdb.byte(2) >> 6;
    let page_code = cdb.byte(2) & 0x3F;
    if page_control == SAVED {
        return Err(Sense::SAVING_PARAMETERS_NOT_SUPPORTED);
    }
    if !matches!(cdb.byte(3), 0 | ALL_SUBPAGES) {
        return Err(Sense::INVALID_FIELD_IN_CDB);
    }
    let wanted = |page: [u8; 2]| page_code == ALL_PAGES || page_code == page[0];
    let length = |page: [u8; 2]| if wanted(page) { page.len() + usize::from(page[1]) } else { 0 };
    let pages = length(CACHING) + length(INFORMATIONAL_EXCEPTIONS);
    if pages == 0 && page_code != NO_PAGE {
        return Err(Sense::INVALID_FIELD_IN_CDB);
    }

    // MODE DATA LENGTH does not count itself. It fits in a byte.
    if cdb.operation_code() == OperationCode::MODE_SENSE_6 {
        response.put(&[(HEADER_6 - 1 + pages) as u8, 0, WP, 0]);
    } else {
        response.put(&[0, (HEADER_10 - 2 + pages) as u8, 0, WP, 0, 0, 0, 0]);
    }
    if wanted(CACHING) {
        response.put(&CACHING);
        response.put_zeros(CACHING[1].into());
    }
    if wanted(INFORMATIONAL_EXCEPTIONS) {
        response.put(&INFORMATIONAL_EXCEPTIONS);
        response.put(&[if page_control == CHANGEABLE { 0 } else { DEXCPT }]);
        response.put_zeros(usize::from(INFORMATIONAL_EXCEPTIONS[1]) - 1);
    }
    Ok(())
}
