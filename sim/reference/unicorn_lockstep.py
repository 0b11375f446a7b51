"""Executes a firmware on Unicorn's Cortex-M33 in step with a recorded run of the simulator's core.

Reads a log from standard input, one event a line, numbers hexadecimal:

    memory ADDRESS BYTES    contents at the start, or what a call into the boot ROM left behind
    load ADDRESS VALUE      the program reads a peripheral
    store ADDRESS VALUE     the program writes one
    set PC R0 ... R14       registers at the start, or after a call into the boot ROM, or behind WFI
    run COUNT PC R0 ... R14 APSR    after so many instructions the state is this

Peripherals answer what the log says, in the log's order; everything else is executed. Prints `equal COUNT` at the end, or the
first difference and exits with 1. Needs the wheel `unicorn`.
"""

import sys

from unicorn import UC_ARCH_ARM, UC_MODE_MCLASS, UC_MODE_THUMB, Uc, UcError
from unicorn import arm_const as arm

REGISTERS = [arm.UC_ARM_REG_R0 + n for n in range(13)] + [arm.UC_ARM_REG_SP, arm.UC_ARM_REG_LR]
MEMORIES = [(0x00000000, 0x8000), (0x10000000, 0x400000), (0x14000000, 0x400000), (0x1C000000, 0x400000), (0x20000000, 0x82000)]
PERIPHERALS = [(0x40000000, 0x200000), (0x50000000, 0x200000), (0xD0000000, 0x1000), (0xE0000000, 0x100000)]
NZCVQ = 0xF8000000


class Difference(Exception):
    """What differs."""


class Lockstep:
    """One run."""

    def __init__(self, log):
        self.log = iter(log)
        self.expected = []
        self.difference = None
        self.instructions = 0
        self.uc = Uc(UC_ARCH_ARM, UC_MODE_THUMB | UC_MODE_MCLASS)
        self.uc.ctl_set_cpu_model(arm.UC_CPU_ARM_CORTEX_M33)
        for base, size in MEMORIES:
            self.uc.mem_map(base, size)
        for base, size in PERIPHERALS:
            self.uc.mmio_map(base, size, self.load, base, self.store, base)
        self.pc = 0

    def access(self, kind, address):
        if not self.expected:
            self.difference = f"{kind} {address:#x}, which the log does not have"
            self.uc.emu_stop()
            return 0
        wanted, at, value = self.expected.pop(0)
        if (wanted, at) != (kind, address):
            self.difference = f"{kind} {address:#x}, the log has {wanted} {at:#x}"
            self.uc.emu_stop()
        return value

    def load(self, uc, offset, size, base):
        return self.access("load", base + offset)

    def store(self, uc, offset, size, value, base):
        wanted = self.access("store", base + offset)
        if wanted != value and self.difference is None:
            self.difference = f"store of {value:#x} to {base + offset:#x}, the log has {wanted:#x}"
            uc.emu_stop()

    def run(self, count, state):
        try:
            self.uc.emu_start(self.pc | 1, 0xFFFFFFFE, count=count)
        except UcError as error:
            raise Difference(f"{error} at {self.uc.reg_read(arm.UC_ARM_REG_PC):#x}") from error
        self.pc = self.uc.reg_read(arm.UC_ARM_REG_PC) & ~1
        found = [self.pc] + [self.uc.reg_read(name) for name in REGISTERS] + [self.uc.reg_read(arm.UC_ARM_REG_XPSR) & NZCVQ]
        state[-1] &= NZCVQ
        if self.difference is None and found != state:
            names = ["pc"] + [f"r{n}" for n in range(15)] + ["apsr"]
            wrong = [f"{n} {a:x}/{b:x}" for n, a, b in zip(names, state, found) if a != b]
            self.difference = "log/reference " + " ".join(wrong)
        if self.difference is None and self.expected:
            self.difference = f"the log has {self.expected[0]}, the reference did not do it"
        if self.difference is not None:
            raise Difference(self.difference)
        self.instructions += count

    def all(self):
        for line in self.log:
            word, rest = line.split(maxsplit=1)
            if word == "memory":
                address, data = rest.split()
                self.uc.mem_write(int(address, 16), bytes.fromhex(data))
                self.uc.ctl_flush_tb()
                continue
            numbers = [int(text, 16) for text in rest.split()]
            if word in ("load", "store"):
                self.expected.append((word, *numbers))
            elif word == "set":
                self.pc = numbers[0]
                for name, value in zip(REGISTERS, numbers[1:]):
                    self.uc.reg_write(name, value)
            else:
                start = self.pc
                try:
                    self.run(numbers[0], numbers[1:])
                except Difference as difference:
                    print(f"after {self.instructions} instructions, in the {numbers[0]} from {start:#x}: {difference}")
                    return 1
        print(f"equal {self.instructions}")
        return 0


sys.exit(Lockstep(sys.stdin).all())
