//! A terminal: a program that has opened the serial port, sends lines and receives text.

use super::bot::Initiator;
use super::cdc::CdcAcm;
use super::controller::TransferError;
use std::time::Duration;

/// How long to wait for a packet in one direction before checking the other one.
const PATIENCE: Duration = Duration::from_millis(5);

/// Number of checks before the device counts as stuck: a save may take a second.
const TRIES: u32 = 1_000;

/// An open port.
#[derive(Debug)]
pub struct Terminal {
    port: CdcAcm,
    text: Vec<u8>,
}

impl Terminal {
    /// Opens the port.
    ///
    /// # Errors
    /// There is none, or it cannot be opened.
    pub fn open(initiator: &mut Initiator<'_>) -> Result<Self, String> {
        let port = initiator.device.console.ok_or("the device has no serial port ([usb] console = true)")?;
        port.set_open(&mut initiator.host, true).map_err(|error| error.to_string())?;
        Ok(Self { port, text: Vec::new() })
    }

    /// Closes it. Text that was not fetched is lost.
    ///
    /// # Errors
    /// As the control transfer.
    pub fn close(self, initiator: &mut Initiator<'_>) -> Result<(), TransferError> {
        self.port.set_open(&mut initiator.host, false)
    }

    /// Sends text, and receives text meanwhile.
    ///
    /// # Errors
    /// The device does not accept it, or fails.
    pub fn send(&mut self, initiator: &mut Initiator<'_>, text: &[u8]) -> Result<(), String> {
        for packet in text.chunks(64) {
            let mut tries = 0;
            while !self.hurried(initiator, |port, initiator| initiator.host.out_packet(port.bulk_out, packet))? {
                self.take(initiator)?;
                tries += 1;
                if tries == TRIES {
                    return Err("the serial port accepts no input".to_owned());
                }
            }
        }
        Ok(())
    }

    /// Receives text until nothing has come for a moment. Returns whether anything came.
    ///
    /// # Errors
    /// The device fails.
    pub fn take(&mut self, initiator: &mut Initiator<'_>) -> Result<bool, String> {
        let before = self.text.len();
        loop {
            let mut text = Vec::new();
            let came = self.hurried(initiator, |port, initiator| {
                initiator.host.in_packet(port.bulk_in).map(|packet| text = packet)
            })?;
            if !came {
                return Ok(self.text.len() > before);
            }
            self.text.extend(text);
        }
    }

    /// The received text that was not taken yet.
    pub fn text(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.text)
    }

    /// The next complete received line, without its end.
    pub fn line(&mut self) -> Option<String> {
        let end = self.text.iter().position(|byte| *byte == b'\n')?;
        let line: Vec<u8> = self.text.drain(..=end).collect();
        Some(String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned())
    }

    /// Sends a line. Returns the answer: the first line that begins like JSON.
    ///
    /// # Errors
    /// There is no answer.
    pub fn ask(&mut self, initiator: &mut Initiator<'_>, line: &str) -> Result<String, String> {
        self.send(initiator, format!("{line}\r\n").as_bytes())?;
        for _ in 0..TRIES {
            self.take(initiator)?;
            while let Some(answer) = self.line() {
                if answer.starts_with('{') {
                    return Ok(answer);
                }
            }
        }
        Err(format!("no answer to {line:?}"))
    }

    /// Whether a transfer with little patience took place.
    fn hurried(
        &self,
        initiator: &mut Initiator<'_>,
        transfer: impl FnOnce(&CdcAcm, &mut Initiator<'_>) -> Result<(), TransferError>,
    ) -> Result<bool, String> {
        let usual = std::mem::replace(&mut initiator.host.timeout, PATIENCE);
        let result = transfer(&self.port, initiator);
        initiator.host.timeout = usual;
        match result {
            Ok(()) => Ok(true),
            Err(TransferError::Timeout) => Ok(false),
            Err(error) => Err(error.to_string()),
        }
    }
}
