//! What a set of events makes of a call. Pure, total, and the same for any order and any doubling of the events.

mod origination;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use self::origination::Origination;
use super::outcome::{self, Evidence, Own};
use super::{AnsweredBy, CarrierStatus, Event, Fact, Outcome, State};

/// A call as its events tell it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folded {
    /// Where it stands.
    pub state: State,
    /// What became of it; `None` while nothing can be said.
    pub outcome: Option<Outcome>,
    /// Nothing more is awaited that could decide the outcome. A fuller fact may still refine it.
    pub outcome_final: bool,
    /// Why, in words, where somebody gave a reason.
    pub reason: Option<String>,
    /// How often the carrier was asked to place it.
    pub asks: u32,
    /// The carrier's id.
    pub carrier_sid: Option<String>,
    /// More than one call of the carrier's carries our id: somebody was rung twice.
    pub double_dial: bool,
    /// It was given up before; whatever is heard of it now comes late.
    pub given_up: bool,
    /// Whether the agent's leg came up; `None` while that is not known.
    pub agent_connected: Option<bool>,
    /// When the carrier took it, or was first heard to have it.
    pub placed_at: Option<Timestamp>,
    /// When it first rang.
    pub ringing_at: Option<Timestamp>,
    /// When it was answered.
    pub answered_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Seconds from answer to end, as the carrier counts them.
    pub duration_secs: Option<u32>,
    /// SIP status of the end.
    pub sip_code: Option<u16>,
    /// What answering machine detection said.
    pub answered_by: Option<AnsweredBy>,
}

/// Folds the events of one call.
#[must_use]
pub fn fold(events: &[Event]) -> Folded {
    // A set: sorted by fact, doubles gone. From here on no order of arrival can matter.
    let events: BTreeSet<&Event> = events.iter().collect();
    let own = own_side(&events);
    let lines = by_sid(&events);
    let conversation = conversed(&events);
    let dial = Origination::read(&events);
    let carrier_state = if lines.is_empty() { dial.state() } else { None };
    let carrier_state = carrier_state.or_else(|| by_lines(&lines, conversation.is_some()));
    let state = carrier_state.unwrap_or(own.state);

    let line = Line::merge(lines.values());
    let evidence = Evidence {
        own: carrier_state.is_none().then_some(own.end).flatten(),
        ..evidence(&events, &line, &dial, conversation.as_ref())
    };
    let (outcome, outcome_final) = if state == State::Ended { outcome::decide(&evidence) } else { (None, false) };
    let said = own.reason.clone().filter(|_| carrier_state.is_none());
    Folded {
        state,
        outcome,
        outcome_final,
        reason: said.or_else(|| dial.reason.filter(|_| conversation.is_none()).map(str::to_owned)),
        asks: own.asks,
        carrier_sid: primary_sid(&own, &lines).or_else(|| dial.sip_call_id.map(str::to_owned)),
        double_dial: lines.len() > 1 || dial.twice(),
        given_up: events.iter().any(|event| matches!(event.fact, Fact::GivenUp { .. })),
        agent_connected: outcome::agent_connected(&evidence),
        placed_at: earliest(own.placed_at, line.first_seen).or(dial.answered_at).or(dial.ended_at),
        ringing_at: line.ringing_at,
        answered_at: line.answered_at.or(dial.answered_at),
        ended_at: (state == State::Ended)
            .then(|| line.ended_at.or(conversation.map(|c| c.at)).or(dial.ended_at).or(own.ended_at))
            .flatten(),
        duration_secs: line.duration_secs.or(dial.duration_secs),
        sip_code: line.sip_code.or(dial.failed.and_then(|failed| failed.sip_code)),
        answered_by: line.answered_by,
    }
}

/// What bears on the outcome, but for our own side.
fn evidence(
    events: &BTreeSet<&Event>,
    line: &Line,
    dial: &Origination<'_>,
    conversation: Option<&Conversation>,
) -> Evidence {
    Evidence {
        own: None,
        status: line.last_status,
        sip_code: line.sip_code,
        rang: line.ringing_at.is_some(),
        picked_up: line.picked_up() || dial.picked_up(),
        machine: line.answered_by == Some(AnsweredBy::Machine),
        agent_leg: line.agent_leg,
        conversed: conversation.is_some(),
        voicemail: conversation.is_some_and(|found| found.voicemail),
        screened: conversation.is_some_and(|found| found.screened),
        not_initiated: not_initiated(events),
        agent_absent: events.iter().any(|event| matches!(event.fact, Fact::AgentAbsent { .. })),
        agent_dialled: dial.picked_up(),
        dial_failed: dial.failed,
    }
}

/// What our own side did: claims, the carrier's answers to them, our decisions.
struct OwnSide {
    state: State,
    end: Option<Own>,
    reason: Option<String>,
    asks: u32,
    placed_sid: Option<String>,
    placed_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
}

fn own_side(events: &BTreeSet<&Event>) -> OwnSide {
    let mut own = OwnSide {
        state: State::Intent,
        end: None,
        reason: None,
        asks: 0,
        placed_sid: None,
        placed_at: None,
        ended_at: None,
    };
    // The last question decides, and of its answers the fullest: a clear one replaces "no clear answer".
    let mut best = (0, 0);
    for event in events {
        let Some((ask, weight, state)) = weigh(&event.fact) else { continue };
        if ask != u32::MAX {
            own.asks = own.asks.max(ask);
        }
        if (ask, weight) <= best {
            continue;
        }
        best = (ask, weight);
        own.state = state;
        own.reason = None;
        own.end = None;
        match &event.fact {
            Fact::Placed { sid, .. } => {
                own.placed_sid = Some(sid.clone());
                own.placed_at = Some(event.at);
            }
            Fact::Refused { bad_number, reason, .. } => {
                own.end = Some(Own::Refused { bad_number: *bad_number });
                own.reason = Some(reason.clone());
                own.ended_at = Some(event.at);
            }
            Fact::AskAgain { reason, .. } | Fact::Unclear { reason, .. } => own.reason = Some(reason.clone()),
            Fact::Decided { end, reason } => {
                own.end = Some(Own::Decided(*end));
                own.reason = Some(reason.clone());
                own.ended_at = Some(event.at);
            }
            Fact::GivenUp { reason } => {
                own.end = Some(Own::GivenUp);
                own.reason = Some(reason.clone());
                own.ended_at = Some(event.at);
            }
            _ => {}
        }
    }
    own
}

/// Which question to the carrier a fact belongs to, how much it says, and the state that it means. A decision of ours ends
/// an attempt whatever was asked before.
fn weigh(fact: &Fact) -> Option<(u32, u8, State)> {
    Some(match fact {
        Fact::Claimed { ask, .. } => (*ask, 1, State::Placing),
        Fact::Unclear { ask, .. } => (*ask, 2, State::Unknown),
        Fact::AskAgain { ask, .. } => (*ask, 3, State::Intent),
        Fact::Refused { ask, .. } => (*ask, 4, State::Ended),
        Fact::Placed { ask, .. } => (*ask, 5, State::Queued),
        Fact::Decided { .. } => (u32::MAX, 0, State::Ended),
        Fact::GivenUp { .. } => (u32::MAX, 1, State::Ended),
        _ => return None,
    })
}

/// What one call of the carrier's did.
#[derive(Default, Clone)]
struct Line {
    first_seen: Option<Timestamp>,
    ringing_at: Option<Timestamp>,
    answered_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
    last_status: Option<CarrierStatus>,
    sip_code: Option<u16>,
    duration_secs: Option<u32>,
    answered_by: Option<AnsweredBy>,
    agent_leg: Option<CarrierStatus>,
}

fn by_sid<'e>(events: &BTreeSet<&'e Event>) -> BTreeMap<&'e str, Line> {
    let mut lines: BTreeMap<&str, Line> = BTreeMap::new();
    for event in events {
        let Some(sid) = event.fact.sid() else { continue };
        lines.entry(sid).or_default().learn(event);
    }
    lines
}

impl Line {
    fn learn(&mut self, event: &Event) {
        let at = Some(event.at);
        self.first_seen = earliest(self.first_seen, at);
        match &event.fact {
            Fact::Carrier { status, sip_code, duration_secs, .. } => {
                self.last_status = self.last_status.max(Some(*status));
                self.duration_secs = self.duration_secs.max(*duration_secs);
                match status {
                    CarrierStatus::Queued => {}
                    CarrierStatus::Ringing => self.ringing_at = earliest(self.ringing_at, at),
                    CarrierStatus::InProgress => self.answered_at = earliest(self.answered_at, at),
                    _ => {
                        self.ended_at = earliest(self.ended_at, at);
                        self.sip_code = self.sip_code.max(*sip_code);
                    }
                }
            }
            Fact::Fetched { answered_by, .. } => {
                self.answered_at = earliest(self.answered_at, at);
                self.answered_by = self.answered_by.max(*answered_by);
            }
            Fact::Detected { answered_by, .. } => {
                self.answered_at = earliest(self.answered_at, at);
                self.answered_by = self.answered_by.max(Some(*answered_by));
            }
            Fact::AgentLeg { status, .. } => {
                self.ended_at = self.ended_at.or(at);
                self.agent_leg = Some(better_leg(self.agent_leg, *status));
            }
            _ => {}
        }
    }

    /// A 200 means that the call was answered, also where its documents failed and the carrier calls it failed.
    fn picked_up(&self) -> bool {
        self.answered_at.is_some() || self.sip_code == Some(200)
    }

    fn state(&self) -> State {
        match self.last_status {
            Some(status) if status.is_final() => State::Ended,
            // Our answer to the end of the agent's leg is to hang up, so the call is over.
            _ if self.agent_leg.is_some() => State::Ended,
            Some(CarrierStatus::InProgress) => State::InProgress,
            _ if self.answered_at.is_some() => State::InProgress,
            Some(CarrierStatus::Ringing) => State::Ringing,
            _ => State::Queued,
        }
    }

    /// Several calls of the carrier's as one: what any of them did, happened.
    fn merge<'l>(lines: impl Iterator<Item = &'l Self>) -> Self {
        lines.fold(Self::default(), |merged, line| Self {
            first_seen: earliest(merged.first_seen, line.first_seen),
            ringing_at: earliest(merged.ringing_at, line.ringing_at),
            answered_at: earliest(merged.answered_at, line.answered_at),
            ended_at: merged.ended_at.max(line.ended_at),
            last_status: merged.last_status.max(line.last_status),
            sip_code: merged.sip_code.max(line.sip_code),
            duration_secs: merged.duration_secs.max(line.duration_secs),
            answered_by: merged.answered_by.max(line.answered_by),
            agent_leg: match line.agent_leg {
                Some(status) => Some(better_leg(merged.agent_leg, status)),
                None => merged.agent_leg,
            },
        })
    }
}

/// Of two ends of the agent's leg, the one where the agent was there.
fn better_leg(known: Option<CarrierStatus>, new: CarrierStatus) -> CarrierStatus {
    let was_there = |status: CarrierStatus| matches!(status, CarrierStatus::Completed | CarrierStatus::InProgress);
    match known {
        Some(known) if was_there(known) != was_there(new) => {
            if was_there(known) {
                known
            } else {
                new
            }
        }
        Some(known) => known.max(new),
        None => new,
    }
}

/// The state by the carrier's evidence, if there is any: live while any of its calls is live.
fn by_lines(lines: &BTreeMap<&str, Line>, conversed: bool) -> Option<State> {
    let states = lines.values().map(Line::state);
    let live = states.clone().filter(|state| *state != State::Ended).max();
    // A conversation that is over leaves nothing on the line, also when every word of the carrier's was lost. Of two
    // lines it says nothing: the other one may still ring.
    match live {
        Some(_) if conversed && lines.len() == 1 => Some(State::Ended),
        Some(state) => Some(state),
        None => states.max().or(conversed.then_some(State::Ended)),
    }
}

struct Conversation {
    at: Timestamp,
    voicemail: bool,
    screened: bool,
}

fn conversed(events: &BTreeSet<&Event>) -> Option<Conversation> {
    let mut found: Option<Conversation> = None;
    for event in events {
        let Fact::Conversed { voicemail, screened, .. } = event.fact else { continue };
        let known = found.get_or_insert(Conversation { at: event.at, voicemail, screened });
        known.at = known.at.min(event.at);
        known.voicemail |= voicemail;
        known.screened |= screened;
    }
    found
}

fn not_initiated(events: &BTreeSet<&Event>) -> Option<super::InitiationFailure> {
    events.iter().find_map(|event| match event.fact {
        Fact::NotInitiated { failure, .. } => Some(failure),
        _ => None,
    })
}

/// The sid that the carrier gave us, else the one that was heard of first.
fn primary_sid(own: &OwnSide, lines: &BTreeMap<&str, Line>) -> Option<String> {
    own.placed_sid
        .clone()
        .or_else(|| lines.iter().min_by_key(|(sid, line)| (line.first_seen, **sid)).map(|(sid, _)| (*sid).to_owned()))
}

fn earliest(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests;
