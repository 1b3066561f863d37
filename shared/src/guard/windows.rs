//! The owner's windows: hours per weekday in the callee's time, several a day, also across midnight.

use std::fmt;

use jiff::civil::{Date, Weekday};
use serde::{Deserialize, Serialize};

use super::zone::DAY;

/// A minute of the day, 0:00 to 24:00.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Minute(u16);

/// The text is no time of day, or the window is empty.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAWindow {
    /// No time of day.
    #[error("is no time of day such as 09:00; the last is 24:00")]
    Time,
    /// It begins when it ends.
    #[error("a window begins when it ends; the whole day is 00:00 to 24:00")]
    Empty,
}

/// From `from` until `to`; where `to` is earlier, until `to` of the next day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(try_from = "Ends", into = "Ends", deny_unknown_fields)]
pub struct Window {
    #[schema(value_type = String, pattern = "^(([01]?[0-9]|2[0-3]):[0-5]?[0-9]|24:0?0)$", example = "09:00")]
    from: Minute,
    #[schema(value_type = String, pattern = "^(([01]?[0-9]|2[0-3]):[0-5]?[0-9]|24:0?0)$", example = "17:30")]
    to: Minute,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ends {
    from: Minute,
    to: Minute,
}

/// Windows of each weekday, in the callee's time. A weekday without any has none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Windows {
    /// Monday's.
    pub monday: Vec<Window>,
    /// Tuesday's.
    pub tuesday: Vec<Window>,
    /// Wednesday's.
    pub wednesday: Vec<Window>,
    /// Thursday's.
    pub thursday: Vec<Window>,
    /// Friday's.
    pub friday: Vec<Window>,
    /// Saturday's.
    pub saturday: Vec<Window>,
    /// Sunday's.
    pub sunday: Vec<Window>,
}

impl Minute {
    /// Parses `HH:MM`.
    ///
    /// # Errors
    /// When the text is no time of day.
    pub fn parse(text: &str) -> Result<Self, NotAWindow> {
        let (hour, minute) = text.trim().split_once(':').ok_or(NotAWindow::Time)?;
        let number = |part: &str| match part.len() {
            1 | 2 if part.bytes().all(|b| b.is_ascii_digit()) => part.parse::<u16>().map_err(|_| NotAWindow::Time),
            _ => Err(NotAWindow::Time),
        };
        let (hour, minute) = (number(hour)?, number(minute)?);
        if hour > 24 || minute > 59 || (hour == 24 && minute > 0) {
            return Err(NotAWindow::Time);
        }
        Ok(Self(hour * 60 + minute))
    }

    fn second(self) -> i32 {
        i32::from(self.0) * 60
    }
}

impl Window {
    /// A window.
    ///
    /// # Errors
    /// When it begins when it ends.
    pub fn new(from: Minute, to: Minute) -> Result<Self, NotAWindow> {
        if from.0 % 1440 == to.0 % 1440 && !(from.0 == 0 && to.0 == 1440) {
            return Err(NotAWindow::Empty);
        }
        Ok(Self { from, to })
    }

    fn crosses_midnight(self) -> bool {
        self.to < self.from
    }
}

impl Windows {
    /// The same windows every day.
    #[must_use]
    pub fn daily(windows: &[Window]) -> Self {
        let day = || windows.to_vec();
        Self {
            monday: day(),
            tuesday: day(),
            wednesday: day(),
            thursday: day(),
            friday: day(),
            saturday: day(),
            sunday: day(),
        }
    }

    fn of(&self, weekday: Weekday) -> &[Window] {
        match weekday {
            Weekday::Monday => &self.monday,
            Weekday::Tuesday => &self.tuesday,
            Weekday::Wednesday => &self.wednesday,
            Weekday::Thursday => &self.thursday,
            Weekday::Friday => &self.friday,
            Weekday::Saturday => &self.saturday,
            Weekday::Sunday => &self.sunday,
        }
    }

    /// The spans of a day, in seconds since 0:00: its own, and what the day before reaches over.
    pub(super) fn spans(&self, date: Date) -> impl Iterator<Item = (i32, i32)> {
        let today = self.of(date.weekday());
        let before = self.of(date.weekday().previous());
        let own = today
            .iter()
            .map(|window| (window.from.second(), if window.crosses_midnight() { DAY } else { window.to.second() }));
        own.chain(before.iter().filter(|window| window.crosses_midnight()).map(|window| (0, window.to.second())))
    }
}

impl fmt::Display for Minute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

impl TryFrom<String> for Minute {
    type Error = NotAWindow;

    fn try_from(text: String) -> Result<Self, NotAWindow> {
        Self::parse(&text)
    }
}

impl From<Minute> for String {
    fn from(minute: Minute) -> Self {
        minute.to_string()
    }
}

impl TryFrom<Ends> for Window {
    type Error = NotAWindow;

    fn try_from(ends: Ends) -> Result<Self, NotAWindow> {
        Self::new(ends.from, ends.to)
    }
}

impl From<Window> for Ends {
    fn from(window: Window) -> Self {
        Self { from: window.from, to: window.to }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn minute(text: &str) -> Minute {
        Minute::parse(text).unwrap()
    }

    #[test]
    fn windows_are_read_and_written_by_weekday() {
        let text = r#"{"monday":[{"from":"09:00","to":"12:30"},{"from":"13:00","to":"24:00"}],"sunday":[]}"#;
        let windows: Windows = serde_json::from_str(text).unwrap();
        assert_eq!(windows.monday.len(), 2);
        let written = serde_json::to_value(&windows).unwrap();
        assert_eq!(written["monday"][0]["to"], "12:30");
        assert_eq!(serde_json::from_value::<Windows>(written).unwrap(), windows);
    }

    #[test]
    fn what_is_no_window_is_refused_with_a_word() {
        for (text, word) in [
            (r#"{"monday":[{"from":"9","to":"17:00"}]}"#, "no time of day"),
            (r#"{"monday":[{"from":"09:60","to":"17:00"}]}"#, "no time of day"),
            (r#"{"monday":[{"from":"09:00","to":"24:01"}]}"#, "no time of day"),
            (r#"{"monday":[{"from":"+9:00","to":"17:00"}]}"#, "no time of day"),
            (r#"{"monday":[{"from":"09:00","to":"09:00"}]}"#, "begins when it ends"),
            (r#"{"monday":[{"from":"24:00","to":"00:00"}]}"#, "begins when it ends"),
            (r#"{"mon":[]}"#, "unknown field"),
            (r#"{"monday":[{"from":"09:00","to":"17:00","zone":"UTC"}]}"#, "unknown field"),
        ] {
            let error = serde_json::from_str::<Windows>(text).unwrap_err().to_string();
            assert!(error.contains(word), "{text}: {error}");
        }
    }

    #[test]
    fn a_window_across_midnight_belongs_to_the_day_on_which_it_begins() {
        let friday = vec![Window::new(minute("22:00"), minute("02:00")).unwrap()];
        let windows = Windows { friday, ..Windows::default() };
        let spans = |day| windows.spans(date(2026, 7, day)).collect::<Vec<_>>();
        assert_eq!(spans(16), []);
        assert_eq!(spans(17), [(22 * 3600, DAY)]);
        assert_eq!(spans(18), [(0, 2 * 3600)]);
        assert_eq!(spans(19), []);
    }

    #[test]
    fn a_window_until_midnight_does_not_reach_into_the_next_day() {
        for end in ["24:00", "00:00"] {
            let windows = Windows::daily(&[Window::new(minute("22:00"), minute(end)).unwrap()]);
            let spans = windows.spans(date(2026, 7, 17)).filter(|(from, to)| from < to).collect::<Vec<_>>();
            assert_eq!(spans, [(22 * 3600, DAY)], "{end}");
        }
    }
}
