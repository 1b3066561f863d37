//! The canary's check: whether the last one came home, and what is to be done when it did not.

use elevenwire::call::Outcome;
use elevenwire::store::canary::{Canary, SILENT_AFTER};
use jiff::Timestamp;

use crate::Check;

/// Its name among the checks.
pub(crate) const NAME: &str = "canary";

/// Where the rest stands.
const RUNBOOK: &str = "See docs/runbook.md#the-canary-fails.";

pub(crate) fn check(canary: Option<&Canary>, now: Timestamp) -> Check {
    let (ok, detail) = match judge(canary, now) {
        Ok(detail) => (true, detail),
        Err(detail) => (false, format!("{detail} {RUNBOOK}")),
    };
    Check { name: NAME.to_owned(), ok, ms: 0, detail: Some(detail) }
}

fn judge(canary: Option<&Canary>, now: Timestamp) -> Result<String, String> {
    let Some(canary) = canary else { return Ok("none was rung yet".to_owned()) };
    if canary.is_under_way(now) {
        return Ok("one is under way".to_owned());
    }
    let call = format!("GET /api/calls/{} explains it.", canary.call_id);
    if canary.settled_at.is_none() {
        let (state, since) = (canary.state.as_str(), canary.asked_at);
        return Err(format!("the one of {since} is not settled, its state is {state}. {call}"));
    }
    if !canary.came_home() {
        return Err(format!("the last one {}. {} {call}", ended(canary), mend(canary)));
    }
    if now.duration_since(canary.asked_at) > SILENT_AFTER {
        return Err(format!("the last one was rung at {}. Does its schedule run?", canary.asked_at));
    }
    let secs = canary.end_to_end_secs.map(|secs| format!(" in {secs:.1} s")).unwrap_or_default();
    Ok(format!("answered and home{secs}"))
}

fn ended(canary: &Canary) -> String {
    let because = canary.because.as_ref().map(|because| format!(" ({because})")).unwrap_or_default();
    match canary.outcome {
        Some(Outcome::Answered) => "was answered, and the agent was not on the line".to_owned(),
        Some(outcome) => format!("ended as {}{because}", outcome.as_str()),
        None => "ended without an outcome".to_owned(),
    }
}

fn mend(canary: &Canary) -> &'static str {
    if canary.stopped {
        return "A stop held it: GET /api/stops shows which, DELETE lifts it.";
    }
    match canary.outcome {
        Some(Outcome::Answered | Outcome::Abandoned) => {
            "The agent did not come: check its number at ElevenLabs, the plan's concurrency and the SIP host."
        }
        Some(Outcome::Voicemail | Outcome::Screened) => {
            "A machine was heard: let the number answer as a person does, or switch the agent's machine detection off."
        }
        Some(Outcome::Busy | Outcome::NoAnswer | Outcome::Declined) => "CanaryNumber must answer by itself.",
        Some(Outcome::NetworkBlocked) => "The network takes the caller id for spam: let the agent have another one.",
        Some(Outcome::Unreachable) => "There is no such number: correct CanaryNumber.",
        Some(Outcome::Blocked | Outcome::Expired) => "The guard, a limit or the timetable held it back.",
        _ => "It was not placed, or was cut.",
    }
}

#[cfg(test)]
mod tests {
    use elevenwire::call::State;
    use jiff::ToSpan;

    use super::*;

    fn now() -> Timestamp {
        "2026-11-24T18:00:00Z".parse().unwrap()
    }

    fn home() -> Canary {
        Canary {
            call_id: "01a20e11-3f0c-74fb-8cd0-7ea7e97d7b82".parse().unwrap(),
            asked_at: now() - 30.minutes(),
            state: State::Ended,
            outcome: Some(Outcome::Answered),
            because: None,
            stopped: false,
            agent_connected: Some(true),
            settled_at: Some(now() - 29.minutes()),
            end_to_end_secs: Some(60.0),
            to_ringing_secs: Some(2.0),
            ringing_secs: Some(3.0),
            to_agent_secs: None,
            to_settled_secs: Some(20.0),
        }
    }

    fn says(canary: Option<&Canary>) -> (bool, String) {
        let check = check(canary, now());
        (check.ok, check.detail.unwrap())
    }

    #[test]
    fn what_is_home_or_has_time_is_well() {
        assert_eq!(says(None), (true, "none was rung yet".to_owned()));
        assert_eq!(says(Some(&home())), (true, "answered and home in 60.0 s".to_owned()));
        let open = Canary { state: State::Ringing, outcome: None, settled_at: None, ..home() };
        assert_eq!(says(Some(&open)), (true, "one is under way".to_owned()));
    }

    #[test]
    fn what_did_not_come_home_fails_with_its_mend() {
        let ended = |outcome| Canary { outcome: Some(outcome), agent_connected: Some(false), ..home() };
        let blocked = Canary { because: Some("suppressed".to_owned()), ..ended(Outcome::Blocked) };
        for (canary, words) in [
            (Canary { settled_at: None, asked_at: now() - 61.minutes(), ..home() }, "is not settled"),
            (ended(Outcome::NoAnswer), "ended as no_answer. CanaryNumber must answer by itself."),
            (ended(Outcome::Answered), "the agent was not on the line"),
            (ended(Outcome::Abandoned), "concurrency"),
            (ended(Outcome::Voicemail), "machine detection"),
            (blocked, "ended as blocked (suppressed)."),
            (Canary { stopped: true, ..ended(Outcome::Expired) }, "A stop held it"),
            (Canary { asked_at: now() - 97.hours(), ..home() }, "Does its schedule run?"),
        ] {
            let (ok, detail) = says(Some(&canary));
            assert!(!ok && detail.contains(words) && detail.ends_with(RUNBOOK), "{detail}");
        }
    }
}
