//! A campaign: what its owner asked for, and what follows from an attempt's outcome. Pure: no clock, no I/O.

pub mod breaker;
mod settings;

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
pub use settings::{Budget, Cap, MARKETING_TEXTS, RetryChoice, RetryRule, Schedule, Settings, Texts, Voicemail};

use crate::call::Outcome;

/// Where a campaign stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = CampaignState)]
pub enum State {
    /// Not started yet.
    Draft,
    /// Calls whoever is due.
    Running,
    /// Places no call until it is resumed.
    Paused,
    /// Ended by its owner.
    Canceled,
    /// Every contact is done, or its end has come.
    Finished,
}

impl State {
    /// As it stands in the database and in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Canceled => "canceled",
            Self::Finished => "finished",
        }
    }

    /// Reads it back.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let all = [Self::Draft, Self::Running, Self::Paused, Self::Canceled, Self::Finished];
        all.into_iter().find(|state| state.as_str() == text)
    }
}

/// What becomes of a contact after an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// It is called again, not before.
    Again {
        /// The time.
        at: Timestamp,
        /// Whether this attempt used up one of those that the contact has.
        counts: bool,
    },
    /// It is done.
    Done {
        /// What became of it: an outcome, `exhausted`, `expired` or `canceled`.
        outcome: &'static str,
    },
}

/// An attempt that ended, as far as its contact cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempted {
    /// Its outcome.
    pub outcome: Outcome,
    /// Whoever dials was asked for it: it counts. `unknown` counts as well.
    pub asked: bool,
    /// How many attempts of this contact had this outcome, this one included.
    pub same_outcome: u32,
    /// How many attempts counted, this one included.
    pub attempts: u32,
    /// When it ended.
    pub ended_at: Timestamp,
}

/// What follows from an attempt. The next one falls into the next lawful window by the guard.
#[must_use]
pub fn step(attempted: &Attempted, settings: &Settings) -> Step {
    let outcome = attempted.outcome;
    if !attempted.asked {
        return match outcome {
            // Nobody was dialled: its time passed, or a stop took it back. The contact is as before.
            Outcome::Expired | Outcome::Canceled => Step::Again { at: attempted.ended_at, counts: false },
            outcome => Step::Done { outcome: outcome.as_str() },
        };
    }
    let Some(rule) = settings.retry(outcome) else { return Step::Done { outcome: outcome.as_str() } };
    if attempted.attempts >= settings.max_attempts || attempted.same_outcome > rule.most {
        return Step::Done { outcome: "exhausted" };
    }
    let delay = Duration::from_secs(rule.delay_secs);
    Step::Again { at: attempted.ended_at.checked_add(delay).unwrap_or(attempted.ended_at), counts: true }
}

#[cfg(test)]
mod tests;
