//! INQUIRY (SPC-4 6.6): standard data and vital product data.

use super::Sense;
use super::cdb::Cdb;
use super::response::Response;

/// How the unit identifies itself. All four are ASCII; other characters are replaced by spaces.
#[derive(Clone, Copy, Debug)]
pub struct UnitIdentity<'a> {
    /// T10 VENDOR IDENTIFICATION: up to 8 characters, longer ones are cut.
    pub vendor: &'a str,
    /// PRODUCT IDENTIFICATION: up to 16 characters.
    pub product: &'a str,
    /// PRODUCT REVISION LEVEL: up to 4 characters.
    pub revision: &'a str,
    /// Serial number, unique among the units of this vendor and product: up to 32 characters.
    pub serial: &'a str,
}

const VENDOR_LENGTH: usize = 8;
const PRODUCT_LENGTH: usize = 16;
const REVISION_LENGTH: usize = 4;
/// Maximum length of the serial number: what fits beside the rest of VPD page 83h.
const SERIAL_LENGTH: usize = Response::CAPACITY - 2 * VPD_HEADER_LENGTH - VENDOR_LENGTH - PRODUCT_LENGTH;
/// Length of the header of a VPD page, and of a designation descriptor.
const VPD_HEADER_LENGTH: usize = 4;

const _: () = assert!(SERIAL_LENGTH == 32, "the documentation of UnitIdentity says so");

/// PERIPHERAL QUALIFIER and PERIPHERAL DEVICE TYPE (SPC-4 6.6.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Peripheral {
    /// A direct access block device is connected.
    DirectAccess = 0x00,
    /// There cannot be a device at this logical unit number.
    None = 0x7F,
}

/// Builds the reply to an INQUIRY.
pub fn inquiry(
    cdb: &Cdb<'_>,
    peripheral: Peripheral,
    identity: &UnitIdentity,
    response: &mut Response,
) -> Result<(), Sense> {
    const EVPD: u8 = 0x01;

    let page_code = cdb.byte(2);
    if cdb.byte(1) & EVPD != 0 {
        return vital_product_data(page_code, peripheral, identity, response);
    }
    if page_code != 0 {
        // SPC-4 6.6.1: a page code without EVPD.
        return Err(Sense::INVALID_FIELD_IN_CDB);
    }
    standard(peripheral, identity, response);
    Ok(())
}

/// Standard INQUIRY data (SPC-4 6.6.2): 36 bytes.
fn standard(peripheral: Peripheral, identity: &UnitIdentity, response: &mut Response) {
    const RMB: u8 = 0x80;
    const VERSION_SPC_4: u8 = 0x06;
    const RESPONSE_DATA_FORMAT: u8 = 0x02;
    const LENGTH: u8 = (8 + VENDOR_LENGTH + PRODUCT_LENGTH + REVISION_LENGTH) as u8;

    // ADDITIONAL LENGTH is the number of bytes after byte 4. All flags of bytes 5 to 7 are 0; PROTECT among them means
    // protection information, not write protection.
    response.put(&[peripheral as u8, RMB, VERSION_SPC_4, RESPONSE_DATA_FORMAT, LENGTH - 5, 0, 0, 0]);
    response.put_text(identity.vendor, VENDOR_LENGTH);
    response.put_text(identity.product, PRODUCT_LENGTH);
    response.put_text(identity.revision, REVISION_LENGTH);
}

/// Vital product data (SPC-4 7.8).
fn vital_product_data(
    page_code: u8,
    peripheral: Peripheral,
    identity: &UnitIdentity,
    response: &mut Response,
) -> Result<(), Sense> {
    const SUPPORTED_VPD_PAGES: u8 = 0x00;
    const UNIT_SERIAL_NUMBER: u8 = 0x80;
    const DEVICE_IDENTIFICATION: u8 = 0x83;
    const PAGES: [u8; 3] = [SUPPORTED_VPD_PAGES, UNIT_SERIAL_NUMBER, DEVICE_IDENTIFICATION];

    let serial_length = identity.serial.len().min(SERIAL_LENGTH);
    // Lengths fit in a byte: none exceeds the response's capacity.
    let header = |page_length: usize| [peripheral as u8, page_code, 0, page_length as u8];
    match page_code {
        SUPPORTED_VPD_PAGES => {
            response.put(&header(PAGES.len()));
            response.put(&PAGES);
        }
        UNIT_SERIAL_NUMBER => {
            response.put(&header(serial_length));
            response.put_text(identity.serial, serial_length);
        }
        DEVICE_IDENTIFICATION => {
            /// ASCII.
            const CODE_SET: u8 = 0x2;
            /// T10 vendor ID based (SPC-4 7.8.6.4), associated with the logical unit.
            const DESIGNATOR_TYPE: u8 = 0x1;

            let designator_length = VENDOR_LENGTH + PRODUCT_LENGTH + serial_length;
            response.put(&header(VPD_HEADER_LENGTH + designator_length));
            response.put(&[CODE_SET, DESIGNATOR_TYPE, 0, designator_length as u8]);
            response.put_text(identity.vendor, VENDOR_LENGTH);
            response.put_text(identity.product, PRODUCT_LENGTH);
            response.put_text(identity.serial, serial_length);
        }
        _ => return Err(Sense::INVALID_FIELD_IN_CDB),
    }
    Ok(())
}
