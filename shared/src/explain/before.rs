//! Calls that are not over.

use super::words::{because, stop, whose};
use super::{CallFacts, Explanation, State, Who, time};
use crate::call::Connect;

pub(super) fn explain(facts: &CallFacts) -> Explanation {
    match facts.state {
        State::Intent => intent(facts),
        State::Placing => Explanation::new(
            "It is being placed.",
            format!("{} is being asked for it at this moment.", dialler(facts)),
            Who::Us,
            "The answer comes within a minute; if whoever asks dies, the call is looked for instead of asked for twice.",
        ),
        State::Unknown => Explanation::new(
            format!("{} was asked for it and gave no clear answer.", dialler(facts)),
            facts.reason.as_deref().map_or_else(
                || "Whether it rings is not known.".to_owned(),
                |reason| format!("{} Whether it rings is not known.", super::words::sentence(reason)),
            ),
            if facts.connect == Connect::Trunk { Who::Elevenlabs } else { Who::Carrier },
            "It is never asked for twice, so that nobody is rung twice: it is looked for every few minutes, and no other call is made to the number meanwhile.",
        ),
        State::Queued => wanted_back(facts).unwrap_or_else(|| {
            Explanation::new(
                "The carrier has taken it.",
                "It waits there for its turn.",
                Who::Carrier,
                "It rings in a moment; if it still waits when the lawful hours end, it is taken back.",
            )
        }),
        State::Ringing => wanted_back(facts).unwrap_or_else(|| {
            Explanation::new(
                "It rings.",
                "Nobody has answered yet.",
                Who::Callee,
                "It ends when somebody answers, declines, or the time for ringing is over.",
            )
        }),
        State::InProgress | State::Ended => talking(facts),
    }
}

fn intent(facts: &CallFacts) -> Explanation {
    let due = facts.due_at.map_or_else(String::new, |due| format!(" It is looked at again at {}.", time(due)));
    if let Some(found) = &facts.stop {
        let next = "It goes on when the stop is lifted, unless its time has passed by then.";
        return Explanation::new("It waits: stopped.", stop(found), Who::Owner, next);
    }
    if let Some(campaign) = facts.campaign.as_ref().filter(|campaign| campaign.state == "paused") {
        return super::contact::paused(campaign, "It waits: its campaign is paused.");
    }
    if let Some(guard) = facts.guard.as_ref().filter(|guard| guard.decision == "defer") {
        let word = guard.because.first().map_or("guard", |rule| rule.rule.as_str());
        let next = facts.due_at.or(guard.until).map_or_else(
            || "The guard is asked again.".to_owned(),
            |until| format!("The guard is asked again at {}, the first moment that it could be allowed.", time(until)),
        );
        return Explanation::new("It waits: it may not be placed yet.", because(Some(guard), word), whose(word), next);
    }
    if facts.asks > 0 {
        let why = facts.reason.as_deref().map_or_else(|| "It gave no reason.".to_owned(), super::words::sentence);
        let next = format!("It is asked for again.{due}");
        let who = if facts.connect == Connect::Trunk { Who::Elevenlabs } else { Who::Carrier };
        return Explanation::new(format!("It waits: {} asked for patience.", dialler(facts)), why, who, next);
    }
    Explanation::new(
        "It waits for its turn.",
        "It was not asked for yet: its time, its slot at the carrier, or room for one more call has not come.",
        Who::Us,
        format!("It is placed as soon as there is room.{due}"),
    )
}

/// Somebody wants it to end, and it has not yet.
fn wanted_back(facts: &CallFacts) -> Option<Explanation> {
    facts.cancel_at.or(facts.hang_up_at)?;
    let why = facts.stop.as_ref().map_or_else(|| "Its owner took it back.".to_owned(), stop);
    let next = "The carrier was told; it ends in a moment, unless somebody answers first.";
    Some(Explanation::new("It is being taken back.", why, Who::Owner, next))
}

fn talking(facts: &CallFacts) -> Explanation {
    if facts.hang_up_at.is_some() {
        let why = facts.stop.as_ref().map_or_else(|| "Its owner wants it ended.".to_owned(), stop);
        return Explanation::new("It is being hung up.", why, Who::Owner, "It ends in a moment.");
    }
    if facts.answered_by.as_deref() == Some("machine") {
        let why = "The carrier's detection takes it for an answering machine.";
        let next = "It is hung up, if the agent is set so; otherwise the agent talks to it.";
        return Explanation::new("A machine has answered.", why, Who::Carrier, next);
    }
    let why = match facts.agent_connected {
        Some(true) => "Somebody answered, and the agent is on the line.",
        Some(false) => "Somebody answered, but the agent did not come to the line.",
        None => "Somebody answered; whether the agent came to the line is not known yet.",
    };
    let next = "When it is over, its transcript and recording are brought home.";
    Explanation::new("It is on the line.", why, Who::Callee, next)
}

pub(super) fn dialler(facts: &CallFacts) -> &'static str {
    match facts.connect {
        Connect::Sip => "SignalWire",
        Connect::Trunk => "ElevenLabs",
    }
}
