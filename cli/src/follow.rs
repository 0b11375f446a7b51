//! A file after some time, and what is added to it: `cat --after`, `cat --follow`, `log`.

use crate::device::{Device, Moment};
use crate::{Failure, to_stderr};
use clap::Args;
use picovd_manifest::BuiltInSource;
use picovd_sim::host::system::{Event, LINUX_DESKTOP, System, SystemError};
use std::io::Write;
use std::time::{Duration, Instant};

/// Step in which time passes.
const STEP: Duration = Duration::from_millis(100);

/// A host that has unmounted the volume because of a change has mounted it again after this time.
const MOUNTED: Duration = Duration::from_secs(20);

/// Print the program's log, until Ctrl-C
///
/// Prints the log file of the manifest's [log], and what is added to it, until Ctrl-C; with --after, only what was printed
/// in that time. Time passes in real time; with --after alone, as fast as it can be simulated.
#[derive(Args)]
pub struct Log {
    #[command(flatten)]
    moment: Moment,
    #[command(flatten)]
    pub device: Device,
}

impl Log {
    /// Runs the command.
    pub fn run(&self, out: &mut dyn Write) -> Result<(), Failure> {
        let plan = self.device.manifest.plan()?;
        let find = |wanted| plan.built_in.iter().find(|file| file.source == wanted).map(|file| file.path.clone());
        let path = find(BuiltInSource::Stdout)
            .ok_or_else(|| Failure::Failed("the manifest has no log: set `stdout = true` in [log]".to_owned()))?;
        let Moment { after, follow } = self.moment;
        show(&self.device, &path, after, after.is_none() || follow, out)
    }
}

/// The file at `path` this long after power-on, and with `follows` what is added to it from then on.
pub fn show(
    device: &Device,
    path: &str,
    after: Option<Duration>,
    follows: bool,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let mut system = System::boot(LINUX_DESKTOP, device.plug()?.link).map_err(Failure::of)?;
    if let Some(after) = after {
        let rest = after.saturating_sub(system.now());
        system.elapse(rest);
    }
    system.take_events();
    // The directory that was read when the volume was mounted may be older.
    let _ = system.remount();
    let mut known = read(&mut system, path)?;
    out.write_all(&known)?;
    out.flush()?;
    let (begin, began) = (system.now(), Instant::now());
    if !follows {
        return Ok(());
    }
    loop {
        system.elapse(STEP);
        let mounted = system.take_events().iter().any(|event| matches!(event, Event::Mounted(_)));
        if mounted {
            let now = read(&mut system, path)?;
            match now.strip_prefix(&known[..]) {
                Some(added) => out.write_all(added)?,
                None => {
                    to_stderr(&format!("{path} has started over"));
                    out.write_all(&now)?;
                }
            }
            known = now;
        }
        // Even if nothing is written: a closed pipe ends the command.
        out.flush()?;
        let ahead = system.now().saturating_sub(begin).saturating_sub(began.elapsed());
        std::thread::sleep(ahead);
    }
}

/// The file's bytes, as soon as a volume is mounted.
fn read(system: &mut System<'_>, path: &str) -> Result<Vec<u8>, Failure> {
    let begun = system.now();
    loop {
        match system.read(path) {
            Ok(bytes) => return Ok(bytes),
            Err(SystemError::NotMounted) if system.now() < begun + MOUNTED => system.elapse(STEP),
            Err(_) if !system.is_present() && system.now() < begun + MOUNTED => system.elapse(STEP),
            Err(error) => return Err(Failure::of(error)),
        }
    }
}
