//! Every point that the vendors' documents leave open, as a switch with all its variants.
//!
//! A switch is a row of [`TABLE`]; its first variant is the default. `docs/simulator.md` says what each means.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::dice::Dice;

/// One open question and the answers that the simulator can give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Switch {
    /// Name in the control API.
    pub name: &'static str,
    /// Variants, the default first.
    pub variants: &'static [&'static str],
}

const fn switch(name: &'static str, variants: &'static [&'static str]) -> Switch {
    Switch { name, variants }
}

/// Port in the URL that is signed.
pub const SIGNED_PORT: Switch = switch("signed_port", &["as_given", "standard_port_added", "standard_port_stripped"]);
/// Whether `#rt=…` is part of the signed URL.
pub const SIGNED_FRAGMENT: Switch = switch("signed_fragment", &["without", "with"]);
/// Whether `user:pass@` is part of the signed URL.
pub const SIGNED_USERINFO: Switch = switch("signed_userinfo", &["with", "without"]);
/// Name of the signature header.
pub const SIGNATURE_HEADER: Switch = switch("signature_header", &["signalwire", "twilio", "both"]);
/// Whether `X-SignalWire-SHA256-Signature` comes along.
pub const SHA256_HEADER: Switch = switch("sha256_header", &["absent", "present"]);
/// Body of status and detection callbacks.
pub const CALLBACK_BODY: Switch = switch("callback_body", &["form", "json"]);
/// How a JSON callback is signed: over its keys, over the raw body (hex), or by `bodySHA256` in the URL.
pub const JSON_SCHEME: Switch = switch("json_scheme", &["keys", "raw", "body_sha256"]);
/// Words of answering machine detection.
pub const ANSWERED_BY: Switch = switch("answered_by", &["simple", "twilio", "unknown", "absent"]);
/// Whether the detection callback has `MachineDetectionDuration`.
pub const AMD_DURATION: Switch = switch("amd_duration", &["present", "absent"]);
/// Whether a hang-up after detection loses the final callback.
pub const AMD_LOSES_COMPLETED: Switch = switch("amd_loses_completed", &["no", "yes"]);
/// Shape of SignalWire's errors; `documented` is the list for a bad create and flat elsewhere.
pub const ERROR_SHAPE: Switch = switch("error_shape", &["documented", "flat", "list", "texts", "native", "bare"]);
/// Type of the error code; `documented` is a string in lists and a number elsewhere.
pub const ERROR_CODE: Switch = switch("error_code", &["documented", "number", "string"]);
/// Status of a successful create.
pub const CREATE_STATUS: Switch = switch("create_status", &["200", "201"]);
/// Call object: as documented, with strings for numbers, or only `sid` and `status` (lists stay whole).
pub const CALL_OBJECT: Switch = switch("call_object", &["documented", "strings", "minimal"]);
/// When an ended call has its price: at once, a minute later, or never.
pub const CALL_PRICE: Switch = switch("call_price", &["at_once", "late", "never"]);
/// Whether callbacks have `SequenceNumber`.
pub const SEQUENCE_NUMBER: Switch = switch("sequence_number", &["present", "absent"]);
/// Whether final callbacks have the `Audio…` keys.
pub const AUDIO_KEYS: Switch = switch("audio_keys", &["present", "absent"]);
/// Answer when 10,000 calls wait.
pub const BACKLOG_FULL: Switch = switch("backlog_full", &["429_21611", "429_20429", "400_21611"]);
/// Callbacks of the event `answered`: `answered` and `in-progress`, or the latter.
pub const ANSWERED_EVENTS: Switch = switch("answered_events", &["both", "in_progress"]);
/// Names of the headers that SignalWire adds to the INVITE.
pub const INVITE_HEADERS: Switch = switch("invite_headers", &["signalwire", "twilio", "none"]);
/// Whether the `action` of `<Dial>` is requested when the callee has hung up.
pub const ACTION_AFTER_HANGUP: Switch = switch("action_after_hangup", &["sent", "not_sent"]);
/// Final status of an answered call whose documents all failed.
pub const VOICE_ERROR_STATUS: Switch = switch("voice_error_status", &["completed", "failed"]);
/// `DialCallStatus` of a connected leg.
pub const DIAL_STATUS_WORD: Switch = switch("dial_status_word", &["completed", "answered"]);
/// SIP code of a network that blocks.
pub const BLOCKED_CODE: Switch = switch("blocked_code", &["607", "603", "608"]);
/// `CallStatus` of a call declined while ringing (603).
pub const DECLINED_STATUS: Switch = switch("declined_status", &["busy", "failed", "no-answer"]);
/// SIP code of the agent above its limit.
pub const REFUSED_LEG_CODE: Switch = switch("refused_leg_code", &["486", "503"]);
/// Whether a busy callee is announced as `ringing` before.
pub const BUSY_RINGS: Switch = switch("busy_rings", &["no", "yes"]);
/// When the callee of fate 58 leaves: just after the agent's leg stands, before it, or drawn by number.
pub const EARLY_HANGUP: Switch = switch("early_hangup", &["after_leg", "before_leg", "seeded"]);
/// Whether `t` is new on a retry.
pub const RETRY_TIMESTAMP: Switch = switch("retry_timestamp", &["refreshed", "original"]);
/// Whether the list of webhooks says if retries are on.
pub const RETRY_SHOWN: Switch = switch("retry_shown", &["no", "yes"]);
/// Where `X-CALL-ID` ends up; `variables_only` puts it into `sip_callid`.
pub const X_CALL_ID_IN: Switch = switch("x_call_id_in", &["call_sid", "call_id", "both", "variables_only"]);
/// Whether variables of the initiation webhook come back after the call.
pub const INIT_VARIABLES_ECHOED: Switch = switch("init_variables_echoed", &["yes", "no"]);
/// Whether variables of outbound-call come back, and can be searched for.
pub const OUTBOUND_VARIABLES_ECHOED: Switch = switch("outbound_variables_echoed", &["yes", "no"]);
/// Whether the initiation request has `call_id` and `sip_headers`.
pub const INIT_SIP_FIELDS: Switch = switch("init_sip_fields", &["present", "absent"]);
/// Whether a failed initiation webhook prevents the conversation.
pub const INIT_FAILURE: Switch = switch("init_failure", &["prevents", "continues"]);
/// `opentelemetry` sends `post_call_transcription_otel` whatever the workspace says.
pub const TRANSCRIPT_FORMAT: Switch = switch("transcript_format", &["json", "opentelemetry"]);
/// `conversation_turn_metrics` under `metrics` or at the top.
pub const METRICS_NESTING: Switch = switch("metrics_nesting", &["nested", "flat"]);
/// Whether the webhook has `has_audio` and its relatives.
pub const HAS_AUDIO_FIELDS: Switch = switch("has_audio_fields", &["present", "absent"]);
/// `tool_calls` of a turn without tools.
pub const EMPTY_TOOLS: Switch = switch("empty_tools", &["list", "null"]);
/// Type of `event_timestamp`.
pub const EVENT_TIMESTAMP: Switch = switch("event_timestamp", &["number", "string"]);
/// Shape of ElevenLabs' errors (422 is always an array).
pub const DETAIL_SHAPE: Switch = switch("detail_shape", &["object", "status_message", "text", "array"]);
/// How numbers are written in `phone_call.external_number`.
pub const NUMBER_FORM: Switch = switch("number_form", &["e164", "no_plus", "spaced"]);
/// Type of the numbers in `call_initiation_failure`.
pub const FAILURE_NUMBER: Switch = switch("failure_number", &["string", "number"]);
/// Whether the failure webhook comes before outbound-call has answered.
pub const FAILURE_ORDER: Switch = switch("failure_order", &["after_answer", "before_answer"]);
/// What `sip_call_id` of outbound-call equals.
pub const SIP_CALL_ID: Switch = switch("sip_call_id", &["call_sid", "call_id", "neither"]);
/// `conversation_config_override` as object or null.
pub const OVERRIDE_OBJECT: Switch = switch("override_object", &["object", "null"]);
/// `analysis` as object or null.
pub const ANALYSIS: Switch = switch("analysis", &["object", "null"]);
/// Fields that no schema has.
pub const UNKNOWN_FIELDS: Switch = switch("unknown_fields", &["none", "some"]);

/// All switches, in the order of the documentation.
pub const TABLE: &[Switch] = &[
    SIGNED_PORT,
    SIGNED_FRAGMENT,
    SIGNED_USERINFO,
    SIGNATURE_HEADER,
    SHA256_HEADER,
    CALLBACK_BODY,
    JSON_SCHEME,
    ANSWERED_BY,
    AMD_DURATION,
    AMD_LOSES_COMPLETED,
    ERROR_SHAPE,
    ERROR_CODE,
    CREATE_STATUS,
    CALL_OBJECT,
    CALL_PRICE,
    SEQUENCE_NUMBER,
    AUDIO_KEYS,
    BACKLOG_FULL,
    ANSWERED_EVENTS,
    INVITE_HEADERS,
    ACTION_AFTER_HANGUP,
    VOICE_ERROR_STATUS,
    DIAL_STATUS_WORD,
    BLOCKED_CODE,
    DECLINED_STATUS,
    REFUSED_LEG_CODE,
    BUSY_RINGS,
    EARLY_HANGUP,
    RETRY_TIMESTAMP,
    RETRY_SHOWN,
    X_CALL_ID_IN,
    INIT_VARIABLES_ECHOED,
    OUTBOUND_VARIABLES_ECHOED,
    INIT_SIP_FIELDS,
    INIT_FAILURE,
    TRANSCRIPT_FORMAT,
    METRICS_NESTING,
    HAS_AUDIO_FIELDS,
    EMPTY_TOOLS,
    EVENT_TIMESTAMP,
    DETAIL_SHAPE,
    NUMBER_FORM,
    FAILURE_NUMBER,
    FAILURE_ORDER,
    SIP_CALL_ID,
    OVERRIDE_OBJECT,
    ANALYSIS,
    UNKNOWN_FIELDS,
];

/// The chosen variant of every switch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Switches(BTreeMap<&'static str, &'static str>);

impl Switches {
    /// The variant in force.
    #[must_use]
    pub fn get(&self, switch: Switch) -> &'static str {
        self.0.get(switch.name).copied().unwrap_or_else(|| switch.variants.first().copied().unwrap_or(""))
    }

    /// Whether `switch` stands at `variant`.
    #[must_use]
    pub fn is(&self, switch: Switch, variant: &str) -> bool {
        debug_assert!(switch.variants.contains(&variant), "{} has no variant {variant}", switch.name);
        self.get(switch) == variant
    }

    /// Sets one switch by name.
    ///
    /// # Errors
    /// Says which names or variants exist when this one does not.
    pub fn set(&mut self, name: &str, variant: &str) -> Result<(), String> {
        let Some(switch) = TABLE.iter().find(|s| s.name == name) else {
            let names: Vec<_> = TABLE.iter().map(|s| s.name).collect();
            return Err(format!("no switch `{name}`; there are: {}", names.join(", ")));
        };
        let Some(variant) = switch.variants.iter().find(|v| **v == variant) else {
            return Err(format!("switch `{name}` has no `{variant}`; it has: {}", switch.variants.join(", ")));
        };
        self.0.insert(switch.name, variant);
        Ok(())
    }

    /// Draws every switch from the seed.
    #[must_use]
    pub fn drawn(seed: u64) -> Self {
        let draw = |switch: &Switch| {
            let variant = Dice::new(seed, &["switch", switch.name]).pick(switch.variants).copied();
            (switch.name, variant.unwrap_or(""))
        };
        Self(TABLE.iter().map(draw).collect())
    }

    /// Applies `{"name": "variant", …}`, or `"seed"` / `"default"` for all of them.
    ///
    /// # Errors
    /// As [`Switches::set`]; nothing is changed then.
    pub fn apply(&mut self, wanted: &Value, seed: u64) -> Result<(), String> {
        let mut next = self.clone();
        match wanted {
            Value::Null => {}
            Value::String(word) if word == "seed" => next = Self::drawn(seed),
            Value::String(word) if word == "default" => next = Self::default(),
            Value::Object(map) => {
                for (name, variant) in map {
                    let text = variant.as_str().ok_or_else(|| format!("switch `{name}` takes a string"))?;
                    next.set(name, text)?;
                }
            }
            _ => return Err("`switches` is an object, \"seed\" or \"default\"".into()),
        }
        *self = next;
        Ok(())
    }

    /// All switches with the variant in force.
    #[must_use]
    pub fn view(&self) -> Value {
        TABLE.iter().map(|s| (s.name.to_owned(), json!(self.get(*s)))).collect::<serde_json::Map<_, _>>().into()
    }
}
