//! The last transactions on the wire, for the report of a story that fails.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::time::Duration;

use picovd_wire::link::Pid;

/// Number of transactions kept.
const DEPTH: usize = 48;
/// Number of payload bytes kept of each.
const PREFIX: usize = 32;

/// The kind of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token {
    /// SETUP to endpoint 0.
    Setup,
    /// OUT.
    Out(Pid),
    /// IN.
    In,
    /// Bus reset, suspend, resume and the like.
    Signal(&'static str),
}

#[derive(Clone, Debug)]
struct Entry {
    time: Duration,
    token: Token,
    endpoint: u8,
    reply: &'static str,
    length: usize,
    prefix: [u8; PREFIX],
    repeats: u32,
}

/// A ring of the last transactions. Identical ones without data (NAKs) count as one.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    entries: VecDeque<Entry>,
}

impl Trace {
    /// Records a transaction.
    pub fn note(&mut self, time: Duration, token: Token, endpoint: u8, reply: &'static str, data: &[u8]) {
        if let Some(last) = self.entries.back_mut()
            && data.is_empty()
            && (last.token, last.endpoint, last.reply, last.length) == (token, endpoint, reply, 0)
        {
            last.repeats += 1;
            return;
        }
        if self.entries.len() == DEPTH {
            self.entries.pop_front();
        }
        let mut prefix = [0; PREFIX];
        let kept = data.len().min(PREFIX);
        prefix[..kept].copy_from_slice(&data[..kept]);
        self.entries.push_back(Entry { time, token, endpoint, reply, length: data.len(), prefix, repeats: 0 });
    }

    /// One line per transaction, oldest first.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = String::new();
        for entry in &self.entries {
            let token = match entry.token {
                Token::Setup => "SETUP".to_owned(),
                Token::Out(pid) => format!("OUT {pid:?}"),
                Token::In => "IN".to_owned(),
                Token::Signal(name) => name.to_owned(),
            };
            let _ = write!(
                text,
                "{:>12.3} ms  ep{} {token:<10} {:<7}",
                entry.time.as_secs_f64() * 1e3,
                entry.endpoint,
                entry.reply
            );
            if entry.length > 0 {
                let _ = write!(text, " {:>3}:", entry.length);
                for byte in &entry.prefix[..entry.length.min(PREFIX)] {
                    let _ = write!(text, " {byte:02x}");
                }
                if entry.length > PREFIX {
                    text.push_str(" ...");
                }
            }
            if entry.repeats > 0 {
                let _ = write!(text, " ({} more)", entry.repeats);
            }
            text.push('\n');
        }
        text
    }
}
