//! Settings: set in the guest through the serial port, and seen there on the disk.

use std::path::Path;

use super::console;
use super::live;
use super::machine::Machine;
use super::stick::{self, STEP};

/// The kernel's polling interval for the disk in milliseconds: half of that of udev's rules, to save time.
const POLL: u32 = 1_000;

/// Plugs the device in, opens its port, and mounts the disk, whose label is `before`.
pub fn plug(machine: &mut Machine, socket: &Path, before: &str) -> Result<(), String> {
    powered(machine, socket)?;
    live::poll(machine, POLL)?;
    is_labelled(machine, before)?;
    machine.must("mount -t exfat -o ro /dev/sda /mnt", STEP).map(|_| ())
}

/// The label is set, and a wrong one refused: the kernel loses the medium, and the new medium has the new label, as does
/// the file that shows the settings.
pub fn set_label(machine: &mut Machine, label: &str) -> Result<(), String> {
    ask(machine, "set {\"label\":\"NO/LABEL\"}", "{\"error\":\"no control characters and none of ")?;
    live::replaced(machine, |machine| {
        ask(machine, &format!("set {{\"label\":\"{label}\"}}"), "{\"ok\":\"set\",\"saved\":false}")
    })?;
    is_labelled(machine, label)?;
    machine.must("mount -t exfat -o ro /dev/sda /mnt", STEP)?;
    machine.must(&format!("grep '\"label\":\"{label}\"' /mnt/CONFIG.JSON && umount /mnt"), STEP).map(|_| ())
}

/// The settings are saved, and the device is power-cycled: the label is still set, on the disk and in the console's answer.
pub fn power_cycle(machine: &mut Machine, socket: &Path, label: &str) -> Result<(), String> {
    ask(machine, "save", "{\"ok\":\"save\",\"saved\":true}")?;
    live::poll(machine, 0)?;
    machine.unplug()?;
    stick::disappears(machine)?;
    powered(machine, socket)?;
    is_labelled(machine, label)?;
    ask(machine, "get label", &format!("{{\"label\":\"{label}\"}}"))?;
    stick::quiet(machine)
}

/// Plugs the device in, which powers its board. Its disk and its port appear, and the port is opened.
fn powered(machine: &mut Machine, socket: &Path) -> Result<(), String> {
    machine.plug(socket, "xhci.0")?;
    stick::appears(machine)?;
    machine.until("[ -c /dev/ttyACM0 ]", STEP)?;
    console::listen(machine)?;
    // Ends the line that the kernel has echoed before the port was raw.
    machine.must("printf '\\r\\n' >/dev/ttyACM0", STEP).map(|_| ())
}

/// Sends a line, and waits for its answer.
fn ask(machine: &mut Machine, line: &str, answer: &str) -> Result<(), String> {
    machine.must(&format!("printf '%s\\r\\n' '{line}' >/dev/ttyACM0"), STEP)?;
    machine.until(&format!("grep -qF '{answer}' /tmp/said"), STEP).map_err(|error| {
        let said = machine.must("cat /tmp/said", STEP).unwrap_or_default();
        format!("{error}\nThe port said, after {line}:\n{said}")
    })
}

/// Reads the volume's label from the disk: the entry of type 83h in the root directory (exFAT specification, 7.3), which
/// the boot sector locates (3.1).
fn is_labelled(machine: &mut Machine, label: &str) -> Result<(), String> {
    let found = machine.must(
        "at() { dd if=/dev/sda bs=1 skip=$1 count=$2 2>/dev/null | hexdump -v -e \"1/$2 \\\"%u\\\"\"; }; \
         first=$(($(at 88 4) + (($(at 96 4) - 2) << $(at 109 1)))); \
         dd if=/dev/sda bs=512 skip=$first count=1 2>/dev/null | hexdump -v -e '32/1 \"%02x\" \"\\n\"' | grep '^83'",
        STEP,
    )?;
    let entry: Vec<u8> =
        (0..found.len()).step_by(2).filter_map(|at| u8::from_str_radix(found.get(at..at + 2)?, 16).ok()).collect();
    let units: Vec<u16> = match entry[..] {
        [0x83, count @ 0..=11, ref units @ ..] if entry.len() == 32 => {
            units.chunks_exact(2).take(count.into()).map(|unit| u16::from_le_bytes([unit[0], unit[1]])).collect()
        }
        _ => return Err(format!("no entry of a volume label: {found}")),
    };
    let found = String::from_utf16_lossy(&units);
    if found == label { Ok(()) } else { Err(format!("the disk's label is {found}, not {label}")) }
}
