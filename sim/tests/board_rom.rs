//! The boot ROM double's calls (RP2350 datasheet 5.4.8), each on a board of memory and flash alone.

use picovd_sim::board::bootrom::{BootRom, ChipIdentity, Services};
use picovd_sim::board::flash::{Flash, PowerCut, Torn};

const SRAM: u32 = 0x2000_0000;
const ARM_SECURE: u32 = 4;
/// flash_op: secure caller, storage addresses.
const ERASE: u32 = 0x0000_0100;
const PROGRAM: u32 = 0x0001_0100;
const READ: u32 = 0x0002_0100;

struct Board {
    memory: Vec<u32>,
    flash: Flash,
    /// What an interrupt would find in flash.
    interruption: Option<&'static str>,
    busy: u64,
    connected: bool,
    serial: bool,
    stale: bool,
    cut: bool,
    reboot: Option<(u32, u32, [u32; 2])>,
}

impl Services for Board {
    fn read(&mut self, address: u32) -> Result<u32, String> {
        let at = (address.wrapping_sub(SRAM) / 4) as usize;
        self.memory.get(at).copied().ok_or_else(|| format!("read at {address:#x}"))
    }
    fn write(&mut self, address: u32, value: u32) -> Result<(), String> {
        let at = (address.wrapping_sub(SRAM) / 4) as usize;
        *self.memory.get_mut(at).ok_or_else(|| format!("write at {address:#x}"))? = value;
        Ok(())
    }
    fn spend_us(&mut self, microseconds: u64) {
        self.busy += microseconds;
    }
    fn flash(&mut self) -> &mut Flash {
        &mut self.flash
    }
    fn flash_changed(&mut self, _: usize) {
        self.stale = true;
    }
    fn connect_xip(&mut self, connected: bool) {
        self.connected = connected;
    }
    fn reset_pads(&mut self) {}
    fn exit_xip(&mut self) {
        self.serial = true;
    }
    fn obstacle(&mut self) -> Option<String> {
        (!self.serial).then(|| "not serial".into())
    }
    fn flush_cache(&mut self) {
        self.stale = false;
    }
    fn translate(&self, offset: u32) -> Option<u32> {
        Some(offset)
    }
    fn reset_translation(&mut self) {}
    fn interruption(&self) -> Option<String> {
        self.interruption.map(Into::into)
    }
    fn reboot(&mut self, flags: u32, delay_ms: u32, parameters: [u32; 2]) {
        self.reboot = Some((flags, delay_ms, parameters));
    }
    fn power_cut(&mut self) {
        self.cut = true;
    }
}

struct Bench {
    rom: BootRom,
    board: Board,
}

impl Bench {
    fn new() -> Self {
        let board = Board {
            memory: vec![0; 0x1000],
            flash: Flash::new(1 << 20),
            interruption: None,
            busy: 0,
            connected: true,
            serial: true,
            stale: false,
            cut: false,
            reboot: None,
        };
        Self { rom: BootRom::new(ChipIdentity::default()), board }
    }

    /// Calls a function as the HAL does: look-up pointer at 16h, then the function at the address that it returns.
    fn call(&mut self, name: &[u8; 2], arguments: [u32; 4]) -> Result<i32, String> {
        let image = *self.rom.bytes();
        let half = |at: u32| u16::from_le_bytes([image[at as usize], image[at as usize + 1]]);
        let trap = |pointer: u32| {
            assert_eq!(pointer & 1, 1, "a Thumb address");
            let hw = half(pointer & !1);
            assert_eq!(hw >> 8, 0xDE, "there is a trap");
            hw as u8
        };
        let mut r = [0u32; 16];
        r[0] = u32::from(u16::from_le_bytes(*name));
        r[1] = ARM_SECURE;
        self.rom.call(trap(u32::from(half(0x16))), &mut r, &mut self.board)?;
        let function = trap(r[0]);
        let mut r = [0u32; 16];
        r[..4].copy_from_slice(&arguments);
        self.rom.call(function, &mut r, &mut self.board)?;
        Ok(r[0] as i32)
    }

    fn load_table(&mut self) {
        assert_eq!(self.call(b"LP", [SRAM + 0x2000, 3264, 0, 0]), Ok(0));
    }
}

#[test]
fn the_rom_presents_itself() {
    let rom = BootRom::new(ChipIdentity::default());
    assert_eq!(rom.bytes()[0x10..0x14], [b'M', b'u', 1, 2]);
}

#[test]
fn a_miss_is_an_error() {
    let mut bench = Bench::new();
    let said = bench.call(b"ZZ", [0; 4]).unwrap_err();
    assert!(said.contains("\"ZZ\"") && said.contains("fails"), "{said}");
}

#[test]
fn the_partition_table_has_to_be_loaded() {
    let mut bench = Bench::new();
    assert_eq!(bench.call(b"GP", [SRAM, 8, 1, 0]), Ok(-14));
    assert_eq!(bench.call(b"FO", [READ, 0x1000_0000, 4, SRAM]), Ok(-14));
    assert_eq!(bench.call(b"LP", [SRAM + 2, 3264, 0, 0]), Ok(-11));
    assert_eq!(bench.call(b"LP", [SRAM, 3263, 0, 0]), Ok(-13));
    bench.load_table();
    assert_eq!(bench.call(b"GP", [SRAM, 3, 1, 0]), Ok(-13));
    assert_eq!(bench.call(b"GP", [SRAM, 8, 1, 0]), Ok(4));
    // Seen on a board without a table (FACTS 7).
    assert_eq!(bench.board.memory[..4], [1, 0, 0xFFFF_E000, 0xFC07_8000]);
    // The work area was the ROM's.
    assert_ne!(bench.board.memory[0x2000 / 4], 0);
}

#[test]
fn the_identity_comes_in_the_order_of_the_flags() {
    let mut bench = Bench::new();
    let identity = ChipIdentity::default();
    assert_eq!(bench.call(b"GS", [SRAM, 3, 1, 0]), Ok(-13));
    assert_eq!(bench.call(b"GS", [SRAM, 16, 1 | 4 | 8, 0]), Ok(6));
    // Where OTP has no FLASH_DEVINFO, 16 MiB, which is size code 12.
    assert_eq!(bench.board.memory[..6], [13, identity.package, identity.device, identity.wafer, 0, 12 << 8]);
}

#[test]
fn flash_op_checks_before_it_works() {
    let mut bench = Bench::new();
    bench.load_table();
    assert_eq!(bench.call(b"FO", [ERASE, 0x1000_0100, 4096, 0]), Ok(-11));
    assert_eq!(bench.call(b"FO", [ERASE, 0x1000_0000, 256, 0]), Ok(-11));
    assert_eq!(bench.call(b"FO", [PROGRAM, 0x1000_0010, 256, SRAM]), Ok(-11));
    assert_eq!(bench.call(b"FO", [ERASE, 0x1010_0000, 4096, 0]), Ok(-10));
    assert_eq!(bench.call(b"FO", [ERASE, 0, 4096, 0]), Ok(-10));
    assert_eq!(bench.call(b"FO", [ERASE & 0xFFFF_00FF, 0x1000_0000, 4096, 0]), Ok(-5));
    assert_eq!(bench.board.flash.operations(), (0, 0));
}

#[test]
fn a_page_is_programmed_read_and_erased() {
    let mut bench = Bench::new();
    bench.load_table();
    for word in 0..64 {
        bench.board.memory[word] = word as u32 * 0x0101_0101;
    }
    assert_eq!(bench.call(b"FO", [PROGRAM, 0x1000_1100, 256, SRAM]), Ok(0));
    assert_eq!(bench.call(b"FO", [READ, 0x1000_1100, 256, SRAM + 0x400]), Ok(0));
    assert_eq!(bench.board.memory[..64], bench.board.memory[0x100..0x140]);
    assert!(bench.board.stale, "flash_op does not flush the cache");
    assert_eq!(bench.call(b"FC", [0; 4]), Ok(0));
    assert!(!bench.board.stale);
    // Zeros do not become ones.
    bench.board.memory[1] = u32::MAX;
    assert!(bench.call(b"FO", [PROGRAM, 0x1000_1100, 256, SRAM]).unwrap_err().contains("0 to become 1"));
    assert_eq!(bench.call(b"FO", [ERASE, 0x1000_1000, 4096, 0]), Ok(0));
    assert!(bench.board.flash.bytes()[0x1000..0x2000].iter().all(|b| *b == 0xFF));
    assert!(bench.board.busy >= 45_000, "an erase takes its time");
    assert_eq!(bench.board.flash.wear()[&1], 1);
}

#[test]
fn nothing_may_interrupt_a_flash_operation() {
    let mut bench = Bench::new();
    bench.load_table();
    bench.board.interruption = Some("the vector table");
    for (name, arguments) in [
        (b"FO", [ERASE, 0x1000_0000, 4096, 0]),
        (b"FO", [PROGRAM, 0x1000_0000, 256, SRAM]),
        (b"RE", [0, 4096, 0, 0]),
        (b"RP", [0, SRAM, 256, 0]),
    ] {
        let said = bench.call(name, arguments).unwrap_err();
        assert!(said.contains("interrupts enabled") && said.contains("the vector table in flash"), "{said}");
    }
    assert_eq!(bench.board.flash.operations(), (0, 0));
    // A read leaves flash as it is.
    assert_eq!(bench.call(b"FO", [READ, 0x1000_0000, 256, SRAM]), Ok(0));
}

#[test]
fn flash_is_not_programmed_from_flash() {
    let mut bench = Bench::new();
    bench.load_table();
    for from in [0x1000_2000, 0x1C00_2000] {
        let said = bench.call(b"FO", [PROGRAM, 0x1000_1000, 256, from]).unwrap_err();
        assert!(said.contains(&format!("{from:#010x}, which is flash")), "{said}");
    }
    assert_eq!(bench.board.flash.operations(), (0, 0));
}

#[test]
fn the_chip_takes_no_commands_before_flash_exit_xip() {
    let mut bench = Bench::new();
    bench.load_table();
    bench.board.serial = false;
    assert!(bench.call(b"FO", [ERASE, 0x1000_0000, 4096, 0]).unwrap_err().contains("not serial"));
    bench.call(b"EX", [0; 4]).unwrap();
    assert_eq!(bench.call(b"FO", [ERASE, 0x1000_0000, 4096, 0]), Ok(0));
}

#[test]
fn power_fails_in_the_middle() {
    let mut bench = Bench::new();
    bench.load_table();
    bench.board.flash.set_power_cut(Some(PowerCut { after: 1, torn: Torn::Before }));
    bench.board.memory[..128].fill(0);
    assert!(bench.call(b"FO", [PROGRAM, 0x1000_0000, 512, SRAM]).is_err());
    assert!(bench.board.cut);
    assert_eq!((bench.board.flash.bytes()[255], bench.board.flash.bytes()[256]), (0, 0xFF));
}

#[test]
fn low_level_calls_and_reboot() {
    let mut bench = Bench::new();
    bench.board.memory[..64].fill(0x5555_5555);
    bench.call(b"IF", [0; 4]).unwrap();
    assert!(!bench.board.connected);
    bench.call(b"EX", [0; 4]).unwrap();
    bench.call(b"RE", [0x2000, 4096, 0, 0]).unwrap();
    bench.call(b"RP", [0x2000, SRAM, 256, 0]).unwrap();
    assert!(bench.board.connected);
    assert_eq!(bench.board.flash.bytes()[0x2000..0x2100], [0x55; 256]);
    assert_eq!(bench.call(b"FA", [0x1000_2000, 0, 0, 0]), Ok(0x2000));
    assert_eq!(bench.call(b"FA", [0x0FFF_0000, 0, 0, 0]), Ok(-10));
    assert_eq!(bench.call(b"RB", [2, 100, 7, 8]), Ok(0));
    assert_eq!(bench.board.reboot, Some((2, 100, [7, 8])));
}
