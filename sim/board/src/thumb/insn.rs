//! A decoded Thumb instruction.
//!
//! Decoding knows the instruction's address, so everything relative to PC is an absolute address here and PC is never
//! an operand. It also knows whether the instruction is in an IT block, so `s` (sets the flags) is final.

/// Two-operand functions of the data-processing instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Op {
    And,
    Bic,
    Orr,
    Orn,
    Eor,
    Add,
    Adc,
    Sbc,
    Sub,
    Rsb,
}

/// Shift functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Shift {
    Lsl,
    Lsr,
    Asr,
    Ror,
    /// Rotate right with extend: one bit through the carry.
    Rrx,
}

/// What a load or store moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Width {
    Word,
    Half,
    Byte,
    SignedHalf,
    SignedByte,
}

/// Extension functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Extend {
    Sxtb,
    Sxth,
    Uxtb,
    Uxth,
}

/// Single-operand functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Unary {
    Clz,
    Rbit,
    Rev,
    Rev16,
    Revsh,
}

/// Long multiplications.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Long {
    Umull,
    Smull,
    Umlal,
    Smlal,
    Umaal,
}

/// Carry out of an expanded immediate: 2 leaves the flag alone.
pub const CARRY_KEPT: u8 = 2;
/// No register, where one is optional.
pub const NONE: u8 = 15;

/// One instruction. Register numbers are below 16; offsets are two's complement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Insn {
    /// An empty cache slot.
    Undecoded,
    /// An encoding that this engine does not know, or that the architecture leaves undefined or unpredictable.
    Unknown,
    MovImm {
        rd: u8,
        s: bool,
        carry: u8,
        imm: u32,
    },
    MvnImm {
        rd: u8,
        s: bool,
        carry: u8,
        imm: u32,
    },
    MovReg {
        rd: u8,
        rm: u8,
        s: bool,
    },
    /// MOV PC, Rm.
    MovPc {
        rm: u8,
    },
    MovTop {
        rd: u8,
        imm: u16,
    },
    AddImm {
        rd: u8,
        rn: u8,
        imm: u32,
    },
    AddsImm {
        rd: u8,
        rn: u8,
        imm: u32,
    },
    SubImm {
        rd: u8,
        rn: u8,
        imm: u32,
    },
    SubsImm {
        rd: u8,
        rn: u8,
        imm: u32,
    },
    CmpImm {
        rn: u8,
        imm: u32,
    },
    AddReg {
        rd: u8,
        rn: u8,
        rm: u8,
    },
    AddsReg {
        rd: u8,
        rn: u8,
        rm: u8,
    },
    SubsReg {
        rd: u8,
        rn: u8,
        rm: u8,
    },
    CmpReg {
        rn: u8,
        rm: u8,
    },
    /// ADD PC, Rm: a branch relative to `base`.
    AddPc {
        rm: u8,
        base: u32,
    },
    AluImm {
        op: Op,
        s: bool,
        rd: u8,
        rn: u8,
        carry: u8,
        imm: u32,
    },
    AluReg {
        op: Op,
        s: bool,
        rd: u8,
        rn: u8,
        rm: u8,
        shift: Shift,
        amount: u8,
    },
    /// TST, TEQ, CMN and CMP with any operand: `rd` is not written.
    TestImm {
        op: Op,
        rn: u8,
        carry: u8,
        imm: u32,
    },
    TestReg {
        op: Op,
        rn: u8,
        rm: u8,
        shift: Shift,
        amount: u8,
    },
    MvnReg {
        s: bool,
        rd: u8,
        rm: u8,
        shift: Shift,
        amount: u8,
    },
    ShiftImm {
        shift: Shift,
        s: bool,
        rd: u8,
        rm: u8,
        amount: u8,
    },
    ShiftReg {
        shift: Shift,
        s: bool,
        rd: u8,
        rn: u8,
        rm: u8,
    },
    Mul {
        rd: u8,
        rn: u8,
        rm: u8,
        s: bool,
    },
    Mla {
        rd: u8,
        rn: u8,
        rm: u8,
        ra: u8,
    },
    Mls {
        rd: u8,
        rn: u8,
        rm: u8,
        ra: u8,
    },
    LongMul {
        kind: Long,
        lo: u8,
        hi: u8,
        rn: u8,
        rm: u8,
    },
    Udiv {
        rd: u8,
        rn: u8,
        rm: u8,
    },
    Sdiv {
        rd: u8,
        rn: u8,
        rm: u8,
    },
    /// `rn` is `NONE` or an addend.
    Extend {
        kind: Extend,
        rd: u8,
        rn: u8,
        rm: u8,
        rotate: u8,
    },
    Unary {
        kind: Unary,
        rd: u8,
        rm: u8,
    },
    Bfi {
        rd: u8,
        rn: u8,
        lsb: u8,
        width: u8,
    },
    Ubfx {
        rd: u8,
        rn: u8,
        lsb: u8,
        width: u8,
    },
    Sbfx {
        rd: u8,
        rn: u8,
        lsb: u8,
        width: u8,
    },
    /// SSAT and USAT with a shift; `to` is the number of bits.
    Saturate {
        signed: bool,
        rd: u8,
        rn: u8,
        to: u8,
        shift: Shift,
        amount: u8,
    },

    B {
        target: u32,
    },
    BCond {
        cond: u8,
        target: u32,
    },
    Bl {
        target: u32,
    },
    Bx {
        rm: u8,
    },
    Blx {
        rm: u8,
    },
    Cbz {
        rn: u8,
        nonzero: bool,
        target: u32,
    },
    /// TBB and TBH. With `rn` `NONE` the table starts at `pc`, otherwise at the register; `pc` is the branch's base.
    TableBranch {
        rn: u8,
        rm: u8,
        half: bool,
        pc: u32,
    },
    It {
        state: u8,
    },

    LdrImm {
        rt: u8,
        rn: u8,
        offset: u32,
    },
    LdrbImm {
        rt: u8,
        rn: u8,
        offset: u32,
    },
    LdrhImm {
        rt: u8,
        rn: u8,
        offset: u32,
    },
    StrImm {
        rt: u8,
        rn: u8,
        offset: u32,
    },
    StrbImm {
        rt: u8,
        rn: u8,
        offset: u32,
    },
    StrhImm {
        rt: u8,
        rn: u8,
        offset: u32,
    },
    LoadImm {
        width: Width,
        rt: u8,
        rn: u8,
        offset: u32,
    },
    LoadReg {
        width: Width,
        rt: u8,
        rn: u8,
        rm: u8,
        shift: u8,
    },
    StoreReg {
        width: Width,
        rt: u8,
        rn: u8,
        rm: u8,
        shift: u8,
    },
    LoadLiteral {
        width: Width,
        rt: u8,
        address: u32,
    },
    /// Pre-indexed (`before`) or post-indexed, both with write-back.
    LoadIndexed {
        width: Width,
        rt: u8,
        rn: u8,
        before: bool,
        offset: i16,
    },
    StoreIndexed {
        width: Width,
        rt: u8,
        rn: u8,
        before: bool,
        offset: i16,
    },
    /// LDRD and STRD. With `rn` `NONE` the address is absolute in `offset`.
    LoadDual {
        rt: u8,
        rt2: u8,
        rn: u8,
        mode: Indexing,
        offset: u32,
    },
    StoreDual {
        rt: u8,
        rt2: u8,
        rn: u8,
        mode: Indexing,
        offset: i32,
    },
    LoadMultiple {
        rn: u8,
        list: u16,
        writeback: bool,
        decrement: bool,
    },
    StoreMultiple {
        rn: u8,
        list: u16,
        writeback: bool,
        decrement: bool,
    },
    LoadExclusive {
        width: Width,
        rt: u8,
        rn: u8,
        offset: u16,
    },
    StoreExclusive {
        width: Width,
        rd: u8,
        rt: u8,
        rn: u8,
        offset: u16,
    },
    LoadAcquire {
        width: Width,
        rt: u8,
        rn: u8,
    },
    StoreRelease {
        width: Width,
        rt: u8,
        rn: u8,
    },
    Clrex,

    Mrs {
        rd: u8,
        special: u8,
    },
    Msr {
        rn: u8,
        special: u8,
        mask: u8,
    },
    Cps {
        disable: bool,
        primask: bool,
        faultmask: bool,
    },
    /// NOP, YIELD, PLD, DMB, DSB, SSBB: nothing that this model could observe.
    Nop,
    Isb,
    Wfi,
    Wfe,
    Sev,
    Svc,
    Bkpt {
        number: u8,
    },
    Udf {
        number: u8,
    },
    /// Instructions of the DSP extension, decoded at execution.
    Dsp {
        hw1: u16,
        hw2: u16,
    },
    /// Instructions of the floating-point extension, decoded at execution. `pc` is PC for literals.
    Fp {
        hw1: u16,
        hw2: u16,
        pc: u32,
    },
}

/// Addressing of LDRD and STRD.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Indexing {
    /// The offset is added for the access only.
    Offset,
    /// The base becomes the address.
    Before,
    /// The access is at the base, which becomes the address afterwards.
    After,
}
