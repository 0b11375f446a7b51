//! A strict medium, and a host that compares replies byte by byte with the standards.

extern crate std;

mod sequences;

use std::string::String;
use std::vec::Vec;

use super::{LogicalUnit, Medium, Sense, Status, UnitIdentity};
use crate::block::{BlockCount, Lba};

const BLOCKS: u32 = 2048;

/// A medium that checks that the unit obeys the trait's contract.
struct Fake {
    present: bool,
    change_count: u32,
    blocks: u32,
    loads: Vec<bool>,
}

impl Medium for Fake {
    fn is_present(&self) -> bool {
        self.present
    }

    fn change_count(&self) -> u32 {
        self.change_count
    }

    fn block_count(&self) -> BlockCount {
        BlockCount(self.blocks)
    }

    fn read(&mut self, lba: Lba, offset: usize, out: &mut [u8]) {
        assert!(self.present, "a read without a medium");
        assert!(offset < 512 && !out.is_empty());
        let start = u64::from(lba.0) * 512 + offset as u64;
        assert!(start + out.len() as u64 <= u64::from(self.blocks) * 512, "a read beyond the end");
        for (at, byte) in (start..).zip(out) {
            *byte = pattern(at);
        }
    }

    fn load(&mut self) {
        self.present = true;
        self.loads.push(true);
    }

    fn eject(&mut self) {
        self.present = false;
        self.loads.push(false);
    }
}

fn pattern(at: u64) -> u8 {
    (at * 5 + at / 512 * 3 + at / 131_072) as u8
}

fn contents(lba: u64, blocks: u64) -> Vec<u8> {
    (lba * 512..(lba + blocks) * 512).map(pattern).collect()
}

type Unit = LogicalUnit<'static, Fake>;

const IDENTITY: UnitIdentity =
    UnitIdentity { vendor: "PicoVD", product: "Board memory", revision: "0.1", serial: "0123456789ABCDEF" };

/// A unit that has just been powered on.
fn fresh() -> Unit {
    LogicalUnit::new(Fake { present: true, change_count: 7, blocks: BLOCKS, loads: Vec::new() }, IDENTITY)
}

/// A unit whose power-on has been reported.
fn ready() -> Unit {
    let mut unit = fresh();
    assert_eq!(fails(&mut unit, &TEST_UNIT_READY), RESET);
    assert_eq!(request_sense(&mut unit), RESET);
    unit
}

/// Runs a command to the end of its reply, in packets.
fn run_on(unit: &mut Unit, lun: u8, cdb: &[u8]) -> (Status, Vec<u8>) {
    let length = unit.begin(lun, cdb);
    let mut reply = std::vec![0xEE; usize::try_from(length).unwrap()];
    for packet in reply.chunks_mut(64) {
        unit.data_in(packet);
    }
    (unit.status(), reply)
}

/// The reply of a command that ends with GOOD.
fn run(unit: &mut Unit, cdb: &[u8]) -> Vec<u8> {
    let (status, reply) = run_on(unit, 0, cdb);
    assert_eq!(status, Status::Good, "{cdb:02X?} fails with {:?}", unit.sense());
    reply
}

type Triple = (u8, u8, u8);

/// The sense triple of a command that ends with CHECK CONDITION and without data. Does not send REQUEST SENSE.
fn fails(unit: &mut Unit, cdb: &[u8]) -> Triple {
    let (status, reply) = run_on(unit, 0, cdb);
    assert_eq!((status, reply.len()), (Status::CheckCondition, 0), "{cdb:02X?}");
    triple(unit.sense())
}

fn triple(sense: Sense) -> Triple {
    (sense.key as u8, sense.additional.asc, sense.additional.ascq)
}

/// The triple that REQUEST SENSE returns.
fn request_sense(unit: &mut Unit) -> Triple {
    let data = run(unit, &REQUEST_SENSE);
    assert_eq!(data.len(), 18);
    assert_eq!((data[0] & 0x7F, data[7]), (0x70, 10));
    (data[2], data[12], data[13])
}

const TEST_UNIT_READY: [u8; 6] = [0; 6];
const REQUEST_SENSE: [u8; 6] = [0x03, 0, 0, 0, 18, 0];
const INQUIRY: [u8; 6] = [0x12, 0, 0, 0, 36, 0];
const REPORT_LUNS: [u8; 12] = [0xA0, 0, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0];
const EJECT: [u8; 6] = [0x1B, 0, 0, 0, 2, 0];
const LOAD: [u8; 6] = [0x1B, 0, 0, 0, 3, 0];

const NONE: Triple = (0, 0, 0);
const RESET: Triple = (6, 0x29, 0);
const CHANGE: Triple = (6, 0x28, 0);
const NO_MEDIUM: Triple = (2, 0x3A, 0);
const OPERATION_CODE: Triple = (5, 0x20, 0);
const OUT_OF_RANGE: Triple = (5, 0x21, 0);
const FIELD: Triple = (5, 0x24, 0);
const PROTECTED: Triple = (7, 0x27, 0);

/// One valid CDB of every command that does not write.
fn commands() -> Vec<Vec<u8>> {
    [
        &TEST_UNIT_READY[..],
        &REQUEST_SENSE,
        &[0x08, 0, 0, 1, 2, 0],
        &INQUIRY,
        &[0x1A, 0, 0x3F, 0, 192, 0],
        &[0x1B, 0, 0, 0, 1, 0],
        &[0x23, 0, 0, 0, 0, 0, 0, 0, 252, 0],
        &[0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        &[0x28, 0, 0, 0, 0, 1, 0, 0, 2, 0],
        &[0x2F, 0, 0, 0, 0, 1, 0, 0, 2, 0],
        &[0x35, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        &[0x5A, 0, 0x3F, 0, 0, 0, 0, 0, 192, 0],
        &[0x88, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0],
        &[0x9E, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32, 0, 0],
        &REPORT_LUNS,
        &[0xA8, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0],
    ]
    .map(<[u8]>::to_vec)
    .to_vec()
}

/// The commands that write: operation code and length of the CDB.
const WRITES: [(u8, usize); 11] = [
    (0x04, 6),
    (0x0A, 6),
    (0x2A, 10),
    (0x2E, 10),
    (0x41, 10),
    (0x42, 10),
    (0x8A, 16),
    (0x8E, 16),
    (0x93, 16),
    (0xAA, 12),
    (0xAE, 12),
];

fn survives_attention(operation_code: u8) -> bool {
    [0x03, 0x12, 0xA0].contains(&operation_code)
}

#[test]
fn power_on_is_reported_once_by_any_command() {
    for cdb in commands() {
        let mut unit = fresh();
        if survives_attention(cdb[0]) {
            let reply = run(&mut unit, &cdb);
            let told = cdb[0] == 0x03;
            if told {
                assert_eq!((reply[2], reply[12], reply[13]), RESET, "REQUEST SENSE returns a unit attention");
            }
            assert_eq!(request_sense(&mut unit), if told { NONE } else { RESET });
        } else {
            assert_eq!(fails(&mut unit, &cdb), RESET);
            assert_eq!(request_sense(&mut unit), RESET);
        }
        assert_eq!(request_sense(&mut unit), NONE);
        run(&mut unit, &TEST_UNIT_READY);
    }
    for cdb in [&[0xFF, 0, 0, 0, 0, 0][..], &[0x1E, 0, 0, 0, 1, 0], &[0x2A], &[0x28]] {
        assert_eq!(fails(&mut fresh(), cdb), RESET, "before anything else is checked");
    }
}

#[test]
fn unit_attentions_come_in_their_order() {
    let mut unit = fresh();
    unit.medium_mut().change_count += 3;
    assert_eq!(fails(&mut unit, &TEST_UNIT_READY), RESET);
    assert_eq!(fails(&mut unit, &TEST_UNIT_READY), CHANGE);
    run(&mut unit, &TEST_UNIT_READY);

    // A unit attention is reported after the sense data of a command.
    assert_eq!(fails(&mut unit, &[0x1E, 0, 0, 0, 1, 0]), OPERATION_CODE);
    unit.medium_mut().change_count += 1;
    assert_eq!(request_sense(&mut unit), OPERATION_CODE);
    run(&mut unit, &INQUIRY);
    run(&mut unit, &REPORT_LUNS);
    assert_eq!(request_sense(&mut unit), CHANGE);
    assert_eq!(request_sense(&mut unit), NONE);

    // Resets neither cause nor clear a unit attention.
    for reset in [Unit::reset, Unit::bus_reset] {
        reset(&mut unit);
        run(&mut unit, &TEST_UNIT_READY);
        unit.medium_mut().change_count += 1;
        reset(&mut unit);
        assert_eq!(fails(&mut unit, &TEST_UNIT_READY), CHANGE);
    }
}

#[test]
fn sense_data_lives_until_the_next_command() {
    let mut unit = ready();
    assert_eq!(fails(&mut unit, &[0x1E, 0, 0, 0, 1, 0]), OPERATION_CODE);
    assert_eq!(request_sense(&mut unit), OPERATION_CODE);
    assert_eq!(request_sense(&mut unit), NONE);
    for cdb in commands().iter().filter(|cdb| cdb[0] != 0x03) {
        assert_eq!(fails(&mut unit, &[0x1E, 0, 0, 0, 1, 0]), OPERATION_CODE);
        run(&mut unit, cdb);
        assert_eq!(request_sense(&mut unit), NONE);
    }
    // Cut to the allocation length, which may be 0; the sense data is cleared nevertheless.
    assert_eq!(fails(&mut unit, &[0x1E, 0, 0, 0, 1, 0]), OPERATION_CODE);
    assert_eq!(run(&mut unit, &[0x03, 0, 0, 0, 3, 0]), [0x70, 0, 5]);
    assert_eq!(request_sense(&mut unit), NONE);
    assert_eq!(run(&mut unit, &[0x03, 0, 0, 0, 0, 0]), []);
    // The descriptor format is not supported.
    assert_eq!(fails(&mut unit, &[0x03, 1, 0, 0, 18, 0]), FIELD);
    assert_eq!(request_sense(&mut unit), FIELD);
}

#[test]
fn standard_inquiry_data() {
    let mut unit = fresh();
    let data = run(&mut unit, &[0x12, 0, 0, 0x01, 0x00, 0]);
    assert_eq!(data[..8], [0x00, 0x80, 0x06, 0x02, 31, 0, 0, 0]);
    assert_eq!(data[8..], *b"PicoVD  Board memory    0.1 ");
    for length in 0..50 {
        let cut = run(&mut unit, &[0x12, 0, 0, 0, length, 0]);
        assert_eq!(cut, data[..36.min(length.into())]);
    }
    // A page code without EVPD; CMDDT.
    assert_eq!(fails(&mut unit, &[0x12, 0, 0x80, 0, 36, 0]), FIELD);
    assert_eq!(fails(&mut unit, &[0x12, 2, 0, 0, 36, 0]), FIELD);
}

#[test]
fn vital_product_data() {
    let mut unit = fresh();
    assert_eq!(run(&mut unit, &[0x12, 1, 0x00, 0, 255, 0]), [0, 0, 0, 3, 0x00, 0x80, 0x83]);
    let data = run(&mut unit, &[0x12, 1, 0x80, 0, 255, 0]);
    assert_eq!((&data[..4], &data[4..]), (&[0, 0x80, 0, 16][..], &b"0123456789ABCDEF"[..]));
    let data = run(&mut unit, &[0x12, 1, 0x83, 0, 255, 0]);
    assert_eq!(data[..8], [0, 0x83, 0, 44, 0x02, 0x01, 0, 40]);
    assert_eq!(data[8..], *b"PicoVD  Board memory    0123456789ABCDEF");
    for page in (0..=255).filter(|page| ![0x00, 0x80, 0x83].contains(page)) {
        assert_eq!(fails(&mut unit, &[0x12, 1, page, 0, 255, 0]), FIELD);
    }
}

#[test]
fn identities_of_any_length_and_script() {
    let long = String::from_utf8(std::vec![b'x'; 100]).unwrap();
    for (text, serial_length) in [("", 0), (&long[..], 32), (&long[..32], 32), ("Ünïcode\n\u{7F}", 11)] {
        let identity = UnitIdentity { vendor: text, product: text, revision: text, serial: text };
        let medium = Fake { present: true, change_count: 0, blocks: BLOCKS, loads: Vec::new() };
        let mut unit = LogicalUnit::new(medium, identity);
        let mut reply = [0; 64];
        for (cdb, expected) in [
            ([0x12, 0, 0, 0, 255, 0], 36),
            ([0x12, 1, 0x80, 0, 255, 0], 4 + serial_length),
            ([0x12, 1, 0x83, 0, 255, 0], 32 + serial_length),
        ] {
            let length = unit.begin(0, &cdb) as usize;
            assert_eq!(length, expected);
            unit.data_in(&mut reply[..length]);
            let texts = if cdb[1] == 0 { 8 } else { length - serial_length };
            assert!(reply[texts..length].iter().all(|byte| (b' '..0x7F).contains(byte)));
            // The page length agrees with the reply.
            if cdb[1] != 0 {
                assert_eq!(usize::from(reply[3]) + 4, length);
            }
        }
    }
}

#[test]
fn other_units_do_not_exist() {
    for lun in 1..16 {
        let mut unit = fresh();
        assert_eq!(unit.max_lun(), 0);
        let (status, data) = run_on(&mut unit, lun, &INQUIRY);
        assert_eq!((status, data.len(), data[0]), (Status::Good, 36, 0x7F));
        let (status, data) = run_on(&mut unit, lun, &REQUEST_SENSE);
        assert_eq!((status, data[2], data[12], data[13]), (Status::Good, 5, 0x25, 0));
        for cdb in commands().iter().filter(|cdb| !survives_attention(cdb[0]) || cdb[0] == 0xA0) {
            assert_eq!(run_on(&mut unit, lun, cdb), (Status::CheckCondition, Vec::new()));
        }
        for cdb in [&[][..], &[0x12], &[0x03], &[0xFF], &[0x12, 0xFF, 0, 0, 36, 0]] {
            assert_eq!(run_on(&mut unit, lun, cdb), (Status::CheckCondition, Vec::new()));
        }
        // None of that has reached unit 0.
        assert_eq!(request_sense(&mut unit), RESET);
        assert_eq!(request_sense(&mut unit), NONE);
    }
}

#[test]
fn mode_pages() {
    let mut unit = ready();
    let caching: Vec<u8> = [&[0x08, 0x12][..], &[0; 18]].concat();
    let exceptions: Vec<u8> = [&[0x1C, 0x0A, 0x08][..], &[0; 9]].concat();
    let all = [&caching[..], &exceptions].concat();
    for (page, expected) in [(0x3F, &all), (0x08, &caching), (0x1C, &exceptions)] {
        for page_control in [0x00, 0x80] {
            for (dbd, subpage) in [(0, 0), (8, 0), (8, 0xFF)] {
                let data = run(&mut unit, &[0x1A, dbd, page_control | page, subpage, 255, 0]);
                assert_eq!(data[..4], [(3 + expected.len()) as u8, 0, 0x80, 0], "WP is set");
                assert_eq!(data[4..], expected[..]);
                let data = run(&mut unit, &[0x5A, dbd, page_control | page, subpage, 0, 0, 0, 1, 0, 0]);
                assert_eq!(data[..8], [0, (6 + expected.len()) as u8, 0, 0x80, 0, 0, 0, 0]);
                assert_eq!(data[8..], expected[..]);
            }
        }
        // Nothing can be changed.
        let data = run(&mut unit, &[0x1A, 0, 0x40 | page, 0, 255, 0]);
        assert_eq!(data.len(), 4 + expected.len());
        let mut rest = &data[4..];
        while let [code, length, ..] = *rest {
            assert!(page == 0x3F || page == code);
            let (body, next) = rest[2..].split_at(length.into());
            assert!(body.iter().all(|&byte| byte == 0));
            rest = next;
        }
        assert_eq!(fails(&mut unit, &[0x1A, 0, 0xC0 | page, 0, 255, 0]), (5, 0x39, 0));
        assert_eq!(fails(&mut unit, &[0x1A, 0, page, 1, 255, 0]), FIELD);
    }
    // Page 00h is vendor specific and has no format. Hosts that request it want the header with its write protection bit.
    for (page_control, subpage) in [(0x00, 0), (0x40, 0), (0x80, 0xFF)] {
        assert_eq!(run(&mut unit, &[0x1A, 0, page_control, subpage, 255, 0]), [3, 0, 0x80, 0]);
        assert_eq!(run(&mut unit, &[0x5A, 0, page_control, subpage, 0, 0, 0, 0, 255, 0]), [0, 6, 0, 0x80, 0, 0, 0, 0]);
    }
    assert_eq!(fails(&mut unit, &[0x1A, 0, 0xC0, 0, 255, 0]), (5, 0x39, 0));
    assert_eq!(fails(&mut unit, &[0x1A, 0, 0, 1, 255, 0]), FIELD);
    for page in (1..0x3F).filter(|page| ![0x08, 0x1C].contains(page)) {
        assert_eq!(fails(&mut unit, &[0x1A, 0, page, 0, 255, 0]), FIELD);
        assert_eq!(fails(&mut unit, &[0x5A, 0, page, 0, 0, 0, 0, 0, 255, 0]), FIELD);
    }
    // What Linux requests first: only the header. MODE DATA LENGTH is still that of the whole reply.
    assert_eq!(run(&mut unit, &[0x1A, 0, 0x3F, 0, 4, 0]), [35, 0, 0x80, 0]);
}

#[test]
fn capacities() {
    let mut unit = ready();
    assert_eq!(run(&mut unit, &[0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0]), [0, 0, 0x07, 0xFF, 0, 0, 2, 0]);
    assert_eq!(run(&mut unit, &[0x25, 0, 0, 0, 1, 0, 0, 0, 1, 0]), [0, 0, 0x07, 0xFF, 0, 0, 2, 0]);
    assert_eq!(fails(&mut unit, &[0x25, 0, 0, 0, 1, 0, 0, 0, 0, 0]), FIELD);
    let data = run(&mut unit, &[0x9E, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 0, 0]);
    assert_eq!(data[..12], [0, 0, 0, 0, 0, 0, 0x07, 0xFF, 0, 0, 2, 0]);
    assert_eq!((data.len(), data[12..].iter().all(|&byte| byte == 0)), (32, true));
    assert_eq!(run(&mut unit, &[0x9E, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0]), data[..9]);
    for service_action in (0..32).filter(|&action| action != 0x10) {
        assert_eq!(fails(&mut unit, &[0x9E, service_action, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32, 0, 0]), FIELD);
    }
    let data = run(&mut unit, &[0x23, 0, 0, 0, 0, 0, 0, 0, 252, 0]);
    assert_eq!(data, [0, 0, 0, 8, 0, 0, 0x08, 0, 0x02, 0, 2, 0]);

    unit.medium_mut().blocks = u32::MAX;
    assert_eq!(run(&mut unit, &[0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0])[..4], [0xFF, 0xFF, 0xFF, 0xFE]);
    let last = [0x28, 0, 0xFF, 0xFF, 0xFF, 0xFE, 0, 0, 1, 0];
    assert_eq!(run(&mut unit, &last), contents(0xFFFF_FFFE, 1));
}

#[test]
fn units_are_listed() {
    let mut unit = fresh();
    assert_eq!(run(&mut unit, &REPORT_LUNS), [0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    let select = |report| [0xA0, 0, report, 0, 0, 0, 0, 1, 0, 0, 0, 0];
    assert_eq!(run(&mut unit, &select(1)), [0; 8]);
    assert_eq!(run(&mut unit, &select(2)).len(), 16);
    assert_eq!(fails(&mut unit, &select(3)), FIELD);
}

/// The four READs for a range, as far as it fits.
fn reads(lba: u64, length: u32) -> Vec<Vec<u8>> {
    let (lba_bytes, length_bytes) = (lba.to_be_bytes(), length.to_be_bytes());
    let mut cdbs = std::vec![[&[0x88, 0][..], &lba_bytes, &length_bytes, &[0, 0]].concat()];
    if lba < 1 << 32 {
        cdbs.push([&[0xA8, 0][..], &lba_bytes[4..], &length_bytes, &[0, 0]].concat());
        if length < 1 << 16 {
            cdbs.push([&[0x28, 0][..], &lba_bytes[4..], &[0], &length_bytes[2..], &[0]].concat());
        }
    }
    if lba < 1 << 21 && (1..257).contains(&length) {
        cdbs.push([&[0x08][..], &lba_bytes[5..], &[length as u8, 0]].concat());
    }
    cdbs
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes in Miri")]
fn reads_within_the_medium() {
    let mut unit = ready();
    for (lba, length) in [(0, 1), (0, 0), (1, 2), (5, 0), (100, 256), (2047, 1), (2047, 0), (0, BLOCKS), (1792, 256)] {
        for cdb in reads(lba, length) {
            assert_eq!(run(&mut unit, &cdb), contents(lba, length.into()), "{cdb:02X?}");
        }
    }
    // DPO and FUA.
    assert_eq!(run(&mut unit, &[0x28, 0x18, 0, 0, 0, 9, 0, 0, 1, 0]), contents(9, 1));
}

#[test]
fn reads_beyond_the_medium() {
    let mut unit = ready();
    let end = u64::from(BLOCKS);
    let ranges = [
        (end, 0, Some(end)),
        (end, 1, Some(end)),
        (end - 1, 2, Some(end)),
        (0, BLOCKS + 1, Some(end)),
        (1, u32::MAX, Some(end)),
        (end + 5, 1, Some(end + 5)),
        (0xFFFF_FFFF, 1, Some(0xFFFF_FFFF)),
        (0xFFFF_FFFF, u32::MAX, Some(0xFFFF_FFFF)),
        (1 << 32, 1, None),
        ((1 << 32) + 1, 0, None),
        (u64::MAX, 1, None),
        (u64::MAX, u32::MAX, None),
    ];
    for (lba, length, first_invalid) in ranges {
        for cdb in reads(lba, length) {
            assert_eq!(fails(&mut unit, &cdb), OUT_OF_RANGE, "{cdb:02X?}");
            let sense = run(&mut unit, &REQUEST_SENSE);
            let information = u64::from(u32::from_be_bytes(sense[3..7].try_into().unwrap()));
            match first_invalid {
                Some(lba) => assert_eq!((sense[0], information), (0xF0, lba)),
                None => assert_eq!((sense[0], information), (0x70, 0)),
            }
        }
    }
    assert_eq!(fails(&mut unit, &[0x08, 0x1F, 0xFF, 0xFF, 0, 0]), OUT_OF_RANGE);
    for operation_code in [0x2F, 0x35] {
        run(&mut unit, &[operation_code, 0, 0, 0, 7, 0xFF, 0, 0, 1, 0]);
        assert_eq!(fails(&mut unit, &[operation_code, 0, 0, 0, 7, 0xFF, 0, 0, 2, 0]), OUT_OF_RANGE);
    }
    // BYTCHK.
    for bytchk in [2, 4, 6] {
        assert_eq!(fails(&mut unit, &[0x2F, bytchk, 0, 0, 0, 1, 0, 0, 2, 0]), FIELD);
    }
}

#[test]
fn replies_come_in_pieces_of_any_size() {
    let mut unit = ready();
    let whole = contents(3, 4);
    for step in [1, 7, 63, 64, 511, 513, 2048] {
        assert_eq!(unit.begin(0, &[0x28, 0, 0, 0, 0, 3, 0, 0, 4, 0]), 2048);
        let mut reply = std::vec![0xEE; 2048];
        reply.chunks_mut(step).for_each(|piece| unit.data_in(piece));
        assert!(reply == whole, "in steps of {step}");
    }
}

#[test]
fn more_than_the_reply_is_zeros() {
    for (cdb, whole) in
        [(&[0x28, 0, 0, 0, 7, 0xFF, 0, 0, 1, 0][..], contents(2047, 1)), (&REPORT_LUNS, [0, 0, 0, 8].into())]
    {
        let mut unit = ready();
        let length = unit.begin(0, cdb) as usize;
        let mut reply = std::vec![0xEE; length + 130];
        reply.chunks_mut(100).for_each(|piece| unit.data_in(piece));
        assert!(reply.starts_with(&whole));
        assert!(reply[length..].iter().all(|&byte| byte == 0));
        assert_eq!(unit.status(), Status::Good);
    }
}

#[test]
fn a_read_never_mixes_two_media() {
    let read = [0x28, 0, 0, 0, 0, 3, 0, 0, 4, 0];
    for (present, expected) in [(true, CHANGE), (false, NO_MEDIUM)] {
        let mut unit = ready();
        assert_eq!(unit.begin(0, &read), 2048);
        let mut packet = [0xEE; 64];
        unit.data_in(&mut packet);
        assert_eq!(packet, contents(3, 1)[..64]);
        unit.medium_mut().change_count += 1;
        unit.medium_mut().present = present;
        unit.medium_mut().blocks = 1;
        for _ in 1..32 {
            unit.data_in(&mut packet);
            assert_eq!(packet, [0; 64]);
        }
        assert_eq!(unit.status(), Status::CheckCondition);
        assert_eq!(unit.is_absence_known(), !present);
        assert_eq!(request_sense(&mut unit), expected);
        unit.medium_mut().present = true;
        if !present {
            assert_eq!(fails(&mut unit, &TEST_UNIT_READY), CHANGE);
        }
        run(&mut unit, &TEST_UNIT_READY);
    }
}

#[test]
fn without_a_medium() {
    let mut unit = ready();
    unit.medium_mut().present = false;
    assert!(!unit.is_absence_known());
    for cdb in commands() {
        if survives_attention(cdb[0]) {
            run(&mut unit, &cdb);
        } else if cdb[0] != 0x1B {
            assert_eq!(fails(&mut unit, &cdb), NO_MEDIUM);
            assert!(unit.is_absence_known());
        }
    }
    for (operation_code, length) in WRITES {
        let mut cdb = [0; 16];
        cdb[0] = operation_code;
        assert_eq!(fails(&mut unit, &cdb[..length]), NO_MEDIUM);
    }
    assert_eq!(fails(&mut unit, &[0x1B, 0, 0, 0, 1, 0]), NO_MEDIUM);
    run(&mut unit, &[0x1B, 0, 0, 0, 0, 0]);
    // The medium is back, even with the same count: the host knew that it was absent.
    unit.medium_mut().present = true;
    assert_eq!(fails(&mut unit, &TEST_UNIT_READY), CHANGE);
    assert!(!unit.is_absence_known());
    run(&mut unit, &TEST_UNIT_READY);
}

#[test]
fn a_medium_that_comes_later() {
    let medium = Fake { present: false, change_count: 0, blocks: BLOCKS, loads: Vec::new() };
    let mut unit = LogicalUnit::new(medium, IDENTITY);
    assert_eq!(fails(&mut unit, &TEST_UNIT_READY), RESET);
    assert_eq!(request_sense(&mut unit), RESET);
    unit.medium_mut().present = true;
    assert_eq!(fails(&mut unit, &TEST_UNIT_READY), CHANGE);
    run(&mut unit, &TEST_UNIT_READY);
}

#[test]
fn eject_and_load() {
    let mut unit = ready();
    for flags in [0, 1, 4] {
        run(&mut unit, &[0x1B, 1, 0, 0, flags, 0]);
    }
    assert!(unit.medium().loads.is_empty());
    run(&mut unit, &EJECT);
    assert!(unit.is_absence_known());
    assert_eq!(fails(&mut unit, &TEST_UNIT_READY), NO_MEDIUM);
    run(&mut unit, &EJECT);
    run(&mut unit, &LOAD);
    assert_eq!(fails(&mut unit, &TEST_UNIT_READY), CHANGE);
    run(&mut unit, &TEST_UNIT_READY);
    assert_eq!(unit.medium().loads, [false, false, true]);

    // A bus reset ends the ejection, a reset of the transport does not.
    run(&mut unit, &EJECT);
    unit.reset();
    assert_eq!(fails(&mut unit, &TEST_UNIT_READY), NO_MEDIUM);
    unit.bus_reset();
    assert_eq!(fails(&mut unit, &TEST_UNIT_READY), CHANGE);
    run(&mut unit, &TEST_UNIT_READY);

    // Power conditions and reserved bits.
    let loads = unit.medium().loads.len();
    for flags in [0x08, 0x10, 0x13, 0x32, 0xF0] {
        assert_eq!(fails(&mut unit, &[0x1B, 0, 0, 0, flags, 0]), FIELD);
    }
    assert_eq!(unit.medium().loads.len(), loads);
}

#[test]
fn writes_are_refused() {
    let mut unit = ready();
    for (operation_code, length) in WRITES {
        for fill in [0x00, 0xFF] {
            let mut cdb = [fill; 16];
            (cdb[0], cdb[length - 1]) = (operation_code, 0);
            assert_eq!(fails(&mut unit, &cdb[..length]), PROTECTED, "{operation_code:02X}");
            assert_eq!(request_sense(&mut unit), PROTECTED);
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes in Miri")]
fn everything_else_is_unknown() {
    let mut unit = ready();
    let known: Vec<u8> =
        commands().iter().map(|cdb| cdb[0]).chain(WRITES.iter().map(|&(operation_code, _)| operation_code)).collect();
    assert_eq!(known.len(), 27);
    for operation_code in (0..=255).filter(|code| !known.contains(code)) {
        for length in 1..17 {
            let mut cdb = [0xFF; 16];
            cdb[0] = operation_code;
            assert_eq!(fails(&mut unit, &cdb[..length]), OPERATION_CODE);
        }
    }
    // What Linux, Windows and macOS try: PREVENT, LOG SENSE, ATA PASS-THROUGH(12) and (16), MAINTENANCE IN.
    assert!([0x1E, 0x4D, 0xA1, 0x85, 0xA3].iter().all(|code| !known.contains(code)));
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes in Miri")]
fn every_length_of_every_command() {
    let full = |operation_code: u8| match operation_code >> 5 {
        0 => 6,
        1 | 2 => 10,
        5 => 12,
        _ => 16,
    };
    let mut unit = ready();
    assert_eq!(fails(&mut unit, &[]), FIELD);
    let writes = WRITES.iter().map(|&(operation_code, length)| {
        let mut cdb = std::vec![0; length];
        cdb[0] = operation_code;
        cdb
    });
    for good in commands().into_iter().chain(writes) {
        assert_eq!(good.len(), full(good[0]));
        // Bytes after the end are ignored.
        let padded = [&good[..], &[0xA5; 16]].concat();
        for length in 1..17 {
            let short = length < good.len();
            let (status, reply) = run_on(&mut unit, 0, &padded[..length]);
            if short {
                assert_eq!((status, reply.len(), triple(unit.sense())), (Status::CheckCondition, 0, FIELD));
            } else if WRITES.iter().any(|&(code, _)| code == good[0]) {
                assert_eq!((status, triple(unit.sense())), (Status::CheckCondition, PROTECTED));
            } else {
                assert_eq!((status, triple(unit.sense())), (Status::Good, NONE), "{good:02X?}");
            }
        }
    }
}

/// The bits of each command that are not reserved or obsolete and do not request anything the unit does not have: a mask
/// for each byte after the operation code, as in the usage data of REPORT SUPPORTED OPERATION CODES (SPC-4 6.35.3).
const USAGE: [(u8, &[u8]); 16] = [
    (0x00, &[0, 0, 0, 0, 0]),
    (0x03, &[0, 0, 0, 0xFF, 0]),
    (0x08, &[0x1F, 0xFF, 0xFF, 0xFF, 0]),
    (0x12, &[0x01, 0xFF, 0xFF, 0xFF, 0]),
    (0x1A, &[0x08, 0xFF, 0xFF, 0xFF, 0]),
    (0x1B, &[0x01, 0, 0, 0x07, 0]),
    (0x23, &[0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0]),
    (0x25, &[0, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0x01, 0]),
    (0x28, &[0x18, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0xFF, 0xFF, 0]),
    (0x2F, &[0x10, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0xFF, 0xFF, 0]),
    (0x35, &[0x06, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0xFF, 0xFF, 0]),
    (0x5A, &[0x18, 0xFF, 0xFF, 0, 0, 0, 0xFF, 0xFF, 0]),
    (0x88, &[0x18, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0]),
    (0x9E, &[0x1F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01, 0]),
    (0xA0, &[0, 0xFF, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0]),
    (0xA8, &[0x18, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0]),
];

#[test]
#[cfg_attr(miri, ignore = "takes minutes in Miri")]
fn every_reserved_bit_of_every_command() {
    for good in commands() {
        let (_, usage) = USAGE.iter().find(|&&(operation_code, _)| operation_code == good[0]).unwrap();
        assert_eq!(usage.len(), good.len() - 1);
        for at in 1..good.len() {
            for bit in 0..8 {
                let mut cdb = good.clone();
                cdb[at] ^= 1 << bit;
                let mut unit = ready();
                let (status, reply) = run_on(&mut unit, 0, &cdb);
                if usage[at - 1] >> bit & 1 == 0 {
                    assert_eq!(
                        (status, reply.len(), triple(unit.sense())),
                        (Status::CheckCondition, 0, FIELD),
                        "{cdb:02X?}"
                    );
                }
            }
        }
    }
    // NACA, for a write: the gate comes first.
    for (operation_code, length) in WRITES {
        let mut cdb = [0; 16];
        (cdb[0], cdb[length - 1]) = (operation_code, 0x04);
        assert_eq!(fails(&mut ready(), &cdb[..length]), FIELD);
    }
}
