//! `story`: the end-to-end scripts.

use crate::Failure;
use crate::device::Device;
use clap::Args;
use picovd_manifest::DiskPlan;
use picovd_sim::story::{self, Effort, Story};
use std::io::Write;

/// Run the end-to-end stories, or one of them
///
/// A story is a script of the host's side. Prints one line for each, and exits with status 1 if one fails.
#[derive(Args)]
pub struct PlayStories {
    /// The story (default: all of them)
    name: Option<String>,
    /// Print the stories' names and what each of them tests
    #[arg(long)]
    list: bool,
    /// The program changes files and prints lines by itself: a story starts over if the device reported a medium change
    /// meanwhile
    #[arg(long)]
    changing: bool,
    /// The device pads where it may halt an endpoint (Bulk-Only Transport 6.7), because its USB stack cannot halt them
    #[arg(long)]
    no_halts: bool,
    /// This story has to fail: a shortcoming of the program's USB stack; may be repeated
    #[arg(long = "fails", value_name = "STORY")]
    fails: Vec<String>,
    #[command(flatten)]
    pub device: Device,
}

impl PlayStories {
    /// Runs the command.
    pub fn run(&self, out: &mut dyn Write) -> Result<(), Failure> {
        if self.list {
            for story in story::all() {
                writeln!(out, "{:<20} {}", story.name, story.about)?;
            }
            return Ok(());
        }
        let wanted = self.name.as_deref();
        let is_wanted = |story: &&Story| wanted.is_none_or(|name| name == story.name);
        let named = wanted.into_iter().chain(self.fails.iter().map(String::as_str));
        if named.into_iter().any(|name| !story::all().any(|story| story.name == name)) {
            let names: Vec<_> = story::all().map(|story| story.name).collect();
            return Err(Failure::Usage(format!("there is no such story; the stories are {}", names.join(", "))));
        }
        let DiskPlan { usb, stock, .. } = self.device.plug()?.plan;
        let stories: Vec<_> = story::stories(&usb).filter(is_wanted).collect();
        for story in story::all().filter(is_wanted) {
            if !stories.iter().any(|played| played.name == story.name) {
                if wanted.is_some() {
                    return Err(Failure::Failed(format!(
                        "`{}` requires a function that the manifest's [usb] does not have",
                        story.name
                    )));
                }
                writeln!(out, "skipped  {:<16} the manifest's [usb] does not have the required function", story.name)?;
            }
        }
        let effort = if self.device.elf.is_some() { Effort::EMULATED } else { Effort::NATIVE };
        // The stock firmware prints its first lines, and its readings change by themselves.
        let changing = self.changing || stock.firmware;
        let effort = Effort { changing, halts: !self.no_halts, ..effort };
        let mut failed = 0;
        for story in &stories {
            let fails = self.fails.iter().any(|name| name == story.name);
            match story.play(self.device.plug()?.link, effort) {
                Err(error) if fails => {
                    let what = error.0.lines().next().unwrap_or_default();
                    writeln!(out, "fails   {:<16} {what}", story.name)?;
                }
                Ok(()) if fails => {
                    failed += 1;
                    writeln!(out, "FAILED  {}\nit is said to fail, and does not", story.name)?;
                }
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
}
