//! Commands of any kind after each other.

use super::*;
use picovd_property::Cases;
use proptest::collection::vec;
use proptest::prelude::*;

/// A command block of any length, for any unit, and what the transport does with it.
#[derive(Debug)]
struct Command {
    cdb: Vec<u8>,
    lun: u8,
    /// Lengths of the packets that are fetched.
    packets: Vec<usize>,
    after: Option<After>,
}

#[derive(Clone, Debug)]
enum After {
    BusReset,
    Reset,
    MediumChange,
}

fn command() -> impl Strategy<Value = Command> {
    let commands = commands();
    // One that may pass the gate: a good one, with a byte changed.
    let model = prop::option::weighted(0.75, (0..commands.len(), 1..16_usize, any::<u8>()));
    let cdb = (any::<[u8; 16]>(), model, 0..64_usize).prop_map(move |(mut cdb, model, length)| {
        if let Some((of, at, byte)) = model {
            cdb[..commands[of].len()].copy_from_slice(&commands[of]);
            cdb[at] = byte;
        }
        cdb[..length.min(16)].to_vec()
    });
    let lun = prop_oneof![7 => Just(0), 1 => any::<u8>()];
    let after = prop_oneof![Just(After::BusReset), Just(After::Reset), Just(After::MediumChange)];
    let after = prop::option::weighted(3.0 / 64.0, after);
    (cdb, lun, vec(1..65_usize, 0..12), after).prop_map(|(cdb, lun, packets, after)| Command {
        cdb,
        lun,
        packets,
        after,
    })
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes in Miri")]
fn random_commands() {
    let (mut good, mut bad) = (0, 0);
    Cases { count: 4_000, seed: 0 }.check(vec(command(), 1..=100), |commands| {
        let mut unit = fresh();
        for Command { cdb, lun, packets, after } in commands {
            let length = unit.begin(lun, &cdb);
            for length in packets {
                unit.data_in(&mut [0; 64][..length]);
            }
            match unit.status() {
                Status::Good => good += 1,
                Status::CheckCondition => {
                    bad += 1;
                    assert_eq!(length, 0);
                    assert!(lun != 0 || unit.sense() != Sense::NO_SENSE);
                }
            }
            match after {
                Some(After::BusReset) => unit.bus_reset(),
                Some(After::Reset) => unit.reset(),
                Some(After::MediumChange) => unit.medium_mut().change_count += 1,
                None => {}
            }
        }
        unit.bus_reset();
        let _ = run_on(&mut unit, 0, &TEST_UNIT_READY);
        run(&mut unit, &TEST_UNIT_READY);
        assert_eq!(run(&mut unit, &[0x28, 0, 0, 0, 0, 1, 0, 0, 1, 0]), contents(1, 1));
    });
    assert!(good > 20_000 && bad > 20_000 && good + bad > 180_000, "{good} {bad}");
}
