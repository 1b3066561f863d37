//! Time zones as the guard uses them: compiled in, so that it does no I/O and answers the same on every machine.

use std::sync::LazyLock;

use jiff::civil::{Date, Time};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

static DATABASE: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// Seconds of a day without a change of clocks.
pub const DAY: i32 = 86_400;

/// A time zone by its IANA name, such as `America/Chicago`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TimeZoneName {
    name: String,
    zone: TimeZone,
}

/// The text is no IANA time zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is no IANA time zone such as America/Chicago")]
pub struct NotAZone;

/// What a clock on the wall shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Local {
    /// The date.
    pub date: Date,
    /// Seconds since the clock showed 0:00.
    pub second: i32,
}

impl TimeZoneName {
    /// Parses an IANA name; abbreviations (`PST`) and offsets are refused, since they do not say when clocks change.
    ///
    /// # Errors
    /// When the text is no such name.
    pub fn parse(text: &str) -> Result<Self, NotAZone> {
        let text = text.trim();
        if !text.contains('/') && !matches!(text, "UTC") {
            return Err(NotAZone);
        }
        let zone = DATABASE.get(text).map_err(|_| NotAZone)?;
        let name = zone.iana_name().unwrap_or(text).to_owned();
        Ok(Self { name, zone })
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.name
    }

    /// What clocks show there at `at`.
    #[must_use]
    pub fn local(&self, at: Timestamp) -> Local {
        let civil = self.zone.to_datetime(at);
        Local { date: civil.date(), second: second_of(civil.time()) }
    }

    /// When `wanted` seconds of the day are reached by a clock that shows `local` at `at`, or when the clocks change, if
    /// that is sooner: whoever asks looks again then.
    #[must_use]
    pub fn reaches(&self, at: Timestamp, local: Local, wanted: i32) -> Timestamp {
        let due = plus(at, SignedDuration::from_secs(i64::from(wanted - local.second)));
        match self.zone.following(at).next() {
            Some(change) if change.timestamp() < due => change.timestamp(),
            _ => due,
        }
    }
}

/// Second of the day; fractions are cut, which never moves a moment over a whole second.
fn second_of(time: Time) -> i32 {
    i32::from(time.hour()) * 3600 + i32::from(time.minute()) * 60 + i32::from(time.second())
}

/// `at` plus `duration`; at the end of all time, that end.
#[must_use]
pub fn plus(at: Timestamp, duration: SignedDuration) -> Timestamp {
    at.checked_add(duration).unwrap_or(if duration.is_negative() { Timestamp::MIN } else { Timestamp::MAX })
}

impl TryFrom<String> for TimeZoneName {
    type Error = NotAZone;

    fn try_from(text: String) -> Result<Self, NotAZone> {
        Self::parse(&text)
    }
}

impl From<TimeZoneName> for String {
    fn from(zone: TimeZoneName) -> Self {
        zone.name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_say_when_clocks_change_are_zones() {
        for name in ["America/Chicago", " America/Chicago ", "america/chicago", "US/Eastern", "UTC"] {
            assert!(TimeZoneName::parse(name).is_ok(), "{name}");
        }
        assert_eq!(TimeZoneName::parse("america/chicago").unwrap().as_str(), "America/Chicago");
        for name in ["", "PST", "EST", "EST5EDT", "Chicago", "-05:00", "America/Springfield", "America/../etc"] {
            assert_eq!(TimeZoneName::parse(name), Err(NotAZone), "{name}");
        }
    }

    #[test]
    fn a_wait_across_a_change_of_clocks_stops_there() {
        let zone = TimeZoneName::parse("America/New_York").unwrap();
        let midnight: Timestamp = "2026-03-08T00:00:00-05:00".parse().unwrap();
        let change = "2026-03-08T03:00:00-04:00".parse().unwrap();
        assert_eq!(zone.reaches(midnight, zone.local(midnight), 8 * 3600), change);
        assert_eq!(zone.reaches(change, zone.local(change), 8 * 3600), "2026-03-08T08:00:00-04:00".parse().unwrap());
    }
}
