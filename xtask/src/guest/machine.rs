//! QEMU with a serial console, used line by line, and a monitor.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::command;
use picovd_host::printed::Printed;

/// A running virtual machine. It is killed when this is dropped.
pub struct Machine {
    child: Child,
    input: ChildStdin,
    output: Receiver<Vec<u8>>,
    /// Console output that was not consumed by a wait.
    pending: String,
    /// All console output.
    pub transcript: String,
    monitor: PathBuf,
    plugged: u32,
    lines: u32,
}

/// The result of a command in the guest.
#[derive(Clone, Debug)]
pub struct Said {
    /// Its exit status.
    pub status: i32,
    /// What it printed.
    pub text: String,
}

/// How late the guest's clock may be when it stops waiting.
const GRACE: Duration = Duration::from_secs(60);

impl Machine {
    /// Starts QEMU with software emulation and the given arguments; console and monitor are added.
    pub fn start(arguments: &[String], monitor: PathBuf) -> Result<Self, String> {
        let mut qemu = command::program("qemu-system-x86_64");
        qemu.args(["-accel", "tcg", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"])
            .args(["-serial", "stdio", "-monitor"])
            .arg(format!("unix:{},server=on,wait=off", monitor.display()))
            .args(arguments);
        let mut child = qemu
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .map_err(|e| format!("cannot run `{}`: {e}", command::line(&qemu)))?;
        let (Some(input), Some(mut stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("QEMU has no console".to_owned());
        };
        let (sender, output) = channel();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            // The end of the pipe or of the test ends this thread.
            while let Ok(length @ 1..) = stdout.read(&mut buffer) {
                if sender.send(buffer[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        Ok(Self {
            child,
            input,
            output,
            pending: String::new(),
            transcript: String::new(),
            monitor,
            plugged: 0,
            lines: 0,
        })
    }

    /// Waits for a text on the console, and returns what came before it.
    pub fn wait_for(&mut self, text: &str, limit: Duration) -> Result<String, String> {
        let end = Instant::now() + limit;
        loop {
            if let Some(at) = self.pending.find(text) {
                let before = self.pending[..at].to_owned();
                self.pending.drain(..at + text.len());
                return Ok(before);
            }
            match self.output.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(bytes) => {
                    let piece = String::from_utf8_lossy(&bytes).replace('\r', "");
                    self.transcript += &piece;
                    self.pending += &piece;
                }
                Err(RecvTimeoutError::Timeout) => {
                    return Err(format!(
                        "no `{text}` on the console within {} s; it ends with\n{}",
                        limit.as_secs(),
                        self.end()
                    ));
                }
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(format!("QEMU ended; the console ends with\n{}", self.end()));
                }
            }
        }
    }

    /// Types a line.
    pub fn type_line(&mut self, line: &str) -> Result<(), String> {
        writeln!(self.input, "{line}").and_then(|()| self.input.flush()).map_err(|e| format!("the console: {e}"))
    }

    /// Runs a shell command in the guest to its end.
    pub fn run(&mut self, line: &str, limit: Duration) -> Result<Said, String> {
        self.lines += 1;
        let number = self.lines;
        self.type_line(&format!("{number} {line}"))?;
        let text = self.wait_for(&format!("@@ {number} "), limit).map_err(|e| format!("`{line}`: {e}"))?;
        let status = self.wait_for(" @@\n", limit)?;
        let status = status.trim().parse().map_err(|_| format!("`{line}`: status `{}`", Printed(&status)))?;
        Ok(Said { status, text: text.trim().to_owned() })
    }

    /// As [`run`](Self::run), and a status other than 0 is an error.
    pub fn must(&mut self, line: &str, limit: Duration) -> Result<String, String> {
        let said = self.run(line, limit)?;
        if said.status == 0 { Ok(said.text) } else { Err(format!("`{line}` ended {}: {}", said.status, said.text)) }
    }

    /// Waits until a condition of the guest's shell is true.
    pub fn until(&mut self, condition: &str, limit: Duration) -> Result<(), String> {
        // The guest stops waiting by its own clock, so that its shell is free to answer why.
        let seconds = limit.as_secs();
        let line = format!(
            "late=0; end=$(($(cut -d. -f1 /proc/uptime) + {seconds})); until {condition}; do \
             [ $(cut -d. -f1 /proc/uptime) -lt $end ] || {{ late=1; break; }}; sleep 0.1; done; [ $late = 0 ]"
        );
        let said = self.run(&line, limit + GRACE)?;
        if said.status == 0 { Ok(()) } else { Err(format!("`{condition}` does not come true: {}", said.text)) }
    }

    /// Plugs the device that is served at `socket` into the USB bus `bus`.
    pub fn plug(&mut self, socket: &std::path::Path, bus: &str) -> Result<(), String> {
        self.plugged += 1;
        let id = format!("stick{}", self.plugged);
        self.monitor(&format!("chardev-add socket,id=wire-{id},path={}", socket.display()))?;
        self.monitor(&format!("device_add usb-redir,chardev=wire-{id},id={id},bus={bus}"))
    }

    /// Unplugs what was plugged in last.
    pub fn unplug(&mut self) -> Result<(), String> {
        let id = format!("stick{}", self.plugged);
        self.monitor(&format!("device_del {id}"))
    }

    /// A command of the monitor. Any output is an error.
    fn monitor(&mut self, line: &str) -> Result<(), String> {
        let fail = |e: std::io::Error| format!("QEMU's monitor: {e}");
        let mut stream = UnixStream::connect(&self.monitor).map_err(fail)?;
        stream.set_read_timeout(Some(Duration::from_secs(60))).map_err(fail)?;
        prompt(&mut stream)?;
        stream.write_all(format!("{line}\n").as_bytes()).map_err(fail)?;
        let said = prompt(&mut stream)?;
        // The line editor echoes the input; the last line before the prompt is the answer.
        let said = said.rsplit_once('\r').map_or("", |(_, rest)| rest).trim().to_owned();
        if said.is_empty() || said.ends_with(line) {
            Ok(())
        } else {
            Err(format!("monitor: `{line}`: {}", Printed(&said)))
        }
    }

    fn end(&self) -> String {
        command::tail(&self.transcript, 20)
    }
}

/// Reads up to the monitor's prompt.
fn prompt(stream: &mut UnixStream) -> Result<String, String> {
    let mut text = Vec::new();
    let mut byte = [0];
    while !text.ends_with(b"(qemu) ") {
        match stream.read(&mut byte) {
            Ok(1) => text.extend(byte),
            Ok(_) => return Err("QEMU's monitor hung up".to_owned()),
            Err(e) => return Err(format!("QEMU's monitor: {e}")),
        }
    }
    text.truncate(text.len() - b"(qemu) ".len());
    // Line editing consists of escape sequences and carriage returns; only complete lines count.
    Ok(String::from_utf8_lossy(&text).trim_end().replace('\n', ""))
}

impl Drop for Machine {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
        // QEMU removes it when it ends by itself.
        let _ = std::fs::remove_file(&self.monitor);
    }
}

/// A program that is stopped as with Ctrl-C when this is dropped.
pub struct Background {
    child: Child,
}

impl Background {
    /// Starts a program.
    pub fn start(command: &mut Command) -> Result<Self, String> {
        let child = command
            .stdin(Stdio::null())
            .spawn()
            .map_err(|e| format!("cannot run `{}`: {e}", command::line(command)))?;
        Ok(Self { child })
    }

    /// Sends Ctrl-C, and returns how the program ended.
    pub fn interrupt(&mut self) -> Result<std::process::ExitStatus, String> {
        let id = self.child.id().to_string();
        command::run(Command::new("kill").args(["-INT", &id]), command::SHORT)?;
        let end = Instant::now() + Duration::from_secs(60);
        while Instant::now() < end {
            if let Some(status) = self.child.try_wait().map_err(|e| e.to_string())? {
                return Ok(status);
            }
            thread::sleep(Duration::from_millis(20));
        }
        Err("it does not stop at Ctrl-C".to_owned())
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
