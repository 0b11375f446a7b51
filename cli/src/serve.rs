//! `serve`: the device for other programs.

use crate::device::Device;
use crate::{Failure, values};
use clap::Args;
use clap::builder::{StringValueParser, TypedValueParser};
use picovd_sim::native::Start;
use picovd_sim::plug::{Plug, native_with};
use picovd_sim::serve::ListenAddress;
use picovd_sim::{chatter, serve};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Offer the device to a virtual machine or to this PC (--usbredir, --usbip)
///
/// Prints how to attach the device, then a line for each SCSI command that the host sends, until Ctrl-C. Unplugging the
/// device and plugging it in again is a power cycle: saved settings are kept. Only one connection at a time has the device;
/// at most 8 are open, and one that has not requested the device within 10 s is closed. If the one that has it was silent
/// for 10 minutes, another one may take it.
#[derive(Args)]
pub struct Serve {
    /// For QEMU: the path of a Unix socket, or ADDRESS:PORT
    #[arg(long, value_name = "SOCKET", value_parser = StringValueParser::new().map(|word| ListenAddress::usbredir(&word)))]
    usbredir: Option<ListenAddress>,
    /// For Linux's `usbip attach`; the default port is 3240
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = ListenAddress::usbip)]
    usbip: Option<ListenAddress>,
    /// Allow addresses that other machines can reach
    #[arg(long)]
    listen_anywhere: bool,
    /// Write each command to FILE: name, LBA, blocks, bytes, status
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// Write every file to DIR with the contents that the manifest promises, except files of changing memory
    #[arg(long, value_name = "DIR")]
    truth: Option<PathBuf>,
    /// Show the files of DIR and all their changes as files that an application registers at run time, to try out how a
    /// host reacts to changes ([dynamic] of the manifest). Not with --elf
    #[arg(long, value_name = "DIR")]
    live: Option<PathBuf>,
    /// Run an application that prints numbered lines to the log for 12 s ([log] of the manifest). Not with --elf
    #[arg(long)]
    print: bool,
    /// Make it print N numbered lines instead, R of them per second
    #[arg(long, value_name = "N/R", value_parser = values::lines)]
    print_lines: Option<(u32, u32)>,
    /// Do not print a line for each command
    #[arg(long)]
    quiet: bool,
    #[command(flatten)]
    pub device: Device,
}

impl Serve {
    /// Runs the command.
    pub fn run(&self, out: &mut dyn Write) -> Result<(), Failure> {
        let options = serve::Options {
            usbredir: self.usbredir.clone(),
            usbip: self.usbip.clone(),
            listen_anywhere: self.listen_anywhere,
            record: self.record.clone(),
            quiet: self.quiet,
        };
        options.check().map_err(Failure::Usage)?;
        let prints = self.print || self.print_lines.is_some();
        let application: Option<Start> = match (&self.live, prints) {
            (None, false) => None,
            (Some(folder), false) => {
                serve::mirror::follow(folder).map_err(Failure::Failed)?;
                Some(serve::mirror::start)
            }
            (None, true) => {
                if let Some((lines, rate)) = self.print_lines {
                    chatter::number(lines, rate);
                }
                Some(chatter::start)
            }
            (Some(_), true) => {
                return Err(Failure::Usage("--live and --print are two applications: use only one".to_owned()));
            }
        };
        let plug = match application {
            None => self.device.plug()?,
            Some(_) if self.device.elf.is_some() => {
                let what = if prints { "--print" } else { "--live" };
                let why = format!("{what} runs an application next to the library: it cannot be combined with --elf");
                return Err(Failure::Usage(why));
            }
            application => native_with(self.device.manifest.plan()?, application),
        };
        if let Some(folder) = &self.truth {
            write_truth(&plug, folder).map_err(|error| Failure::Failed(format!("{}: {error}", folder.display())))?;
        }
        let stop = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&stop);
        ctrlc::set_handler(move || flag.store(true, Ordering::Relaxed)).map_err(Failure::of)?;
        let mut log = Log { out, closed: false };
        let result = serve::run(plug.link, &options, &stop, &mut log);
        result.map_err(|text| if log.closed { Failure::PipeClosed } else { Failure::Failed(text) })
    }
}

/// The output, which notes when it was closed.
struct Log<'o> {
    out: &'o mut dyn Write,
    closed: bool,
}

impl Log<'_> {
    fn noted<T>(&mut self, result: io::Result<T>) -> io::Result<T> {
        result.inspect_err(|error| self.closed |= error.kind() == io::ErrorKind::BrokenPipe)
    }
}

impl Write for Log<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let result = self.out.write(bytes);
        self.noted(result)
    }

    fn flush(&mut self) -> io::Result<()> {
        let result = self.out.flush();
        self.noted(result)
    }
}

fn write_truth(plug: &Plug, folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    for file in plug.files.iter().filter(|file| !file.live) {
        let path = folder.join(file.path.trim_start_matches('/'));
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(path, &file.bytes)?;
    }
    Ok(())
}
