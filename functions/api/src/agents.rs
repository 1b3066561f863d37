//! `/api/agents`: who speaks, from which numbers, under which limits.

use elevenwire::call::Connect;
use elevenwire::phone::PhoneNumber;
use elevenwire::problem::{FieldError, Problem};

use elevenwire::store::agents::{Agent, Amd};
use jiff::Timestamp;
use serde_json::{Map, Value};

const FIELDS: [&str; 10] = [
    "name",
    "elevenlabs_agent_id",
    "number",
    "caller_ids",
    "connect",
    "elevenlabs_phone_number_id",
    "amd",
    "ring_timeout_secs",
    "max_duration_secs",
    "max_concurrent",
];

/// Where an agent's name stands makes the difference.
macro_rules! wish {
    ($(#[$about:meta])* $name:ident { $($own:tt)* }) => {
        $(#[$about])*
        #[derive(Debug, serde::Deserialize, utoipa::ToSchema)]
        #[serde(deny_unknown_fields)]
        #[expect(dead_code, reason = "describes what is read by hand")]
        pub(crate) struct $name {
            $($own)*
            /// ElevenLabs' id.
            #[schema(max_length = 128, pattern = "^[A-Za-z0-9_-]{1,128}$", example = "agent_7101k5zvyjhmfg983brhmhkd98n6")]
            elevenlabs_agent_id: String,
            /// The number imported at ElevenLabs, as it is written there.
            #[schema(max_length = 64, pattern = "^[A-Za-z0-9+_.-]{1,64}$", example = "+14155550100")]
            number: String,
            /// Numbers that it may call from.
            #[schema(min_items = 1, max_items = 100, example = json!(["+14155550100"]))]
            caller_ids: Vec<String>,
            /// Who dials; `sip` when it is not said.
            connect: Option<Connect>,
            /// ElevenLabs' id of the number; with `connect: trunk` only.
            #[schema(max_length = 128, pattern = "^[A-Za-z0-9_-]{1,128}$")]
            elevenlabs_phone_number_id: Option<String>,
            /// Answering machine detection; `off` when it is not said.
            amd: Option<Amd>,
            /// Seconds to let it ring.
            #[schema(minimum = 5, maximum = 600)]
            ring_timeout_secs: Option<u32>,
            /// Seconds after which a call is ended; 600 when it is not said.
            #[schema(minimum = 10, maximum = 7200)]
            max_duration_secs: Option<u32>,
            /// Calls that it holds at once, single calls and campaigns together; at most what ElevenLabs lets it hold.
            #[schema(minimum = 1, maximum = 10_000, example = 10)]
            max_concurrent: u32,
            /// Of an answer that is sent back: ignored.
            #[schema(value_type = Value, required = false)]
            created_at: Value,
            /// The same.
            #[schema(value_type = Value, required = false)]
            updated_at: Value,
        }
    };
}

wish! {
    /// An agent that is new.
    AgentWish {
        /// Our name for it.
        #[schema(max_length = 64, pattern = "^[A-Za-z0-9._:-]{1,64}$", example = "reminder")]
        name: String,
    }
}

wish! {
    /// An agent whose name stands in the address.
    NamedAgentWish {
        /// The name in the address, or nothing.
        #[schema(max_length = 64, pattern = "^[A-Za-z0-9._:-]{1,64}$", example = "reminder")]
        name: Option<String>,
    }
}

/// Seconds that a call lasts at most unless the agent says otherwise: ElevenLabs' own default.
const MAX_DURATION_SECS: u32 = 600;

/// Reads an agent. `name` comes from the path for PUT, from the body for POST.
///
/// # Errors
/// 422 with each field, its problem and its mend.
pub fn parse(body: &Value, name: Option<&str>, now: Timestamp) -> Result<Agent, Problem> {
    let empty = Map::new();
    let mut reader = Reader { body: body.as_object().unwrap_or(&empty), errors: Vec::new() };
    reader.refuse_unknown();
    let name = reader.agent_name(name);
    let elevenlabs_agent_id = reader.vendor_id();
    let number = reader.sip_number();
    let caller_ids = reader.caller_ids();
    let connect = reader.connect();
    let elevenlabs_phone_number_id = reader.phone_number_id(connect);
    let amd = reader.word("amd", &["off", "hang_up"], "off", "Use `off`, or `hang_up` to hang up on machines.");
    let ring_timeout_secs = reader.seconds("ring_timeout_secs", 5, 600);
    let max_duration_secs = reader.seconds("max_duration_secs", 10, 7200).unwrap_or(MAX_DURATION_SECS);
    let max_concurrent = reader.max_concurrent();
    if connect == Connect::Trunk && amd == "hang_up" {
        let mend = "Use `off`: ElevenLabs dials, so give the agent its voicemail detection tool instead.";
        reader.wrong("amd", "cannot be had with `connect: trunk`", mend);
    }
    if !reader.errors.is_empty() {
        return Err(Problem::fields(reader.errors));
    }
    let amd = if amd == "hang_up" { Amd::HangUp } else { Amd::Off };
    Ok(Agent {
        name,
        elevenlabs_agent_id,
        number,
        caller_ids,
        connect,
        elevenlabs_phone_number_id,
        amd,
        ring_timeout_secs,
        max_duration_secs,
        max_concurrent,
        created_at: now,
        updated_at: now,
    })
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
        // What GET answers may be sent back: its times are ours, and are ignored.
        let known = |key: &&String| !FIELDS.contains(&key.as_str()) && *key != "created_at" && *key != "updated_at";
        for key in self.body.keys().filter(known).cloned().collect::<Vec<_>>() {
            let shown: String = key.chars().take(64).collect();
            self.wrong(
                &shown,
                "is not a field of an agent",
                &format!("Leave it out, or use one of: {}.", FIELDS.join(", ")),
            );
        }
    }

    fn text(&self, field: &str) -> Option<&str> {
        self.body.get(field).and_then(Value::as_str)
    }

    fn agent_name(&mut self, from_path: Option<&str>) -> String {
        if self.body.get("name").is_some_and(|name| !name.is_null() && !name.is_string()) {
            self.wrong("name", "is not a text", "Send it as a JSON string.");
        }
        let name = from_path.or(self.text("name")).unwrap_or_default().to_owned();
        let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | ':' | '-');
        if name.is_empty() || name.len() > 64 || !name.chars().all(good) {
            self.wrong("name", "is missing or is not a name", "Use 1 to 64 letters, digits, or any of `. _ : -`.");
        } else if self.text("name").is_some_and(|body| body != name) {
            self.wrong("name", "is not the name in the address", "Leave it out, or make both the same.");
        }
        name
    }

    fn vendor_id(&mut self) -> String {
        let id = self.text("elevenlabs_agent_id").unwrap_or_default().to_owned();
        let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        if id.is_empty() || id.len() > 128 || !id.chars().all(good) {
            self.wrong(
                "elevenlabs_agent_id",
                "is missing or malformed",
                "Copy the agent's id from ElevenLabs (agent_…).",
            );
        }
        id
    }

    /// ElevenLabs names a trunk by the number as it was imported, with `+` only if it was imported with it.
    fn sip_number(&mut self) -> String {
        let number = self.text("number").unwrap_or_default().to_owned();
        let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '_' | '-' | '.');
        if number.is_empty() || number.len() > 64 || !number.chars().all(good) {
            let mend = "Give the phone number that was imported at ElevenLabs, written exactly as it is there.";
            self.wrong("number", "is missing or malformed", mend);
        }
        number
    }

    fn connect(&mut self) -> Connect {
        let mend = "Use `sip` (SignalWire dials and bridges to the agent's number) or `trunk` (ElevenLabs dials through \
                    SignalWire as its SIP trunk).";
        Connect::parse(self.word("connect", &["sip", "trunk"], "sip", mend))
    }

    /// What ElevenLabs dials from: needed where it dials, and a mistake where it does not.
    fn phone_number_id(&mut self, connect: Connect) -> Option<String> {
        const FIELD: &str = "elevenlabs_phone_number_id";
        let value = self.body.get(FIELD).filter(|value| !value.is_null());
        let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        let id = value.and_then(Value::as_str).filter(|id| (1..=128).contains(&id.len()) && id.chars().all(good));
        match (connect, value) {
            (Connect::Sip, None) => {}
            (Connect::Sip, Some(_)) => {
                self.wrong(FIELD, "is for `connect: trunk` only", "Leave it out, or set `connect` to `trunk`.");
            }
            (Connect::Trunk, _) if id.is_none() => {
                let mend = "Copy the id of the imported number from ElevenLabs (phnum_…): it is dialled from.";
                self.wrong(FIELD, "is missing or malformed", mend);
            }
            (Connect::Trunk, _) => return id.map(str::to_owned),
        }
        None
    }

    fn caller_ids(&mut self) -> Vec<String> {
        let Some(Value::Array(items)) = self.body.get("caller_ids") else {
            self.wrong(
                "caller_ids",
                "is missing or is not a list",
                "List the SignalWire numbers that it may call from.",
            );
            return Vec::new();
        };
        if items.is_empty() || items.len() > 100 {
            self.wrong("caller_ids", "is empty or too long", "List 1 to 100 numbers.");
        }
        let mut numbers = Vec::new();
        for (at, item) in items.iter().enumerate() {
            match PhoneNumber::parse(item.as_str().unwrap_or_default()) {
                Ok(number) => numbers.push(number.as_str().to_owned()),
                Err(problem) => {
                    self.errors.push(FieldError::new(
                        format!("caller_ids[{at}]"),
                        problem.to_string(),
                        "Write it in E.164 form, such as +14155550123.",
                    ));
                }
            }
        }
        numbers
    }

    fn word<'w>(&mut self, field: &str, words: &[&'w str], default: &'w str, mend: &str) -> &'w str {
        let Some(value) = self.body.get(field).filter(|value| !value.is_null()) else { return default };
        if let Some(word) = words.iter().find(|word| value.as_str() == Some(word)) {
            return word;
        }
        self.wrong(field, "is not one of the known words", mend);
        default
    }

    fn seconds(&mut self, field: &str, least: u64, most: u64) -> Option<u32> {
        self.bounded(field, least, most, "whole seconds")
    }

    /// Without a default: one that is too high has ElevenLabs refuse people who already picked up.
    fn max_concurrent(&mut self) -> Option<u32> {
        const FIELD: &str = "max_concurrent";
        if self.body.get(FIELD).is_none_or(Value::is_null) {
            let mend = "Say how many calls it may hold at once: 1 to 10000, and no more than ElevenLabs lets it hold.";
            self.wrong(FIELD, "is missing", mend);
            return None;
        }
        self.bounded(FIELD, 1, 10_000, "a whole number")
    }

    fn bounded(&mut self, field: &str, least: u64, most: u64, what: &str) -> Option<u32> {
        let value = self.body.get(field).filter(|value| !value.is_null())?;
        let number = value.as_u64().filter(|number| (least..=most).contains(number));
        if number.is_none() {
            self.wrong(field, "is out of bounds", &format!("Send {what} from {least} to {most}."));
        }
        number.and_then(|number| u32::try_from(number).ok())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at() -> Timestamp {
        Timestamp::from_second(1_800_000_000).unwrap()
    }

    fn body() -> Value {
        json!({"name": "reminder", "elevenlabs_agent_id": "agent_1", "number": "+15550001111",
            "caller_ids": ["+1 415 555 0100"], "max_concurrent": 10})
    }

    #[test]
    fn a_small_agent_gets_sensible_defaults() {
        let agent = parse(&body(), None, at()).unwrap();
        assert_eq!((agent.amd, agent.max_duration_secs, agent.ring_timeout_secs), (Amd::Off, 600, None));
        assert_eq!(agent.caller_ids, ["+14155550100"]);
    }

    #[test]
    fn what_get_answers_can_be_put_back() {
        let agent = parse(&body(), None, at()).unwrap();
        assert_eq!(parse(&serde_json::to_value(&agent).unwrap(), Some("reminder"), at()).unwrap(), agent);
    }

    #[test]
    fn everything_wrong_is_named_at_once() {
        let body = json!({"name": "a b", "caller_ids": ["123"], "amd": "maybe", "connect": "carrier pigeon", "max_duration_secs": 9, "x": 1});
        let fields: Vec<String> = parse(&body, None, at()).unwrap_err().errors.into_iter().map(|e| e.field).collect();
        for field in [
            "name",
            "elevenlabs_agent_id",
            "number",
            "caller_ids[0]",
            "amd",
            "connect",
            "max_duration_secs",
            "max_concurrent",
            "x",
        ] {
            assert!(fields.contains(&field.to_owned()), "{field} in {fields:?}");
        }
    }

    #[test]
    fn how_many_calls_it_may_hold_is_never_guessed() {
        for (said, problem) in [
            (Value::Null, "is missing"),
            (json!(0), "is out of bounds"),
            (json!(10_001), "is out of bounds"),
            (json!("10"), "is out of bounds"),
        ] {
            let mut body = body();
            body["max_concurrent"] = said.clone();
            let errors = parse(&body, None, at()).unwrap_err().errors;
            assert_eq!(
                (errors.len(), errors[0].field.as_str(), errors[0].problem.as_str()),
                (1, "max_concurrent", problem),
                "{said}"
            );
        }
    }

    #[test]
    fn an_agent_that_elevenlabs_dials_for_needs_the_id_of_its_number_and_no_other_has_one() {
        let with = |more: Value| {
            let mut body = body();
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            parse(&body, None, at()).map_err(|problem| problem.errors[0].field.clone())
        };
        let agent = with(json!({"connect": "trunk", "elevenlabs_phone_number_id": "phnum_1"})).unwrap();
        assert_eq!((agent.connect, agent.elevenlabs_phone_number_id.as_deref()), (Connect::Trunk, Some("phnum_1")));
        assert_eq!(parse(&serde_json::to_value(&agent).unwrap(), None, at()).unwrap(), agent);
        for wrong in [
            json!({"connect": "trunk"}),
            json!({"connect": "trunk", "elevenlabs_phone_number_id": ""}),
            json!({"connect": "trunk", "elevenlabs_phone_number_id": 7}),
            json!({"connect": "sip", "elevenlabs_phone_number_id": "phnum_1"}),
        ] {
            assert_eq!(with(wrong).unwrap_err(), "elevenlabs_phone_number_id");
        }
        let detects = json!({"connect": "trunk", "elevenlabs_phone_number_id": "phnum_1", "amd": "hang_up"});
        assert_eq!(with(detects).unwrap_err(), "amd");
    }
}
