//! Every zone of the tables, every change of clocks of ten years, every minute around it.

use std::collections::BTreeSet;
use std::time::Duration;

use elevenwire::guard::{Contact, Decision, History, Purpose, Rules, TimeZoneName, decide};
use jiff::tz::TimeZoneDatabase;
use jiff::{Timestamp, ToSpan};

use crate::second::{Answer, Second, Windows};
use crate::twins::as_windows;

/// A number of an area code in each of the tables' zones, and zones elsewhere whose clocks change oddly.
const PLACES: &[(&str, Option<&str>)] = &[
    ("212", None),
    ("312", None),
    ("303", None),
    ("415", None),
    ("602", None),
    ("907", None),
    ("808", None),
    ("787", None),
    ("340", None),
    ("671", None),
    ("670", None),
    ("684", None),
    ("850", None),
    ("928", None),
    ("605", None),
    ("208", None),
    ("671", Some("Australia/Lord_Howe")),
    ("212", Some("America/Santiago")),
    ("212", Some("America/Havana")),
];

/// Owner's windows that begin, end or lie in the hours that are skipped or come twice; every day the same.
const WINDOWS: &[&[(i64, i64)]] = &[
    &[(22 * 60, 2 * 60 + 30)],
    &[(30, 3 * 60 + 45)],
    &[(0, 24 * 60)],
    // Narrower than the hour between two zones: for places in one.
    &[(60, 2 * 60)],
    &[(2 * 60, 3 * 60)],
    &[(90, 150), (165, 225)],
];

fn ten_years() -> (Timestamp, Timestamp) {
    ("2024-01-01T00:00:00Z".parse().unwrap(), "2034-01-01T00:00:00Z".parse().unwrap())
}

fn changes(zone: &str) -> Vec<Timestamp> {
    let (from, to) = ten_years();
    let zone = TimeZoneDatabase::bundled().get(zone).unwrap();
    zone.following(from).map(|change| change.timestamp()).take_while(|change| *change < to).collect()
}

fn contact((code, zone): (&str, Option<&str>)) -> Contact {
    Contact {
        number: format!("+1{code}5550123"),
        timezone: zone.map(|zone| TimeZoneName::parse(zone).unwrap()),
        ..Contact::default()
    }
}

fn emergency() -> Rules {
    Rules {
        purpose: Some(Purpose::Emergency),
        ring_timeout: Duration::from_secs(30),
        queue_allowance: Duration::ZERO,
        margin: Duration::ZERO,
        ..Rules::default()
    }
}

#[test]
fn around_every_change_of_clocks_of_ten_years_the_owners_windows_are_what_the_clock_shows() {
    let second = Second::new();
    let (mut edges, mut minutes) = (BTreeSet::new(), 0);
    for place in PLACES {
        let contact = contact(*place);
        let zones = elevenwire::guard::place(&contact).zones;
        let changes: BTreeSet<_> = zones.iter().flat_map(|zone| changes(zone)).collect();
        edges.extend(zones.iter().flat_map(|zone| self::changes(zone).into_iter().map(|at| (zone.clone(), at))));
        let windows = if zones.len() == 1 { WINDOWS } else { &WINDOWS[..3] };
        for list in windows {
            let list: Windows = (0..7).flat_map(|day| list.iter().map(move |(from, to)| (day, *from, *to))).collect();
            let rules = Rules { windows: Some(as_windows(&list)), ..emergency() };
            for change in &changes {
                for minute in -75..=75 {
                    let now = *change + minute.minutes();
                    let history = History::default();
                    let answer = match decide(&contact, &rules, &history, now) {
                        Decision::Allow { until } => Answer::Allow(until),
                        Decision::Defer { until, because } => {
                            Answer::Defer(until, because.iter().map(|reason| reason.rule).collect())
                        }
                        Decision::Block { because } => panic!("{because:?}"),
                    };
                    let other = second.answer(&contact, &rules, Some(&list), &history, now);
                    assert_eq!(answer, other, "{place:?} {list:?} {now}");
                    minutes += 1;
                }
            }
        }
    }
    // Six zones of the tables change their clocks twenty times in ten years.
    assert!(edges.len() >= 6 * 20, "{} edges", edges.len());
    println!("{} edges, {minutes} minutes", edges.len());
}

#[test]
fn on_the_days_around_every_change_of_clocks_the_law_opens_at_eight_and_closes_at_nine_on_the_wall() {
    let (from, to) = ten_years();
    for (code, zone) in [
        ("212", "America/New_York"),
        ("773", "America/Chicago"),
        ("303", "America/Denver"),
        ("503", "America/Los_Angeles"),
        ("907", "America/Anchorage"),
        ("602", "America/Phoenix"),
        ("808", "Pacific/Honolulu"),
        ("671", "Pacific/Guam"),
        ("684", "Pacific/Pago_Pago"),
        ("787", "America/Puerto_Rico"),
    ] {
        // Adak is an hour behind Anchorage, and Illinois narrower: an emergency's rules with the law's hours as windows.
        let list: Windows = (0..7).map(|day| (day, 8 * 60, 21 * 60)).collect();
        let rules = Rules { windows: Some(as_windows(&list)), ..emergency() };
        let contact = Contact { state: None, ..contact((code, None)) };
        let clock = TimeZoneDatabase::bundled().get(zone).unwrap();
        let mut days: BTreeSet<_> = changes(zone).iter().map(|change| clock.to_datetime(*change).date()).collect();
        days.insert(clock.to_datetime(from).date());
        days.insert(clock.to_datetime(to).date());
        let open = if code == "907" { 9 } else { 8 };
        for day in days.into_iter().flat_map(|day| (-1..=1).map(move |shift| day + shift.days())) {
            let at = |hour| clock.to_timestamp(day.at(hour, 0, 0, 0)).unwrap();
            let answer = |now| decide(&contact, &rules, &History::default(), now);
            let (opens, closes) = (at(open), at(21));
            assert_eq!(answer(opens), Decision::Allow { until: closes }, "{zone} {day}");
            assert_eq!(answer(closes - 30.seconds()), Decision::Allow { until: closes }, "{zone} {day}");
            for early in [opens - 1.second(), opens - 8.hours()] {
                assert!(matches!(answer(early), Decision::Defer { until, .. } if until == opens), "{zone} {early}");
            }
            assert!(matches!(answer(closes - 29.seconds()), Decision::Defer { .. }), "{zone} {day}");
        }
    }
}
