//! Whose the sectors are: what is not the store's is not erased, and settings move with their firmware.

use super::judge::payload;
use super::nor::Nor;
use super::{blank, loaded, open, ours, record};
use picovd::settings::{Contents, SECTOR_LENGTH, SaveError, Store};

const SECTOR: usize = SECTOR_LENGTH as usize;

/// A chip of four sectors, the last two of which are the store's.
fn chip(at: usize, contents: &[u8]) -> Nor {
    let mut flash = Nor::new(4, 0);
    flash.data[at..at + contents.len()].copy_from_slice(contents);
    flash.moved_to(2)
}

#[test]
fn what_is_not_ours_is_not_erased_until_it_is_claimed() {
    let superblock =
        [&[1, 0, 0, 0, 0xF0, 0x0F, 0xFF, 0xF7][..], b"littlefs/\xE0\0\x10", &[0; 4], &[0, 0x10, 0, 0, 4, 0, 0, 0]]
            .concat();
    let mut fat = vec![0; 512];
    (fat[0], fat[510], fat[511]) = (0xEB, 0x55, 0xAA);
    for (what, start, contents) in [
        (Contents::Unknown, 3 * SECTOR + 4000, &b"x"[..]),
        (Contents::Unknown, 2 * SECTOR, b"a file of somebody's"),
        (Contents::Fat, 2 * SECTOR, &fat),
        (Contents::Elf, 3 * SECTOR, b"\x7FELF"),
        (Contents::Uf2, 3 * SECTOR, b"UF2\n\x57\x51\x5D\x9E"),
        (Contents::Program, 2 * SECTOR, b"\0\x20\x08\x20\x01\x01\0\x10"),
        (Contents::Littlefs, 2 * SECTOR, &superblock),
    ] {
        let mut flash = chip(start, contents);
        let before = flash.data.clone();
        let mut store = open(flash, 2);
        assert_eq!((loaded(&mut store), store.health().occupied), (None, Some(what)), "{what:?}");
        for _ in 0..3 {
            assert_eq!(store.save(b"ours"), Err(SaveError::Occupied(what)), "{what:?}");
        }
        assert_eq!(store.health().occupied, Some(what));
        flash = store.into_flash();
        assert_eq!((flash.operations, &flash.data), (0, &before), "{what:?}");
        let mut store = open(flash, 2);
        store.claim();
        store.save(b"ours").unwrap();
        let mut store = open(store.into_flash(), 2);
        assert_eq!((loaded(&mut store).as_deref(), store.health().occupied), (Some(&b"ours"[..]), None));
        store.save(b"and again").unwrap();
    }
    // A block in the middle of a littlefs that begins far before.
    let mut flash = chip(2 * SECTOR, b"a file's contents");
    flash.data[..superblock.len()].copy_from_slice(&superblock);
    assert_eq!(open(flash, 2).save(b"ours"), Err(SaveError::Occupied(Contents::Littlefs)));
}

/// Somebody's data may begin with the two bytes of a record. They are ours only with the header's check.
#[test]
fn what_begins_like_a_record_is_foreign_without_its_check() {
    let header = record(2, 7, &[0, 0, 2, 0, 0, 0, 1, 2, 3]);
    for first in [2, 3] {
        let occupied = |start: &[u8]| {
            let flash = chip(first * SECTOR, start);
            let before = flash.data.clone();
            let mut store = open(flash, 2);
            let saved = store.save(b"ours");
            (saved, store.into_flash().data == before)
        };
        assert_eq!(occupied(&header[..12]), (Ok(()), false), "a record's beginning");
        for bit in 0..96 {
            let mut start = header[..12].to_vec();
            start[bit / 8] ^= 1 << (bit % 8);
            // The seals are not part of it.
            let expected = if (30..32).contains(&bit) { Ok(()) } else { Err(SaveError::Occupied(Contents::Unknown)) };
            let (saved, untouched) = occupied(&start);
            assert_eq!((saved, untouched), (expected, expected.is_err()), "bit {bit}");
        }
        assert_eq!(occupied(b"\xD6\x93\x02\0a file of somebody's").0, Err(SaveError::Occupied(Contents::Unknown)));
    }
}

#[test]
fn sectors_that_are_added_are_asked_for() {
    let mut store = open(Nor::new(4, 0).moved_to(2), 2);
    store.save(b"ours").unwrap();
    let mut flash = store.into_flash();
    flash.data[SECTOR..SECTOR + 4].copy_from_slice(b"file");
    let mut store = open(flash.moved_to(0), 4);
    assert_eq!(loaded(&mut store).as_deref(), Some(&b"ours"[..]));
    assert_eq!(store.save(b"new"), Err(SaveError::Occupied(Contents::Unknown)));
    assert_eq!(&store.into_flash().data[SECTOR..SECTOR + 4], b"file");
}

#[test]
fn settings_move_and_leave_nothing_behind() {
    for length in [20, 900] {
        let secret = payload(length, 1);
        let mut store = open(Nor::new(6, 0).moved_to(3), 2);
        for number in 2..20 {
            store.save(&payload(length, number)).unwrap();
        }
        store.save(&secret).unwrap();
        let before = store.into_flash();
        // Elsewhere, fewer, and power that fails in any operation on the way.
        for (first, sectors) in [(0, 2), (1, 2), (4, 2)] {
            for after in (0..60).map(Some).chain([None]) {
                let mut flash = before.clone().moved_to(first);
                flash.unstable = true;
                flash.cut = after.map(|after| super::nor::Cut { after, at: (after * 37 % 261) as usize, seed: after });
                let mut store = open(flash, sectors);
                let _ = loaded(&mut store);
                let mut flash = store.into_flash();
                flash.power_on();
                let mut store = open(flash, sectors);
                assert_eq!(loaded(&mut store), Some(secret.clone()), "to {first}, {after:?}");
                let mut store = open(store.into_flash(), sectors);
                assert_eq!(loaded(&mut store), Some(secret.clone()), "to {first}, {after:?}");
                let flash = store.into_flash();
                for sector in (0..6).filter(|sector| !(first..first + 2).contains(sector)) {
                    let bytes = &flash.data[sector * SECTOR..(sector + 1) * SECTOR];
                    assert!(!bytes.windows(8).any(|window| window == &secret[..8]), "to {first}, {after:?}: {sector}");
                }
            }
        }
    }
}

#[test]
fn what_cannot_be_read_is_neither_blank_nor_ours() {
    let mut store = open(Nor::new(2, 0), 2);
    store.save(b"ours").unwrap();
    let mut flash = store.into_flash();
    let (before, operations) = (flash.data.clone(), flash.operations);
    flash.unreadable = true;
    let mut store = open(flash, 2);
    assert_eq!(loaded(&mut store), None);
    assert_eq!(store.save(b"new"), Err(SaveError::Occupied(Contents::Unknown)));
    let mut flash = store.into_flash();
    assert!(flash.data == before && flash.operations == operations, "nothing is written");
    flash.unreadable = false;
    assert_eq!(loaded(&mut open(flash, 2)).as_deref(), Some(&b"ours"[..]));
}

/// Somebody's file may hold a copy of flash in which settings were.
#[test]
fn a_copy_of_settings_in_somebodys_file_is_left_alone() {
    let mut store = open(Nor::new(8, 0).moved_to(5), 2);
    for number in 0..30 {
        store.save(&payload(200, number)).unwrap();
    }
    let mut flash = store.into_flash();
    flash.data.copy_within(5 * SECTOR..7 * SECTOR, 2 * SECTOR);
    let copy = flash.data[2 * SECTOR..4 * SECTOR].to_vec();
    // It is between the old place and the new one.
    let mut store = open(flash.clone().moved_to(0), 2);
    assert_eq!(loaded(&mut store), Some(payload(200, 29)));
    store.save(b"new").unwrap();
    let mut store = open(store.into_flash(), 2);
    assert_eq!(loaded(&mut store).as_deref(), Some(&b"new"[..]));
    let moved = store.into_flash();
    assert!(moved.data[2 * SECTOR..4 * SECTOR] == copy, "the copy is as it was");
    assert!(moved.data[5 * SECTOR..7 * SECTOR].iter().all(|byte| *byte == 0xFF), "nothing is left of the settings");
    // Without settings, it is none.
    flash.data[5 * SECTOR..7 * SECTOR].fill(0xFF);
    let mut store = open(flash.moved_to(0), 2);
    assert_eq!(loaded(&mut store), None);
    store.save(b"first").unwrap();
    assert!(store.into_flash().data[2 * SECTOR..4 * SECTOR] == copy, "the copy is as it was");
}

#[test]
fn a_number_at_the_end_of_its_range_is_no_trap() {
    let mut flash = Nor::new(2, 0);
    let old = ours(u32::MAX, 2, b"old");
    flash.data[..old.len()].copy_from_slice(&old);
    let mut store = open(flash, 2);
    assert_eq!(loaded(&mut store).as_deref(), Some(&b"old"[..]));
    for number in 0..40 {
        let bytes = payload(30, number);
        store.save(&bytes).unwrap();
        store = open(store.into_flash(), 2);
        assert_eq!(loaded(&mut store), Some(bytes));
    }
}

/// Opens a store of two sectors on a chip that stops at every read and write outside of them.
fn opened_within(mut flash: Nor) -> Store<Nor> {
    flash.fence = Some(2);
    let operations = flash.operations;
    let mut flash = open(flash, 2).into_flash();
    assert_eq!(flash.operations, operations, "opening writes nothing");
    flash.fence = None;
    open(flash, 2)
}

#[test]
fn opening_reads_nothing_outside_of_the_sectors() {
    // Never saved; something else; settings that moved away, to before and to after; half a move; torn records.
    assert_eq!(loaded(&mut opened_within(Nor::new(6, 0).moved_to(2))), None);
    assert_eq!(loaded(&mut opened_within(Nor::new(6, 1).moved_to(2))), None);
    assert_eq!(loaded(&mut opened_within(chip(2 * SECTOR, b"somebody's"))), None);
    let mut store = open(Nor::new(6, 0).moved_to(2), 2);
    store.save(b"ours").unwrap();
    let flash = store.into_flash();
    for first in [0, 2, 3, 4] {
        let mut store = opened_within(flash.clone().moved_to(first));
        assert_eq!(loaded(&mut store).as_deref(), Some(&b"ours"[..]), "moved to {first}");
        assert_eq!(loaded(&mut opened_within(store.into_flash())).as_deref(), Some(&b"ours"[..]), "in {first}");
    }
    for after in 0..12 {
        let mut flash = flash.clone().moved_to(4);
        flash.unstable = true;
        flash.cut = Some(super::nor::Cut { after, at: 100, seed: after });
        let mut store = open(flash, 2);
        let _ = loaded(&mut store);
        let mut flash = store.into_flash();
        flash.power_on();
        assert_eq!(loaded(&mut opened_within(flash)).as_deref(), Some(&b"ours"[..]), "cut after {after}");
    }
    let mut flash = Nor::new(6, 0);
    for page in 0..96 {
        let torn = record(2, page as u32 + 1, &[7; 4000]);
        flash.data[page * 256..page * 256 + 256].copy_from_slice(&torn[..256]);
    }
    assert_eq!(loaded(&mut opened_within(flash.moved_to(2))), None);
}

/// Somebody's files may hold a page that looks like a record of ours which was cut short.
#[test]
fn a_record_in_somebodys_sector_is_left_alone() {
    let mut torn = record(2, 7, &[0, 0, 2, 0, 0, 0, 1, 2, 3]);
    torn[3] |= 0xC0;
    for page in 1..16 {
        let mut flash = chip(2 * SECTOR, b"a file of somebody's");
        let at = 2 * SECTOR + page * 256;
        flash.data[at..at + torn.len()].copy_from_slice(&torn);
        let before = flash.data.clone();
        let mut store = open(flash, 2);
        assert_eq!(loaded(&mut store), None);
        assert_eq!(store.save(b"ours"), Err(SaveError::Occupied(Contents::Unknown)));
        let flash = store.into_flash();
        assert!(flash.data == before && flash.operations == 0, "page {page}");
    }
}

/// The double stops at every read outside of the sectors.
#[test]
fn torn_records_are_read_once_and_within_their_sectors() {
    let mut flash = Nor::new(2, 0);
    let long = record(2, 5, &[7; 4000]);
    for page in 0..32 {
        let at = page * 256;
        // Each claims almost a sector, and the last ones more pages than are left.
        let bytes = &long[..if page % 16 < 15 { 16 } else { 256 }];
        flash.data[at..at + bytes.len()].copy_from_slice(bytes);
    }
    let mut store = open(flash.clone(), 2);
    assert_eq!(loaded(&mut store), None);
    for page in 0..32usize {
        let torn = record(2, page as u32 + 1, &[page as u8; 100]);
        flash.data[page * 256..page * 256 + 100].copy_from_slice(&torn[..100]);
    }
    let reads = flash.reads;
    let mut store = open(flash, 2);
    assert_eq!(loaded(&mut store), None);
    let reads = store.into_flash().reads - reads;
    assert!(reads <= 3 * 2 * u64::from(SECTOR_LENGTH), "{reads} bytes are read of 8192");
}

#[test]
fn what_is_saved_already_is_not_written_again() {
    let mut store = blank(2);
    store.save(b"the same").unwrap();
    let operations = store.into_flash();
    let count = operations.operations;
    let mut store = open(operations, 2);
    for _ in 0..100 {
        store.save(b"the same").unwrap();
    }
    assert_eq!(store.into_flash().operations, count);
}
