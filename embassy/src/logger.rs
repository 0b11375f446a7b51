//! The `log` crate's messages, as lines of the manifest's log.

use log::{LevelFilter, Log, Metadata, Record, SetLoggerError};

struct Lines;

impl Log for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            picovd::println!("{:5} {}: {}", record.level(), record.target(), record.args());
        }
    }

    fn flush(&self) {}
}

/// From now on, messages of the `log` crate up to `level` are lines of the log that `[log]` of the manifest shows. What is
/// logged before the [`MassStorage`](crate::MassStorage) is made is lost.
///
/// # Errors
///
/// There is a logger already.
pub fn start(level: LevelFilter) -> Result<(), SetLoggerError> {
    log::set_logger(&Lines)?;
    log::set_max_level(level);
    Ok(())
}
