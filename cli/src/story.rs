//! `story`: the end-to-end scripts.

use super::{Failure, Options, plug};
use picovd_sim::story::{self, Effort, Story};
use std::io::Write;

/// `cargo sim story [NAME]`.
pub fn run(options: &Options, out: &mut dyn Write) -> Result<(), Failure> {
    if options.list {
        for story in story::all() {
            writeln!(out, "{:<20} {}", story.name, story.about)?;
        }
        return Ok(());
    }
    let wanted = options.text(0)?;
    let is_wanted = |story: &&Story| wanted.is_none_or(|name| name == story.name);
    if !story::all().any(|story| is_wanted(&story)) {
        let names: Vec<_> = story::all().map(|story| story.name).collect();
        return Err(Failure::Usage(format!("there is no such story; the stories are {}", names.join(", "))));
    }
    let usb = plug(options)?.plan.usb;
    let stories: Vec<_> = story::stories(&usb).filter(is_wanted).collect();
    for story in story::all().filter(is_wanted) {
        if !stories.iter().any(|played| played.name == story.name) {
            if wanted.is_some() {
                return Err(Failure::Failed(format!("the manifest's [usb] lacks what `{}` is about", story.name)));
            }
            writeln!(out, "left out {:<16} the manifest's [usb] lacks what it is about", story.name)?;
        }
    }
    let effort = if options.elf.is_some() { Effort::EMULATED } else { Effort::NATIVE };
    let effort = Effort { changing: options.changing, ..effort };
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
