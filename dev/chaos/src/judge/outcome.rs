//! What the book's facts imply: the judge's own table, written from what the vendors document, not from the product.
//! Where the vendor's API does not tell any more what a lost callback told, the documented alternatives are accepted.

use simulator::book::{ConversationEntry, Dial};

use super::Row;
use crate::run::Agent;

/// The outcomes that are right for a dial.
pub(super) fn of(dial: &Dial, talks: &[&ConversationEntry], agent: Agent) -> Vec<&'static str> {
    if dial.status == "canceled" {
        return vec!["canceled"];
    }
    match (dial.answered_at.is_some(), agent) {
        (true, _) => answered(dial, talks, agent == Agent::Watchful),
        (false, Agent::Trunk) => unanswered_by_trunk(dial),
        (false, _) => unanswered(dial),
    }
}

/// The agents' vendor tells the SIP status of a dial that came to nothing, and nothing about ringing: it cannot be known
/// whether a person declined or the network did before it rang.
fn unanswered_by_trunk(dial: &Dial) -> Vec<&'static str> {
    match (dial.sip_code, dial.rung_at.is_some()) {
        (Some(603), true) => vec!["declined"],
        (Some(603), false) => vec!["declined", "network_blocked"],
        (Some(500..=599), false) => vec!["failed", "network_blocked"],
        _ => unanswered(dial),
    }
}

fn arrived(dial: &Dial, event: &str) -> bool {
    dial.deliveries.iter().any(|delivery| delivery.event == event && delivery.delivered)
}

fn unanswered(dial: &Dial) -> Vec<&'static str> {
    match dial.sip_code {
        Some(486) => vec!["busy"],
        Some(487) => vec!["no_answer"],
        Some(404) => vec!["unreachable"],
        // After ringing a person declined; before, the network did. The REST resource does not tell whether it rang.
        Some(603) if dial.rung_at.is_some() && arrived(dial, "ringing") => vec!["declined"],
        Some(603) if dial.rung_at.is_some() => vec!["declined", "network_blocked"],
        Some(603 | 607 | 608) => vec!["network_blocked"],
        // At once after `initiated`, a 5xx is how far networks block a caller that they take for spam.
        Some(500..=599) if dial.rung_at.is_none() => vec!["network_blocked"],
        _ => vec!["failed"],
    }
}

fn answered(dial: &Dial, talks: &[&ConversationEntry], detects: bool) -> Vec<&'static str> {
    let machine = dial.fate == "voicemail";
    // Detection runs only for agents that hang up on machines, and its verdict may be withheld.
    let detected = detects && dial.answered_by.as_deref().is_some_and(|word| word.starts_with("machine"));
    let heard = detected && arrived(dial, "amd");
    let Some(talk) = talks.iter().find(|talk| talk.status == "done") else {
        // Somebody picked up and no agent came. That it was a machine is known only by detection.
        return match (heard, detected) {
            (true, _) => vec!["voicemail"],
            (false, true) => vec!["abandoned", "voicemail"],
            (false, false) => vec!["abandoned"],
        };
    };
    if machine {
        // The agent finds the greeting out at its end; before that, only detection knows.
        let found = talk.termination_reason.starts_with("voicemail_detection");
        return if found || heard { vec!["voicemail"] } else { vec!["voicemail", "answered"] };
    }
    if dial.fate == "screened" { vec!["screened"] } else { vec!["answered"] }
}

/// Whether what we say of a call that the carrier never had is right. `coded`: the carrier's errors bring their code along.
pub(super) fn without_a_dial(row: &Row, coded: bool) -> bool {
    match row.outcome.as_deref() {
        // The carrier's API refuses such a number.
        Some("unreachable") => row.to.ends_with("60"),
        // An error without its code does not say that it is the number's.
        Some("failed") if row.to.ends_with("60") && !coded => true,
        // It was asked as often as it may be asked, and took it no time.
        Some("failed") => row.asks == 4,
        // Its time passed: its number was on hold, or the carrier asked for patience for too long.
        Some("expired") => row.ended_at.is_some_and(|at| at >= row.expires_at),
        // Its owner had said no, between the wish and the claim.
        Some("blocked") => row.asks == 0 && row.to.ends_with("59"),
        // It was asked, no clear answer came, and it is not settled: counted apart.
        Some("unknown") => row.asks > 0 && !row.settled,
        _ => false,
    }
}

/// The book's facts, for a person.
pub(super) fn facts(dial: &Dial, talks: &[&ConversationEntry]) -> String {
    let legs: Vec<String> = dial.legs.iter().map(|leg| format!("{} {}", leg.outcome, leg.sip_code)).collect();
    let talks: Vec<String> = talks
        .iter()
        .map(|talk| format!("{} {} ({})", talk.conversation_id, talk.status, talk.termination_reason))
        .collect();
    let lost: Vec<&str> =
        dial.deliveries.iter().filter(|delivery| !delivery.delivered).map(|delivery| delivery.event.as_str()).collect();
    format!(
        "fate {}, {} {:?}, rung {}, answered {} by {:?}, legs {legs:?}, conversations {talks:?}, lost {lost:?}",
        dial.fate,
        dial.status,
        dial.sip_code,
        dial.rung_at.is_some(),
        dial.answered_at.is_some(),
        dial.answered_by,
    )
}
