//! What gathers many things: the dossier of a number, the settlement of a day.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Call, Contact};
use crate::guard::Reason;
use crate::store::suppressions::{Step, Suppressed};

/// The suppression of a number.
#[derive(Debug, Serialize, ToSchema)]
pub struct DossierSuppression {
    /// What holds now.
    pub now: Option<Suppressed>,
    /// How it came to that, the newest step first.
    pub history: Vec<Step>,
}

/// Why a number rests.
#[derive(Debug, Serialize, ToSchema)]
pub struct Hold {
    /// Until when.
    pub until: Timestamp,
    /// Why.
    pub because: Option<String>,
}

/// A doubtful opt-out of a number.
#[derive(Debug, Serialize, ToSchema)]
pub struct DossierReview {
    /// The call in which it was heard.
    pub call_id: Uuid,
    /// The rule that doubts.
    pub rule: String,
    /// The words that it rests on.
    pub words: Option<String>,
    /// When it was heard.
    pub created_at: Timestamp,
    /// When somebody decided.
    pub resolved_at: Option<Timestamp>,
    /// `keep` or `remove`.
    pub resolution: Option<String>,
    /// Name of the token.
    pub resolved_by: Option<String>,
    /// Why.
    pub resolved_because: Option<String>,
}

/// What the guard said about a number.
#[derive(Debug, Serialize, ToSchema)]
pub struct DossierDecision {
    /// When.
    pub at: Timestamp,
    /// `allow`, `defer` or `block`.
    pub decision: String,
    /// The rules that stood in the way.
    pub because: Vec<Reason>,
    /// Until when.
    pub until: Option<Timestamp>,
    /// By which rules.
    pub rules_version: String,
    /// About which call.
    pub call_id: Option<Uuid>,
    /// About which contact.
    pub contact_id: Option<i64>,
}

/// Everything that is known of a number.
#[derive(Debug, Serialize, ToSchema)]
pub struct Dossier {
    /// The number.
    pub number: String,
    /// False: it was never imported nor called.
    pub known: bool,
    /// When this was read.
    pub as_of: Timestamp,
    /// Whether it is called at all.
    pub suppression: DossierSuppression,
    /// Whether it rests.
    pub hold: Option<Hold>,
    /// Doubtful opt-outs.
    pub reviews: Vec<DossierReview>,
    /// Its contacts in all campaigns.
    pub contacts: Vec<Contact>,
    /// Every attempt.
    pub attempts: Vec<Call>,
    /// What the guard said.
    pub decisions: Vec<DossierDecision>,
    /// Lists of which only the newest are shown.
    pub truncated: Vec<String>,
}

/// A piece that calls lack for good.
#[derive(Debug, Serialize, ToSchema)]
pub struct Absent {
    /// `transcript` or `recording`.
    pub piece: String,
    /// Why.
    pub reason: Option<String>,
    /// How many calls.
    pub calls: i64,
}

/// A call that waits for something.
#[derive(Debug, Serialize, ToSchema)]
pub struct Unsettled {
    /// The call.
    pub id: Uuid,
    /// What it waits for.
    pub missing: Vec<String>,
    /// Since when.
    pub since: Timestamp,
}

/// How the calls of a span of time ended.
#[derive(Debug, Serialize, ToSchema)]
pub struct Settlement {
    /// The first moment.
    pub from: Timestamp,
    /// The first moment that is left out.
    pub to: Timestamp,
    /// Calls that were written down.
    pub intents: i64,
    /// … that the carrier was asked for.
    pub placed: i64,
    /// … of which everything is there.
    pub settled: i64,
    /// … that came home by asking, because no webhook came.
    pub healed: i64,
    /// … that are looked for.
    pub unknown: i64,
    /// … that were never found.
    pub given_up: i64,
    /// … for which a number was dialled twice.
    pub double_dials: i64,
    /// … that are on the line.
    pub live: i64,
    /// By outcome.
    pub outcomes: BTreeMap<String, i64>,
    /// What is missing for good, and why.
    pub absent: Vec<Absent>,
    /// At most 1000 that wait for something.
    pub unsettled: Vec<Unsettled>,
}
