//! The judge: a store against a model that is too simple to be wrong, the last payload that was saved.

use super::nor::{CUTS, Cut, Defect, ERASE_CUTS, Nor};
use super::subject::Subject;
use picovd::settings::{FlashError, MAX_PAYLOAD, PAGE_LENGTH, SaveError};
use picovd_sim::random::Random;

/// What the judge says of a store that is wrong.
pub type Verdict<T> = Result<T, String>;

/// What happened in a long history.
#[derive(Debug, Default)]
pub struct Seen {
    pub saves: u64,
    pub cuts: u64,
    pub refused: u64,
    pub acknowledged: u64,
    pub old: u64,
    pub new: u64,
    pub worn: u64,
    pub defects: u64,
    pub restarts: u64,
    pub flash_operations: u64,
}

fn show(payload: Option<&[u8]>) -> String {
    payload.map_or("nothing".into(), |bytes| {
        let start: Vec<String> = bytes.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        format!("{} bytes {}", bytes.len(), start.join(" "))
    })
}

fn same(what: &str, expected: Option<&[u8]>, seen: Option<&[u8]>) -> Verdict<()> {
    if expected == seen { Ok(()) } else { Err(format!("{what}: expected {}, seen {}", show(expected), show(seen))) }
}

/// A payload of this length that no other number has.
pub fn payload(length: usize, number: u64) -> Vec<u8> {
    let mut bytes = vec![0; length];
    Random::new(number).fill(&mut bytes);
    bytes
}

/// Whether nothing can make an answer that of every later start: no sector takes what is programmed and erased, or a single one
/// that is full, and may hold what must not be lost.
fn is_hopeless(flash: &Nor) -> bool {
    let good: Vec<usize> = (0..flash.defects.len()).filter(|sector| flash.defects[*sector].is_none()).collect();
    match good[..] {
        [] => true,
        [one] => !flash.has_room(one, MAX_PAYLOAD.div_ceil(PAGE_LENGTH)),
        _ => false,
    }
}

/// Restarts the store after a cut, and looks for the old payload or the new one. The next starts are cut short as well, where
/// they write anything. Returns the store and what it has.
///
/// What was seen once stays, but where every sector [is bad](is_hopeless): there it may be either, until a save is acknowledged.
fn after_cut<S: Subject>(store: S, sectors: u8, old: Option<&[u8]>, new: &[u8]) -> Verdict<(S, Option<Vec<u8>>)> {
    let mut flash = store.flash();
    let mut random = Random::new(flash.operations);
    let mut told: Option<Option<Vec<u8>>> = None;
    // Nothing was read during starts that were cut short.
    let mut cuts = 1 + random.below(3);
    for start in 0..8 {
        // In the end, the program alone starts again.
        if start < 6 {
            flash.power_on();
        }
        if cuts > 0 {
            let (after, at) = (random.below(6).into(), random_cut(&mut random));
            flash.cut = Some(Cut { after, at, seed: random.next_u64() });
        }
        let hopeless = is_hopeless(&flash);
        let mut store = S::open(flash, sectors);
        let now = store.load();
        flash = store.flash();
        flash.cut = None;
        if flash.dead {
            cuts -= 1;
            continue;
        }
        cuts = 0;
        if now.as_deref() != old && now.as_deref() != Some(new) {
            let (old, new, now) = (show(old), show(Some(new)), show(now.as_deref()));
            return Err(format!("after a power cut: {old} was there, {new} was saved, seen {now}"));
        }
        if let Some(before) = told.as_ref().filter(|_| !hopeless) {
            same(&format!("start {start} after a power cut"), before.as_deref(), now.as_deref())?;
        }
        told = Some(now);
    }
    Ok((S::open(flash, sectors), told.flatten()))
}

/// A place for a cut: any, and half of the time one that leaves most to chance.
fn random_cut(random: &mut Random) -> usize {
    match random.below(12) {
        0 => 3,
        at @ 1..6 => PAGE_LENGTH - 1 + at as usize,
        _ => random.below(CUTS as u32) as usize,
    }
}

/// Where every sector [is bad](is_hopeless), saves something, after which nothing is in doubt. Where that cannot be, all sectors
/// are mended.
fn leave_doubt<S: Subject>(mut store: S, sectors: u8, model: &mut Option<Vec<u8>>, number: u64) -> Verdict<S> {
    let bytes = payload(19, number ^ 1 << 40);
    match save(&mut store, &bytes, model.is_none()) {
        Ok(()) => *model = Some(bytes),
        Err(SaveError::WornOut) => {
            let mut flash = store.flash();
            flash.defects.fill(None);
            store = S::open(flash, sectors);
            *model = store.load();
        }
        Err(error) => return Err(format!("save: {error:?}")),
    }
    Ok(store)
}

/// Saves. Where nothing was ever saved, the sectors may hold rubbish, and have to be claimed.
fn save<S: Subject>(store: &mut S, payload: &[u8], rubbish: bool) -> Result<(), SaveError> {
    match store.save(payload) {
        Err(SaveError::Occupied(_)) if rubbish => {
            store.claim();
            store.save(payload)
        }
        result => result,
    }
}

fn was_refused(result: Result<(), SaveError>) -> bool {
    matches!(result, Err(SaveError::OtherCore | SaveError::Refused))
}

/// Every cut of one save: before each operation, in each byte of a program, in each way of either, and after the last.
fn cuts(every: usize) -> impl Iterator<Item = Cut> {
    // A claim, an erase, pages, two seals.
    let most = 5 + MAX_PAYLOAD.div_ceil(PAGE_LENGTH) as u64;
    (0..most).flat_map(move |after| {
        let bytes = (0..=PAGE_LENGTH).step_by(every).chain([1, 3, 9, 11, 15, 17, 255]).chain(PAGE_LENGTH + 1..CUTS);
        bytes.chain(0..ERASE_CUTS).map(move |at| Cut { after, at, seed: after * 1000 + at as u64 })
    })
}

/// Short histories: after `before` saves another one of `length` bytes with every cut, after each of which another one with
/// cuts here and there, and then one without. Returns the number of cuts.
pub fn exhaust<S: Subject>(sectors: u8, before: u64, length: usize, deep: bool, unstable: bool) -> Verdict<u64> {
    let mut flash = Nor::new(sectors, before);
    flash.unstable = unstable;
    let mut store = S::open(flash, sectors);
    let mut old = None;
    for number in 0..before {
        let bytes = payload([100, 500, 17][number as usize % 3], number);
        save(&mut store, &bytes, number == 0).map_err(|e| format!("save {number}: {e:?}"))?;
        old = Some(bytes);
    }
    let flash = store.flash();
    let (new, last, final_one) = (payload(length, 1 << 32), payload(length, 2 << 32), payload(300, 3 << 32));
    let mut count = 0;
    for first in cuts(if deep { 64 } else { 1 }) {
        let what = |e| format!("{sectors} sectors, {before} saves, then {length} bytes, {first:?}: {e}");
        let mut flash = flash.clone();
        flash.cut = Some(first);
        let mut store = S::open(flash, sectors);
        same("before", old.as_deref(), store.load().as_deref()).map_err(what)?;
        // Whether it went through is known by what is there.
        let saved = store.save(&new);
        let flash = store.flash();
        if flash.cut.is_some() {
            // It ended before, and so does it for all that follow.
            break;
        }
        // What a save answers holds, even where its power fails while it runs.
        let saved = saved.is_ok();
        let (store, seen) = after_cut(S::open(flash, sectors), sectors, old.as_deref(), &new).map_err(what)?;
        if saved {
            same("saved", Some(&new), seen.as_deref()).map_err(what)?;
        }
        count += 1;
        let flash = store.flash();
        for second in cuts(PAGE_LENGTH).take_while(|_| deep).map(Some).chain([None]) {
            let what = |e| what(format!("{second:?}: {e}"));
            let mut flash = flash.clone();
            flash.cut = second;
            let mut store = S::open(flash, sectors);
            let saved = store.save(&last);
            let flash = store.flash();
            let saved = saved.is_ok();
            let (mut store, seen) =
                after_cut(S::open(flash, sectors), sectors, seen.as_deref(), &last).map_err(what)?;
            if saved {
                same("saved", Some(&last), seen.as_deref()).map_err(what)?;
            }
            store.save(&final_one).map_err(|e| what(format!("the last save: {e:?}")))?;
            let mut store = S::open(store.flash(), sectors);
            same("the last save", Some(&final_one), store.load().as_deref()).map_err(what)?;
            count += u64::from(second.is_some());
        }
    }
    Ok(count)
}

/// A save that is cut short where most is left to chance; then a sector goes bad, in any way. What is there stays so, and what
/// is acknowledged then does. Returns the number of cuts.
pub fn wear_out<S: Subject>(sectors: u8, before: u64, length: usize, seeds: u64) -> Verdict<u64> {
    let mut flash = Nor::new(sectors, before);
    flash.unstable = true;
    let mut store = S::open(flash, sectors);
    let mut old = None;
    for number in 0..before {
        let bytes = payload([100, 500, 17][number as usize % 3], number);
        save(&mut store, &bytes, number == 0).map_err(|e| format!("save {number}: {e:?}"))?;
        old = Some(bytes);
    }
    let (flash, new) = (store.flash(), payload(length, 1 << 32));
    let mut count = 0;
    for seed in 0..seeds {
        for cut in cuts(PAGE_LENGTH).filter(|cut| cut.at == 3 || cut.at >= PAGE_LENGTH) {
            let cut = Cut { seed: cut.seed * 1000 + seed, ..cut };
            for (bad, defect) in (0..sectors).flat_map(|bad| Defect::ALL.map(|defect| (bad, defect))) {
                let what = |e| {
                    format!("{sectors} sectors, {before} saves, then {length} bytes, {cut:?}, {defect:?} in {bad}: {e}")
                };
                let mut flash = flash.clone();
                flash.cut = Some(cut);
                let mut store = S::open(flash, sectors);
                let saved = save(&mut store, &new, old.is_none()).is_ok();
                let mut flash = store.flash();
                if flash.cut.is_some() {
                    // It ended before.
                    continue;
                }
                flash.defects[usize::from(bad)] = Some(defect);
                let (mut store, seen) =
                    after_cut(S::open(flash, sectors), sectors, old.as_deref(), &new).map_err(what)?;
                if saved {
                    same("saved", Some(&new), seen.as_deref()).map_err(what)?;
                }
                count += 1;
                // What is there already, too, is acknowledged only where it holds.
                let again = seen.unwrap_or_else(|| new.clone());
                if store.save(&again).is_ok() {
                    let mut flash = store.flash();
                    for start in 0..4 {
                        flash.power_on();
                        let mut store = S::open(flash, sectors);
                        let what = |e| what(format!("start {start} after the same was saved: {e}"));
                        same("saved", Some(&again), store.load().as_deref()).map_err(what)?;
                        flash = store.flash();
                    }
                }
            }
        }
    }
    Ok(count)
}

/// A payload to try a store with: any length, the odd ones more often, and some that look like records.
fn random_payload<S: Subject>(random: &mut Random, number: u64) -> Vec<u8> {
    let lengths = [0, 1, 239, 240, 241, 495, 496, 497, 1007, 1008];
    let length = match random.below(4) {
        0 => lengths[random.below(lengths.len() as u32) as usize],
        1 => random.below(1009) as usize,
        _ => random.below(120) as usize,
    };
    let mut bytes = payload(length.min(S::most()), number);
    match random.below(8) {
        // Nothing but what a blank page has.
        0 => bytes.fill(0xFF),
        // Records with high numbers, where pages begin.
        1 | 2 => {
            let forged = super::forged_record(0xFFFF_FF00 + random.below(256), &[0x66; 40]);
            for at in [240, 496, 752] {
                if let Some(room) = bytes.get_mut(at..at + forged.len()) {
                    room.copy_from_slice(&forged);
                }
            }
        }
        _ => {}
    }
    bytes
}

/// A long history: saves, loads, restarts, power cuts anywhere, operations that are refused, and sectors that go bad and are
/// mended.
///
/// It draws while it runs. Drawn in advance by proptest, a history of 10,000 operations takes 17 % longer (9,600 operations a second in
/// place of 11,200, in a test build), and to shrink one took 290,000 runs, which would be a day and a half here. A seed repeats
/// it in a second.
pub fn wander<S: Subject>(sectors: u8, seed: u64, operations: u64, defects: bool, unstable: bool) -> Verdict<Seen> {
    let mut random = Random::new(seed);
    let mut seen = Seen::default();
    let mut flash = Nor::new(sectors, seed);
    flash.unstable = unstable;
    let mut store = S::open(flash, sectors);
    let mut model: Option<Vec<u8>> = None;
    // Sectors whose defect the store may have met since it was started.
    let mut met = vec![false; usize::from(sectors)];
    for number in 0..operations {
        let what = |e| format!("{sectors} sectors, seed {seed}, operation {number}: {e}");
        let mut doubt = false;
        match random.below(17) {
            16 => {
                let bytes = random_payload::<S>(&mut random, number);
                let mut flash = store.flash();
                let error = [FlashError::OtherCore, FlashError::Refused][random.below(2) as usize];
                flash.refusals = Some((random.below(9).into(), (1 + random.below(3)).into(), error));
                for (met, defect) in met.iter_mut().zip(&flash.defects) {
                    *met = defect.is_some();
                }
                let may_wear = met.iter().filter(|bad| !**bad).count() < 2;
                store = S::open(flash, sectors);
                let rubbish = model.is_none();
                let mut tried = bytes.clone();
                let mut result = save(&mut store, &tried, rubbish);
                if was_refused(result) {
                    seen.refused += 1;
                    same("refused", model.as_deref(), store.load().as_deref()).map_err(what)?;
                    // It is tried again, or what was there before is saved instead, or nothing more comes.
                    let times = if random.below(3) == 0 { 0 } else { 5 };
                    if random.below(2) == 0 {
                        tried = model.clone().unwrap_or(tried);
                    }
                    for _ in 0..times {
                        if was_refused(result) {
                            result = save(&mut store, &tried, rubbish);
                        }
                    }
                }
                let restarts = random.below(2) == 0;
                match result {
                    Ok(()) => model = Some(tried),
                    Err(SaveError::WornOut) if may_wear => seen.worn += 1,
                    Err(_) if was_refused(result) => {}
                    Err(error) => return Err(what(format!("save: {error:?}, defects met {met:?}"))),
                }
                if result.is_err() {
                    (store, model) = after_cut(store, sectors, model.as_deref(), &bytes).map_err(what)?;
                    doubt = true;
                } else if restarts {
                    let saved = model.clone().unwrap_or_default();
                    (store, model) = after_cut(store, sectors, model.as_deref(), &saved).map_err(what)?;
                } else {
                    let mut flash = store.flash();
                    flash.refusals = None;
                    store = S::open(flash, sectors);
                    same("saved after all", model.as_deref(), store.load().as_deref()).map_err(what)?;
                }
            }
            0..=8 => {
                let bytes = random_payload::<S>(&mut random, number);
                let may_wear = met.iter().filter(|bad| !**bad).count() < 2;
                match save(&mut store, &bytes, model.is_none()) {
                    Ok(()) => model = Some(bytes),
                    Err(SaveError::WornOut) if may_wear => seen.worn += 1,
                    Err(error) => return Err(what(format!("save: {error:?}, defects met {met:?}"))),
                }
                seen.saves += 1;
            }
            9 | 10 => same("load", model.as_deref(), store.load().as_deref()).map_err(what)?,
            11 | 12 => {
                let mut flash = store.flash();
                for (met, defect) in met.iter_mut().zip(&flash.defects) {
                    *met = defect.is_some();
                }
                flash.power_on();
                store = S::open(flash, sectors);
                same("restart", model.as_deref(), store.load().as_deref()).map_err(what)?;
                seen.restarts += 1;
            }
            13 | 14 => {
                let bytes = random_payload::<S>(&mut random, number);
                let mut flash = store.flash();
                let after = u64::from(random.below(9));
                flash.cut = Some(Cut { after, at: random_cut(&mut random), seed: random.next_u64() });
                for (met, defect) in met.iter_mut().zip(&flash.defects) {
                    *met = defect.is_some();
                }
                store = S::open(flash, sectors);
                let saved = save(&mut store, &bytes, model.is_none());
                let flash = store.flash();
                // What a save answers holds, whatever is wrong with the sectors, and even where its power fails while it runs.
                let saved = saved.is_ok();
                store = S::open(flash, sectors);
                let before = model.take();
                (store, model) = after_cut(store, sectors, before.as_deref(), &bytes).map_err(what)?;
                if saved {
                    same("saved", Some(&bytes), model.as_deref()).map_err(what)?;
                    seen.acknowledged += 1;
                }
                doubt = !saved;
                seen.cuts += 1;
                if model == before {
                    seen.old += 1;
                } else {
                    seen.new += 1;
                }
            }
            _ if defects && random.below(2) == 0 => {
                // One at a time goes bad or is mended, as by a better supply; now and then so many that nothing can be saved.
                let sector = random.below(u32::from(sectors)) as usize;
                let bad = random.below(Defect::ALL.len() as u32 * 2) as usize;
                let mut flash = store.flash();
                flash.defects[sector] = Defect::ALL.get(bad).copied();
                for (met, defect) in met.iter_mut().zip(&flash.defects) {
                    *met = defect.is_some();
                }
                store = S::open(flash, sectors);
                seen.defects += 1;
            }
            _ => {
                let bad = met.iter().filter(|bad| **bad).count();
                if usize::from(store.retired()) > bad {
                    return Err(what(format!("{} sectors are out of use, {bad} are bad", store.retired())));
                }
            }
        }
        if doubt && defects {
            let mut flash = store.flash();
            flash.refusals = None;
            let hopeless = is_hopeless(&flash);
            store = S::open(flash, sectors);
            if hopeless {
                store = leave_doubt(store, sectors, &mut model, number).map_err(what)?;
            }
        }
    }
    seen.flash_operations = store.flash().operations;
    Ok(seen)
}
