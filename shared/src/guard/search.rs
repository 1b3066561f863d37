//! What stands in the way of a call at a moment, and the search for a moment at which nothing does.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::Reason;
use super::contact::Contact;
use super::law::{self, Rule};
use super::place::Located;
use super::rules::{Cap, History, Purpose, Rules};
use super::zone::{DAY, Local, TimeZoneName, plus};

/// A window is looked at no further than this ahead of what the call needs: whoever was allowed asks again before.
pub const LONGEST_ALLOWANCE: SignedDuration = SignedDuration::from_hours(24);

/// How far ahead a lawful moment is sought.
pub const SEARCH: SignedDuration = SignedDuration::from_hours(400 * 24);

/// What one limit says about a moment.
pub enum Limit {
    /// It does not stand in the way until then.
    Open(Timestamp),
    /// It stands in the way, at least until then.
    Shut(Timestamp, &'static str, &'static str),
}

/// A question about time, with all that does not depend on the moment worked out.
pub struct Question<'a> {
    zones: Vec<&'a TimeZoneName>,
    laws: Vec<&'static Rule>,
    rules: &'a Rules,
    history: &'a History,
    /// Newest first.
    attempts: Vec<Timestamp>,
    own: bool,
    need: SignedDuration,
}

struct Look {
    shut: Option<Timestamp>,
    closes: Timestamp,
}

impl<'a> Question<'a> {
    pub fn new(contact: &Contact, located: Located<'a>, rules: &'a Rules, history: &'a History) -> Self {
        let lawless = contact.own || rules.purpose == Some(Purpose::Emergency);
        let mut attempts = history.attempts.clone();
        attempts.sort_unstable_by(|a, b| b.cmp(a));
        let laws = if lawless { Vec::new() } else { law::rules_for(&located.states, rules.purpose).collect() };
        let need = [rules.queue_allowance, rules.ring_timeout, rules.margin].map(signed);
        let need = need.into_iter().fold(SignedDuration::ZERO, SignedDuration::saturating_add);
        Self { zones: located.zones, laws, rules, history, attempts, own: contact.own, need }
    }

    /// What a call needs from its beginning until it was answered or not.
    pub fn need(&self) -> SignedDuration {
        self.need
    }

    /// All that stands in the way at a moment.
    pub fn reasons(&self, at: Timestamp) -> Vec<Reason> {
        let mut reasons: Vec<Reason> = Vec::new();
        self.each(at, &mut |limit| {
            if let Limit::Shut(_, rule, source) = limit
                && !reasons.iter().any(|known| known.rule == rule && known.source == source)
            {
                reasons.push(Reason::new(rule, source));
            }
        });
        reasons
    }

    /// Until when a call that is allowed at `at` stays so.
    pub fn closes(&self, at: Timestamp) -> Timestamp {
        let furthest = plus(at, self.need.saturating_add(LONGEST_ALLOWANCE).min(SEARCH));
        let mut closes = at;
        while closes < furthest {
            let look = self.look(closes);
            if look.shut.is_some() || look.closes <= closes {
                break;
            }
            closes = look.closes;
        }
        closes.min(furthest)
    }

    /// The first moment from `from` on at which a call is allowed, and until when.
    pub fn first(&self, from: Timestamp) -> Option<(Timestamp, Timestamp)> {
        let last = plus(from, SEARCH);
        let mut at = from;
        while at < last {
            let next = match self.look(at).shut {
                Some(until) => until,
                None => match self.closes(at) {
                    closes if plus(at, self.need) <= closes => return Some((at, closes)),
                    closes => closes,
                },
            };
            // Every step leads ahead; a limit that says otherwise must not hold the caller up for ever.
            if next <= at {
                break;
            }
            at = next;
        }
        None
    }

    fn look(&self, at: Timestamp) -> Look {
        let mut look = Look { shut: None, closes: Timestamp::MAX };
        self.each(at, &mut |limit| match limit {
            Limit::Open(until) => look.closes = look.closes.min(until),
            Limit::Shut(until, ..) => look.shut = look.shut.max(Some(until)),
        });
        look
    }

    fn each(&self, at: Timestamp, tell: &mut dyn FnMut(Limit)) {
        self.history_at(at, tell);
        if self.own {
            return;
        }
        // Clocks show whole seconds; a window ends with the second in which it ends.
        let second = Timestamp::from_second(at.as_second()).unwrap_or(at);
        for zone in &self.zones {
            let local = zone.local(second);
            self.hours_at(zone, second, local, tell);
            if self.rules.campaign_zone.is_none() {
                self.excluded_at(zone, second, local, tell);
            }
        }
        if let Some(zone) = &self.rules.campaign_zone {
            self.excluded_at(zone, second, zone.local(second), tell);
        }
    }

    fn history_at(&self, at: Timestamp, tell: &mut dyn FnMut(Limit)) {
        if let Some(until) = self.history.hold_until.filter(|until| at < *until) {
            tell(Limit::Shut(until, "on_hold", "an earlier attempt may still ring"));
        }
        if let Some(refusal) = self.history.last_refusal {
            let until = plus(refusal, signed(self.rules.refusal_gap));
            if at < until {
                tell(Limit::Shut(until, "recently_refused", "owner"));
            }
        }
        for cap in &self.rules.caps {
            self.cap_at(*cap, at, ("attempts", "owner"), tell);
        }
        if self.own {
            return;
        }
        for law in &self.laws {
            if let Some((attempts, hours)) = law.attempts {
                let word = if hours == 24 { "attempts_24h" } else { "attempts_8h" };
                let within = Duration::from_hours(u64::from(hours));
                self.cap_at(Cap { attempts, within }, at, (word, law.statute), tell);
            }
        }
    }

    /// An attempt counts until `within` has passed since; one in the future (a clock that went wrong) counts too.
    fn cap_at(&self, cap: Cap, at: Timestamp, word: (&'static str, &'static str), tell: &mut dyn FnMut(Limit)) {
        let within = signed(cap.within);
        let Some(index) = usize::try_from(cap.attempts).ok().and_then(|attempts| attempts.checked_sub(1)) else {
            return tell(Limit::Shut(Timestamp::MAX, word.0, word.1));
        };
        if let Some(until) = self.attempts.get(index).map(|&attempt| plus(attempt, within)).filter(|until| at < *until)
        {
            tell(Limit::Shut(until, word.0, word.1));
        }
    }

    fn hours_at(&self, zone: &TimeZoneName, at: Timestamp, local: Local, tell: &mut dyn FnMut(Limit)) {
        let hours = |hour: u8| i32::from(hour) * 3600;
        for law in self.laws.iter().filter(|law| law.in_force(local.date)) {
            match law.hours(local.date) {
                (None, day) => tell(Limit::Shut(zone.reaches(at, local, DAY), day, law.statute)),
                (Some((from, _)), _) if local.second < hours(from) => {
                    tell(Limit::Shut(zone.reaches(at, local, hours(from)), "outside_hours", law.statute));
                }
                (Some((_, to)), _) if local.second < hours(to) => tell(Limit::Open(zone.reaches(at, local, hours(to)))),
                _ => tell(Limit::Shut(zone.reaches(at, local, DAY), "outside_hours", law.statute)),
            }
        }
        if let Some(windows) = &self.rules.windows {
            tell(within(windows.spans(local.date), zone, at, local));
        }
    }

    fn excluded_at(&self, zone: &TimeZoneName, at: Timestamp, local: Local, tell: &mut dyn FnMut(Limit)) {
        if self.rules.excluded_dates.is_empty() {
            return;
        }
        let midnight = zone.reaches(at, local, DAY);
        if self.rules.excluded_dates.contains(&local.date) {
            tell(Limit::Shut(midnight, "excluded_date", "owner"));
        } else {
            tell(Limit::Open(midnight));
        }
    }
}

/// The owner's windows of a day: open until the furthest end of those that are open, shut until the next begins.
fn within(spans: impl Iterator<Item = (i32, i32)>, zone: &TimeZoneName, at: Timestamp, local: Local) -> Limit {
    let (mut ends, mut begins) = (None, DAY);
    for (from, to) in spans {
        if (from..to).contains(&local.second) {
            ends = ends.max(Some(to));
        } else if from > local.second {
            begins = begins.min(from);
        }
    }
    match ends {
        Some(ends) => Limit::Open(zone.reaches(at, local, ends)),
        None => Limit::Shut(zone.reaches(at, local, begins), "owner_window", "owner"),
    }
}

fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}
