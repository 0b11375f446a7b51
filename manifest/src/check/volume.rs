//! Rules of `[volume]`: label, dates, sizes.

use std::ops::Range;

use picovd_exfat::name;
use picovd_exfat::portable;
use picovd_exfat::time::{DateTime, Timestamp, UNIX_FIRST, UNIX_LAST};
use toml::value::{Datetime, Offset};

use super::{Rules, Volume};
use crate::diagnostic::Code;
use crate::schema::{Key, Moment, VolumeTable};

/// 2026-01-01T00:00:00Z, the default timestamp: builds do not depend on the current date.
const DEFAULT_MOMENT: u64 = 1_767_225_600;

const MIB: u64 = 1 << 20;

/// Maximum length of the volume: its bitmap is 1 MiB, which hosts read as a whole.
pub(crate) const MAXIMUM_SIZE: u64 = 32 << 30;

/// Units that the board's digits take.
const DIGITS: usize = 4;

impl Rules {
    pub(super) fn volume(&mut self, table: &VolumeTable, source_date_epoch: Option<&str>) -> Volume {
        let manifest_moment = self.moment(&table.timestamp);
        let timestamp = match source_date_epoch {
            Some(epoch) => self.epoch(epoch),
            None => manifest_moment,
        };
        let timestamp = timestamp.unwrap_or(const { Timestamp::from_unix(DEFAULT_MOMENT) });
        // By default, only the default label is followed by the digits.
        let board_digits = self.value(&table.label_board_digits, table.label.is_none());
        let label = match self.placed(&table.label) {
            Some((label, span)) => {
                self.label(&label, board_digits, span);
                label
            }
            None => "PICOVD".to_owned(),
        };
        Volume {
            label,
            board_digits,
            serial_number: self.value(&table.serial_number, timestamp.value() ^ 0x5049_434F),
            timestamp,
            minimum_size: self.size("the volume's minimum size", &table.minimum_size, MIB..MAXIMUM_SIZE + 1, MIB),
            partition_table: self.value(&table.partition_table, false),
        }
    }

    fn label(&mut self, label: &str, board_digits: bool, span: Range<usize>) {
        let most = if board_digits { name::LABEL_UNITS - DIGITS } else { name::LABEL_UNITS };
        let units = label.encode_utf16().count();
        if units > most {
            let digits = if board_digits { ", because the board's four digits follow it" } else { "" };
            self.problems.report(
                Code::Label,
                span.clone(),
                format!("the label has {units} UTF-16 units"),
                format!("use at most {most}{digits}"),
            );
        }
        // exFAT itself allows everything in a label; Windows refuses the same characters as in names.
        let is_bad = |c: &char| portable::is_unseen(*c) || u16::try_from(*c as u32).is_ok_and(name::is_forbidden);
        if let Some(bad) = label.chars().find(is_bad) {
            self.problems.report(
                Code::Label,
                span,
                format!("the label contains {bad:?}"),
                "remove invisible characters, such as control characters, and \" * / : < > ? \\ |",
            );
        }
    }

    fn epoch(&mut self, text: &str) -> Option<Timestamp> {
        let seconds = text.trim().parse::<u64>().ok();
        if seconds.is_none() {
            self.problems.report(
                Code::Epoch,
                None,
                format!("SOURCE_DATE_EPOCH is {text:?}"),
                "set it to a number of seconds since 1970, or unset it",
            );
        }
        seconds.map(Timestamp::from_unix)
    }

    /// The timestamp of a key, if it is present and exFAT can represent it.
    pub(super) fn moment(&mut self, key: &Key<Moment>) -> Option<Timestamp> {
        let (Moment(moment), span) = self.placed(key)?;
        let timestamp = timestamp(moment);
        if timestamp.is_none() {
            self.problems.report(
                Code::Timestamp,
                span,
                format!("exFAT cannot represent the time {moment}"),
                "use a time from 1980-01-01T00:00:00Z to 2107-12-31T23:59:59Z in UTC",
            );
        }
        timestamp
    }
}

/// The time in UTC, without fractions of a second.
fn timestamp(moment: Datetime) -> Option<Timestamp> {
    let date = moment.date?;
    let time = moment.time;
    let local = Timestamp::new(DateTime {
        year: date.year,
        month: date.month,
        day: date.day,
        hour: time.map_or(0, |time| time.hour),
        minute: time.map_or(0, |time| time.minute),
        // A leap second is replaced by the second before it.
        second: time.and_then(|time| time.second).unwrap_or(0).min(59),
    })?;
    let minutes = match moment.offset {
        Some(Offset::Custom { minutes }) => i64::from(minutes),
        Some(Offset::Z) | None => 0,
    };
    let seconds = unix(local.date_time()) as i64 - minutes * 60;
    let seconds = u64::try_from(seconds).ok()?;
    (UNIX_FIRST..=UNIX_LAST).contains(&seconds).then(|| Timestamp::from_unix(seconds))
}

/// Seconds since 1970 of a valid date and time in the proleptic Gregorian calendar.
fn unix(at: DateTime) -> u64 {
    let (year, month) = (u64::from(at.year) - u64::from(at.month < 3), u64::from(at.month));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + u64::from(at.day) - 1;
    let days = year * 365 + year / 4 - year / 100 + year / 400 + day_of_year - 719_468;
    days * 86_400 + u64::from(at.hour) * 3600 + u64::from(at.minute) * 60 + u64::from(at.second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unix_is_the_inverse_of_from_unix() {
        for seconds in (UNIX_FIRST..UNIX_LAST).step_by(86_399 * 7) {
            assert_eq!(unix(Timestamp::from_unix(seconds).date_time()), seconds);
        }
    }

    #[test]
    fn offsets_lead_to_utc() {
        let at = |text: &str| timestamp(text.parse().unwrap());
        assert_eq!(at("2026-01-01T01:30:00+01:30"), Some(Timestamp::from_unix(DEFAULT_MOMENT)));
        assert_eq!(at("2026-01-01"), Some(Timestamp::from_unix(DEFAULT_MOMENT)));
        assert_eq!(at("1980-01-01T00:00:00+01:00"), None);
        assert_eq!(at("1979-01-01"), None);
        assert_eq!(at("00:00:00"), None);
    }
}
