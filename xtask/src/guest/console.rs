//! The serial port of a composite device, read in the guest while the disk is in use.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use super::machine::Machine;
use super::stick::{STEP, sha256};

/// One of the two contexts that log in tests/chatter, and in `cargo sim serve --print`.
#[derive(Clone, Copy, Debug)]
pub struct Speaker {
    name: &'static str,
    words: &'static str,
}

/// The main loop.
pub const MAIN: Speaker = Speaker { name: "main", words: "abcdefghijklmnopqrstuvwxyz" };
/// The interrupt handler.
pub const INTERRUPT: Speaker = Speaker { name: "interrupt", words: "ABCDEFGHIJKLMNOPQRSTUVWXYZ" };

/// Number of lines of each.
const LINES: u32 = 600;

impl Speaker {
    /// All of its lines.
    fn text(self) -> String {
        (1..=LINES).fold(String::new(), |mut text, line| {
            // Writing to a `String` never fails.
            let _ = writeln!(text, "{} {line:05} of {LINES} {}", self.name, self.words);
            text
        })
    }
}

/// Waits for the port, and for the reset interface next to it (class FFh, subclass 00h, protocol 01h).
pub fn appears(machine: &mut Machine) -> Result<(), String> {
    machine.until("[ -c /dev/ttyACM0 ]", STEP)?;
    let said = machine.must(
        "for i in /sys/bus/usb/devices/*:1.*; do \
         echo $(cat $i/bInterfaceClass $i/bInterfaceSubClass $i/bInterfaceProtocol); done",
        STEP,
    )?;
    for wanted in ["08 06 50", "02 02", "0a 00", "ff 00 01"] {
        if !said.lines().any(|line| line.starts_with(wanted)) {
            return Err(format!("no interface of class {wanted}:\n{said}"));
        }
    }
    Ok(())
}

/// Opens the port once, and stores its output: if it were closed in between, it would lose pending text.
pub fn listen(machine: &mut Machine) -> Result<(), String> {
    machine.must("{ stty raw -echo; cat; } </dev/ttyACM0 >/tmp/said 2>&1 &", STEP)?;
    machine.until("[ -s /tmp/said ]", STEP)
}

/// Number of lines received.
pub fn lines(machine: &mut Machine) -> Result<u64, String> {
    let said = machine.must("wc -l </tmp/said", STEP)?;
    said.lines().last().and_then(|number| number.trim().parse().ok()).ok_or_else(|| format!("not a number: {said}"))
}

/// Waits for the last line of each speaker, and compares all lines with the expected ones.
pub fn complete(machine: &mut Machine, speakers: &[Speaker], scratch: &Path) -> Result<(), String> {
    // Until the port is raw, the kernel converts CR LF to two line feeds.
    const TEXT: &str = "tr -d '\\r' </tmp/said";
    let mut names = String::from("^PicoVD \\|^$");
    for speaker in speakers {
        let Speaker { name, .. } = speaker;
        machine.until(&format!("grep -q '^{name} {LINES:05} ' /tmp/said"), STEP)?;
        let file = scratch.join(format!("{name}.txt"));
        fs::write(&file, speaker.text()).map_err(|e| format!("{}: {e}", file.display()))?;
        let wanted = sha256(&file)?;
        let said = machine.must(&format!("{TEXT} | grep '^{name} ' | sha256sum"), STEP)?;
        if !said.starts_with(&wanted) {
            let all = machine.must(&format!("{TEXT} | grep '^{name} ' | cut -d ' ' -f 2 | tr '\\n' ' '"), STEP)?;
            return Err(format!("lines of {name} are missing, broken or out of order: {all}"));
        }
        let _ = write!(names, "\\|^{name} ");
    }
    let other = machine.run(&format!("{TEXT} | grep -v '{names}'"), STEP)?;
    if other.text.is_empty() { Ok(()) } else { Err(format!("lines that were never printed:\n{}", other.text)) }
}

/// Checks that each READ of the record transferred the requested bytes; other traffic is ignored.
pub fn reads_are_whole(record: &[String]) -> Result<(), String> {
    let mut reads = 0;
    for line in record.iter().filter(|line| line.starts_with("READ(10)\t")) {
        let fields: Vec<u64> = line.split('\t').skip(1).filter_map(|field| field.parse().ok()).collect();
        match fields[..] {
            [_, blocks, bytes, 0] if bytes == blocks * 512 => reads += 1,
            _ => return Err(format!("not as long as it should be: {line}")),
        }
    }
    if reads > 0 { Ok(()) } else { Err("no READ was recorded".to_owned()) }
}
