//! `story`: the end-to-end scripts.

use super::{Failure, Options, plug};
use crate::story::{Effort, STORIES};
use std::io::Write;

/// `cargo sim story [NAME]`.
pub fn run(options: &Options, out: &mut dyn Write) -> Result<(), Failure> {
    let wanted = options.text(0)?;
    let stories: Vec<_> = STORIES.iter().filter(|story| wanted.is_none_or(|name| name == story.name)).collect();
    if stories.is_empty() {
        let names: Vec<_> = STORIES.iter().map(|story| story.name).collect();
        return Err(Failure::Usage(format!("there is no such story; the stories are {}", names.join(", "))));
    }
    let effort = if options.elf.is_some() { Effort::EMULATED } else { Effort::NATIVE };
    let mut failed = 0;
    for story in &stories {
        match story.play(plug(options)?.link, effort) {
            Ok(()) => {
                writeln!(out, "ok      {:<16} {}", story.name, story.about)?;
                out.flush()?;
            }
            Err(error) => {
                failed += 1;
                writeln!(out, "FAILED  {}\n{error}", story.name)?;
            }
        }
    }
    if failed == 0 { Ok(()) } else { Err(Failure::Failed(format!("{failed} of {} stories failed", stories.len()))) }
}
