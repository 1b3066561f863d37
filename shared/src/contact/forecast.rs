//! What a file would come to: when the guard first lets each person be called, and how long a campaign of this pace takes.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, Zoned};
use serde::Serialize;

use crate::dialling::Dialling;
use crate::guard::{self, History, Rules};

/// Answers that are remembered: people of one place and kind of consent have the same.
const MOST_REMEMBERED: usize = 20_000;
/// Windows that a forecast looks at; a campaign that needs more has no last call that anybody could foretell.
const MOST_WINDOWS: usize = 20_000;

/// When a person may be called, as far as the file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outlook {
    /// From then, until then.
    Open(Timestamp, Timestamp),
    /// Never, by this rule.
    Never(&'static str),
}

/// Asks the guard about people, and remembers what it said.
#[derive(Debug)]
pub struct Asking {
    dialling: Dialling,
    rules: Rules,
    /// Not before this.
    from: Timestamp,
    known: HashMap<String, Outlook>,
}

impl Asking {
    /// About a campaign whose calls begin at `from`.
    #[must_use]
    pub fn new(dialling: Dialling, rules: Rules, from: Timestamp) -> Self {
        Self { dialling, rules, from, known: HashMap::new() }
    }

    /// When this person may be called.
    pub fn about(&mut self, callee: &guard::Contact) -> Outlook {
        let key = key(callee, self.from);
        if let Some(known) = self.known.get(&key) {
            return *known;
        }
        let outlook = ask(callee, &self.dialling, &self.rules, self.from);
        if self.known.len() >= MOST_REMEMBERED {
            self.known.clear();
        }
        self.known.insert(key, outlook);
        outlook
    }
}

fn ask(callee: &guard::Contact, dialling: &Dialling, rules: &Rules, from: Timestamp) -> Outlook {
    match dialling.first_allowed(callee, rules, &History::default(), from) {
        Ok((from, until)) => Outlook::Open(from, until),
        Err(because) => Outlook::Never(because.first().map_or("no_lawful_time", |reason| reason.rule)),
    }
}

/// All that an answer depends on, when nothing is known of the number: its area code, and what the owner knows.
fn key(callee: &guard::Contact, from: Timestamp) -> String {
    let mut key = callee.number.get(..5).unwrap_or(&callee.number).to_owned();
    let consent = callee.consent.as_ref();
    let kind = consent.map_or("", |consent| consent.kind.as_str());
    let given = consent.is_some_and(|consent| consent.at.is_none_or(|at| at <= from));
    let zone = callee.timezone.as_ref().map_or("", guard::TimeZoneName::as_str);
    let state = callee.state.as_ref().map_or("", guard::StateCode::as_str);
    let postal_code = callee.postal_code.as_deref().unwrap_or_default();
    let own = callee.own;
    // Writing to a text cannot fail.
    let _ = write!(key, "|{zone}|{state}|{postal_code}|{kind}|{given}|{own}");
    key
}

/// People who may first be called at the same time, and until the same time.
#[derive(Debug, Clone)]
pub struct Group {
    /// From then.
    pub from: Timestamp,
    /// Until then.
    pub until: Timestamp,
    /// One of them; the others' next windows are taken to be as this one's.
    pub like: guard::Contact,
    /// How many.
    pub people: u64,
}

/// The first and the last call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Span {
    /// Of the first call; none when nobody can be called.
    pub first: Option<Timestamp>,
    /// Of the last call.
    pub last: Option<Timestamp>,
    /// People whom the campaign's end, or the end of all that is looked at, comes before.
    pub not_reached: u64,
}

/// Plays a campaign through: `rate` calls a second, whoever's window closes first comes first.
#[must_use]
pub fn play(mut groups: Vec<Group>, dialling: &Dialling, rules: &Rules, rate: f64, end: Option<Timestamp>) -> Span {
    let need = [rules.queue_allowance, rules.ring_timeout, rules.margin].into_iter().sum::<std::time::Duration>();
    let need = SignedDuration::try_from(need).unwrap_or_default();
    let step = 1.0 / rate;
    let mut span = Span::default();
    let Some(mut at) = groups.iter().map(|group| group.from).min() else { return span };
    for _ in 0..MOST_WINDOWS {
        groups.retain(|group| group.people > 0);
        if groups.is_empty() || end.is_some_and(|end| at >= end) {
            break;
        }
        let next = groups.iter().filter(|group| group.from > at).map(|group| group.from).min();
        let open = groups.iter_mut().filter(|group| group.from <= at).min_by_key(|group| group.until);
        let Some(group) = open else {
            at = next.unwrap_or(Timestamp::MAX);
            continue;
        };
        let closes = group.until.saturating_sub(need).unwrap_or(group.until);
        if at > closes {
            match ask(&group.like, dialling, rules, group.until) {
                Outlook::Open(from, until) => (group.from, group.until) = (from, until),
                Outlook::Never(_) => {
                    span.not_reached += std::mem::take(&mut group.people);
                }
            }
            continue;
        }
        let upto = [next, end].into_iter().flatten().fold(closes, Timestamp::min);
        let called = fitting(upto.duration_since(at), rate).min(group.people);
        span.first = span.first.or(Some(at));
        group.people -= called;
        span.last = Some(later(at, step, called - 1));
        at = later(at, step, called);
    }
    span.not_reached += groups.iter().map(|group| group.people).sum::<u64>();
    span
}

#[expect(clippy::cast_precision_loss, reason = "there are far fewer people than 2^52")]
fn later(at: Timestamp, step: f64, calls: u64) -> Timestamp {
    let after = SignedDuration::try_from_secs_f64(step * calls as f64).unwrap_or(SignedDuration::MAX);
    at.checked_add(after).unwrap_or(Timestamp::MAX)
}

/// How many calls begin within so long; one at least.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded on both sides before it is cast")]
fn fitting(span: SignedDuration, rate: f64) -> u64 {
    (span.as_secs_f64() * rate).clamp(1.0, 1e12) as u64
}

/// What a file would come to, besides its duplicates.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Forecast {
    /// People who would be called.
    pub callable: u64,
    /// People who asked not to be called.
    pub suppressed: u64,
    /// Numbers without a place; they are among the bad rows.
    pub without_zone: u64,
    /// People whose consent is too little for the campaign's purpose.
    pub without_consent: u64,
    /// People whom another rule blocks, by rule.
    pub blocked: BTreeMap<String, u64>,
    /// Rows that cannot be taken.
    pub bad: u64,
    /// People whom the campaign's end comes before.
    pub not_reached: u64,
    /// When the first would be called, if the campaign were started now.
    pub first_call: Option<Timestamp>,
    /// When the last would be called for the first time.
    pub last_call: Option<Timestamp>,
    /// Calls a second.
    pub rate: f64,
    /// What they would cost, US dollars: so much for each of the callable.
    pub cost_usd: f64,
    /// … as the agent's last calls cost, or, before there are enough, for a minute of talk.
    pub usd_a_person: f64,
}

impl Forecast {
    /// With what it would cost at so much a person.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "there are far fewer people than 2^52")]
    pub fn priced(self, usd_a_person: f64) -> Self {
        Self { cost_usd: usd_a_person * self.callable as f64, usd_a_person, ..self }
    }

    /// In one sentence; times are those of `zone`, days are named where they are not today.
    #[must_use]
    pub fn sentence(&self, zone: &TimeZone, now: Timestamp) -> String {
        let n = thousands;
        let mut text = format!(
            "{} callable, {} suppressed, {} without a zone, {} without consent",
            n(self.callable),
            n(self.suppressed),
            n(self.without_zone),
            n(self.without_consent)
        );
        for (rule, people) in &self.blocked {
            let _ = write!(text, ", {} blocked by {rule}", n(*people));
        }
        if let (Some(first), Some(last)) = (self.first_call, self.last_call) {
            let [now, first, last] = [now, first, last].map(|at| at.to_zoned(zone.clone()));
            let (first_text, last_text) = (clock(&first, &now), clock(&last, &first));
            let _ = write!(text, ", first call {first_text}, last {last_text} at {} a second", self.rate);
        }
        if self.not_reached > 0 {
            let _ = write!(text, ", {} not reached before its end", n(self.not_reached));
        }
        let _ = write!(text, ", about ${:.2} at ${:.4} a person", self.cost_usd, self.usd_a_person);
        text
    }
}

/// `16:40`, with its day when that is not the day of `beside`.
fn clock(at: &Zoned, beside: &Zoned) -> String {
    let form = if at.date() == beside.date() { "%H:%M" } else { "%Y-%m-%d %H:%M" };
    at.strftime(form).to_string()
}

/// `11,420`.
fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let lead = digits.len() % 3;
    let (head, rest) = digits.split_at(lead);
    let groups = rest.as_bytes().chunks(3).map(String::from_utf8_lossy);
    let head = (!head.is_empty()).then(|| head.into());
    head.into_iter().chain(groups).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::Purpose;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn of(number: &str, people: u64, rules: &Rules, from: Timestamp) -> Group {
        let like = guard::Contact { number: number.to_owned(), ..guard::Contact::default() };
        let Outlook::Open(from, until) = ask(&like, &Dialling::default(), rules, from) else {
            panic!("{number} can never be called")
        };
        Group { from, until, like, people }
    }

    fn emergency() -> Rules {
        Rules { purpose: Some(Purpose::Emergency), ..Rules::default() }
    }

    #[test]
    fn a_call_a_second_takes_as_many_seconds_as_there_are_people() {
        let now = at("2026-11-24T18:00:00Z");
        let span =
            play(vec![of("+14155550101", 3601, &emergency(), now)], &Dialling::default(), &emergency(), 1.0, None);
        assert_eq!((span.first, span.last), (Some(now), Some(at("2026-11-24T19:00:00Z"))));
        assert_eq!(span.not_reached, 0);
    }

    #[test]
    fn whoever_is_left_when_a_window_closes_is_called_in_the_next_one() {
        let windows = serde_json::from_value(serde_json::json!({
            "monday": [{ "from": "09:00", "to": "10:00" }],
            "tuesday": [{ "from": "09:00", "to": "10:00" }],
        }))
        .unwrap();
        // Monday, 08:00 in San Francisco.
        let (rules, now) = (Rules { windows: Some(windows), ..emergency() }, at("2026-11-23T16:00:00Z"));
        let span = play(vec![of("+14155550101", 4000, &rules, now)], &Dialling::default(), &rules, 1.0, None);
        assert_eq!(span.first, Some(at("2026-11-23T17:00:00Z")));
        assert!(span.last.unwrap() > at("2026-11-24T17:05:00Z") && span.last.unwrap() < at("2026-11-24T17:12:00Z"));
    }

    #[test]
    fn whoever_closes_first_comes_first_and_the_campaigns_end_leaves_some() {
        let now = at("2026-11-24T18:00:00Z");
        let end = at("2026-11-24T18:01:00Z");
        let group = |minutes: i64, people| Group {
            until: now + SignedDuration::from_mins(minutes),
            people,
            ..of("+14155550101", 1, &emergency(), now)
        };
        let span = play(vec![group(600, 60), group(300, 30)], &Dialling::default(), &emergency(), 1.0, Some(end));
        assert_eq!((span.not_reached, span.last), (30, Some(at("2026-11-24T18:00:59Z"))));
        assert_eq!(play(Vec::new(), &Dialling::default(), &emergency(), 1.0, None), Span::default());
    }

    #[test]
    fn people_of_one_place_share_one_answer() {
        let now = at("2026-11-24T18:00:00Z");
        let mut asking =
            Asking::new(Dialling::default(), Rules { purpose: Some(Purpose::Marketing), ..Rules::default() }, now);
        let mut callee = guard::Contact { number: "+14155550101".into(), ..guard::Contact::default() };
        assert_eq!(asking.about(&callee), Outlook::Never("no_consent"));
        callee.number = "+14155559999".into();
        assert_eq!(asking.about(&callee), Outlook::Never("no_consent"));
        assert_eq!(asking.known.len(), 1);
        let kind = guard::ConsentKind::Written;
        callee.consent = Some(guard::Consent { kind, at: None, source: None });
        assert!(matches!(asking.about(&callee), Outlook::Open(from, _) if from == now));
    }

    #[test]
    fn a_forecast_is_one_sentence() {
        let forecast = Forecast {
            callable: 11_420,
            suppressed: 310,
            without_zone: 12,
            without_consent: 95,
            blocked: BTreeMap::new(),
            bad: 12,
            not_reached: 0,
            first_call: Some(at("2026-11-24T17:00:00Z")),
            last_call: Some(at("2026-11-25T00:40:00Z")),
            rate: 1.0,
            cost_usd: 1142.0,
            usd_a_person: 0.1,
        };
        let zone = TimeZone::get("America/Los_Angeles").unwrap();
        assert_eq!(
            forecast.sentence(&zone, at("2026-11-24T15:00:00Z")),
            "11,420 callable, 310 suppressed, 12 without a zone, 95 without consent, first call 09:00, last 16:40 at 1 a second, about $1142.00 at $0.1000 a person"
        );
        assert!(forecast.sentence(&TimeZone::UTC, at("2026-11-20T15:00:00Z")).contains("first call 2026-11-24 17:00"));
        assert_eq!([0, 999, 1000, 1_234_567].map(thousands), ["0", "999", "1,000", "1,234,567"]);
    }
}
