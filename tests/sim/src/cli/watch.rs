//! Watches the stick as a desktop does: what changes while it is plugged in.

use super::{Failure, files};
use crate::demo;
use crate::host::system::{Event, LINUX_DESKTOP, System};
use crate::link::Link;
use std::collections::BTreeMap;
use std::io::Write;
use std::time::{Duration, Instant};

/// How coarsely time passes.
const STEP: Duration = Duration::from_millis(100);

/// How long the stick is watched, in simulated time, until two readings of the sample sensor have been seen.
const LONGEST: Duration = Duration::from_secs(90);

/// Names of the root directory with their lines, and the sensor's text.
type Listing = BTreeMap<String, String>;

/// Watches until two changes were seen, or for ever, in real time then.
pub fn run(link: Box<dyn Link + '_>, forever: bool, out: &mut dyn Write) -> Result<(), Failure> {
    if forever {
        writeln!(out, "\nWatching as a Linux desktop does, until Ctrl-C:")?;
    } else {
        writeln!(
            out,
            "\nNow an application registers {}; a Linux desktop, which polls every two seconds, sees:",
            demo::PATH
        )?;
    }
    demo::plug_in();
    let mut system = System::boot(LINUX_DESKTOP, link).map_err(Failure::of)?;
    system.take_events();
    let mut known = listing(&mut system)?;
    let (begin, began) = (system.now(), Instant::now());
    let mut changes = 0;
    while forever || (changes < 2 && system.now() < begin + LONGEST) {
        system.elapse(STEP);
        for event in system.take_events() {
            writeln!(out, "{:>8.1} s  {}", system.now().as_secs_f64(), told(event))?;
            if !matches!(event, Event::Mounted(_)) {
                continue;
            }
            let now = listing(&mut system)?;
            changes += usize::from(now != known);
            for (name, line) in &now {
                if known.get(name) != Some(line) {
                    writeln!(out, "            {line}")?;
                }
            }
            for name in known.keys().filter(|name| !now.contains_key(*name)) {
                writeln!(out, "            {name} is gone")?;
            }
            known = now;
            if let Ok(text) = system.read(demo::PATH) {
                for line in String::from_utf8_lossy(&text).lines() {
                    writeln!(out, "                {line}")?;
                }
            }
        }
        out.flush()?;
        if forever {
            let ahead = system.now().checked_sub(begin).unwrap().saturating_sub(began.elapsed());
            std::thread::sleep(ahead);
        }
    }
    if forever || changes == 2 {
        return Ok(());
    }
    Err(Failure::Failed(format!("the host saw {changes} changes of {} in {LONGEST:?}, not 2", demo::PATH)))
}

fn listing(system: &mut System<'_>) -> Result<Listing, Failure> {
    let nodes = system.list("").map_err(Failure::of)?;
    Ok(nodes.into_iter().map(|node| (node.name.clone(), files::line(&node))).collect())
}

fn told(event: Event) -> String {
    match event {
        Event::DeviceGone => "the device left the bus".to_owned(),
        Event::MediumGone => "no medium".to_owned(),
        Event::MediumChanged => "the medium has changed".to_owned(),
        Event::Mounted(serial) => format!("mounted a volume, serial number {serial:08X}"),
        Event::Unmounted => "unmounted".to_owned(),
    }
}
