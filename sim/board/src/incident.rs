//! What the person who wrote the firmware wants to be told at the moment when it happens.

/// What happened, and the board at that moment.
#[derive(Clone, Copy)]
pub struct Incident<'b> {
    /// What happened.
    pub cause: Cause<'b>,
    /// R0 to R15 of the core that it happened to; R15 is the address of the next instruction.
    pub registers: [u32; 16],
    /// Microseconds since the first power-on.
    pub micros: u64,
    /// Contents of SRAM.
    pub sram: &'b [u8],
    /// Contents of the flash chip.
    pub flash: &'b [u8],
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause<'b> {
    /// The firmware is about to restart itself (AIRCR.SYSRESETREQ): what panic handlers do.
    Restarts,
    /// The watchdog is about to restart it.
    WatchdogBites,
    /// It cannot go on: on the chip, a HardFault.
    Stops(&'b str),
    /// It used a register that nobody models; the board goes on.
    NotModelled {
        /// The register's address.
        address: u32,
        /// Whether it was written.
        write: bool,
    },
    /// The host has found something in its descriptors that is wrong, and goes on.
    Descriptors(&'b str),
    /// A UART has sent a line.
    Uart {
        /// 0 or 1.
        number: usize,
        /// Without its end.
        line: &'b str,
    },
    /// It seems to hang: one of some looks at where it is.
    Sample,
    /// It hangs, by the samples taken so far.
    Hangs(Hang),
}

/// How a host notices that a firmware hangs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hang {
    /// It has not attached to the bus.
    NotAttached,
    /// The USB controller waits for it.
    NotServed,
}

/// Is told of incidents.
pub type Witness = Box<dyn FnMut(&Incident<'_>) + Send>;
