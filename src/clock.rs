//! Time since power-on, which the caller supplies, and durations.
//!
//! [`Instant`] is used like `std::time::Instant`, with [`core::time::Duration`]: `next += Duration::from_millis(250)`. Other
//! crates' durations:
//!
//! | crate | duration | moment |
//! |---|---|---|
//! | fugit (rp235x-hal), with feature `fugit` or `hal` | `instant + 250.millis()` | `From` both ways for `fugit::Instant<u64, 1, 1_000_000>` |
//! | embassy-time | `instant + duration.into()` | `Instant::from_micros(other.as_micros())` |

use core::ops::{Add, AddAssign, Sub};
use core::time::Duration;

/// A point in time, in microseconds since power-on. It never wraps.
///
/// ```
/// # extern crate picovd_sim;
/// use core::time::Duration;
/// use picovd::clock::Instant;
///
/// let begin = Instant::from_micros(1_500);
/// let end = begin + Duration::from_millis(250);
/// assert_eq!(end.as_micros(), 251_500);
/// assert_eq!(end - begin, Duration::from_millis(250));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(pub u64);

impl Instant {
    /// The point in time that many microseconds after power-on.
    #[must_use]
    pub const fn from_micros(microseconds: u64) -> Self {
        Self(microseconds)
    }

    /// Microseconds since power-on.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// The time from `earlier` until this; zero if `earlier` is later.
    #[must_use]
    pub const fn duration_since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }

    /// The point in time this much later.
    #[must_use]
    pub(crate) const fn after(self, time: Milliseconds) -> Self {
        Self(self.0.saturating_add(time.0 as u64 * 1000))
    }
}

/// The point in time this much later, or the last one if there is none. Less than a microsecond does not count.
impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, time: Duration) -> Self {
        let seconds = time.as_secs().saturating_mul(1_000_000);
        Self(self.0.saturating_add(seconds).saturating_add(time.subsec_micros().into()))
    }
}

impl<T> AddAssign<T> for Instant
where
    Self: Add<T, Output = Self>,
{
    fn add_assign(&mut self, time: T) {
        *self = *self + time;
    }
}

/// As [`Instant::duration_since`].
impl Sub for Instant {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.duration_since(earlier)
    }
}

#[cfg(feature = "fugit")]
mod of_fugit {
    use super::{Add, Instant};

    /// The point in time this much later, or the last one if there is none.
    impl<const NOM: u32, const DENOM: u32> Add<fugit::Duration<u64, NOM, DENOM>> for Instant {
        type Output = Self;

        fn add(self, time: fugit::Duration<u64, NOM, DENOM>) -> Self {
            Self(self.0.saturating_add(micros(time.ticks(), NOM, DENOM)))
        }
    }

    /// The point in time this much later, or the last one if there is none.
    impl<const NOM: u32, const DENOM: u32> Add<fugit::Duration<u32, NOM, DENOM>> for Instant {
        type Output = Self;

        fn add(self, time: fugit::Duration<u32, NOM, DENOM>) -> Self {
            // In 64 bits, where minutes in microseconds do not overflow.
            Self(self.0.saturating_add(micros(time.ticks().into(), NOM, DENOM)))
        }
    }

    impl From<fugit::Instant<u64, 1, 1_000_000>> for Instant {
        fn from(moment: fugit::Instant<u64, 1, 1_000_000>) -> Self {
            Self(moment.ticks())
        }
    }

    impl From<Instant> for fugit::Instant<u64, 1, 1_000_000> {
        fn from(moment: Instant) -> Self {
            Self::from_ticks(moment.0)
        }
    }

    /// Microseconds of that many ticks of `nom / denom` seconds.
    fn micros(ticks: u64, nom: u32, denom: u32) -> u64 {
        // The compiler knows both: what is left is a multiplication for the usual units.
        let (times, parts) = (u64::from(nom) * 1_000_000, u64::from(denom).max(1));
        if times.is_multiple_of(parts) {
            ticks.saturating_mul(times / parts)
        } else {
            ticks.saturating_mul(times) / parts
        }
    }
}

/// A duration of 0 to 49 days, as the manifest has them. It is one word, where a [`Duration`] takes four, and code for dividing
/// them: what the library keeps. Its users see durations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Milliseconds(pub u32);

impl Milliseconds {
    /// The duration.
    pub const fn duration(self) -> Duration {
        Duration::from_millis(self.0 as u64)
    }

    /// The duration, rounded up, so that no wait is shorter than it was asked for. What is longer than 49 days is 49 days.
    pub const fn from_duration(time: Duration) -> Self {
        // In parts: `Duration::as_millis` is a `u128`.
        let part = time.subsec_nanos().div_ceil(1_000_000) as u64;
        let all = time.as_secs().saturating_mul(1_000).saturating_add(part);
        Self(if all > u32::MAX as u64 { u32::MAX } else { all as u32 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_and_durations_are_added_and_never_wrap() {
        let moment = Instant::from_micros(7);
        assert_eq!(moment + Duration::from_nanos(2_999), Instant(9));
        assert_eq!(moment + Duration::new(3, 4_000), Instant(3_000_011));
        assert_eq!(moment + Duration::MAX, Instant(u64::MAX));
        assert_eq!(moment - Instant(9), Duration::ZERO);
        assert_eq!(Instant(2_000_009) - Instant(9), Duration::from_secs(2));
        let mut next = Instant::default();
        next += Duration::from_millis(250);
        assert_eq!(next.as_micros(), 250_000);
    }

    #[test]
    fn durations_become_milliseconds_rounded_up() {
        for (time, expected) in [
            (Duration::ZERO, 0),
            (Duration::from_nanos(1), 1),
            (Duration::from_millis(1_500), 1_500),
            (Duration::from_micros(1_999_001), 2_000),
            (Duration::from_millis(u32::MAX.into()), u32::MAX),
            (Duration::MAX, u32::MAX),
        ] {
            assert_eq!(Milliseconds::from_duration(time), Milliseconds(expected), "{time:?}");
        }
        assert_eq!(Milliseconds(1_500).duration(), Duration::from_millis(1_500));
    }

    #[cfg(feature = "fugit")]
    #[test]
    fn durations_of_fugit_are_added() {
        use fugit::{ExtU32, ExtU64};
        let moment = Instant(5);
        let milliseconds: fugit::MillisDurationU32 = ExtU32::millis(250);
        let hours: fugit::HoursDurationU32 = ExtU32::hours(2);
        let ticks = fugit::Duration::<u64, 1, 48_000_000>::from_ticks(96);
        assert_eq!(moment + milliseconds, Instant(250_005));
        // More microseconds than fit into 32 bits.
        assert_eq!(moment + hours, Instant(7_200_000_005));
        assert_eq!(moment + ticks, Instant(7));
        let long: fugit::SecsDurationU64 = u64::MAX.secs();
        assert_eq!(moment + long, Instant(u64::MAX));
        assert_eq!(Instant::from(fugit::Instant::<u64, 1, 1_000_000>::from(moment)), moment);
    }
}
