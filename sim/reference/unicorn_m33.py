"""Executes short instruction sequences on Unicorn's Cortex-M33, as the reference for the simulator's own core.

Reads one case a line from standard input, all numbers hexadecimal:

    code-address code end r0 ... r14 apsr s0 ... s31

and writes one line for each, in the same order: "fault", or

    pc r0 ... r14 apsr s0 ... s31 data

`code` ends where `end` (an address) begins. Before every case the data window is filled with byte n = (n * 37 + 11) & 255.
Needs the wheel `unicorn`.
"""

import sys

from unicorn import UC_ARCH_ARM, UC_MODE_MCLASS, UC_MODE_THUMB, Uc, UcError
from unicorn import arm_const as arm

CODE = 0x10000000
CODE_SIZE = 0x1000000
DATA = 0x20000000
DATA_SIZE = 0x10000
WINDOW = 0x20001000
WINDOW_SIZE = 512
PATTERN = bytes((n * 37 + 11) & 255 for n in range(WINDOW_SIZE))
# A sequence is straight or branches forwards: more instructions than this are a loop.
MOST = 400

REGISTERS = [arm.UC_ARM_REG_R0 + n for n in range(13)] + [arm.UC_ARM_REG_SP, arm.UC_ARM_REG_LR]
SINGLES = [arm.UC_ARM_REG_S0 + n for n in range(32)]


def main():
    cases = [[int(word, 16) if n != 1 else bytes.fromhex(word) for n, word in enumerate(line.split())] for line in sys.stdin]
    uc = Uc(UC_ARCH_ARM, UC_MODE_THUMB | UC_MODE_MCLASS)
    uc.ctl_set_cpu_model(arm.UC_CPU_ARM_CORTEX_M33)
    uc.mem_map(CODE, CODE_SIZE)
    uc.mem_map(DATA, DATA_SIZE)
    for case in cases:
        uc.mem_write(case[0], case[1])
    # CPACR: coprocessors 10 and 11.
    uc.reg_write(arm.UC_ARM_REG_FPEXC, 0x40000000)
    out = []
    for case in cases:
        start, _, end = case[:3]
        registers, apsr, singles = case[3:18], case[18], case[19:51]
        uc.mem_write(WINDOW, PATTERN)
        for name, value in zip(REGISTERS, registers):
            uc.reg_write(name, value)
        for name, value in zip(SINGLES, singles):
            uc.reg_write(name, value)
        uc.reg_write(arm.UC_ARM_REG_FPSCR, 0)
        uc.reg_write(arm.UC_ARM_REG_XPSR_NZCVQG, apsr | 1 << 24)
        try:
            uc.emu_start(start | 1, end, count=MOST)
        except UcError:
            out.append("fault")
            continue
        values = [uc.reg_read(arm.UC_ARM_REG_PC) & ~1]
        values += [uc.reg_read(name) for name in REGISTERS]
        values.append(uc.reg_read(arm.UC_ARM_REG_XPSR) & 0xF80F0000)
        values += [uc.reg_read(name) for name in SINGLES]
        out.append(" ".join(f"{value:x}" for value in values) + " " + uc.mem_read(WINDOW, WINDOW_SIZE).hex())
    sys.stdout.write("\n".join(out) + "\n")


main()
