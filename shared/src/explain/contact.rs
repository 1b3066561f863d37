//! Contacts: why somebody is not called, or not yet.

use super::words::{because, ended, mend, rule, sentence, stop, whose};
use super::{CampaignFacts, ContactFacts, Explanation, Who, time};
use crate::call::Outcome;

/// Explains a contact of a campaign.
#[must_use]
pub fn contact(facts: &ContactFacts) -> Explanation {
    match facts.status.as_str() {
        "calling" => Explanation::new(
            "The person is being called.",
            "An attempt is under way, or has just ended.",
            Who::Us,
            "See its last call; when that is over, the campaign decides what is next.",
        ),
        "done" => done(facts),
        _ => waiting(facts),
    }
}

/// A campaign that stands still, and who decided so.
pub(super) fn paused(campaign: &CampaignFacts, what: &str) -> Explanation {
    let why = campaign.because.as_deref();
    if campaign.decided_by.as_deref() == Some("breaker") {
        // The breaker writes its word before its sentence.
        let why = why.map(|why| why.split_once(": ").map_or(why, |(_, sentence)| sentence));
        let why = why.map_or_else(|| "it did harm.".to_owned(), ended);
        let next = "Mend the cause, then POST /api/campaigns/{id}/resume.";
        return Explanation::new(what, format!("The campaign stopped itself: {why}"), Who::Breaker, next);
    }
    let why =
        why.map_or_else(|| "Its owner paused it.".to_owned(), |why| format!("Its owner paused it: {}", ended(why)));
    Explanation::new(what, why, Who::Owner, "It goes on with POST /api/campaigns/{id}/resume.")
}

fn waiting(facts: &ContactFacts) -> Explanation {
    let (campaign, what) = (&facts.campaign, "The person was not called yet.");
    if let Some(found) = &facts.stop {
        return Explanation::new(what, stop(found), Who::Owner, "It goes on when the stop is lifted.");
    }
    match campaign.state.as_str() {
        "draft" => {
            let why = "The campaign was not started.";
            return Explanation::new(what, why, Who::Owner, "POST /api/campaigns/{id}/start starts it.");
        }
        "paused" => return paused(campaign, "The person is not called: the campaign is paused."),
        _ => {}
    }
    let due = facts.due_at.map_or_else(|| "soon".to_owned(), time);
    let Some(word) = facts.because.as_deref() else {
        let why = "The turn of this person has not come: the campaign goes at its own pace.";
        return Explanation::new(what, why, Who::Us, format!("The person's turn comes from {due} on."));
    };
    if rule(word).is_some() {
        let next = format!("The guard is asked again at {due}.");
        return Explanation::new("The person was put off.", because(facts.guard.as_ref(), word), whose(word), next);
    }
    if word == "number_busy" {
        let why = "Another call to this number is under way or waits, of another campaign or a single one.";
        return Explanation::new("The person was put off.", why, Who::Us, format!("It is looked at again at {due}."));
    }
    let what = if facts.attempts == 0 { "The person was not reached yet." } else { "The person is called again." };
    let next = format!("The next attempt is due at {due}, if the guard then allows it.");
    Explanation::new(what, last(Some(word)), whom(Some(word)), next)
}

fn done(facts: &ContactFacts) -> Explanation {
    let word = facts.because.as_deref();
    match facts.outcome.as_deref() {
        Some("blocked") => {
            let word = word.unwrap_or("guard");
            let why = because(facts.guard.as_ref(), word);
            Explanation::new("The person is not called: the guard forbids it.", why, whose(word), mend(word))
        }
        Some("exhausted") => {
            let what = format!("The person was not reached in {}.", attempts(facts.attempts));
            let why = format!("{} All attempts are used up.", last(facts.last_outcome.as_deref().or(word)));
            Explanation::new(what, why, Who::Owner, "Nothing: the campaign's retries allow no more.")
        }
        Some("expired") => {
            let why = match word {
                Some("campaign_ended") => "The campaign's end came before the person's turn.",
                _ => "The time that the campaign gives each person had passed.",
            };
            Explanation::new("The person was not called any more.", why, Who::Owner, "Nothing: it is over.")
        }
        Some("canceled") => {
            let why = "The campaign was canceled, or ended, before the person's turn.";
            Explanation::new("The person was not called any more.", why, Who::Owner, "Nothing: it is over.")
        }
        outcome => {
            let why = last(outcome.or(facts.last_outcome.as_deref()));
            Explanation::new(
                "The campaign is done with this person.",
                why,
                whom(outcome),
                "Nothing: see the last call.",
            )
        }
    }
}

fn attempts(count: u32) -> String {
    if count == 1 { "one attempt".to_owned() } else { format!("{count} attempts") }
}

fn last(outcome: Option<&str>) -> String {
    let said = match outcome.and_then(Outcome::parse) {
        Some(Outcome::Answered) => "A person talked with the agent.",
        Some(Outcome::Abandoned) => "A person answered, and no agent came to the line.",
        Some(Outcome::Voicemail) => "An answering machine answered.",
        Some(Outcome::Screened) => "An assistant that screens calls answered.",
        Some(Outcome::Busy) => "The line was busy.",
        Some(Outcome::NoAnswer) => "Nobody answered.",
        Some(Outcome::Declined) => "The person declined the call.",
        Some(Outcome::NetworkBlocked) => "A network refused the call.",
        Some(Outcome::Unreachable) => "The network knows no such number.",
        Some(Outcome::Failed) => "The call failed for a technical reason.",
        Some(Outcome::Canceled) => "The attempt was taken back.",
        Some(Outcome::Expired) => "The attempt's time passed before it could be placed.",
        Some(Outcome::Blocked) => "The guard forbade the attempt.",
        Some(Outcome::Unknown) => "What became of the attempt was never learnt.",
        None => return outcome.map_or_else(|| "Nothing more is known.".to_owned(), sentence),
    };
    said.to_owned()
}

fn whom(outcome: Option<&str>) -> Who {
    match outcome.and_then(Outcome::parse) {
        Some(Outcome::Abandoned) => Who::Elevenlabs,
        Some(Outcome::NetworkBlocked | Outcome::Unreachable | Outcome::Failed | Outcome::Unknown) => Who::Carrier,
        Some(Outcome::Canceled) => Who::Owner,
        Some(Outcome::Blocked) => Who::Guard,
        Some(Outcome::Expired) | None => Who::Us,
        Some(_) => Who::Callee,
    }
}
