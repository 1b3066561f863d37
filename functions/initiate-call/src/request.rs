//! What may be asked for, and what is wrong with a request that asks for something else.

use elevenwire::call::callee::{Callee, CalleeTexts};
use elevenwire::phone::{NotANumber, PhoneNumber};
use elevenwire::problem::{FieldError, Problem};
use elevenwire::variables;
use serde_json::{Map, Value};

/// The body's fields.
const FIELDS: [&str; 16] = [
    "to",
    "agent",
    "from",
    "campaign",
    "variables",
    "metadata",
    "timeout_secs",
    "max_duration_secs",
    "when",
    "purpose",
    "timezone",
    "state",
    "postal_code",
    "consent_type",
    "consent_at",
    "consent_source",
];

/// Seconds that a call may be let ring: the carrier takes up to 600, and under 5 nobody can pick up.
const RING_SECS: std::ops::RangeInclusive<u64> = 5..=600;

/// Seconds that a call may last: ElevenLabs' own bounds end at 7,200.
const DURATION_SECS: std::ops::RangeInclusive<u64> = 10..=7200;

/// Largest object, bytes.
const LARGEST_OBJECT: usize = 64 * 1024;

/// When a call may be placed.
#[derive(Debug, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// Now, or it is refused.
    Now,
    /// As soon as it is lawful.
    NextWindow,
}

/// What may be sent, for the description of the API; [`CallRequest::parse`] reads it by hand, so that everything that is
/// wrong is named at once.
#[derive(Debug, serde::Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "describes what is read by hand")]
pub struct CallWish {
    /// Who is called, with country code.
    #[schema(max_length = 32, example = "+14155550110")]
    pub to: String,
    /// Name of a registered agent.
    #[schema(max_length = 64, pattern = "^[A-Za-z0-9._:-]{1,64}$", example = "demo")]
    pub agent: String,
    /// One of the agent's caller ids; the first when it is not said.
    #[schema(max_length = 32, example = "+14155550100")]
    pub from: Option<String>,
    /// A label to find it by.
    #[schema(max_length = 64, pattern = "^[A-Za-z0-9._:-]{1,64}$", example = "autumn")]
    pub campaign: Option<String>,
    /// What the agent is told: at most 100 plain values.
    #[schema(value_type = Option<std::collections::BTreeMap<String, variables::Plain>>, example = json!({"first_name": "Maria"}))]
    pub variables: Option<Value>,
    /// Notes that come back with the call; at most 64 kB.
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<Value>,
    /// Seconds to let it ring.
    #[schema(minimum = 5, maximum = 600)]
    pub timeout_secs: Option<u32>,
    /// Seconds after which it is ended.
    #[schema(minimum = 10, maximum = 7200)]
    pub max_duration_secs: Option<u32>,
    /// Whether it may wait for a lawful hour; `now` when it is not said.
    pub when: Option<When>,
    /// Why somebody is called.
    pub purpose: Option<elevenwire::guard::Purpose>,
    /// IANA zone of the callee.
    #[schema(example = "America/Chicago")]
    pub timezone: Option<String>,
    /// State of the callee, two letters.
    #[schema(example = "TX")]
    pub state: Option<String>,
    /// ZIP code of the callee.
    #[schema(example = "78701")]
    pub postal_code: Option<String>,
    /// What the callee agreed to.
    pub consent_type: Option<elevenwire::guard::ConsentKind>,
    /// When.
    pub consent_at: Option<jiff::Timestamp>,
    /// Where it is recorded.
    #[schema(max_length = 500)]
    pub consent_source: Option<String>,
}

/// A request whose every field is in bounds.
#[derive(Debug, Clone, PartialEq)]
pub struct CallRequest {
    /// Who is called.
    pub to: PhoneNumber,
    /// Our name of the agent.
    pub agent: String,
    /// Caller id; the agent's first one when not given.
    pub from: Option<PhoneNumber>,
    /// Campaign.
    pub campaign: Option<String>,
    /// Variables for the agent.
    pub variables: Value,
    /// The owner's notes.
    pub metadata: Value,
    /// Seconds to let it ring.
    pub timeout_secs: Option<u32>,
    /// Seconds after which it is ended.
    pub max_duration_secs: Option<u32>,
    /// It may wait for the next lawful window.
    pub may_wait: bool,
    /// Who is called, as the guard is told.
    pub callee: Callee,
}

impl CallRequest {
    /// Reads a body; everything that is wrong is reported at once.
    ///
    /// # Errors
    /// 422 with each field, its problem and its mend.
    pub fn parse(body: &Value) -> Result<Self, Problem> {
        let empty = Map::new();
        let mut reader = Reader { body: body.as_object().unwrap_or(&empty), errors: Vec::new() };
        reader.refuse_unknown();
        let to = reader.number("to");
        if to.is_none() && !reader.has("to") {
            reader.wrong("to", "is missing", "Give the number in E.164 form, such as +14155550123.");
        }
        let agent = reader.name("agent");
        if agent.is_none() && !reader.has("agent") {
            reader.wrong("agent", "is missing", "Give the name of a registered agent (GET /api/agents lists them).");
        }
        let from = reader.number("from");
        let campaign = reader.name("campaign");
        let variables = reader.object("variables");
        reader.check_variables(&variables);
        let metadata = reader.object("metadata");
        let timeout_secs = reader.seconds("timeout_secs", RING_SECS);
        let max_duration_secs = reader.seconds("max_duration_secs", DURATION_SECS);
        let may_wait = reader.when();
        let callee = reader.callee();
        match (to, agent) {
            (Some(to), Some(agent)) if reader.errors.is_empty() => Ok(Self {
                to,
                agent,
                from,
                campaign,
                variables,
                metadata,
                timeout_secs,
                max_duration_secs,
                may_wait,
                callee,
            }),
            _ => Err(Problem::fields(reader.errors)),
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

    fn has(&self, field: &str) -> bool {
        self.body.get(field).is_some_and(|value| !value.is_null())
    }

    fn refuse_unknown(&mut self) {
        let unknown: Vec<String> = self.body.keys().filter(|key| !FIELDS.contains(&key.as_str())).cloned().collect();
        for key in unknown {
            let key: String = key.chars().take(variables::LONGEST_NAME).collect();
            self.wrong(
                &key,
                "is not a field of a call",
                &format!("Leave it out, or use one of: {}.", FIELDS.join(", ")),
            );
        }
    }

    fn text(&mut self, field: &str) -> Option<String> {
        match self.body.get(field)? {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            _ => {
                self.wrong(field, "is not a text", "Send it as a JSON string.");
                None
            }
        }
    }

    fn number(&mut self, field: &str) -> Option<PhoneNumber> {
        let text = self.text(field)?;
        match PhoneNumber::parse(&text) {
            Ok(number) => Some(number),
            Err(problem) => {
                let mend = match problem {
                    NotANumber::NoCountryCode => {
                        "Write it with + and its country code, such as +14155550123. No prefix is guessed."
                    }
                    NotANumber::Invalid => "Check its digits: they do not make a number of that country.",
                };
                self.wrong(field, &problem.to_string(), mend);
                None
            }
        }
    }

    fn name(&mut self, field: &str) -> Option<String> {
        let text = self.text(field)?;
        if is_name(&text) {
            return Some(text);
        }
        self.wrong(field, "is not a name", "Use 1 to 64 letters, digits, or any of `. _ : -`.");
        None
    }

    fn object(&mut self, field: &str) -> Value {
        let value = match self.body.get(field) {
            None | Some(Value::Null) => return Value::Object(Map::new()),
            Some(value) => value.clone(),
        };
        if !value.is_object() {
            self.wrong(field, "is not an object", "Send it as a JSON object.");
        } else if value.to_string().len() > LARGEST_OBJECT {
            self.wrong(field, "is too large", "Keep it under 64 kB.");
        } else if holds_nul(&value) {
            self.wrong(field, "holds a NUL character", "Remove \\u0000: the database cannot hold it.");
        } else {
            return value;
        }
        Value::Object(Map::new())
    }

    fn check_variables(&mut self, variables: &Value) {
        let Some(variables) = variables.as_object() else { return };
        for (field, (problem, mend)) in variables::check_all(variables) {
            self.wrong(&field, problem, mend);
        }
    }

    fn when(&mut self) -> bool {
        match self.text("when").as_deref() {
            None | Some("now") => false,
            Some("next_window") => true,
            Some(_) => {
                self.wrong("when", "is not one of the known words", "Use `now`, or `next_window` to let it wait.");
                false
            }
        }
    }

    fn callee(&mut self) -> Callee {
        let texts = CalleeTexts {
            timezone: self.text("timezone"),
            state: self.text("state"),
            postal_code: self.text("postal_code"),
            consent_type: self.text("consent_type"),
            consent_at: self.text("consent_at"),
            consent_source: self.text("consent_source"),
            purpose: self.text("purpose"),
        };
        let (callee, wrong) = texts.parse();
        self.errors.extend(wrong);
        callee
    }

    fn seconds(&mut self, field: &str, bounds: std::ops::RangeInclusive<u64>) -> Option<u32> {
        match self.body.get(field)? {
            Value::Null => None,
            value => {
                let seconds = value.as_u64().filter(|seconds| bounds.contains(seconds));
                if seconds.is_none() {
                    let mend = format!("Send whole seconds from {} to {}.", bounds.start(), bounds.end());
                    self.wrong(field, "is out of bounds", &mend);
                }
                seconds.and_then(|seconds| u32::try_from(seconds).ok())
            }
        }
    }
}

/// Whether a text can be the name of an agent or a campaign.
fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | ':' | '-'))
}

fn holds_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(holds_nul),
        Value::Object(fields) => fields.iter().any(|(name, value)| name.contains('\0') || holds_nul(value)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn wrong_fields(body: &Value) -> Vec<String> {
        CallRequest::parse(body).unwrap_err().errors.into_iter().map(|error| error.field).collect()
    }

    #[test]
    fn a_small_request_is_enough() {
        let request = CallRequest::parse(&json!({"to": "+1 415 555 0123", "agent": "reminder"})).unwrap();
        assert_eq!((request.to.as_str(), request.variables), ("+14155550123", json!({})));
    }

    #[test]
    fn everything_wrong_is_named_at_once() {
        let body = json!({"to": "4155550123", "from": 7, "agent": "no spaces please", "timeout_secs": 0,
            "max_duration_secs": 7201, "variables": {"call_id": "x", "system__x": 1, "secret__k": "y", "1st": "z", "list": []},
            "metadata": [], "phone": "+14155550123"});
        let fields = wrong_fields(&body);
        for field in [
            "to",
            "from",
            "agent",
            "timeout_secs",
            "max_duration_secs",
            "variables.call_id",
            "variables.system__x",
            "variables.secret__k",
            "variables.1st",
            "variables.list",
            "metadata",
            "phone",
        ] {
            assert!(fields.contains(&field.to_owned()), "{field} in {fields:?}");
        }
        assert_eq!(wrong_fields(&json!({})), ["to", "agent"]);
    }

    #[test]
    fn what_the_database_cannot_hold_is_refused_before_it() {
        assert_eq!(
            wrong_fields(&json!({"to": "+14155550123", "agent": "a", "variables": {"name": "a\u{0}b"}})),
            ["variables"]
        );
        assert_eq!(
            wrong_fields(&json!({"to": "+14155550123", "agent": "a", "metadata": {"x": ["a\u{0}"]}})),
            ["metadata"]
        );
    }

    #[test]
    fn bounds_hold_at_their_edges() {
        for (secs, good) in [(4, false), (5, true), (600, true), (601, false)] {
            let body = json!({"to": "+14155550123", "agent": "a", "timeout_secs": secs});
            assert_eq!(CallRequest::parse(&body).is_ok(), good, "{secs}");
        }
    }
}
