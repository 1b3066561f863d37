//! Reads what is sent of a campaign, field by field: everything wrong is told at once.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use elevenwire::call::Outcome;
use elevenwire::campaign::{Budget, Cap, RetryRule, Schedule, Settings, Texts, Voicemail};
use elevenwire::guard::{Purpose, TimeZoneName};
use elevenwire::phone::PhoneNumber;
use elevenwire::problem::FieldError;
use elevenwire::variables;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// What may be sent.
const FIELDS: [&str; 17] = [
    "name",
    "agent",
    "from",
    "purpose",
    "schedule",
    "windows",
    "excluded_dates",
    "max_concurrent",
    "rate",
    "max_attempts",
    "retries",
    "voicemail",
    "expires_after_secs",
    "caps",
    "ring_timeout_secs",
    "budget",
    "texts",
];
const VARIABLES: &str = "variables";

/// What GET answers besides: may be sent back, and is ignored.
const ANSWERED: [&str; 9] =
    ["id", "state", "because", "decided_by", "created_at", "updated_at", "started_at", "ended_at", "progress"];

const DAY: u64 = 24 * 3600;

pub(super) struct Reader<'b> {
    body: &'b Map<String, Value>,
    pub(super) errors: Vec<FieldError>,
}

impl<'b> Reader<'b> {
    pub(super) fn of(body: &'b Map<String, Value>) -> Self {
        Self { body, errors: Vec::new() }
    }

    pub(super) fn wrong(&mut self, field: &str, problem: &str, mend: &str) {
        self.errors.push(FieldError::new(field, problem, mend));
    }

    pub(super) fn refuse_unknown(&mut self) {
        let known = |key: &str| FIELDS.contains(&key) || key == VARIABLES || ANSWERED.contains(&key);
        let unknown: Vec<String> = self.body.keys().filter(|key| !known(key)).cloned().collect();
        for key in unknown {
            let shown: String = key.chars().take(64).collect();
            let mend = format!("Leave it out, or use one of: {}, {VARIABLES}.", FIELDS.join(", "));
            self.wrong(&shown, "is not a field of a campaign", &mend);
        }
    }

    /// A field of a type; its default when it is missing or null.
    pub(super) fn read<T: DeserializeOwned + Default>(&mut self, field: &str, mend: &str) -> T {
        let Some(value) = self.body.get(field).filter(|value| !value.is_null()) else { return T::default() };
        serde_json::from_value(value.clone()).unwrap_or_else(|error| {
            self.wrong(field, &format!("cannot be read: {error}"), mend);
            T::default()
        })
    }

    pub(super) fn from(&mut self) -> Option<String> {
        let from: Option<String> = self.read("from", "Use one of the agent's caller ids.");
        let parsed = from.as_deref().map(PhoneNumber::parse)?;
        match parsed {
            Ok(number) => Some(number.as_str().to_owned()),
            Err(problem) => {
                self.wrong("from", &problem.to_string(), "Write it in E.164 form, such as +14155550123.");
                None
            }
        }
    }

    pub(super) fn purpose(&mut self) -> Option<Purpose> {
        let word: Option<String> = self.read("purpose", "Send it as a JSON string.");
        let mend =
            "Say `marketing`, `informational` or `emergency`: what the law asks differs, so there is no default.";
        match word.as_deref().map(Purpose::parse) {
            Some(Ok(purpose)) => return Some(purpose),
            Some(Err(problem)) => self.wrong("purpose", &problem.to_string(), mend),
            None => self.wrong("purpose", "is missing", mend),
        }
        None
    }

    fn number(&mut self, field: &str, default: u32, bounds: RangeInclusive<u64>) -> u32 {
        let value = self.body.get(field).filter(|value| !value.is_null());
        let Some(value) = value else { return default };
        let number = value.as_u64().filter(|number| bounds.contains(number));
        if number.is_none() {
            let mend = format!("Send a whole number from {} to {}.", bounds.start(), bounds.end());
            self.wrong(field, "is out of bounds", &mend);
        }
        number.and_then(|number| u32::try_from(number).ok()).unwrap_or(default)
    }

    /// A list in place of an object would be read as its fields in the order in which they are declared here.
    fn refuse_lists(&mut self) {
        let object = |value: &Value| value.is_object() || value.is_null();
        let objects = |value: &Value| match value {
            Value::Object(fields) => fields.values().all(object),
            Value::Array(items) => items.iter().all(Value::is_object),
            _ => true,
        };
        let windows =
            |value: &Value| object(value) && value.as_object().into_iter().flatten().all(|(_, day)| objects(day));
        let body = self.body;
        let good = |field: &str, check: &dyn Fn(&Value) -> bool| body.get(field).is_none_or(check);
        let mut wrong: Vec<&str> =
            ["schedule", "budget", "texts"].into_iter().filter(|field| !good(field, &object)).collect();
        wrong.extend((!good("retries", &|value| object(value) && objects(value))).then_some("retries"));
        wrong.extend((!good("caps", &objects)).then_some("caps"));
        wrong.extend((!good("windows", &windows)).then_some("windows"));
        for field in wrong {
            self.wrong(field, "holds a list where an object belongs", "Send objects with named fields.");
        }
    }

    pub(super) fn settings(&mut self) -> Settings {
        self.refuse_lists();
        let defaults = Settings::default();
        Settings {
            schedule: self.schedule(),
            windows: self.read(
                "windows",
                "Send windows per weekday, such as {\"monday\": [{\"from\": \"09:00\", \"to\": \"17:30\"}]}.",
            ),
            excluded_dates: self.read("excluded_dates", "Send dates such as \"2026-12-24\"."),
            max_concurrent: self.number("max_concurrent", defaults.max_concurrent, 1..=10_000),
            rate: self.rate(defaults.rate),
            max_attempts: self.number("max_attempts", defaults.max_attempts, 1..=20),
            retries: self.retries(),
            voicemail: self.read::<Option<Voicemail>>("voicemail", "Use `done` or `retry`.").unwrap_or_default(),
            expires_after_secs: self.expires_after(),
            caps: self.caps(),
            ring_timeout_secs: self.ring_timeout(),
            budget: self.budget(),
            texts: self.texts(),
            variables: self.variables(),
        }
    }

    fn schedule(&mut self) -> Schedule {
        let mend = "Send {\"start_at\": time, \"end_at\": time, \"timezone\": \"America/Chicago\"}, times in RFC 3339.";
        let schedule: Schedule = self.read("schedule", mend);
        for (field, at) in [("schedule.start_at", schedule.start_at), ("schedule.end_at", schedule.end_at)] {
            if at.is_some_and(|at| at.to_zoned(jiff::tz::TimeZone::UTC).year() < 1) {
                self.wrong(field, "is before all calendars", "Send a time of our era.");
            }
        }
        if let (Some(start), Some(end)) = (schedule.start_at, schedule.end_at)
            && end <= start
        {
            self.wrong("schedule.end_at", "is not after start_at", "Let it end after it has begun.");
        }
        if let Some(Err(problem)) = schedule.timezone.as_deref().map(TimeZoneName::parse) {
            self.wrong("schedule.timezone", &problem.to_string(), "Use an IANA name such as America/Chicago.");
        }
        schedule
    }

    fn rate(&mut self, default: f64) -> f64 {
        let rate = self.read::<Option<f64>>("rate", "Send calls a second, such as 0.5.").unwrap_or(default);
        if !(0.001..=100.0).contains(&rate) {
            self.wrong("rate", "is out of bounds", "Send calls a second from 0.001 to 100.");
        }
        rate
    }

    fn retries(&mut self) -> BTreeMap<String, Option<RetryRule>> {
        let mend =
            "Send rules per outcome, such as {\"busy\": {\"delay_secs\": 900, \"most\": 2}, \"no_answer\": null}.";
        let retries: BTreeMap<String, Option<RetryRule>> = self.read("retries", mend);
        for (word, rule) in &retries {
            let field = format!("retries.{}", word.chars().take(64).collect::<String>());
            match Outcome::parse(word) {
                None => self.wrong(&field, "is not an outcome", "Use outcomes such as busy, no_answer, voicemail."),
                Some(outcome) if rule.is_some() && !Settings::may_retry(outcome) => {
                    self.wrong(&field, "is never tried again", "Leave it out: such a contact is done.");
                }
                Some(_) => {}
            }
            if rule.is_some_and(|rule| !(1..=30 * DAY).contains(&rule.delay_secs) || rule.most > 20) {
                self.wrong(&field, "is out of bounds", "Use a delay of 1 second to 30 days, and at most 20 tries.");
            }
        }
        retries
    }

    fn expires_after(&mut self) -> Option<u64> {
        let secs: Option<u64> = self.read("expires_after_secs", "Send seconds after the start.");
        if secs.is_some_and(|secs| !(60..=366 * DAY).contains(&secs)) {
            self.wrong("expires_after_secs", "is out of bounds", "Send seconds, from a minute to a year.");
        }
        secs
    }

    fn caps(&mut self) -> Vec<Cap> {
        let caps: Vec<Cap> = self.read("caps", "Send a list such as [{\"attempts\": 1, \"within_secs\": 86400}].");
        let good = |cap: &Cap| (1..=100).contains(&cap.attempts) && (60..=31 * DAY).contains(&cap.within_secs);
        if caps.len() > 10 || !caps.iter().all(good) {
            let mend = "Send at most 10 caps of 1 to 100 attempts within a minute to 31 days.";
            self.wrong("caps", "is out of bounds", mend);
        }
        caps
    }

    fn ring_timeout(&mut self) -> Option<u32> {
        self.body.get("ring_timeout_secs").filter(|value| !value.is_null())?;
        Some(self.number("ring_timeout_secs", 60, 5..=600))
    }

    fn budget(&mut self) -> Budget {
        let budget: Budget = self.read("budget", "Send {\"max_calls\": number, \"max_spend\": number}.");
        if budget.max_spend.is_some_and(|most| !most.is_finite() || most <= 0.0)
            || budget.max_calls.is_some_and(|most| !(1..=1_000_000_000).contains(&most))
        {
            self.wrong(
                "budget",
                "is out of bounds",
                "Send numbers above zero (calls: up to a billion), or leave it out.",
            );
        }
        budget
    }

    fn texts(&mut self) -> Texts {
        let mend = "Send texts for identity, ai_disclosure, recording, opt_out.";
        let texts: Texts = self.read("texts", mend);
        for (name, text) in texts.all() {
            if text.is_some_and(|text| text.len() > 1000 || text.contains('\0')) {
                self.wrong(&format!("texts.{name}"), "is too long or holds a NUL", "Keep it under 1,000 bytes.");
            }
        }
        texts
    }

    fn variables(&mut self) -> Map<String, Value> {
        let variables: Map<String, Value> = self.read(VARIABLES, "Send a JSON object of plain values.");
        for (field, (problem, mend)) in variables::check_all(&variables) {
            self.wrong(&field, problem, mend);
        }
        variables
    }
}
