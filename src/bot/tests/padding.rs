//! A driver that cannot halt endpoints: the thirteen cases, and what takes the place of a halt.

use super::*;

fn bench(intent: Intent) -> Bench<false> {
    Bench::of(Transport::padding(), intent)
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes in Miri")]
fn thirteen_cases_without_halts() {
    const LENGTHS: [u64; 12] = [1, 13, 31, 63, 64, 65, 100, 127, 128, 129, 512, 1000];
    let mut intents = std::vec![Intent::None];
    intents.extend(LENGTHS.map(Intent::In));
    intents.extend(LENGTHS.map(Intent::Out));
    let mut seen_cases = [0; 14];

    for &host in &intents {
        for &device in &intents {
            for fails in [false, true] {
                let mut bench = bench(device);
                bench.set.fails = fails;
                let seen = bench.run(host);
                let what = std::format!("case {}: {host:?} {device:?}", case(host, device));

                let (status, moved) = expected(host, device);
                let status = if status == 0 && fails { 1 } else { status };
                let (length, is_in) = match host {
                    Intent::None => (0, false),
                    Intent::In(length) => (length, true),
                    Intent::Out(length) => (length, false),
                };
                assert_eq!(seen.tag, 0x1234_5678, "{what}");
                assert_eq!(seen.status, status, "{what}");
                assert_eq!(u64::from(seen.residue), length - moved, "{what}");
                // BOT 6.7.2: as many bytes as the host expects. BOT 6.7.3: all of the host's, of which some are dropped.
                let mut data = patterned(if is_in { moved } else { 0 });
                data.resize(if is_in { length as usize } else { 0 }, 0);
                assert_eq!(seen.data, data, "{what}");
                assert_eq!(bench.set.taken, patterned(if is_in { 0 } else { moved }), "{what}");
                assert_eq!(seen.halts, Halts::default(), "{what}");
                seen_cases[usize::from(case(host, device))] += 1;
                bench.assert_works();
            }
        }
    }
    assert!(seen_cases[1..].iter().all(|&count| count > 0), "{seen_cases:?}");
}

#[test]
fn several_packets_at_a_time_are_padded() {
    for (device, host) in [(0, 300), (36, 300), (64, 65), (130, 256), (256, 256)] {
        let mut set = Script::new(Intent::In(device));
        let mut transport = Transport::padding();
        transport.receive(&cbw(1, Intent::In(host)), &mut set);
        let mut data = Vec::new();
        while (data.len() as u64) < host {
            // A command set of the tests supplies at most one packet at a time.
            let mut buffer = [0xEE; 64];
            let length = transport.transmit(&mut buffer, &mut set).unwrap();
            assert!(length == 64 || (data.len() + length) as u64 == host, "a short packet would end the data");
            data.extend_from_slice(&buffer[..length]);
        }
        let mut expected = patterned(device);
        expected.resize(host as usize, 0);
        assert_eq!(data, expected);
        let mut buffer = [0; 64];
        assert_eq!(transport.transmit(&mut buffer, &mut set), Some(13));
        assert_eq!(u64::from(buffer[8]) | u64::from(buffer[9]) << 8, host - device);
    }
}

#[test]
fn an_invalid_wrapper_is_followed_by_silence_until_a_reset() {
    let good = cbw(1, IN(100));
    for packet in [&good[..30], &[0x55; 64], &[]] {
        for bus in [false, true] {
            let mut bench = bench(IN(100));
            assert_eq!(bench.host_out(packet), Reply::Ack);
            for _ in 0..3 {
                assert_eq!(bench.host_in(), Reply::Nak);
                assert_eq!(bench.host_out(&good), Reply::Ack, "dropped, so that it does not outlive the reset");
            }
            assert!(bench.set.begun.is_empty());
            if bus {
                bench.bus_reset();
            } else {
                bench.reset_recovery();
            }
            bench.assert_works();
        }
    }
}

#[test]
fn a_refused_write_is_dropped_to_its_end() {
    let mut bench = bench(Intent::None);
    bench.set.fails = true;
    assert_eq!(bench.host_out(&cbw(1, OUT(4096))), Reply::Ack);
    for _ in 0..63 {
        assert_eq!(bench.host_out(&[0x43; 64]), Reply::Ack);
        assert_eq!(bench.host_in(), Reply::Nak, "the status comes after the data");
    }
    assert_eq!(bench.host_out(&[0x43; 64]), Reply::Ack);
    let seen = bench.finish(Intent::None);
    assert_eq!((seen.residue, seen.status), (4096, 1));
    assert!(bench.set.taken.is_empty());
    bench.assert_works();
}
