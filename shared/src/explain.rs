//! "What happened?": from what is known of a call, or of a contact that was not called, four sentences for a person: what,
//! why, who decided so, and what is next. Pure; the table of cases is `explain/cases.txt`.
//!
//! Not for programs: they read `outcome`, `because` and the like. The sentences may be worded anew at any time.

mod after;
mod before;
mod contact;
mod ended;
mod words;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::call::{Connect, Outcome, State};

pub use contact::contact;

/// Who decided that it went so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Who {
    /// `SignalWire`, or a network behind it.
    Carrier,
    /// Whoever was called.
    Callee,
    /// The rules of law, and what protects the person.
    Guard,
    /// What pauses a campaign that harms.
    Breaker,
    /// Whoever runs this system, by a setting or a command.
    Owner,
    /// The agents' vendor.
    Elevenlabs,
    /// This program.
    Us,
}

/// What happened, in sentences.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Explanation {
    /// What became of it.
    pub what: String,
    /// Why.
    pub why: String,
    /// Who decided so.
    pub who: Who,
    /// What comes next by itself, or what can be done.
    pub next: String,
}

impl Explanation {
    fn new(what: impl Into<String>, why: impl Into<String>, who: Who, next: impl Into<String>) -> Self {
        Self { what: what.into(), why: why.into(), who, next: next.into() }
    }
}

/// Everything about a call that its explanation rests on.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct CallFacts {
    /// Where it stands.
    pub state: State,
    /// What became of it.
    pub outcome: Option<Outcome>,
    /// Nothing more is awaited that could change the outcome.
    #[serde(default)]
    pub outcome_final: bool,
    /// The words of whoever ended it.
    pub reason: Option<String>,
    /// How often whoever dials was asked for it.
    #[serde(default)]
    pub asks: u32,
    /// When it is placed, at the earliest.
    pub due_at: Option<Timestamp>,
    /// SIP status of its end.
    pub sip_code: Option<u16>,
    /// `machine` or `person`, by the carrier's detection.
    pub answered_by: Option<String>,
    /// Whether the agent was on the line.
    pub agent_connected: Option<bool>,
    /// Who dials.
    #[serde(default)]
    pub connect: Connect,
    /// Somebody wanted it hung up.
    pub hang_up_at: Option<Timestamp>,
    /// Somebody took it back.
    pub cancel_at: Option<Timestamp>,
    /// The carrier may have rung twice.
    #[serde(default)]
    pub double_dial: bool,
    /// How long it lasted.
    pub duration_secs: Option<u32>,
    /// Pieces that are awaited: `outcome`, `transcript`, `recording`.
    #[serde(default)]
    pub missing: Vec<String>,
    /// An opt-out was heard in it.
    #[serde(default)]
    pub opted_out: bool,
    /// What the guard said last.
    pub guard: Option<GuardFacts>,
    /// The stop that covers it, or that ended it.
    pub stop: Option<StopFacts>,
    /// Its campaign.
    pub campaign: Option<CampaignFacts>,
    /// Its contact, as it stands now.
    pub contact: Option<After>,
}

/// A decision of the guard's.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct GuardFacts {
    /// `allow`, `defer` or `block`.
    pub decision: String,
    /// The rules that stand in the way, the gravest first.
    #[serde(default)]
    pub because: Vec<RuleFacts>,
    /// When the same question is answered otherwise.
    pub until: Option<Timestamp>,
}

/// A rule and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct RuleFacts {
    /// Its word.
    pub rule: String,
    /// Statute, `owner`, or what is known.
    #[serde(default)]
    pub source: String,
}

/// A stop of the owner's.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct StopFacts {
    /// `all`, `campaign`, `agent` or `from`.
    pub scope: String,
    /// Why.
    pub reason: String,
    /// Name of the token.
    pub by: String,
}

/// A campaign.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct CampaignFacts {
    /// Its name.
    pub name: String,
    /// Its state.
    pub state: String,
    /// Why it stands still.
    pub because: Option<String>,
    /// `owner` or `breaker`.
    pub decided_by: Option<String>,
}

/// What follows for the contact of a call.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct After {
    /// `waiting`, `calling` or `done`.
    pub status: String,
    /// What became of it, once it is done.
    pub outcome: Option<String>,
    /// When its next attempt is due.
    pub due_at: Option<Timestamp>,
    /// This call is its last one.
    #[serde(default)]
    pub last: bool,
}

/// Everything about a contact that its explanation rests on.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct ContactFacts {
    /// `waiting`, `calling` or `done`.
    pub status: String,
    /// What became of it, once it is done.
    pub outcome: Option<String>,
    /// The word for why it waits or is done.
    pub because: Option<String>,
    /// When its turn comes.
    pub due_at: Option<Timestamp>,
    /// Attempts that counted.
    #[serde(default)]
    pub attempts: u32,
    /// The outcome of its last attempt.
    pub last_outcome: Option<String>,
    /// What the guard said last.
    pub guard: Option<GuardFacts>,
    /// The stop that covers it.
    pub stop: Option<StopFacts>,
    /// Its campaign.
    pub campaign: CampaignFacts,
}

/// Explains a call.
#[must_use]
pub fn call(facts: &CallFacts) -> Explanation {
    let mut explanation = match facts.state {
        State::Ended => ended::explain(facts),
        _ => before::explain(facts),
    };
    if facts.double_dial {
        explanation.why.push_str(" The carrier may have rung twice: two calls were found for this attempt.");
    }
    explanation
}

fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests;
