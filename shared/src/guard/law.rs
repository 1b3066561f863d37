//! The hours, days and attempts that the law allows, as a dated table. Not legal advice: docs/compliance.md.

use jiff::civil::{Date, Weekday, date};
use jiff::{Timestamp, tz};
use serde::Serialize;

use super::holidays::{FEDERAL as FEDERAL_HOLIDAYS, Holiday};
use super::place::StateCode;
use super::rules::Purpose;
pub use super::states::STATES;

/// From and until, hours of the day; `None`: no calls.
pub type Hours = Option<(u8, u8)>;

/// After this many days somebody should read a row again.
const FRESH_FOR_DAYS: i32 = 180;

/// What a row rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Evidence {
    /// The words of the statute or rule were read.
    Statute,
    /// Only what others write about it.
    Secondary,
}

/// Which calls a row binds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Binds {
    /// Calls that sell or ask for money.
    Solicitations,
    /// All calls with an artificial voice, or not known to be about solicitations alone.
    Calls,
}

/// One rule of one state, or of the United States. Where several apply, each must be kept: the narrower wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Rule {
    /// Two letters; `US` for all.
    pub state: &'static str,
    /// Monday to Friday.
    pub weekday: Hours,
    /// Saturday.
    pub saturday: Hours,
    /// Sunday.
    pub sunday: Hours,
    /// Holidays; `None`: as any other day.
    pub holiday: Option<Hours>,
    /// The state's holidays beside the federal ones.
    #[serde(skip)]
    pub holidays: &'static [Holiday],
    /// Attempts to one number in so many hours, rolling.
    pub attempts: Option<(u32, u8)>,
    /// Which calls it binds.
    pub binds: Binds,
    /// Where it stands.
    pub statute: &'static str,
    /// First day of force; `None`: long ago.
    pub from: Option<Date>,
    /// First day out of force.
    pub until: Option<Date>,
    /// When it was read.
    pub read: Date,
    /// Where it was read.
    pub read_at: &'static str,
    /// What the row rests on.
    pub evidence: Evidence,
}

/// The hours of the whole country. As policy they hold for informational calls too.
pub const FEDERAL: Rule = Rule {
    state: "US",
    weekday: Some((8, 21)),
    saturday: Some((8, 21)),
    sunday: Some((8, 21)),
    holiday: None,
    holidays: &[],
    attempts: None,
    binds: Binds::Calls,
    statute: "47 CFR 64.1200(c)(1)",
    from: None,
    until: None,
    read: READ,
    read_at: "leadgen-economy.com, calling hours by state; blog.clickpointsoftware.com",
    evidence: Evidence::Secondary,
};

/// When the tables were read last.
pub(super) const READ: Date = date(2026, 11, 24);

impl Rule {
    /// Hours on a day, and the word for a day without any.
    pub(super) fn hours(&self, date: Date) -> (Hours, &'static str) {
        if let Some(hours) = self.holiday
            && FEDERAL_HOLIDAYS.iter().chain(self.holidays).any(|holiday| holiday.is_on(date))
        {
            // A holiday on a Sunday is still a Sunday.
            let (usual, word) = self.usual_hours(date.weekday());
            return if usual.is_none() { (usual, word) } else { (hours, "holiday") };
        }
        self.usual_hours(date.weekday())
    }

    fn usual_hours(&self, weekday: Weekday) -> (Hours, &'static str) {
        match weekday {
            Weekday::Sunday => (self.sunday, "sunday"),
            Weekday::Saturday => (self.saturday, "saturday"),
            _ => (self.weekday, "weekday"),
        }
    }

    /// Whether it is in force on a day.
    pub(super) fn in_force(&self, date: Date) -> bool {
        self.from.is_none_or(|from| from <= date) && self.until.is_none_or(|until| date < until)
    }

    /// Whether it binds such calls. Without a purpose it does. A row that nobody has read in the original binds
    /// informational calls too: it may.
    fn binds(&self, purpose: Option<Purpose>) -> bool {
        match purpose {
            None | Some(Purpose::Marketing) => true,
            Some(Purpose::Informational) => self.binds == Binds::Calls || self.evidence == Evidence::Secondary,
            Some(Purpose::Emergency) => false,
        }
    }
}

/// The rules that hold in such states for such a call, the federal one first.
pub(super) fn rules_for(states: &[StateCode], purpose: Option<Purpose>) -> impl Iterator<Item = &'static Rule> {
    std::iter::once(&FEDERAL)
        .chain(STATES.iter().filter(|rule| states.iter().any(|state| state.as_str() == rule.state)))
        .filter(move |rule| rule.binds(purpose))
}

/// A row that was read too long ago.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Stale {
    /// Two letters.
    pub state: &'static str,
    /// Where the rule stands.
    pub statute: &'static str,
    /// When it was read.
    #[schema(value_type = String, format = Date)]
    pub read: Date,
    /// Days since.
    pub days: i32,
}

/// The rows that were read more than 180 days before `now`.
#[must_use]
pub fn stale_tables(now: Timestamp) -> Vec<Stale> {
    let today = tz::Offset::UTC.to_datetime(now).date();
    let rows = std::iter::once(&FEDERAL).chain(STATES);
    rows.map(|rule| Stale {
        state: rule.state,
        statute: rule.statute,
        read: rule.read,
        days: today.since(rule.read).map_or(0, |span| span.get_days()),
    })
    .filter(|row| row.days > FRESH_FOR_DAYS)
    .collect()
}
