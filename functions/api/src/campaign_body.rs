//! What may be asked of a campaign, and what is wrong with a request that asks for something else.

mod wish;

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use elevenwire::call::Outcome;
use elevenwire::campaign::{Budget, Cap, RetryRule, Schedule, Settings, State, Texts, Voicemail};
use elevenwire::guard::{Purpose, TimeZoneName};
use elevenwire::phone::PhoneNumber;
use elevenwire::problem::{FieldError, Problem};
use elevenwire::store::campaigns::Campaign;
use elevenwire::variables;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use uuid::Uuid;

pub(crate) use wish::{CampaignChange, CampaignWish};

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

/// Reads a new campaign.
///
/// # Errors
/// 422 with each field, its problem and its mend.
pub fn parse(body: &Value, id: Uuid, now: Timestamp) -> Result<Campaign, Problem> {
    let empty = Map::new();
    let mut reader = Reader { body: body.as_object().unwrap_or(&empty), errors: Vec::new() };
    reader.refuse_unknown();
    let name: String = reader.read("name", "Give it a name.");
    if name.trim().is_empty() || name.chars().count() > 200 || name.contains('\0') {
        reader.wrong("name", "is missing or too long", "Give it a name of 1 to 200 characters.");
    }
    let agent: String = reader.read("agent", "Give the name of a registered agent.");
    if agent.is_empty() || agent.contains('\0') {
        reader.wrong("agent", "is missing", "Give the name of a registered agent (GET /api/agents lists them).");
    }
    let from = reader.from();
    let purpose = reader.purpose();
    let settings = reader.settings();
    match purpose {
        Some(purpose) if reader.errors.is_empty() => Ok(Campaign {
            id,
            name,
            agent,
            from,
            purpose,
            state: State::Draft,
            because: None,
            decided_by: None,
            settings,
            created_at: now,
            updated_at: now,
            started_at: None,
            ended_at: None,
        }),
        _ => Err(Problem::fields(reader.errors)),
    }
}

/// Reads a change: what is sent replaces what is there (JSON merge patch, RFC 7396). Agent and purpose stay: contacts were
/// asked for their consent with them in mind.
///
/// # Errors
/// As [`parse`].
pub fn change(known: &Campaign, patch: &Value, now: Timestamp) -> Result<Campaign, Problem> {
    let mut errors = Vec::new();
    for field in ["agent", "purpose"] {
        let kept = if field == "agent" { known.agent.as_str() } else { known.purpose.as_str() };
        if patch.get(field).is_some_and(|sent| sent.as_str() != Some(kept)) {
            errors.push(FieldError::new(field, "cannot be changed", "Make another campaign."));
        }
    }
    if !errors.is_empty() {
        return Err(Problem::fields(errors));
    }
    let mut whole = serde_json::to_value(known).unwrap_or_default();
    merge(&mut whole, patch);
    let changed = parse(&whole, known.id, now)?;
    Ok(Campaign { name: changed.name, from: changed.from, settings: changed.settings, ..known.clone() })
}

fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(target) = target else { return };
    for (name, value) in patch {
        if value.is_null() {
            target.remove(name);
        } else {
            merge(target.entry(name).or_insert(Value::Null), value);
        }
    }
}

struct Reader<'b> {
    body: &'b Map<String, Value>,
    errors: Vec<FieldError>,
}

impl Reader<'_> {
    fn wrong(&mut self, field: &str, problem: &str, mend: &str) {
        self.errors.push(FieldError::new(field, problem, mend));
    }

    fn refuse_unknown(&mut self) {
        let known = |key: &str| FIELDS.contains(&key) || key == VARIABLES || ANSWERED.contains(&key);
        let unknown: Vec<String> = self.body.keys().filter(|key| !known(key)).cloned().collect();
        for key in unknown {
            let shown: String = key.chars().take(64).collect();
            let mend = format!("Leave it out, or use one of: {}, {VARIABLES}.", FIELDS.join(", "));
            self.wrong(&shown, "is not a field of a campaign", &mend);
        }
    }

    /// A field of a type; its default when it is missing or null.
    fn read<T: DeserializeOwned + Default>(&mut self, field: &str, mend: &str) -> T {
        let Some(value) = self.body.get(field).filter(|value| !value.is_null()) else { return T::default() };
        serde_json::from_value(value.clone()).unwrap_or_else(|error| {
            self.wrong(field, &format!("cannot be read: {error}"), mend);
            T::default()
        })
    }

    fn from(&mut self) -> Option<String> {
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

    fn purpose(&mut self) -> Option<Purpose> {
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

    fn settings(&mut self) -> Settings {
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn now() -> Timestamp {
        Timestamp::from_second(1_800_000_000).unwrap()
    }

    fn small() -> Value {
        json!({"name": "Recall", "agent": "demo", "purpose": "informational"})
    }

    fn wrong(change: &Value) -> Vec<String> {
        let mut body = small();
        merge(&mut body, change);
        parse(&body, Uuid::nil(), now()).unwrap_err().errors.into_iter().map(|error| error.field).collect()
    }

    #[test]
    fn a_small_campaign_has_defaults_and_is_a_draft() {
        let campaign = parse(&small(), Uuid::nil(), now()).unwrap();
        assert_eq!((campaign.state, campaign.settings), (State::Draft, Settings::default()));
    }

    #[test]
    fn there_is_no_purpose_by_default() {
        assert_eq!(wrong(&json!({"purpose": null})), ["purpose"]);
        assert_eq!(wrong(&json!({"purpose": "sales"})), ["purpose"]);
    }

    #[test]
    fn everything_wrong_is_named_at_once() {
        let fields = wrong(&json!({
            "name": " ", "rate": 0, "max_concurrent": 0, "max_attempts": 21, "voicemail": "sing", "nonsense": 1,
            "windows": {"monday": [{"from": "9", "to": "25:00"}]}, "excluded_dates": ["24.12."],
            "schedule": {"start_at": "2026-12-02T00:00:00Z", "end_at": "2026-12-01T00:00:00Z", "timezone": "Mars/Base"},
            "retries": {"answered": {"delay_secs": 60, "most": 1}, "sneezed": {"delay_secs": 60, "most": 1}, "busy": {"delay_secs": 0, "most": 1}},
            "caps": [{"attempts": 0, "within_secs": 60}], "expires_after_secs": 1, "ring_timeout_secs": 4,
            "budget": {"max_spend": -1}, "variables": {"call_id": "x"}, "texts": {"motto": "x"}, "from": "5550100",
        }));
        for field in [
            "name",
            "rate",
            "max_concurrent",
            "max_attempts",
            "voicemail",
            "nonsense",
            "windows",
            "excluded_dates",
            "schedule.end_at",
            "schedule.timezone",
            "retries.answered",
            "retries.sneezed",
            "retries.busy",
            "caps",
            "expires_after_secs",
            "ring_timeout_secs",
            "budget",
            "variables.call_id",
            "texts",
            "from",
        ] {
            assert!(fields.contains(&field.to_owned()), "{field} is not among {fields:?}");
        }
    }

    #[test]
    fn a_patch_replaces_what_it_names_and_nothing_else() {
        let mut body = small();
        merge(&mut body, &json!({"rate": 0.5, "budget": {"max_calls": 10, "max_spend": 2.5}}));
        let known = parse(&body, Uuid::nil(), now()).unwrap();
        let changed = change(&known, &json!({"budget": {"max_calls": null}, "max_attempts": 7}), now()).unwrap();
        assert_eq!(changed.settings.budget, Budget { max_calls: None, max_spend: Some(2.5) });
        assert_eq!((changed.settings.rate, changed.settings.max_attempts), (0.5, 7));
    }

    #[test]
    fn what_was_answered_may_be_sent_back_and_agent_and_purpose_stay() {
        let known = parse(&small(), Uuid::nil(), now()).unwrap();
        let echoed = serde_json::to_value(&known).unwrap();
        assert_eq!(change(&known, &echoed, now()).unwrap(), known);
        let errors = change(&known, &json!({"purpose": "emergency", "agent": "other"}), now()).unwrap_err().errors;
        assert_eq!(errors.len(), 2);
    }
}
