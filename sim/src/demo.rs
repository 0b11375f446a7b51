//! A sample application for `cargo sim` alone: a thermometer that keeps its last readings in a file.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use picovd::clock::Instant;
use picovd::files::Snapshot;
use picovd::vd::{File, Files, vd_add_file, vd_update_file};
use picovd_manifest::{DiskPlan, Refresh};

use crate::native::Application;

/// Path of the file.
pub const PATH: &str = "SENSOR.CSV";

/// Whether the sensor is plugged in: not while the disk is still being compared with the manifest, which does not know its
/// file.
static PLUGGED_IN: AtomicBool = AtomicBool::new(false);

/// Plugs the sensor in.
pub fn plug_in() {
    PLUGGED_IN.store(true, Ordering::Relaxed);
}

/// Why the manifest has no room for the sensor; `None` if it has.
#[must_use]
pub fn obstacle(plan: &DiskPlan) -> Option<String> {
    let dynamic = &plan.changes;
    let taken = plan.files.iter().map(|file| &file.path).chain(plan.built_in.iter().map(|file| &file.path));
    let taken = taken.chain(plan.directories.iter().map(|directory| &directory.path)).chain([&plan.partitions.folder]);
    if dynamic.files == 0 {
        Some("[dynamic] files reserves no room for an application's files".to_owned())
    } else if usize::from(dynamic.max_name) < PATH.len() {
        Some(format!("[dynamic] max-name is {}, and `{PATH}` has {}", dynamic.max_name, PATH.len()))
    } else if taken.into_iter().any(|path| path.eq_ignore_ascii_case(PATH)) {
        Some(format!("the manifest has a `{PATH}` of its own"))
    } else {
        None
    }
}

/// Within which time a desktop has seen two readings, given the manifest's times for announcements; `None` if it never
/// does.
///
/// A change is announced at the latest `max-age`, `max-hold` and half a second after it was made, or 4 s after the volume was
/// mounted; a desktop has the new files 8.5 s after that.
#[must_use]
pub fn patience(plan: &DiskPlan) -> Option<Duration> {
    let dynamic = &plan.changes;
    let told =
        Duration::from_millis(u64::from(dynamic.max_age) + u64::from(dynamic.max_hold)) + Duration::from_secs(13);
    (dynamic.refresh != Refresh::Attention).then(|| 2 * (Duration::from_secs(INTERVAL) + told))
}

/// Seconds between two readings: longer than the manifest's `hold`, so that each reading is announced.
const INTERVAL: u64 = 12;

/// The last readings: seconds since power-on and thousandths of a degree.
#[derive(Clone, Copy, Default)]
struct Readings {
    count: usize,
    rows: [(u64, i32); 32],
}

impl fmt::Display for Readings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("seconds,degrees\r\n")?;
        let kept = self.rows.len();
        for index in self.count.saturating_sub(kept)..self.count {
            let (seconds, milli) = self.rows[index % kept];
            write!(f, "{seconds},{}.{:03}\r\n", milli / 1000, milli % 1000)?;
        }
        Ok(())
    }
}

/// The application.
struct Sensor {
    files: &'static Files<'static>,
    file: &'static File<'static>,
    content: &'static Snapshot<Readings>,
    readings: Readings,
    next: u64,
}

/// Starts it: [`crate::native::Start`].
#[must_use]
pub fn start(files: &'static Files<'static>) -> Box<dyn Application> {
    let content: &'static Snapshot<Readings> = Box::leak(Box::new(Snapshot::new(Readings::default())));
    let file = Box::leak(Box::new(File::new(PATH, content, 4096)));
    Box::new(Sensor { files, file, content, readings: Readings::default(), next: 0 })
}

impl Application for Sensor {
    fn turn(&mut self, now: Instant) {
        let seconds = now.0 / 1_000_000;
        if seconds < self.next || !PLUGGED_IN.load(Ordering::Relaxed) {
            return;
        }
        self.next = seconds + INTERVAL;
        let index = self.readings.count % self.readings.rows.len();
        // A room that warms up and cools down.
        let swing = ((seconds * 37) % 2_000).abs_diff(1_000) as i32;
        self.readings.rows[index] = (seconds, 20_500 + swing);
        self.readings.count += 1;
        self.content.set(self.readings);
        // Without room for dynamic files, there is no sensor.
        if vd_update_file(self.files, self.file).is_err() {
            let _ = vd_add_file(self.files, self.file);
        }
    }
}
