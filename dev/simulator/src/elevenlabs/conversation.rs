//! What ElevenLabs keeps of a conversation.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::{
    clock,
    mp3::Recording,
    script::{Plan, Role, Turn},
    switches::{INIT_VARIABLES_ECHOED, NUMBER_FORM, OUTBOUND_VARIABLES_ECHOED, Switches},
};

/// One conversation.
#[derive(Debug, Clone)]
pub struct Conversation {
    pub id: String,
    pub agent_id: String,
    pub agent_name: String,
    pub phone_number_id: String,
    pub agent_number: String,
    pub external_number: String,
    /// `inbound` when somebody sent the INVITE to ElevenLabs, `outbound` when ElevenLabs sent it.
    pub direction: &'static str,
    pub call_sid: String,
    pub call_id: Option<String>,
    /// `sip_foo_bar` for each `X-Foo-Bar`.
    pub sip_variables: BTreeMap<String, String>,
    /// Variables from the caller of outbound-call.
    pub given: Map<String, Value>,
    /// Variables from the initiation webhook.
    pub fetched: Map<String, Value>,
    pub user_id: Option<String>,
    pub callee: String,
    pub dial_sid: Option<String>,
    pub started: Timestamp,
    /// `in-progress`, `processing`, `done`, `failed`.
    pub status: &'static str,
    pub plan: Plan,
    pub recording: Option<Recording>,
    pub error: Option<String>,
}

impl Conversation {
    /// Everything that the agent could say.
    #[must_use]
    pub fn spoken_with(&self) -> Map<String, Value> {
        let mut all = self.given.clone();
        all.extend(self.sip_variables.iter().map(|(k, v)| (k.clone(), json!(v))));
        all.extend(self.fetched.clone());
        all
    }

    /// `dynamic_variables` as the API and the webhook show them.
    #[must_use]
    pub fn shown_variables(&self, switches: &Switches) -> Map<String, Value> {
        let echoed = switches.is(OUTBOUND_VARIABLES_ECHOED, "yes");
        let mut all = if echoed { self.given.clone() } else { Map::new() };
        all.extend(self.sip_variables.iter().map(|(k, v)| (k.clone(), json!(v))));
        if switches.is(INIT_VARIABLES_ECHOED, "yes") {
            all.extend(self.fetched.clone());
        }
        all.retain(|name, _| !name.starts_with("secret__"));
        let agent_turns = self.plan.turns.iter().filter(|t| t.role == Role::Agent).count();
        let (from, to) = self.ends();
        let system = [
            ("agent_id", json!(self.agent_id)),
            ("current_agent_id", json!(self.agent_id)),
            ("conversation_id", json!(self.id)),
            ("caller_id", json!(from)),
            ("called_number", json!(to)),
            ("call_duration_secs", json!(self.duration())),
            ("time_utc", json!(self.started.to_string())),
            ("time", json!(clock::rfc2822(self.started))),
            ("timezone", json!("UTC")),
            ("call_sid", json!(self.call_sid)),
            ("call_id", json!(self.call_id)),
            ("agent_turns", json!(agent_turns)),
            ("is_text_only", json!(false)),
        ];
        all.extend(system.map(|(name, value)| (format!("system__{name}"), value)));
        all
    }

    /// Caller and called number, in that order.
    #[must_use]
    pub fn ends(&self) -> (&str, &str) {
        if self.direction == "inbound" {
            (&self.external_number, &self.agent_number)
        } else {
            (&self.agent_number, &self.external_number)
        }
    }

    /// Nominal whole seconds.
    #[must_use]
    pub fn duration(&self) -> u32 {
        clock::whole_secs(self.plan.secs)
    }

    /// Nominal seconds so far, for a conversation under way.
    #[must_use]
    pub fn elapsed(&self, scale: f64) -> f64 {
        if self.status != "in-progress" {
            return self.plan.secs;
        }
        (clock::now() - self.started).total(jiff::Unit::Second).unwrap_or(0.0) * scale
    }

    /// The turns that were begun after `elapsed` seconds.
    #[must_use]
    pub fn turns_until(&self, elapsed: f64) -> &[Turn] {
        let begun = self.plan.turns.iter().take_while(|t| t.at <= elapsed).count();
        self.plan.turns.get(..begun).unwrap_or_default()
    }

    /// `metadata.phone_call`.
    #[must_use]
    pub fn phone_call(&self, switches: &Switches) -> Value {
        json!({
            "type": "sip_trunking",
            "direction": self.direction,
            "phone_number_id": self.phone_number_id,
            "agent_number": self.agent_number,
            "external_number": number_form(&self.external_number, switches.get(NUMBER_FORM)),
            "call_sid": self.call_sid,
            "call_id": self.call_id,
            "sip_header_dynamic_variables": self.sip_variables,
        })
    }

    /// Final, so that a webhook has been or will be sent.
    #[must_use]
    pub fn is_final(&self) -> bool {
        matches!(self.status, "done" | "failed")
    }
}

/// Numbers arrive as reports show them.
fn number_form(number: &str, form: &str) -> String {
    match form {
        "no_plus" => number.trim_start_matches('+').to_owned(),
        "spaced" if number.len() > 6 && number.is_ascii() => {
            let (start, end) = number.split_at(number.len() - 5);
            format!("{start} {end}")
        }
        _ => number.to_owned(),
    }
}
