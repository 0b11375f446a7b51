//! The firmware in lock-step with an independent core: Unicorn's Cortex-M33, run by `reference/unicorn_lockstep.py`.
//!
//! The board executes with an engine that records: every peripheral access, and the registers every few dozen
//! instructions. The reference executes the same image, gets the recorded answers of the peripherals, and has to come to
//! the same registers and the same accesses. Calls into the boot ROM and the sleep of WFI are taken from the recording.

mod board_elf;

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use picovd_sim::board::engine::{Bus, Clock, CodeChange, Engine, Entry, Halt};
use picovd_sim::board::interrupts::Interrupts;
use picovd_sim::board::thumb::Interpreter;
use picovd_sim::board::{ChipIdentity, DEFAULT_FLASH_SIZE, ElfDevice};
use picovd_sim::host::bot::Data;
use picovd_sim::host::{Host, Initiator};

/// Instructions between two comparisons; a comparison waits for the end of an IT block.
const STEP: u32 = 50;
const SRAM: (u32, u32) = (0x2000_0000, 0x8_2000);
const WFI: u16 = 0xBF30;

/// The interpreter, and the log of what it did.
#[derive(Default)]
struct Recorder {
    core: Interpreter,
    log: String,
    /// Instructions since the last comparison.
    pending: u32,
    started: bool,
    stopped: bool,
}

/// A bus that notes peripheral accesses.
struct Tap<'a, B> {
    bus: &'a mut B,
    log: &'a mut String,
}

impl<B: Bus> Tap<'_, B> {
    fn note(&mut self, word: &str, address: u32, value: u32) {
        if address >= 0x4000_0000 {
            writeln!(self.log, "{word} {address:x} {value:x}").unwrap();
        }
    }
}

impl<B: Bus> Bus for Tap<'_, B> {
    fn load8(&mut self, address: u32) -> Result<u32, Halt> {
        let value = self.bus.load8(address)?;
        self.note("load", address, value);
        Ok(value)
    }
    fn load16(&mut self, address: u32) -> Result<u32, Halt> {
        let value = self.bus.load16(address)?;
        self.note("load", address, value);
        Ok(value)
    }
    fn load32(&mut self, address: u32) -> Result<u32, Halt> {
        let value = self.bus.load32(address)?;
        self.note("load", address, value);
        Ok(value)
    }
    fn store8(&mut self, address: u32, value: u32) -> Result<(), Halt> {
        self.note("store", address, value & 0xFF);
        self.bus.store8(address, value)
    }
    fn store16(&mut self, address: u32, value: u32) -> Result<(), Halt> {
        self.note("store", address, value & 0xFFFF);
        self.bus.store16(address, value)
    }
    fn store32(&mut self, address: u32, value: u32) -> Result<(), Halt> {
        self.note("store", address, value);
        self.bus.store32(address, value)
    }
    fn fetch(&mut self, address: u32) -> Result<u16, Halt> {
        self.bus.fetch(address)
    }
    fn clock(&mut self) -> &mut Clock {
        self.bus.clock()
    }
    fn interrupts(&mut self) -> &mut Interrupts {
        self.bus.interrupts()
    }
    fn fail(&mut self, what: String) -> Halt {
        self.bus.fail(what)
    }
    fn rom_call(&mut self, number: u8, registers: &mut [u32; 16], masked: bool) -> Result<(), Halt> {
        self.bus.rom_call(number, registers, masked)
    }
    fn code_change(&mut self) -> CodeChange {
        self.bus.code_change()
    }
    fn watch_code(&mut self, page: u32) {
        self.bus.watch_code(page);
    }
}

impl Recorder {
    fn state(&mut self, word: &str) {
        let r = self.core.registers();
        write!(self.log, "{word} {:x}", r[15]).unwrap();
        for value in &r[..15] {
            write!(self.log, " {value:x}").unwrap();
        }
    }

    /// Sets the reference's registers to ours.
    fn set(&mut self) {
        self.state("set");
        self.log.push('\n');
    }

    fn compare(&mut self) {
        if self.pending != 0 {
            let f = self.core.core().flags();
            let bit = |b: bool, n: u32| u32::from(b) << n;
            let apsr = bit(f.n, 31) | bit(f.z, 30) | bit(f.c, 29) | bit(f.v, 28) | bit(f.q, 27);
            let count = format!("run {:x}", self.pending);
            self.state(&count);
            writeln!(self.log, " {apsr:x}").unwrap();
            self.pending = 0;
        }
    }

    fn memory<B: Bus>(&mut self, bus: &mut B, base: u32, length: u32) -> Result<(), Halt> {
        write!(self.log, "memory {base:x} ").unwrap();
        for at in (base..base + length).step_by(4) {
            write!(self.log, "{:08x}", bus.load32(at)?.swap_bytes()).unwrap();
        }
        self.log.push('\n');
        Ok(())
    }

    fn step<B: Bus>(&mut self, bus: &mut B) -> Result<(), Halt> {
        let pc = self.core.registers()[15];
        let rom = pc < 0x8000;
        let special = rom || bus.fetch(pc)? == WFI;
        if special || (self.pending >= STEP && !self.core.core().in_it_block()) {
            self.compare();
        }
        let before = self.core.executed();
        // The reference does not count what an IT block skips.
        let skipped = u32::from(self.core.core().skips_next());
        let clock = bus.clock();
        clock.limit = clock.now + 1;
        let mut unnoted = String::new();
        let log = if special { &mut unnoted } else { &mut self.log };
        self.core.run(&mut Tap { bus, log })?;
        if self.core.core().exception() != 0 {
            return Err(bus.fail("the lock-step has no exceptions: the firmware takes none".into()));
        }
        if special {
            if rom {
                let (base, length) = SRAM;
                self.memory(bus, base, length)?;
            }
            self.set();
        } else {
            self.pending += (self.core.executed() - before) as u32 - skipped;
        }
        Ok(())
    }
}

impl Engine for Recorder {
    fn enter(&mut self, entry: Entry) {
        assert!(!self.started, "one boot only");
        self.core.enter(entry);
    }

    fn run<B: Bus>(&mut self, bus: &mut B) -> Result<(), Halt> {
        if self.stopped {
            return self.core.run(bus);
        }
        if !self.started {
            self.started = true;
            for (base, length) in [(0, 0x8000), SRAM] {
                self.memory(bus, base, length)?;
            }
            self.set();
        }
        if self.core.sleeping() {
            let limit = bus.clock().limit;
            // Looks for a reason to wake; the instruction after WFI is then a step like any other.
            let now = bus.clock().now;
            bus.clock().limit = now;
            self.core.run(bus)?;
            if self.core.sleeping() {
                bus.clock().now = limit.max(now);
                return Ok(());
            }
            bus.clock().limit = limit;
        }
        loop {
            let Clock { now, limit } = *bus.clock();
            if now >= limit {
                return Ok(());
            }
            self.step(bus)?;
            // Somebody wants the board's attention, or the time is over.
            if bus.clock().limit == 0 {
                return Ok(());
            }
            bus.clock().limit = limit;
        }
    }

    fn registers(&self) -> [u32; 16] {
        self.core.registers()
    }

    fn exception(&self) -> u16 {
        self.core.exception()
    }

    fn sleeping(&self) -> bool {
        self.core.sleeping()
    }

    fn executed(&self) -> u64 {
        self.core.executed()
    }
}

/// Boot, enumeration, a few commands and a short read: the log.
fn record(elf: &[u8]) -> (String, u64) {
    let mut device =
        ElfDevice::<Recorder>::with_engine(elf, DEFAULT_FLASH_SIZE, ChipIdentity::default()).expect("it boots");
    let flash = device.machine().flash().bytes();
    let used = flash.len() - flash.iter().rev().take_while(|b| **b == 0xFF).count();
    let mut log = String::new();
    for base in [0x1000_0000, 0x1400_0000, 0x1C00_0000u32] {
        write!(log, "memory {base:x} ").unwrap();
        // The reference's memory is zero: erased flash is written out as well.
        for byte in flash {
            write!(log, "{byte:02x}").unwrap();
        }
        log.push('\n');
    }
    assert!(used > 0x1000, "an image is in flash");
    {
        let mut initiator = Initiator::attach(Host::new(Box::new(&mut device))).expect("it enumerates");
        let commands: [(&[u8], u32); 6] = [
            (&[0x00, 0, 0, 0, 0, 0], 0),
            (&[0x03, 0, 0, 0, 18, 0], 18),
            (&[0x12, 0, 0, 0, 36, 0], 36),
            (&[0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0], 8),
            (&[0x28, 0, 0, 0, 0, 0, 0, 0, 8, 0], 8 * 512),
            (&[0x28, 0, 0, 0, 0, 100, 0, 0, 8, 0], 8 * 512),
        ];
        for (cdb, length) in commands {
            let data = if length == 0 { Data::None } else { Data::In(length) };
            initiator.command(0, cdb, data).expect("a status");
        }
    }
    assert_eq!(device.fault(), None);
    let executed = device.machine().core().executed();
    let recorder = device.machine().core_mut();
    recorder.stopped = true;
    log.push_str(&recorder.log);
    (log, executed)
}

/// What the reference says about a log, and whether it agrees.
fn replay(log: String) -> (bool, String) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/reference/unicorn_lockstep.py");
    let mut child = Command::new("python3")
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 with the wheel `unicorn` must be in PATH: `cargo xtask test --ring 5` installs it");
    let mut pipe = child.stdin.take().unwrap();
    // The reference stops reading at the first difference.
    let writer = std::thread::spawn(move || {
        let _ = pipe.write_all(log.as_bytes());
    });
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stdout).trim().to_string())
}

mod ring5 {
    use super::{board_elf, record, replay};

    #[test]
    #[ignore = "needs the firmware, and python3 with the wheel `unicorn`: cargo xtask test --ring 5"]
    fn the_firmware_runs_alike_on_unicorn() {
        let (log, executed) = record(&board_elf::bytes());
        // One register of an early comparison changed: the reference must notice, or it compares nothing.
        let (at, line) =
            log.match_indices("\nrun ").map(|(at, _)| (at + 1, log[at + 1..].lines().next())).nth(500).unwrap();
        let mut words: Vec<_> = line.unwrap().split(' ').collect();
        // Words: run, count, PC, R0 and so on.
        words[6] = if words[6] == "1" { "2" } else { "1" };
        let planted = words.join(" ");
        let planted = format!("{}{planted}\n", &log[..at]);
        let (agrees, said) = replay(planted);
        assert!(!agrees, "a planted difference was not found: {said}");

        let (agrees, said) = replay(log);
        println!("{said} of {executed} instructions");
        assert!(agrees, "{said}");
        let compared: u64 = said.strip_prefix("equal ").and_then(|n| n.parse().ok()).expect("a count");
        // What the reference does not know, such as masking interrupts, is one instruction in three hundred.
        let enough = compared > 100_000 && executed.saturating_sub(compared).saturating_mul(250) < executed;
        assert!(enough, "only {compared} of {executed} were compared");
    }
}
