//! Whether a person may be called now. Pure and total: no clock, no I/O; the tables and the time zones are compiled in.
//! Asked when a contact is picked, and again inside the claim's transaction under the lock of the number.
//!
//! Not here: whether the attempt is due or has expired, stop switches, pace.

mod contact;
mod holidays;
mod law;
mod place;
mod rules;
mod search;
mod states;
mod windows;
mod zip;
mod zone;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

pub use contact::{Consent, ConsentKind, Contact, NotAConsent};
pub use holidays::Holiday;
pub use law::{Binds, Evidence, FEDERAL, Hours, Rule, STATES, Stale, stale_tables};
pub use place::{NotAState, Place, StateCode, check_number, place};
pub use rules::{Cap, History, NotAPurpose, Purpose, Rules};
pub use search::{LONGEST_ALLOWANCE, SEARCH};
pub use windows::{Minute, NotAWindow, Window, Windows};
pub use zip::known_postal_code;
pub use zone::{NotAZone, TimeZoneName};

use search::Question;

/// Version of the rules and tables; kept with every decision.
pub const RULES_VERSION: &str = "2026-11-24.2";

/// How soon to ask again about a number whose transcript is awaited.
pub const TRANSCRIPT_WAIT: SignedDuration = SignedDuration::from_mins(5);

/// The guard's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "decision", rename_all = "snake_case")]
pub enum Decision {
    /// The call may be placed now.
    Allow {
        /// When it would no longer be lawful to ring; at most [`LONGEST_ALLOWANCE`] after what the call needs.
        until: Timestamp,
    },
    /// Not now: ask again then.
    Defer {
        /// The first moment at which the same question would be answered with [`Decision::Allow`]; while a transcript is
        /// awaited, when to look for it.
        until: Timestamp,
        /// All that stands in the way now.
        because: Vec<Reason>,
    },
    /// Never, as things are.
    Block {
        /// All that stands in the way now; what blocks comes first.
        because: Vec<Reason>,
    },
}

/// A rule that stands in the way.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, utoipa::ToSchema)]
pub struct Reason {
    /// A stable word, such as `outside_hours`.
    pub rule: &'static str,
    /// Statute, `owner`, or what is known.
    pub source: String,
}

impl Reason {
    pub(crate) fn new(rule: &'static str, source: &str) -> Self {
        Self { rule, source: source.to_owned() }
    }
}

/// Whether the person may be called now, by all that is known.
#[must_use]
pub fn decide(contact: &Contact, rules: &Rules, history: &History, now: Timestamp) -> Decision {
    let (question, mut blocked) = ask(contact, rules, history, now);
    let mut because = question.reasons(now);
    if history.transcript_awaited {
        because.push(Reason::new("transcript_awaited", "the person may have asked not to be called"));
    }
    if !blocked.is_empty() {
        blocked.append(&mut because);
        return Decision::Block { because: blocked };
    }
    let mut from = now;
    if because.is_empty() {
        let until = question.closes(now);
        if zone::plus(now, question.need()) <= until {
            return Decision::Allow { until };
        }
        because.push(Reason::new("closing_soon", "queue, ringing and margin would outlast the window"));
        from = until;
    }
    if history.transcript_awaited {
        from = zone::plus(now, TRANSCRIPT_WAIT);
    }
    if let Some((until, _)) = question.first(from) {
        Decision::Defer { until, because }
    } else {
        because.insert(0, Reason::new("no_lawful_time", "none in the next 400 days"));
        Decision::Block { because }
    }
}

/// The first moment from `from` on at which the person may be called, and until when.
///
/// # Errors
/// What blocks.
pub fn first_allowed(
    contact: &Contact,
    rules: &Rules,
    history: &History,
    from: Timestamp,
) -> Result<(Timestamp, Timestamp), Vec<Reason>> {
    let (question, blocked) = ask(contact, rules, history, from);
    if !blocked.is_empty() {
        return Err(blocked);
    }
    let start = if history.transcript_awaited { zone::plus(from, TRANSCRIPT_WAIT) } else { from };
    question.first(start).ok_or_else(|| vec![Reason::new("no_lawful_time", "none in the next 400 days")])
}

/// What was not given, and so neither assumed nor checked, and what the guard never checks.
#[must_use]
pub fn not_checked(contact: &Contact, rules: &Rules) -> Vec<&'static str> {
    let mut words = Vec::new();
    let mut note = |missing: bool, word| {
        if missing {
            words.push(word);
        }
    };
    note(rules.purpose.is_none(), "purpose");
    note(!consent_is_checked(contact, rules) && rules.purpose != Some(Purpose::Emergency), "consent");
    note(contact.timezone.is_none(), "timezone");
    note(contact.state.is_none() && contact.postal_code.is_none(), "state");
    note(matches!(rules.purpose, None | Some(Purpose::Marketing)), "do_not_call_registry");
    words
}

/// The question about time, and what blocks whatever the time.
fn ask<'a>(
    contact: &'a Contact,
    rules: &'a Rules,
    history: &'a History,
    now: Timestamp,
) -> (Question<'a>, Vec<Reason>) {
    let mut blocked = Vec::new();
    if history.suppressed {
        blocked.push(Reason::new("suppressed", "the person asked not to be called"));
    }
    let located = place::locate(contact).unwrap_or_else(|reason| {
        blocked.push(reason);
        place::Located::default()
    });
    if let Some(source) = too_little_consent(contact, rules, now) {
        blocked.push(Reason::new("no_consent", source));
    }
    (Question::new(contact, located, rules, history), blocked)
}

fn consent_is_checked(contact: &Contact, rules: &Rules) -> bool {
    let wanted = matches!(rules.purpose, Some(Purpose::Marketing | Purpose::Informational));
    wanted && rules.check_consent && !contact.own
}

/// Where it stands that the consent is too little for an artificial voice (FCC 24-17) and this purpose.
fn too_little_consent(contact: &Contact, rules: &Rules, now: Timestamp) -> Option<&'static str> {
    if !consent_is_checked(contact, rules) {
        return None;
    }
    let given = contact.consent.as_ref().filter(|consent| consent.at.is_none_or(|at| at <= now));
    let kind = given.map_or(ConsentKind::None, |consent| consent.kind);
    match rules.purpose {
        Some(Purpose::Marketing) if kind != ConsentKind::Written => {
            Some("47 CFR 64.1200(a)(2), (a)(3), (f)(9); FCC 24-17")
        }
        Some(Purpose::Informational) if !matches!(kind, ConsentKind::Written | ConsentKind::Express) => {
            Some("47 CFR 64.1200(a)(1); FCC 24-17")
        }
        _ => None,
    }
}
