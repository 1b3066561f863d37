//! How the JSON that the database builds looks, for the description of the API. Nothing is read into these types: the
//! statements beside this file write the fields, and a test holds every answer against its shape.

mod sums;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::call::{self, Connect, Outcome};
use crate::campaign;
use crate::cost::Cost;
use crate::explain::Explanation;
use crate::guard::Purpose;

pub use sums::{Absent, Dossier, DossierDecision, DossierReview, DossierSuppression, Hold, Settlement, Unsettled};

/// Where a contact stands.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ContactStatus {
    /// Its turn comes.
    Waiting,
    /// An attempt is under way.
    Calling,
    /// It is not called any more in this campaign.
    Done,
}

/// What became of a delivery.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryResult {
    /// It was written down.
    Stored,
    /// A fuller one was known.
    Superseded,
    /// It could not be used.
    Refused,
}

/// A recording, as far as it is known.
#[derive(Debug, Serialize, ToSchema)]
pub struct RecordingFacts {
    /// Key in the bucket.
    pub storage_path: String,
    /// Its size.
    pub bytes: Option<i64>,
    /// Its digest, hex.
    pub sha256: Option<String>,
    /// Its length.
    pub duration_secs: Option<f64>,
    /// Its type.
    pub content_type: Option<String>,
    /// `webhook` or `pull`.
    pub source: Option<String>,
}

/// The conversation of a call.
#[derive(Debug, Serialize, ToSchema)]
pub struct CallConversation {
    /// ElevenLabs' id.
    pub id: String,
    /// The vendor's status.
    pub status: Option<String>,
    /// What was talked about.
    pub summary: Option<String>,
    /// The vendor's judgement.
    pub successful: Option<String>,
    /// Its length.
    pub duration_secs: Option<i64>,
    /// Why it ended.
    pub termination_reason: Option<String>,
    /// In the vendor's credits.
    pub cost: Option<f64>,
    /// What was said; of one call only, not in a list.
    pub messages: Option<Vec<Value>>,
}

/// One attempt to reach somebody.
#[derive(Debug, Serialize, ToSchema)]
pub struct Call {
    /// Its id.
    pub id: Uuid,
    /// Who is called.
    pub to: String,
    /// From which number.
    pub from: String,
    /// Our name of the agent.
    pub agent: String,
    /// Who dials.
    pub connect: Connect,
    /// Id of the campaign, or the label of a single call.
    pub campaign: Option<String>,
    /// What the agent is told.
    #[schema(value_type = Object)]
    pub variables: Value,
    /// The owner's notes.
    #[schema(value_type = Object)]
    pub metadata: Value,
    /// Where it stands.
    pub state: call::State,
    /// What became of it.
    pub outcome: Option<Outcome>,
    /// Nothing more is awaited that could change the outcome.
    pub outcome_final: bool,
    /// The words of whoever ended it.
    pub reason: Option<String>,
    /// When it was written down.
    pub created_at: Timestamp,
    /// When it is placed, at the earliest.
    pub due_at: Option<Timestamp>,
    /// When the carrier took it.
    pub placed_at: Option<Timestamp>,
    /// When it rang.
    pub ringing_at: Option<Timestamp>,
    /// When it was answered.
    pub answered_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// When everything about it was there.
    pub settled_at: Option<Timestamp>,
    /// How long it lasted.
    pub duration_secs: Option<i64>,
    /// The carrier's id.
    pub carrier_sid: Option<String>,
    /// SIP status of its end.
    pub sip_code: Option<i64>,
    /// `machine` or `person`, by the carrier's detection.
    pub answered_by: Option<String>,
    /// The number was dialled twice for it.
    pub double_dial: bool,
    /// What was talked.
    pub conversation: Option<CallConversation>,
    /// Its recording.
    pub recording: Option<RecordingFacts>,
    /// What is still awaited: `outcome`, `transcript`, `recording`.
    pub missing: Vec<String>,
    /// What happened, for a person.
    pub explanation: Option<Explanation>,
    /// What it cost, as far as that is over.
    pub cost: Cost,
}

/// A fact of a call's life.
#[derive(Debug, Serialize, ToSchema)]
pub struct CallEvent {
    /// When it happened.
    pub at: Timestamp,
    /// When we heard of it.
    pub received_at: Timestamp,
    /// What kind of fact.
    pub kind: String,
    /// The fact.
    #[schema(value_type = Object)]
    pub fact: Value,
    /// The vendor's own words.
    #[schema(value_type = Option<Object>)]
    pub raw: Option<Value>,
}

/// What the guard said about an attempt.
#[derive(Debug, Serialize, ToSchema)]
pub struct Judgement {
    /// When.
    pub at: Timestamp,
    /// `allow`, `defer` or `block`.
    pub decision: String,
    /// Words of the rules that stood in the way.
    pub because: Option<String>,
    /// By which rules.
    pub rules_version: String,
    /// Everything that it looked at.
    #[schema(value_type = Object)]
    pub inputs: Value,
}

/// The timeline of a call.
#[derive(Debug, Serialize, ToSchema)]
pub struct Timeline {
    /// The call.
    pub call_id: Uuid,
    /// Every fact, in the order in which it happened.
    pub events: Vec<CallEvent>,
    /// What the guard said.
    pub guard: Vec<Judgement>,
}

/// A conversation, also one that nobody placed.
#[derive(Debug, Serialize, ToSchema)]
pub struct Conversation {
    /// ElevenLabs' id.
    pub id: String,
    /// The call's id; its own when nobody placed it.
    pub call_id: String,
    /// ElevenLabs' id of the agent.
    pub agent_id: Option<String>,
    /// Campaign.
    pub campaign: Option<String>,
    /// The vendor's status.
    pub status: Option<String>,
    /// Nothing fuller is expected.
    #[serde(rename = "final")]
    pub is_final: bool,
    /// How many turns.
    pub turns: Option<i64>,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// When it was stored first.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Its length.
    pub duration_secs: Option<i64>,
    /// What was talked about.
    pub summary: Option<String>,
    /// The vendor's judgement.
    pub successful: Option<String>,
    /// In the vendor's credits.
    pub cost: Option<f64>,
    /// In money.
    pub cost_fiat: Option<f64>,
    /// Why it ended.
    pub termination_reason: Option<String>,
    /// Whether the vendor has a recording.
    pub has_audio: Option<bool>,
    /// The vendor's id of the person.
    pub user_id: Option<String>,
    /// Characters that no database holds were replaced.
    pub text_mended: Option<bool>,
    /// Whence it came.
    pub source: Option<String>,
    /// Its recording.
    pub recording: Option<RecordingFacts>,
    /// What was said; of one conversation only, as the next three.
    pub messages: Option<Vec<Value>>,
    /// The vendor's analysis.
    #[schema(value_type = Option<Object>)]
    pub analysis: Option<Value>,
    /// Latencies of its turns.
    pub latencies: Option<Value>,
    /// Where the raw body lies in the bucket.
    pub raw_key: Option<String>,
}

/// What the agents' vendor sent, and what became of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Delivery {
    /// Digest of the body.
    pub digest: String,
    /// The vendor's event type.
    pub event_type: String,
    /// Its conversation.
    pub conversation_id: Option<String>,
    /// Where the raw body lies in the bucket.
    pub raw_key: String,
    /// When it came.
    pub received_at: Timestamp,
    /// When it was worked off.
    pub handled_at: Timestamp,
    /// What became of it.
    pub result: DeliveryResult,
    /// Why it was refused.
    pub reason: Option<String>,
}

/// The campaign of a contact.
#[derive(Debug, Serialize, ToSchema)]
pub struct ContactCampaign {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub state: campaign::State,
    /// Why people are called.
    pub purpose: Purpose,
}

/// What somebody agreed to.
#[derive(Debug, Serialize, ToSchema)]
pub struct ContactConsent {
    /// Its kind.
    #[serde(rename = "type")]
    pub kind: String,
    /// When.
    pub at: Option<Timestamp>,
    /// Where it is recorded.
    pub source: Option<String>,
}

/// Somebody in a campaign.
#[derive(Debug, Serialize, ToSchema)]
pub struct Contact {
    /// Its id.
    pub id: i64,
    /// Its campaign.
    pub campaign: ContactCampaign,
    /// Its number.
    pub number: String,
    /// IANA zone, if it was given.
    pub timezone: Option<String>,
    /// State, two letters, if it was given.
    pub state: Option<String>,
    /// ZIP code, if it was given.
    pub postal_code: Option<String>,
    /// What was agreed to.
    pub consent: Option<ContactConsent>,
    /// Its own variables.
    #[schema(value_type = Object)]
    pub variables: Value,
    /// How far it is.
    pub status: ContactStatus,
    /// What became of it, once it is done.
    pub outcome: Option<String>,
    /// Why it waits or is done.
    pub because: Option<String>,
    /// When its turn comes, while it waits.
    pub due_at: Option<Timestamp>,
    /// Calls that were placed.
    pub attempts: i32,
    /// The last of them.
    pub last_call: Option<Uuid>,
    /// What became of that.
    pub last_outcome: Option<String>,
    /// The import that brought it.
    pub import: Option<Uuid>,
    /// Line of the file.
    pub line: Option<i64>,
    /// When it was written down.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Why it was called, is not called, or not yet; for a person.
    pub explanation: Option<Explanation>,
}
