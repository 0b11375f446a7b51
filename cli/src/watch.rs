//! Watches the stick as a desktop does: shows what changes while it is plugged in.

use super::{Failure, files};
use picovd_manifest::DiskPlan;
use picovd_sim::host::exfat::volume::Node;
use picovd_sim::host::printed::Printed;
use picovd_sim::host::system::{Event, LINUX_DESKTOP, System};
use picovd_sim::link::Link;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::time::{Duration, Instant};

#[cfg(test)]
mod tests;

/// Step in which time passes.
const STEP: Duration = Duration::from_millis(100);

/// A host that has unmounted the volume because of a change has mounted it again after this time.
const MOUNTED: Duration = Duration::from_secs(20);

/// Maximum length of files that are read at each mount; of longer files only the directory entries are compared.
const LONGEST: u64 = 64 << 10;

/// Maximum number of lines of a file that are shown, and of characters in a line.
const LINES: usize = 24;
const CHARACTERS: usize = 160;

/// A file or a folder, as the host last saw it.
#[derive(PartialEq)]
struct Seen {
    node: Node,
    /// Its contents, if the board may change them and they are short.
    contents: Option<Vec<u8>>,
}

/// Everything on the volume, by path.
type Listing = BTreeMap<String, Seen>;

/// For how long the share of time is taken in which there is no medium: several announcements long.
const WINDOW: Duration = Duration::from_secs(180);

/// Time at the start that does not count: while changes keep coming, announcements become rarer.
const START: Duration = Duration::from_secs(60);

/// Share of that time, in percent, that is worth a note.
const AWAY_PERCENT: u128 = 10;

/// How long the medium was away since the begin of a window.
struct Away {
    begin: Duration,
    away: Duration,
    told: bool,
}

impl Away {
    /// A step has passed, at whose end the medium is there or not. Returns what there is to say, once.
    fn step(&mut self, now: Duration, is_mounted: bool) -> Option<String> {
        if now < self.begin {
            return None;
        }
        if !is_mounted {
            self.away += STEP;
        }
        if now < self.begin + WINDOW {
            return None;
        }
        let percent = self.away.as_millis() * 100 / WINDOW.as_millis();
        (self.begin, self.away) = (now, Duration::ZERO);
        if self.told || percent <= AWAY_PERCENT {
            return None;
        }
        self.told = true;
        Some(format!(
            "note: in the last three minutes, the disk was away for {percent} % of the time; with a longer `hold` or `max-hold` in \
             [dynamic], or `unannounced()` files, changes are announced less often"
        ))
    }
}

/// Number of changes to wait for.
const WANTED: usize = 2;

/// When watching ends.
pub enum Until {
    /// Never; time passes in real time.
    Stopped,
    /// When two changes of that file were seen; it is a failure if that takes longer than this time.
    Changes(&'static str, Duration),
}

/// Watches. Files that are in the manifest are compared by their directory entries, because the contents of memory change
/// all the time.
pub fn run(link: Box<dyn Link + '_>, plan: &DiskPlan, until: &Until, out: &mut dyn Write) -> Result<(), Failure> {
    let fixed: BTreeSet<&str> = plan.files.iter().map(|file| file.path.trim_start_matches('/')).collect();
    let mut system = System::boot(LINUX_DESKTOP, link).map_err(Failure::of)?;
    let mut known = listing(&mut system, &fixed);
    let begun = system.now();
    // A change may be announced just now.
    while known.is_err() && system.now() < begun + MOUNTED {
        system.elapse(STEP);
        known = listing(&mut system, &fixed);
    }
    let mut known = known?;
    system.take_events();
    let (begin, began) = (system.now(), Instant::now());
    let mut changes = 0;
    let mut away = Away { begin: begin + START, away: Duration::ZERO, told: false };
    loop {
        match *until {
            Until::Changes(..) if changes >= WANTED => return Ok(()),
            Until::Changes(path, longest) if system.now() >= begin + longest => {
                let text = format!("the host saw {changes} changes of {path} in {longest:?}, not {WANTED}");
                return Err(Failure::Failed(text));
            }
            _ => {}
        }
        system.elapse(STEP);
        for event in system.take_events() {
            writeln!(out, "{:>8.1} s  {}", system.now().as_secs_f64(), describe(event))?;
            // If a medium goes while it is being read, it is mounted again and read later.
            if matches!(event, Event::Mounted(_))
                && let Ok(now) = listing(&mut system, &fixed)
            {
                let changed = print_changes(&known, &now, out)?;
                changes += usize::from(matches!(until, Until::Changes(path, _) if changed.contains(*path)));
                known = now;
            }
        }
        if let Some(note) = away.step(system.now(), system.is_mounted()) {
            writeln!(out, "{note}")?;
        }
        out.flush()?;
        if matches!(until, Until::Stopped) {
            let ahead = system.now().checked_sub(begin).unwrap_or_default().saturating_sub(began.elapsed());
            std::thread::sleep(ahead);
        }
    }
}

/// Everything on the mounted volume.
fn listing(system: &mut System<'_>, fixed: &BTreeSet<&str>) -> Result<Listing, Failure> {
    let mut listing = Listing::new();
    let mut left = vec![String::new()];
    while let Some(folder) = left.pop() {
        for node in system.list(&folder).map_err(Failure::of)? {
            let path = if folder.is_empty() { node.name.clone() } else { format!("{folder}/{}", node.name) };
            let is_read = !node.is_directory() && node.data_length <= LONGEST && !fixed.contains(path.as_str());
            let contents = if is_read { Some(system.read(&path).map_err(Failure::of)?) } else { None };
            if node.is_directory() {
                left.push(path.clone());
            }
            listing.insert(path, Seen { node, contents });
        }
    }
    Ok(listing)
}

/// Prints what differs, and returns the paths of what is new or has changed.
fn print_changes<'n>(known: &Listing, now: &'n Listing, out: &mut dyn Write) -> Result<BTreeSet<&'n str>, Failure> {
    let mut differ = BTreeSet::new();
    for (path, seen) in now {
        let before = known.get(path);
        // A folder of the board moves with each change in it, which is reported anyway.
        let changed = match before {
            Some(before) if seen.node.is_directory() => before.node.is_directory() != seen.node.is_directory(),
            // The same bytes at another location are not a change.
            Some(Seen { contents: Some(old), .. }) => seen.contents.as_ref() != Some(old),
            Some(before) => before != seen,
            None => true,
        };
        if !changed {
            continue;
        }
        differ.insert(path.as_str());
        let word = if before.is_some() { "changed" } else { "new" };
        let line = files::line(&Node { name: path.clone(), ..seen.node.clone() });
        writeln!(out, "            {line}  ({word})")?;
        if let Some(new) = seen.contents.as_deref().and_then(text) {
            let old = before.and_then(|before| before.contents.as_deref()).and_then(text).unwrap_or_default();
            show(old, new, out)?;
        }
    }
    for path in known.keys().filter(|path| !now.contains_key(*path)) {
        writeln!(out, "            {} is gone", Printed(path))?;
    }
    Ok(differ)
}

/// The bytes as text, if they are some that a terminal can show.
fn text(bytes: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(bytes).ok()?;
    text.chars().all(|c| !c.is_control() || matches!(c, '\r' | '\n' | '\t')).then_some(text)
}

/// The lines that are new.
///
/// The old contents may be the start of the new ones, or their end may be the start of the new ones if a log or a table has
/// lost its first lines. Otherwise, the lines that occur more often than before.
/// lines. Else the lines of which there are more than before.
fn added<'n>(old: &'n str, new: &'n str) -> Vec<&'n str> {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    if let Some(rest) = new.strip_prefix(&old[..]) {
        return rest.to_vec();
    }
    // Half of a line may have been lost, too. A single common line is a coincidence.
    let overlap = (1..old.len()).map(|lost| &old[lost..]).take_while(|kept| kept.len() > 1);
    if let Some(rest) = overlap.into_iter().find_map(|kept| new.strip_prefix(kept)) {
        return rest.to_vec();
    }
    let mut left: BTreeMap<&str, usize> = BTreeMap::new();
    for line in old {
        *left.entry(line).or_default() += 1;
    }
    let mut is_new = |line: &&str| match left.get_mut(*line) {
        Some(count) if *count > 0 => {
            *count -= 1;
            false
        }
        _ => true,
    };
    new.into_iter().filter(|line| is_new(line)).collect()
}

/// Prints the new lines, only the last ones if there are many.
fn show(old: &str, new: &str, out: &mut dyn Write) -> Result<(), Failure> {
    let lines = added(old, new);
    let hidden = lines.len().saturating_sub(LINES);
    if hidden > 0 {
        writeln!(out, "                ... {hidden} lines more, and then:")?;
    }
    for line in lines.iter().skip(hidden) {
        let cut = line.char_indices().nth(CHARACTERS).map(|(at, _)| at);
        match cut.and_then(|at| line.get(..at)) {
            Some(start) => writeln!(out, "                {start} ...")?,
            None => writeln!(out, "                {line}")?,
        }
    }
    Ok(())
}

fn describe(event: Event) -> String {
    match event {
        Event::DeviceGone => "the device left the bus".to_owned(),
        Event::MediumGone => "no medium".to_owned(),
        Event::MediumChanged => "the medium has changed".to_owned(),
        Event::Mounted(serial) => format!("mounted a volume, serial number {serial:08X}"),
        Event::Unmounted => "unmounted".to_owned(),
    }
}
