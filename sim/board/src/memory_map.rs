//! The address map (RP2350 datasheet 2.2): which block an address belongs to, and whether RESETS is holding it.

/// Blocks of registers that the board models.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Block {
    SysInfo,
    SysCfg,
    Clocks,
    Psm,
    Resets,
    IoBank0,
    IoQspi,
    PadsBank0,
    PadsQspi,
    Xosc,
    PllSys,
    PllUsb,
    Timer0,
    Timer1,
    XipCtrl,
    Qmi,
    Watchdog,
    BootRam,
    Rosc,
    Powman,
    Ticks,
    TbMan,
    Usb,
    Uart0,
    Uart1,
    Spi0,
    Spi1,
    I2c0,
    I2c1,
    Adc,
    Trng,
    Dma,
}

/// Every block: base address, name, bit in RESETS.
const BLOCKS: [(u32, Block, &str, Option<u32>); 32] = [
    (0x4000_0000, Block::SysInfo, "SYSINFO", Some(21)),
    (0x4000_8000, Block::SysCfg, "SYSCFG", Some(20)),
    (0x4001_0000, Block::Clocks, "CLOCKS", None),
    (0x4001_8000, Block::Psm, "PSM", None),
    (0x4002_0000, Block::Resets, "RESETS", None),
    (0x4002_8000, Block::IoBank0, "IO_BANK0", Some(6)),
    (0x4003_0000, Block::IoQspi, "IO_QSPI", Some(7)),
    (0x4003_8000, Block::PadsBank0, "PADS_BANK0", Some(9)),
    (0x4004_0000, Block::PadsQspi, "PADS_QSPI", Some(10)),
    (0x4004_8000, Block::Xosc, "XOSC", None),
    (0x4005_0000, Block::PllSys, "PLL_SYS", Some(14)),
    (0x4005_8000, Block::PllUsb, "PLL_USB", Some(15)),
    (0x4007_0000, Block::Uart0, "UART0", Some(26)),
    (0x4007_8000, Block::Uart1, "UART1", Some(27)),
    (0x4008_0000, Block::Spi0, "SPI0", Some(18)),
    (0x4008_8000, Block::Spi1, "SPI1", Some(19)),
    (0x4009_0000, Block::I2c0, "I2C0", Some(4)),
    (0x4009_8000, Block::I2c1, "I2C1", Some(5)),
    (0x400A_0000, Block::Adc, "ADC", Some(0)),
    (0x400F_0000, Block::Trng, "TRNG", Some(25)),
    (0x5000_0000, Block::Dma, "DMA", Some(2)),
    (0x400B_0000, Block::Timer0, "TIMER0", Some(23)),
    (0x400B_8000, Block::Timer1, "TIMER1", Some(24)),
    (0x400C_8000, Block::XipCtrl, "XIP_CTRL", None),
    (0x400D_0000, Block::Qmi, "XIP_QMI", None),
    (0x400D_8000, Block::Watchdog, "WATCHDOG", None),
    (0x400E_0000, Block::BootRam, "BOOTRAM", None),
    (0x400E_8000, Block::Rosc, "ROSC", None),
    (0x4010_0000, Block::Powman, "POWMAN", None),
    (0x4010_8000, Block::Ticks, "TICKS", None),
    (0x4016_0000, Block::TbMan, "TBMAN", Some(22)),
    (0x5011_0000, Block::Usb, "USBCTRL", Some(28)),
];

/// Reset bit of the USB controller.
pub const RESET_USB: u32 = 1 << 28;
/// Reset bits that the boot ROM leaves released: QSPI pins, SYSINFO, SYSCFG, TBMAN, BUSCTRL, JTAG.
pub const RELEASED_BY_ROM: u32 = 1 << 7 | 1 << 10 | 1 << 20 | 1 << 21 | 1 << 22 | 1 << 1 | 1 << 8;

/// The block of an address, its name and its reset bit.
#[must_use]
pub fn block(address: u32) -> Option<(Block, &'static str, Option<u32>)> {
    let base = address & !0x3FFF;
    BLOCKS.iter().find(|entry| entry.0 == base).map(|entry| (entry.1, entry.2, entry.3))
}
