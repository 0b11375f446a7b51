//! The record's reader, and the three files.

use super::instruction::{Access, access};
use super::record::*;
use super::*;
use crate::dynamic::Content;
use picovd_property::Cases;
extern crate std;
use std::string::String;
use std::sync::Mutex;
use std::vec;
use std::vec::Vec;

const ROOM: usize = 64;
const PROGRAM: super::super::Program<'static> =
    super::super::Program { name: "lab", version: "1.2.3", build: "0123456789abcdef" };

/// Memory that anything may change.
struct Ram(Mutex<Vec<u8>>);

impl Kept for Ram {
    fn length(&self) -> usize {
        STACK + ROOM
    }

    fn read(&self, offset: usize, out: &mut [u8]) {
        let memory = self.0.lock().unwrap();
        for (place, byte) in (offset..).zip(out) {
            *byte = memory.get(place).copied().unwrap_or(0);
        }
    }

    fn clear(&self) {
        self.put(word::MAGIC, 0);
    }

    fn forget_row(&self) {
        self.put(word::ROW, 0);
    }
}

impl Ram {
    fn put(&self, index: usize, value: u32) {
        self.0.lock().unwrap()[index * 4..][..4].copy_from_slice(&value.to_le_bytes());
    }

    fn put_bytes(&self, at: usize, bytes: &[u8]) {
        self.0.lock().unwrap()[at..][..bytes.len()].copy_from_slice(bytes);
    }

    fn seal(&self) {
        let stack = View(self).stack_length();
        let sum = checksum(self.0.lock().unwrap()[CHECKED..STACK + stack].iter().copied());
        self.put(word::CRC, sum);
        self.put(word::MAGIC, MAGIC);
    }
}

/// A write to an address without memory, with `str r1, [r0]`.
fn crashed() -> Ram {
    let ram = Ram(Mutex::new(vec![0; STACK + ROOM]));
    ram.put(word::LATER, 3);
    ram.put(word::LATER + 1, !3);
    ram.put(word::KIND, 2);
    for register in 0..17 {
        ram.put(word::REGISTERS + register, 0x100 + register as u32);
    }
    ram.put(word::REGISTERS + 15, 0x1000_0204);
    ram.put(word::EXC_RETURN, 0xFFFF_FFF9);
    ram.put(word::STATUS, 1 << 9 | 1 << 15);
    ram.put(word::STATUS + 1, 1 << 30);
    ram.put(word::STATUS + 3, 0xF000_0004);
    ram.put(word::UPTIME, 1_234_567);
    ram.put(word::INSTRUCTION, 0xBF00_6001);
    ram.put(word::STACK, 0x2000_1000);
    ram.put(word::STACK + 1, 32);
    for at in 0..8 {
        ram.put(STACK / 4 + at, at as u32);
    }
    ram.put(word::CALLS, 2);
    ram.put(word::CALL, 0x1000_0300);
    ram.put(word::CALL + 1, 0x1000_0400);
    ram.put_bytes(BUILD.start, b"0123456789abcdef");
    ram.put_bytes(LOG.start, b"one\r\ntwo\"\r\n");
    ram.put(word::LOG, 11);
    ram.seal();
    ram
}

fn all(file: &CrashFile<'_>) -> Vec<u8> {
    let mut out = vec![0xAA; file.length() as usize];
    // Piece by piece, as in packets.
    for (index, piece) in out.chunks_mut(64).enumerate() {
        file.read(0, index as u32 * 64, piece);
    }
    out
}

fn text(ram: &Ram) -> String {
    let crash = Crash::new(ram, PROGRAM);
    String::from_utf8(all(&CrashFile::text(&crash))).unwrap()
}

#[test]
fn a_core_file_is_as_gdb_reads_it() {
    let ram = crashed();
    let crash = Crash::new(&ram, PROGRAM);
    let core = all(&CrashFile::core(&crash));
    let word = |at: usize| u32::from_le_bytes(core[at..at + 4].try_into().unwrap());
    let half = |at: usize| u16::from_le_bytes(core[at..at + 2].try_into().unwrap());
    assert_eq!(core[..7], [0x7F, b'E', b'L', b'F', 1, 1, 1]);
    // e_type ET_CORE, e_machine EM_ARM, e_version, e_phoff, e_flags, e_ehsize, e_phentsize, e_phnum.
    assert_eq!((half(16), half(18), word(20), word(28), word(36)), (4, 40, 1, 52, 0x0500_0000));
    assert_eq!((half(40), half(42), half(44)), (52, 32, 2));
    // PT_NOTE with p_offset and p_filesz; PT_LOAD with p_offset, p_vaddr, p_filesz.
    assert_eq!((word(52), word(56), word(68)), (4, 116, 168));
    assert_eq!((word(84), word(88), word(92), word(100)), (1, 512, 0x2000_1000, 32));
    assert_eq!((word(116), word(120), word(124), &core[128..133]), (5, 148, 1, &b"CORE\0"[..]));
    // NT_PRSTATUS begins at 136: signal, pid, registers.
    assert_eq!((word(136), half(148), word(160)), (11, 11, 1));
    assert!((0..17).all(|n| word(208 + 4 * n) == View(&ram).register(n)));
    assert_eq!(core.len(), 512 + 32);
    assert!((0..8).all(|at| word(512 + 4 * at) == at as u32));
}

#[test]
fn a_crash_is_told_in_words() {
    let told = text(&crashed());
    assert!(told.starts_with(
        "Crash          BusFault: wrote 4 bytes to 0xf0000004, which is no memory\r\n\
         Message        none\r\n\
         At             0x10000204\r\n\
         Called from    0x10000300\r\n               0x10000400\r\n"
    ));
    for line in [
        "Uptime         1234 ms\r\n",
        "Later crashes  3, which are not stored\r\n",
        "Program        lab 1.2.3, build 0123456789abcdef\r\n",
        "r0         0x00000100    r1         0x00000101    r2         0x00000102\r\n",
        "exc_return 0xfffffff9\r\n",
        "The log ended with:\r\n\r\none\r\ntwo\"\r\n",
    ] {
        assert!(told.contains(line), "{line:?} is not in\n{told}");
    }
}

#[test]
fn what_is_not_known_is_said() {
    let ram = crashed();
    ram.put(word::STATUS, 1 << 20);
    ram.put(word::FLAGS, NO_FRAME | NO_STACK);
    ram.seal();
    let told = text(&ram);
    assert!(told.starts_with("Crash          UsageFault: the stack overflowed"), "{told}");
    assert!(told.contains("At             unknown") && told.contains("lr         unknown"), "{told}");
    assert!(told.contains("The stack is not in it"), "{told}");
    let crash = Crash::new(&ram, PROGRAM);
    let json = String::from_utf8(all(&CrashFile::json(&crash))).unwrap();
    assert!(json.contains("\"pc\": null,") && json.contains("\"lr\": null"), "{json}");
}

#[test]
fn a_panic_has_its_message() {
    let ram = crashed();
    ram.put(word::KIND, 1);
    ram.put_bytes(TEXT.start, b"src/a.rs:7 no \"sample\"");
    ram.put(word::TEXT, 22);
    ram.seal();
    let told = text(&ram);
    assert!(
        told.starts_with("Crash          panic: the program panicked\r\nMessage        src/a.rs:7 no \"sample\"\r\n")
    );
    let crash = Crash::new(&ram, PROGRAM);
    let json = String::from_utf8(all(&CrashFile::json(&crash))).unwrap();
    assert!(json.contains(r#""message": "src/a.rs:7 no \"sample\"","#), "{json}");
    assert!(json.contains(r#""log": "one\u000d\u000atwo\"\u000d\u000a""#), "{json}");
    // SIGABRT.
    assert_eq!(all(&CrashFile::core(&crash))[136], 6);
}

#[test]
fn loads_and_stores_are_recognized() {
    for (instruction, store, bytes) in [
        (0x6001, true, 4),
        (0x6801, false, 4),
        (0x7001, true, 1),
        (0x8801, false, 2),
        (0x5288, true, 2),
        (0x5688, false, 1),
        (0x9101, true, 4),
        (0xB510, true, 0),
        (0xC903, false, 0),
        // str.w r1, [r0, #256]; ldrb.w r1, [r0]; ldrsh.w r1, [r0].
        (0x1100_F8C0, true, 4),
        (0x1000_F890, false, 1),
        (0x1000_F9B0, false, 2),
        // ldrd r1, r3, [r2]; strex r3, r1, [r0]; lda r5, [r0]; stl r4, [r0]; stmia.w r1, {r0-r12}.
        (0x1300_E9D2, false, 8),
        (0x1300_E840, true, 4),
        (0x5FAF_E8D0, false, 4),
        (0x4FAF_E8C0, true, 4),
        (0x1FFF_E881, true, 0),
    ] {
        assert_eq!(access(instruction), Some(Access { store, bytes }), "{instruction:#x}");
    }
    // movs r0, #0; bx lr; bl; udf #0.
    for instruction in [0x2000, 0x4770, 0xF800_F000, 0xDE00] {
        assert_eq!(access(instruction), None, "{instruction:#x}");
    }
}

#[test]
fn a_cleared_record_is_gone() {
    let ram = crashed();
    let crash = Crash::new(&ram, PROGRAM);
    assert!(crash.is_there() && CrashFile::core(&crash).length() > 512);
    crash.clear();
    assert!(!crash.is_there() && CrashFile::core(&crash).length() == 0);
    assert!(!Crash::new(&ram, PROGRAM).is_there(), "nor after the next start");
    assert!(!Crash::new(&NothingKept, PROGRAM).is_there());
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes in Miri")]
fn flipped_bits_are_noticed_at_the_start_and_do_no_harm_later() {
    let bits = (STACK + 32) as u32 * 8;
    let flips = proptest::collection::vec(0..bits, 1..6);
    let mut counted = 0;
    Cases { count: 10_000, seed: 20 }.check(flips, |flips| {
        let ram = crashed();
        let before = Crash::new(&ram, PROGRAM);
        assert!(before.is_there());
        let original = ram.0.lock().unwrap().clone();
        for bit in flips {
            ram.0.lock().unwrap()[bit as usize / 8] ^= 1 << (bit % 8);
        }
        let changed = {
            let memory = ram.0.lock().unwrap();
            memory[..8] != original[..8] || memory[CHECKED..] != original[CHECKED..]
        };
        // At the start: a record with an error is none.
        assert_eq!(Crash::new(&ram, PROGRAM).is_there(), !changed);
        // While the files are shown: they stay within their room, and each byte is rendered.
        for (file, room) in [
            (CrashFile::core(&before), 512 + ROOM),
            (CrashFile::text(&before), 8 << 10),
            (CrashFile::json(&before), 8 << 10),
        ] {
            assert!(file.length() as usize <= room, "{} bytes", file.length());
            assert_eq!(all(&file).len(), file.length() as usize);
        }
        counted += u32::from(changed);
    });
    assert!(counted > 9_000, "{counted} of the cases changed the record");
}

#[test]
fn power_on_leaves_no_record() {
    // What RAM contains is random; zeros and ones in particular are no record.
    for byte in [0, 0xFF] {
        let ram = Ram(Mutex::new(vec![byte; STACK + ROOM]));
        assert!(!Crash::new(&ram, PROGRAM).is_there());
    }
    assert_eq!(checksum(b"123456789".iter().copied()), 0xCBF4_3926, "the check value of CRC-32");
}

#[test]
fn the_line_crash_clear_removes_the_record() {
    let ram = crashed();
    let crash = Crash::new(&ram, PROGRAM);
    for line in
        ["crash clea\r", "crash clearx\r", " crash clear\r", "crash  clear\n", "a crash clear\n", "\r\n", "crash clear"]
    {
        for byte in line.bytes() {
            crash.hear(&[byte]);
        }
        assert!(crash.is_there(), "{line:?}");
    }
    crash.hear(b"\n");
    assert!(!crash.is_there());
    let ram = crashed();
    let crash = Crash::new(&ram, PROGRAM);
    let mut answer = String::new();
    assert!(crash.command("", &mut answer).is_err() && crash.is_there());
    assert_eq!(crash.command("clear", &mut answer), Ok(()));
    assert!(!crash.is_there() && answer == "cleared");
}

#[test]
fn the_third_crash_in_a_row_starts_safe_once() {
    let ram = crashed();
    for (number, complement, safe) in [(2, !2, false), (3, !4, false), (3, !3, true), (3, !3, true), (7, !7, true)] {
        ram.put(word::ROW, number);
        ram.put(word::ROW + 1, complement);
        let crash = Crash::new(&ram, PROGRAM);
        assert!(crash.is_there());
        assert_eq!(crash.take_safe_start(), safe, "{number} {complement}");
        let told = String::from_utf8(all(&CrashFile::text(&crash))).unwrap();
        assert_eq!(told.contains("Started safe   without the application"), safe);
        // The next start tries again.
        assert!(!safe || !Crash::new(&ram, PROGRAM).take_safe_start());
    }
}
