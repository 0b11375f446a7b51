//! Hosts that send anything at any time.

use super::*;
use picovd_property::Cases;
use proptest::collection::vec;
use proptest::prelude::*;

/// What a host does after a wrapper.
#[derive(Clone, Debug)]
enum Step {
    In,
    Out(usize),
    Clear(Direction),
    BulkOnlyReset,
}

/// A command, what the host sends for it, and how it goes on.
#[derive(Debug)]
struct Round {
    intent: Intent,
    fails: bool,
    wrapper: Vec<u8>,
    steps: Vec<Step>,
    /// A reset, of the bus or not, after which everything works.
    reset: Option<bool>,
}

/// A wrapper, and three in eight that are none: cut off, rubbish, or with a byte or the lengths changed.
fn wrapper() -> impl Strategy<Value = Vec<u8>> {
    let good = || {
        let host = prop_oneof![(0..300_u64).prop_map(IN), (0..300_u64).prop_map(OUT)];
        (any::<u32>(), host).prop_map(|(tag, host)| cbw(tag, host))
    };
    let with = |mut wrapper: Vec<u8>, at: usize, bytes: &[u8]| {
        wrapper[at..at + bytes.len()].copy_from_slice(bytes);
        wrapper
    };
    prop_oneof![
        4 => good(),
        1 => (good(), 0..32_usize).prop_map(|(wrapper, length)| wrapper[..length.min(31)].to_vec()),
        1 => vec(any::<u8>(), 0..65),
        1 => (good(), 0..31_usize, any::<u8>()).prop_map(move |(wrapper, at, byte)| with(wrapper, at, &[byte])),
        1 => (good(), any::<[u8; 7]>()).prop_map(move |(wrapper, bytes)| with(wrapper, 8, &bytes)),
    ]
}

fn round() -> impl Strategy<Value = Round> {
    let step = prop_oneof![
        10 => Just(Step::In),
        3 => (0..65_usize).prop_map(Step::Out),
        1 => Just(Step::Clear(Direction::In)),
        1 => Just(Step::Clear(Direction::Out)),
        1 => Just(Step::BulkOnlyReset),
    ];
    let intent = prop_oneof![
        1 => Just(Intent::None),
        1 => (0..300_u64).prop_map(OUT),
        2 => (0..300_u64).prop_map(IN),
    ];
    let reset = prop::option::weighted(0.25, any::<bool>());
    let round = (intent, prop::bool::weighted(0.33), wrapper(), vec(step, 0..12), reset);
    round.prop_map(|(intent, fails, wrapper, steps, reset)| Round { intent, fails, wrapper, steps, reset })
}

#[test]
fn random_hosts() {
    meet_hosts(Transport::new());
}

#[test]
fn random_hosts_of_a_device_without_halts() {
    meet_hosts(Transport::padding());
}

fn meet_hosts<const HALTS: bool>(new: Transport<HALTS>) {
    /// Of about 20 rounds. Miri takes a second for some dozens of them.
    const HOSTS: u32 = if cfg!(miri) { 10 } else { 10_000 };
    let (mut rounds, mut commands) = (0, 0);
    Cases { count: HOSTS, seed: 0 }.check(vec(round(), 1..=40), |host| {
        let mut bench = Bench::of(new.clone(), Intent::None);
        for Round { intent, fails, wrapper, steps, reset } in host {
            (bench.set.intent, bench.set.fails) = (Some(intent), fails);
            bench.host_out(&wrapper);
            for step in steps {
                match step {
                    Step::In => drop(bench.host_in()),
                    Step::Out(length) => drop(bench.host_out(&[0xAA; 64][..length])),
                    Step::Clear(direction) => drop(bench.clear(direction)),
                    Step::BulkOnlyReset => bench.bulk_only_reset(),
                }
            }
            rounds += 1;
            commands += bench.set.begun.len();
            bench.set.begun.clear();
            bench.set.resets.clear();
            match reset {
                Some(true) => bench.bus_reset(),
                Some(false) => bench.reset_recovery(),
                None => continue,
            }
            bench.assert_works();
        }
    });
    assert!(rounds > HOSTS as usize * 10 && commands > rounds / 4, "only {commands} commands of {rounds} got through");
}
