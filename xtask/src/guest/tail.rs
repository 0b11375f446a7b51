//! A real `tail -F` of STDOUT-TAIL.TXT in the guest, while each change unmounts and mounts the volume.

use std::time::Duration;

use super::machine::Machine;
use super::stick::STEP;

/// How many lines the program prints, and how many per second: `cargo sim serve --print-lines`.
#[derive(Clone, Copy, Debug)]
pub struct Lines {
    pub count: u32,
    pub rate: u32,
}

/// Maximum time from the last line to its appearance in the output: `max-age`, the gap after a reader, a poll, the medium's
/// absence and the next poll, as in [`super::live::BOUND`], twice, for a change right after another one; on a busy machine.
const LATE: Duration = Duration::from_secs(90);

impl Lines {
    /// The option's value.
    pub fn option(self) -> String {
        format!("{}/{}", self.count, self.rate)
    }

    /// The device's manifest. The ring has room for all lines: none may be lost before a reader gets it. Coreutils' tail
    /// ends at the first read that fails: it relies on the device's patience after a mount.
    pub fn manifest() -> &'static str {
        "[volume]\nlabel = \"TAIL\"\n\n[[file]]\npath = \"STATIC.TXT\"\ntext = \"It never changes.\"\n\n[log]\nstdout = false\ntail = true\nring-size = \"64 KiB\"\n\n\
         [dynamic]\nquiet = \"500 ms\"\nmax-age = \"2 s\"\nhold = \"10 s\"\n"
    }

    fn said(self) -> String {
        (1..=self.count).map(|line| format!("line {line:05} of {}\r\n", self.count)).collect()
    }
}

/// Starts `tail -F` of that file: coreutils' own. The console's shell is busybox's, which would run its own tail if given
/// only the name; that one gives up on a file that is missing for a moment.
pub fn start(machine: &mut Machine, file: &str) -> Result<(), String> {
    machine
        .must(&format!("/usr/bin/tail -n +1 -F {file} >/tmp/tail 2>/tmp/tail.errors & echo $! >/tmp/tailer"), STEP)
        .map(|_| ())
}

/// Waits for the last line, and compares the output with what was printed. Returns the number of bytes reported as lost.
pub fn complete(machine: &mut Machine, lines: Lines) -> Result<u64, String> {
    let Lines { count, rate } = lines;
    let limit = Duration::from_secs(u64::from(count / rate)) + LATE;
    let came = machine.until(&format!("grep -q '^line {count:05} of {count}' /tmp/tail"), limit);
    let alive = machine.run("kill $(cat /tmp/tailer)", STEP)?.status == 0;
    // Restores the carriage returns, which cannot pass through the console.
    let seen = machine.must("tr -d '\\r' </tmp/tail", STEP)?.replace("\r\n", "\n").replace('\n', "\r\n");
    let ended = if alive { Ok(()) } else { Err("tail has ended by itself".to_owned()) };
    let verdict = ended.and(came).and_then(|()| judge(seen.trim_end(), lines.said().trim_end()));
    match verdict {
        Ok(lost) => Ok(lost),
        Err(why) => {
            let errors = machine.run("cat /tmp/tail.errors", STEP)?.text;
            let last: Vec<&str> = seen.lines().rev().take(3).collect();
            Err(format!("{why}; {} bytes, the last lines: {last:?}; tail says:\n{errors}", seen.len()))
        }
    }
}

/// Follows `said` through `seen`, where lines like `[000000000000123 bytes lost]` replace what is missing. Returns the
/// total of the losses.
fn judge(seen: &str, said: &str) -> Result<u64, String> {
    let (mut seen, mut said, mut lost) = (seen, said, 0);
    loop {
        let common = seen.bytes().zip(said.bytes()).take_while(|(seen, said)| seen == said).count();
        (seen, said) = (seen.get(common..).unwrap_or_default(), said.get(common..).unwrap_or_default());
        if seen.is_empty() && said.is_empty() {
            return Ok(lost);
        }
        let mark =
            seen.split_once("\r\n").filter(|(mark, _)| mark.starts_with("[0") && mark.ends_with("bytes lost]  "));
        let count = mark.and_then(|(mark, _)| mark.get(1..16)?.parse::<u64>().ok());
        let skipped = count.and_then(|count| said.get(usize::try_from(count).ok()?..));
        let (Some((_, rest)), Some(count), Some(left)) = (mark, count, skipped) else {
            return Err(format!("{:?} where {:?} was printed", excerpt(seen), excerpt(said)));
        };
        (seen, said) = (rest, left);
        lost += count;
    }
}

fn excerpt(text: &str) -> String {
    text.chars().take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::{Lines, judge};

    #[test]
    fn the_judge_follows_lines_and_losses() {
        let said = Lines { count: 3, rate: 1 }.said();
        assert_eq!(judge(&said, &said), Ok(0));
        // A line has 17 bytes.
        let lost = "line 00001 of 3\r\n[000000000000017 bytes lost]  \r\nline 00003 of 3\r\n";
        assert_eq!(judge(lost, &said), Ok(17));
        for wrong in [
            "line 00001 of 3\r\nline 00003 of 3\r\n",
            "line 00001 of 3\r\nline 00001 of 3\r\nline 00002 of 3\r\nline 00003 of 3\r\n",
            "line 00001 of 3\r\n[000000000000018 bytes lost]  \r\nline 00003 of 3\r\n",
            "line 00001 of 3\r\nline 00002 of 3\r\n",
            "line 00002 of 3\r\nline 00001 of 3\r\nline 00003 of 3\r\n",
        ] {
            assert!(judge(wrong, &said).is_err(), "{wrong}");
        }
    }
}
