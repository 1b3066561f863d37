//! What comes after a call that is over.

use super::{CallFacts, Outcome, time};

/// The next step: what is awaited first, then what becomes of the contact, or of a single call.
pub(super) fn next(facts: &CallFacts) -> String {
    let mut sentences = Vec::new();
    if facts.opted_out {
        sentences.push("The person asked not to be called any more: the number is on the do-not-call list.".to_owned());
    }
    let awaited: Vec<&str> = facts.missing.iter().map(String::as_str).filter(|piece| *piece != "outcome").collect();
    if !awaited.is_empty() && facts.agent_connected != Some(false) {
        sentences.push(format!("Awaited, and asked for if need be: its {}.", awaited.join(" and ")));
    }
    sentences.push(person(facts));
    sentences.join(" ")
}

fn person(facts: &CallFacts) -> String {
    let Some(contact) = &facts.contact else { return single(facts).to_owned() };
    if !contact.last {
        return "A later attempt followed: see the contact's last call.".to_owned();
    }
    match (contact.status.as_str(), contact.outcome.as_deref(), contact.due_at) {
        ("waiting", _, Some(due)) => {
            format!("The next attempt comes not before {}, if the guard then allows it.", time(due))
        }
        ("calling", ..) => "The campaign decides in a moment whether the person is called again.".to_owned(),
        (_, Some("exhausted"), _) => "All attempts are used up: the person is not called again.".to_owned(),
        (_, Some("canceled"), _) => "The campaign is over: the person is not called again.".to_owned(),
        _ => "The campaign is done with this person.".to_owned(),
    }
}

fn single(facts: &CallFacts) -> &'static str {
    match facts.outcome {
        Some(Outcome::Answered | Outcome::Screened) => "Nothing: it is over.",
        Some(Outcome::Voicemail | Outcome::Busy | Outcome::NoAnswer) => {
            "Nothing by itself: a single call is not repeated. Ask for a new one with POST /api/calls."
        }
        Some(Outcome::Declined) => {
            "Nothing by itself: a single call is not repeated. The number is left alone for a while."
        }
        _ => "Nothing by itself: a single call is not repeated.",
    }
}
