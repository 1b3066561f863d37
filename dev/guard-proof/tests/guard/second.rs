//! The guard a second time, written from its description and not from its code: it asks whether a moment is lawful by what
//! clocks show, and steps from quarter of an hour to quarter of an hour. Windows must begin and end on quarters. It shares
//! with the guard the tables, and the time zones' data.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use elevenwire::guard::{Binds, Contact, Evidence, FEDERAL, History, Holiday, Purpose, Rule, Rules, STATES};
use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

const QUARTER: i64 = 900;
const DAY: i64 = 86_400;

#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    Allow(Timestamp),
    Defer(Timestamp, BTreeSet<&'static str>),
    Block(BTreeSet<&'static str>),
}

/// The owner's windows: weekday from Monday 0, from, to, in minutes.
pub type Windows = Vec<(i8, i64, i64)>;

/// Tables, read anew.
pub struct Second {
    areas: HashMap<String, (Vec<String>, Vec<String>)>,
    states: HashMap<String, Vec<String>>,
    clocks: HashMap<String, TimeZone>,
}

struct Where<'a> {
    zones: Vec<&'a TimeZone>,
    laws: Vec<&'static Rule>,
}

impl Second {
    pub fn new() -> Self {
        let (mut areas, mut states, mut clocks) = (HashMap::new(), HashMap::new(), HashMap::new());
        let list = |text: &str| text.split(',').map(str::to_owned).collect::<Vec<_>>();
        for line in include_str!("../../../../shared/src/guard/area_codes.txt").lines() {
            if let [code, "us", its_states, zones] = line.split(' ').collect::<Vec<_>>()[..] {
                areas.insert(code.to_owned(), (list(its_states), list(zones)));
            }
        }
        for line in
            include_str!("../../../../shared/src/guard/state_zones.txt").lines().filter(|line| !line.starts_with('#'))
        {
            let (state, zones) = line.split_once(' ').unwrap();
            states.insert(state.to_owned(), list(zones));
        }
        let database = jiff::tz::TimeZoneDatabase::bundled();
        for name in database.available() {
            clocks.insert(name.as_str().to_owned(), database.get(name.as_str()).unwrap());
        }
        Self { areas, states, clocks }
    }

    pub fn answer(&self, c: &Contact, r: &Rules, windows: Option<&Windows>, h: &History, now: Timestamp) -> Answer {
        let mut blocks = BTreeSet::new();
        if h.suppressed {
            blocks.insert("suppressed");
        }
        let mut place = self.find(c, r.purpose);
        if place.is_none() {
            blocks.insert(if c.number.starts_with("+1800") { "toll_free" } else { "no_rules_for_country" });
            place = Some(Where { zones: Vec::new(), laws: Vec::new() });
        }
        if too_little(c, r, now) {
            blocks.insert("no_consent");
        }
        let place = place.unwrap();
        let mut words = wrong(&place, c, r, windows, h, now);
        if h.transcript_awaited {
            words.insert("transcript_awaited");
        }
        if !blocks.is_empty() {
            blocks.append(&mut words);
            return Answer::Block(blocks);
        }
        let need = i64::try_from((r.queue_allowance + r.ring_timeout + r.margin).as_secs()).unwrap();
        let right = |at| wrong(&place, c, r, windows, h, at).is_empty();
        // The end of the window that is open at `at`, no further than a day behind the need.
        let end = |at: Timestamp| {
            let furthest = at + (need + DAY).seconds();
            quarters_after(at).take_while(|t| *t < furthest).find(|t| !right(*t)).unwrap_or(furthest)
        };
        let long_enough = |at: Timestamp| end(at) >= at + need.seconds();
        if words.is_empty() {
            if long_enough(now) {
                return Answer::Allow(end(now));
            }
            words.insert("closing_soon");
        }
        let from = if h.transcript_awaited { now + 5.minutes() } else { now };
        let last = from + (400 * 24).hours();
        let mut moments = moments(&place, r, h, from).take_while(|at| *at < last);
        if let Some(at) = moments.find(|at| right(*at) && long_enough(*at)) {
            return Answer::Defer(at, words);
        }
        words.insert("no_lawful_time");
        Answer::Block(words)
    }

    fn find(&self, c: &Contact, purpose: Option<Purpose>) -> Option<Where<'_>> {
        let (area_states, area_zones) = self.areas.get(&c.number[2..5])?;
        let mut states: BTreeSet<&str> = area_states.iter().map(String::as_str).collect();
        let mut zones: BTreeSet<&str> = BTreeSet::new();
        let mut given: Vec<&str> = Vec::new();
        given.extend(c.state.as_ref().map(elevenwire::guard::StateCode::as_str));
        match c.postal_code.as_deref() {
            Some("98101") => given.push("WA"),
            Some("83414") => given.extend(["ID", "WY"]),
            Some(other) => panic!("{other} is not in this test"),
            None => {}
        }
        if given.is_empty() {
            zones.extend(area_zones.iter().map(String::as_str));
        }
        for state in given {
            states.insert(state);
            zones.extend(self.states[state].iter().map(String::as_str));
        }
        zones.extend(c.timezone.as_ref().map(elevenwire::guard::TimeZoneName::as_str));
        let binding = |law: &&Rule| match purpose {
            Some(Purpose::Emergency) => false,
            Some(Purpose::Informational) => law.binds == Binds::Calls || law.evidence == Evidence::Secondary,
            Some(Purpose::Marketing) | None => true,
        };
        let laws = STATES.iter().filter(|law| states.contains(law.state)).chain([&FEDERAL]).filter(binding).collect();
        Some(Where { zones: zones.iter().map(|zone| &self.clocks[*zone]).collect(), laws })
    }
}

fn too_little(c: &Contact, r: &Rules, now: Timestamp) -> bool {
    let word = match &c.consent {
        Some(consent) if consent.at.is_some_and(|at| at > now) => "none",
        Some(consent) => consent.kind.as_str(),
        None => "none",
    };
    let enough = match r.purpose {
        Some(Purpose::Marketing) => word == "written",
        Some(Purpose::Informational) => word == "written" || word == "express",
        _ => true,
    };
    r.check_consent && !c.own && !enough
}

/// Every moment from `from` on at which an answer may change: quarters of an hour, and ends of what was done before.
fn moments(place: &Where<'_>, r: &Rules, h: &History, from: Timestamp) -> impl Iterator<Item = Timestamp> {
    let mut ends: Vec<Timestamp> = vec![from];
    ends.extend(h.hold_until);
    ends.extend(h.last_refusal.map(|refusal| refusal + r.refusal_gap));
    let hours = place.laws.iter().filter_map(|law| law.attempts).map(|(_, hours)| hours);
    for span in r.caps.iter().map(|cap| cap.within).chain(hours.map(|hours| Duration::from_hours(hours.into()))) {
        ends.extend(h.attempts.iter().map(|attempt| *attempt + span));
    }
    ends.retain(|end| *end >= from);
    ends.sort_unstable_by(|a, b| b.cmp(a));
    let mut quarters = quarters_after(from).peekable();
    std::iter::from_fn(move || match (ends.last(), quarters.peek()) {
        (Some(end), Some(quarter)) if end <= quarter => ends.pop(),
        _ => quarters.next(),
    })
}

fn quarters_after(at: Timestamp) -> impl Iterator<Item = Timestamp> {
    let first = at.as_second().div_euclid(QUARTER) + 1;
    (first..).map(|quarter| Timestamp::from_second(quarter * QUARTER).unwrap())
}

/// Words for all that is wrong with a moment.
fn wrong(
    place: &Where<'_>,
    c: &Contact,
    r: &Rules,
    windows: Option<&Windows>,
    h: &History,
    at: Timestamp,
) -> BTreeSet<&'static str> {
    let mut words = BTreeSet::new();
    let within = |span: Duration| h.attempts.iter().filter(|attempt| **attempt + span > at).count();
    if h.hold_until.is_some_and(|until| until > at) {
        words.insert("on_hold");
    }
    if h.last_refusal.is_some_and(|refusal| refusal + r.refusal_gap > at) {
        words.insert("recently_refused");
    }
    if r.caps.iter().any(|cap| within(cap.within) >= cap.attempts as usize) {
        words.insert("attempts");
    }
    if c.own {
        return words;
    }
    for law in &place.laws {
        if let Some((attempts, hours)) = law.attempts
            && within(Duration::from_hours(hours.into())) >= attempts as usize
        {
            words.insert(if hours == 8 { "attempts_8h" } else { "attempts_24h" });
        }
    }
    let excluded = |zone: &TimeZone| r.excluded_dates.contains(&zone.to_datetime(at).date());
    let campaign =
        r.campaign_zone.as_ref().map(|zone| jiff::tz::TimeZoneDatabase::bundled().get(zone.as_str()).unwrap());
    if !r.excluded_dates.is_empty() && campaign.as_ref().map_or(place.zones.iter().any(|zone| excluded(zone)), excluded)
    {
        words.insert("excluded_date");
    }
    for zone in &place.zones {
        let clock = zone.to_datetime(at);
        let minute = i64::from(clock.hour()) * 60 + i64::from(clock.minute());
        for law in &place.laws {
            words.extend(unlawful(law, clock.date(), minute));
        }
        if windows.is_some_and(|windows| !windows.iter().any(|window| inside(*window, clock.date(), minute))) {
            words.insert("owner_window");
        }
    }
    words
}

fn inside((weekday, from, to): (i8, i64, i64), date: Date, minute: i64) -> bool {
    let today = date.weekday().to_monday_zero_offset() == weekday;
    let yesterday = date.weekday().previous().to_monday_zero_offset() == weekday;
    if from < to {
        today && (from..to).contains(&minute)
    } else {
        (today && minute >= from) || (yesterday && minute < to)
    }
}

fn unlawful(law: &Rule, date: Date, minute: i64) -> Option<&'static str> {
    if law.from.is_some_and(|from| date < from) || law.until.is_some_and(|until| date >= until) {
        return None;
    }
    let (hours, word) = match date.weekday() {
        Weekday::Sunday => (law.sunday, "sunday"),
        Weekday::Saturday => (law.saturday, "saturday"),
        _ => (law.weekday, "weekday"),
    };
    let Some(usual) = hours else { return Some(word) };
    let (from, to) = match law.holiday {
        Some(holiday) if is_holiday(law, date) => match holiday {
            None => return Some("holiday"),
            Some(hours) => hours,
        },
        _ => usual,
    };
    (minute < i64::from(from) * 60 || minute >= i64::from(to) * 60).then_some("outside_hours")
}

fn is_holiday(law: &Rule, date: Date) -> bool {
    let (year, month, day) = (date.year(), date.month(), date.day());
    let weekday = date.weekday();
    // The holidays of 5 U.S.C. 6103 that move.
    let federal = match (month, weekday) {
        (1 | 2, Weekday::Monday) => (15..=21).contains(&day),
        (5, Weekday::Monday) => day >= 25,
        (9, Weekday::Monday) => day <= 7,
        (10, Weekday::Monday) => (8..=14).contains(&day),
        (11, Weekday::Thursday) => (22..=28).contains(&day),
        _ => false,
    };
    let kept = |(month, day): (i8, i8)| {
        (-1..=1).any(|shift| {
            date.checked_sub(i64::from(shift).days()).is_ok_and(|fixed| {
                let moved = match fixed.weekday() {
                    Weekday::Saturday => shift == -1,
                    Weekday::Sunday => shift == 1,
                    _ => false,
                };
                (fixed.month(), fixed.day()) == (month, day) && (shift == 0 || moved)
            })
        })
    };
    let fixed = [(1, 1), (6, 19), (7, 4), (11, 11), (12, 25)];
    let of_state = |holiday: &Holiday| match *holiday {
        Holiday::Fixed(month, day) => kept((month, day)),
        Holiday::Nth(in_month, -1, on) => month == in_month && weekday == on && date.last_of_month().day() - day < 7,
        Holiday::Nth(in_month, nth, on) => month == in_month && weekday == on && (nth * 7 - 6..=nth * 7).contains(&day),
        Holiday::Easter(days) => (i64::from(days)..=i64::from(days)).any(|days| date == easter(year) + days.days()),
        Holiday::Election => month == 11 && weekday == Weekday::Tuesday && (2..9).contains(&day),
        Holiday::GeneralElection => {
            year % 2 == 0 && month == 11 && weekday == Weekday::Tuesday && (2..9).contains(&day)
        }
        Holiday::DayAfterThanksgiving => month == 11 && weekday == Weekday::Friday && (23..=29).contains(&day),
    };
    federal || fixed.into_iter().any(kept) || law.holidays.iter().any(of_state)
}

/// Gauss's rule, for 1900 to 2099.
fn easter(year: i16) -> Date {
    let year = i32::from(year);
    let moon = (19 * (year % 19) + 24) % 30;
    let sunday = (2 * (year % 4) + 4 * (year % 7) + 6 * moon + 5) % 7;
    let days = match moon + sunday {
        35 => 28,
        34 if moon == 28 && year % 19 > 10 => 27,
        days => days,
    };
    Date::new(i16::try_from(year).unwrap(), 3, 22).unwrap() + i64::from(days).days()
}
