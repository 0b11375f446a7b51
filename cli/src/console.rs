//! `console`: a terminal on the device's serial port.

use crate::device::Device;
use crate::{Failure, to_stderr};
use clap::Args;
use picovd_sim::host::system::{LINUX_DESKTOP, System};
use picovd_sim::host::terminal::Terminal;
use std::io::{self, BufRead, IsTerminal, Write};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

/// Step in which the device is run, in simulated time and in real time.
const STEP: Duration = Duration::from_millis(20);

/// A device that restarts is back after this time.
const RESTART: Duration = Duration::from_secs(1);

/// Number of steps after which a line counts as unanswered: a save takes half a second at most.
const PATIENCE: usize = 50;

/// Number of steps after the last line of a pipe, since its effects may take a moment.
const LINGER: usize = 10;

/// Use the device's serial port: settings
///
/// Sends each line of standard input to the device and prints its output, while a Linux desktop has the disk mounted. In a
/// pipe it ends with its input, otherwise with Ctrl-D:
///
/// echo get | picovd console --manifest FILE
///
/// Saved values are kept until the command ends: enter `reboot` to see them again. The manifest needs console = true in
/// [usb] and sectors in [settings].
#[derive(Args)]
pub struct Console {
    #[command(flatten)]
    pub device: Device,
}

impl Console {
    /// Runs the command.
    pub fn run(&self, out: &mut dyn Write) -> Result<(), Failure> {
        let plug = self.device.plug()?;
        let has_settings = plug.plan.settings.sectors > 0;
        let mut system = System::boot(LINUX_DESKTOP, plug.link).map_err(Failure::of)?;
        let mut terminal = Some(Terminal::open(system.initiator()).map_err(Failure::Failed)?);
        if !has_settings && self.device.elf.is_none() {
            to_stderr(
                "commands are not answered: the manifest has no sectors in [settings]; the port shows what the program prints",
            );
        }
        let mut unanswered = 0;
        let live = io::stdin().is_terminal();
        let (sender, lines) = mpsc::sync_channel(0);
        thread::spawn(move || {
            for line in io::stdin().lock().split(b'\n') {
                if line.is_err() || line.is_ok_and(|line| sender.send(line).is_err()) {
                    return;
                }
            }
        });
        let mut lingered = 0;
        while lingered < LINGER {
            // Someone who types wants to see output immediately; a pipe can wait.
            let next =
                if live { lines.recv_timeout(STEP) } else { lines.recv().map_err(|_| RecvTimeoutError::Disconnected) };
            match next {
                Ok(mut line) => {
                    let restarts = line.trim_ascii() == b"reboot";
                    line.push(b'\n');
                    if terminal.is_none() {
                        terminal = reopen(&mut system);
                    }
                    let Some(open) = &mut terminal else {
                        return Err(Failure::Failed("the serial port is gone".to_owned()));
                    };
                    open.send(system.initiator(), &line).map_err(Failure::Failed)?;
                    // Its answer comes before the next line is sent; an answer that waits for flash takes some time.
                    let mut said = Vec::new();
                    for _ in 0..PATIENCE {
                        open.take(system.initiator()).map_err(Failure::Failed)?;
                        said.extend(open.text());
                        if line.trim_ascii().is_empty() || is_answer(&said) {
                            break;
                        }
                        system.elapse(STEP);
                    }
                    out.write_all(&said)?;
                    unanswered += usize::from(!line.trim_ascii().is_empty() && !is_answer(&said));
                    if restarts {
                        terminal = None;
                        system.elapse(RESTART);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => lingered += 1,
            }
            system.elapse(STEP);
            terminal = terminal.and_then(|mut open| open.take(system.initiator()).is_ok().then_some(open));
            if let Some(open) = &mut terminal {
                out.write_all(&open.text())?;
            } else {
                // It has left the bus, and comes back.
                terminal = reopen(&mut system);
            }
            out.flush()?;
        }
        // A program may have its own answers; without settings and without a program there are none.
        match unanswered {
            1.. if !has_settings && self.device.elf.is_none() => {
                Err(Failure::Failed(format!("lines without an answer: {unanswered}; set sectors in [settings]")))
            }
            _ => Ok(()),
        }
    }
}

/// Whether an answer has come: a complete line that begins like JSON.
fn is_answer(said: &[u8]) -> bool {
    said.split_inclusive(|byte| *byte == b'\n').any(|line| line.starts_with(b"{") && line.ends_with(b"\n"))
}

/// The port of a device that has come back.
fn reopen(system: &mut System<'_>) -> Option<Terminal> {
    for _ in 0..100 {
        system.elapse(STEP);
        if system.is_present()
            && let Ok(terminal) = Terminal::open(system.initiator())
        {
            return Some(terminal);
        }
        // If the board restarted faster than the host checks the port, it has lost its address.
        if system.initiator().enumerate_again().is_ok() {
            let _ = system.remount();
        }
    }
    None
}
