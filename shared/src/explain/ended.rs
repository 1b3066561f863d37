//! Calls that are over, by what became of them.

use super::after::next;
use super::before::dialler;
use super::words::{because, mend, sentence, stop, whose};
use super::{CallFacts, Explanation, Outcome, Who};
use crate::call::Connect;

pub(super) fn explain(facts: &CallFacts) -> Explanation {
    let Some(outcome) = facts.outcome else {
        let why = "Somebody answered; whether the agent came to the line is not known yet.";
        let next = "The agents' vendor tells, or is asked within minutes.";
        return Explanation::new("It is over.", why, Who::Elevenlabs, next);
    };
    let (what, why, who) = match outcome {
        Outcome::Answered => talked(facts),
        Outcome::Abandoned => abandoned(facts),
        Outcome::Voicemail => voicemail(facts),
        Outcome::Screened => owned(
            "An assistant that screens calls answered.",
            "The agent found that it was not talking with the person.",
            Who::Callee,
        ),
        Outcome::Busy => owned("The line was busy.", &code(facts, "The callee's line was taken."), Who::Callee),
        Outcome::NoAnswer => owned("Nobody answered.", &code(facts, "It rang until its time was over."), Who::Callee),
        Outcome::Declined => {
            owned("The person declined the call.", &code(facts, "It rang and was declined."), Who::Callee)
        }
        Outcome::NetworkBlocked => network(facts),
        Outcome::Unreachable => unreachable(facts),
        Outcome::Failed => failed(facts),
        Outcome::Canceled => canceled(facts),
        Outcome::Expired => expired(facts),
        Outcome::Blocked => return blocked(facts),
        Outcome::Unknown => return given_up(facts),
    };
    let mut next = next(facts);
    if !facts.outcome_final {
        next.insert_str(0, "The outcome may still be refined. ");
    }
    Explanation { what, why, who, next }
}

type Said = (String, String, Who);

fn owned(what: &str, why: &str, who: Who) -> Said {
    (what.to_owned(), why.to_owned(), who)
}

fn code(facts: &CallFacts, why: &str) -> String {
    facts.sip_code.map_or_else(|| why.to_owned(), |code| format!("{} (SIP {code}).", why.trim_end_matches('.')))
}

fn talked(facts: &CallFacts) -> Said {
    let lasted = facts.duration_secs.map_or_else(String::new, |secs| format!(" for {secs} seconds"));
    let what = format!("A person answered and talked with the agent{lasted}.");
    if facts.hang_up_at.is_some() {
        let why = facts.stop.as_ref().map_or_else(|| "Its owner had it hung up.".to_owned(), stop);
        return (what, why, Who::Owner);
    }
    (what, "It went as it should.".to_owned(), Who::Callee)
}

fn abandoned(facts: &CallFacts) -> Said {
    let why = code(facts, "The line to the agent failed, was refused, or the person hung up before it stood.");
    owned("A person answered, and no agent came to the line.", &why, Who::Elevenlabs)
}

fn voicemail(facts: &CallFacts) -> Said {
    let what = "An answering machine answered.";
    if facts.answered_by.as_deref() == Some("machine") && facts.agent_connected != Some(true) {
        let why = "The carrier's detection took it for a machine, and it was hung up before the agent talked.";
        return owned(what, why, Who::Carrier);
    }
    owned(what, "The agent found that it was talking to a machine.", Who::Elevenlabs)
}

fn network(facts: &CallFacts) -> Said {
    let why = match facts.sip_code {
        Some(607) => {
            "The callee, or somebody for the callee, has marked the caller id as unwanted (SIP 607).".to_owned()
        }
        Some(608) => "An analytics service of the callee's network rejected the caller id (SIP 608).".to_owned(),
        Some(code) => {
            format!("It was refused before it rang (SIP {code}): so networks refuse what they take for spam.")
        }
        None => "It was refused before it rang: so networks refuse what they take for spam.".to_owned(),
    };
    owned("A network refused the call.", &why, Who::Carrier)
}

fn unreachable(facts: &CallFacts) -> Said {
    let why = match (&facts.reason, facts.sip_code) {
        (Some(reason), _) => sentence(reason),
        (None, Some(code)) => format!("The network knows no such number (SIP {code})."),
        (None, None) => "The network knows no such number.".to_owned(),
    };
    owned("The number cannot be reached.", &why, Who::Carrier)
}

fn failed(facts: &CallFacts) -> Said {
    let who = if facts.connect == Connect::Trunk { Who::Elevenlabs } else { Who::Carrier };
    let why = match (&facts.reason, facts.sip_code) {
        (Some(reason), _) => sentence(reason),
        (None, Some(403)) => {
            "The carrier forbids this call: look at the caller id and what the account may (SIP 403).".to_owned()
        }
        (None, Some(code)) => format!("It broke off for a technical reason (SIP {code})."),
        (None, None) => format!("{} reports a failure without a reason.", dialler(facts)),
    };
    owned("It failed.", &why, who)
}

fn canceled(facts: &CallFacts) -> Said {
    let what = "It was taken back before anybody answered.";
    if let Some(found) = &facts.stop {
        return owned(what, &stop(found), Who::Owner);
    }
    match facts.reason.as_deref() {
        Some(reason) => owned(what, &sentence(reason), Who::Owner),
        None if facts.cancel_at.is_some() || facts.hang_up_at.is_some() => {
            owned(what, "Its owner took it back.", Who::Owner)
        }
        None => owned(
            what,
            "It still waited at the carrier when the lawful hours ended, or was found there after it had been given up.",
            Who::Us,
        ),
    }
}

fn expired(facts: &CallFacts) -> Said {
    let who = if facts.reason.as_deref() == Some("its campaign has ended") { Who::Owner } else { Who::Us };
    let why = facts.reason.as_deref().map_or_else(|| "Its time passed before it could be placed.".to_owned(), sentence);
    owned("It was not placed.", &why, who)
}

fn blocked(facts: &CallFacts) -> Explanation {
    let first = facts.guard.as_ref().and_then(|guard| guard.because.first()).map(|rule| rule.rule.as_str());
    let word = facts.reason.as_deref().or(first).unwrap_or("guard");
    let why = because(facts.guard.as_ref(), word);
    Explanation::new("It was not placed: the guard forbade it.", why, whose(word), mend(word))
}

fn given_up(facts: &CallFacts) -> Explanation {
    let why = facts.reason.as_deref().map_or_else(String::new, |reason| format!(" {}", sentence(reason)));
    let who = if facts.connect == Connect::Trunk { Who::Elevenlabs } else { Who::Carrier };
    Explanation::new(
        "What became of it is not known.",
        format!("{} gave no clear answer, and the call was never found.{why}", dialler(facts)),
        who,
        "The number is on hold for a day, in case it rang. Should the call be found after all, this changes.",
    )
}
