//! One line per check with its time, and a closing line.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use picovd_host::printed::Lines;

/// The outcome of a check that is a whole test run: how many tests passed and failed in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Tests that passed.
    pub passed: usize,
    /// Tests that failed.
    pub failed: usize,
    /// Tests that the runner has skipped on purpose (`#[ignore]`): `--long` runs them.
    pub ignored: usize,
}

/// Collects checks, and prints each as it ends.
#[derive(Debug)]
pub struct Report {
    passed: usize,
    failed: usize,
    failures: Vec<String>,
    ring: u8,
    /// Whether other reports print at the same time: then each line includes its ring.
    abreast: bool,
    terminal: bool,
    start: Instant,
}

impl Report {
    /// An empty report.
    pub fn new() -> Self {
        let terminal = std::io::stderr().is_terminal();
        Self { passed: 0, failed: 0, failures: Vec::new(), ring: 0, abreast: false, terminal, start: Instant::now() }
    }

    /// An empty report that prints while others do.
    pub fn abreast() -> Self {
        Self { abreast: true, terminal: false, ..Self::new() }
    }

    /// Adds the results of another report.
    pub fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.failures.extend(other.failures);
    }

    /// Prints a ring's title; the checks that follow belong to it.
    pub fn ring(&mut self, number: u8, title: &str) {
        self.ring = number;
        say(std::io::stdout(), &format!("ring {number}: {title}\n"));
    }

    /// Runs a check. Returns its result, or `None` if it failed.
    pub fn check<T>(&mut self, name: &str, check: impl FnOnce() -> Result<T, String>) -> Option<T> {
        let start = self.begin(name);
        match check() {
            Ok(value) => {
                self.timed(name, start.elapsed(), Ok(()));
                Some(value)
            }
            Err(reason) => {
                self.timed(name, start.elapsed(), Err(reason));
                None
            }
        }
    }

    /// Adds a check that ran elsewhere.
    pub fn timed(&mut self, name: &str, time: Duration, result: Result<(), String>) {
        match result {
            Ok(()) => {
                self.passed += 1;
                self.line("ok", time, name);
            }
            Err(reason) => {
                self.failed += 1;
                self.failure(time, name, &reason);
            }
        }
    }

    /// Runs a test runner. Each of its tests counts as a check.
    ///
    /// A run that fails counts at least one failure, whatever its own count; a run without tests is a failure.
    pub fn tests(&mut self, name: &str, run: impl FnOnce() -> (Counts, Result<(), String>)) -> bool {
        let start = self.begin(name);
        let (counts, result) = run();
        let result = match result {
            Ok(()) if counts.passed + counts.failed == 0 => Err("no test was run".to_owned()),
            Ok(()) if counts.failed > 0 => Err(format!("{} tests failed", counts.failed)),
            other => other,
        };
        self.passed += counts.passed;
        let ignored = match counts.ignored {
            0 => String::new(),
            n => format!(", {n} left to --long"),
        };
        match result {
            Ok(()) => {
                self.line("ok", start.elapsed(), &format!("{name} ({} tests{ignored})", counts.passed));
                true
            }
            Err(reason) => {
                self.failed += counts.failed.max(1);
                self.failure(start.elapsed(), name, &reason);
                false
            }
        }
    }

    /// Prints a remark, which is not a check.
    pub fn note(&mut self, text: &str) {
        say(std::io::stdout(), &format!("      {}{text}\n", self.place()));
    }

    /// The prefix of a line's text.
    fn place(&self) -> String {
        if self.abreast { format!("ring {}: ", self.ring) } else { String::new() }
    }

    /// Prints the failures again, the total time, and the closing line. Returns whether everything passed.
    pub fn close(self) -> bool {
        if !self.failures.is_empty() {
            println!("\nfailed:");
            for name in &self.failures {
                say(std::io::stdout(), &format!("    {name}\n"));
            }
        }
        println!("\nafter {:.0} s:", self.start.elapsed().as_secs_f64());
        println!("{} passed, {} failed", self.passed, self.failed);
        // A run without any check proves nothing.
        self.failed == 0 && self.passed > 0
    }

    fn begin(&mut self, name: &str) -> Instant {
        if self.terminal {
            let shown: String = name.chars().take(100).collect();
            eprint!("\r\x1b[K...   {shown}");
        }
        Instant::now()
    }

    fn line(&mut self, word: &str, time: Duration, name: &str) {
        if self.terminal {
            eprint!("\r\x1b[K");
        }
        say(std::io::stdout(), &format!("{word:<4} {:>7.2} s  {}{name}\n", time.as_secs_f64(), self.place()));
    }

    fn failure(&mut self, time: Duration, name: &str, reason: &str) {
        let reason: String = reason.lines().map(|line| format!("\n      | {line}")).collect();
        // As one text, so that other reports cannot interrupt it.
        self.line("FAIL", time, &format!("{name}{reason}"));
        self.failures.push(format!("ring {}: {name}", self.ring));
    }
}

/// Prints lines, with anything that would move the cursor or recolour the terminal escaped: a reason may quote a guest's
/// console, a device, or a disk.
pub fn say(out: impl Write, lines: &str) {
    let mut out = Lines::new(out);
    // A closed pipe ends the run at the next print; the error can be ignored here.
    let _ = out.write_all(lines.as_bytes()).and_then(|()| out.flush());
}

/// Sums up the `test result:` lines of cargo's test harnesses.
pub fn cargo_counts(output: &str) -> Counts {
    let mut counts = Counts::default();
    for line in output.lines().filter(|line| line.starts_with("test result:")) {
        let number = |word: &str| -> usize {
            let end = line.find(word).unwrap_or(0);
            line[..end].split_whitespace().next_back().and_then(|n| n.parse().ok()).unwrap_or(0)
        };
        counts.passed += number(" passed");
        counts.failed += number(" failed");
        counts.ignored += number(" ignored");
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::{Counts, Report, cargo_counts, say};

    #[test]
    fn what_a_guest_or_a_disk_says_does_not_reach_the_terminal() {
        let mut out = Vec::new();
        say(&mut out, "FAIL\n      | no `x` on the console: \u{1b}[2Jexe\u{202e}txt\n");
        let said = String::from_utf8(out).unwrap();
        assert_eq!(said, "FAIL\n      | no `x` on the console: \\u{1b}[2Jexe\\u{202e}txt\n");
    }

    #[test]
    fn harness_lines_are_added_up() {
        let output = "running 2 tests\n\
            test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\
            test result: FAILED. 12 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n";
        assert_eq!(cargo_counts(output), Counts { passed: 14, failed: 3, ignored: 1 });
    }

    #[test]
    fn an_empty_run_is_no_success() {
        assert!(!Report::new().close());
        let mut report = Report::new();
        assert!(!report.tests("nothing", || (Counts::default(), Ok(()))));
        assert!(!report.close());
    }

    #[test]
    fn what_another_report_has_counts() {
        let mut report = Report::new();
        let mut other = Report::abreast();
        assert_eq!(other.check("good", || Ok(1)), Some(1));
        report.add(other);
        assert!(report.close());
        let (mut report, mut other) = (Report::new(), Report::abreast());
        assert_eq!(report.check("good", || Ok(1)), Some(1));
        assert!(other.check("bad", || Err::<(), _>("why".to_owned())).is_none());
        report.add(other);
        assert!(!report.close());
    }

    #[test]
    fn a_failure_counts() {
        let mut report = Report::new();
        assert_eq!(report.check("good", || Ok(1)), Some(1));
        assert!(report.check("bad", || Err::<(), _>("why".to_owned())).is_none());
        assert!(!report.close());
    }
}
