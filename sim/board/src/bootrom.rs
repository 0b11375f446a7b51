//! Our own boot ROM with the RP2350's interface (datasheet 5.4, 5.5): magic number and version, the look-up function, and
//! the calls that rp235x-hal and this project use. A function's body is one trap instruction; its work is done here.
//!
//! Stricter than the real one: a look-up that fails, a call that is not modelled, and a flash operation that a read of
//! flash could disturb stop the board with a message. And no more helpful: the real one neither flushes the XIP cache nor
//! masks interrupts during a flash operation (5.4.8.9, and its published source), so this one does neither.

use super::flash::{Flash, FlashFault, PAGE, SECTOR};
use super::partition::PartitionTable;

/// Bytes of ROM.
pub const ROM_SIZE: usize = 0x8000;

const LOOKUP_AT: u32 = 0x0200;
const FUNCTIONS_AT: u32 = 0x0400;
const DATA_AT: u32 = 0x0800;

const FUNC_ARM_SEC: u32 = 0x04;
const DATA: u32 = 0x40;

/// Minimum work area of load_partition_table in bytes (FACTS 3).
const WORK_AREA: u32 = 3264;

const NOT_PERMITTED: i32 = -4;
const INVALID_ARG: i32 = -5;
const INVALID_ADDRESS: i32 = -10;
const BAD_ALIGNMENT: i32 = -11;
const BUFFER_TOO_SMALL: i32 = -13;
const PRECONDITION_NOT_MET: i32 = -14;

/// Flash by address, all aliases.
const XIP_BASE: u32 = 0x1000_0000;
const XIP_END: u32 = 0x2000_0000;

/// Typical times of a flash chip, in microseconds.
const ERASE_US: u64 = 45_000;
const PROGRAM_US: u64 = 400;

/// Function codes, in the order of their traps, which count from 1.
const FUNCTIONS: [&[u8; 2]; 18] = [
    b"RB", b"GS", b"GP", b"LP", b"FO", b"IF", b"EX", b"RE", b"RP", b"FC", b"CX", b"XM", b"RA", b"FA", b"OA", b"SR",
    b"RC", b"VB",
];

/// What the ROM needs from the rest of the board during a call.
#[allow(clippy::missing_errors_doc, reason = "an error is the text with which the board stops")]
pub trait Services {
    /// Reads a word of memory whose address the caller passed, or fails the board.
    fn read(&mut self, address: u32) -> Result<u32, String>;
    /// Writes a word there.
    fn write(&mut self, address: u32, value: u32) -> Result<(), String>;
    /// Keeps the processor busy.
    fn spend_us(&mut self, microseconds: u64);
    /// The flash chip. If its contents change, caches and decoded code are stale.
    fn flash(&mut self) -> &mut Flash;
    /// Flash contents have changed at this offset.
    fn flash_changed(&mut self, offset: usize);
    /// Opens or closes the XIP window.
    fn connect_xip(&mut self, connected: bool);
    /// Resets the pads.
    fn reset_pads(&mut self);
    /// Flash is read with serial commands, slowly, until the program sets up a faster mode.
    fn exit_xip(&mut self);
    /// Why the flash chip cannot be written now, if there is a reason.
    fn obstacle(&mut self) -> Option<String>;
    /// Invalidates the XIP cache.
    fn flush_cache(&mut self);
    /// Translates a runtime address (an offset from XIP_BASE) to an offset in flash.
    fn translate(&self, offset: u32) -> Option<u32>;
    /// Restores identity translation.
    fn reset_translation(&mut self);
    /// What the caller's core would read from flash if an interrupt came now; `None` if all are masked.
    ///
    /// A vector table in flash counts whether or not an interrupt is enabled at the moment: a library's call must be safe
    /// with any application's interrupts. The SDK's hardware_flash requires the same of its own calls.
    fn interruption(&self) -> Option<String>;
    /// A reset that the caller requested.
    fn reboot(&mut self, flags: u32, delay_ms: u32, parameters: [u32; 2]);
    /// Power failed during a flash operation.
    fn power_cut(&mut self);
}

/// Identity of the board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChipIdentity {
    /// PACKAGE_SEL: 1 for the QFN-60 package.
    pub package: u32,
    /// Low word of the unique identifier.
    pub device: u32,
    /// High word.
    pub wafer: u32,
    /// CS0_SIZE of OTP's FLASH_DEVINFO (13.10), 1 for 8 KiB, doubling with each step; `None` if it was never written, as on
    /// the Pico 2.
    pub flash_devinfo: Option<u8>,
}

impl Default for ChipIdentity {
    fn default() -> Self {
        Self { package: 1, device: 0x5A4B_C0DE, wafer: 0x1D2E_3F40, flash_devinfo: None }
    }
}

/// The ROM and its state.
pub struct BootRom {
    image: Box<[u8; ROM_SIZE]>,
    identity: ChipIdentity,
    random: [u32; 4],
    partitions: Option<PartitionTable>,
}

impl BootRom {
    /// A ROM for a chip with this identity.
    #[must_use]
    pub fn new(identity: ChipIdentity) -> Self {
        Self {
            image: Box::new(image()),
            identity,
            random: [0x243F_6A88, 0x85A3_08D3, 0x1319_8A2E, 0x0370_7344],
            partitions: None,
        }
    }

    /// Clears what a boot clears.
    pub fn restart(&mut self) {
        self.partitions = None;
        // Another boot, another number, but the same in every run.
        for word in &mut self.random {
            *word = word.wrapping_mul(0x9E37_79B1).rotate_left(7) ^ 0xB7E1_5162;
        }
    }

    /// Contents.
    #[must_use]
    pub fn bytes(&self) -> &[u8; ROM_SIZE] {
        &self.image
    }

    /// Executes the function for a trap. R0 to R3 are its arguments, R0 its result.
    ///
    /// # Errors
    ///
    /// What the caller did wrong, or what is not modelled.
    pub fn call(&mut self, trap: u8, r: &mut [u32; 16], board: &mut impl Services) -> Result<(), String> {
        let (a, b, c, d) = (r[0], r[1], r[2], r[3]);
        if trap == 0 {
            r[0] = lookup(a, b)?;
            return Ok(());
        }
        let name = FUNCTIONS.get(usize::from(trap) - 1).ok_or_else(|| format!("trap {trap} in the ROM"))?;
        let result = match *name {
            b"RB" => {
                board.reboot(a, b, [c, d]);
                0
            }
            b"GS" => self.sys_info(a, b, c, board)?,
            b"GP" => self.partition_info(a, b, c, board)?,
            b"LP" => {
                if a & 3 != 0 {
                    BAD_ALIGNMENT
                } else if b < WORK_AREA {
                    BUFFER_TOO_SMALL
                } else {
                    // The ROM may overwrite the whole work area.
                    for word in 0..WORK_AREA / 4 {
                        board.write(a + 4 * word, 0xDEAD_0000 | word)?;
                    }
                    self.partitions = Some(PartitionTable::find(board.flash().bytes()));
                    0
                }
            }
            b"FO" => self.flash_op(a, b, c, d, board)?,
            b"IF" => {
                board.connect_xip(false);
                board.reset_pads();
                return Ok(());
            }
            b"EX" => {
                board.connect_xip(true);
                board.exit_xip();
                return Ok(());
            }
            // These leave the chip readable.
            b"CX" | b"XM" => {
                board.connect_xip(true);
                return Ok(());
            }
            b"RE" => {
                erase(board, a, b)?;
                return Ok(());
            }
            b"RP" => {
                program(board, a, c, b)?;
                return Ok(());
            }
            b"FC" => {
                board.flush_cache();
                return Ok(());
            }
            b"RA" => {
                board.reset_translation();
                return Ok(());
            }
            b"FA" => a
                .checked_sub(XIP_BASE)
                .and_then(|offset| board.translate(offset))
                .map_or(INVALID_ADDRESS, |offset| offset as i32),
            b"SR" => {
                self.partitions = None;
                return Ok(());
            }
            other => return Err(format!("ROM function {} is not modelled", String::from_utf8_lossy(other))),
        };
        r[0] = result as u32;
        Ok(())
    }

    /// get_sys_info (5.4.8.17): the words of each flag that is set and known, in the order of the flags.
    fn sys_info(&self, out: u32, room: u32, flags: u32, board: &mut impl Services) -> Result<i32, String> {
        const CHIP_INFO: u32 = 1;
        const CRITICAL: u32 = 2;
        const CPU_INFO: u32 = 4;
        const FLASH_DEV_INFO: u32 = 8;
        const BOOT_RANDOM: u32 = 0x10;
        const BOOT_INFO: u32 = 0x40;
        let known = CHIP_INFO | CRITICAL | CPU_INFO | FLASH_DEV_INFO | BOOT_RANDOM | BOOT_INFO;
        let mut words = vec![flags & known];
        if flags & CHIP_INFO != 0 {
            words.extend([self.identity.package, self.identity.device, self.identity.wafer]);
        }
        if flags & CRITICAL != 0 {
            words.push(0);
        }
        if flags & CPU_INFO != 0 {
            words.push(0);
        }
        if flags & FLASH_DEV_INFO != 0 {
            // CS0_SIZE, which is 16 MiB unless OTP has it.
            words.push(u32::from(self.identity.flash_devinfo.unwrap_or(12) & 15) << 8);
        }
        if flags & BOOT_RANDOM != 0 {
            words.extend(self.random);
        }
        if flags & BOOT_INFO != 0 {
            // Partition none, flash image boot, diagnostic none.
            words.extend([0x0000_02FF, 0, 0, 0]);
        }
        store(out, room, &words, board)
    }

    /// get_partition_table_info (5.4.8.16).
    fn partition_info(&self, out: u32, room: u32, flags: u32, board: &mut impl Services) -> Result<i32, String> {
        let Some(table) = &self.partitions else {
            return Ok(PRECONDITION_NOT_MET);
        };
        match table.info(flags) {
            Some(words) => store(out, room, &words, board),
            None => Ok(INVALID_ARG),
        }
    }

    /// flash_op (5.4.8.8).
    fn flash_op(
        &self,
        flags: u32,
        address: u32,
        size: u32,
        buffer: u32,
        board: &mut impl Services,
    ) -> Result<i32, String> {
        if self.partitions.is_none() {
            return Ok(PRECONDITION_NOT_MET);
        }
        let (runtime, level, operation) = (flags & 1 != 0, flags >> 8 & 3, flags >> 16 & 7);
        if flags & !0x0007_0301 != 0 || level == 0 || operation > 2 {
            return Ok(INVALID_ARG);
        }
        let unit = [SECTOR as u32, PAGE as u32, 1][operation as usize];
        if !address.is_multiple_of(unit) || !size.is_multiple_of(unit) {
            return Ok(BAD_ALIGNMENT);
        }
        let Some(offset) = address.checked_sub(XIP_BASE) else {
            return Ok(INVALID_ADDRESS);
        };
        let offset = if runtime { board.translate(offset) } else { Some(offset) };
        let length = board.flash().bytes().len() as u32;
        let Some(offset) = offset.filter(|offset| offset.checked_add(size).is_some_and(|end| end <= length)) else {
            return Ok(INVALID_ADDRESS);
        };
        if let Some(table) = &self.partitions
            && !table.permits(offset, size, level, operation != 2)
        {
            return Ok(NOT_PERMITTED);
        }
        match operation {
            0 => erase(board, offset, size)?,
            1 => program(board, offset, size, buffer)?,
            _ => {
                let bytes = board.flash().bytes()[offset as usize..(offset + size) as usize].to_vec();
                if buffer & 3 != 0 || size & 3 != 0 {
                    return Ok(BAD_ALIGNMENT);
                }
                for (n, word) in bytes.chunks_exact(4).enumerate() {
                    board.write(buffer + 4 * n as u32, u32::from_le_bytes([word[0], word[1], word[2], word[3]]))?;
                }
            }
        }
        Ok(0)
    }
}

fn store(out: u32, room: u32, words: &[u32], board: &mut impl Services) -> Result<i32, String> {
    if out & 3 != 0 {
        return Ok(BAD_ALIGNMENT);
    }
    if room < words.len() as u32 {
        return Ok(BUFFER_TOO_SMALL);
    }
    for (n, word) in words.iter().enumerate() {
        board.write(out + 4 * n as u32, *word)?;
    }
    Ok(words.len() as i32)
}

/// Checks for every operation that takes the flash chip out of XIP. Meanwhile QMI is in direct mode, and a read of flash
/// gets a bus error (5.4.8.9, 5.4.8.10): neither a handler nor the vector table may be there while an interrupt can come.
fn begin(board: &mut impl Services) -> Result<(), String> {
    if let Some(what) = board.interruption() {
        return Err(format!(
            "flash operation with interrupts enabled: an interrupt would need {what} in flash, which cannot be read"
        ));
    }
    board.obstacle().map_or(Ok(()), Err)
}

fn settle(board: &mut impl Services, result: Result<(), FlashFault>) -> Result<(), String> {
    match result {
        Ok(()) => Ok(()),
        Err(FlashFault::Misuse(what)) => Err(what),
        Err(FlashFault::PowerCut) => {
            board.power_cut();
            Err(String::new())
        }
    }
}

fn erase(board: &mut impl Services, offset: u32, size: u32) -> Result<(), String> {
    begin(board)?;
    for at in (offset as usize..(offset + size) as usize).step_by(SECTOR) {
        let result = board.flash().erase(at);
        board.flash_changed(at);
        settle(board, result)?;
        board.spend_us(ERASE_US);
    }
    Ok(())
}

fn program(board: &mut impl Services, offset: u32, size: u32, from: u32) -> Result<(), String> {
    begin(board)?;
    if (XIP_BASE..XIP_END).contains(&from) {
        return Err(format!("flash program of bytes at {from:#010x}, which is flash, and cannot be read meanwhile"));
    }
    for at in (0..size).step_by(PAGE) {
        let mut page = [0u8; PAGE];
        for (n, bytes) in page.chunks_exact_mut(4).enumerate() {
            bytes.copy_from_slice(&board.read(from + at + 4 * n as u32)?.to_le_bytes());
        }
        let length = (size - at).min(PAGE as u32) as usize;
        let target = (offset + at) as usize;
        let result = board.flash().program(target, &page[..length]);
        board.flash_changed(target);
        settle(board, result)?;
        board.spend_us(PROGRAM_US);
    }
    Ok(())
}

fn function_address(trap: u32) -> u32 {
    FUNCTIONS_AT + 8 * trap
}

fn lookup(code: u32, mask: u32) -> Result<u32, String> {
    let tag = (code as u16).to_le_bytes();
    let shown = String::from_utf8_lossy(&tag).into_owned();
    if mask & FUNC_ARM_SEC != 0
        && let Some(n) = FUNCTIONS.iter().position(|name| **name == tag)
    {
        return Ok(function_address(n as u32 + 1) | 1);
    }
    // GIT_REVISION is the only data.
    if mask & DATA != 0 && tag == *b"GR" {
        return Ok(DATA_AT);
    }
    Err(format!("ROM look-up of {shown:?} with mask {mask:#x} fails: the HAL would call address 0"))
}

/// ROM contents: the tables, and elsewhere a fixed pattern in place of the ROM's code.
fn image() -> [u8; ROM_SIZE] {
    let mut image = [0u8; ROM_SIZE];
    let mut state = 0x2350_A2A2u32;
    for byte in &mut image {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *byte = (state >> 24) as u8;
    }
    let mut put = |at: u32, bytes: &[u8]| image[at as usize..at as usize + bytes.len()].copy_from_slice(bytes);
    // Vector table, magic "Mu" 01 and the version, entry, look-up.
    put(0x00, &0x2008_1F00u32.to_le_bytes());
    put(0x04, &(LOOKUP_AT + 0x81).to_le_bytes());
    put(0x10, &[b'M', b'u', 0x01, 0x02]);
    put(0x14, &((LOOKUP_AT | 1) as u16).to_le_bytes());
    put(0x16, &((LOOKUP_AT | 1) as u16).to_le_bytes());
    // UDF #trap.
    put(LOOKUP_AT, &0xDE00u16.to_le_bytes());
    for trap in 1..=FUNCTIONS.len() as u32 {
        put(function_address(trap), &(0xDE00 | trap as u16).to_le_bytes());
    }
    put(DATA_AT, &0x1234_5678u32.to_le_bytes());
    image
}
