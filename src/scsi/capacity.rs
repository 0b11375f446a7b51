//! Capacities: READ CAPACITY(10) and (16), READ FORMAT CAPACITIES, REPORT LUNS.

use super::Sense;
use super::cdb::Cdb;
use super::response::Response;
use crate::block::{BLOCK_LENGTH, BlockCount};

const BLOCK_LENGTH_FIELD: [u8; 4] = (BLOCK_LENGTH as u32).to_be_bytes();

/// PMI and LOGICAL BLOCK ADDRESS, obsolete since SBC-3: with PMI 0, the address must be 0 (SBC-2 5.10). With PMI 1, the
/// answer is the same, since no address is slower than another.
fn check_partial_medium_indicator(cdb: &Cdb<'_>, pmi: u8) -> Result<(), Sense> {
    match pmi {
        0 if cdb.lba() == 0 => Ok(()),
        1 => Ok(()),
        _ => Err(Sense::INVALID_FIELD_IN_CDB),
    }
}

/// The last block's address.
fn last_lba(blocks: BlockCount) -> u32 {
    blocks.0.saturating_sub(1)
}

/// READ CAPACITY(10) (SBC-3 5.15): 8 bytes.
pub fn read_capacity_10(cdb: &Cdb<'_>, blocks: BlockCount, response: &mut Response) -> Result<(), Sense> {
    check_partial_medium_indicator(cdb, cdb.byte(8))?;
    response.put(&last_lba(blocks).to_be_bytes());
    response.put(&BLOCK_LENGTH_FIELD);
    Ok(())
}

/// READ CAPACITY(16) (SBC-3 5.16): 32 bytes. No protection information, no provisioning.
///
/// The operation code is SERVICE ACTION IN(16); any other service action is an invalid field (SPC-4 4.3.4.1).
pub fn read_capacity_16(cdb: &Cdb<'_>, blocks: BlockCount, response: &mut Response) -> Result<(), Sense> {
    const SERVICE_ACTION: u8 = 0x10;
    const LENGTH: usize = 32;

    if cdb.byte(1) != SERVICE_ACTION {
        return Err(Sense::INVALID_FIELD_IN_CDB);
    }
    check_partial_medium_indicator(cdb, cdb.byte(14))?;
    response.put(&u64::from(last_lba(blocks)).to_be_bytes());
    response.put(&BLOCK_LENGTH_FIELD);
    response.put_zeros(LENGTH - 12);
    Ok(())
}

/// READ FORMAT CAPACITIES (MMC-5 6.24): the header and the descriptor of the current capacity, 12 bytes.
pub fn read_format_capacities(blocks: BlockCount, response: &mut Response) {
    const DESCRIPTOR_LENGTH: u8 = 8;
    /// Descriptor type: formatted media.
    const FORMATTED: u8 = 0x02;

    let [_, high, middle, low] = BLOCK_LENGTH_FIELD;
    response.put(&[0, 0, 0, DESCRIPTOR_LENGTH]);
    response.put(&blocks.0.to_be_bytes());
    response.put(&[FORMATTED, high, middle, low]);
}

/// REPORT LUNS (SPC-4 6.33): LUN 0 is the only one.
pub fn report_luns(cdb: &Cdb<'_>, response: &mut Response) -> Result<(), Sense> {
    const LUN_LENGTH: u8 = 8;

    let luns: u8 = match cdb.byte(2) {
        0x00 | 0x02 => 1,
        // Only well-known logical units: there are none.
        0x01 => 0,
        _ => return Err(Sense::INVALID_FIELD_IN_CDB),
    };
    response.put(&[0, 0, 0, luns * LUN_LENGTH]);
    response.put_zeros(4 + usize::from(luns * LUN_LENGTH));
    Ok(())
}
