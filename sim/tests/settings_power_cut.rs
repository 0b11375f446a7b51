//! Settings saved by a firmware on the emulated board: the bootrom's flash call as it has to be called, power that fails in any
//! of its operations, a second core in the way, and steps of the call left out. The firmware is tests/settings-board;
//! `cargo xtask test --ring 5` builds it.

mod board_elf;
#[path = "defects/machine_code.rs"]
mod machine_code;

use machine_code::{Defect, calls, masks_interrupts, plant};
use picovd_sim::board::elf::Image;
use picovd_sim::board::flash::{PowerCut, Torn};
use picovd_sim::board::{ChipIdentity, DEFAULT_FLASH_SIZE, Machine, RunState, SecondCore};

/// Where the settings are: two sectors in front of flash's last.
const START: usize = 0x3F_D000;
const LENGTH: usize = 0x2000;
/// What the firmware says before it has looked, and where what it found is damaged.
const NOTHING_YET: u32 = 0xFFFF_FFFF;
const DAMAGED: u32 = 0xFFFF_FFFE;
/// Saves after a start.
const SAVES: u32 = 60;
/// Cycles within which the firmware does anything that is waited for: 5 s.
const PATIENCE: u64 = 750_000_000;
const STEP: u64 = 2_000;
/// What the firmware's second core does: it counts and parks; it counts and does not register; it registers but does not park;
/// the same, asleep most of the time.
const PARKS: u32 = 0x5E77_0001;
const COUNTS: u32 = 0x5E77_0002;
const DEAF: u32 = 0x5E77_0003;
const DOZES: u32 = 0x5E77_0004;

/// The firmware on its board.
struct Bench {
    image: Image,
    machine: Machine,
    loaded: u32,
    saved: u32,
    failed: u32,
    counted: u32,
    /// Where the firmware looks for what its second core is to do, and what that is.
    mode: (u32, u32),
}

impl Bench {
    fn new() -> Self {
        Self::with_second_core(0)
    }

    /// The same, with what the second core is to do.
    fn with_second_core(mode: u32) -> Self {
        let image = Image::parse(&board_elf::bytes()).expect("an image");
        let machine: Machine =
            Machine::new(image.clone(), DEFAULT_FLASH_SIZE, ChipIdentity::default()).expect("a board");
        let symbol = |name| machine.symbol(name).unwrap_or_else(|| panic!("the firmware has no {name}"));
        let (loaded, saved, failed) = (symbol("LOADED"), symbol("SAVED"), symbol("FAILED"));
        let (mode, counted) = ((symbol("SETTINGS_MODE"), mode), symbol("COUNTED"));
        let mut bench = Self { image, machine, loaded, saved, failed, counted, mode };
        bench.start(None);
        bench
    }

    fn word(&self, address: u32) -> u32 {
        self.machine.word(address).expect("in SRAM")
    }

    /// Power off and on, with a plan for its failure.
    fn start(&mut self, cut: Option<PowerCut>) {
        self.machine.unplug();
        self.machine.flash().set_power_cut(cut);
        self.machine.plug();
        // What the former run or chance has left there is no answer.
        assert!(self.machine.preload_sram(self.loaded, &NOTHING_YET.to_le_bytes()));
        assert!(self.machine.preload_sram(self.saved, &0u32.to_le_bytes()));
        let (place, mode) = self.mode;
        assert!(self.machine.preload_sram(place, &mode.to_le_bytes()));
    }

    /// Runs until something holds.
    fn until(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        let end = self.machine.cycles() + PATIENCE;
        while !done(self) {
            assert_eq!(self.machine.fault(), None, "while waiting until {what}");
            assert!(self.machine.cycles() < end, "it does not come to pass that {what}");
            let next = self.machine.cycles() + STEP;
            self.machine.run_until(next);
        }
    }

    /// Runs until the firmware has looked for its settings. Returns what it found.
    fn looks(&mut self) -> u32 {
        self.until("the firmware has loaded its settings", |bench| bench.word(bench.loaded) != NOTHING_YET);
        let found = self.word(self.loaded);
        assert_ne!(found, DAMAGED, "settings that were never saved");
        found
    }

    /// Runs until a number is saved.
    fn saves(&mut self, number: u32) {
        self.until("the firmware has saved", |bench| bench.word(bench.saved) >= number);
    }

    /// Runs until the board stops for a reason of its own. Returns the reason.
    fn stops(&mut self) -> String {
        let end = self.machine.cycles() + PATIENCE;
        while *self.machine.state() == RunState::Running && self.machine.cycles() < end {
            let next = self.machine.cycles() + STEP;
            self.machine.run_until(next);
        }
        self.machine.fault().expect("not noticed").to_owned()
    }

    fn settings(&mut self) -> Vec<u8> {
        self.machine.flash().bytes()[START..START + LENGTH].to_vec()
    }
}

mod ring5 {
    use super::*;

    #[test]
    #[ignore = "needs the firmware: cargo xtask test --ring 5"]
    fn what_is_saved_is_there_after_a_restart() {
        let mut bench = Bench::new();
        assert_eq!(bench.looks(), 0, "a new board has none");
        bench.saves(SAVES);
        assert!(bench.machine.reads_fast(), "flash is read as before");
        let wear: Vec<(usize, u64)> = bench.machine.flash().wear().iter().map(|(n, count)| (*n, *count)).collect();
        let sectors: Vec<usize> = wear.iter().map(|(sector, _)| *sector).collect();
        assert_eq!(sectors, [START / 4096, START / 4096 + 1], "nothing else is written");
        assert!(wear[0].1.abs_diff(wear[1].1) <= 1 && wear[0].1 >= 3, "{wear:?}");
        bench.start(None);
        assert_eq!(bench.looks(), SAVES);
        bench.saves(SAVES + 1);
    }

    /// From the states that 40 saves leave, power fails in each operation of the next save, in several ways.
    #[test]
    #[ignore = "needs the firmware: cargo xtask test --ring 5"]
    fn a_power_cut_leaves_the_old_settings_or_the_new() {
        let mut bench = Bench::new();
        assert_eq!(bench.looks(), 0);
        let mut states = vec![(bench.settings(), 0)];
        for number in 1..=40 {
            let before = bench.machine.flash().operations();
            bench.until("the next is saved", |bench| bench.word(bench.saved) >= number);
            let after = bench.machine.flash().operations();
            let operations = (after.0 + after.1) - (before.0 + before.1);
            if let Some(last) = states.last_mut() {
                last.1 = operations;
            }
            states.push((bench.settings(), 0));
        }
        let torn = [
            Torn::Before,
            Torn::At(0),
            Torn::At(3),
            Torn::At(9),
            Torn::At(15),
            Torn::At(100),
            Torn::At(255),
            Torn::At(256),
            Torn::At(4000),
            Torn::Anyhow,
            Torn::Unstable(1),
            Torn::Unstable(2),
        ];
        let (mut old, mut new) = (0, 0);
        for (number, (state, operations)) in (0u32..).zip(&states).take(40) {
            for after in 0..*operations {
                for torn in torn {
                    let cut = PowerCut { after, torn };
                    assert!(bench.machine.flash().preload(START, state));
                    bench.start(Some(cut));
                    assert_eq!(bench.looks(), number, "before {cut:?}");
                    bench.until("power fails", |bench| *bench.machine.state() == RunState::Off);
                    bench.start(None);
                    let found = bench.looks();
                    assert!(found == number || found == number + 1, "{found} after {number}, {cut:?}");
                    *(if found == number { &mut old } else { &mut new }) += 1;
                    bench.start(None);
                    assert_eq!(bench.looks(), found, "at the next start, after {number}, {cut:?}");
                    // And it goes on from there.
                    bench.saves(found + 1);
                    bench.start(None);
                    assert_eq!(bench.looks(), found + 1, "the save after {number}, {cut:?}");
                }
            }
        }
        println!("{} power cuts: {old} left the old settings, {new} the new", old + new);
        assert!(old > 100 && new > 20, "{old} old, {new} new");
    }

    #[test]
    #[ignore = "needs the firmware: cargo xtask test --ring 5"]
    fn a_second_core_that_runs_stops_every_save() {
        let mut bench = Bench::new();
        bench.machine.set_second_core(SecondCore::Runs);
        bench.looks();
        bench.until("the answer is OtherCore", |bench| bench.word(bench.failed) == 1);
        assert_eq!(bench.word(bench.saved), 0);
        assert_eq!(bench.machine.flash().operations(), (0, 0));
        assert!(bench.machine.reads_fast(), "nothing was tried");
        // When it waits in the bootrom again, it goes on.
        bench.machine.set_second_core(SecondCore::Waits);
        bench.saves(1);
    }

    #[test]
    #[ignore = "needs the firmware: cargo xtask test --ring 5"]
    fn a_second_core_that_parks_is_asked_first() {
        let mut bench = Bench::new();
        let symbol = |bench: &Bench, name| bench.machine.symbol(name).expect("a symbol of rp2350::park");
        let enabled = symbol(&bench, "PICOVD_PARK_ENABLED") + 1;
        let (asked, answered) = (symbol(&bench, "PICOVD_PARK_ASKED"), symbol(&bench, "PICOVD_PARK_ANSWERED"));
        // It has said that it parks, and does not.
        bench.machine.set_second_core(SecondCore::Runs);
        bench.looks();
        assert!(bench.machine.preload_sram(enabled, &[1]));
        let before = bench.word(asked);
        bench.until("it was asked", |bench| bench.word(asked) != before);
        bench.until("the answer is OtherCore", |bench| bench.word(bench.failed) == 1);
        assert_eq!(bench.machine.flash().operations(), (0, 0));
        // It does: every operation waits for it, or the board would have stopped.
        bench.machine.set_second_core(SecondCore::Parks { asked, answered });
        bench.saves(8);
        assert!(bench.machine.flash().operations().1 >= 8);
        bench.until("it may go on", |bench| bench.word(asked) == 0);
    }

    #[test]
    #[ignore = "needs the firmware: cargo xtask test --ring 5"]
    fn a_second_core_in_flash_parks_for_every_operation_and_goes_on() {
        for seed in 0..4 {
            let mut bench = Bench::with_second_core(PARKS);
            bench.machine.interleave(seed);
            assert_eq!(bench.looks(), 0);
            assert_eq!(bench.machine.second_core(), SecondCore::Executes);
            let mut counted = bench.word(bench.counted);
            for number in 1..=SAVES {
                bench.saves(number);
                assert_eq!(bench.word(bench.failed), 0);
                // Between two saves it goes on.
                let now = bench.word(bench.counted);
                assert!(now > counted, "after save {number} it is stuck at {now}");
                counted = now;
            }
            let (erases, programs) = bench.machine.flash().operations();
            assert!(erases >= 6 && programs >= u64::from(SAVES), "{erases} erases, {programs} programs");
            assert!(bench.machine.reads_fast(), "flash is read as before");
            let end = bench.machine.cycles() + 1_000_000;
            bench.machine.run_until(end);
            assert_eq!(bench.machine.fault(), None);
            assert!(bench.word(bench.counted) > counted + 100, "and at last undisturbed");
        }
    }

    #[test]
    #[ignore = "needs the firmware: cargo xtask test --ring 5"]
    fn beside_a_second_core_that_does_not_park_nothing_is_saved() {
        for mode in [COUNTS, DEAF] {
            let mut bench = Bench::with_second_core(mode);
            bench.looks();
            bench.until("the answer is OtherCore", |bench| bench.word(bench.failed) == 1);
            let counted = bench.word(bench.counted);
            bench.until("it counts on", |bench| bench.word(bench.counted) > counted + 100);
            assert_eq!((bench.word(bench.saved), bench.machine.flash().operations()), (0, (0, 0)));
        }
    }

    /// The planted defect: a core that answers and goes on executing from flash, or sleeps and wakes while flash is erased. The board
    /// has to notice by itself.
    #[test]
    #[ignore = "needs the firmware: cargo xtask test --ring 5"]
    fn a_second_core_that_only_says_that_it_parks_stops_the_board() {
        for (mode, what, when) in [
            (DEAF, "instruction fetch", "while flash is not connected for XIP"),
            (DOZES, "read", "while the flash chip erases or programs"),
        ] {
            let mut bench = Bench::with_second_core(mode);
            let symbol = |bench: &Bench, name| bench.machine.symbol(name).expect("a symbol of rp2350::park");
            let (asked, answered) = (symbol(&bench, "PICOVD_PARK_ASKED"), symbol(&bench, "PICOVD_PARK_ANSWERED"));
            bench.looks();
            bench.until("it was asked", |bench| bench.word(asked) != 0);
            // Until the other one wakes up.
            let end = bench.machine.cycles() + PATIENCE;
            while *bench.machine.state() == RunState::Running && bench.machine.cycles() < end {
                let number = bench.word(asked);
                assert!(bench.machine.preload_sram(answered, &number.to_le_bytes()));
                let next = bench.machine.cycles() + STEP;
                bench.machine.run_until(next);
            }
            let why = bench.stops();
            assert!(why.starts_with(&format!("core 1: {what} at 0x1000")) && why.contains(when), "{why}");
        }
    }

    /// A planted defect: the call is made with interrupts enabled. No interrupt occurs, so it does not show in what is saved.
    #[test]
    #[ignore = "needs the firmware: cargo xtask test --ring 5"]
    fn a_flash_call_without_masked_interrupts_stops_the_board() {
        let mut bench = Bench::new();
        let masking = Defect { function: "13SettingsFlash7operate", kind: masks_interrupts, count: 1, which: 0 };
        plant(&mut bench.machine, &bench.image, &masking);
        bench.start(None);
        bench.looks();
        let why = bench.stops();
        assert!(why.starts_with("ROM call from 0x2000") && why.contains("interrupts enabled"), "{why}");
        assert_eq!(bench.machine.flash().operations(), (0, 0));
    }

    /// Planted defects: a step of the sequence in section 5.4.8.9 is omitted. A missing flush of the
    /// cache does not show in what is saved either, because the settings are not read through the cache.
    #[test]
    #[ignore = "needs the firmware: cargo xtask test --ring 5"]
    fn a_flash_call_that_leaves_out_a_step_is_noticed() {
        // connect_internal_flash, flash_exit_xip, flash_op, flash_flush_cache, and the function in boot RAM.
        let without = |which| {
            let mut bench = Bench::new();
            // The function has been loaded into RAM by then.
            bench.looks();
            let step = Defect { function: "16operate_from_ram", kind: calls, count: 5, which };
            plant(&mut bench.machine, &bench.image, &step);
            bench
        };
        let why = without(1).stops();
        assert!(why.starts_with("ROM call from 0x2000") && why.contains("before flash_exit_xip"), "{why}");
        let why = without(3).stops();
        assert!(why.starts_with("core 0: instruction fetch at 0x1000"), "{why}");
        assert!(why.contains("flash has changed at 0x103fe000 and flash_flush_cache was not called"), "{why}");
        let mut bench = without(4);
        bench.saves(1);
        assert!(!bench.machine.reads_fast(), "flash is read as before");
    }
}
