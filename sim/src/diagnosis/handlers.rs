//! Interrupts that are enabled and have no handler: the start-up code's `DefaultHandler` runs for them, usually forever.

use super::debug_info::{DebugInfo, Frame};
use crate::board::incident::Incident;

/// External interrupts (RP2350 datasheet 3.2), by number. An empty name is one that no block has.
const INTERRUPTS: [&str; 46] = [
    "TIMER0_IRQ_0",
    "TIMER0_IRQ_1",
    "TIMER0_IRQ_2",
    "TIMER0_IRQ_3",
    "TIMER1_IRQ_0",
    "TIMER1_IRQ_1",
    "TIMER1_IRQ_2",
    "TIMER1_IRQ_3",
    "PWM_IRQ_WRAP_0",
    "PWM_IRQ_WRAP_1",
    "DMA_IRQ_0",
    "DMA_IRQ_1",
    "DMA_IRQ_2",
    "DMA_IRQ_3",
    "USBCTRL_IRQ",
    "PIO0_IRQ_0",
    "PIO0_IRQ_1",
    "PIO1_IRQ_0",
    "PIO1_IRQ_1",
    "PIO2_IRQ_0",
    "PIO2_IRQ_1",
    "IO_IRQ_BANK0",
    "IO_IRQ_BANK0_NS",
    "IO_IRQ_QSPI",
    "IO_IRQ_QSPI_NS",
    "SIO_IRQ_FIFO",
    "SIO_IRQ_BELL",
    "SIO_IRQ_FIFO_NS",
    "SIO_IRQ_BELL_NS",
    "SIO_IRQ_MTIMECMP",
    "CLOCKS_IRQ",
    "SPI0_IRQ",
    "SPI1_IRQ",
    "UART0_IRQ",
    "UART1_IRQ",
    "ADC_IRQ_FIFO",
    "I2C0_IRQ",
    "I2C1_IRQ",
    "OTP_IRQ",
    "TRNG_IRQ",
    "",
    "",
    "PLL_SYS_IRQ",
    "PLL_USB_IRQ",
    "POWMAN_IRQ_POW",
    "POWMAN_IRQ_TIMER",
];

/// The number of the first one as an exception.
const FIRST: u16 = 16;

/// Functions of cortex-m-rt that take exceptions without a handler, by the program's and by its own name.
const DEFAULT: [&str; 2] = ["DefaultHandler", "DefaultHandler_"];

/// What the core handles, if it has no handler: its name.
pub fn missing(debug: &DebugInfo<'_>, incident: &Incident<'_>, frames: &[Frame]) -> Option<String> {
    let is_default = frames.first().is_some_and(|frame| DEFAULT.contains(&frame.function.as_str()))
        || DEFAULT.iter().any(|name| debug.is_in(name, incident.registers[15]));
    (incident.exception != 0 && is_default).then(|| name(incident.exception))
}

/// As the function is called that handles it.
fn name(exception: u16) -> String {
    let system = match exception {
        2 => "NonMaskableInt",
        4 => "MemoryManagement",
        5 => "BusFault",
        6 => "UsageFault",
        7 => "SecureFault",
        11 => "SVCall",
        12 => "DebugMonitor",
        14 => "PendSV",
        15 => "SysTick",
        _ => "",
    };
    let external = || INTERRUPTS.get(usize::from(exception.checked_sub(FIRST)?)).copied();
    match (system, external()) {
        ("", Some(name)) if !name.is_empty() => name.to_owned(),
        ("", _) if exception >= FIRST => format!("number {}", exception - FIRST),
        ("", _) => format!("exception {exception}"),
        (name, _) => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::name;

    #[test]
    fn exceptions_are_called_what_their_handlers_are() {
        assert_eq!(name(15), "SysTick");
        assert_eq!(name(16), "TIMER0_IRQ_0");
        assert_eq!(name(16 + 14), "USBCTRL_IRQ");
        assert_eq!(name(16 + 45), "POWMAN_IRQ_TIMER");
        assert_eq!(name(16 + 51), "number 51");
        assert_eq!(name(13), "exception 13");
    }
}
