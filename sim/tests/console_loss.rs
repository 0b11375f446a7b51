//! The serial port of a program that prints faster than the host reads: losses are reported in the text, at the point of the loss.

use std::fs;
use std::path::Path;
use std::time::Duration;

use picovd::files::LogRing;
use picovd::usb::HOLD;
use picovd_property::Cases;
use picovd_sim::host::{Host, Initiator};
use picovd_sim::memory::Contents;
use picovd_sim::native::NativeDevice;
use picovd_sim::plug;
use proptest::collection::vec;

/// A stick with a serial port and the smallest ring; with settings its port takes commands, too.
fn device(settings: bool) -> NativeDevice {
    let settings = if settings { "[settings]\nsectors = 2\n" } else { "" };
    let text = format!("[usb]\nconsole = true\n[log]\nstdout = true\nring-size = \"1 KiB\"\n{settings}");
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("console-loss-{}.toml", settings.len()));
    fs::write(&path, text).expect("the target folder is ours");
    let plan = plug::plan(Some(&path)).unwrap_or_else(|problems| panic!("{problems}"));
    let contents = Contents::noise(plan.chip.flash_size as usize);
    NativeDevice::new(plug::board(plan, contents))
}

/// Follows a text with marks in what was said. Returns how many marks there were.
fn judge(seen: &str, said: &str) -> Result<u32, String> {
    const BEGIN: &str = "[00000";
    let (mut seen, mut said, mut marks) = (seen, said, 0);
    loop {
        let common = seen.bytes().zip(said.bytes()).take_while(|(seen, said)| seen == said).count();
        (seen, said) = (&seen[common..], &said[common..]);
        if seen.is_empty() {
            return if said.is_empty() {
                Ok(marks)
            } else {
                Err(format!("{} bytes are missing at the end", said.len()))
            };
        }
        let mark = seen.split_once("\r\n").filter(|(mark, _)| mark.len() == 30 && mark.starts_with(BEGIN));
        let (mark, rest) = mark.ok_or_else(|| format!("{seen:.60?} where {said:.60?} was said"))?;
        let count = mark[1..].split_once(" bytes lost]").and_then(|(count, _)| count.parse::<usize>().ok());
        let left = count.filter(|count| *count > 0).and_then(|count| said.get(count..));
        (seen, said) = (rest, left.ok_or_else(|| format!("{mark:?} before {} bytes", said.len()))?);
        marks += 1;
    }
}

fn print(ring: &LogRing, said: &mut String, line: &mut u32, count: u32) {
    for _ in 0..count {
        *line += 1;
        let text = format!("line {line} of nobody knows how many\r\n");
        ring.write(text.as_bytes());
        *said += &text;
    }
}

/// What comes until nothing comes.
fn drain(initiator: &mut Initiator<'_>, endpoint: u8, packets: usize) -> String {
    let host = &mut initiator.host;
    let usual = std::mem::replace(&mut host.timeout, Duration::from_millis(20));
    let mut all = Vec::new();
    for _ in 0..packets {
        let Ok(packet) = host.in_packet(endpoint) else { break };
        all.extend(packet);
    }
    host.timeout = usual;
    String::from_utf8(all).expect("text")
}

/// Of a round: lines that are printed, and packets that the host takes.
type Round = (u32, usize);

/// Returns how many losses were told of, and how many bytes the host has.
fn run(settings: bool, rounds: &[Round]) -> (u32, usize) {
    let mut device = device(settings);
    let ring = device.log().expect("the manifest asks for one");
    let mut initiator = Initiator::attach(Host::new(Box::new(&mut device))).expect("it enumerates");
    let port = initiator.device.console.expect("it has one");
    let (mut said, mut line, mut seen) = (String::new(), 0, String::new());
    // Nobody has opened the port: the oldest text falls out.
    print(ring, &mut said, &mut line, 60);
    port.set_open(&mut initiator.host, true).expect("accepted");
    initiator.host.elapse(HOLD + Duration::from_millis(10));
    let greeting = drain(&mut initiator, port.bulk_in, usize::MAX);
    let (greeting, text) = greeting.split_at(greeting.find("\r\n").expect("the greeting has an end") + 2);
    assert!(greeting.starts_with("PicoVD "), "{greeting}");
    seen += text;
    assert_eq!(judge(&seen, &said), Ok(1), "{seen}");

    for (lines, packets) in rounds {
        print(ring, &mut said, &mut line, *lines);
        initiator.host.elapse(Duration::from_millis(2));
        seen += &drain(&mut initiator, port.bulk_in, *packets);
    }
    seen += &drain(&mut initiator, port.bulk_in, usize::MAX);
    let marks = judge(&seen, &said).unwrap_or_else(|problem| panic!("{problem}\n{seen}"));
    (marks, seen.len())
}

fn run_all(settings: bool) {
    let (mut marks, mut bytes) = (0, 0);
    // Now less than the ring holds, now more; the host takes some packets, or none.
    Cases { count: 4, seed: 5 }.check(vec((0..45_u32, 0..24_usize), 1..=200), |rounds| {
        let (more, seen) = run(settings, &rounds);
        (marks, bytes) = (marks + more, bytes + seen);
    });
    assert!(marks > 20 && bytes > 20_000, "{marks} marks in {bytes} bytes");
}

#[test]
fn a_loss_is_told_on_a_plain_port() {
    run_all(false);
}

#[test]
fn a_loss_is_told_on_a_port_that_takes_commands() {
    run_all(true);
}

#[test]
fn the_judge_notices_what_is_not_told() {
    let said = "line 1\r\nline 2\r\nline 3\r\n";
    assert_eq!(judge(said, said), Ok(0));
    assert_eq!(judge("line 1\r\n[000000000000008 bytes lost]  \r\nline 3\r\n", said), Ok(1));
    for wrong in [
        "line 1\r\nline 3\r\n",
        "line 1\r\n[000000000000007 bytes lost]  \r\nline 3\r\n",
        "line 1\r\nline 1\r\nline 2\r\nline 3\r\n",
        "line 1\r\nline 2\r\n",
    ] {
        assert!(judge(wrong, said).is_err(), "{wrong:?}");
    }
}
