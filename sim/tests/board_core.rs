//! The emulated board as a program sees it: exceptions, sleep, stacks, code in RAM, the ROM double, and what is
//! refused.
//!
//! Each program below is shown with its source; it ends in a branch to itself, and its registers show what happened.

use picovd_sim::board::elf::{Image, Segment};
use picovd_sim::board::engine::Engine;
use picovd_sim::board::{ChipIdentity, Machine, RunState};

const BASE: u32 = 0x1000_0000;
const STACK: u32 = 0x2008_0000;
const CODE: usize = 0x200;
const HANDLER: usize = 0x300;
const SECOND_HANDLER: usize = 0x380;
const FLASH: usize = 1 << 20;

const IRQ: &[u16] = &[
    0xF24E, 0x1000, // movw r0, #57600
    0xF2CE, 0x0000, // movt r0, #57344
    0x2101, // movs r1, #1
    0x6001, // str r1, [r0]
    0xB672, // cpsid i
    0xF8C0, 0x1100, // str.w r1, [r0, #256]
    0x2205, // movs r2, #5
    0xB662, // cpsie i
    0x2606, // movs r6, #6
    0xE7FE, // b .
];

const IRQ_HANDLER: &[u16] = &[
    0xF3EF, 0x8805, // mrs r8, ipsr
    0x4674, // mov r4, lr
    0x466D, // mov r5, sp
    0x4770, // bx lr
];

const SVC: &[u16] = &[
    0xDF00, // svc #0
    0x2601, // movs r6, #1
    0xE7FE, // b .
];

const SLEEP: &[u16] = &[
    0xF24E, 0x0010, // movw r0, #57360
    0xF2CE, 0x0000, // movt r0, #57344
    0xF240, 0x31E7, // movw r1, #999
    0x6041, // str r1, [r0, #4]
    0x6081, // str r1, [r0, #8]
    0x2107, // movs r1, #7
    0x6001, // str r1, [r0]
    0xBF30, // wfi
    0x3701, // adds r7, #1
    0xBF30, // wfi
    0x3701, // adds r7, #1
    0xB672, // cpsid i
    0xBF30, // wfi
    0x3701, // adds r7, #1
    0xE7FE, // b .
];

/// A main loop that is woken every 1,000 cycles and works for some 800 of them.
const BUSY: &[u16] = &[
    0xF24E, 0x0010, // movw r0, #57360
    0xF2CE, 0x0000, // movt r0, #57344
    0xF240, 0x31E7, // movw r1, #999
    0x6041, // str r1, [r0, #4]
    0x6081, // str r1, [r0, #8]
    0x2107, // movs r1, #7
    0x6001, // str r1, [r0]
    0xBF30, // wfi
    0x21C8, // movs r1, #200
    0x3901, // subs r1, #1
    0xD1FD, // bne .-2
    0xE7FA, // b wfi
];

const SYSTICK: &[u16] = &[
    0x3601, // adds r6, #1
    0x4770, // bx lr
];

const FP_STACK: &[u16] = &[
    0xF64E, 0x5088, // movw r0, #60808
    0xF2CE, 0x0000, // movt r0, #57344
    0xF2C0, 0x01F0, // movt r1, #240
    0x6001, // str r1, [r0]
    0xEEB7, 0x0A00, // vmov.f32 s0, #1.000000e+00
    0xEEF0, 0x7A00, // vmov.f32 s15, #2.000000e+00
    0xDF00, // svc #0
    0xEE70, 0x0A27, // vadd.f32 s1, s0, s15
    0xEE10, 0x2A90, // vmov r2, s1
    0xE7FE, // b .
];

const FP_HANDLER: &[u16] = &[
    0xEEB2, 0x0A00, // vmov.f32 s0, #8.000000e+00
    0x4674, // mov r4, lr
    0x4770, // bx lr
];

const EXCLUSIVE: &[u16] = &[
    0x2000, // movs r0, #0
    0xF2C2, 0x0000, // movt r0, #8192
    0x2109, // movs r1, #9
    0x6001, // str r1, [r0]
    0xE850, 0x2F00, // ldrex r2, [r0]
    0xE840, 0x1300, // strex r3, r1, [r0]
    0xE840, 0x1400, // strex r4, r1, [r0]
    0xE8D0, 0x5FAF, // lda r5, [r0]
    0xE8C0, 0x4FAF, // stl r4, [r0]
    0xE7FE, // b .
];

const NEST: &[u16] = &[
    0xF24E, 0x4000, // movw r0, #58368
    0xF2CE, 0x0000, // movt r0, #57344
    0xF242, 0x0140, // movw r1, #8256
    0x6001, // str r1, [r0]
    0xF5A0, 0x7040, // sub.w r0, r0, #768
    0x2103, // movs r1, #3
    0x6001, // str r1, [r0]
    0x2101, // movs r1, #1
    0xF8C0, 0x1100, // str.w r1, [r0, #256]
    0x2701, // movs r7, #1
    0xE7FE, // b .
];

const NEST_OUTER: &[u16] = &[
    0x2202, // movs r2, #2
    0xF8C0, 0x2100, // str.w r2, [r0, #256]
    0xBF00, // nop
    0x46A0, // mov r8, r4
    0x4770, // bx lr
];

const NEST_INNER: &[u16] = &[
    0xF3EF, 0x8405, // mrs r4, ipsr
    0x4770, // bx lr
];

const PROCESS: &[u16] = &[
    0xF241, 0x0000, // movw r0, #4096
    0xF2C2, 0x0000, // movt r0, #8192
    0xF380, 0x8809, // msr psp, r0
    0x2102, // movs r1, #2
    0xF381, 0x8814, // msr control, r1
    0xF3BF, 0x8F6F, // isb sy
    0xB403, // push {r0, r1}
    0xDF00, // svc #0
    0x466F, // mov r7, sp
    0xE7FE, // b .
];

const PROCESS_HANDLER: &[u16] = &[
    0x4674, // mov r4, lr
    0xF3EF, 0x8509, // mrs r5, psp
    0x4770, // bx lr
];

const RAM_CODE: &[u16] = &[
    0x2000, // movs r0, #0
    0xF2C2, 0x0000, // movt r0, #8192
    0xF242, 0x0101, // movw r1, #8193
    0xF244, 0x7270, // movw r2, #18288
    0x8001, // strh r1, [r0]
    0x8042, // strh r2, [r0, #2]
    0x1C43, // adds r3, r0, #1
    0x4798, // blx r3
    0x4604, // mov r4, r0
    0x2000, // movs r0, #0
    0xF2C2, 0x0000, // movt r0, #8192
    0xF242, 0x0102, // movw r1, #8194
    0x8001, // strh r1, [r0]
    0x4798, // blx r3
    0x4605, // mov r5, r0
    0xE7FE, // b .
];

const STACK_LIMIT: &[u16] = &[
    0xF248, 0x0000, // movw r0, #32768
    0xF2C2, 0x0000, // movt r0, #8192
    0xF380, 0x880A, // msr msplim, r0
    0x4685, // mov sp, r0
    0xB401, // push {r0}
    0xE7FE, // b .
];

const SPINLOCK: &[u16] = &[
    0xF240, 0x107C, // movw r0, #380
    0xF2CD, 0x0000, // movt r0, #53248
    0x6801, // ldr r1, [r0]
    0x6802, // ldr r2, [r0]
    0x6000, // str r0, [r0]
    0x6803, // ldr r3, [r0]
    0xE7FE, // b .
];

const DPRAM: &[u16] = &[
    0xF240, 0x0001, // movw r0, #1
    0xF2C5, 0x0010, // movt r0, #20496
    0x6801, // ldr r1, [r0]
    0xE7FE, // b .
];

const LOOKUP: &[u16] = &[
    0x2016, // movs r0, #22
    0x8802, // ldrh r2, [r0]
    0xF645, 0x205A, // movw r0, #23130
    0x2104, // movs r1, #4
    0x4790, // blx r2
    0xE7FE, // b .
];

const DEVICE_ID: &[u16] = &[
    0x2016, // movs r0, #22
    0x8802, // ldrh r2, [r0]
    0xF245, 0x3047, // movw r0, #21319
    0x2104, // movs r1, #4
    0x4790, // blx r2
    0x4603, // mov r3, r0
    0x2000, // movs r0, #0
    0xF2C2, 0x0000, // movt r0, #8192
    0x2104, // movs r1, #4
    0x2201, // movs r2, #1
    0x4798, // blx r3
    0x4604, // mov r4, r0
    0x2000, // movs r0, #0
    0xF2C2, 0x0000, // movt r0, #8192
    0xE890, 0x01E0, // ldm.w r0, {r5, r6, r7, r8}
    0xE7FE, // b .
];

const RESET: &[u16] = &[
    0xF64E, 0x500C, // movw r0, #60684
    0xF2CE, 0x0000, // movt r0, #57344
    0x2104, // movs r1, #4
    0xF2C0, 0x51FA, // movt r1, #1530
    0x6001, // str r1, [r0]
    0xE7FE, // b .
];

/// Flash contents: vectors, an image definition, the program, its handlers.
fn image(program: &[u16], vectors: &[(usize, usize)], handlers: &[(usize, &[u16])]) -> Vec<u8> {
    let mut bytes = vec![0u8; 0x1000];
    let mut put = |at: usize, word: u32| bytes[at..at + 4].copy_from_slice(&word.to_le_bytes());
    put(0, STACK);
    put(4, BASE + CODE as u32 + 1);
    for (exception, handler) in vectors {
        put(4 * exception, BASE + *handler as u32 + 1);
    }
    for (n, word) in [0xFFFF_DED3, 0x1021_0142, 0x0000_01FF, 0, 0xAB12_3579].into_iter().enumerate() {
        put(0x120 + 4 * n, word);
    }
    for (at, code) in [(CODE, program)].iter().chain(handlers) {
        for (n, hw) in code.iter().enumerate() {
            bytes[at + 2 * n..at + 2 * n + 2].copy_from_slice(&hw.to_le_bytes());
        }
    }
    bytes
}

fn machine(bytes: Vec<u8>) -> Machine {
    let image = Image::bare(vec![Segment { address: BASE, bytes }]);
    Machine::new(image, FLASH, ChipIdentity::default()).expect("the ROM takes this image")
}

/// Executes a program for 10,000 cycles; the board must still be well.
fn run(program: &[u16], vectors: &[(usize, usize)], handlers: &[(usize, &[u16])]) -> (Machine, [u32; 16]) {
    let mut machine = machine(image(program, vectors, handlers));
    machine.run_until(10_000);
    assert_eq!(machine.fault(), None);
    let registers = machine.core().registers();
    (machine, registers)
}

/// Executes a program that must stop; the reason.
fn stop(program: &[u16]) -> String {
    let mut machine = machine(image(program, &[], &[]));
    machine.run_until(10_000);
    assert_eq!(*machine.state(), RunState::Failed, "it ran on to {:x?}", machine.core().registers());
    machine.fault().expect("a failed board has a reason").to_string()
}

#[test]
fn a_pended_interrupt_waits_for_primask() {
    let (_, r) = run(IRQ, &[(16, HANDLER)], &[(HANDLER, IRQ_HANDLER)]);
    // IPSR, EXC_RETURN to the thread's main stack, a frame of 8 words, and the thread went on.
    assert_eq!((r[8], r[4], r[5], r[6]), (16, 0xFFFF_FFF9, STACK - 0x20, 6));
    assert_eq!(r[13], STACK);
}

#[test]
fn svc_returns_behind_itself() {
    let (_, r) = run(SVC, &[(11, HANDLER)], &[(HANDLER, IRQ_HANDLER)]);
    assert_eq!((r[8], r[6]), (11, 1));
}

#[test]
fn sleep_ends_with_an_interrupt_even_if_masked() {
    let (mut machine, r) = run(SLEEP, &[(15, HANDLER)], &[(HANDLER, SYSTICK)]);
    // Two handled, the third woke with PRIMASK set and stays pending.
    assert_eq!((r[6], r[7]), (2, 3));
    let statistics = machine.statistics();
    assert!(statistics.instructions > 2000, "the endless loop runs awake");
    assert!(statistics.awake_cycles < statistics.cycles - 2500, "three sleeps of nearly 1,000 cycles");
}

#[test]
fn what_a_woken_core_executes_is_not_slept() {
    let (mut machine, r) = run(BUSY, &[(15, HANDLER)], &[(HANDLER, SYSTICK)]);
    assert_eq!(r[6], 9, "woken every 1,000 cycles");
    let statistics = machine.statistics();
    assert!(statistics.awake_cycles >= statistics.instructions, "no instruction takes less than a cycle");
    // After the first 1,000 cycles, 200 turns of 1 + 3 cycles in each 1,000, and what waking takes.
    let share = statistics.awake_cycles * 100 / statistics.cycles;
    assert!((72..=80).contains(&share), "awake for {share} %");
}

#[test]
fn the_floating_point_context_is_stacked() {
    let (_, r) = run(FP_STACK, &[(11, HANDLER)], &[(HANDLER, FP_HANDLER)]);
    assert_eq!(f32::from_bits(r[2]), 3.0);
    // FType is clear: an extended frame.
    assert_eq!(r[4], 0xFFFF_FFE9);
}

#[test]
fn a_store_exclusive_succeeds_once() {
    let (_, r) = run(EXCLUSIVE, &[], &[]);
    assert_eq!((r[2], r[3], r[4], r[5]), (9, 0, 1, 9));
}

#[test]
fn a_more_urgent_interrupt_nests() {
    let vectors = [(16, HANDLER), (17, SECOND_HANDLER)];
    let (_, r) = run(NEST, &vectors, &[(HANDLER, NEST_OUTER), (SECOND_HANDLER, NEST_INNER)]);
    assert_eq!((r[8], r[4], r[7]), (17, 17, 1));
}

#[test]
fn a_thread_on_the_process_stack_comes_back_to_it() {
    let (_, r) = run(PROCESS, &[(11, HANDLER)], &[(HANDLER, PROCESS_HANDLER)]);
    assert_eq!((r[4], r[5], r[7]), (0xFFFF_FFFD, 0x2000_0FF8 - 0x20, 0x2000_0FF8));
}

#[test]
fn changed_code_is_decoded_again() {
    let (_, r) = run(RAM_CODE, &[], &[]);
    assert_eq!((r[4], r[5]), (1, 2));
}

#[test]
fn a_push_below_the_limit_stops() {
    let why = stop(STACK_LIMIT);
    assert!(why.contains("stack overflow") && why.contains("pc 0x1000020e"), "{why}");
}

/// What a fault handler sees.
const FAULT_HANDLER: &[u16] = &[
    0xF3EF, 0x8805, // mrs r8, ipsr
    0x46F1, // mov r9, lr
    0x46EA, // mov r10, sp
    0xF64E, 0x5028, // movw r0, #0xED28
    0xF2CE, 0x0000, // movt r0, #0xE000
    0x6804, // ldr r4, [r0]
    0x6845, // ldr r5, [r0, #4]
    0x6906, // ldr r6, [r0, #16]
    0x9F06, // ldr r7, [sp, #24]
    0xF8DD, 0xB01C, // ldr.w r11, [sp, #28]
    0xE7FE, // b .
];

/// Enables MemManage, BusFault and UsageFault in SHCSR.
const ENABLE: &[u16] = &[
    0xF64E, 0x5024, // movw r0, #0xED24
    0xF2CE, 0x0000, // movt r0, #0xE000
    0xF2C0, 0x0107, // movt r1, #7
    0x6001, // str r1, [r0]
];

/// Programs that fault, by the bits of CFSR that say why (D1.2.39), the exception if it is enabled, and the offset of the
/// instruction that the stacked PC names; the address where it is not in the program.
const FAULTS: &[(&[u16], u32, u32, u32)] = &[
    // udf #0
    (&[0xDE00], 1 << 16, 6, 0),
    // movs r2, #0; movt r2, #0x2000; bx r2
    (&[0x2200, 0xF2C2, 0x0200, 0x4710], 1 << 17, 6, 0x2000_0000),
    // vmov.f32 s0, #1.0
    (&[0xEEB7, 0x0A00], 1 << 19, 6, 0),
    // movs r2, #1; movt r2, #0x2000; ldrd r1, r3, [r2]
    (&[0x2201, 0xF2C2, 0x0200, 0xE9D2, 0x1300], 1 << 24, 6, 6),
    // movs r2, #4; movt r2, #0xF000; str r1, [r2]
    (&[0x2204, 0xF2CF, 0x0200, 0x6011], 1 << 9 | 1 << 15, 5, 6),
    // movs r2, #4; movt r2, #0x6000; ldr r1, [r2]
    (&[0x2204, 0xF2C6, 0x0200, 0x6811], 1 << 9 | 1 << 15, 5, 6),
    // movs r2, #1; movt r2, #0x6000; bx r2
    (&[0x2201, 0xF2C6, 0x0200, 0x4710], 1 << 8, 5, 0x6000_0000),
    // movs r2, #1; movt r2, #0x4000; bx r2
    (&[0x2201, 0xF2C4, 0x0200, 0x4710], 1, 4, 0x4000_0000),
];

/// Programs that exceed the stack's limit, which they have set, with and without room for the exception frame.
const OVERFLOWS: [&[u16]; 3] = [
    // add.w r1, r0, #64; mov sp, r1; sub sp, #128
    &[0xF100, 0x0140, 0x468D, 0xB0A0],
    // add.w r1, r0, #16; mov sp, r1; sub sp, #128
    &[0xF100, 0x0110, 0x468D, 0xB0A0],
    // add.w r1, r0, #4; mov sp, r1; str r1, [sp, #-8]!
    &[0xF100, 0x0104, 0x468D, 0xF84D, 0x1D08],
];

/// movw r0, #0x4000; movt r0, #0x2000; msr msplim, r0
const SET_LIMIT: &[u16] = &[0xF244, 0x0000, 0xF2C2, 0x0000, 0xF380, 0x880A];

#[test]
fn a_fault_enters_its_handler_or_that_of_hard_fault() {
    let vectors: Vec<(usize, usize)> = (3..7).map(|exception| (exception, HANDLER)).collect();
    for (program, status, exception, at) in FAULTS {
        for prologue in [&[][..], ENABLE] {
            let code = [prologue, *program].concat();
            let (machine, r) = run(&code, &vectors, &[(HANDLER, FAULT_HANDLER)]);
            let enabled = !prologue.is_empty();
            let label = format!("{program:04x?}, enabled: {enabled}");
            let taken = if enabled { (*exception, 0) } else { (3, 1 << 30) };
            assert_eq!((r[8], r[5]), taken, "{label}");
            assert_eq!(r[4], *status, "{label}");
            let start = BASE + CODE as u32 + 2 * prologue.len() as u32;
            assert_eq!(r[7], if *at < 16 { start + at } else { *at }, "{label}: PC");
            assert_eq!((r[9], r[10]), (0xFFFF_FFF9, STACK - 0x20), "{label}: EXC_RETURN, SP");
            // EPSR.T is clear after a branch to an address without it.
            assert_eq!(r[11] >> 24 & 1, u32::from(*status != 1 << 17), "{label}: xPSR");
            assert!(*exception != 5 || *status == 1 << 8 || r[6] == r[2], "{label}: BFAR {:#x}", r[6]);
            assert_eq!(*machine.state(), RunState::Running);
        }
    }
}

#[test]
fn a_breakpoint_without_a_debugger_is_a_hard_fault() {
    let (_, r) = run(&[0xBE00], &[(3, HANDLER)], &[(HANDLER, FAULT_HANDLER)]);
    assert_eq!((r[8], r[4], r[5]), (3, 0, 1 << 31));
}

#[test]
fn a_fault_handler_may_return() {
    // ldr r0, [sp, #24]; adds r0, #2; str r0, [sp, #24]; bx lr: after the instruction.
    let handler = &[0x9806, 0x3002, 0x9006, 0x4770];
    // udf; movs r6, #9; b .
    let (_, r) = run(&[0xDE00, 0x2609, 0xE7FE], &[(3, HANDLER)], &[(HANDLER, handler)]);
    assert_eq!((r[6], r[13]), (9, STACK));
}

#[test]
fn a_fault_of_a_handler_that_nothing_preempts_is_lockup() {
    for handler in [&[0xDE01][..], &[0xE7FE]] {
        let mut machine = machine(image(&[0xDE00], &[(3, HANDLER)], &[(HANDLER, handler)]));
        machine.run_until(10_000);
        assert_eq!(*machine.state(), RunState::Failed, "{handler:04x?}");
        let number = if handler.len() == 1 && handler[0] == 0xDE01 { "#0x1" } else { "#0x0" };
        assert!(machine.fault().is_some_and(|why| why.contains(number)), "{:?}", machine.fault());
    }
}

#[test]
fn a_stack_overflow_enters_its_handler_at_the_limit_if_there_is_no_room() {
    const LIMIT: u32 = 0x2000_8000;
    // movw r0, #0x8000; movt r0, #0x2000; msr msplim, r0; then the stack pointer, and what exceeds the limit.
    let limit = &[0xF248, 0x0000, 0xF2C2, 0x0000, 0xF380, 0x880A];
    for (end, handler_sp, named) in [
        // add.w r1, r0, #64; mov sp, r1; sub sp, #128: room for the frame.
        (&[0xF100, 0x0140, 0x468D, 0xB0A0][..], LIMIT + 0x20, true),
        // add.w r1, r0, #16; mov sp, r1; sub sp, #128: none.
        (&[0xF100, 0x0110, 0x468D, 0xB0A0], LIMIT, false),
        // add.w r1, r0, #4; mov sp, r1; str r1, [sp, #-8]!: nothing is stored below it.
        (&[0xF100, 0x0104, 0x468D, 0xF84D, 0x1D08], LIMIT, false),
    ] {
        for prologue in [&[][..], ENABLE] {
            let code = [prologue, limit, end].concat();
            let mut machine = machine(image(&code, &[(3, HANDLER), (6, HANDLER)], &[(HANDLER, FAULT_HANDLER)]));
            machine.preload_sram(LIMIT - 32, &[0x5A; 64]);
            machine.run_until(10_000);
            let r = machine.core().registers();
            assert_eq!((r[8], r[4]), (if prologue.is_empty() { 3 } else { 6 }, 1 << 20), "{end:04x?}");
            assert_eq!(r[10], handler_sp, "{end:04x?}");
            assert_eq!(r[7] == BASE + CODE as u32 + 2 * (prologue.len() + limit.len() + 3) as u32, named, "{end:04x?}");
            assert_eq!(machine.word(LIMIT - 4), Some(0x5A5A_5A5A), "nothing is written below the limit");
        }
    }
}

#[test]
fn a_spinlock_is_claimed_on_read() {
    let (_, r) = run(SPINLOCK, &[], &[]);
    assert_eq!((r[1], r[2], r[3]), (1 << 31, 0, 1 << 31));
}

#[test]
fn dpram_refuses_what_device_memory_refuses() {
    // RESETS holds the controller at boot: the alignment is looked at first.
    assert!(stop(DPRAM).contains("unaligned access to USB DPRAM at 0x50100001"));
}

#[test]
fn a_look_up_that_misses_stops() {
    assert!(stop(LOOKUP).contains("look-up of \"ZZ\" with mask 0x4 fails"));
}

#[test]
fn the_rom_tells_the_chip_identity() {
    let (_, r) = run(DEVICE_ID, &[], &[]);
    let identity = ChipIdentity::default();
    assert_eq!((r[4], r[5], r[6], r[7], r[8]), (4, 1, identity.package, identity.device, identity.wafer));
}

#[test]
fn a_system_reset_starts_again() {
    let mut machine = machine(image(RESET, &[], &[]));
    machine.run_until(10_000);
    assert_eq!(*machine.state(), RunState::Running);
    assert!(machine.reboots() > 10);
}

#[test]
fn unknown_registers_and_instructions_stop_with_their_address() {
    // LDR r0, [pc, #0]; LDR r1, [r0]; address of HSTX_CTRL.
    let why = stop(&[0x4800, 0x6801, 0x0000, 0x400C]);
    assert!(
        why.contains("read of 0x400c0000") && why.contains("HSTX_CTRL.CSR") && why.contains("pc 0x10000202"),
        "{why}"
    );
    // TIMER0 is modelled, but still in reset.
    let why = stop(&[0x4800, 0x6801, 0x0000, 0x400B]);
    assert!(why.contains("while TIMER0 is in reset"), "{why}");
    // UDF as rustc's abort uses it; a coprocessor instruction.
    assert!(stop(&[0xDEFE]).contains("UDF #0xfe"));
    assert!(stop(&[0xEE00, 0x0710]).contains("instruction ee00 0710"));
    // A branch without the Thumb bit.
    assert!(stop(&[0x2000, 0x4700]).contains("no Thumb bit"));
}

#[test]
fn an_image_without_definition_is_not_booted() {
    let mut bytes = image(SVC, &[], &[]);
    bytes[0x120] = 0;
    let image = Image::bare(vec![Segment { address: BASE, bytes }]);
    let error = Machine::<picovd_sim::board::thumb::Interpreter>::new(image, FLASH, ChipIdentity::default());
    assert!(error.err().is_some_and(|e| e.0.contains("IMAGE_DEF")));
}

#[test]
fn a_reset_keeps_ram_and_power_on_does_not() {
    let mut machine = machine(image(RAM_CODE, &[], &[]));
    machine.run_until(1000);
    assert_eq!(machine.sram()[..4], [2, 0x20, 0x70, 0x47]);
    machine.unplug();
    machine.plug();
    assert_ne!(machine.sram()[..4], [2, 0x20, 0x70, 0x47]);
}

mod ring5 {
    use super::*;
    use std::io::Write;
    use std::process::{Command, Stdio};
    use std::time::Duration;

    /// What the fault handler has found: EXC_RETURN, IPSR, CFSR, HFSR, SP, the stacked PC, and the stacked xPSR without its flags.
    fn found(registers: &[u32; 16]) -> [u32; 7] {
        let [link, number, status, hard, sp, pc, psr] =
            [9, 8, 4, 5, 10, 7, 11].map(|register: usize| registers[register]);
        // The flags are unknown at reset.
        [link, number, status, hard, sp, pc, psr & 0x07FF_FFFF]
    }

    /// The registers of QEMU's Cortex-M33 after the same image. Its RAM is where the halfwords `movt r, #0x2000` say 0x3000, and
    /// addresses in it are returned as if it were at 0x20000000.
    fn qemu(number: usize, mut bytes: Vec<u8>) -> [u32; 16] {
        for at in (0..bytes.len()).step_by(2) {
            // MOVT (C2.4.119): the upper half of the immediate 0x2000 is in the first halfword.
            if bytes[at + 1] == 0xF2 && bytes[at] == 0xC2 {
                bytes[at] = 0xC3;
            }
        }
        bytes[..4].copy_from_slice(&0x3000_8000u32.to_le_bytes());
        let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fault-{number}.bin"));
        std::fs::write(&file, bytes).expect("the target folder is ours");
        // The handler ends in an endless loop, which a busy machine reaches late.
        let end = BASE + (HANDLER + 2 * (FAULT_HANDLER.len() - 1)) as u32;
        let mut tries = (1..=5).map(|number| qemu_for(&file, Duration::from_millis(700 * number)));
        tries.find(|registers| registers[15] == end).expect("QEMU runs the handler")
    }

    fn qemu_for(file: &std::path::Path, time: Duration) -> [u32; 16] {
        let mut child = Command::new("qemu-system-arm")
            .args(["-M", "mps2-an505", "-display", "none", "-serial", "null", "-monitor", "stdio", "-device"])
            .arg(format!("loader,file={},addr={BASE:#x}", file.display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("`cargo xtask test` installs qemu-system-arm");
        std::thread::sleep(time);
        child.stdin.take().expect("a pipe").write_all(b"info registers\nquit\n").expect("QEMU listens");
        let text = String::from_utf8(child.wait_with_output().expect("QEMU ends").stdout).expect("text");
        std::array::from_fn(|number| {
            let name = format!("R{number:02}=");
            let (_, value) = text.split_once(&name).unwrap_or_else(|| panic!("no {name} in {text}"));
            let value = u32::from_str_radix(&value[..8], 16).expect("hexadecimal");
            if value >> 16 == 0x3000 { value - 0x1000_0000 } else { value }
        })
    }

    #[test]
    #[ignore = "needs QEMU: cargo xtask test --ring 5"]
    fn qemu_takes_the_same_faults_in_the_same_way() {
        let vectors: Vec<(usize, usize)> = (3..7).map(|exception| (exception, HANDLER)).collect();
        let overflows = OVERFLOWS.map(|end| [SET_LIMIT, end].concat());
        let programs = FAULTS.iter().map(|(program, ..)| program.to_vec()).chain(overflows);
        let programs = programs.flat_map(|program| [program.clone(), [ENABLE, &program].concat()]);
        for (number, program) in programs.enumerate() {
            let mut bytes = image(&program, &vectors, &[(HANDLER, FAULT_HANDLER)]);
            bytes[..4].copy_from_slice(&0x2000_8000u32.to_le_bytes());
            let mut ours = machine(bytes.clone());
            ours.preload_sram(0x2000_4000 - 64, &[0; 128]);
            ours.run_until(10_000);
            assert_eq!(ours.fault(), None);
            let (ours, theirs) = (ours.core().registers(), qemu(number, bytes));
            assert_eq!(found(&ours).map(Hex), found(&theirs).map(Hex), "{program:04x?}");
            // BFAR is valid with BFARVALID only.
            assert!(ours[4] >> 15 & 1 == 0 || ours[6] == theirs[6], "BFAR of {program:04x?}");
        }
    }

    #[derive(PartialEq)]
    struct Hex(u32);

    impl std::fmt::Debug for Hex {
        fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(formatter, "{:#010x}", self.0)
        }
    }
}
