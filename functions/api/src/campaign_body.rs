//! What may be asked of a campaign, and what is wrong with a request that asks for something else.

mod reader;
mod wish;

use elevenwire::campaign::State;
use elevenwire::problem::{FieldError, Problem};
use elevenwire::store::campaigns::Campaign;
use jiff::Timestamp;
use serde_json::{Map, Value};
use uuid::Uuid;

use reader::Reader;
pub(crate) use wish::{CampaignChange, CampaignWish};

/// Reads a new campaign.
///
/// # Errors
/// 422 with each field, its problem and its mend.
pub fn parse(body: &Value, id: Uuid, now: Timestamp) -> Result<Campaign, Problem> {
    let empty = Map::new();
    let mut reader = Reader::of(body.as_object().unwrap_or(&empty));
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

#[cfg(test)]
mod tests {
    use elevenwire::campaign::{Budget, Settings};
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
