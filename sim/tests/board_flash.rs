//! What disturbs an erase or a program of flash, or what comes after it, stops the board by name: cached accesses before the
//! cache was flushed, and interrupts that would find something in flash (RP2350 datasheet 5.4.8.8 to 5.4.8.11, 4.4.1).
//!
//! Each program below runs from SRAM, and is put together of a few steps.

use picovd_sim::board::elf::{Image, Segment};
use picovd_sim::board::engine::Engine;
use picovd_sim::board::{ChipIdentity, Machine};

const SRAM: u32 = 0x2000_0000;
const STACK: u32 = 0x2008_0000;
const CODE: usize = 0x200;
/// Arbitrary bytes to program.
const BYTES: u32 = 0x2000_8000;
/// A handler in RAM, where the board looks only whether it lies in flash.
const HANDLER: u32 = 0x2000_0F01;
const HANDLER_IN_FLASH: u32 = 0x1000_0F01;
/// Interrupt 0 is exception 16.
const IRQ: usize = 16;
const SYSTICK: usize = 15;
/// The page that is programmed, in the chip and by address.
const PAGE: u32 = 0x1100;
const SECTOR_BY_ADDRESS: &str = "0x10001100";

/// A part of a program.
#[derive(Clone, Copy)]
enum Step {
    /// A function of the ROM by its code, with three arguments.
    Call(&'static [u8; 2], [u32; 3]),
    /// A word is read.
    Load(u32),
    /// A word is written.
    Store(u32, u32),
    /// A byte is written.
    StoreByte(u32),
    /// CPSID i.
    Mask,
}

use Step::{Call, Load, Mask, Store, StoreByte};

const CONNECT: Step = Call(b"IF", [0; 3]);
const EXIT_XIP: Step = Call(b"EX", [0; 3]);
const PROGRAM: Step = Call(b"RP", [PAGE, BYTES, 256]);
const ERASE: Step = Call(b"RE", [PAGE & !0xFFF, 4096, 1 << 16]);
const FLUSH: Step = Call(b"FC", [0; 3]);
const ENABLE_IRQ: Step = Store(0xE000_E100, 1);
/// CSR: running, and asking for its exception.
const START_SYSTICK: Step = Store(0xE000_E010, 7);

/// MOVW and MOVT (Armv8-M C2.4.93, C2.4.96).
fn set(code: &mut Vec<u16>, register: u16, value: u32) {
    for (opcode, half) in [(0xF240, value as u16), (0xF2C0, (value >> 16) as u16)] {
        code.push(opcode | (half >> 11 & 1) << 10 | half >> 12);
        code.push((half >> 8 & 7) << 12 | register << 8 | half & 0xFF);
    }
}

fn assemble(steps: &[Step]) -> Vec<u16> {
    let mut code = Vec::new();
    for step in steps {
        match *step {
            Call(name, arguments) => {
                // ldrh r2, [r0]; blx r2 with code and mask; mov r6, r0; blx r6 with the arguments.
                set(&mut code, 0, 0x16);
                code.push(0x8802);
                set(&mut code, 0, u32::from(u16::from_le_bytes(*name)));
                set(&mut code, 1, 4);
                code.extend([0x4790, 0x4606]);
                for (register, argument) in (0..).zip(arguments) {
                    set(&mut code, register, argument);
                }
                code.push(0x47B0);
            }
            // ldr r1, [r0].
            Load(address) => {
                set(&mut code, 0, address);
                code.push(0x6801);
            }
            // str r1, [r0].
            Store(address, value) => {
                set(&mut code, 0, address);
                set(&mut code, 1, value);
                code.push(0x6001);
            }
            // strb r1, [r0].
            StoreByte(address) => {
                set(&mut code, 0, address);
                code.push(0x7001);
            }
            Mask => code.push(0xB672),
        }
    }
    // b .
    code.push(0xE7FE);
    code
}

/// Executes a program in SRAM, whose vector table has one more handler, for as long as it takes. Why the board stopped, if it did.
fn run(vector: (usize, u32), steps: &[Step]) -> Option<String> {
    let mut bytes = vec![0u8; 0x1000];
    let mut put = |at: usize, word: u32| bytes[at..at + 4].copy_from_slice(&word.to_le_bytes());
    put(0, STACK);
    put(4, SRAM + CODE as u32 + 1);
    put(4 * vector.0, vector.1);
    for (n, word) in [0xFFFF_DED3, 0x1021_0142, 0x0000_01FF, 0, 0xAB12_3579].into_iter().enumerate() {
        put(0x120 + 4 * n, word);
    }
    let code = assemble(steps);
    for (n, hw) in code.iter().enumerate() {
        bytes[CODE + 2 * n..CODE + 2 * n + 2].copy_from_slice(&hw.to_le_bytes());
    }
    let image = Image::bare(vec![Segment { address: SRAM, bytes }]);
    let mut machine: Machine = Machine::new(image, 1 << 20, ChipIdentity::default()).expect("the ROM takes this image");
    let end = SRAM + (CODE + 2 * (code.len() - 1)) as u32;
    while machine.core().registers()[15] != end && machine.fault().is_none() {
        assert!(machine.cycles() < 100_000_000, "it does not come to its end");
        let next = machine.cycles() + 1000;
        machine.run_until(next);
    }
    machine.fault().map(str::to_owned)
}

/// The same with masked interrupts, and with flash taking commands.
fn run_masked(steps: &[Step]) -> Option<String> {
    let all: Vec<Step> = [Mask, CONNECT, EXIT_XIP].iter().chain(steps).copied().collect();
    run((IRQ, HANDLER), &all)
}

#[test]
fn nothing_is_read_through_the_cache_before_it_is_flushed() {
    for change in [PROGRAM, ERASE] {
        // The page itself, its sector, and what has nothing to do with it.
        for address in [0x1000_1100, 0x1000_1FFC, 0x1000_0000, 0x100F_FFFC] {
            let said = run_masked(&[change, Load(address)]).expect("not noticed");
            assert!(said.starts_with(&format!("core 0: read at {address:#010x} through the XIP cache")), "{said}");
            assert!(said.contains("flash_flush_cache was not called"), "{said}");
            assert_eq!(run_masked(&[change, FLUSH, Load(address)]), None);
            // Once for all that went before, and again for what comes then.
            assert_eq!(run_masked(&[change, change, FLUSH, Load(address)]), None);
            assert!(run_masked(&[change, FLUSH, change, Load(address)]).is_some());
        }
    }
    let said = run_masked(&[PROGRAM, Load(0x1000_0000)]).expect("not noticed");
    assert!(said.contains(&format!("flash has changed at {SECTOR_BY_ADDRESS}")), "{said}");
}

#[test]
fn what_goes_past_the_cache_needs_no_flush() {
    assert_eq!(run_masked(&[PROGRAM, Load(0x1400_1100), Load(0x1C00_1100), FLUSH, Load(0x1000_1100)]), None);
}

#[test]
fn to_clean_the_cache_is_not_to_flush_it() {
    // By set and way, past the end of what a chip answers to, and by address.
    for clean in [0x1BFF_C001, 0x1800_1103] {
        assert_eq!(run_masked(&[PROGRAM, StoreByte(clean), FLUSH, Load(0x1000_1100)]), None);
        assert!(run_masked(&[PROGRAM, StoreByte(clean), Load(0x1000_1100)]).is_some());
    }
    // To invalidate it line by line, or to pin a line.
    for other in [0x1800_0000, 0x1800_1102, 0x1800_1107] {
        let said = run_masked(&[PROGRAM, StoreByte(other)]).expect("it is not modelled");
        assert!(said.contains(&format!("{other:#010x}")) && said.contains("is not modelled"), "{said}");
    }
}

#[test]
fn an_interrupt_that_would_find_its_handler_in_flash_must_be_masked() {
    for (exception, enable) in [(IRQ, ENABLE_IRQ), (SYSTICK, START_SYSTICK)] {
        for change in [PROGRAM, ERASE] {
            let steps = [CONNECT, EXIT_XIP, Store(0xE000_E014, 0xFF_FFFF), enable, change, FLUSH];
            let said = run((exception, HANDLER_IN_FLASH), &steps).expect("not noticed");
            assert!(said.starts_with("ROM call from 0x2000") && said.contains("interrupts enabled"), "{said}");
            assert!(
                said.contains(&format!("the handler of exception {exception} at {HANDLER_IN_FLASH:#010x}")),
                "{said}"
            );
            // One in RAM may come.
            assert_eq!(run((exception, HANDLER), &[CONNECT, EXIT_XIP, enable, change, FLUSH]), None);
            // One that is not enabled does not.
            assert_eq!(run((exception, HANDLER_IN_FLASH), &[CONNECT, EXIT_XIP, change, FLUSH]), None);
            // Neither does a masked one.
            assert_eq!(run((exception, HANDLER_IN_FLASH), &[Mask, CONNECT, EXIT_XIP, enable, change, FLUSH]), None);
        }
    }
}

#[test]
fn interrupts_must_be_masked_where_the_vector_table_is_in_flash() {
    let vtor = Store(0xE000_ED08, 0x1000_0100);
    let said = run((IRQ, HANDLER), &[vtor, CONNECT, EXIT_XIP, PROGRAM]).expect("not noticed");
    assert!(said.contains("interrupts enabled") && said.contains("the vector table at 0x10000100"), "{said}");
    assert_eq!(run((IRQ, HANDLER), &[vtor, Mask, CONNECT, EXIT_XIP, PROGRAM, FLUSH]), None);
}
