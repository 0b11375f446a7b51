"""Makes sim/board/src/registers.txt from the SVD file of the crate rp235x-pac: python3 registers.py RP2350.svd > registers.txt"""

import sys
import xml.etree.ElementTree as ElementTree

# Mirrors of other blocks for the Non-secure world, and memory.
LEFT_OUT = {"PPB_NS", "SIO_NS", "USB_DPRAM"}
# Blocks whose bit in RESETS has another name.
RESET_NAMES = {"USB": "USBCTRL", "HSTX_CTRL": "HSTX", "HSTX_FIFO": "HSTX"}


def number(text):
    return int(text, 0) if text else 0


def bits(field):
    high, low = map(int, field.findtext("bitRange")[1:-1].split(":"))
    return ((1 << (high - low + 1)) - 1) << low


def remembers(register, field):
    access = field.findtext("access") or register.findtext("access") or "read-write"
    return access == "read-write" and field.find("modifiedWriteValues") is None and field.find("readAction") is None


peripherals = list(ElementTree.parse(sys.argv[1]).getroot().find("peripherals"))
resets = next(block for block in peripherals if block.findtext("name") == "RESETS")
fields = resets.find("registers/register").iter("field")
reset_bits = {field.findtext("name"): int(field.findtext("bitRange")[1:].split(":")[0]) for field in fields}

print("# Registers of the RP2350, by sim/reference/registers.py from RP2350.svd of rp235x-pac 0.2.0 (Raspberry Pi, BSD-3-Clause).")
for block in sorted(peripherals, key=lambda block: number(block.findtext("baseAddress"))):
    name, other = block.findtext("name"), block.get("derivedFrom")
    if name in LEFT_OUT:
        continue
    bit = reset_bits.get(RESET_NAMES.get(name, name), "-")
    print(f"{name} {number(block.findtext('baseAddress')):08x} {bit}" + (f" ={other}" if other else ""))
    if other:
        continue
    for register in block.findall("registers/register"):
        writable = sum(bits(field) for field in register.iter("field") if remembers(register, field))
        offset, reset = number(register.findtext("addressOffset")), number(register.findtext("resetValue"))
        print(f" {offset:x} {register.findtext('name')} {reset:x} {writable:x}")
