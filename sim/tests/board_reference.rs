//! The simulator's core in step with an independent one: Unicorn's Cortex-M33, run by `reference/unicorn_m33.py`.
//!
//! Cases come from templates, one or more for every encoding that the core decodes, because a plain random generator
//! hardly ever meets the sparse ones; alone, in IT blocks of one to four, and from plain random halfwords.
//!
//! What is held: a template's instruction is executed by both and leaves both with equal registers, flags,
//! floating-point registers and memory. A random halfword may be refused by ours, which is stricter, but never
//! executed differently. Bugs are planted to show that this catches them.

mod board_templates;

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use board_templates::TEMPLATES;
use picovd_sim::board::engine::{Bus, Clock, CodeChange, Halt};
use picovd_sim::board::interrupts::Interrupts;
use picovd_sim::board::thumb::{Flags, Interpreter};

const CODE: u32 = 0x1000_0000;
/// Room for one case: the sequence and a sled of NOPs for its forward branches.
const SPACING: u32 = 0x400;
const SLED: usize = 0x200;
const WINDOW: u32 = 0x2000_1000;
const WINDOW_SIZE: usize = 512;
/// Refusals that are shown.
const SHOWN: usize = 100;
const MIDDLE: u32 = WINDOW + 256;

/// A small generator (xorshift64*), seeded: cases repeat. A batch of them goes to the reference's process at once, where a case
/// may depend on those before it: none can be shrunk by itself, and a failure names its few instructions.
struct Random(u64);

impl Random {
    fn next_u64(&mut self) -> u32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32) as u32
    }

    fn below(&mut self, bound: u32) -> u32 {
        ((u64::from(self.next_u64()) * u64::from(bound)) >> 32) as u32
    }

    /// Values at the edges as often as any others.
    fn interesting(&mut self) -> u32 {
        const EDGES: [u32; 12] =
            [0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF];
        if self.below(3) == 0 { EDGES[self.below(12) as usize] } else { self.next_u64() }
    }

    /// Singles of all kinds: special values, small numbers, bits.
    fn single(&mut self) -> u32 {
        match self.below(4) {
            0 => [0, 0x8000_0000, 0x3F80_0000, 0xBF80_0000, 0x7F80_0000, 0xFF80_0000, 0x7FC0_0000, 0x4F00_0000]
                [self.below(8) as usize],
            1 => (self.below(2000) as f32 / 4.0 - 250.0).to_bits(),
            _ => (self.next_u64() as i32 as f32 / 65536.0).to_bits(),
        }
    }
}

#[derive(Clone)]
struct Case {
    name: String,
    at: u32,
    code: Vec<u16>,
    /// Address after the sled.
    end: u32,
    registers: [u32; 16],
    apsr: u32,
    singles: [u32; 32],
}

#[derive(Debug, PartialEq)]
struct Outcome {
    pc: u32,
    registers: Vec<u32>,
    apsr: u32,
    singles: Vec<u32>,
    data: Vec<u8>,
}

/// Code and a window of data; everything else is absent.
struct Memory<'c> {
    code: &'c [u16],
    base: u32,
    data: Vec<u8>,
    clock: Clock,
    interrupts: Interrupts,
    failure: Option<String>,
    stray: bool,
}

impl Memory<'_> {
    fn place(&mut self, address: u32, size: usize) -> Result<usize, Halt> {
        let at = address.wrapping_sub(WINDOW) as usize;
        if at + size <= WINDOW_SIZE {
            return Ok(at);
        }
        self.stray = true;
        Err(self.fail(format!("stray access to {address:#x}")))
    }

    fn load(&mut self, address: u32, size: usize) -> Result<u32, Halt> {
        let mut bytes = [0; 4];
        let offset = address.wrapping_sub(self.base) as usize;
        if offset + size <= self.code.len() * 2 {
            for (n, byte) in bytes.iter_mut().enumerate().take(size) {
                *byte = self.code[usize::midpoint(offset, n)].to_le_bytes()[(offset + n) & 1];
            }
        } else {
            let at = self.place(address, size)?;
            bytes[..size].copy_from_slice(&self.data[at..at + size]);
        }
        Ok(u32::from_le_bytes(bytes))
    }

    fn store(&mut self, address: u32, size: usize, value: u32) -> Result<(), Halt> {
        let at = self.place(address, size)?;
        self.data[at..at + size].copy_from_slice(&value.to_le_bytes()[..size]);
        Ok(())
    }
}

impl Bus for Memory<'_> {
    fn load8(&mut self, address: u32) -> Result<u32, Halt> {
        self.load(address, 1)
    }
    fn load16(&mut self, address: u32) -> Result<u32, Halt> {
        self.load(address, 2)
    }
    fn load32(&mut self, address: u32) -> Result<u32, Halt> {
        self.load(address, 4)
    }
    fn store8(&mut self, address: u32, value: u32) -> Result<(), Halt> {
        self.store(address, 1, value)
    }
    fn store16(&mut self, address: u32, value: u32) -> Result<(), Halt> {
        self.store(address, 2, value)
    }
    fn store32(&mut self, address: u32, value: u32) -> Result<(), Halt> {
        self.store(address, 4, value)
    }
    fn fetch(&mut self, address: u32) -> Result<u16, Halt> {
        match self.code.get((address.wrapping_sub(self.base) / 2) as usize) {
            Some(hw) => Ok(*hw),
            None => Err(self.fail(format!("fetch from {address:#x}"))),
        }
    }
    fn clock(&mut self) -> &mut Clock {
        &mut self.clock
    }
    fn interrupts(&mut self) -> &mut Interrupts {
        &mut self.interrupts
    }
    fn fail(&mut self, what: String) -> Halt {
        self.failure.get_or_insert(what);
        Halt
    }
    fn rom_call(&mut self, _: u8, _: &mut [u32; 16], _: bool) -> Result<(), Halt> {
        Err(self.fail("ROM call".into()))
    }
    fn code_change(&mut self) -> CodeChange {
        CodeChange::None
    }
    fn watch_code(&mut self, _: u32) {}
}

fn flags(apsr: u32) -> Flags {
    let bit = |n: u32| apsr >> n & 1 != 0;
    Flags { n: bit(31), z: bit(30), c: bit(29), v: bit(28), q: bit(27), ge: (apsr >> 16 & 15) as u8 }
}

fn apsr(f: Flags) -> u32 {
    let bit = |b: bool, n: u32| u32::from(b) << n;
    bit(f.n, 31) | bit(f.z, 30) | bit(f.c, 29) | bit(f.v, 28) | bit(f.q, 27) | u32::from(f.ge) << 16
}

/// Executes a case on the simulator's core: the outcome, or the refusal and whether memory outside the window was
/// touched.
fn ours(case: &Case) -> Result<Outcome, (String, bool)> {
    let mut memory = Memory {
        code: &case.code,
        base: case.at,
        data: (0..WINDOW_SIZE).map(|n| (n * 37 + 11) as u8).collect(),
        clock: Clock::default(),
        interrupts: Interrupts::default(),
        failure: None,
        stray: false,
    };
    memory.interrupts.coprocessor_access = 0x00F0_0000;
    let mut core = Interpreter::default();
    core.core_mut().preset(&case.registers, flags(case.apsr), &case.singles);
    for _ in 0..case.code.len() + 8 {
        if core.core().registers()[15] == case.end {
            let r = core.core().registers();
            return Ok(Outcome {
                pc: r[15],
                registers: r[..15].to_vec(),
                apsr: apsr(core.core().flags()),
                singles: core.core().fp().s.to_vec(),
                data: memory.data,
            });
        }
        if core.single_step(&mut memory).is_err() {
            return Err((memory.failure.unwrap_or_default(), memory.stray));
        }
    }
    Err(("does not come to its end".into(), true))
}

/// Fills a template's fields. Base and index registers get their values in `registers`.
fn fill(template: &str, random: &mut Random, registers: &mut [u32; 16]) -> Vec<u16> {
    let mut fields: Vec<(char, u32)> = Vec::new();
    let length = |letter: char| template.chars().filter(|c| *c == letter).count();
    for letter in "dnmatubx".chars() {
        let width = length(letter);
        if width == 0 {
            continue;
        }
        let value = loop {
            let value = random.below(1 << width.min(4));
            let taken = "bxtu".contains(letter) && fields.iter().any(|(l, v)| "bxtu".contains(*l) && *v == value);
            let bad = value == 13 || value == 15;
            // RdLo and RdHi differ.
            let pair = letter == 'u' && fields.iter().any(|(l, v)| *l == 'd' && *v == value);
            if !taken && !bad && !pair {
                break value;
            }
        };
        match letter {
            'b' => registers[value as usize] = MIDDLE + random.below(24) * 4 - 48,
            'x' => registers[value as usize] = random.below(13) * 4,
            _ => {}
        }
        fields.push((letter, value));
    }
    let mut left: Vec<(char, u32)> = fields.iter().map(|(l, v)| (*l, v << (32 - length(*l).min(4)))).collect();
    // Immediates of all zeros and of all ones mean something else often enough.
    let immediate = random.below(8);
    let mut halfwords = Vec::new();
    let mut word = 0u16;
    for (n, c) in template.chars().enumerate() {
        let bit = match c {
            '0' => 0,
            '1' => 1,
            'i' if immediate < 2 => immediate,
            'i' | 'j' | 'k' | 's' => random.below(2),
            letter => {
                // A field of more letters than its width repeats (CLZ and REV name their operand twice).
                let (_, original) = fields.iter().find(|(l, _)| *l == letter).copied().unwrap();
                let entry = left.iter_mut().find(|(l, _)| *l == letter).unwrap();
                let bit = entry.1 >> 31;
                entry.1 <<= 1;
                let seen = template.chars().take(n + 1).filter(|c| *c == letter).count();
                if seen % 4 == 0 && length(letter) > 4 {
                    entry.1 = original << 28;
                }
                bit
            }
        };
        word = word << 1 | bit as u16;
        if n % 16 == 15 {
            halfwords.push(word);
            word = 0;
        }
    }
    halfwords
}

fn start(random: &mut Random, index: usize) -> Case {
    let mut registers = [0; 16];
    for register in &mut registers[..15] {
        *register = random.interesting();
    }
    registers[13] = MIDDLE;
    let at = CODE + index as u32 * SPACING;
    registers[15] = at;
    let mut singles = [0; 32];
    for single in &mut singles {
        *single = random.single();
    }
    let apsr = random.next_u64() & 0xF80F_0000;
    Case { name: String::new(), at, code: Vec::new(), end: 0, registers, apsr, singles }
}

/// Appends the sled; `at` may have moved.
fn finish(mut case: Case) -> Case {
    case.code.resize(case.code.len() + SLED / 2, 0xBF00);
    case.end = case.at + 2 * case.code.len() as u32;
    // The reference stays here whatever it makes of its end address: a branch to itself.
    case.code.push(0xE7FE);
    case
}

fn cases(seed: u64, count: usize) -> Vec<Case> {
    let mut random = Random(seed);
    let mut all: Vec<Case> = Vec::new();
    let mut round = 0;
    while all.len() < count {
        round += 1;
        for template in TEMPLATES {
            let mut case = start(&mut random, all.len());
            let kind = random.below(4);
            if kind == 0 {
                // An IT block of one to four; conditions alternate at random.
                let length = 1 + random.below(4);
                let first = random.below(14) as u16;
                let mut mask = 0u16;
                for n in 1..length {
                    mask |= (random.below(2) as u16) << (4 - n);
                }
                mask |= 1 << (4 - length);
                case.code.push(0xBF00 | first << 4 | mask);
                for n in 0..length {
                    let t = if n == 0 { template } else { &TEMPLATES[random.below(TEMPLATES.len() as u32) as usize] };
                    let code = fill(t, &mut random, &mut case.registers);
                    case.code.extend(code);
                }
                case.name = format!("IT block with {template}");
            } else {
                case.code = fill(template, &mut random, &mut case.registers);
                case.name = (*template).to_string();
            }
            // One in four repeats templates without IT: state that one leaves is the next one's input.
            if kind == 1 {
                for _ in 0..3 {
                    let t = TEMPLATES[random.below(TEMPLATES.len() as u32) as usize];
                    let code = fill(t, &mut random, &mut case.registers);
                    case.code.extend(code);
                }
                case.name = format!("sequence from {template}");
            }
            all.push(finish(case));
        }
        // Forward branches, and plain random halfwords.
        for _ in 0..TEMPLATES.len() / 4 {
            let mut case = start(&mut random, all.len());
            let offset = random.below(100) as u16;
            case.code = match random.below(8) {
                0 => vec![0xD000 | (random.below(14) as u16) << 8 | offset],
                1 => vec![0xE000 | offset],
                2 => vec![0xF000, 0xF800 | offset],
                3 => vec![0xF000 | (random.below(14) as u16) << 6, 0x8000 | offset],
                4 => vec![0xB100 | (random.below(2) as u16) << 11 | (random.next_u64() as u16 & 0xFF)],
                5 => vec![0xF000, 0xB800 | offset],
                // Not SVC, nor the hints that wait.
                6 => match random.next_u64() as u16 {
                    hw if hw >> 8 == 0xDF || hw & 0xFF0F == 0xBF00 => vec![0xBF00],
                    hw => vec![hw],
                },
                _ => vec![0xE800 | random.next_u64() as u16 & 0x1FFF, random.next_u64() as u16],
            };
            case.name = format!("{:04x?}", case.code);
            all.push(finish(case));
        }
        assert!(round < 10_000);
    }
    all.truncate(count);
    all
}

/// Runs the reference on all cases.
fn reference(cases: &[&Case]) -> Vec<Option<Outcome>> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/reference/unicorn_m33.py");
    let mut child = Command::new("python3")
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 with the wheel `unicorn` must be in PATH: `cargo xtask test --ring 5` installs it");
    let mut input = String::new();
    for case in cases {
        let code: String = case.code.iter().flat_map(|hw| hw.to_le_bytes()).map(|b| format!("{b:02x}")).collect();
        write!(input, "{:x} {code} {:x}", case.at, case.end).unwrap();
        let words = case.registers[..15].iter().chain([&case.apsr]).chain(&case.singles);
        for word in words {
            write!(input, " {word:x}").unwrap();
        }
        input.push('\n');
    }
    let mut pipe = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || pipe.write_all(input.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().expect("the reference reads its input: is the wheel `unicorn` installed?");
    assert!(output.status.success(), "the reference failed");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .map(|line| {
            let words: Vec<_> = line.split_whitespace().collect();
            if words == ["fault"] {
                return None;
            }
            let number = |n: usize| u32::from_str_radix(words[n], 16).unwrap();
            // Bits 0 and 1 of SP are RES0 (B3.8), but MOV and ADD keep them there.
            let register = |n: usize| if n == 14 { number(n) & !3 } else { number(n) };
            let data = words[49];
            Some(Outcome {
                pc: number(0),
                registers: (1..16).map(register).collect(),
                apsr: number(16),
                singles: (17..49).map(number).collect(),
                data: (0..data.len() / 2).map(|n| u8::from_str_radix(&data[2 * n..2 * n + 2], 16).unwrap()).collect(),
            })
        })
        .collect()
}

fn difference(a: &Outcome, b: &Outcome) -> String {
    let mut text = String::new();
    let mut put = |name: String, x: u32, y: u32| {
        if x != y {
            write!(text, " {name} {x:08x}/{y:08x}").unwrap();
        }
    };
    put("pc".into(), a.pc, b.pc);
    put("apsr".into(), a.apsr, b.apsr);
    for n in 0..15 {
        put(format!("r{n}"), a.registers[n], b.registers[n]);
    }
    for n in 0..32 {
        put(format!("s{n}"), a.singles[n], b.singles[n]);
    }
    for n in 0..WINDOW_SIZE {
        put(format!("[{n}]"), u32::from(a.data[n]), u32::from(b.data[n]));
    }
    text
}

/// One comparison: how many cases both executed alike, and what differed.
fn compare(seed: u64, count: usize) -> (usize, Vec<String>) {
    let all = cases(seed, count);
    let mine: Vec<_> = all.iter().map(ours).collect();
    // What touches memory outside the window would see another world there.
    let kept: Vec<_> = all.iter().zip(&mine).filter(|(_, m)| !matches!(m, Err((_, true)))).collect();
    let theirs = reference(&kept.iter().map(|(c, _)| *c).collect::<Vec<_>>());
    assert_eq!(theirs.len(), kept.len(), "the reference answers every case");
    let mut alike = 0;
    let mut wrong = Vec::new();
    let mut refused = Vec::new();
    let mut executed: std::collections::BTreeMap<&str, (usize, String)> = std::collections::BTreeMap::new();
    for ((case, mine), theirs) in kept.iter().zip(&theirs) {
        let code: Vec<_> = case.code[..case.code.len() - SLED / 2 - 1].iter().map(|hw| format!("{hw:04x}")).collect();
        let entry = executed.entry(&case.name).or_default();
        match (mine, theirs) {
            (Ok(a), Some(b)) if a == b => {
                alike += 1;
                entry.0 += 1;
            }
            (Ok(a), Some(b)) => {
                wrong.push(format!("{} [{}]: ours/theirs{}", case.name, code.join(" "), difference(a, b)));
            }
            (Ok(_), None) => {
                wrong.push(format!("{} [{}]: executed, but the reference faults", case.name, code.join(" ")));
            }
            (Err((why, _)), Some(_)) => {
                entry.1.clone_from(why);
                refused.push(format!("{} [{}]: {why}", case.name, code.join(" ")));
            }
            (Err(_), None) => {}
        }
    }
    // Every plain template is executed by both at least once.
    for template in TEMPLATES {
        if let Some((0, why)) = executed.get(template) {
            wrong.push(format!("{template}: never executed by both ({why})"));
        }
    }
    println!("{} refused by ours alone, such as", refused.len());
    for line in refused.iter().take(SHOWN) {
        println!("  {line}");
    }
    (alike, wrong)
}

/// Bugs that a core may have, as what it executes instead: instructions of `value` under `mask`, in the bits of two
/// halfwords, with the bits `flip` turned over.
const BUGS: &[(&str, u32, u32, u32)] = &[
    ("ASR by a constant shifts zeros in", 0xF800_0000, 0x1000_0000, 0x1800_0000),
    ("ADC takes the carry as a borrow", 0xFFC0_0000, 0x4140_0000, 0x00C0_0000),
    ("CMP sets the flags of CMN", 0xFFC0_0000, 0x4280_0000, 0x0040_0000),
    ("SXTB extends by zeros", 0xFFC0_0000, 0xB240_0000, 0x0080_0000),
    ("LDRSH extends by zeros", 0xFE00_0000, 0x5E00_0000, 0x0400_0000),
    ("STRB writes a halfword", 0xFE00_0000, 0x5400_0000, 0x0600_0000),
    ("IT: then and else are exchanged", 0xFF0F_0000, 0xBF0C_0000, 0x0008_0000),
    ("IT: a block of three is one of two", 0xFF07_0000, 0xBF02_0000, 0x0006_0000),
    ("ADDS with a modified constant leaves the flags", 0xFBF0_8000, 0xF110_0000, 0x0010_0000),
    ("MOVT writes the lower half", 0xFBF0_8000, 0xF2C0_0000, 0x0080_0000),
    ("UBFX extends by the sign", 0xFFF0_8020, 0xF3C0_0000, 0x0080_0000),
    ("SDIV divides without sign", 0xFFF0_F0F0, 0xFB90_F0F0, 0x0020_0000),
    ("UMULL multiplies with sign", 0xFFF0_00F0, 0xFBA0_0000, 0x0020_0000),
    ("LDRD adds the offset only afterwards", 0xFF70_0000, 0xE970_0000, 0x0100_0000),
    ("VADD subtracts", 0xFFB0_0FD0, 0xEE30_0A00, 0x0000_0040),
    ("USAT takes its bound with sign", 0xFFD0_8020, 0xF380_0000, 0x0080_0000),
];

/// The case as a core with that bug executes it; `None` when its first instruction, or the first after an IT, is another.
fn with_bug(case: &Case, (_, mask, value, flip): (&str, u32, u32, u32)) -> Option<Case> {
    let starts = if case.code[0] & 0xFF00 == 0xBF00 { 0..2 } else { 0..1 };
    let word = |at: usize| u32::from(case.code[at]) << 16 | u32::from(case.code[at + 1]);
    let at = starts.into_iter().find(|&at| word(at) & mask == value)?;
    let mut case = case.clone();
    case.code[at] ^= (flip >> 16) as u16;
    case.code[at + 1] ^= flip as u16;
    Some(case)
}

mod ring5 {
    use super::{BUGS, cases, compare, ours, reference, with_bug};

    #[test]
    #[ignore = "needs python3 with the wheel `unicorn`: cargo xtask test --ring 5"]
    fn bugs_in_the_core_are_caught() {
        let all = cases(0x5EED_0002, 12_000);
        let spoiled: Vec<_> = BUGS
            .iter()
            .flat_map(|bug| all.iter().filter_map(|case| Some((bug.0, case, with_bug(case, *bug)?))))
            .collect();
        let theirs = reference(&spoiled.iter().map(|(_, case, _)| *case).collect::<Vec<_>>());
        for (bug, ..) in BUGS {
            let tried = spoiled.iter().zip(&theirs).filter(|((name, ..), _)| name == bug);
            let caught = tried
                .clone()
                .filter(|((_, _, spoiled), theirs)| matches!((ours(spoiled), theirs), (Ok(a), Some(b)) if a != *b))
                .count();
            println!("{caught:>4} of {:>4} cases: {bug}", tried.clone().count());
            assert!(caught > 0, "not caught by {} cases: {bug}", tried.count());
        }
    }

    #[test]
    #[ignore = "needs python3 with the wheel `unicorn`: cargo xtask test --ring 5"]
    fn the_core_agrees_with_unicorn() {
        let (alike, wrong) = compare(0x5EED_0001, 12_000);
        println!("{alike} cases alike, {} not", wrong.len());
        assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
        assert!(alike > 6000, "only {alike} cases were executed by both");
    }
}
