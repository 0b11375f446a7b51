//! UART0 and UART1 (RP2350 datasheet 12.1; Arm PL011): output can be printed, and there is no input.

use crate::registers::Alias;

const DR: u32 = 0x00;
const RSR: u32 = 0x04;
const FR: u32 = 0x18;
const CR: u32 = 0x30;
const IMSC: u32 = 0x38;
const RIS: u32 = 0x3C;
const MIS: u32 = 0x40;
const ICR: u32 = 0x44;

/// FR: the receive FIFO is empty, and so is the transmit FIFO.
const RXFE: u32 = 1 << 4;
const TXFE: u32 = 1 << 7;

/// CR: enabled, transmitter enabled; after a reset both halves are.
const UARTEN: u32 = 1 << 0;
const TXE: u32 = 1 << 8;
const CR_RESET: u32 = 0x300;

/// RIS: the transmit FIFO has run low.
const TXRIS: u32 = 1 << 5;

/// Maximum length of a line before it is cut.
const LONGEST: usize = 512;

/// One of them.
#[derive(Clone, Debug)]
pub struct Uart {
    control: u32,
    mask: u32,
    raised: u32,
    line: Vec<u8>,
    /// Complete lines that were not fetched yet.
    lines: Vec<String>,
}

impl Default for Uart {
    fn default() -> Self {
        Self { control: CR_RESET, mask: 0, raised: 0, line: Vec::new(), lines: Vec::new() }
    }
}

impl Uart {
    pub(super) fn reset(&mut self) {
        let (line, lines) = (std::mem::take(&mut self.line), std::mem::take(&mut self.lines));
        *self = Self { line, lines, ..Self::default() };
    }

    pub(super) fn interrupt(&self) -> bool {
        self.raised & self.mask != 0
    }

    /// Lines that were sent since the last call.
    pub fn take_lines(&mut self) -> Vec<String> {
        std::mem::take(&mut self.lines)
    }

    pub(super) fn read(&self, offset: u32) -> Option<u32> {
        Some(match offset {
            DR | RSR => 0,
            FR => RXFE | TXFE,
            CR => self.control,
            IMSC => self.mask,
            RIS => self.raised,
            MIS => self.raised & self.mask,
            _ => return None,
        })
    }

    pub(super) fn write(&mut self, offset: u32, alias: Alias, word: u32) -> Option<()> {
        match offset {
            DR if self.control & (UARTEN | TXE) == UARTEN | TXE => self.send(word as u8),
            DR | RSR => {}
            CR => self.control = alias.apply_masked(self.control, word, 0xFF87),
            IMSC => self.mask = alias.apply_masked(self.mask, word, 0x7FF),
            ICR => self.raised &= !alias.apply(0, word),
            _ => return None,
        }
        Some(())
    }

    fn send(&mut self, byte: u8) {
        self.raised |= TXRIS;
        if byte != b'\n' {
            self.line.push(byte);
        }
        if byte == b'\n' || self.line.len() == LONGEST {
            let line = String::from_utf8_lossy(&self.line).trim_end_matches('\r').to_owned();
            self.line.clear();
            // They need not be fetched.
            if self.lines.len() < LONGEST {
                self.lines.push(line);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_kept_that_an_enabled_uart_has_sent() {
        let mut uart = Uart::default();
        let send = |uart: &mut Uart, text: &str| {
            for byte in text.bytes() {
                uart.write(DR, Alias::Write, u32::from(byte)).unwrap();
            }
        };
        send(&mut uart, "nothing\n");
        uart.write(CR, Alias::Write, UARTEN | TXE).unwrap();
        send(&mut uart, "one\r\ntwo\nthr");
        assert_eq!(uart.take_lines(), ["one", "two"]);
        send(&mut uart, "ee\n");
        assert_eq!(uart.take_lines(), ["three"]);
        uart.write(IMSC, Alias::Write, TXRIS).unwrap();
        assert!(uart.interrupt());
        uart.write(ICR, Alias::Write, TXRIS).unwrap();
        assert!(!uart.interrupt());
        assert_eq!(uart.read(FR), Some(RXFE | TXFE));
    }
}
