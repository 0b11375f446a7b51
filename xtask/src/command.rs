//! Runs other programs: with captured output, a time limit, and failures that name the command.

use std::env;
use std::ffi::OsStr;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Limit for a program that reads an image or asks a package manager: it hangs if it takes longer.
pub const SHORT: Duration = Duration::from_secs(120);
/// Limit for builds, installations and test runs.
pub const LONG: Duration = Duration::from_secs(45 * 60);

/// The result of a finished program.
#[derive(Debug)]
pub struct Finished {
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// Its standard error.
    pub stderr: Vec<u8>,
}

impl Finished {
    /// Standard output as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Standard output, then standard error, as text.
    pub fn both(&self) -> String {
        format!("{}{}", String::from_utf8_lossy(&self.stdout), String::from_utf8_lossy(&self.stderr))
    }
}

/// Runs a program to its end with both outputs captured and without input.
///
/// An error means that it could not be started or was stopped at `limit`, with the last lines that it had printed; the caller evaluates how it ended.
pub fn finish(command: &mut Command, limit: Duration) -> Result<Finished, String> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| format!("cannot run `{}`: {e}", line(command)))?;
    let stdout = Drain::start(child.stdout.take());
    let stderr = Drain::start(child.stderr.take());
    match wait(&mut child, limit) {
        Ok(status) => Ok(Finished { status, stdout: stdout.finish(), stderr: stderr.finish() }),
        Err(reason) => {
            let shown = |drain: &Drain| tail(&String::from_utf8_lossy(&drain.so_far()), 20);
            Err(format!("`{}` {reason}\n{}\n{}", line(command), shown(&stdout), shown(&stderr)))
        }
    }
}

/// As [`finish`], but an exit status other than 0 is an error with the end of the program's output.
pub fn run(command: &mut Command, limit: Duration) -> Result<Finished, String> {
    let finished = finish(command, limit)?;
    if finished.status.success() {
        Ok(finished)
    } else {
        Err(format!("`{}` failed ({})\n{}", line(command), finished.status, tail(&finished.both(), 40)))
    }
}

/// Runs a program that inherits our outputs: for long work with visible progress.
pub fn show(command: &mut Command, limit: Duration) -> Result<(), String> {
    let mut child = command.stdin(Stdio::null()).spawn().map_err(|e| format!("cannot run `{}`: {e}", line(command)))?;
    let status = wait(&mut child, limit).map_err(|e| format!("`{}` {e}", line(command)))?;
    if status.success() { Ok(()) } else { Err(format!("`{}` failed ({status})", line(command))) }
}

/// Waits for the end of a program, and kills it at the limit.
fn wait(child: &mut Child, limit: Duration) -> Result<ExitStatus, String> {
    let start = Instant::now();
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(status) = child.try_wait().map_err(|e| format!("cannot be waited for: {e}"))? {
            return Ok(status);
        }
        if start.elapsed() > limit {
            // It may have ended since then: both errors then mean nothing.
            let _ = child.kill();
            let _ = child.wait();
            return Err(format!("did not end within {} s", limit.as_secs()));
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

/// Reads a pipe to its end in the background, since the program would block on a full one.
struct Drain {
    bytes: Arc<Mutex<Vec<u8>>>,
    thread: thread::JoinHandle<()>,
}

impl Drain {
    fn start(pipe: Option<impl Read + Send + 'static>) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let taken = Arc::clone(&bytes);
        let thread = thread::spawn(move || {
            let Some(mut pipe) = pipe else { return };
            let mut piece = [0; 4096];
            // What was read before an error is still worth showing.
            loop {
                match pipe.read(&mut piece) {
                    Ok(0) => return,
                    Ok(count) => lock(&taken).extend_from_slice(&piece[..count]),
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(_) => return,
                }
            }
        });
        Self { bytes, thread }
    }

    /// What was read until the pipe was closed.
    fn finish(self) -> Vec<u8> {
        // The thread has no panic of its own, and what it read counts in any case.
        let _ = self.thread.join();
        std::mem::take(&mut *lock(&self.bytes))
    }

    /// What was read so far. The pipe may stay open: by what a killed program had started.
    fn so_far(&self) -> Vec<u8> {
        lock(&self.bytes).clone()
    }
}

fn lock(bytes: &Mutex<Vec<u8>>) -> MutexGuard<'_, Vec<u8>> {
    bytes.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The command line as a user would type it.
pub fn line(command: &Command) -> String {
    let mut words = vec![quoted(command.get_program())];
    words.extend(command.get_args().map(quoted));
    words.join(" ")
}

/// An argument, in single quotes if a shell would split it.
fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let plain = |c: char| c.is_alphanumeric() || "-_./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.into_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// The last lines of a text.
pub fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

/// The path of a program, if it exists. Root's folders are searched, too, since they are missing from other users' PATH.
pub fn which(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin", "/usr/local/sbin"].map(PathBuf::from))
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

/// A program by name, searched in root's folders as well.
pub fn program(name: &str) -> Command {
    Command::new(which(name).unwrap_or_else(|| PathBuf::from(name)))
}

/// Whether this process is root.
pub fn is_root() -> bool {
    run(Command::new("id").arg("-u"), SHORT).is_ok_and(|finished| finished.text().trim() == "0")
}

/// A program that needs root: run with sudo if we are not root.
pub fn as_root(name: &str) -> Command {
    if is_root() {
        program(name)
    } else {
        let mut command = Command::new("sudo");
        command.arg(which(name).unwrap_or_else(|| PathBuf::from(name)));
        command
    }
}

/// The cargo that started this task, in the workspace's root, without the variables that `cargo run` set for xtask itself.
pub fn cargo(root: &Path) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root).env("CARGO_TERM_COLOR", "never");
    forget_cargo_run(&mut command);
    command
}

/// Removes what `cargo run` has put into the environment: a nested build would see it and rebuild things.
pub fn forget_cargo_run(command: &mut Command) {
    command.env_remove("LD_LIBRARY_PATH");
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Duration, finish, line, run, tail};
    use std::process::Command;

    #[test]
    fn a_hanging_program_is_stopped() {
        // The pipe stays open after the shell is gone, by `sleep`.
        let mut hangs = Command::new("sh");
        let error = finish(hangs.args(["-c", "echo seen; sleep 30; true"]), Duration::from_millis(500)).unwrap_err();
        assert!(error.contains("did not end within") && error.contains("\nseen"), "{error}");
    }

    #[test]
    fn a_failure_names_the_command_and_shows_its_output() {
        let error = run(Command::new("sh").args(["-c", "echo seen; exit 3"]), Duration::from_secs(5)).unwrap_err();
        assert!(error.contains("sh -c 'echo seen; exit 3'") && error.contains("\nseen"), "{error}");
    }

    #[test]
    fn lines_can_be_pasted() {
        assert_eq!(line(Command::new("cat").arg("(loop0)/a b").arg("it's")), r"cat '(loop0)/a b' 'it'\''s'");
        assert_eq!(tail("a\nb\nc", 2), "b\nc");
    }
}
