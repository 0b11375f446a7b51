//! The settings store against a model, on a strict NOR flash that loses power anywhere and has unstable cells then. What takes
//! long is ring 4's: `cargo xtask test --ring 4` runs a sample optimized, with `--long` all of it.

// Its critical sections.
extern crate picovd_sim as _;

mod judge;
mod nor;
mod places;
mod subject;

use judge::{exhaust, payload, wander, wear_out};
use nor::{Defect, Nor};
use picovd::settings::{
    FlashError, Health, MAX_PAYLOAD, MAX_SECTORS, PAGE_LENGTH, SECTOR_LENGTH, SaveError, Storage, Store, Volatile,
};
use subject::{
    BELIEVES_ANYTHING, DOES_NOT_VERIFY, ERASES_THE_NEWEST, RIGHT, SUMS_TOO_LITTLE, Simple, Subject, TAKES_THE_OLDEST,
};

/// CRC-32 as every zip file has it, written here independently: the judge does not borrow it from what it judges.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 0 { crc >> 1 } else { crc >> 1 ^ 0xEDB8_8320 })
    })
}

/// A record as src/settings/record.rs describes it, of a version of the format, sealed twice.
fn record(version: u8, sequence: u32, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0xD6, 0x93, version, 0];
    bytes.extend(sequence.to_le_bytes());
    bytes.extend((body.len() as u16).to_le_bytes());
    let check = crc32(&bytes) as u16;
    bytes.extend(check.to_le_bytes());
    let crc = crc32(&[&bytes[..], body].concat());
    bytes.extend(crc.to_le_bytes());
    bytes.extend(body);
    bytes
}

/// A record of the version that is written, of a store in so many sectors from the beginning of flash on.
fn ours(sequence: u32, sectors: u8, payload: &[u8]) -> Vec<u8> {
    record(2, sequence, &[&[0, 0, sectors, 0, 0, 0], payload].concat())
}

/// A value of a setting that could be mistaken for a record.
fn forged_record(sequence: u32, payload: &[u8]) -> Vec<u8> {
    ours(sequence, 2, payload)
}

fn blank(sectors: u8) -> Store<Nor> {
    open(Nor::new(sectors, 0), sectors)
}

/// The store in a chip's sectors.
fn open(flash: Nor, sectors: u8) -> Store<Nor> {
    Subject::open(flash, sectors)
}

fn loaded(store: &mut Store<Nor>) -> Option<Vec<u8>> {
    Subject::load(store)
}

#[test]
fn the_crc_is_the_published_one() {
    assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
}

#[test]
fn a_record_stands_as_described() {
    let mut store = blank(2);
    let first = payload(300, 1);
    store.save(&first).unwrap();
    store.save(b"second").unwrap();
    let flash = store.into_flash();
    let expected = ours(1, 2, &first);
    assert_eq!(flash.data[..expected.len()], expected);
    assert!(flash.data[expected.len()..512].iter().all(|byte| *byte == 0xFF), "the last page's rest is blank");
    assert_eq!(flash.data[512..540], ours(2, 2, b"second"));
    assert_eq!(flash.erases, [1, 0]);
    // Before the first erase, the other sector says whose they are.
    let mut claim = record(0, 0, &[0, 0, 2, 0, 0, 0]);
    claim[3] = 0xC0;
    assert_eq!(flash.data[4096..4118], claim);
}

#[test]
fn what_is_saved_is_loaded() {
    let mut store = blank(2);
    assert_eq!(loaded(&mut store), None);
    assert_eq!(store.health(), Health { sectors: 2, ..Health::default() });
    for (number, length) in [0, 1, 239, 240, 241, 496, 497, MAX_PAYLOAD].into_iter().enumerate() {
        let bytes = payload(length, number as u64);
        store.save(&bytes).unwrap();
        assert_eq!(loaded(&mut store), Some(bytes.clone()));
        store = open(store.into_flash(), 2);
        assert_eq!(loaded(&mut store), Some(bytes), "{length} bytes, after a restart");
        // A start leaves a number out.
        assert_eq!(store.health().sequence, Some(number as u32 * 2 + 1));
    }
    let mut short = [0; 100];
    assert_eq!(store.load(&mut short), None, "what does not fit is not loaded in part");
    assert_eq!(store.save(&[0; MAX_PAYLOAD + 1]), Err(SaveError::TooLong));
}

#[test]
fn opening_and_loading_write_nothing() {
    let mut flash = Nor::new(3, 1);
    flash.data[..60].copy_from_slice(&record(3, 9, &[7; 44]));
    let before = flash.clone();
    let mut store = open(flash, 3);
    assert_eq!(loaded(&mut store), None);
    let flash = store.into_flash();
    assert_eq!(flash.operations, 0);
    assert_eq!(flash.data, before.data);
}

#[test]
fn without_sectors_there_is_nowhere_to_save() {
    assert_eq!(blank(0).save(b"x"), Err(SaveError::Volatile));
    assert_eq!(blank(1).save(b"x"), Err(SaveError::WornOut));
    assert_eq!(Storage::save(&mut Volatile, b"x"), Err(SaveError::Volatile));
    assert_eq!(open(Nor::new(200, 0), 200).health().sectors, MAX_SECTORS);
}

/// A later firmware's record is neither loaded nor in the way, and stays until its sector is erased in its turn.
#[test]
fn records_of_another_version_are_left_alone() {
    let mut store = blank(2);
    store.save(b"ours").unwrap();
    let mut flash = store.into_flash();
    let theirs = record(3, 7, &payload(700, 5));
    flash.data[256..256 + theirs.len()].copy_from_slice(&theirs);
    let mut store = open(flash, 2);
    assert_eq!(loaded(&mut store).as_deref(), Some(&b"ours"[..]));
    store.save(b"ours again").unwrap();
    assert_eq!(store.health().sequence, Some(9), "newer than theirs");
    let mut store = open(store.into_flash(), 2);
    assert_eq!(loaded(&mut store).as_deref(), Some(&b"ours again"[..]));
    let flash = store.into_flash();
    assert_eq!(flash.data[256..256 + theirs.len()], theirs);
    assert_eq!(flash.erases, [1, 1]);
}

/// What a payload says is never taken for a record, not even where the record around it is lost.
#[test]
fn a_payload_cannot_pass_for_a_record() {
    let mut bytes = payload(MAX_PAYLOAD, 3);
    let forged = forged_record(1000, b"forged");
    for at in [234, 490, 746] {
        bytes[at..at + forged.len()].copy_from_slice(&forged);
    }
    let mut store = blank(2);
    store.save(&bytes).unwrap();
    assert_eq!(loaded(&mut store), Some(bytes.clone()));
    for lost in 0..16 {
        let mut flash = store.clone_flash();
        flash.data[lost] ^= 0x10;
        assert_eq!(loaded(&mut open(flash, 2)), None, "byte {lost} is lost");
    }
}

/// Access for tests that go on from one state in several ways.
trait CloneFlash {
    fn clone_flash(&mut self) -> Nor;
}

impl CloneFlash for Store<Nor> {
    fn clone_flash(&mut self) -> Nor {
        let store = std::mem::replace(self, blank(0));
        let flash = store.into_flash();
        *self = open(flash.clone(), (flash.data.len() / SECTOR_LENGTH as usize) as u8);
        flash
    }
}

#[test]
fn a_bad_sector_is_taken_out_of_use_and_reported() {
    for defect in Defect::ALL {
        let mut store = blank(3);
        store.save(b"first").unwrap();
        let mut flash = store.into_flash();
        flash.defects[0] = Some(defect);
        flash.defects[1] = Some(defect);
        let mut store = open(flash, 3);
        // Programs in sector 0 fail at once, erases when its turn comes. In the end one good sector is left.
        let mut last = b"first".to_vec();
        let worn = (0..200).find_map(|number| {
            let bytes = payload(MAX_PAYLOAD, number);
            match store.save(&bytes) {
                Ok(()) => {
                    last = bytes;
                    None
                }
                Err(error) => Some(error),
            }
        });
        assert_eq!(worn, Some(SaveError::WornOut), "{defect:?}");
        assert_eq!(store.health().retired, 2, "{defect:?}");
        assert_eq!(loaded(&mut store), Some(last.clone()), "{defect:?}");
        assert_eq!(loaded(&mut open(store.into_flash(), 3)), Some(last), "{defect:?}");
    }
}

#[test]
fn what_was_refused_changed_nothing_and_blames_no_sector() {
    let mut store = blank(2);
    store.save(b"old").unwrap();
    for (error, answer) in [(FlashError::OtherCore, SaveError::OtherCore), (FlashError::Refused, SaveError::Refused)] {
        let mut flash = store.clone_flash();
        flash.refuses = Some(error);
        let mut refused = open(flash, 2);
        for _ in 0..40 {
            assert_eq!(refused.save(b"new"), Err(answer));
        }
        assert_eq!(refused.health().retired, 0);
        assert_eq!(loaded(&mut refused).as_deref(), Some(&b"old"[..]));
    }
}

/// What is acknowledged has both seals: no later start has to program its page, which may be worn by then.
#[test]
fn a_save_that_is_refused_in_its_last_step_is_none() {
    for error in [FlashError::OtherCore, FlashError::Refused] {
        for after in 0..4 {
            let mut store = blank(2);
            store.save(b"old").unwrap();
            let mut flash = store.into_flash();
            // Erase, page, seal, seal.
            flash.refusals = Some((after, 1, error));
            let mut store = open(flash, 2);
            assert!(store.save(b"new").is_err(), "{error:?} after {after}");
            assert_eq!(loaded(&mut store).as_deref(), Some(&b"old"[..]));
            // It is acknowledged again, and holds: what was refused does not turn up.
            store.save(b"old").unwrap();
            let mut store = open(store.into_flash(), 2);
            assert_eq!(loaded(&mut store).as_deref(), Some(&b"old"[..]), "{error:?} after {after}");
        }
    }
}

/// An interrupted erase that left a sector blank to look at is no erase: the sector is erased again before it is written.
#[test]
fn an_interrupted_erase_is_not_trusted() {
    let mut store = blank(2);
    for number in 0..16 {
        store.save(&payload(10, number)).unwrap();
    }
    let mut flash = store.into_flash();
    flash.cut = Some(nor::Cut { after: 0, at: 1, seed: 0 });
    let mut store = open(flash, 2);
    assert!(store.save(b"cut").is_err());
    let mut flash = store.into_flash();
    flash.power_on();
    assert_eq!((flash.erases[1], flash.data[4096]), (1, 0xFF));
    let mut store = open(flash, 2);
    store.save(b"new").unwrap();
    assert_eq!(store.into_flash().erases, [1, 2]);
}

#[test]
fn a_short_history_survives_every_cut() {
    for before in [0, 1, 8, 15] {
        for length in [20, 600] {
            exhaust::<Store<Nor>>(2, before, length, false, false).unwrap();
            exhaust::<Store<Nor>>(2, before, length, false, true).unwrap();
        }
    }
}

#[test]
fn a_sector_that_goes_bad_after_a_cut_takes_nothing_back() {
    let mut cuts = 0;
    for sectors in [2, 3] {
        for before in [0, 1, 3, 7, 15, 16] {
            for length in [20, 600] {
                cuts += wear_out::<Store<Nor>>(sectors, before, length, 2).unwrap();
            }
        }
    }
    assert!(cuts > 10_000, "{cuts}");
}

#[test]
fn a_history_at_random() {
    for (sectors, unstable) in [(2, false), (3, true), (5, true), (2, true)] {
        let seen = wander::<Store<Nor>>(sectors, u64::from(sectors), 3000, true, unstable).unwrap();
        assert!(seen.old > 20 && seen.new > 20 && seen.worn > 0, "{seen:?}");
    }
}

/// Judges a store by a piece of everything.
fn judge<S: Subject>(unstable: bool) -> Result<(), String> {
    for before in 0..6 {
        exhaust::<S>(2, before, 600, false, unstable)?;
    }
    for seed in 0..4 {
        wander::<S>(3, seed, 2000, false, unstable)?;
        wander::<S>(3, seed, 2000, true, unstable)?;
    }
    Ok(())
}

/// A judge that accepts everything, or nothing, would be useless.
#[test]
fn the_judge_catches() {
    judge::<Simple<RIGHT>>(false).expect("a right store passes where bits are stable");
    let verdicts = [
        ("erases the newest record's sector", judge::<Simple<ERASES_THE_NEWEST>>(false)),
        ("believes every record", judge::<Simple<BELIEVES_ANYTHING>>(false)),
        ("takes the oldest record", judge::<Simple<TAKES_THE_OLDEST>>(false)),
        ("does not read back", judge::<Simple<DOES_NOT_VERIFY>>(false)),
        ("believes that bits are stable", judge::<Simple<RIGHT>>(true)),
        ("sums half of the payload", judge::<Simple<SUMS_TOO_LITTLE>>(false)),
    ];
    for (defect, verdict) in verdicts {
        let reason = verdict.expect_err(defect);
        println!("{defect}: {reason}");
    }
}

/// Years that a store of `sectors` lasts at one save a minute, where a sector endures 100,000 erases.
fn years(sectors: u8, saves: u64, erases: u64) -> f64 {
    let saves_in_life = 100_000.0 * f64::from(sectors) * saves as f64 / erases as f64;
    saves_in_life / (60.0 * 24.0 * 365.25)
}

/// So many saves: every sector is erased as often as every other, but for one erase.
fn wear(saves: u64) {
    for sectors in [2, 3, 4, 8] {
        for length in [100, 300, MAX_PAYLOAD] {
            let mut store = blank(sectors);
            for number in 0..saves {
                store.save(&payload(length, number)).unwrap();
                // A restart is no reason to begin again.
                if number % 1000 == 0 {
                    store = open(store.into_flash(), sectors);
                }
            }
            let erases = store.into_flash().erases;
            let (least, most) = (*erases.iter().min().unwrap(), *erases.iter().max().unwrap());
            assert!(most - least <= 1, "{sectors} sectors, {length} bytes: {erases:?}");
            let sum: u64 = erases.iter().sum();
            println!(
                "{sectors} sectors, {length:4} bytes: {:.4} erases a save, {least} to {most} erases a sector; \
                 at one save a minute 100,000 erases a sector last {:.1} years",
                sum as f64 / saves as f64,
                years(sectors, saves, sum),
            );
        }
    }
}

/// Every cut of a save, from every `step`th place of the sectors on.
fn every_cut_of_saves(step: usize, lengths: &[usize]) {
    let mut cuts = 0;
    for sectors in [2, 3] {
        // Two sectors go round in 34 saves; the third makes little difference.
        for before in (0..48).step_by(if sectors == 2 { step } else { 5 * step }) {
            for length in lengths {
                cuts += exhaust::<Store<Nor>>(sectors, before, *length, false, before % 4 != 3).unwrap();
            }
        }
    }
    println!("operations: {cuts} saves cut, most of them with unstable cells");
}

/// Cuts after recoveries from cuts.
fn second_cuts(places: impl Iterator<Item = u64>) {
    let mut cuts = 0;
    for before in places {
        for length in [20, 600] {
            cuts += exhaust::<Store<Nor>>(2, before, length, true, before % 4 != 3).unwrap();
        }
    }
    println!("operations: {cuts} saves cut, most of them after another, with unstable cells");
}

/// Operations at random in so many histories, each with a seed that its failure names.
fn at_random(histories: usize) {
    let (mut operations, mut flash) = (0, 0);
    for (seed, sectors) in (0x5EED..).zip([2u8, 3, 4, 2, 5, 2, 8, 3, 2, 32].into_iter().cycle().take(histories)) {
        let seen = wander::<Store<Nor>>(sectors, seed, 10_000, seed % 3 != 0, seed % 8 != 0).unwrap();
        operations += 10_000;
        flash += seen.flash_operations;
        if seed < 0x5EED + 6 {
            println!("seed {seed}, {sectors} sectors: {seen:?}");
        }
    }
    println!("operations: {operations} at random, with {flash} of the flash; seeds from {}", 0x5EED);
}

/// What CI runs.
mod ring4 {
    use super::*;

    #[test]
    #[ignore = "ring 4 runs it optimized"]
    fn wear_is_even() {
        wear(20_000);
    }

    #[test]
    #[ignore = "ring 4 runs it optimized"]
    fn every_cut_of_some_saves() {
        every_cut_of_saves(15, &[20, MAX_PAYLOAD]);
    }

    #[test]
    #[ignore = "ring 4 runs it optimized"]
    fn some_second_cuts() {
        // Where the next sector has to be erased.
        second_cuts([16].into_iter());
    }

    #[test]
    #[ignore = "ring 4 runs it optimized"]
    fn two_hundred_thousand_operations() {
        at_random(20);
    }
}

/// All of it: `cargo xtask test --long`.
mod long {
    use super::*;

    #[test]
    #[ignore = "long: ring 4 runs it with --long"]
    fn wear_is_even() {
        wear(100_000);
    }

    #[test]
    #[ignore = "long: ring 4 runs it with --long"]
    fn every_cut_of_every_save() {
        every_cut_of_saves(1, &[20, 600, MAX_PAYLOAD]);
    }

    #[test]
    #[ignore = "long: ring 4 runs it with --long"]
    fn every_second_cut() {
        second_cuts((0..34).step_by(2));
    }

    #[test]
    #[ignore = "long: ring 4 runs it with --long"]
    fn a_million_operations() {
        at_random(110);
    }
}

/// The trait has no more than the store needs.
#[test]
fn reads_are_of_any_length() {
    let mut flash = Nor::new(1, 1);
    let mut one = [0; 1];
    flash.read(SECTOR_LENGTH - 1, &mut one);
    assert_eq!(one[0], flash.data[SECTOR_LENGTH as usize - 1]);
    assert_eq!(flash.program(0, &[0; PAGE_LENGTH]), Ok(()));
}
