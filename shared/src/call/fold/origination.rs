//! What the agents' vendor says of a call that it dials itself (`connect: trunk`): one conversation is one dial.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::earliest;
use crate::call::outcome::DialFailed;
use crate::call::{Connect, Event, Fact, InitiationFailure, State};

/// Everything that is known of the vendor's dials under one id of ours.
#[derive(Default)]
pub(super) struct Origination<'e> {
    /// Dials that were answered; `None` where the vendor did not tell the conversation.
    answered: BTreeSet<Option<&'e str>>,
    /// Dials that are over.
    over: BTreeSet<Option<&'e str>>,
    /// The vendor knows of no conversation, long after it should have ended.
    absent: bool,
    pub(super) answered_at: Option<Timestamp>,
    pub(super) ended_at: Option<Timestamp>,
    pub(super) sip_call_id: Option<&'e str>,
    pub(super) duration_secs: Option<u32>,
    pub(super) failed: Option<DialFailed>,
    pub(super) reason: Option<&'e str>,
}

impl<'e> Origination<'e> {
    /// Reads the events of a call that the vendor dials; of any other call nothing.
    pub(super) fn read(events: &BTreeSet<&'e Event>) -> Self {
        let mut found = Self::default();
        let trunk = |event: &&Event| {
            let Event { fact, .. } = event;
            matches!(
                fact,
                Fact::Claimed { connect: Connect::Trunk, .. } | Fact::Originated { .. } | Fact::NotOriginated { .. }
            )
        };
        if events.iter().any(trunk) {
            for event in events {
                found.learn(event);
            }
        }
        found
    }

    fn learn(&mut self, event: &'e Event) {
        let at = Some(event.at);
        match &event.fact {
            Fact::Originated { conversation_id, sip_call_id } => {
                self.answered.insert(conversation_id.as_deref());
                self.answered_at = earliest(self.answered_at, at);
                self.sip_call_id = self.sip_call_id.max(sip_call_id.as_deref());
            }
            Fact::NotOriginated { conversation_id, sip_call_id, failure, sip_code, reason } => {
                self.over(conversation_id.as_deref(), event.at);
                self.sip_call_id = self.sip_call_id.max(sip_call_id.as_deref());
                self.reason = self.reason.max(Some(reason));
                // Its words are free text. One that names a cause is believed; else the event or the conversation tells.
                let certain = sip_code.is_some() || *failure != InitiationFailure::Other;
                self.fail(DialFailed { certain, told: false, failure: *failure, sip_code: *sip_code });
            }
            Fact::NotInitiated { conversation_id, failure, sip_code } => {
                self.over(Some(conversation_id), event.at);
                self.fail(DialFailed { certain: true, told: true, failure: *failure, sip_code: *sip_code });
            }
            Fact::Conversed { conversation_id, duration_secs, .. } => {
                self.over(Some(conversation_id), event.at);
                self.duration_secs = self.duration_secs.max(Some(*duration_secs));
            }
            Fact::AgentAbsent { .. } => {
                self.absent = true;
                self.ended_at = earliest(self.ended_at, at);
            }
            _ => {}
        }
    }

    fn over(&mut self, conversation: Option<&'e str>, at: Timestamp) {
        self.over.insert(conversation);
        self.ended_at = earliest(self.ended_at, Some(at));
    }

    /// Of several reasons the one that says most holds.
    fn fail(&mut self, failed: DialFailed) {
        let certain = failed.certain || self.failed.is_some_and(|known| known.certain);
        let best = self.failed.map_or(failed, |known| if weight(failed) > weight(known) { failed } else { known });
        self.failed = Some(DialFailed { certain, ..best });
    }

    /// The state by this evidence, if there is any: live while any of its dials is live.
    pub(super) fn state(&self) -> Option<State> {
        if self.answered.is_empty() && self.over.is_empty() {
            return None;
        }
        let live = |dial: Option<&str>| if dial.is_some() { !self.over.contains(&dial) } else { self.over.is_empty() };
        let talking = !self.absent && self.answered.iter().any(|dial| live(*dial));
        Some(if talking { State::InProgress } else { State::Ended })
    }

    /// Whether it was answered.
    pub(super) fn picked_up(&self) -> bool {
        !self.answered.is_empty()
    }

    /// Whether there was more than one dial.
    pub(super) fn twice(&self) -> bool {
        self.answered.union(&self.over).flatten().collect::<BTreeSet<_>>().len() > 1
    }
}

/// How much a reason says: a SIP status, then a word, then the vendor's event over its free text. The rest breaks ties.
fn weight(failed: DialFailed) -> (bool, bool, bool, Option<u16>, InitiationFailure) {
    let word = failed.failure != InitiationFailure::Other;
    (failed.sip_code.is_some(), word, failed.told, failed.sip_code, failed.failure)
}
