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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Ends", into = "Ends")]
pub struct Window {
    from: Minute,
    to: Minute,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ends {
    from: Minute,
    to: Minute,
}

/// Windows of each weekday, in the callee's time. A weekday without any has none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
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
