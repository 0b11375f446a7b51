//! Problems, as the report shows them: the rule, where, the clause, and what to do.

use picovd_sim::host::exfat::check::{Check, Finding};
use std::collections::BTreeMap;
use std::fmt;

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The rule's stable name.
    rule: &'static str,
    /// Where, and what was found.
    text: String,
    /// The source of the rule: a clause of the exFAT specification, the manifest, the medium.
    clause: String,
    /// The rule in words, or what to do.
    note: Option<String>,
}

impl Problem {
    /// The medium itself is the problem.
    pub fn medium(rule: &'static str, text: String) -> Self {
        Self { rule, text, clause: "medium".to_owned(), note: None }
    }

    /// The medium differs from the manifest.
    pub fn manifest(rule: &'static str, text: String) -> Self {
        Self { rule, text, clause: "manifest".to_owned(), note: None }
    }

    /// Adds what to do about it.
    pub fn remedy(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, text, clause, note } = self;
        write!(f, "  {rule}: {text} ({clause})")?;
        note.iter().try_for_each(|note| write!(f, "\n      {note}"))
    }
}

/// The list of problems, and remarks.
#[derive(Debug, Default)]
pub struct Problems {
    list: Vec<Problem>,
    remarks: Vec<String>,
}

impl Problems {
    /// Adds a problem.
    pub fn add(&mut self, problem: Problem) {
        self.list.push(problem);
    }

    /// Adds a remark, which is not a problem.
    pub fn remark(&mut self, text: String) {
        self.remarks.push(text);
    }

    /// Adds the checker's findings.
    pub fn finding(&mut self, finding: &Finding) {
        let Finding { check, text } = finding;
        let clause = check.clause();
        let standard = if clause.starts_with(|c: char| c.is_ascii_digit()) { "exFAT " } else { "" };
        let note = match check {
            Check::VolumeFits => "the image was cut off, or the disk is not the one that the volume was made for",
            other => other.about(),
        };
        let (rule, clause, note) = (check.id(), format!("{standard}{clause}"), Some(note.to_owned()));
        self.add(Problem { rule, text: text.clone(), clause, note });
    }

    /// Blocks that cannot be read; adjacent ones with the same reason are one problem. They come first, since other
    /// problems may result from them.
    pub fn unreadable(&mut self, failures: &BTreeMap<u64, String>) {
        let mut runs: Vec<(u64, u64, &String)> = Vec::new();
        for (&lba, reason) in failures {
            match runs.last_mut() {
                Some((_, last, same)) if *last + 1 == lba && *same == reason => *last = lba,
                _ => runs.push((lba, lba, reason)),
            }
        }
        let first = runs.into_iter().map(|(first, last, reason)| {
            let place = if first == last { format!("LBA {first}") } else { format!("LBA {first} to {last}") };
            let problem = Problem::medium("read-error", format!("{place}: {reason}"));
            problem.remedy("where the volume's tables are, such a block counts as zeros below")
        });
        self.list.splice(..0, first);
    }

    /// Number of problems.
    pub fn count(&self) -> usize {
        self.list.len()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for remark in &self.remarks {
            writeln!(f, "remark          {remark}")?;
        }
        match self.list.len() {
            0 => return writeln!(f, "problems        none"),
            count => writeln!(f, "problems        {count}")?,
        }
        self.list.iter().try_for_each(|problem| writeln!(f, "{problem}"))
    }
}

#[cfg(test)]
mod tests {
    use super::Problems;
    use std::collections::BTreeMap;

    #[test]
    fn neighbouring_blocks_are_one_problem() {
        let failures = [(7, "a"), (8, "a"), (9, "b"), (11, "b")];
        let failures: BTreeMap<u64, String> = failures.map(|(lba, text)| (lba, text.to_owned())).into();
        let mut problems = Problems::default();
        problems.unreadable(&failures);
        let text = problems.to_string();
        let lines: Vec<_> = text.lines().filter(|line| line.contains("read-error")).map(str::trim).collect();
        assert_eq!(
            lines,
            ["read-error: LBA 7 to 8: a (medium)", "read-error: LBA 9: b (medium)", "read-error: LBA 11: b (medium)"]
        );
    }
}
