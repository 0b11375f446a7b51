//! Timestamps (7.4.8 to 7.4.10): double seconds, a 10 ms increment, and an offset from UTC.

/// A calendar date and time of day, without a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DateTime {
    /// 1980 to 2107, the range of the format.
    pub year: u16,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31, depending on the month.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 59: the format has no leap seconds.
    pub second: u8,
}

impl DateTime {
    /// Whether every field is in its range and the day exists.
    #[must_use]
    pub const fn is_valid(self) -> bool {
        self.year >= 1980
            && self.year <= 2107
            && self.month >= 1
            && self.month <= 12
            && self.day >= 1
            && self.day <= days_in_month(self.year, self.month)
            && self.hour <= 23
            && self.minute <= 59
            && self.second <= 59
    }
}

/// Offset of a timestamp from UTC (7.4.10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UtcOffset(pub u8);

impl UtcOffset {
    /// OffsetValid set and an offset of zero: the timestamp is UTC.
    pub const UTC: Self = Self(0x80);
}

/// A timestamp as it is stored in an entry. A value of this type proves that its fields are in range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timestamp {
    double_seconds: u32,
    increment: u8,
    utc_offset: UtcOffset,
}

/// Seconds from 1970-01-01 to 1980-01-01, the earliest time of the format.
pub const UNIX_FIRST: u64 = 315_532_800;
/// Seconds from 1970-01-01 to 2107-12-31T23:59:59, the latest time of the format.
pub const UNIX_LAST: u64 = 4_354_819_199;

impl Timestamp {
    /// The earliest time of the format, 1980-01-01T00:00:00Z.
    pub const FIRST: Self = Self::from_unix(UNIX_FIRST);

    /// The timestamp of a time in UTC, or `None` if the date or time is invalid.
    #[must_use]
    pub const fn new(at: DateTime) -> Option<Self> {
        if at.is_valid() { Some(Self::pack(at)) } else { None }
    }

    /// The timestamp of a time in seconds since 1970-01-01T00:00:00Z.
    ///
    /// Times outside the range of the format are clamped to [`UNIX_FIRST`] and [`UNIX_LAST`].
    #[must_use]
    pub const fn from_unix(seconds: u64) -> Self {
        let seconds = if seconds < UNIX_FIRST {
            UNIX_FIRST
        } else if seconds > UNIX_LAST {
            UNIX_LAST
        } else {
            seconds
        };
        let since_1980 = (seconds - UNIX_FIRST) as u32;
        let (mut days, of_day) = (since_1980 / 86_400, since_1980 % 86_400);
        let mut year = 1980;
        while days >= days_in_year(year) {
            days -= days_in_year(year);
            year += 1;
        }
        let mut month = 1;
        while days >= days_in_month(year, month) as u32 {
            days -= days_in_month(year, month) as u32;
            month += 1;
        }
        Self::pack(DateTime {
            year,
            month,
            day: days as u8 + 1,
            hour: (of_day / 3600) as u8,
            minute: (of_day / 60 % 60) as u8,
            second: (of_day % 60) as u8,
        })
    }

    /// The timestamp in UTC whose Timestamp field (7.4.8) is `value`, or `None` if that is not a valid time.
    #[must_use]
    pub const fn from_value(value: u32) -> Option<Self> {
        let timestamp = Self { double_seconds: value, increment: 0, utc_offset: UtcOffset::UTC };
        if timestamp.date_time().is_valid() { Some(timestamp) } else { None }
    }

    const fn pack(at: DateTime) -> Self {
        Self {
            double_seconds: (at.second as u32 / 2)
                | (at.minute as u32) << 5
                | (at.hour as u32) << 11
                | (at.day as u32) << 16
                | (at.month as u32) << 21
                | (at.year as u32 - 1980) << 25,
            increment: at.second % 2 * 100,
            utc_offset: UtcOffset::UTC,
        }
    }

    /// Date and time in the timestamp's own zone, without hundredths of seconds.
    #[must_use]
    pub const fn date_time(self) -> DateTime {
        DateTime {
            year: field_at(self.double_seconds, 25, 7) as u16 + 1980,
            month: field_at(self.double_seconds, 21, 4) as u8,
            day: field_at(self.double_seconds, 16, 5) as u8,
            hour: field_at(self.double_seconds, 11, 5) as u8,
            minute: field_at(self.double_seconds, 5, 6) as u8,
            second: field_at(self.double_seconds, 0, 5) as u8 * 2 + self.increment / 100,
        }
    }

    /// The Timestamp field (7.4.8).
    #[must_use]
    pub const fn value(self) -> u32 {
        self.double_seconds
    }

    /// The 10msIncrement field (7.4.9): 0 to 199.
    #[must_use]
    pub const fn increment(self) -> u8 {
        self.increment
    }

    /// The UtcOffset field (7.4.10).
    #[must_use]
    pub const fn utc_offset(self) -> UtcOffset {
        self.utc_offset
    }
}

const fn field_at(value: u32, shift: u32, bits: u32) -> u32 {
    (value >> shift) & ((1 << bits) - 1)
}

const fn is_leap(year: u16) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

const fn days_in_year(year: u16) -> u32 {
    if is_leap(year) { 366 } else { 365 }
}

const fn days_in_month(year: u16, month: u8) -> u8 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(year: u16, month: u8, day: u8, hour: u8, minute: u8, second: u8) -> DateTime {
        DateTime { year, month, day, hour, minute, second }
    }

    #[test]
    fn known_moments() {
        let first = Timestamp::from_unix(0);
        assert_eq!(first, Timestamp::FIRST);
        // 7.4.8: day 1, month 1, everything else 0.
        assert_eq!((first.value(), first.increment()), (0x0021_0000, 0));
        let new_year = Timestamp::from_unix(1_767_225_600);
        assert_eq!(new_year.date_time(), at(2026, 1, 1, 0, 0, 0));
        assert_eq!(new_year.value(), 46 << 25 | 1 << 21 | 1 << 16);
        assert_eq!(new_year.utc_offset(), UtcOffset(0x80));
        let odd = Timestamp::from_unix(1_234_567_891);
        assert_eq!(odd.date_time(), at(2009, 2, 13, 23, 31, 31));
        assert_eq!(odd.increment(), 100);
        assert_eq!(Timestamp::from_unix(UNIX_LAST).date_time(), at(2107, 12, 31, 23, 59, 59));
        assert_eq!(Timestamp::from_unix(u64::MAX), Timestamp::from_unix(UNIX_LAST));
    }

    #[test]
    fn values_are_moments_or_refused() {
        let new_year = Timestamp::from_unix(1_767_225_600);
        assert_eq!(Timestamp::from_value(new_year.value()), Some(new_year));
        assert_eq!(Timestamp::from_value(0), None, "month 0");
        assert_eq!(Timestamp::from_value(0x0021_0000 | 30), None, "second 60");
    }

    #[test]
    fn days_that_do_not_exist_are_refused() {
        assert!(Timestamp::new(at(2024, 2, 29, 0, 0, 0)).is_some());
        assert_eq!(Timestamp::new(at(2100, 2, 29, 0, 0, 0)), None);
        assert_eq!(Timestamp::new(at(1979, 12, 31, 0, 0, 0)), None);
        assert_eq!(Timestamp::new(at(2108, 1, 1, 0, 0, 0)), None);
        assert_eq!(Timestamp::new(at(2026, 13, 1, 0, 0, 0)), None);
        assert_eq!(Timestamp::new(at(2026, 4, 31, 0, 0, 0)), None);
        assert_eq!(Timestamp::new(at(2026, 4, 0, 0, 0, 0)), None);
        assert_eq!(Timestamp::new(at(2026, 4, 1, 24, 0, 0)), None);
        assert_eq!(Timestamp::new(at(2026, 4, 1, 0, 0, 60)), None);
    }

    #[test]
    #[cfg_attr(miri, ignore = "takes minutes in Miri")]
    fn every_day_follows_the_one_before() {
        let mut before = Timestamp::FIRST;
        for seconds in (UNIX_FIRST + 86_400..=UNIX_LAST).step_by(86_400) {
            let now = Timestamp::from_unix(seconds);
            assert!(now.value() > before.value());
            assert!(now.date_time().is_valid());
            assert_eq!(Timestamp::new(now.date_time()), Some(now));
            before = now;
        }
    }
}
