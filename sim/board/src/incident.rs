//! Incidents: events that the firmware's developer wants to know about when they happen.

/// What happened, and the board's state at that time.
#[derive(Clone, Copy)]
pub struct Incident<'b> {
    /// What happened.
    pub cause: Cause<'b>,
    /// R0 to R15 of the affected core; R15 is the address of the next instruction.
    pub registers: [u32; 16],
    /// The number of the exception that the affected core handles: 0 if it handles none, or if that does not matter.
    pub exception: u16,
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
    /// The firmware is about to restart itself (AIRCR.SYSRESETREQ), as panic handlers do.
    Restarts,
    /// The watchdog is about to restart it.
    WatchdogBites,
    /// It cannot continue: on the chip, this would be a HardFault.
    Stops(&'b str),
    /// It has caused a fault, which a handler of its own takes.
    Faults(&'b str),
    /// It has panicked, and its own handler has not restarted it for 100 ms. The registers are those when the panic began.
    Panics,
    /// It has used a register that is not modelled; the board continues.
    NotModelled {
        /// The register's address.
        address: u32,
        /// Whether it was written.
        write: bool,
    },
    /// The host has found a mistake in its descriptors, and continues.
    Descriptors(&'b str),
    /// A UART has sent a line.
    Uart {
        /// 0 or 1.
        number: usize,
        /// Without its line ending.
        line: &'b str,
    },
    /// It has not looked at the USB controller for that many milliseconds, while an event waits.
    Late(u32),
    /// A host has used the address that it has given to the device: from now on, it waits longer.
    Addressed,
    /// It seems to hang: one of several samples of its location.
    Sample,
    /// It hangs, judging by the samples taken so far.
    Hangs(Hang),
}

/// How a host notices that a firmware hangs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hang {
    /// It has not attached to the bus.
    NotAttached,
    /// It does not handle an event of the USB controller.
    NotServed,
}

/// Receives incidents.
pub type Witness = Box<dyn FnMut(&Incident<'_>) + Send>;
