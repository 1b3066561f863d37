//! What an export has of each row. Names and order are a promise; docs/export.md says what each column means.

use crate::export::Column;
use crate::export::Kind::{Boolean, Integer, Json, Number, Phone, Text, Time, Uuid};

const fn column(name: &'static str, kind: crate::export::Kind, sql: &'static str) -> Column {
    Column { name, kind, sql }
}

/// Of `report_calls r`.
pub(super) const CALLS: &[Column] = &[
    column("call_id", Uuid, "r.call_id"),
    column("created_at", Time, "r.created_at"),
    column("to_number", Phone, "r.to_number"),
    column("from_number", Phone, "r.from_number"),
    column("agent", Text, "r.agent"),
    column("campaign_id", Text, "r.campaign_id"),
    column("campaign_name", Text, "r.campaign_name"),
    column("contact_id", Integer, "r.contact_id"),
    column("requested_by", Text, "r.requested_by"),
    column("state", Text, "r.state"),
    column("outcome", Text, "r.outcome"),
    column("outcome_final", Boolean, "r.outcome_final"),
    column("reason", Text, "r.reason"),
    column("asked_at", Time, "r.asked_at"),
    column("placed_at", Time, "r.placed_at"),
    column("ringing_at", Time, "r.ringing_at"),
    column("answered_at", Time, "r.answered_at"),
    column("ended_at", Time, "r.ended_at"),
    column("settled_at", Time, "r.settled_at"),
    column("duration_secs", Integer, "r.duration_secs"),
    column("agent_connected", Boolean, "r.agent_connected"),
    column("answered_by", Text, "r.answered_by"),
    column("sip_code", Integer, "r.sip_code"),
    column("carrier_sid", Text, "r.carrier_sid"),
    column("double_dial", Boolean, "r.double_dial"),
    column("conversation_id", Text, "r.conversation_id"),
    column("conversation_status", Text, "r.conversation_status"),
    column("talk_secs", Integer, "r.talk_secs"),
    column("successful", Text, "r.successful"),
    column("termination_reason", Text, "r.termination_reason"),
    column("summary", Text, "r.summary"),
    column("cost", Integer, "r.cost"),
    column("cost_fiat", Number, "r.cost_fiat"),
    column("recording_path", Text, "r.recording_path"),
    column("recording_bytes", Integer, "r.recording_bytes"),
    column("recording_secs", Number, "r.recording_secs"),
    column("recording_sha256", Text, "r.recording_sha256"),
    column("opted_out", Boolean, "r.opted_out"),
    column("variables", Json, "r.variables"),
    column("metadata", Json, "r.metadata"),
    column("carrier_price", Number, "r.carrier_price"),
];

/// Of `conversations v` and `call_recordings r`.
pub(super) const CONVERSATIONS: &[Column] = &[
    column("conversation_id", Text, "v.conversation_id"),
    column("call_id", Text, "v.call_id"),
    column("agent_id", Text, "v.agent_id"),
    column("campaign_id", Text, "v.campaign_id"),
    column("status", Text, "v.status"),
    column("final", Boolean, "v.final"),
    column("created_at", Time, "v.created_at"),
    column("updated_at", Time, "v.updated_at"),
    column("started_at", Time, "v.started_at"),
    column("talk_secs", Integer, "v.duration_seconds"),
    column("turns", Integer, "v.turns"),
    column("successful", Text, "v.successful"),
    column("termination_reason", Text, "v.termination_reason"),
    column("summary", Text, "v.summary"),
    column("cost", Integer, "v.cost"),
    column("cost_fiat", Number, "v.cost_fiat"),
    column("has_audio", Boolean, "v.has_audio"),
    column("user_id", Text, "v.user_id"),
    column("source", Text, "v.source"),
    column("recording_path", Text, "r.storage_path"),
    column("recording_bytes", Integer, "r.bytes"),
    column("recording_secs", Number, "r.duration_seconds"),
    column("recording_sha256", Text, "r.sha256"),
    column(
        "transcript",
        Text,
        "(select string_agg(concat(turn->>'role', ': ', turn->>'message'), E'\\n' order by at)
          from jsonb_array_elements(case jsonb_typeof(v.messages) when 'array' then v.messages end)
              with ordinality as t (turn, at)
          where turn->>'message' is not null)",
    ),
    column("messages", Json, "v.messages"),
    column("analysis", Json, "v.analysis"),
];

/// Of `contacts k` and `campaigns m`.
pub(super) const CONTACTS: &[Column] = &[
    column("contact_id", Integer, "k.id"),
    column("campaign_id", Uuid, "k.campaign_id"),
    column("campaign_name", Text, "m.name"),
    column("number", Phone, "k.number"),
    column("timezone", Text, "k.timezone"),
    column("state", Text, "k.state"),
    column("postal_code", Text, "k.postal_code"),
    column("consent_type", Text, "k.consent_type"),
    column("consent_at", Time, "k.consent_at"),
    column("consent_source", Text, "k.consent_source"),
    column("status", Text, "k.status"),
    column("outcome", Text, "k.outcome"),
    column("because", Text, "k.because"),
    column("due_at", Time, "k.due_at"),
    column("attempts", Integer, "k.attempts"),
    column("last_call", Uuid, "k.last_call"),
    column("last_outcome", Text, "k.last_outcome"),
    column("import_id", Uuid, "k.import_id"),
    column("line", Integer, "k.line"),
    column("created_at", Time, "k.created_at"),
    column("updated_at", Time, "k.updated_at"),
    column("variables", Json, "k.variables"),
];

/// Of `numbers n`.
pub(super) const SUPPRESSIONS: &[Column] = &[
    column("number", Phone, "n.number"),
    column("suppressed_at", Time, "n.suppressed_at"),
    column("source", Text, "n.suppressed_by"),
    column("reason", Text, "n.suppressed_because"),
    column("call_id", Uuid, "n.suppressed_call"),
];

/// Of `deliveries d`.
pub(super) const DELIVERIES: &[Column] = &[
    column("digest", Text, "d.digest"),
    column("event_type", Text, "d.event_type"),
    column("conversation_id", Text, "d.conversation_id"),
    column("received_at", Time, "d.received_at"),
    column("handled_at", Time, "d.handled_at"),
    column("result", Text, "d.result"),
    column("reason", Text, "d.reason"),
    column("raw_key", Text, "d.raw_key"),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines such as "| `name` | text | … |" below the heading of each export.
    #[test]
    fn the_documentation_names_every_column_with_its_kind_in_its_order() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/export.md");
        let text = std::fs::read_to_string(path).unwrap();
        for (what, columns) in [
            ("calls", CALLS),
            ("conversations", CONVERSATIONS),
            ("contacts", CONTACTS),
            ("suppressions", SUPPRESSIONS),
            ("deliveries", DELIVERIES),
        ] {
            let section = text.split(&format!("### `{what}`")).nth(1).unwrap();
            let section = section.split("\n#").next().unwrap();
            let rows = section.lines().filter(|line| line.starts_with("| `"));
            let told: Vec<(String, String)> = rows
                .map(|line| {
                    let cells: Vec<&str> = line.split('|').map(str::trim).collect();
                    (cells[1].trim_matches('`').to_owned(), cells[2].to_owned())
                })
                .collect();
            let made: Vec<(String, String)> =
                columns.iter().map(|one| (one.name.to_owned(), one.kind.as_str().to_owned())).collect();
            assert_eq!(told, made, "{what}");
        }
    }
}
