//! The guard and its second implementation on cases drawn by chance. `GUARD_CASES` says how many, `GUARD_SEED` which.

use std::time::Duration;

use elevenwire::guard::{
    Cap, Consent, ConsentKind, Contact, Decision, History, Minute, Purpose, Rules, StateCode, TimeZoneName, Window,
    Windows, decide,
};
use jiff::civil::date;
use jiff::{Timestamp, ToSpan};

use crate::second::{self, Answer, Second};

const AREA_CODES: &[u16] = &[
    850, 208, 605, 928, 906, 270, 812, 775, 907, 212, 415, 334, 203, 305, 502, 504, 617, 301, 313, 612, 601, 505, 702,
    405, 215, 401, 512, 915, 801, 206, 307, 207, 312, 402, 808, 787, 671, 684, 602, 416, 800,
];
const STATES: &[&str] =
    &["AL", "FL", "KY", "LA", "ME", "NE", "OK", "PA", "RI", "SD", "TN", "TX", "UT", "AZ", "GU", "NY"];
const ZONES: &[&str] = &[
    "America/New_York",
    "America/Los_Angeles",
    "America/Phoenix",
    "Pacific/Honolulu",
    "Europe/London",
    "Asia/Kathmandu",
    "America/St_Johns",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
];

/// The generator `SplitMix64`.
pub struct Chance(pub u64);

impl Chance {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From `low` to below `high`.
    pub fn range(&mut self, low: i64, high: i64) -> i64 {
        let width = u64::try_from(high - low).unwrap();
        low + i64::try_from(self.next() % width).unwrap()
    }

    pub fn percent(&mut self, percent: i64) -> bool {
        self.range(0, 100) < percent
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[usize::try_from(self.range(0, i64::try_from(from.len()).unwrap())).unwrap()]
    }

    fn seconds(&mut self, low: i64, high: i64) -> Duration {
        Duration::from_secs(self.range(low, high).unsigned_abs())
    }
}

#[derive(Debug)]
struct Case {
    contact: Contact,
    rules: Rules,
    windows: Option<second::Windows>,
    history: History,
    now: Timestamp,
}

fn moment(chance: &mut Chance) -> Timestamp {
    let start = date(2023, 1, 1).in_tz("UTC").unwrap().timestamp().as_second();
    let second = start + chance.range(0, 10 * 365 * 86_400);
    let second = match chance.range(0, 10) {
        0..3 => second,
        // On the quarters, where windows begin and end, and a little before and after.
        3..6 => second / 900 * 900,
        6..8 => second / 3600 * 3600 + chance.range(-2, 3),
        _ => second / 3600 * 3600 - chance.range(0, 300),
    };
    Timestamp::from_second(second).unwrap()
}

fn contact(chance: &mut Chance, now: Timestamp) -> Contact {
    let zone = |name: &&'static str| TimeZoneName::parse(name).unwrap();
    let kinds =
        [ConsentKind::Written, ConsentKind::Written, ConsentKind::Express, ConsentKind::Inquiry, ConsentKind::None];
    let consent = chance.percent(85).then(|| Consent {
        kind: *chance.pick(&kinds),
        at: chance.percent(50).then(|| now + chance.range(-1000, 30).minutes()),
        source: None,
    });
    Contact {
        number: format!("+1{}5550123", chance.pick(AREA_CODES)),
        timezone: chance.percent(25).then(|| zone(chance.pick::<&str>(ZONES))),
        state: chance.percent(20).then(|| StateCode::parse(chance.pick::<&str>(STATES)).unwrap()),
        postal_code: chance.percent(5).then(|| (*chance.pick(&["98101", "83414"])).to_owned()),
        consent,
        own: chance.percent(5),
    }
}

fn windows(chance: &mut Chance) -> second::Windows {
    let mut windows = Vec::new();
    for weekday in 0..7 {
        for _ in 0..chance.range(0, 3) {
            let (from, to) = (chance.range(0, 96) * 15, chance.range(1, 97) * 15);
            if from % 1440 != to % 1440 {
                windows.push((weekday, from, to));
            }
        }
    }
    windows
}

pub fn as_windows(list: &second::Windows) -> Windows {
    let mut windows = Windows::default();
    for (weekday, from, to) in list {
        let minute = |minute: i64| Minute::parse(&format!("{}:{}", minute / 60, minute % 60)).unwrap();
        let days = [
            &mut windows.monday,
            &mut windows.tuesday,
            &mut windows.wednesday,
            &mut windows.thursday,
            &mut windows.friday,
            &mut windows.saturday,
            &mut windows.sunday,
        ];
        let day = days.into_iter().nth(usize::try_from(*weekday).unwrap()).unwrap();
        day.push(Window::new(minute(*from), minute(*to)).unwrap());
    }
    windows
}

fn rules(chance: &mut Chance, now: Timestamp, list: Option<&second::Windows>) -> Rules {
    let purposes = [
        Some(Purpose::Marketing),
        Some(Purpose::Marketing),
        Some(Purpose::Informational),
        Some(Purpose::Emergency),
        None,
    ];
    let today = now.in_tz("UTC").unwrap().date();
    let dates = chance.range(1, 5);
    let excluded = if chance.percent(20) { dates } else { 0 };
    let caps = if chance.percent(20) { chance.range(1, 3) } else { 0 };
    Rules {
        purpose: *chance.pick(&purposes),
        check_consent: chance.percent(70),
        windows: list.map(as_windows),
        excluded_dates: (0..excluded).map(|_| today + chance.range(-2, 5).days()).collect(),
        campaign_zone: chance.percent(10).then(|| TimeZoneName::parse(chance.pick::<&str>(ZONES)).unwrap()),
        caps: (0..caps)
            .map(|_| {
                let fewest = i64::from(!chance.percent(1));
                let attempts = u32::try_from(chance.range(fewest, 4)).unwrap();
                Cap { attempts, within: chance.seconds(60, 200_000) }
            })
            .collect(),
        ring_timeout: chance.seconds(10, 60),
        queue_allowance: if chance.percent(3) { chance.seconds(0, 20_000) } else { chance.seconds(0, 300) },
        margin: chance.seconds(0, 60),
        refusal_gap: chance.seconds(0, 200_000),
    }
}

fn history(chance: &mut Chance, now: Timestamp) -> History {
    let attempts = if chance.percent(50) { chance.range(0, 6) } else { 0 };
    History {
        suppressed: chance.percent(3),
        hold_until: chance.percent(10).then(|| now + chance.range(-40_000, 100_000).seconds()),
        attempts: (0..attempts).map(|_| now + chance.range(-180_000, 900).seconds()).collect(),
        last_refusal: chance.percent(10).then(|| now - chance.range(0, 200_000).seconds()),
        transcript_awaited: chance.percent(5),
    }
}

fn case(chance: &mut Chance) -> Case {
    let now = moment(chance);
    let windows = chance.percent(40).then(|| windows(chance));
    let rules = rules(chance, now, windows.as_ref());
    Case { contact: contact(chance, now), history: history(chance, now), rules, windows, now }
}

fn plain(decision: Decision) -> Answer {
    match decision {
        Decision::Allow { until } => Answer::Allow(until),
        Decision::Defer { until, because } => Answer::Defer(until, because.iter().map(|reason| reason.rule).collect()),
        Decision::Block { because } => Answer::Block(because.iter().map(|reason| reason.rule).collect()),
    }
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::vars().find(|(key, _)| key == name).map_or(default, |(_, value)| value.parse().unwrap())
}

#[test]
fn the_guard_and_its_second_implementation_agree_on_cases_drawn_by_chance() {
    let (cases, seed) = (setting("GUARD_CASES", 40_000), setting("GUARD_SEED", 20_261_124));
    let second = Second::new();
    let mut chance = Chance(seed);
    let mut tally = [0_u64; 3];
    for number in 0..cases {
        let case = case(&mut chance);
        let guard = plain(decide(&case.contact, &case.rules, &case.history, case.now));
        let other = second.answer(&case.contact, &case.rules, case.windows.as_ref(), &case.history, case.now);
        assert_eq!(guard, other, "case {number} of seed {seed}: {case:#?}");
        tally[match guard {
            Answer::Allow(_) => 0,
            Answer::Defer(..) => 1,
            Answer::Block(_) => 2,
        }] += 1;
    }
    assert!(tally.iter().all(|count| *count > cases / 20), "{tally:?}");
    println!("{cases} cases: allow, defer, block {tally:?}");
}
