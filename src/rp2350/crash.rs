//! Keeps what a debugger needs of a crash, in RAM that outlives the reset which follows: registers, fault status, the live part of
//! the stack, the end of the log. The restarted program shows it as CORE.ELF, CRASH.TXT and CRASH.JSON.
//!
//! `[crash] enabled = true` of the manifest declares the memory and the handlers of HardFault, MemManage, BusFault, UsageFault and
//! SecureFault, and [`panic_handler!`](crate::panic_handler) keeps panics. A program with a panic handler of its own calls
//! `disk::panicked(info)` at the handler's end. One with fault handlers of its own says `handlers = false` in `[crash]`, and they call
//! `disk::faulted(frame)`.
//!
//! Nothing here allocates, formats through `core::fmt`, takes a lock, or reads an address that was not checked. The fault handlers
//! have a stack of their own on each core, so a stack overflow is kept, too: the stick's start sets MSPLIM for the main
//! stack. A fault while flash cannot be read ends in lockup, because the handlers are in flash.

use super::panic::Reason;
use crate::chip::address_map::SRAM;
use crate::files::LogRing;
use crate::files::crash::record::{
    BUILD, CALLS, CHECKED, HEAD_WORDS, Kept, LOG, MAGIC, NO_FRAME, NO_STACK, STACK, TEXT, View, checksum, word,
};
use core::cell::UnsafeCell;
use core::mem::MaybeUninit;
use core::ops::Range;
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicBool, Ordering};
use cortex_m::peripheral::{FPU, SCB};
use cortex_m::register::{msp, msplim, psplim};
use rp235x_pac as pac;

/// Words of a core's stack for the handlers. At its lower end are the registers at entry.
const SCRATCH: usize = 96;

/// Where the registers are that the entries save: after R0 to R12.
const ENTRY_SP: usize = 13;
const ENTRY_LINK: usize = 14;
/// PSP at a fault, xPSR at a panic.
const ENTRY_OTHER: usize = 15;
const ENTRY_LIMIT: usize = 16;

/// Room below the main stack's limit, for two words that the fault handlers store before they have a stack.
const SLACK: u32 = 16;

/// CFSR.STKOF (Armv8-M D1.2.262).
const STACK_OVERFLOW: u32 = 1 << 20;
/// EXC_RETURN.SPSEL and FType (B3.22).
const PROCESS_STACK: u32 = 1 << 2;
const STANDARD_FRAME: u32 = 1 << 4;
/// EXC_RETURN without these two, as for a fault of the main program.
const EXC_RETURN: u32 = 0xFFFF_FFE9;
/// R7, which functions of Rust keep as their frame pointer.
const FRAME_POINTER: usize = 7;
/// Functions between a handler of the program's own and the call that keeps the fault, at most.
const CALLS_OF_HANDLER: usize = 8;
/// FPCCR.LSPACT (D1.2.87).
const LAZY_STATE_ACTIVE: u32 = 1 << 0;

/// The kept stack begins at a multiple of this, GDB's cache line: it reads whole lines, and takes the part of a line that is not in
/// the core file, and with it the rest, as zeros where the program has variables.
const LINE: u32 = 64;

/// A program that crashes within this many microseconds of its start has not lived.
const YOUNG: u32 = 10_000_000;

/// A record's kind: the program asked for it, and goes on.
const SNAPSHOT: u32 = 3;

/// How far the stack is searched for return addresses, in bytes.
const SEARCH: u32 = 8 << 10;

/// Memory for a record with `WORDS` words of the stack, in `.uninit`. [`crash_memory!`](crate::crash_memory) declares one.
#[repr(C)]
pub struct Memory<const WORDS: usize>(UnsafeCell<MaybeUninit<Parts<WORDS>>>);

#[repr(C)]
struct Parts<const WORDS: usize> {
    scratch: [[u32; SCRATCH]; 2],
    head: [u32; HEAD_WORDS],
    stack: [u32; WORDS],
}

// SAFETY: only accessed through raw pointers, with volatile accesses of words that are valid whatever they contain. Who writes
// has claimed it (`claim`), and does not return.
unsafe impl<const WORDS: usize> Sync for Memory<WORDS> {}

impl<const WORDS: usize> Memory<WORDS> {
    /// For a `static`, which is not initialized.
    #[must_use]
    pub const fn new() -> Self {
        Self(UnsafeCell::new(MaybeUninit::uninit()))
    }

    const fn record(&self) -> *mut u32 {
        // SAFETY: within the object.
        unsafe { (&raw mut (*self.0.get().cast::<Parts<WORDS>>()).head).cast() }
    }
}

impl<const WORDS: usize> Default for Memory<WORDS> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const WORDS: usize> core::fmt::Debug for Memory<WORDS> {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.debug_struct("Memory").finish_non_exhaustive()
    }
}

impl<const WORDS: usize> Kept for Memory<WORDS> {
    fn length(&self) -> usize {
        (HEAD_WORDS + WORDS) * 4
    }

    fn read(&self, offset: usize, out: &mut [u8]) {
        for (place, byte) in (offset..).zip(out) {
            *byte = if place < self.length() {
                // SAFETY: within the record.
                unsafe { self.record().cast::<u8>().add(place).read_volatile() }
            } else {
                0
            };
        }
    }

    fn clear(&self) {
        // SAFETY: within the record.
        unsafe { self.record().write_volatile(0) };
    }

    fn forget_row(&self) {
        // SAFETY: within the record.
        unsafe { self.record().add(word::ROW).write_volatile(0) };
    }
}

/// What the handlers know about the program.
pub struct Keeper {
    kept: &'static dyn Kept,
    record: *mut u32,
    room: usize,
    build: &'static str,
    log: Option<&'static LogRing>,
    stack: KeptStack,
}

// SAFETY: the pointer is that of a `Memory`, see there.
unsafe impl Sync for Keeper {}

/// What is kept of the stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeptStack {
    /// All.
    Whole,
    /// All except the section `.settings`, which reads as zeros: the manifest says that stacks are shown.
    WithoutSettings,
    /// Nothing: the stack may hold copies of secrets.
    Nothing,
}

impl Keeper {
    /// A keeper that uses `memory`.
    #[must_use]
    pub const fn new<const WORDS: usize>(
        memory: &'static Memory<WORDS>,
        build: &'static str,
        log: Option<&'static LogRing>,
        stack: KeptStack,
    ) -> Self {
        Self { kept: memory, record: memory.record(), room: WORDS * 4, build, log, stack }
    }

    fn put(&self, index: usize, value: u32) {
        if index < HEAD_WORDS + self.room / 4 {
            // SAFETY: within the record.
            unsafe { self.record.add(index).write_volatile(value) };
        }
    }

    fn put_bytes(&self, range: &Range<usize>, bytes: &[u8]) -> u32 {
        let mut length = 0;
        for (place, byte) in range.clone().zip(bytes) {
            // SAFETY: the ranges are within the record's head.
            unsafe { self.record.cast::<u8>().add(place).write_volatile(*byte) };
            length += 1;
        }
        length
    }

    /// Stores the record, or counts the crash if there is one already.
    fn keep(&self, crash: &Crash<'_>) {
        let view = View(self.kept);
        let [low, high] = uptime();
        if crash.kind == SNAPSHOT {
            if view.is_valid() {
                return;
            }
            return self.store(crash, [low, high]);
        }
        let row = if high == 0 && low < YOUNG { view.row().saturating_add(1) } else { 1 };
        self.put(word::ROW, row);
        self.put(word::ROW + 1, !row);
        if view.is_valid() {
            let later = view.later().saturating_add(1);
            self.put(word::LATER, later);
            self.put(word::LATER + 1, !later);
            return;
        }
        self.store(crash, [low, high]);
    }

    fn store(&self, crash: &Crash<'_>, [low, high]: [u32; 2]) {
        self.put(word::MAGIC, 0);
        for index in word::KIND..HEAD_WORDS {
            self.put(index, 0);
        }
        self.put(word::LATER, 0);
        self.put(word::LATER + 1, !0);
        self.put(word::KIND, crash.kind);
        self.put(word::CORE, super::current_core());
        for (index, register) in (word::REGISTERS..).zip(&crash.registers) {
            self.put(index, *register);
        }
        self.put(word::EXC_RETURN, crash.exc_return);
        for (index, status) in (word::STATUS..).zip(&crash.status) {
            self.put(index, *status);
        }
        self.put(word::UPTIME, low);
        self.put(word::UPTIME + 1, high);
        self.put(word::INSTRUCTION, instruction(crash.registers[15]));
        self.put_bytes(&BUILD, self.build.as_bytes());
        let length = self.put_bytes(&TEXT, crash.text);
        self.put(word::TEXT, length);
        self.put(word::LOG, self.keep_log());
        let no_stack = if self.stack == KeptStack::Nothing { NO_STACK } else { 0 };
        self.put(word::FLAGS, crash.flags | no_stack);
        self.keep_stack(crash);
        let bytes = View(self.kept).stack_length() + STACK - CHECKED;
        // SAFETY: the record's head and the part of its stack that is used.
        let bytes =
            (0..bytes).map(|at| unsafe { self.record.cast::<u8>().cast_const().add(CHECKED + at).read_volatile() });
        self.put(word::CRC, checksum(bytes));
        // Last, because power may fail in between.
        self.put(word::MAGIC, MAGIC);
    }

    /// Copies the end of the log. Returns its length.
    fn keep_log(&self) -> u32 {
        let Some(log) = self.log else { return 0 };
        // SAFETY: no critical section, but its holder, this core or the other one, may never leave it again. The cells are
        // bytes; a write that was interrupted leaves some of them old.
        let section = unsafe { critical_section::CriticalSection::new() };
        let mut length = 0;
        for (place, byte) in LOG.zip(log.end(section, LOG.len())) {
            self.put_bytes(&(place..place + 1), &[byte]);
            length += 1;
        }
        length
    }

    /// Copies the stack from SP up, and collects return addresses from it.
    fn keep_stack(&self, crash: &Crash<'_>) {
        let sp = crash.registers[13] & !3;
        let end = stack_end(sp, crash.exc_return);
        // SRAM begins at a multiple of it, too.
        let low = sp & !(LINE - 1);
        let room = if self.stack == KeptStack::Nothing { 0 } else { self.room as u32 & !3 };
        let length = if end == sp { 0 } else { (end - low).min(room) };
        self.put(word::STACK, low);
        self.put(word::STACK + 1, length);
        let hidden = settings();
        let (mut calls, mut last) = (0, 0);
        let mut call = |address: u32| {
            // LR is usually on the stack as well.
            if calls < CALLS && address != last && follows_call(address) {
                self.put(word::CALL + calls, address & !1);
                (calls, last) = (calls + 1, address);
            }
        };
        if crash.flags & NO_FRAME == 0 {
            call(crash.registers[14]);
        }
        for address in (low..end.min(low.saturating_add(SEARCH.max(length)))).step_by(4).filter(|_| end != sp) {
            // SAFETY: `stack_end` returns an address within SRAM if it is not `sp`, and `low` is in the same line as that.
            let value = unsafe { (address as *const u32).read_volatile() };
            let at = (address - low) as usize / 4;
            if address - low < length {
                let hides = self.stack == KeptStack::WithoutSettings && hidden.contains(&address);
                self.put(STACK / 4 + at, if hides { 0 } else { value });
            }
            if address >= sp {
                call(value);
            }
        }
        self.put(word::CALLS, calls as u32);
    }
}

impl core::fmt::Debug for Keeper {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.debug_struct("Keeper").field("build", &self.build).finish_non_exhaustive()
    }
}

/// What is kept of a crash besides what is in memory.
struct Crash<'t> {
    kind: u32,
    registers: [u32; 17],
    exc_return: u32,
    status: [u32; 4],
    flags: u32,
    text: &'t [u8],
}

unsafe extern "C" {
    static _stack_start: u8;
    /// The end of the last variable, from where the stack has all memory. cortex-m-rt's `_stack_end` is wrong with the linker scripts of
    /// picovd, where a section of flash follows.
    static __euninit: u8;
    static __stext: u8;
    static __etext: u8;
    static __settings_start: u8;
    static __settings_end: u8;
}

/// The main stack.
fn main_stack() -> Range<u32> {
    (&raw const __euninit).addr() as u32..(&raw const _stack_start).addr() as u32
}

fn settings() -> Range<u32> {
    (&raw const __settings_start).addr() as u32..(&raw const __settings_end).addr() as u32
}

/// The end of the stack in which `low` is, as far as it is known; never beyond SRAM, and `low` if that is not in SRAM.
fn stack_end(low: u32, exc_return: u32) -> u32 {
    let main = main_stack();
    let on_main = exc_return & PROCESS_STACK == 0 || exc_return == 0;
    if on_main && (main.start..main.end).contains(&low) && main.end <= SRAM.end {
        main.end
    } else if SRAM.contains(&low) {
        // A stack among the variables, such as the second core's.
        if settings().contains(&low) { settings().end } else { SRAM.end }
    } else {
        low
    }
}

/// Whether two halfwords at an even address are the program's code.
fn is_code(address: u32) -> bool {
    let text = (&raw const __stext).addr() as u32..(&raw const __etext).addr() as u32;
    text.contains(&address) && text.contains(&address.wrapping_add(3))
}

/// The halfwords at an address in the program's code.
fn instruction(address: u32) -> u32 {
    if address & 1 != 0 || !is_code(address) {
        return 0;
    }
    let at = address as *const u16;
    // SAFETY: the program's code, read by halfwords.
    let [first, second] = unsafe { [at.read_volatile(), at.add(1).read_volatile()] };
    u32::from(second) << 16 | u32::from(first)
}

/// Whether a word is a return address: whether BL or BLX (register) is before it (Armv8-M C2.4.19, C2.4.20).
fn follows_call(value: u32) -> bool {
    let before = instruction((value & !1).wrapping_sub(4));
    let (first, second) = (before & 0xFFFF, before >> 16);
    value & 1 != 0 && (first >> 11 == 0b11110 && second & 0xD000 == 0xD000 || second & 0xFF87 == 0x4780)
}

/// Microseconds since a timer was started; 0 if none was.
fn uptime() -> [u32; 2] {
    // SAFETY: reading these registers has no side effect. A timer is read only while it is not in reset.
    unsafe {
        let done = (*pac::RESETS::ptr()).reset_done().read();
        if done.timer0().bit() {
            let timer = &*pac::TIMER0::ptr();
            [timer.timerawl().read().bits(), timer.timerawh().read().bits()]
        } else if done.timer1().bit() {
            let timer = &*pac::TIMER1::ptr();
            [timer.timerawl().read().bits(), timer.timerawh().read().bits()]
        } else {
            [0; 2]
        }
    }
}

/// True once until the next reset: for the core that crashes first.
fn claim() -> bool {
    static CLAIMED: AtomicBool = AtomicBool::new(false);
    !CLAIMED.swap(true, Ordering::AcqRel)
}

/// Restarts the program; the core that crashes second waits for that.
fn finish() -> ! {
    super::processor::reset()
}

/// Keeps a fault: the fault handlers branch here on their own stack.
///
/// # Safety
///
/// `entry` is what a handler has saved: R0 to R12, MSP, EXC_RETURN, PSP, MSPLIM.
#[doc(hidden)]
pub unsafe extern "C" fn on_fault(entry: *const u32, keeper: &'static Keeper) -> ! {
    if !claim() {
        loop {
            cortex_m::asm::nop();
        }
    }
    // SAFETY: as the caller promises.
    let saved = |index: usize| unsafe { entry.add(index).read_volatile() };
    let exc_return = saved(ENTRY_LINK);
    let on_process = exc_return & PROCESS_STACK != 0;
    let (frame, limit) =
        if on_process { (saved(ENTRY_OTHER), psplim::read()) } else { (saved(ENTRY_SP), saved(ENTRY_LIMIT)) };
    let mut crash = Crash { kind: 2, registers: [0; 17], exc_return, status: fault_status(), flags: 0, text: &[] };
    for (index, register) in crash.registers.iter_mut().take(13).enumerate() {
        *register = saved(index);
    }
    keep_fault(crash, frame, limit, keeper)
}

/// Keeps a fault that a handler of the program has taken: `disk::faulted` branches here on a stack of its own.
///
/// # Safety
///
/// `entry` is what it has saved: R0 to R12, the frame's address, nothing, PSP, MSPLIM.
#[doc(hidden)]
pub unsafe extern "C" fn on_own_fault(entry: *const u32, keeper: &'static Keeper) -> ! {
    if !claim() {
        loop {
            cortex_m::asm::nop();
        }
    }
    // SAFETY: as the caller promises.
    let saved = |index: usize| unsafe { entry.add(index).read_volatile() };
    let frame = saved(ENTRY_SP);
    // The handler has overwritten EXC_RETURN. The frame has room for floating-point registers if they still wait to be stored there.
    // SAFETY: reading FPCCR has no side effect.
    let lazy = unsafe { (*FPU::PTR).fpccr.read() } & LAZY_STATE_ACTIVE != 0;
    let (process, limit) =
        if frame == saved(ENTRY_OTHER) { (PROCESS_STACK, psplim::read()) } else { (0, saved(ENTRY_LIMIT)) };
    let exc_return = EXC_RETURN | process | if lazy { 0 } else { STANDARD_FRAME };
    let mut crash = Crash { kind: 2, registers: [0; 17], exc_return, status: fault_status(), flags: 0, text: &[] };
    for (index, register) in crash.registers.iter_mut().take(13).enumerate() {
        // What the processor has stored: the handler has changed these.
        let stored = match index {
            0..4 => Some(index),
            12 => Some(4),
            _ => None,
        };
        *register = match stored.filter(|_| is_frame(frame, 32)) {
            // SAFETY: the frame is within SRAM.
            Some(place) => unsafe { (frame as *const u32).add(place).read_volatile() },
            None => saved(index),
        };
    }
    // The handler's functions have stored the frame pointer, each that of its caller: debuggers find the crash's caller by it.
    let mut pointer = saved(FRAME_POINTER);
    for _ in 0..CALLS_OF_HANDLER {
        if !(pointer < frame && is_frame(pointer, 8)) {
            break;
        }
        // SAFETY: within SRAM.
        pointer = unsafe { (pointer as *const u32).read_volatile() };
    }
    crash.registers[FRAME_POINTER] = pointer;
    keep_fault(crash, frame, limit, keeper)
}

/// CFSR, HFSR, MMFAR and BFAR.
fn fault_status() -> [u32; 4] {
    // SAFETY: reading these registers has no side effect.
    unsafe {
        let scb = &*SCB::PTR;
        [scb.cfsr.read(), scb.hfsr.read(), scb.mmfar.read(), scb.bfar.read()]
    }
}

/// Whether a frame of this length may be there.
fn is_frame(frame: u32, length: u32) -> bool {
    frame & 3 == 0 && frame >= SRAM.start && frame <= SRAM.end - length
}

/// Completes a fault's registers with the frame that the processor has stored, and keeps it.
fn keep_fault(mut crash: Crash<'_>, frame: u32, limit: u32, keeper: &Keeper) -> ! {
    let length = if crash.exc_return & STANDARD_FRAME != 0 { 32 } else { 104 };
    // At the limit after an overflow, the processor has stored nothing (B3.19).
    if !is_frame(frame, length) || crash.status[0] & STACK_OVERFLOW != 0 && frame == limit {
        crash.registers[13] = frame;
        crash.flags = NO_FRAME;
    } else {
        // SAFETY: the frame is within SRAM.
        let stacked = |index: usize| unsafe { (frame as *const u32).add(index).read_volatile() };
        let psr = stacked(7);
        crash.registers[13] = frame + length + if psr >> 9 & 1 != 0 { 4 } else { 0 };
        crash.registers[14] = stacked(5);
        crash.registers[15] = stacked(6);
        crash.registers[16] = psr;
    }
    keeper.keep(&crash);
    finish()
}

/// Keeps a panic: its entry branches here.
///
/// # Safety
///
/// `entry` is what the entry has saved: R0 to R12, SP, LR, xPSR.
#[doc(hidden)]
pub unsafe extern "C" fn on_panic(info: &PanicInfo<'_>, entry: *const u32, keeper: &'static Keeper) -> ! {
    if !claim() {
        loop {
            cortex_m::asm::nop();
        }
    }
    let mut registers = [0; 17];
    // SAFETY: as the caller promises.
    unsafe { caller(&mut registers, entry) };
    let reason = Reason::of(info);
    keeper.keep(&Crash { kind: 1, registers, exc_return: 0, status: [0; 4], flags: 0, text: reason.text().as_bytes() });
    finish()
}

/// Keeps a snapshot: its entry calls this with interrupts disabled.
///
/// # Safety
///
/// As for [`on_panic`].
#[doc(hidden)]
pub unsafe extern "C" fn on_snapshot(entry: *const u32, keeper: &'static Keeper) {
    let mut crash = Crash { kind: SNAPSHOT, registers: [0; 17], exc_return: 0, status: [0; 4], flags: 0, text: &[] };
    // SAFETY: as the caller promises.
    unsafe { caller(&mut crash.registers, entry) };
    keeper.keep(&crash);
}

/// The registers of a function at its call of an entry.
///
/// # Safety
///
/// `entry` is what the entry has saved: R0 to R12, SP, LR, xPSR.
unsafe fn caller(registers: &mut [u32; 17], entry: *const u32) {
    for (index, register) in registers.iter_mut().take(15).enumerate() {
        // SAFETY: as the caller promises.
        *register = unsafe { entry.add(index).read_volatile() };
    }
    // The call itself: the address after it may be in the next function, if the call does not return.
    registers[15] = (registers[14] & !1).wrapping_sub(4);
    // SAFETY: as the caller promises.
    registers[16] = unsafe { entry.add(ENTRY_OTHER).read_volatile() } | 1 << 24;
}

/// Sets the limit of the main stack, below which a stack overflow is a fault. Only for a program that runs on it: on another
/// stack, or with a limit already set, nothing changes.
pub(super) fn guard_stack() {
    let main = main_stack();
    if super::current_core() == 0 && main.contains(&msp::read()) && msplim::read() == 0 {
        // SAFETY: the limit is below the stack pointer, and nothing else uses the memory below it.
        unsafe { msplim::write((main.start + SLACK).next_multiple_of(8)) };
    }
}

/// Declares the memory for a crash, the handlers of faults, and `panicked`, which keeps a panic and restarts the program. Part of
/// the tables that `[crash] enabled = true` generates.
#[doc(hidden)]
#[macro_export]
macro_rules! crash_memory {
    ($words:expr, $build:expr, $log:expr, $stack:ident) => {
        $crate::crash_memory!($words, $build, $log, $stack, without handlers);
        $crate::crash_memory!(@handlers);
    };
    ($words:expr, $build:expr, $log:expr, $stack:ident, without handlers) => {
        #[unsafe(link_section = ".uninit.PICOVD_CRASH")]
        static CRASH_MEMORY: $crate::crash::Memory<{ $words }> = $crate::crash::Memory::new();
        static CRASH_KEEPER: $crate::crash::Keeper =
            $crate::crash::Keeper::new(&CRASH_MEMORY, $build, $log, $crate::crash::KeptStack::$stack);
        const PANICKED: Option<fn(&::core::panic::PanicInfo<'_>) -> !> = Some(panicked);

        /// Keeps a panic for CORE.ELF and CRASH.TXT of the next start, and restarts the program. For panic handlers.
        pub fn panicked(info: &::core::panic::PanicInfo<'_>) -> ! {
            /// Saves the registers first, so that they are those of the caller.
            #[unsafe(naked)]
            unsafe extern "C" fn entry(info: &::core::panic::PanicInfo<'_>) -> ! {
                ::core::arch::naked_asm!(
                    "cpsid i",
                    "str r1, [sp, #-8]",
                    "str r2, [sp, #-12]",
                    "mov r1, #0xD0000000",
                    "ldr r1, [r1]",
                    "movw r2, #:lower16:{memory}",
                    "movt r2, #:upper16:{memory}",
                    "add r1, r1, r1, lsl #1",
                    "add r1, r2, r1, lsl #7",
                    "stmia r1, {{r0-r12}}",
                    "ldr r2, [sp, #-8]",
                    "str r2, [r1, #4]",
                    "ldr r2, [sp, #-12]",
                    "str r2, [r1, #8]",
                    "mov r2, sp",
                    "str r2, [r1, #52]",
                    "str lr, [r1, #56]",
                    "mrs r2, xpsr",
                    "str r2, [r1, #60]",
                    "movw r2, #:lower16:{keeper}",
                    "movt r2, #:upper16:{keeper}",
                    "b {next}",
                    memory = sym CRASH_MEMORY,
                    keeper = sym CRASH_KEEPER,
                    next = sym $crate::crash::on_panic,
                )
            }
            // SAFETY: a function of this signature.
            unsafe { entry(info) }
        }

        /// Keeps where the program is, as after a crash, and goes on: CORE.ELF and CRASH.TXT show it after the next restart. Nothing is
        /// kept if there is a record already. Interrupts are disabled for some milliseconds. R12 is not that of the caller.
        pub fn capture() {
            /// As that of `panicked`, but it returns.
            #[unsafe(naked)]
            unsafe extern "C" fn entry() {
                ::core::arch::naked_asm!(
                    "mrs r12, PRIMASK",
                    "cpsid i",
                    "str r1, [sp, #-8]",
                    "str r2, [sp, #-12]",
                    "mov r1, #0xD0000000",
                    "ldr r1, [r1]",
                    "movw r2, #:lower16:{memory}",
                    "movt r2, #:upper16:{memory}",
                    "add r1, r1, r1, lsl #1",
                    "add r1, r2, r1, lsl #7",
                    "stmia r1, {{r0-r12}}",
                    "ldr r2, [sp, #-8]",
                    "str r2, [r1, #4]",
                    "ldr r2, [sp, #-12]",
                    "str r2, [r1, #8]",
                    "mov r2, sp",
                    "str r2, [r1, #52]",
                    "str lr, [r1, #56]",
                    "mrs r2, xpsr",
                    "str r2, [r1, #60]",
                    "push {{r4, lr}}",
                    "mov r4, r12",
                    "mov r0, r1",
                    "movw r1, #:lower16:{keeper}",
                    "movt r1, #:upper16:{keeper}",
                    "bl {next}",
                    "msr PRIMASK, r4",
                    "pop {{r4, pc}}",
                    memory = sym CRASH_MEMORY,
                    keeper = sym CRASH_KEEPER,
                    next = sym $crate::crash::on_snapshot,
                )
            }
            // SAFETY: a function of this signature, which keeps the registers that a function has to keep.
            unsafe { entry() };
        }

        /// Keeps a fault for CORE.ELF and CRASH.TXT of the next start, and restarts the program. For handlers of HardFault and other
        /// faults that are not PicoVD's (`handlers = false` in `[crash]`): `frame` is what the processor has stored, cortex-m-rt's
        /// `ExceptionFrame`. R4 to R6 and R8 to R11 are those at the call, which the handler may have changed.
        ///
        /// # Safety
        ///
        /// Only for a handler of a fault, with the frame of the exception that it handles.
        pub unsafe fn faulted(frame: *const u32) -> ! {
            /// Saves the registers first, and switches to a stack of its own.
            #[unsafe(naked)]
            unsafe extern "C" fn entry(frame: *const u32) -> ! {
                ::core::arch::naked_asm!(
                    "cpsid i",
                    "mov r1, #0xD0000000",
                    "ldr r1, [r1]",
                    "movw r2, #:lower16:{memory}",
                    "movt r2, #:upper16:{memory}",
                    "add r1, r1, r1, lsl #1",
                    "add r1, r2, r1, lsl #7",
                    "stmia r1, {{r0-r12}}",
                    "str r0, [r1, #52]",
                    "mrs r2, psp",
                    "str r2, [r1, #60]",
                    "mrs r2, msplim",
                    "str r2, [r1, #64]",
                    "mov r2, #0",
                    "msr msplim, r2",
                    "add r2, r1, #384",
                    "msr msp, r2",
                    "mov r0, r1",
                    "movw r1, #:lower16:{keeper}",
                    "movt r1, #:upper16:{keeper}",
                    "b {next}",
                    memory = sym CRASH_MEMORY,
                    keeper = sym CRASH_KEEPER,
                    next = sym $crate::crash::on_own_fault,
                )
            }
            // SAFETY: a function of this signature; the caller promises what the frame is.
            unsafe { entry(frame) }
        }
    };
    (@handlers) => {
        /// Saves the registers, switches to a stack of its own, and keeps the fault. Two words below SP are used before that: the
        /// stack's limit leaves room for them.
        #[unsafe(naked)]
        #[unsafe(no_mangle)]
        unsafe extern "C" fn HardFault() {
            ::core::arch::naked_asm!(
                "cpsid i",
                "str r0, [sp, #-8]",
                "str r1, [sp, #-12]",
                "mov r0, #0xD0000000",
                "ldr r0, [r0]",
                "movw r1, #:lower16:{memory}",
                "movt r1, #:upper16:{memory}",
                // 384 bytes for each core.
                "add r0, r0, r0, lsl #1",
                "add r0, r1, r0, lsl #7",
                "stmia r0, {{r0-r12}}",
                "ldr r1, [sp, #-8]",
                "str r1, [r0]",
                "ldr r1, [sp, #-12]",
                "str r1, [r0, #4]",
                "mov r1, sp",
                "str r1, [r0, #52]",
                "str lr, [r0, #56]",
                "mrs r1, psp",
                "str r1, [r0, #60]",
                "mrs r1, msplim",
                "str r1, [r0, #64]",
                "mov r1, #0",
                "msr msplim, r1",
                "add r1, r0, #384",
                "msr msp, r1",
                "movw r1, #:lower16:{keeper}",
                "movt r1, #:upper16:{keeper}",
                "b {next}",
                memory = sym CRASH_MEMORY,
                keeper = sym CRASH_KEEPER,
                next = sym $crate::crash::on_fault,
            )
        }
        $crate::crash_memory!(@same MemoryManagement BusFault UsageFault SecureFault);
    };
    (@same $($name:ident)*) => {
        $(
            #[unsafe(naked)]
            #[unsafe(no_mangle)]
            unsafe extern "C" fn $name() {
                ::core::arch::naked_asm!("b {same}", same = sym HardFault)
            }
        )*
    };
}

const _: () = assert!(SCRATCH * 4 == 384, "the size in the handlers");
