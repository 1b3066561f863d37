//! From what a call left behind to the positions of the simulator's switches (`docs/simulator.md`). Only what was seen is
//! said: most calls show some of them, and no call shows what our API does not keep (headers, times of retries).

use serde::Serialize;
use serde_json::Value;

use super::Evidence;

/// Every switch, with the position that the simulator assumes.
pub const SWITCHES: [(&str, &str); 48] = [
    ("signed_port", "as_given"),
    ("signed_fragment", "without"),
    ("signed_userinfo", "with"),
    ("signature_header", "signalwire"),
    ("sha256_header", "absent"),
    ("callback_body", "form"),
    ("json_scheme", "keys"),
    ("answered_by", "simple"),
    ("amd_duration", "present"),
    ("amd_loses_completed", "no"),
    ("error_shape", "documented"),
    ("error_code", "documented"),
    ("create_status", "200"),
    ("call_object", "documented"),
    ("call_price", "at_once"),
    ("sequence_number", "present"),
    ("audio_keys", "present"),
    ("backlog_full", "429_21611"),
    ("answered_events", "both"),
    ("invite_headers", "signalwire"),
    ("action_after_hangup", "sent"),
    ("voice_error_status", "completed"),
    ("dial_status_word", "completed"),
    ("blocked_code", "607"),
    ("declined_status", "busy"),
    ("refused_leg_code", "486"),
    ("busy_rings", "no"),
    ("early_hangup", "after_leg"),
    ("retry_timestamp", "refreshed"),
    ("retry_shown", "no"),
    ("x_call_id_in", "call_sid"),
    ("init_variables_echoed", "yes"),
    ("outbound_variables_echoed", "yes"),
    ("init_sip_fields", "present"),
    ("init_failure", "prevents"),
    ("transcript_format", "json"),
    ("metrics_nesting", "nested"),
    ("has_audio_fields", "present"),
    ("empty_tools", "list"),
    ("event_timestamp", "number"),
    ("detail_shape", "object"),
    ("number_form", "e164"),
    ("failure_number", "string"),
    ("failure_order", "after_answer"),
    ("sip_call_id", "call_sid"),
    ("override_object", "object"),
    ("analysis", "object"),
    ("unknown_fields", "none"),
];

/// One switch, and what was seen of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sighting {
    /// Its name.
    pub switch: &'static str,
    /// What the simulator assumes.
    pub assumed: &'static str,
    /// Its position; `None`: not seen in this call.
    pub seen: Option<String>,
    /// By what.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<&'static str>,
}

/// What was seen of each.
pub(super) fn judge(evidence: &Evidence) -> Vec<Sighting> {
    let look = |(switch, assumed): (&'static str, &'static str)| {
        let seen =
            carriers(switch, evidence).or_else(|| callbacks(switch, evidence)).or_else(|| voices(switch, evidence));
        let (seen, by) = seen.unzip();
        Sighting { switch, assumed, seen, by }
    };
    SWITCHES.into_iter().map(look).collect()
}

type Seen = Option<(String, &'static str)>;

fn yes(found: bool, there: &str, not: &str) -> String {
    if found { there.to_owned() } else { not.to_owned() }
}

/// What SignalWire's API shows.
fn carriers(switch: &str, evidence: &Evidence) -> Seen {
    let error = || serde_json::from_str::<Value>(evidence.carriers_error.as_deref()?).ok();
    let code = |error: &Value| {
        let listed = error["errors"].as_array().and_then(|errors| errors.first()).map(|error| &error["code"]);
        listed.unwrap_or(&error["code"]).clone()
    };
    let seen = match switch {
        "error_shape" => {
            let error = error()?;
            match error["errors"].as_array().and_then(|errors| errors.first()) {
                Some(Value::String(_)) => "texts",
                Some(first) if !first["type"].is_null() => "native",
                Some(_) => "list",
                // Flat is what is documented for everything but a bad create, and no call is created badly here.
                None if !error["code"].is_null() => "documented",
                None => "bare",
            }
            .to_owned()
        }
        // A number in the flat form is what is documented as well.
        "error_code" => match code(&error()?) {
            Value::String(_) => "string".to_owned(),
            Value::Number(_) => "documented".to_owned(),
            _ => return None,
        },
        "call_object" => match evidence.carrier.as_object()? {
            call if call.len() <= 2 => "minimal".to_owned(),
            call => yes(call.get("duration").is_some_and(Value::is_string), "strings", "documented"),
        },
        // A call without a price may still get one.
        "call_price" => evidence.carrier.get("price").filter(|price| !price.is_null()).map(|_| "at_once".to_owned())?,
        _ => return None,
    };
    Some((seen, "SignalWire's API"))
}

/// What its callbacks said; the timeline has them in its own words.
fn callbacks(switch: &str, evidence: &Evidence) -> Seen {
    let of = |name: &'static str| evidence.events.iter().filter_map(move |event| event["raw"][name].as_str());
    let kinds = |kind: &str| evidence.events.iter().any(|event| event["kind"] == kind);
    let progress = || evidence.events.iter().map(|event| &event["raw"]).filter(|raw| !raw["CallbackSource"].is_null());
    let finals = || progress().filter(|raw| raw["CallStatus"] == "completed");
    let outcome = evidence.call["outcome"].as_str().unwrap_or_default();
    let seen = match switch {
        "sequence_number" => yes(!progress().next()?["SequenceNumber"].is_null(), "present", "absent"),
        "audio_keys" => {
            let keys = finals().next()?.as_object()?;
            yes(keys.keys().any(|key| key.starts_with("Audio")), "present", "absent")
        }
        "dial_status_word" => of("DialCallStatus").find(|word| matches!(*word, "completed" | "answered"))?.to_owned(),
        "refused_leg_code" if outcome == "abandoned" => {
            of("DialSipResponseCode").find(|code| matches!(*code, "486" | "503"))?.to_owned()
        }
        "action_after_hangup" => {
            let by_callee = finals().any(|raw| raw["HangupDirection"] == "inbound");
            if !by_callee || !kinds("fetched") {
                return None;
            }
            yes(kinds("agent_leg"), "sent", "not_sent")
        }
        "answered_by" => match of("AnsweredBy").next()? {
            "human" | "machine" => "simple".to_owned(),
            "unknown" => "unknown".to_owned(),
            _ => "twilio".to_owned(),
        },
        "amd_duration" => {
            of("AnsweredBy").next()?;
            yes(of("MachineDetectionDuration").next().is_some(), "present", "absent")
        }
        "busy_rings" if outcome == "busy" => yes(of("CallStatus").any(|status| status == "ringing"), "yes", "no"),
        "declined_status" if outcome == "declined" => {
            of("CallStatus").find(|status| matches!(*status, "busy" | "failed" | "no-answer"))?.to_owned()
        }
        "blocked_code" if outcome == "network_blocked" => of("SipResultCode").next()?.to_owned(),
        _ => return None,
    };
    Some((seen, "SignalWire's callbacks"))
}

/// What ElevenLabs' API shows, and what it sent.
fn voices(switch: &str, evidence: &Evidence) -> Seen {
    if switch == "transcript_format" {
        let kinds = || evidence.deliveries.iter().filter_map(|delivery| delivery["event_type"].as_str());
        let sent = kinds().find(|kind| kind.starts_with("post_call_transcription"))?;
        return Some((yes(sent.ends_with("_otel"), "opentelemetry", "json"), "the deliveries"));
    }
    if switch == "detail_shape" {
        let error: Value = serde_json::from_str(evidence.voices_error.as_deref()?).ok()?;
        let shape = match &error["detail"] {
            Value::String(_) => "text",
            Value::Array(_) => "array",
            Value::Object(detail) => {
                if detail.contains_key("code") {
                    "object"
                } else {
                    "status_message"
                }
            }
            _ => return None,
        };
        return Some((shape.to_owned(), "ElevenLabs' API"));
    }
    if switch == "retry_shown" {
        return Some((
            yes(evidence.webhook.as_object()?.contains_key("retry_enabled"), "yes", "no"),
            "ElevenLabs' API",
        ));
    }
    conversation(switch, evidence).map(|seen| (seen, "the conversation in ElevenLabs' API"))
}

fn conversation(switch: &str, evidence: &Evidence) -> Option<String> {
    let all = evidence.conversation.as_object()?;
    let of = |pointer: &str| evidence.conversation.pointer(pointer);
    let ours = evidence.call["id"].as_str()?;
    let variables = of("/conversation_initiation_client_data/dynamic_variables");
    let phone = of("/metadata/phone_call");
    let has = |name: &str| phone.is_some_and(|phone| phone[name] == ours);
    let turns = || evidence.conversation["transcript"].as_array().into_iter().flatten();
    let trunk = evidence.call["connect"] == "trunk";
    Some(match switch {
        "x_call_id_in" if !trunk => match (has("call_sid"), has("call_id")) {
            (true, true) => "both".to_owned(),
            (true, false) => "call_sid".to_owned(),
            (false, true) => "call_id".to_owned(),
            (false, false) => {
                let kept = phone?["sip_header_dynamic_variables"].as_object()?;
                kept.values().any(|value| value == ours).then(|| "variables_only".to_owned())?
            }
        },
        "init_variables_echoed" if !trunk => yes(variables?.get("call_id").is_some_and(|id| id == ours), "yes", "no"),
        "outbound_variables_echoed" if trunk => {
            yes(variables?.get("call_id").is_some_and(|id| id == ours), "yes", "no")
        }
        "invite_headers" if !trunk => {
            let with = |start: &str| {
                variables.and_then(Value::as_object).is_some_and(|all| all.keys().any(|name| name.starts_with(start)))
            };
            if with("sip_signalwire") { "signalwire".to_owned() } else { yes(with("sip_twilio"), "twilio", "none") }
        }
        "metrics_nesting" => {
            let metrics =
                turns().filter_map(|turn| turn["conversation_turn_metrics"].as_object()).find(|all| !all.is_empty())?;
            yes(metrics.contains_key("metrics"), "nested", "flat")
        }
        "empty_tools" => {
            let without =
                turns().map(|turn| &turn["tool_calls"]).find(|calls| calls.as_array().is_none_or(Vec::is_empty))?;
            yes(without.is_null(), "null", "list")
        }
        "number_form" => {
            let number = phone?["external_number"].as_str()?;
            if number.contains(' ') { "spaced".to_owned() } else { yes(number.starts_with('+'), "e164", "no_plus") }
        }
        "override_object" => {
            yes(of("/conversation_initiation_client_data/conversation_config_override")?.is_null(), "null", "object")
        }
        "analysis" => yes(all.get("analysis")?.is_null(), "null", "object"),
        "unknown_fields" => yes(of("/metadata/initiation_trigger").is_some(), "some", "none"),
        _ => return None,
    })
}
