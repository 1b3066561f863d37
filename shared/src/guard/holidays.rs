//! Legal holidays, by arithmetic.

use jiff::ToSpan;
use jiff::civil::{Date, Weekday};

/// A day of every year.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holiday {
    /// Month and day. Where it falls on a weekend, the Friday before or the Monday after is one too.
    Fixed(i8, i8),
    /// The so-manieth weekday of a month; -1 is the last.
    Nth(i8, i8, Weekday),
    /// Days after Easter Sunday; negative before.
    Easter(i16),
    /// Tuesday after the first Monday of November.
    Election,
    /// The same, in even years only.
    GeneralElection,
    /// The day after the fourth Thursday of November.
    DayAfterThanksgiving,
}

/// Holidays of the United States (5 U.S.C. 6103).
pub const FEDERAL: &[Holiday] = &[
    Holiday::Fixed(1, 1),
    Holiday::Nth(1, 3, Weekday::Monday),
    Holiday::Nth(2, 3, Weekday::Monday),
    Holiday::Nth(5, -1, Weekday::Monday),
    Holiday::Fixed(6, 19),
    Holiday::Fixed(7, 4),
    Holiday::Nth(9, 1, Weekday::Monday),
    Holiday::Nth(10, 2, Weekday::Monday),
    Holiday::Fixed(11, 11),
    Holiday::Nth(11, 4, Weekday::Thursday),
    Holiday::Fixed(12, 25),
];

impl Holiday {
    /// Whether `date` is this holiday, or the working day on which it is kept.
    #[must_use]
    pub fn is_on(self, date: Date) -> bool {
        match self {
            Self::Fixed(month, day) => {
                let is = |date: Date| date.month() == month && date.day() == day;
                is(date)
                    || (date.weekday() == Weekday::Friday && is(plus_days(date, 1)))
                    || (date.weekday() == Weekday::Monday && is(plus_days(date, -1)))
            }
            Self::Nth(month, nth, weekday) => date.month() == month && date.weekday() == weekday && is_nth(date, nth),
            Self::Easter(days) => plus_days(date, -i64::from(days)) == easter(plus_days(date, -i64::from(days)).year()),
            Self::Election => {
                let (month, day) = (date.month(), date.day());
                date.weekday() == Weekday::Tuesday && month == 11 && (2..=8).contains(&day)
            }
            Self::GeneralElection => date.year() % 2 == 0 && Self::Election.is_on(date),
            Self::DayAfterThanksgiving => Self::Nth(11, 4, Weekday::Thursday).is_on(plus_days(date, -1)),
        }
    }
}

fn is_nth(date: Date, nth: i8) -> bool {
    if nth < 0 { date.day() + 7 > date.days_in_month() } else { (date.day() - 1) / 7 + 1 == nth }
}

fn plus_days(date: Date, days: i64) -> Date {
    date.checked_add(days.days()).unwrap_or(date)
}

/// Easter Sunday of the Gregorian calendar (the anonymous algorithm printed in Nature, 1876).
fn easter(year: i16) -> Date {
    let (year, cycle) = (i32::from(year), i32::from(year) % 19);
    let (century, rest) = (year / 100, year % 100);
    let moon = (19 * cycle + century - century / 4 - (century - (century + 8) / 25 + 1) / 3 + 15) % 30;
    let week = (32 + 2 * (century % 4) + 2 * (rest / 4) - moon - rest % 4) % 7;
    let late = (cycle + 11 * moon + 22 * week) / 451;
    let day = moon + week - 7 * late + 114;
    let civil = |n: i32| i8::try_from(n).unwrap_or(1);
    Date::new(i16::try_from(year).unwrap_or(2000), civil(day / 31), civil(day % 31 + 1)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn easter_falls_where_the_almanac_says() {
        let known = [
            (2024, 3, 31),
            (2025, 4, 20),
            (2026, 4, 5),
            (2027, 3, 28),
            (2028, 4, 16),
            (2029, 4, 1),
            (2030, 4, 21),
            (2038, 4, 25),
            (2285, 3, 22),
        ];
        for (year, month, day) in known {
            assert_eq!(easter(year), date(year, month, day));
        }
    }

    #[test]
    fn the_federal_holidays_of_2026_are_opms_list() {
        // Independence Day falls on a Saturday and is kept on the Friday.
        let list = [
            (1, 1),
            (1, 19),
            (2, 16),
            (5, 25),
            (6, 19),
            (7, 3),
            (7, 4),
            (9, 7),
            (10, 12),
            (11, 11),
            (11, 26),
            (12, 25),
        ];
        let days = date(2026, 1, 1).series(1.day()).take(365);
        let found: Vec<_> = days.filter(|&day| FEDERAL.iter().any(|holiday| holiday.is_on(day))).collect();
        assert_eq!(found, list.map(|(month, day)| date(2026, month, day)));
    }

    #[test]
    fn a_holiday_on_a_sunday_is_kept_on_the_monday_too() {
        // Christmas 2022 and New Year 2023 were Sundays; New Year 2022 was a Saturday, kept in 2021.
        for day in [date(2022, 12, 25), date(2022, 12, 26), date(2023, 1, 1), date(2023, 1, 2), date(2021, 12, 31)] {
            assert!(FEDERAL.iter().any(|holiday| holiday.is_on(day)), "{day}");
        }
    }

    #[test]
    fn moving_days_fall_where_calendars_say() {
        let good_friday = Holiday::Easter(-2);
        let mardi_gras = Holiday::Easter(-47);
        assert!(good_friday.is_on(date(2026, 4, 3)) && !good_friday.is_on(date(2026, 4, 4)));
        assert!(mardi_gras.is_on(date(2026, 2, 17)) && mardi_gras.is_on(date(2027, 2, 9)));
        assert!(Holiday::Election.is_on(date(2026, 11, 3)) && Holiday::Election.is_on(date(2027, 11, 2)));
        assert!(
            Holiday::GeneralElection.is_on(date(2028, 11, 7)) && !Holiday::GeneralElection.is_on(date(2027, 11, 2))
        );
        assert!(Holiday::DayAfterThanksgiving.is_on(date(2026, 11, 27)));
    }
}
