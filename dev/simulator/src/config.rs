//! What the simulator is told: secrets, addresses, limits, durations.

use std::{collections::BTreeMap, net::SocketAddr};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A number that was imported at ElevenLabs as a SIP trunk number. One number is one agent.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct ImportedNumber {
    /// User part of the SIP URI, as imported.
    pub number: String,
    /// Agent behind it.
    pub agent_id: String,
    /// Agent's display name.
    #[serde(default)]
    pub name: String,
    /// `phnum_…`; made up when absent.
    #[serde(default)]
    pub phone_number_id: String,
    /// Digest user that the INVITE must bring; empty means no authentication.
    #[serde(default)]
    pub username: String,
    /// Digest password.
    #[serde(default)]
    pub password: String,
}

/// An agent that was made at ElevenLabs and not set up any further.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct KnownAgent {
    /// `agent_…`.
    pub agent_id: String,
    /// Display name.
    #[serde(default)]
    pub name: String,
}

/// All settings. Every field can be changed while it runs (`PATCH /control/config`), `listen` excepted.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// All chance comes from it.
    pub seed: u64,
    /// How many nominal seconds of a call pass in one real second.
    pub time_scale: f64,
    /// SignalWire's dialling rate per real second.
    pub calls_per_second: f64,
    /// SignalWire's backlog.
    pub queue_limit: usize,
    /// SignalWire project id, which is also the account sid.
    pub project_id: String,
    /// SignalWire API token.
    pub api_token: String,
    /// SignalWire signing key.
    pub signing_key: String,
    /// Numbers that `From` may be; empty accepts any.
    pub owned_numbers: Vec<String>,
    /// Numbers that were verified as caller ids: `From` may be one of them as well.
    pub verified_numbers: Vec<String>,
    /// What the API token may do besides calling: `numbers`.
    pub token_scopes: Vec<String>,
    /// ElevenLabs API key.
    pub elevenlabs_api_key: String,
    /// Secret of the post-call webhook that `webhook_url` describes.
    pub webhook_secret: String,
    /// Post-call webhook; `null` sends none (unless one is made through the workspace API).
    pub webhook_url: Option<String>,
    /// Whether that webhook's transcripts are tried again.
    pub retry_enabled: bool,
    /// Conversation-initiation webhook.
    pub initiation_url: Option<String>,
    /// Static headers of the initiation webhook.
    pub initiation_headers: BTreeMap<String, String>,
    /// How long the agent waits for it, in real milliseconds.
    pub initiation_timeout_ms: u64,
    /// Address of the agent's tool for a callee who wants no more calls; `null`: the agent has none.
    pub opt_out_tool_url: Option<String>,
    /// Static headers of that tool.
    pub opt_out_tool_headers: BTreeMap<String, String>,
    /// Conversations at once; above it the agent refuses.
    pub agent_concurrency: usize,
    /// Numbers imported at ElevenLabs.
    pub numbers: Vec<ImportedNumber>,
    /// Agents that exist beside those of `numbers`, as new.
    pub agents: Vec<KnownAgent>,
    /// Stretches or shrinks every whole conversation to this many nominal seconds.
    pub talk_secs: Option<u32>,
    /// Makes recordings longer or shorter than their conversation.
    pub recording_secs: Option<u32>,
    /// Bit rate of recordings: 32, 64, 96, 128 or 160.
    pub recording_kbps: u32,
    /// Nominal seconds of ringing before somebody answers, as `[from, to]`.
    pub ring_secs: (f64, f64),
    /// Nominal seconds between the end of a conversation and its `done`, as `[from, to]`.
    pub processing_secs: (f64, f64),
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            seed: 1,
            time_scale: 1.0,
            calls_per_second: 1.0,
            queue_limit: 10_000,
            project_id: "b3877c40-da60-4998-90ad-b792e98472af".into(),
            api_token: "PT0123456789abcdef".into(),
            signing_key: "PSK_test_0123456789abcdef".into(),
            owned_numbers: Vec::new(),
            verified_numbers: Vec::new(),
            token_scopes: vec!["numbers".into()],
            elevenlabs_api_key: "xi_test_key".into(),
            webhook_secret: "wsec_test_secret".into(),
            webhook_url: None,
            retry_enabled: false,
            initiation_url: None,
            initiation_headers: BTreeMap::new(),
            initiation_timeout_ms: 5_000,
            opt_out_tool_url: None,
            opt_out_tool_headers: BTreeMap::new(),
            agent_concurrency: 30,
            numbers: Vec::new(),
            agents: Vec::new(),
            talk_secs: None,
            recording_secs: None,
            recording_kbps: 32,
            ring_secs: (4.0, 12.0),
            processing_secs: (3.0, 8.0),
        }
    }
}

impl Config {
    /// This configuration with the fields of `patch` (JSON merge patch) in place.
    ///
    /// # Errors
    /// Names the unknown field or the value that does not fit.
    pub fn patched(&self, patch: &Value) -> Result<Self, String> {
        let mut all = serde_json::to_value(self).map_err(|e| e.to_string())?;
        let (Some(all_map), Some(patch)) = (all.as_object_mut(), patch.as_object()) else {
            return Err("the configuration is a JSON object".into());
        };
        for (name, value) in patch {
            all_map.insert(name.clone(), value.clone());
        }
        let next: Self = serde_json::from_value(all).map_err(|e| e.to_string())?;
        next.checked()
    }

    fn checked(mut self) -> Result<Self, String> {
        if !(self.time_scale >= 0.001 && self.time_scale <= 1e6) {
            return Err("`time_scale` is at least 0.001 and at most 1000000".into());
        }
        if !(self.calls_per_second >= 0.001 && self.calls_per_second <= 1e6) {
            return Err("`calls_per_second` is at least 0.001 and at most 1000000".into());
        }
        self.complete();
        Ok(self)
    }

    /// Fills in what an imported number may leave out.
    pub(crate) fn complete(&mut self) {
        for number in &mut self.numbers {
            if number.phone_number_id.is_empty() {
                number.phone_number_id = format!("phnum_{}", digits(&number.number));
            }
            if number.name.is_empty() {
                number.name = "Agent".into();
            }
        }
    }

    /// The imported number with this SIP user part.
    #[must_use]
    pub fn imported(&self, user: &str) -> Option<&ImportedNumber> {
        self.numbers.iter().find(|n| n.number == user)
    }
}

/// The digits of a number.
#[must_use]
pub fn digits(number: &str) -> String {
    number.chars().filter(char::is_ascii_digit).collect()
}
