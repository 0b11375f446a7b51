//! The main loop computes and never looks at USB: interrupts serve the stick. PRIMES.TXT has the result.
#![no_std]
#![no_main]

use core::fmt;
use picovd::files::Snapshot;
use picovd::vd::{File, vd_add_file, vd_update_file};
use rp235x_hal as hal;

picovd::firmware!(disk);
picovd::serve!(STICK);

/// Where the search ends.
const END: u32 = 500_000;
/// How often the file is updated.
const STEP: u32 = 50_000;

/// How many prime numbers there are below some number.
#[derive(Clone, Copy)]
struct Found {
    primes: u32,
    below: u32,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} prime numbers below {}.\r\n", self.primes, self.below)
    }
}

static FOUND: Snapshot<Found> = Snapshot::new(Found { primes: 0, below: 2 });
static PRIMES_TXT: File = File::new("PRIMES.TXT", &FOUND, 64);

#[hal::entry]
fn main() -> ! {
    let (stick, _board) = Stick::start(&disk::DESCRIPTION);
    vd_add_file(&disk::FILES, &PRIMES_TXT).expect("picovd.toml has room for it");
    STICK.begin(stick);
    let mut found = Found { primes: 0, below: 2 };
    while found.below < END {
        found.primes += u32::from(is_prime(found.below));
        found.below += 1;
        if found.below.is_multiple_of(STEP) {
            FOUND.set(found);
            let _ = vd_update_file(&disk::FILES, &PRIMES_TXT);
            STICK.wake();
        }
    }
    loop {
        hal::arch::wfi();
    }
}

fn is_prime(number: u32) -> bool {
    number == 2 || (number % 2 == 1 && (3..).step_by(2).take_while(|d| d * d <= number).all(|d| number % d != 0))
}
